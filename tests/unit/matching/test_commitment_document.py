"""Whether a commitment holds: its content's hash, the chain of signatures, and that any change is found."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain.commitment_document import SignedDocument
from shared.signing import Signature, canonical
from tests.unit.matching.commitments import SIGNERS, a_content, a_document


def failures(document: SignedDocument) -> str:
    return " ".join(finding.sentence for finding in document.examined() if not finding.holds)


def test_a_document_signed_by_all_four_holds() -> None:
    found = a_document().examined()
    assert all(finding.holds for finding in found)
    assert len(found) == 6


def test_the_hash_is_one_that_any_tool_can_make() -> None:
    content = a_content(goals="Łódź → Αθήνα")
    plain = json.dumps(
        content.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert content.sha256 == hashlib.sha256(plain.encode()).hexdigest()


def test_each_signature_holds_the_hash_of_the_one_before_it() -> None:
    document = a_document()
    chain = [document.document_sha256, *(signature.sha256 for signature in document.signatures)]
    assert [signature.previous for signature in document.signatures] == chain[:-1]
    assert len(set(chain)) == 5


@pytest.mark.parametrize("count", range(4))
def test_a_missing_signature_is_named(count: int) -> None:
    document = a_document(signatures=count)
    assert sorted(document.missing) == sorted(role for role, *_ in SIGNERS[count:])
    for role, *_ in SIGNERS[count:]:
        assert f"The signature of {role}, " in failures(document)


def test_changed_content_is_told_from_a_broken_chain() -> None:
    document = a_document()
    changed = document.model_copy(update={"content": a_content(goals="Something else.")})
    assert "The content was changed" in failures(changed)
    assert failures(changed).count("it is for other content") == 4

    rehashed = changed.model_copy(update={"document_sha256": changed.content.sha256})
    assert "The content was changed" not in failures(rehashed)
    assert "Signature 1, VO for Tagus Fibre Works (sample), does not hold" in failures(rehashed)


@pytest.mark.parametrize("gone", range(4))
def test_a_signature_taken_out_breaks_what_follows_it(gone: int) -> None:
    document = a_document()
    rest = [signature for index, signature in enumerate(document.signatures) if index != gone]
    found = failures(document.model_copy(update={"signatures": rest}))
    assert "is missing" in found
    assert ("does not follow on the one before it" in found) == (gone < 3)


def test_signatures_in_another_order_do_not_hold() -> None:
    document = a_document()
    swapped = [document.signatures[0], document.signatures[2], document.signatures[1], document.signatures[3]]
    assert failures(document.model_copy(update={"signatures": swapped})).count("does not follow") == 3


def test_a_signature_in_another_name_or_a_second_time_does_not_hold() -> None:
    content, document = a_content(), a_document(signatures=1)
    first = document.signatures[0]
    fields = {"role": "VO", "by": "office of Tagus", "acting_as": "participant", "at": first.at}
    twice = Signature.after([first], content, **fields)
    assert "has signed before" in failures(document.model_copy(update={"signatures": [first, twice]}))

    other = Signature.after([], a_content(visitor=content.host), **fields)
    assert "the document names Tagus" in failures(document.model_copy(update={"signatures": [other]}))


def test_a_void_document_does_not_hold() -> None:
    void = a_document().model_copy(update={"void_because": "The fair was moved."})
    assert failures(void) == "The commitment is void: The fair was moved."


@given(st.data())
def test_no_byte_of_content_or_chain_can_be_changed_unseen(data: st.DataObject) -> None:
    whole = canonical(a_document())
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        document = SignedDocument.model_validate_json(bytes(changed))
    except ValueError:
        return
    assert failures(document) or canonical(document) != bytes(changed)
