"""What is read of the files people send, and what those are told whose file cannot be read."""

from __future__ import annotations

import codecs
import io
import zipfile
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from services.registration.spreadsheets.apart import read_apart
from services.registration.spreadsheets.cells import Faulty, Unreadable
from services.registration.spreadsheets.reading import MAX_COLUMNS, format_of
from tests.unit.registration.spreadsheets import a_workbook, as_excel_saves_it, cells_of, opened, with_part

MIDNIGHT, HALF_PAST_NINE, MAC_EPOCH = map(
    datetime.fromisoformat, ("2027-01-11", "2027-01-11 09:30", "1904-01-01")
)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:openpyxl")

HEADER = ["key", "organisation", "city"]
TEXT = "key,organisation,city\r\nR1,Łódź Würze GmbH,Αθήνα\r\n"
ROW = ["R1", "Łódź Würze GmbH", "Αθήνα"]


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        pytest.param(TEXT.encode(), ROW, id="UTF-8"),
        pytest.param(codecs.BOM_UTF8 + TEXT.encode(), ROW, id="UTF-8 with a mark"),
        pytest.param(TEXT.encode("utf-16"), ROW, id="UTF-16 with a mark"),
        pytest.param(codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), ROW, id="UTF-16, the other way round"),
        pytest.param(TEXT.encode("utf-16-le"), ROW, id="UTF-16 without a mark"),
        pytest.param(TEXT.encode("utf-16-be"), ROW, id="UTF-16 without a mark, the other way round"),
        pytest.param(TEXT.replace(",", ";").encode(), ROW, id="semicolons"),
        pytest.param(TEXT.replace(",", "\t").encode(), ROW, id="tabs"),
        pytest.param(
            b"sep=;\r\n" + TEXT.replace(",", ";").encode(), ROW, id="a line that names the separator"
        ),
        pytest.param(TEXT.replace("\r\n", "\r").encode(), ROW, id="line ends of an old Mac"),
        pytest.param(b"\r\n\r\n" + TEXT.encode() + b"\r\n,,\r\n  , ,\r\n", ROW, id="empty lines"),
        pytest.param(TEXT.replace("\r\n", ",,,\r\n").encode(), ROW, id="empty columns at the end"),
        pytest.param(
            b'key,organisation,city\nR1,"A ""B"" C\nand, D",Rome\n',
            ["R1", 'A "B" C\nand, D', "Rome"],
            id="quotes",
        ),
        pytest.param(
            b'"key;x",organisation,"city;y"\nR1,A;B,Rome\n', ["R1", "A;B", "Rome"], id="a quoted header"
        ),
        pytest.param(
            b"key,organisation,city\nR1,'=1+1,'90s\n", ["R1", "=1+1", "'90s"], id="our own apostrophe"
        ),
    ],
)
def test_rows_of_csv_are_read_however_it_was_saved(tmp_path: Path, content: bytes, cells: list[str]) -> None:
    assert cells_of(tmp_path, content) == [cells]


def test_what_is_not_utf_8_is_read_as_windows_1252_and_the_sender_is_told(tmp_path: Path) -> None:
    table = opened(tmp_path, "key,city\nR1,Köln – Süd €\n".encode("cp1252"))
    assert [cells for _, cells in table.rows] == [["R1", "Köln – Süd €"]]
    assert "Windows-1252" in table.notes[0]


def test_rows_have_the_numbers_a_spreadsheet_shows(tmp_path: Path) -> None:
    of_csv = opened(tmp_path, b'key,city\n\nR1,"two\nlines"\n\nR2,Rome\n')
    assert [number for number, _ in of_csv.rows] == [3, 5]
    of_xlsx = opened(tmp_path, a_workbook(["key"], [], ["R1"], [None], ["R2"]))
    assert [number for number, _ in of_xlsx.rows] == [3, 5]


# ── XLSX ─────────────────────────────────────────────────────────────────────────────────────


