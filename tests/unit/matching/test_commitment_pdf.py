"""The Commitment to Quality on paper: what its pages say, whatever was written into it."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from services.matching.commitment_pdf import ATTACHMENT, printed
from services.matching.domain.commitment_document import AgendaItem, Signatory, SignedDocument
from shared.signing import canonical
from tests.unit.matching.commitments import a_document


def reading(document: SignedDocument) -> PdfReader:
    return PdfReader(io.BytesIO(printed(document)), strict=True)


def text_of(document: SignedDocument) -> str:
    """All pages, white space folded."""
    return " ".join(" ".join(page.extract_text() for page in reading(document).pages).split())


def test_the_pages_say_what_was_agreed_and_who_signed() -> None:
    document = a_document()
    text = text_of(document)
    for said in (
        "Commitment to Quality",
        "Stay of 14 to 16 February 2023",
        "Tagus Fibre Works (sample)",
        "Lisbon, Portugal",
        "Partnership: Sample Fashion",
        "The visit is for adopting technology.",
        "Tue 14 Feb 2023 09:30–11:00 A walk along the spinning line Host organisation",
        "A trial batch of hemp yarn.",
        "Signed by all four.",
        "officer of HempClub",
        "27 January 2023 09:12:07 UTC",
        document.document_sha256,
        *(signature.sha256 for signature in document.signatures),
    ):
        assert said in text, said
    assert len(reading(document).pages) <= 2


def test_every_page_names_the_content_s_hash() -> None:
    document = a_document(expected_results="A long text. " * 500)
    pages = reading(document).pages
    assert len(pages) > 2
    assert all(document.document_sha256 in page.extract_text() for page in pages)


def test_a_draft_says_whose_signature_is_missing() -> None:
    text = text_of(a_document(signatures=1))
    assert "Not yet in force: 1 of 4 signatures." in text
    assert text.count("not signed yet") == 3


def test_a_void_one_says_so_at_the_top() -> None:
    void = a_document().model_copy(update={"void_because": "The fair was moved."})
    assert "VOID. The fair was moved." in text_of(void)


def test_an_empty_agenda_and_no_goals_are_said_to_be_empty() -> None:
    text = text_of(a_document(signatures=0, agenda=[], goals="", expected_results=" \n"))
    assert "No agenda has been written down yet." in text
    assert "No goals have been written down yet." in text
    assert "No expected results have been written down." in text


def test_content_and_signatures_are_attached_as_they_are_signed() -> None:
    document = a_document()
    [attached] = reading(document).attachments[ATTACHMENT]
    assert attached == canonical(document)


def test_it_says_that_it_is_an_archivable_file() -> None:
    xmp = reading(a_document()).xmp_metadata
    assert xmp is not None
    assert xmp.pdf_producer is not None
    assert xmp.pdf_producer.startswith("ClusterXchange layout ")
    raw = printed(a_document())
    assert b"<pdfaid:part>3</pdfaid:part>" in raw
    assert b"/AFRelationship /Source" in raw


def test_the_same_document_gives_the_same_bytes_in_another_process_on_another_day() -> None:
    program = (
        "import hashlib; from services.matching.commitment_pdf import printed; "
        "from tests.unit.matching.commitments import a_document; "
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


LONG_NAME = "Research Centre for the Bioeconomy and the Circular Use of Fibres of the Northern Regions " * 3
AWKWARD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "Greek, Cyrillic, Turkish, Armenian, Georgian": (
        {"goals": "Κάνναβις και λινάρι. Конопля, їжа, ґрунт. İğne, şeker, çöğ. Կանեփ և վուշ. კანაფი."},
        ["Κάνναβις και λινάρι.", "Конопля, їжа, ґрунт.", "İğne, şeker, çöğ.", "Կանեփ և վուշ.", "კანაფი."],
    ),
    "letters of the Baltic and of Iceland": (
        {"goals": "Žemės ūkis, šķiedra, þráður, ðæ, Łódź, Győr, Ţ, Ș"},
        ["Žemės ūkis, šķiedra, þráður, ðæ, Łódź, Győr, Ţ, Ș"],
    ),
    "decomposed accents": ({"goals": "Cafe\u0301 in Go\u0308teborg"}, ["Café in Göteborg"]),
    "an emoji and Chinese, which the font lacks": (
        {"goals": "Party 🎉🎉 and 大麻 end"},
        ["Party ▯ and ▯ end", "stands where a text has signs"],
    ),
    "controls, and direction marks": ({"goals": "a\x00b\x07c \u202e\u200bd\te\r\nf"}, ["d e f"]),
    "long names": (
        {
            "visitor": Signatory(organisation=LONG_NAME, city="W" * 200, country="GR", partnership=LONG_NAME),
            "agenda": [AgendaItem(day=date(2023, 2, 14), title="M" * 300, responsible=LONG_NAME[:300])],
        },
        ["Northern Regions Research Centre", "W" * 10, "M" * 10],
    ),
    "4,000 characters without a space": ({"goals": "m" * 4000, "expected_results": "i" * 4000}, ["mmmm"]),
    "4,000 lines": ({"goals": "x\n" * 2000}, ["x x x"]),
    "nothing but line ends": ({"goals": "a" + "\n" * 3998 + "z"}, ["a z"]),
    "sixty items": (
        {
            "agenda": [
                AgendaItem(day=date(2023, 2, 15), begins="09:00", title=f"Item {n}", responsible="Both")
                for n in range(60)
            ]
        },
        [f"Item {n} Both" for n in range(60)],
    ),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_texts_are_on_the_pages(name: str) -> None:
    changes, expected = AWKWARD[name]
    text = text_of(a_document(**changes))
    for said in expected:
        assert said in text, said
    assert "Signed by all four." in text
    assert "officer of Sample Fashion" in text


@pytest.mark.parametrize("text", ["שלום עולם", "مرحبا بالعالم"])
def test_scripts_from_right_to_left_are_printed_in_letters(text: str) -> None:
    found = text_of(a_document(goals=f"Motto: {text}"))
    assert "Motto:" in found
    assert "▯" not in found


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=300), st.text(min_size=1, max_size=80))
def test_no_text_keeps_a_commitment_from_being_printed(goals: str, title: str) -> None:
    agenda = [AgendaItem(day=date(2023, 2, 14), title=title, responsible=title)]
    document = a_document(goals=goals, agenda=agenda)
    [attached] = reading(document).attachments[ATTACHMENT]
    assert SignedDocument.model_validate_json(attached) == document
