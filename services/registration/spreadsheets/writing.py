"""Writes spreadsheets row by row, as CSV or as an XLSX workbook, without ever holding all of them."""

from __future__ import annotations

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from openpyxl import Workbook

from services.registration.spreadsheets.cells import Cell, as_text
from services.registration.spreadsheets.reading import Format
from shared.spreadsheets import XLSX, harmless, workbook_text

Row = Sequence[Cell]

MEDIA_TYPES: Final[dict[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": XLSX,
}
_SENT_AT_ONCE: Final = 1 << 16


async def write(
    format: Format, header: Sequence[str], chunks: AsyncIterator[Iterable[Row]]
) -> AsyncIterator[bytes]:
    """The file, in parts. No text in it is taken for a formula (see `harmless`)."""
    writing = _write_csv(header, chunks) if format == "csv" else _write_workbook(header, chunks)
    async for part in writing:
        yield part


async def _write_csv(header: Sequence[str], chunks: AsyncIterator[Iterable[Row]]) -> AsyncIterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")  # without it Excel takes the file for Windows-1252
    writer.writerow([harmless(title) for title in header])
    async for rows in chunks:
        writer.writerows([_csv_cell(cell) for cell in row] for row in rows)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue().encode()


def _csv_cell(cell: Cell) -> str:
    # A number is one for every program, its sign included.
    return (
        repr(cell)
        if isinstance(cell, (int, float)) and not isinstance(cell, bool)
        else harmless(as_text(cell))
    )


async def _write_workbook(
    header: Sequence[str], chunks: AsyncIterator[Iterable[Row]]
) -> AsyncIterator[bytes]:
    workbook = Workbook(write_only=True)
    sheet: Any = workbook.create_sheet("registrations")
    sheet.freeze_panes = "A2"

    def append(rows: Iterable[Row]) -> None:
        for row in rows:
            sheet.append([_workbook_cell(sheet, cell) for cell in row])

    # The archive is finished before its first byte is sent, so it goes by way of the disk.
    with tempfile.TemporaryFile() as file:
        try:
            append([header])
            async for rows in chunks:
                await asyncio.to_thread(append, list(rows))
            await asyncio.to_thread(workbook.save, file)
        except BaseException:
            # Its rows would stay on the disk until the process ends.
            with suppress(Exception):
                sheet.close()
                sheet._writer.cleanup()
            raise
        file.seek(0)
        while part := file.read(_SENT_AT_ONCE):
            yield part


def _workbook_cell(sheet: Any, cell: Cell) -> Any:
    if isinstance(cell, (int, float)) and not isinstance(cell, bool) and float(f"{cell:.15g}") == cell:
        return cell
    # Of a number, a spreadsheet keeps fifteen digits.
    return workbook_text(sheet, as_text(cell))