def test_cells_of_a_workbook_are_what_they_are(tmp_path: Path) -> None:
    row = [
        *("text", 900000001, 38.72, True, date(2027, 1, 11), HALF_PAST_NINE),
        *("'=1+1", "_x0041_", "two\nlines", None, "end"),
    ]
    expected = [
        *("text", 900000001, 38.72, True, MIDNIGHT, HALF_PAST_NINE),
        *("=1+1", "A", "two\nlines", None, "end"),
    ]
    content = a_workbook(["key"], row)
    assert cells_of(tmp_path, content) == [expected]
    assert cells_of(tmp_path, as_excel_saves_it(content)) == [expected]


@pytest.mark.parametrize(
    ("value", "said", "says"),
    [
        ("=VLOOKUP(1,A:B,2)", "", "formula without a result"),
        ("#N/A", "#N/A", "holds the error #N/A"),
        (time(9, 30), "09:30:00", "time of day"),
        ("x" * 32_001, "x" * 200 + "…", "32001 characters"),
    ],
)
def test_a_cell_without_a_usable_value_says_what_to_do(
    tmp_path: Path, value: Any, said: str, says: str
) -> None:
    [[_, cell]] = cells_of(tmp_path, a_workbook(["key"], ["R1", value]))
    assert isinstance(cell, Faulty)
    assert cell.said == said
    assert says in cell.why


def test_of_a_formula_its_result_is_read(tmp_path: Path) -> None:
    def calculated(sheet: bytes) -> bytes:
        return sheet.replace(b"<f>A1</f><v></v>", b"<f>A1</f><v>7</v>").replace(b"<v />", b"<v>7</v>")

    content = with_part(a_workbook(["key"], ["R1", "=A1"]), "xl/worksheets/sheet1.xml", calculated)
    assert cells_of(tmp_path, content) == [["R1", 7.0]]


def test_the_first_sheet_that_can_be_seen_is_read_and_the_sender_is_told(tmp_path: Path) -> None:
    def more_sheets(workbook: Workbook) -> None:
        hidden = workbook.create_sheet("old", 0)
        hidden.append(["nothing"])
        hidden.sheet_state = "hidden"
        workbook.create_sheet("notes").append(["nothing"])

    table = opened(tmp_path, a_workbook(["key"], ["R1"], change=more_sheets))
    assert [cells for _, cells in table.rows] == [["R1"]]
    assert table.notes == ["The workbook has 2 sheets; only the first, 'Sheet', was read."]


def test_of_merged_cells_the_first_has_the_value(tmp_path: Path) -> None:
    def merge(workbook: Workbook) -> None:
        assert workbook.active is not None
        workbook.active.merge_cells("A2:B2")

    assert cells_of(tmp_path, a_workbook(HEADER, ["R1", "hidden", "Rome"], change=merge)) == [
        ["R1", None, "Rome"]
    ]


def test_a_workbook_of_the_mac_counts_its_days_from_1904(tmp_path: Path) -> None:
    def since_1904(workbook: Workbook) -> None:
        workbook.epoch = MAC_EPOCH

    content = a_workbook(["key"], ["R1", date(2027, 1, 11)], change=since_1904)
    assert cells_of(tmp_path, content) == [["R1", MIDNIGHT]]


def test_how_a_text_is_pronounced_and_formatted_is_no_part_of_it(tmp_path: Path) -> None:
    table = (
        b"<sst><si><r><t>To</t></r><r><t>kyo</t></r><rPh><t>toukyou</t></rPh></si><si><t>R1</t></si></sst>"
    )
    content = with_part(
        as_excel_saves_it(a_workbook(["key"], ["R1"])), "xl/sharedStrings.xml", lambda _: table
    )
    assert opened(tmp_path, content).header == ["Tokyo"]


