"""The Commitment to Quality as a PDF: A4, archivable (PDF/A-3b), content and signatures attached as JSON.

The same document gives the same bytes: nothing in the file is of the moment or the machine it was printed
on. So the pages show what is attached if printing the attachment anew gives the same file.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import date
from functools import cache, lru_cache
from html import escape
from pathlib import Path
from typing import Final, Literal

import fpdf
from fpdf import FPDF, XPos, YPos
from fpdf.enums import TableBordersLayout, VAlign
from fpdf.fonts import FontFace, TTFFont
from fpdf.table import Table

from services.matching.domain.commitment_document import (
    ROLE_NAMES,
    ROLES,
    Content,
    Signatory,
    SignedDocument,
    canonical,
    moment,
)
from services.matching.domain.words import country

ATTACHMENT: Final = "commitment.json"
LAYOUT: Final = 1
"""To be raised with every change of what is printed: older files are then known to be of another make."""
PRINTED_BY: Final = f"ClusterXchange layout {LAYOUT}, fpdf2 {fpdf.__version__}"

_FONTS: Final = Path(__file__).parent / "data" / "fonts"
_FACE: Final = "DejaVu"
_UNPRINTABLE: Final = "▯"

_INK: Final = (33, 37, 41)
_GREY: Final = (108, 117, 125)
_LINE: Final = (206, 212, 218)
_PANEL: Final = (241, 245, 249)
_ACCENT: Final = (21, 76, 121)
_WARNING: Final = (176, 42, 55)

_SIDE: Final = 20.0
"""Margins left and right, in mm."""

# Its warnings are about glyphs no text can reach: what the font lacks is replaced before.
logging.getLogger("fontTools").setLevel(logging.ERROR)


def printed(document: SignedDocument) -> bytes:
    """The PDF of the document with the signatures there are: about 0.2 s of work, if not printed lately."""
    return _printed(canonical(document))


@lru_cache(maxsize=64)
def _printed(document_json: bytes) -> bytes:
    document = SignedDocument.model_validate_json(document_json)
    paper = _Paper(document)
    paper.title_block()
    paper.sides()
    paper.text_section(
        "Goals of the exchange", document.content.goals, "No goals have been written down yet."
    )
    paper.agenda()
    paper.text_section(
        "Expected results",
        document.content.expected_results,
        "No expected results have been written down.",
    )
    paper.signatures()
    return bytes(paper.output())


@cache
def _letters() -> frozenset[int]:
    blank = FPDF()
    _add_fonts(blank)
    faces = [font.cmap for font in blank.fonts.values() if isinstance(font, TTFFont)]
    return frozenset.intersection(*(frozenset(face) for face in faces))


def _add_fonts(pdf: FPDF) -> None:
    pdf.add_font(_FACE, "", _FONTS / "DejaVuSansCondensed.ttf")
    pdf.add_font(_FACE, "B", _FONTS / "DejaVuSansCondensed-Bold.ttf")


def _has_letter(character: str) -> bool:
    return character == "\n" or (ord(character) in _letters() and character.isprintable())


def _written(text: str) -> str:
    """The text in letters the font has; what it lacks stands as a box, as the page's foot explains."""
    composed = unicodedata.normalize(
        "NFC", re.sub(r"\n{3,}", "\n\n", text.replace("\r\n", "\n").replace("\t", " "))
    )
    # Joiners and selectors say how to draw what is beside them, and are nothing to see.
    seen = (c for c in composed if not (unicodedata.category(c) in ("Cf", "Mn") and not _has_letter(c)))
    return re.sub(
        f"{_UNPRINTABLE}+", _UNPRINTABLE, "".join(c if _has_letter(c) else _UNPRINTABLE for c in seen)
    )


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _days(content: Content) -> str:
    first, last = content.first_day, content.last_day
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {_day(last)}"
    return (
        f"{first.day} {first:%B} to {_day(last)}"
        if first.year == last.year
        else f"{_day(first)} to {_day(last)}"
    )


