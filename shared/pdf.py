"""Documents as PDF: A4 in the scheme's look, archivable (PDF/A-3b), with files attached.

The same calls give the same bytes: nothing in a file is of the moment or the machine it was printed on.

    paper = Paper("Attendance certificate, match 0185…", at=issued_at, foot=("Attendance certificate", ""))
    paper.title("Attendance certificate", "Stay of 14 to 16 February 2023")
    paper.heading("The exchange")
    paper.facts(("Visitor", "Tagus Fibre Works"), ("Host", "Navigli Textile Tech Centre"))
    paper.paragraph("The host confirms that …")
    content = paper.printed()

Heights and widths are in mm, letters in points.
"""

from __future__ import annotations

import io
import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Final, Literal, NamedTuple

import fpdf
from fpdf import FPDF, XPos, YPos
from fpdf.enums import TableBordersLayout, VAlign
from fpdf.fonts import FontFace, TTFFont

Colour = tuple[int, int, int]

INK: Final[Colour] = (33, 37, 41)
GREY: Final[Colour] = (108, 117, 125)
ACCENT: Final[Colour] = (21, 76, 121)
WARNING: Final[Colour] = (176, 42, 55)
_WHITE: Final[Colour] = (255, 255, 255)
_LINE: Final[Colour] = (206, 212, 218)
_PANEL: Final[Colour] = (241, 245, 249)

WIDTH: Final = 170.0
"""What stands between the margins."""
_SIDE: Final = 20.0
_FONTS: Final = Path(__file__).parent / "data" / "fonts"
_FACE: Final = "DejaVu"
_UNPRINTABLE: Final = "▯"

# Its warnings are about glyphs no text can reach: what the font lacks is replaced before.
logging.getLogger("fontTools").setLevel(logging.ERROR)


class Style(NamedTuple):
    """How a text looks: size of the letters, height of a line."""

    size: float
    height: float
    colour: Colour = INK
    bold: bool = False


BODY: Final = Style(10, 5.2)
QUIET: Final = Style(10, 5.2, GREY)
STRONG: Final = Style(10, 5.5, bold=True)
TERMS: Final = Style(9.5, 4.8)
NOTE: Final = Style(7.5, 3.8, GREY)


class Column(NamedTuple):
    """A column of a table; widths are in proportion to each other."""

    name: str
    width: float
    align: Literal["LEFT", "RIGHT", "CENTER"] = "LEFT"


class Cell(NamedTuple):
    """A cell that is not like the others of its table."""

    text: str
    bold: bool = False
    colour: Colour | None = None
    columns: int = 1
    """How many it spans."""


class Attachment(NamedTuple):
    """A file inside the file."""

    name: str
    content: bytes
    mime: str
    about: str
    relationship: Literal["Source", "Data", "Supplement"] = "Source"
    """What it is to the pages: they are made from it, they show some of it, it goes beyond them."""


def producer(layout: int) -> str:
    """What a file says it was printed by; a document raises its layout with every change of its pages."""
    return f"ClusterXchange layout {layout}, fpdf2 {fpdf.__version__}"


