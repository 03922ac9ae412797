"""`cxc agreement verify`: the same as for commitments, of the other document."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops.cli import app
from services.funding.agreement_pdf import printed
from services.matching.commitment_pdf import printed as printed_commitment
from shared.signing import Signature, canonical
from tests.unit.funding.agreements import a_document
from tests.unit.matching.commitments import a_document as a_commitment

cli = CliRunner()


def verify(tmp_path: Path, content: bytes) -> Result:
    file = tmp_path / "agreement.pdf"
    file.write_bytes(content)
    return cli.invoke(app, ["agreement", "verify", str(file)])


@pytest.mark.parametrize("attached_only", [False, True])
def test_a_signed_agreement_holds(tmp_path: Path, attached_only: bool) -> None:
    document = a_document()
    result = verify(tmp_path, canonical(document) if attached_only else printed(document))
    assert result.exit_code == 0, result.output
    assert "holds  Both have signed." in result.stdout
    assert result.stdout.splitlines()[-1] == "The agreement holds."


def test_another_amount_is_found(tmp_path: Path) -> None:
    raised = canonical(a_document()).replace(b'"450.00"', b'"950.00"')
    result = verify(tmp_path, raised)
    assert result.exit_code == 1
    assert "FAILS  The content was changed" in result.stdout
    assert "it is for other content" in result.stdout


def test_the_partnership_s_missing_signature_is_named(tmp_path: Path) -> None:
    result = verify(tmp_path, printed(a_document(signatures=1)))
    assert result.exit_code == 1
    assert "FAILS  The signature of VOP, partnership of the visitor, HempClub, is missing." in result.stdout


def test_a_signature_of_somebody_who_does_not_sign_it_is_found(tmp_path: Path) -> None:
    document = a_document(signatures=1)
    fields = {"role": "HO", "by": "host", "acting_as": "participant", "at": document.signatures[0].at}
    stranger = Signature.after(document.signatures, document.content, **fields)
    odd = document.model_copy(update={"signatures": [*document.signatures, stranger]})
    result = verify(tmp_path, canonical(odd))
    assert "it is not one of VO, VOP, who sign this document" in result.stdout


def test_a_commitment_is_no_agreement(tmp_path: Path) -> None:
    result = verify(tmp_path, printed_commitment(a_commitment()))
    assert result.exit_code == 1
    assert "it is no agreement, or damaged" in result.stdout
