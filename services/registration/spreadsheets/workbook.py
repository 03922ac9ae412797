"""Reads the cells of an XLSX workbook, one row at a time."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Callable, Container, Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, Any, BinaryIO, Final
from xml.parsers import expat

from defusedxml import DefusedXmlException, EntitiesForbidden
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils import column_index_from_string
from openpyxl.utils.datetime import from_excel, from_ISO8601
from openpyxl.xml.constants import SHARED_STRINGS

from services.registration.spreadsheets.cells import SAVE_AS, Cell, Faulty, Unreadable, is_empty, text_cell

MAX_UNPACKED: Final = 200 * 1024 * 1024
"""Bytes of all parts of a workbook together, unpacked."""


def workbook_rows(path: Path, notes: list[str]) -> Iterator[tuple[int, list[Cell]]]:
    """The rows of the first visible sheet with their numbers; raises `Unreadable`, at any of them too.

    What the sender should know of how it was read is added to `notes`.
    """
    try:
        with path.open("rb") as file:
            with zipfile.ZipFile(file) as archive:
                _check_archive(archive)
            yield from _sheet_rows(file, notes)
    except (Unreadable, MemoryError):
        raise
    except DefusedXmlException as error:
        raise Unreadable(
            "The workbook defines XML entities, which no spreadsheet program does, and is not read; "
            f"{SAVE_AS}."
        ) from error
    except Exception as error:  # whatever a broken file does to zipfile, the XML parser or openpyxl
        raise Unreadable(
            f"The workbook is damaged or not complete; {SAVE_AS}, then send it again."
        ) from error


def _check_archive(archive: zipfile.ZipFile) -> None:
    """Raises `Unreadable` for what is no workbook, and before anything is unpacked, for too large a one.

    The sizes an archive declares are what `zipfile` unpacks at the most.
    """
    names = {part.filename for part in archive.infolist()}
    if "xl/workbook.bin" in names:
        raise Unreadable(f"The file is a binary Excel workbook (.xlsb); {SAVE_AS}.")
    if "content.xml" in names:
        raise Unreadable(f"The file is an OpenDocument file; {SAVE_AS}.")
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise Unreadable(f"The file is an archive or a document, not a spreadsheet; {SAVE_AS}.")
    unpacked = sum(part.file_size for part in archive.infolist())
    if unpacked > MAX_UNPACKED:
        raise Unreadable(
            f"The workbook has {unpacked // 2**20} MiB unpacked; at most {MAX_UNPACKED // 2**20} are read. "
            "Remove pictures and other sheets, or split it."
        )
    if any(part.flag_bits & 1 for part in archive.infolist()):
        raise Unreadable(f"The workbook has a password; remove it, {SAVE_AS}.")


def _sheet_rows(file: BinaryIO, notes: list[str]) -> Iterator[tuple[int, list[Cell]]]:
    reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
    reader.read_manifest()
    reader.read_workbook()
    apply_stylesheet(reader.archive, reader.wb)
    texts: list[str] = []
    package: Any = reader.package
    if (part := package.find(SHARED_STRINGS)) is not None:
        with reader.archive.open(part.PartName[1:]) as source:
            strings = _Strings(source)
            for _ in strings.parse():
                pass
        texts = strings.texts
    with reader.archive.open(_first_sheet(reader, notes)) as source:
        sheet = _Sheet(source, texts, reader.wb)
        for _ in sheet.parse():
            yield from sheet.rows
            sheet.rows.clear()


def _first_sheet(reader: ExcelReader, notes: list[str]) -> str:
    """The part of the archive that holds the first visible sheet."""
    sheets = [
        (sheet.name, relation.target)
        for sheet, relation in reader.parser.find_sheets()
        if relation.target in reader.valid_files and relation.Type.endswith("/worksheet")
        if sheet.state == "visible"
    ]
    if not sheets:
        strict = b"purl.oclc.org" in reader.archive.read("xl/workbook.xml")
        which = "is saved as 'Strict Open XML'" if strict else "has no visible sheet of cells"
        raise Unreadable(f"The workbook {which}; {SAVE_AS}.")
    name, part = sheets[0]
    if len(sheets) > 1:
        notes.append(f"The workbook has {len(sheets)} sheets; only the first, '{name}', was read.")
    return str(part)


class _Part:
    """A part of a workbook as it is parsed: the texts of a table of strings, or the cells of a sheet.

    Straight on expat: a tree of elements, built by the parser that refuses entities, takes seven
    times as long. Here a document type is refused, and without one there are no entities.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._take
        self._said: list[str] | None = None

    def parse(self) -> Iterator[None]:
        """Read on to the end, a bit at a time."""
        while chunk := self._source.read(1 << 16):
            self._parser.Parse(chunk, False)
            yield
        self._parser.Parse(b"", True)
        yield

    def _refuse(self, *_: object) -> None:
        raise EntitiesForbidden("a document type", None, None, None, None, None)

    def _take(self, text: str) -> None:
        if self._said is not None:
            self._said.append(text)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        raise NotImplementedError

    def _end(self, tag: str) -> None:
        raise NotImplementedError