class Paper:
    """A document being written, from its top to its end.

    What the font has no letters for (Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew and Arabic it has)
    stands as a box: `has_boxes` says so, for a note that explains them.
    """

    def __init__(
        self,
        title: str,
        *,
        at: datetime,
        foot: tuple[str, str],
        printed_by: str = producer(1),
        attachments: Sequence[Attachment] = (),
    ) -> None:
        """`at`: the moment of its content, in UTC; `foot`: before the number of each page, and below it."""
        self.has_boxes = False
        title = self._written(title)
        self._pdf = pdf = _Pages(format="A4", enforce_compliance="PDF/A-3B")
        pdf.foot = (self._written(foot[0]), self._written(foot[1]))
        pdf.set_creation_date(at)
        pdf.set_title(title)
        pdf.set_producer(printed_by)
        pdf.set_lang("en")
        pdf.set_xmp_metadata(_xmp(title, printed_by, at.strftime("%Y-%m-%dT%H:%M:%SZ")))
        for attached in attachments:
            pdf.embed_file(
                bytes=attached.content,
                basename=attached.name,
                mime_type=attached.mime,
                associated_file_relationship=attached.relationship,
                desc=attached.about,
                creation_date=at,
                modification_date=at,
            )
        pdf.set_margins(_SIDE, 18, _SIDE)
        pdf.set_auto_page_break(True, margin=24)
        _add_fonts(pdf)
        pdf.set_text_shaping(True)
        pdf.add_page()

    def printed(self) -> bytes:
        """The file; nothing can be written after."""
        return bytes(self._pdf.output())

    # ── blocks, from top to bottom ───────────────────────────────────────────────────────────

    def title(self, name: str, below: str) -> None:
        """The head of the first page."""
        self.line("CLUSTERXCHANGE", Style(9, 5, ACCENT, bold=True))
        self.line(name, Style(22, 11, bold=True))
        self.line(below, Style(10, 6, GREY))
        self.gap(2)

    def banner(self, text: str, colour: Colour = ACCENT) -> None:
        """One sentence on a ground of that colour: where the document stands."""
        self._pdf.set_fill_color(*colour)
        self._multiline(text, Style(10, 7, _WHITE, bold=True), fill=True)
        self._pdf.set_fill_color(255)

    def heading(self, text: str) -> None:
        """The name of a section; on the next page, if only the heading would fit on this one."""
        self.need(24)
        self.line(text, Style(12, 6, ACCENT, bold=True))
        self._rule(ACCENT, 0.5)
        self.gap(3)

    def paragraph(self, text: str, style: Style = BODY) -> None:
        """A text of any length; its line ends stay."""
        self._multiline(text, style)

    def numbered(self, paragraphs: Iterable[str], style: Style = TERMS) -> None:
        """Paragraphs by number, the numbers standing out to the left."""
        for number, text in enumerate(paragraphs, 1):
            self._marked(f"{number}.", text, style, indent=7)
            self.gap(1.2)

    def bullets(self, paragraphs: Iterable[str], style: Style = TERMS) -> None:
        """Short paragraphs, each with a dot before it."""
        for text in paragraphs:
            self._marked("•", text, style, indent=4)

    def line(self, text: str, style: Style) -> None:
        """One line, which is not broken."""
        self._ink(style)
        self._pdf.cell(0, style.height, self._written(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def pair(self, *rows: tuple[str, str]) -> None:
        """Two panels beside each other, such as visitor and host.

        The first row says what they are, the second is their name, the others are what is to be said of them.
        """
        styles = (
            FontFace(color=GREY, size_pt=8, fill_color=_PANEL),
            FontFace(color=INK, size_pt=11, emphasis="BOLD", fill_color=_PANEL),
            FontFace(color=INK, size_pt=9.5, fill_color=_PANEL),
        )
        self._ink(TERMS)
        with self._pdf.table(
            col_widths=(1, 1),
            gutter_width=4,
            first_row_as_headings=False,
            borders_layout=TableBordersLayout.NONE,
            text_align="LEFT",
            v_align=VAlign.T,
            line_height=5,
            padding=(1, 3),
        ) as table:
            for number, texts in enumerate(rows):
                row = table.row(style=styles[min(number, 2)])
                for text in texts:
                    row.cell(self._written(text))
        self.gap(2)

    def facts(self, *facts: tuple[str, str | Cell], label: float = 50) -> None:
        """Names at the left, in grey and `label` wide, and what they are of at the right."""
        rows = [(Cell(name, colour=GREY), value) for name, value in facts]
        self.table([Column("", label), Column("", WIDTH - label)], rows, headings=False)

    def table(
        self,
        columns: Sequence[Column],
        rows: Iterable[Sequence[str | Cell]],
        *,
        size: float = 9.5,
        headings: bool = True,
    ) -> None:
        """Rows under headings, which are repeated on every page."""
        self._ink(Style(size, 4.8))
        self._pdf.set_draw_color(*_LINE)
        with self._pdf.table(
            col_widths=tuple(column.width for column in columns),
            first_row_as_headings=headings,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="BOLD", color=GREY, size_pt=8),
            text_align=tuple(column.align for column in columns),
            v_align=VAlign.T,
            line_height=4.8,
            padding=(1.2, 2, 1.2, 0),
        ) as table:
            if headings:
                heading = table.row()
                for column in columns:
                    heading.cell(self._written(column.name))
            for cells in rows:
                row = table.row()
                for cell in cells:
                    if isinstance(cell, str):
                        row.cell(self._written(cell))
                    else:
                        style = FontFace(emphasis="BOLD" if cell.bold else None, color=cell.colour)
                        row.cell(self._written(cell.text), colspan=cell.columns, style=style)

    def picture(self, content: bytes, *, width: float = WIDTH) -> None:
        """An SVG, PNG or JPEG, as high as that width makes it."""
        self._pdf.image(io.BytesIO(content), w=width)

    def gap(self, height: float) -> None:
        """Nothing, that high."""
        self._pdf.ln(height)

    def need(self, height: float) -> None:
        """Go on with the next page unless there is so much room on this one."""
        if self._pdf.will_page_break(height):
            self._pdf.add_page()

    def explain_boxes(self, otherwise: str = "") -> None:
        """If there are any, what the boxes stand for; `otherwise` says where the text is whole."""
        if self.has_boxes:
            self.paragraph(
                f"{_UNPRINTABLE} stands where a text has signs that this print has no letters for"
                f"{otherwise}.",
                NOTE,
            )

    # ── means ────────────────────────────────────────────────────────────────────────────────

    def _ink(self, style: Style) -> None:
        self._pdf.set_text_color(*style.colour)
        self._pdf.set_font(_FACE, "B" if style.bold else "", style.size)

    def _rule(self, colour: Colour, below: float) -> None:
        pdf = self._pdf
        pdf.set_draw_color(*colour)
        pdf.line(_SIDE, pdf.get_y() + below, pdf.w - _SIDE, pdf.get_y() + below)

    def _marked(self, mark: str, text: str, style: Style, *, indent: float) -> None:
        self.need(2 * style.height)
        self._ink(style)
        self._pdf.cell(indent, style.height, mark)
        self._multiline(text, style, indent=indent)

    def _multiline(self, text: str, style: Style, *, fill: bool = False, indent: float = 0) -> None:
        self._ink(style)
        # One at a time: each line of a text may run in another direction than the one before it.
        for line in self._written(text).split("\n"):
            if indent:
                self._pdf.set_x(_SIDE + indent)
            align = "R" if _runs_leftwards(line) else "L"
            self._pdf.multi_cell(
                0, style.height, line, align=align, fill=fill, new_x=XPos.LMARGIN, new_y=YPos.NEXT
            )

    def _written(self, text: str) -> str:
        """The text in letters the font has, with a box for what it lacks."""
        written = _in_letters(text)
        self.has_boxes = self.has_boxes or _UNPRINTABLE in written
        return written


class _Pages(FPDF):
    foot: tuple[str, str] = ("", "")

    def footer(self) -> None:
        """What stands at the foot of every page."""
        before, below = self.foot
        self.set_y(-17)
        self.set_draw_color(*_LINE)
        self.line(_SIDE, self.get_y(), self.w - _SIDE, self.get_y())
        self.ln(1.5)
        self.set_text_color(*GREY)
        self.set_font(_FACE, "", 7)
        self.cell(0, 4, f"{before}, page {self.page_no()} of {{nb}}", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.cell(0, 4, below)


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


def _in_letters(text: str) -> str:
    composed = unicodedata.normalize(
        "NFC", re.sub(r"\n{3,}", "\n\n", text.replace("\r\n", "\n").replace("\t", " "))
    )
    # Joiners and selectors say how to draw what is beside them, and are nothing to see.
    seen = (c for c in composed if not (unicodedata.category(c) in ("Cf", "Mn") and not _has_letter(c)))
    return re.sub(
        f"{_UNPRINTABLE}+", _UNPRINTABLE, "".join(c if _has_letter(c) else _UNPRINTABLE for c in seen)
    )


def _runs_leftwards(line: str) -> bool:
    directions = (unicodedata.bidirectional(character) for character in line)
    return next((direction for direction in directions if direction in ("L", "R", "AL")), "L") != "L"


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