class _Paper(FPDF):
    def __init__(self, document: SignedDocument) -> None:
        super().__init__(format="A4", enforce_compliance="PDF/A-3B")
        self._document = document
        self._content = document.content
        self._has_boxes = any(_UNPRINTABLE in _written(text) for text in _texts(document))
        latest = max((signature.at for signature in document.signatures), default=self._content.drawn_up_at)
        self.set_creation_date(latest)
        self.set_title(f"Commitment to Quality, match {self._content.match_id}")
        self.set_producer(PRINTED_BY)
        self.set_lang("en")
        self.set_xmp_metadata(_xmp(self.title or "", PRINTED_BY, latest.strftime("%Y-%m-%dT%H:%M:%SZ")))
        self.embed_file(
            bytes=canonical(document),
            basename=ATTACHMENT,
            mime_type="application/json",
            associated_file_relationship="Source",
            desc="Content and signatures, for cxc commitment verify",
            creation_date=latest,
            modification_date=latest,
        )
        self.set_margins(_SIDE, 18, _SIDE)
        self.set_auto_page_break(True, margin=24)
        _add_fonts(self)
        self.set_text_shaping(True)
        self.add_page()

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def title_block(self) -> None:
        self._ink(_ACCENT, "B", 9)
        self._line("CLUSTERXCHANGE", 5)
        self._ink(_INK, "B", 22)
        self._line("Commitment to Quality", 11)
        self._ink(_GREY, "", 10)
        self._line(f"Stay of {_days(self._content)}, match {self._content.match_id}", 6)
        self.ln(2)
        self._status()
        self.ln(5)

    def _status(self) -> None:
        document = self._document
        if document.void_because is not None:
            self._banner(f"VOID. {document.void_because}", _WARNING)
        elif document.missing:
            given = len(ROLES) - len(document.missing)
            self._banner(f"Not yet in force: {given} of 4 signatures.", _GREY)
        else:
            self._banner("Signed by all four.", _ACCENT)

    def _banner(self, text: str, colour: tuple[int, int, int]) -> None:
        self.set_fill_color(*colour)
        self._ink((255, 255, 255), "B", 10)
        self._paragraph(text, 7, fill=True)
        self.set_fill_color(255)

    def sides(self) -> None:
        self._heading("The exchange")
        content = self._content
        visitor, host = content.visitor, content.host
        self._ink(_INK, "", 9.5)
        rows = (
            (
                "Visiting organisation",
                "Host organisation",
                FontFace(color=_GREY, size_pt=8, fill_color=_PANEL),
            ),
            (
                visitor.organisation,
                host.organisation,
                FontFace(color=_INK, size_pt=11, emphasis="BOLD", fill_color=_PANEL),
            ),
            (_place(visitor), _place(host), FontFace(color=_INK, size_pt=9.5, fill_color=_PANEL)),
            (_managed(visitor), _managed(host), FontFace(color=_INK, size_pt=9.5, fill_color=_PANEL)),
        )
        with self.table(
            col_widths=(1, 1),
            gutter_width=4,
            first_row_as_headings=False,
            borders_layout=TableBordersLayout.NONE,
            text_align="LEFT",
            v_align=VAlign.T,
            line_height=5,
            padding=(1, 3),
        ) as table:
            for of_visitor, of_host, style in rows:
                row = table.row(style=style)
                row.cell(_written(of_visitor))
                row.cell(_written(of_host))
        self.ln(2)
        self._ink(_INK, "B", 10)
        self._paragraph(f"Stay at the host: {_days(content)}, both days included.", 5.5)
        self.ln(2)

    def text_section(self, heading: str, text: str, if_empty: str) -> None:
        self._heading(heading)
        if text.strip():
            self._ink(_INK, "", 10)
            self._paragraph(text, 5.2)
        else:
            self._ink(_GREY, "", 10)
            self._paragraph(if_empty, 5.2)
        self.ln(2)

    def agenda(self) -> None:
        self._heading("Agenda")
        if not self._content.agenda:
            self._ink(_GREY, "", 10)
            self._paragraph("No agenda has been written down yet.", 5.2)
            self.ln(2)
            return
        self._ink(_INK, "", 9.5)
        with self._table(30, 25, 75, 40) as table:
            self._headings(table, "Day", "Time", "What", "Responsible")
            for item in self._content.agenda:
                row = table.row()
                row.cell(f"{item.day:%a} {item.day.day} {item.day:%b %Y}")
                row.cell("–".join(filter(None, (item.begins, item.ends))))
                row.cell(_written(item.title))
                row.cell(_written(item.responsible))
        self.ln(3)

    def signatures(self) -> None:
        if self.will_page_break(95):
            self.add_page()
        self._heading("Signatures")
        self._ink(_INK, "", 9.5)
        self._paragraph(
            "Each of the four commits to carry out the exchange as written here. They sign in the platform, "
            "each with its own access, the content whose SHA-256 stands at the foot of the page. Any change "
            "of it voids all signatures.",
            4.8,
        )
        self.ln(2)
        given = {signature.role: signature for signature in self._document.signatures}
        self._ink(_INK, "", 9)
        with self._table(14, 68, 46, 42) as table:
            self._headings(table, "Role", "Signed for", "By", "When")
            for role in ROLES:
                signature = given.get(role)
                row = table.row()
                row.cell(role, style=FontFace(emphasis="BOLD"))
                row.cell(_written(f"{self._content.name_of(role)}\n{ROLE_NAMES[role]}"))
                if signature is None:
                    row.cell("not signed yet", colspan=2, style=FontFace(color=_GREY))
                else:
                    row.cell(_written(f"{signature.by}\n{signature.acting_as}"))
                    row.cell(moment(signature.at).replace(", ", "\n"))
        self.ln(2)
        self._ink(_GREY, "", 7.5)
        for number, signature in enumerate(self._document.signatures, 1):
            self._line(f"{number}. {signature.role:<3}  SHA-256 {signature.sha256}", 3.8)
        self.ln(1)
        self._paragraph(
            "Each signature holds the hash of the one before it, the first that of the content. Content "
            f"and signatures are attached to this file as {ATTACHMENT}; “cxc commitment verify FILE” says "
            "whether they hold and whether these pages show them.",
            3.8,
        )
        if self._has_boxes:
            self._paragraph(
                f"{_UNPRINTABLE} stands where a text has signs that this print has no letters for; the "
                "attachment has them, and they are signed too.",
                3.8,
            )

    def footer(self) -> None:
        self.set_y(-17)
        self.set_draw_color(*_LINE)
        self.line(_SIDE, self.get_y(), self.w - _SIDE, self.get_y())
        self.ln(1.5)
        self._ink(_GREY, "", 7)
        self._line(f"Commitment to Quality, page {self.page_no()} of {{nb}}", 4)
        self.cell(0, 4, f"SHA-256 of the content: {self._document.document_sha256}")

    # ── means ────────────────────────────────────────────────────────────────────────────────

    def _heading(self, text: str) -> None:
        if self.will_page_break(24):
            self.add_page()
        self._ink(_ACCENT, "B", 12)
        self._line(text, 6)
        self.set_draw_color(*_ACCENT)
        self.line(_SIDE, self.get_y() + 0.5, self.w - _SIDE, self.get_y() + 0.5)
        self.ln(3)

    def _table(self, *widths: int) -> AbstractContextManager[Table]:
        self.set_draw_color(*_LINE)
        return self.table(
            col_widths=widths,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="BOLD", color=_GREY, size_pt=8),
            text_align="LEFT",
            v_align=VAlign.T,
            line_height=4.8,
            padding=(1.2, 2, 1.2, 0),
        )

    def _headings(self, table: Table, *names: str) -> None:
        row = table.row()
        for name in names:
            row.cell(name)

    def _ink(self, colour: tuple[int, int, int], style: Literal["", "B"], size: float) -> None:
        self.set_text_color(*colour)
        self.set_font(_FACE, style, size)

    def _line(self, text: str, height: float) -> None:
        self.cell(0, height, _written(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _paragraph(self, text: str, height: float, *, fill: bool = False) -> None:
        # One at a time: each line of a text may run in another direction than the one before it.
        for line in _written(text).split("\n"):
            align = "R" if _runs_leftwards(line) else "L"
            self.multi_cell(0, height, line, align=align, fill=fill, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _runs_leftwards(line: str) -> bool:
    directions = (unicodedata.bidirectional(character) for character in line)
    return next((direction for direction in directions if direction in ("L", "R", "AL")), "L") != "L"


def _place(side: Signatory) -> str:
    return f"{side.city}, {country(side.country)}"


def _managed(side: Signatory) -> str:
    return f"Partnership: {side.partnership}"


def _texts(document: SignedDocument) -> Iterator[str]:
    content = document.content
    for side in (content.visitor, content.host):
        yield from (side.organisation, side.city, side.partnership)
    yield from (content.goals, content.expected_results, document.void_because or "")
    for item in content.agenda:
        yield from (item.title, item.responsible)
    for signature in document.signatures:
        yield signature.by


def _xmp(title: str, producer: str, at: str) -> str:
    # fpdf2's own would carry the moment of printing.
    return f"""<x:xmpmeta xmlns:x="adobe:ns:meta/">
  <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
    <rdf:Description rdf:about="" xmp:CreateDate="{at}" pdf:Producer="{escape(producer)}">
      <pdfaid:part>3</pdfaid:part>
      <pdfaid:conformance>B</pdfaid:conformance>
      <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{escape(title)}</rdf:li></rdf:Alt></dc:title>
    </rdf:Description>
  </rdf:RDF>
</x:xmpmeta>"""