def test_prefixed_tags_are_read_as_well(tmp_path: Path) -> None:
    sheet = (
        b'<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData>'
        b'<x:row><x:c t="inlineStr"><x:is><x:t>key</x:t></x:is></x:c></x:row>'
        b'<x:row><x:c t="str"><x:v>R1</x:v></x:c><x:c><x:v>7</x:v></x:c></x:row></x:sheetData></x:worksheet>'
    )
    content = with_part(a_workbook(["key"]), "xl/worksheets/sheet1.xml", lambda _: sheet)
    assert cells_of(tmp_path, content) == [["R1", 7.0]]


# ── what cannot be read ──────────────────────────────────────────────────────────────────────


def archive(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as written:
        for name, content in parts.items():
            written.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return out.getvalue()


def with_doctype(content: bytes) -> bytes:
    bomb = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    declaration, rest = content.split(b"?>", 1) if content.startswith(b"<?xml") else (b"", content)
    return (declaration + b"?>" if declaration else b"") + bomb + rest


WORKBOOK = a_workbook(HEADER, ROW)
with zipfile.ZipFile(io.BytesIO(WORKBOOK)) as _archive:
    _at = _archive.getinfo("xl/worksheets/sheet1.xml").header_offset
SHEET = WORKBOOK[_at + 80 : _at + 120]
UNREADABLE = [
    ("nothing", b"", "empty"),
    ("white space", b" \r\n\t\r\n", "empty"),
    ("a mark alone", codecs.BOM_UTF8, "empty"),
    ("only separators", b",,,\n,,\n", "empty"),
    ("an empty sheet", a_workbook(), "empty"),
    ("an old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Excel workbook (.xls)"),
    ("a PDF", b"%PDF-1.7\n1 0 obj", "a PDF"),
    ("a web page called .xls", b"<html><table><tr><td>key</td></tr></table></html>", "web page"),
    ("XML", b'\xef\xbb\xbf<?xml version="1.0"?><Workbook/>', "web page"),
    ("a document", b"{\\rtf1\\ansi key}", "document"),
    ("an archive called .csv", archive(readme_dot_txt=b"key,city\n"), "an archive or a document"),
    ("an empty archive", archive(), "archive"),
    ("a compressed file", b"\x1f\x8b\x08" + bytes(20), "archive"),
    ("a binary workbook", archive(xl__workbook_dot_bin=b"x"), ".xlsb"),
    ("an OpenDocument file", archive(mimetype=b"x", content_dot_xml=b"<x/>"), "OpenDocument"),
    ("a picture", b"\x89PNG\r\n\x1a\n" + bytes(300), "neither CSV nor XLSX"),
    ("half a workbook", WORKBOOK[: len(WORKBOOK) // 2], "damaged or not complete"),
    ("a workbook with a hole", WORKBOOK.replace(SHEET, bytes(len(SHEET))), "damaged or not complete"),
    (
        "entities in a sheet",
        with_part(WORKBOOK, "xl/worksheets/sheet1.xml", with_doctype),
        "XML entities",
    ),
    (
        "entities in its strings",
        with_part(as_excel_saves_it(WORKBOOK), "xl/sharedStrings.xml", with_doctype),
        "XML entities",
    ),
    ("entities in its list of sheets", with_part(WORKBOOK, "xl/workbook.xml", with_doctype), "XML entities"),
    ("entities in its formats", with_part(WORKBOOK, "xl/styles.xml", with_doctype), "XML entities"),
    (
        "a strict workbook",
        with_part(
            WORKBOOK,
            "xl/workbook.xml",
            lambda content: content.replace(b"schemas.openxmlformats.org", b"purl.oclc.org/ooxml"),
        ),
        "Strict Open XML",
    ),
    (
        "a text that is not in the table",
        with_part(
            as_excel_saves_it(WORKBOOK), "xl/sharedStrings.xml", lambda table: table.replace(b"si", b"no")
        ),
        "damaged",
    ),
    (
        "a cell beyond the last column",
        with_part(
            WORKBOOK, "xl/worksheets/sheet1.xml", lambda sheet: sheet.replace(b'r="A1"', b'r="ZZZZZ1"')
        ),
        "damaged",
    ),
    ("no encoding at all", b"key,city\nR1,\x81\x8d\x8f\n", "neither UTF-8 nor UTF-16 nor Windows-1252"),
    ("half a character", "key,city\nR1,x".encode("utf-16") + b"\x00", "neither UTF-8"),
    ("too many columns", ",".join(map(str, range(MAX_COLUMNS + 1))).encode(), "201 columns"),
    ("a quotation mark never closed", b'key,city\nR1,"' + b"x,y\n" * 40_000, "quotation mark"),
]


@pytest.mark.parametrize(
    ("content", "says"), [row[1:] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE]
)
def test_a_file_that_cannot_be_read_is_refused_in_words(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(Unreadable) as refused:
        cells_of(tmp_path, content)
    assert says in str(refused.value)
    assert str(refused.value).endswith(".")


def test_what_a_file_is_does_not_hang_on_its_name() -> None:
    assert format_of(WORKBOOK[:4096]) == "xlsx"
    assert format_of(b"key;city") == "csv"


def test_an_archive_that_unpacks_to_far_more_than_it_says_is_not_unpacked(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as written:
        with zipfile.ZipFile(io.BytesIO(WORKBOOK)) as before:
            for part in before.infolist():
                written.writestr(part.filename, before.read(part))
        with written.open("xl/media/picture.png", "w") as picture:
            for _ in range(201):
                picture.write(bytes(1 << 20))
    with pytest.raises(Unreadable, match="MiB unpacked"):
        cells_of(tmp_path, out.getvalue())


# ── in a process of its own ──────────────────────────────────────────────────────────────────


async def test_the_rows_come_from_the_other_process_as_they_are(tmp_path: Path) -> None:
    row = ["R1", 7, 38.72, True, date(2027, 1, 11), "#N/A", None, "Αθήνα"]
    (tmp_path / "file").write_bytes(a_workbook(["key", 2027], row, ["R2"]))
    spool = await read_apart(tmp_path / "file", tmp_path / "rows", max_rows=2)
    assert (spool.format, spool.header, spool.rows) == ("xlsx", ["key", "2027"], 2)
    fault = Faulty("#N/A", "holds the error #N/A; write the value itself")
    first = ["R1", 7, 38.72, True, MIDNIGHT, fault, None, "Αθήνα"]
    assert list(spool.read()) == [(2, first), (3, ["R2"])]
    assert list(spool.read(1)) == [(3, ["R2"])]


async def test_more_rows_than_are_taken_are_refused_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"key\n1\n2\n3\n")
    with pytest.raises(Unreadable, match="more than 2 rows"):
        await read_apart(tmp_path / "file", tmp_path / "rows", max_rows=2)


async def test_a_small_file_whose_rows_are_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text of 30,000 characters, written once, that thirty cells of each row refer to."""
    monkeypatch.setattr("services.registration.spreadsheets.apart._ROWS_MB", 2)
    rows = [["x" * 30_000] * 30 for _ in range(3)]
    (tmp_path / "file").write_bytes(as_excel_saves_it(a_workbook(["key"], *rows)))
    assert (tmp_path / "file").stat().st_size < 200_000
    with pytest.raises(Unreadable, match="more memory than there is"):
        await read_apart(tmp_path / "file", tmp_path / "rows", max_rows=1000)


async def test_a_row_of_enormous_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(a_workbook(["key"], ["x" * 30_000] * 50))
    with pytest.raises(Unreadable, match="Row 2 holds more than"):
        await read_apart(tmp_path / "file", tmp_path / "rows", max_rows=1000)


async def test_a_reader_that_dies_refuses_the_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registration.spreadsheets.apart._CPU_S", 0)
    (tmp_path / "file").write_bytes(WORKBOOK)
    with pytest.raises(Unreadable, match="time and memory"):
        await read_apart(tmp_path / "file", tmp_path / "rows", max_rows=10)