class _Strings(_Part):
    """The texts that cells refer to by number."""

    def __init__(self, source: IO[bytes]) -> None:
        super().__init__(source)
        self.texts: list[str] = []
        self._text: list[str] = []
        self._spoken = False

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        match tag.rpartition(":")[2]:
            case "si":
                self._text = []
            case "rPh":
                self._spoken = True  # how the text is pronounced
            case "t" if not self._spoken:
                self._said = self._text

    def _end(self, tag: str) -> None:
        match tag.rpartition(":")[2]:
            case "si":
                self.texts.append("".join(self._text))
            case "rPh":
                self._spoken = False
            case "t":
                self._said = None


class _Sheet(_Part):
    """The rows of a sheet, which whoever drives the parser takes from `rows`."""

    def __init__(self, source: IO[bytes], strings: Sequence[str], workbook: Any) -> None:
        super().__init__(source)
        self.rows: list[tuple[int, list[Cell]]] = []
        self._strings = strings
        self._epoch = workbook.epoch
        self._dates: Container[int] = workbook._date_formats
        self._durations: Container[int] = workbook._timedelta_formats
        self._number = 0
        self._cells: list[Cell] = []
        self._attributes: dict[str, str] = {}
        self._value: list[str] = []
        self._is_formula = False

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        match tag.rpartition(":")[2]:
            case "c":
                self._attributes, self._value, self._is_formula = attributes, [], False
            case "v" | "t":
                self._said = self._value
            case "f":
                self._is_formula = True
            case "row":
                self._number = int(attributes.get("r", self._number + 1))
                self._cells = []

    def _end(self, tag: str) -> None:
        match tag.rpartition(":")[2]:
            case "v" | "t":
                self._said = None
            case "c":
                self._place(self._cell())
            case "row":
                self.rows.append((self._number, self._cells))

    def _place(self, cell: Cell) -> None:
        column = len(self._cells)
        if at := self._attributes.get("r"):
            column = column_index_from_string(at.rstrip("0123456789")) - 1
        if not is_empty(cell):
            self._cells.extend([None] * (column + 1 - len(self._cells)))
            self._cells[column] = cell

    def _cell(self) -> Cell:
        said = "".join(self._value)
        if not said:
            if self._is_formula:
                return Faulty("", "holds a formula without a result; copy the column and paste its values")
            return None
        match self._attributes.get("t", "n"):
            case "s":
                return text_cell(_without_escapes(self._strings[int(said)]))
            case "str" | "inlineStr":
                return text_cell(_without_escapes(said))
            case "b":
                return said == "1"
            case "e":
                return Faulty(said, f"holds the error {said}; write the value itself")
            case "d":
                return _moment(_from_iso(said))
            case _:
                return self._number_or_moment(float(said))

    def _number_or_moment(self, number: float) -> Cell:
        style = int(self._attributes.get("s", 0))
        if style in self._dates:
            try:
                return _moment(from_excel(number, self._epoch, timedelta=style in self._durations))
            except (ValueError, OverflowError):
                return Faulty(str(number), "is no day of the calendar; write it as 2027-01-31")
        return number if math.isfinite(number) else Faulty(str(number), "is not a number")


_from_iso: Callable[[str], object] = from_ISO8601


def _moment(found: object) -> Cell:
    match found:
        case datetime():
            return found
        case date():
            return datetime.combine(found, time())
        case _:
            return Faulty(str(found), "is a time of day; write what the column asks for")


def _without_escapes(text: str) -> str:
    """Characters that XML cannot hold are written `_x0001_` in a workbook, in units of UTF-16."""
    if "_x" not in text:
        return text
    units = re.sub(r"_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
