"""Paper: what every document of the scheme is printed with."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from pypdf import PdfReader

from shared.pdf import NOTE, WARNING, Attachment, Cell, Column, Paper, producer

AT = datetime(2023, 2, 20, 9, 0, tzinfo=UTC)
PICTURE = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 10"><path d="M0 0L40 10" stroke="red"/></svg>'
)


def a_paper(**changes: Any) -> Paper:
    """An empty one."""
    return Paper(**{"title": "Sample", "at": AT, "foot": ("Sample", "at the foot"), **changes})


def reading(content: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(content), strict=True)


def text_of(paper: Paper) -> str:
    """All pages, white space folded."""
    return " ".join(" ".join(page.extract_text() for page in reading(paper.printed()).pages).split())


def everything(paper: Paper) -> Paper:
    paper.title("Sample document", "Stay of 14 to 16 February 2023")
    paper.banner("VOID.", WARNING)
    paper.heading("A section")
    paper.pair(("Visitor", "Host"), ("Tagus Fibre Works", "Navigli Tech Centre"), ("Lisbon", "Milan"))
    paper.facts(("Amount", Cell("EUR 450.00", bold=True)), ("Paid by", "HempClub"))
    paper.numbered(["The first condition.", "The second one."])
    paper.bullets(["Rather short."])
    paper.table([Column("What", 2), Column("EUR", 1, "RIGHT")], [("Full rate", "900.00"), ("Half", "450.00")])
    paper.picture(PICTURE, width=60)
    paper.paragraph("The end.", NOTE)
    return paper


def test_every_block_is_on_the_page_in_its_order() -> None:
    assert text_of(everything(a_paper())) == (
        "CLUSTERXCHANGE Sample document Stay of 14 to 16 February 2023 VOID. A section Visitor Host "
        "Tagus Fibre Works Navigli Tech Centre Lisbon Milan Amount EUR 450.00 Paid by HempClub "
        "1. The first condition. 2. The second one. • Rather short. "
        "What EUR Full rate 900.00 Half 450.00 The end. "
        "Sample, page 1 of 1 at the foot"
    )


def test_the_same_calls_give_the_same_bytes() -> None:
    assert everything(a_paper()).printed() == everything(a_paper()).printed()


def test_a_file_carries_others_and_says_when_its_content_is_from_and_what_printed_it() -> None:
    attached = Attachment("figures.json", b"{}", "application/json", "The figures")
    pdf = reading(a_paper(printed_by=producer(7), attachments=[attached]).printed())
    assert pdf.attachments == {"figures.json": [b"{}"]}
    assert pdf.xmp_metadata is not None
    assert pdf.xmp_metadata.xmp_create_date == AT.replace(tzinfo=None)
    assert (pdf.xmp_metadata.pdf_producer or "").startswith("ClusterXchange layout 7, fpdf2 ")


def test_the_headings_of_a_table_stand_on_every_page_of_it() -> None:
    paper = a_paper()
    paper.table([Column("Number", 1)], [(f"row {number}",) for number in range(90)])
    pages = [page.extract_text() for page in reading(paper.printed()).pages]
    assert len(pages) > 1
    assert all("Number" in page for page in pages)


@pytest.mark.parametrize(("written", "explained"), [("Łódź", False), ("大麻", True)])
def test_letters_there_are_none_for_are_explained(written: str, explained: bool) -> None:
    paper = a_paper()
    paper.facts(("Visitor", written))
    paper.explain_boxes("; the list has them")
    assert ("this print has no letters for; the list has them." in text_of(paper)) == explained


def test_no_text_of_a_title_breaks_the_file() -> None:
    pdf = reading(a_paper(title="A & B <i>\x00\x1b").printed())
    assert pdf.xmp_metadata is not None
    assert (pdf.xmp_metadata.dc_title or {})["x-default"] == "A & B <i>▯"
