"""The financial agreement on paper: what its pages say, whoever it is between."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from pypdf import PdfReader

from services.funding.agreement_pdf import ATTACHMENT, printed
from services.funding.domain.agreement_document import Organisation, SignedAgreement
from shared.signing import canonical
from tests.unit.funding.agreements import a_content, a_document


def reading(document: SignedAgreement) -> PdfReader:
    return PdfReader(io.BytesIO(printed(document)), strict=True)


def text_of(document: SignedAgreement) -> str:
    """All pages, white space folded."""
    return " ".join(" ".join(page.extract_text() for page in reading(document).pages).split())


def test_the_pages_say_what_is_promised_on_which_conditions_and_who_signed() -> None:
    document = a_document()
    text = text_of(document)
    for said in (
        "Financial agreement",
        "Number A7F9C13FE193, edition 1, drawn up on 24 January 2023",
        "Signed by both.",
        "Tagus Fibre Works (sample)",
        "Lisbon, Portugal",
        "HempClub",
        "Navigli Textile Tech Centre (sample) Milan, Italy",
        "14 to 16 February 2023, both included; 3 working days",
        document.content.match_id,
        "EUR 450.00 for a stay in Italy",
        "3 working days are fewer than 5.",
        "5. The partnership pays within 10 calendar days",
        "officer of HempClub",
        "26 January 2023 09:12:07 UTC",
        *(signature.sha256 for signature in document.signatures),
    ):
        assert said in text, said
    pages = reading(document).pages
    assert len(pages) == 2
    assert all(document.document_sha256 in page.extract_text() for page in pages)


def test_content_and_signatures_are_attached_as_they_are_signed() -> None:
    document = a_document()
    assert reading(document).attachments[ATTACHMENT] == [canonical(document)]
    assert b"<pdfaid:part>3</pdfaid:part>" in printed(document)


def test_a_draft_says_whose_signature_is_missing_and_a_void_one_that_it_is_void() -> None:
    assert "Not yet in force: 1 of 2 signatures." in text_of(a_document(signatures=1))
    void = a_document().model_copy(update={"void_because": "The match was cancelled."})
    assert "VOID. The match was cancelled." in text_of(void)


def test_the_same_document_gives_the_same_bytes_in_another_process_on_another_day() -> None:
    program = (
        "import hashlib; from services.funding.agreement_pdf import printed; "
        "from tests.unit.funding.agreements import a_document; "
        "print(hashlib.sha256(printed(a_document())).hexdigest())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "PYTHONHASHSEED": "7",
            "TZ": "Asia/Yerevan",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        check=True,
        text=True,
    )
    assert elsewhere.stdout.strip() == hashlib.sha256(printed(a_document())).hexdigest()


LONG = "Research Centre for the Bioeconomy and the Circular Use of Fibres of the Northern Regions " * 4


@pytest.mark.parametrize(
    "changes",
    [
        {"visitor": Organisation(name=LONG, city="W" * 200, country="GR"), "payer": LONG},
        {"visitor": Organisation(name="M" * 300, city="Ω", country="GR"), "payer": "Κάνναβις και λινάρι"},
        {"calculation": ["A rule that says a lot of a long stay. " * 40] * 8},
        {"conditions": [f"Condition number {number}." * 20 for number in range(60)]},
    ],
    ids=["long names", "names without a space", "a long calculation", "sixty conditions"],
)
def test_awkward_contents_are_printed_to_the_last_signature(changes: dict[str, Any]) -> None:
    text = text_of(a_document(**changes))
    assert "officer of HempClub" in text
    assert "cxc agreement verify" in text
    assert "▯" not in text


def test_every_field_of_the_content_is_part_of_what_is_signed() -> None:
    content = a_content()
    others: dict[str, Any] = {"amount": Decimal("451.00"), "edition": 2, "payer": "Another", "conditions": []}
    for name, other in others.items():
        assert content.model_copy(update={name: other}).sha256 != content.sha256
