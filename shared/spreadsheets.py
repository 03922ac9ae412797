"""What is written into spreadsheets: texts that no program takes for a formula, in cells that keep them."""

from __future__ import annotations

import re
from typing import Any, Final

from openpyxl.cell import WriteOnlyCell

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
"""The media type of an Excel workbook."""

#: What may stand before the sign and still leaves a formula to some program: blanks, control
#: characters, quotation marks, marks without a width.
_BEFORE: Final = r"[\s\x00-\x1f\x7f-\x9f\"'`´‘’‚‛“”„‟«»‹›＂＇\u00ad\u200b-\u200f\u2060-\u2064\ufeff]*"
_LIKE_A_FORMULA: Final = re.compile(rf"{_BEFORE}(?:(?<=[\t\r\n])|[=+\-@＝＋－＠﹦﹢﹣﹫−])")
_GUARD: Final = "'"
#: What XML 1.0 cannot hold or does not keep, and what would be taken for its escape.
_TO_ESCAPE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def harmless(text: str) -> str:
    """The text, behind an apostrophe where a spreadsheet program might take it for a formula.

    So is what begins with `=`, `+`, `-` or `@`, in any width, after blanks or quotation marks too,
    and what begins with a tab or a line's end (OWASP, "CSV Injection"). `unguarded` takes it back.
    """
    return _GUARD + text if _LIKE_A_FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text without the apostrophe of `harmless`; any other apostrophe stays."""
    return text[1:] if text.startswith(_GUARD) and _LIKE_A_FORMULA.match(text[1:]) else text


def workbook_text(sheet: Any, text: str) -> Any:
    """A cell of a write-only sheet that holds this text, made harmless; None for an empty one."""
    if not text:
        return None
    escaped = _TO_ESCAPE.sub(lambda found: f"_x{ord(found[0]):04X}_", harmless(text))
    written = WriteOnlyCell(sheet, escaped)
    written.data_type = "s"  # also what looks like an error, such as #N/A
    return written
