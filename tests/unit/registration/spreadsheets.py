"""Spreadsheets as tests make and read them."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from services.registration.spreadsheets.cells import Cell
from services.registration.spreadsheets.columns import row_of
from services.registration.spreadsheets.reading import Table, open_table
from shared.contracts.registration import Submission
from tests.builders import a_submission

Row = dict[str, Any]


def a_row(key: str = "ROW-1", **cells: Any) -> Row:
    """The cells of a row about the visiting SME from Lisbon, by column; `cells` replace some."""
    return {"key": key, **row_of(Submission.model_validate(a_submission())), **cells}


def a_csv(rows: Iterable[Row], **how: Any) -> bytes:
    """The rows as CSV in UTF-8, the first one's columns in the header."""
    rows = list(rows)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), **how)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def a_workbook(*rows: Sequence[Any], change: Callable[[Workbook], None] = lambda workbook: None) -> bytes:
    """A workbook with these rows in its first sheet, saved after `change`."""
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    change(workbook)
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def with_part(workbook: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The workbook with one of its parts changed, or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as before, zipfile.ZipFile(out, "w") as after:
        parts = {part: before.read(part) for part in before.namelist()}
        parts[name] = change(parts.get(name, b""))
        for part, content in parts.items():
            after.writestr(part, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def as_excel_saves_it(workbook: bytes) -> bytes:
    """The same workbook with its texts in a table of their own, to which the cells refer."""
    strings: list[bytes] = []

    def refer(found: re.Match[bytes]) -> bytes:
        if found[2] not in strings:
            strings.append(found[2])
        return b'%s t="s"><v>%d</v>' % (found[1], strings.index(found[2]))

    def shared(sheet: bytes) -> bytes:
        return re.sub(rb'(<c [^>]*?) t="inlineStr"><is>(.*?)</is>', refer, sheet, flags=re.DOTALL)

    def declared(types: bytes) -> bytes:
        kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
        part = b'<Override PartName="/xl/sharedStrings.xml" ContentType="%s"/></Types>' % kind
        return types.replace(b"</Types>", part)

    workbook = with_part(workbook, "xl/worksheets/sheet1.xml", shared)
    workbook = with_part(workbook, "[Content_Types].xml", declared)
    table = b"".join(b"<si>%s</si>" % string for string in strings)
    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return with_part(workbook, "xl/sharedStrings.xml", lambda _: b'<sst xmlns="%s">%s</sst>' % (main, table))


def opened(tmp_path: Path, content: bytes) -> Table:
    """The table in a file with this content."""
    file = tmp_path / "file"
    file.write_bytes(content)
    return open_table(file)


def cells_of(tmp_path: Path, content: bytes) -> list[list[Cell]]:
    """All cells beneath the header."""
    return [cells for _, cells in opened(tmp_path, content).rows]
