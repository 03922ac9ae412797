"""What is sealed is read by who has the key, and by nobody else."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from shared.sealed import NothingToSealWith, Seal
from tests.builders import A_SECRET


def test_what_was_sealed_opens_with_the_same_key_alone() -> None:
    sealed = Seal(A_SECRET).close(email="office@partner.example", token="t")
    assert "partner" not in sealed
    assert Seal(A_SECRET).open(sealed) == {"email": "office@partner.example", "token": "t"}
    for other in (sealed[:-8], sealed[:40] + "A" + sealed[41:], "", "no token"):
        with pytest.raises(ValueError, match="another CXC_SEAL_KEY"):
            Seal(A_SECRET).open(other)
    with pytest.raises(ValueError, match="another CXC_SEAL_KEY"):
        Seal(SecretStr("another secret of more than thirty-two characters")).open(sealed)


def test_without_a_key_nothing_is_sealed_nor_opened() -> None:
    sealed = Seal(A_SECRET).close(token="t")
    with pytest.raises(NothingToSealWith, match="CXC_SEAL_KEY"):
        Seal(None).close(token="t")
    with pytest.raises(NothingToSealWith, match="CXC_SEAL_KEY"):
        Seal(None).open(sealed)
