"""Reads the rows of a CSV or XLSX file somebody sent, whatever it holds: rows, or a sentence why not.

Run as a program it is the child process in which the worker reads such files (`read_apart`), so that
a hostile one costs that process its life and nobody else anything. It writes the rows to a file, one
a line, and says on standard output what they are.
"""

from __future__ import annotations

import codecs
import csv
import errno
import re
import resource
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from services.registration.spreadsheets.cells import (
    SAVE_AS,
    Cell,
    Unreadable,
    as_text,
    characters_in,
    is_empty,
    text_cell,
    write_row,
)
from services.registration.spreadsheets.workbook import workbook_rows

Format = Literal["csv", "xlsx"]

MAX_COLUMNS: Final = 200
MAX_CHARACTERS: Final = 1_000_000
"""Characters in one row."""
SNIFFED: Final = 4096
"""Bytes of a file's beginning that `format_of` wants to see."""

_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Table:
    """The rows of a file: `header` first, then `rows`, with their numbers as a spreadsheet shows them.

    Empty rows are left out. `notes` says what the sender should know of how the file was read.
    """

    def __init__(self, format: Format, rows: Iterator[tuple[int, list[Cell]]], notes: list[str]) -> None:
        self.format = format
        self.notes = notes
        self.rows = (row for row in rows if row[1])
        first = next(self.rows, None)
        if first is None:
            raise Unreadable("The file is empty; its first row must hold the names of the columns.")
        self.header_row, self.header = first
        if len(self.header) > MAX_COLUMNS:
            raise Unreadable(
                f"The file has {len(self.header)} columns; at most {MAX_COLUMNS} are read. Remove the others."
            )


def format_of(beginning: bytes) -> Format:
    """What a file is by its first `SNIFFED` bytes, whatever its name says; raises `Unreadable`."""
    if not beginning.strip(b"\x00 \t\r\n\xef\xbb\xbf\xfe\xff"):
        raise Unreadable("The file is empty; its first row must hold the names of the columns.")
    if beginning.startswith(b"PK\x03\x04"):
        return "xlsx"
    if beginning.startswith(_OLD_OFFICE):
        raise Unreadable(
            "The file is an old Excel workbook (.xls) or one with a password, and cannot be read; remove the "
            f"password, {SAVE_AS}."
        )
    if beginning.startswith(b"%PDF"):
        raise Unreadable("The file is a PDF, not a spreadsheet; send the spreadsheet it was printed from.")
    if beginning.startswith((b"PK", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")):
        raise Unreadable("The file is an archive, not a spreadsheet; unpack it and send what is inside.")
    text = beginning[:64].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if text.startswith((b"<", b"{\\rtf")):
        raise Unreadable(f"The file is a web page or a document, not a spreadsheet; {SAVE_AS}.")
    if _encoding_by_mark(beginning) is None and b"\x00" in beginning:
        raise Unreadable(f"The file is neither CSV nor XLSX; {SAVE_AS}.")
    return "csv"


def open_table(path: Path) -> Table:
    """The rows of a file, to be read one by one; raises `Unreadable`, also while they are read."""
    with path.open("rb") as file:
        format = format_of(file.read(SNIFFED))
    notes: list[str] = []
    rows = _csv_rows(path, notes) if format == "csv" else workbook_rows(path, notes)
    return Table(format, rows, notes)


def _trimmed(cells: Sequence[Cell]) -> list[Cell]:
    """The cells without the empty ones at the end."""
    end = len(cells)
    while end and is_empty(cells[end - 1]):
        end -= 1
    return list(cells[:end])


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────


def _encoding_by_mark(beginning: bytes) -> str | None:
    """The encoding that the first bytes give away: a byte order mark, or the zeros of UTF-16."""
    if beginning.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # The names of columns are of Latin letters.
    if re.match(rb"(?:[\t -~]\x00){4}", beginning):
        return "utf-16-le"
    if re.match(rb"(?:\x00[\t -~]){4}", beginning):
        return "utf-16-be"
    return None


def _encoding(path: Path) -> str:
    """The encoding in which the whole file can be read: by its mark, else UTF-8, else Windows-1252."""
    with path.open("rb") as file:
        marked = _encoding_by_mark(file.read(SNIFFED))
    for encoding in [marked] if marked else ["utf-8", "cp1252"]:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise Unreadable(
        "The file's characters cannot be read: it is neither UTF-8 nor UTF-16 nor Windows-1252. Save it as "
        "'CSV UTF-8' or as an Excel workbook (.xlsx)."
    )


def _delimiter(line: str) -> str:
    """The one of comma, semicolon and tab that stands most often in the header, outside quotation marks."""
    bare = re.sub(r'"[^"]*"', "", line)
    return max(",;\t", key=bare.count)


def _csv_rows(path: Path, notes: list[str]) -> Iterator[tuple[int, list[Cell]]]:
    encoding = _encoding(path)
    if encoding == "cp1252":
        notes.append(
            "The file is not UTF-8 and was read as Windows-1252; look whether accented letters are right, "
            "and if not, save it as 'CSV UTF-8'."
        )
    with path.open(encoding=encoding, newline="") as file:
        begins_at = 0
        line = file.readline(1 << 20)
        if named := re.fullmatch(r"sep=([,;\t])\s*", line):
            delimiter, begins_at = named[1], 1
        else:
            # The header is the first line that is not empty.
            while line and not line.strip():
                line = file.readline(1 << 20)
            delimiter = _delimiter(line)
            file.seek(0)
        reader = csv.reader(file, delimiter=delimiter)
        number = begins_at
        try:
            for number, texts in enumerate(reader, begins_at + 1):
                yield number, _trimmed([text_cell(text) for text in texts])
        except csv.Error as error:
            raise Unreadable(
                f"Row {number + 1} cannot be read ({error}): most likely a quotation mark is opened and not "
                "closed. Close it, or write a quotation mark that belongs to the text twice."
            ) from error


# ── in a process of its own ──────────────────────────────────────────────────────────────────


def spool(path: Path, into: Path, max_rows: int) -> dict[str, Any]:
    """Read the whole file into a file of rows; raises `Unreadable`, so that no part of it is taken.

    Returns `format`, `header`, `notes` and the number of `rows`, as JSON types.
    """
    table = open_table(path)
    count = 0
    with into.open("wb") as out:
        for number, cells in table.rows:
            count += 1
            if count > max_rows:
                raise Unreadable(f"The file has more than {max_rows} rows; split it and send the parts.")
            if characters_in(cells) > MAX_CHARACTERS:
                raise Unreadable(f"Row {number} holds more than {MAX_CHARACTERS} characters; shorten it.")
            out.write(write_row(number, cells))
    return {
        "format": table.format,
        "header": [as_text(cell) for cell in table.header],
        "notes": table.notes,
        "rows": count,
    }


def main() -> None:
    """Read the file named first into the file named second; see the module's description."""
    path, into, max_rows, memory_mb, rows_mb, cpu_s = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory_mb) << 20,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s), int(cpu_s) + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(rows_mb) << 20,) * 2)
    with suppress(OSError):
        # Where memory runs out all the same, this process is to end, not the worker.
        Path("/proc/self/oom_score_adj").write_text("1000")
    warnings.simplefilter("ignore")  # of openpyxl, about what it leaves out
    try:
        answer = spool(Path(path), Path(into), int(max_rows))
    except Unreadable as error:
        answer = {"unreadable": str(error)}
        if error.__cause__ is not None:
            # For our log, without what stands in the file.
            at = traceback.extract_tb(error.__cause__.__traceback__)[-1]
            print(type(error.__cause__).__name__, at.filename, at.lineno, file=sys.stderr)
    except (MemoryError, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EFBIG:
            raise
        answer = {
            "unreadable": "The file takes more memory than there is for one; split it, or send it as CSV."
        }
    sys.stdout.buffer.write(orjson.dumps(answer))


if __name__ == "__main__":
    main()
