"""Whatever stands in a cell comes back from a spreadsheet, no formula leaves here, and any bytes can come."""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st
from openpyxl.worksheet._writer import ALL_TEMP_FILES
from pydantic import ValidationError

from services.registration.spreadsheets.cells import Unreadable
from services.registration.spreadsheets.columns import OF_SUBMISSION, Layout, row_of
from services.registration.spreadsheets.reading import Format, open_table
from services.registration.spreadsheets.writing import Row, write
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import COUNTRIES, Ecosystem, Goal, OrganisationKind, Role
from shared.spreadsheets import harmless, unguarded
from tests.builders import a_submission
from tests.unit.registration.spreadsheets import a_row, a_workbook, as_excel_saves_it

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:openpyxl")

A_FEW = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
#: Everything a text can hold; halves of characters never come in (JSON and UTF-8 have none).
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
AWKWARD = st.one_of(
    TEXTS,
    st.builds(
        lambda before, sign, after: before + sign + after,
        st.sampled_from(["", " ", "'", "''", '"', "\t", "\r", "\n", "\ufeff", "\u200b", "\xa0", "\x00", "“"]),
        st.sampled_from(list("=+-@＝＋－＠−'#_;,|\\")),
        TEXTS,
    ),
    st.sampled_from(
        ["#N/A", "_x0041_", "__x0041_", "\ufffe", "\x0b", "\r\n", "TRUE", "1E5", "2027-01-11", "=1"]
    ),
)
#: What programs begin a formula with, in any width.
SIGNS = "=+-@＝＋－＠"


def written(format: Format, header: list[str], rows: list[Row]) -> bytes:
    async def whole() -> bytes:
        async def parts() -> AsyncIterator[list[Row]]:
            yield rows

        return b"".join([part async for part in write(format, header, parts())])

    return asyncio.run(whole())


def read(content: bytes) -> tuple[list[Any], list[list[Any]]]:
    with TemporaryDirectory() as directory:
        file = Path(directory) / "file"
        file.write_bytes(content)
        table = open_table(file)
        return table.header, [cells for _, cells in table.rows]


# ── formulas ─────────────────────────────────────────────────────────────────────────────────


@A_FEW
@given(AWKWARD)
@example("'=1+1")
@example("''=1+1")
@example("' =1")
def test_the_apostrophe_that_guards_a_text_is_taken_away_again(text: str) -> None:
    assert unguarded(harmless(text)) == text


@A_FEW
@given(AWKWARD)
def test_no_text_that_begins_like_a_formula_leaves_without_its_apostrophe(text: str) -> None:
    bare = text.lstrip(" \t\r\n\"'\ufeff\u200b\xa0")
    if bare.startswith(tuple(SIGNS)) or text.startswith(("\t", "\r")):
        assert harmless(text) == "'" + text


@pytest.mark.parametrize(
    "text",
    ["2 + 2", "a=b", "office@organisation.example", "3-5 days", "'90s", "", "Łódź", "#1", "“Quoted” name"],
)
def test_a_text_that_is_no_formula_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_the_names_of_columns_are_no_formulas_either() -> None:
    """An error report has the sender's own; `=key` is a way to write `key`."""
    assert written("csv", ["=key"], []).decode("utf-8-sig") == "'=key\r\n"


# ── there and back ───────────────────────────────────────────────────────────────────────────


@A_FEW
@pytest.mark.parametrize("format", ["csv", "xlsx"])
@given(cells=st.lists(AWKWARD, min_size=1, max_size=5))
def test_any_texts_come_back_from_a_file_as_they_were(format: Format, cells: list[str]) -> None:
    content = written(format, ["key", *"abcde"], [["R1", *cells, "end"]])
    assert read(content) == (["key", *"abcde"], [["R1", *(_kept(cell, format) for cell in cells), "end"]])
    if format == "csv":
        with io.StringIO(content.decode("utf-8-sig"), newline="") as file:
            for cell in [cell for row in csv.reader(file) for cell in row]:
                assert not cell.startswith((*SIGNS, "\t", "\r"))
    else:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert b"<f" not in archive.read("xl/worksheets/sheet1.xml")


def _kept(cell: str, format: Format) -> str | None:
    # Of a workbook, cells in which nothing is seen are empty.
    return cell if format == "csv" or cell.strip() else None


def _optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


LINES = AWKWARD.map(lambda text: " ".join(("".join(filter(str.isprintable, text)) + "a").split()))
TOPICS = LINES.map(str.lower).filter(lambda text: 2 <= len(text) <= 60)
FILLED = AWKWARD.map(lambda text: "".join(filter(str.isprintable, text)) + "a")
REFERENCES = FILLED.map(str.strip).filter(lambda text: 0 < len(text) <= 200)


@st.composite
def submissions(draw: st.DrawFn) -> Submission:
    """Any submission there can be: awkward texts in all free fields."""
    sent = a_submission(
        roles=draw(st.lists(st.sampled_from(list(Role)), min_size=1, unique=True)),
        goals=draw(st.lists(st.sampled_from(list(Goal)), min_size=1, unique=True)),
        ecosystems=draw(st.lists(st.sampled_from(list(Ecosystem)), min_size=1, unique=True)),
        motivation=draw(AWKWARD),
        offers=draw(st.lists(TOPICS, max_size=4, unique_by=str.casefold)),
        needs=draw(st.lists(TOPICS, max_size=4, unique_by=str.casefold)),
        host_places=draw(st.integers(1, 100)),
        preferences={
            "countries": draw(st.lists(st.sampled_from(sorted(COUNTRIES)), max_size=4, unique=True)),
            "working_days": draw(_optional(st.integers(3, 23))),
        },
        pre_agreed=[
            {"reference": reference, "first_day": "2027-01-11", "last_day": "2027-01-15"}
            for reference in draw(st.lists(REFERENCES, max_size=2, unique=True))
        ],
    )
    place = draw(_optional(st.tuples(st.floats(-90, 90), st.floats(-180, 180))))
    sent["organisation"] |= {
        "name": draw(LINES),
        "kind": draw(st.sampled_from(list(OrganisationKind))),
        "city": draw(LINES),
        "street": draw(_optional(FILLED)),
        "lat": place and place[0],
        "lon": place and place[1],
        "memberships": [
            {
                "name": name,
                "kind": draw(st.sampled_from(["cluster", "business_network"])),
                "on_eccp": draw(st.booleans()),
            }
            for name in draw(st.lists(LINES, max_size=3, unique_by=str.casefold))
        ],
    }
    sent["participant"] |= {
        "third_country_national": draw(st.booleans()),
        "residence_days": draw(_optional(st.integers(0, 36500))),
    }
    try:
        return Submission.model_validate(sent)
    except ValidationError:  # texts of which something more is asked than their length
        reject()


@A_FEW
@pytest.mark.parametrize("format", ["csv", "xlsx"])
@given(submission=submissions())
def test_any_submission_comes_back_from_a_spreadsheet_as_it_was(
    format: Format, submission: Submission
) -> None:
    header = ["key", *(column.name for column in OF_SUBMISSION)]
    header, [cells] = read(written(format, header, [["R1", *row_of(submission).values()]]))
    said = Layout(header).understand(cells)
    assert said.submission == submission, said.faults


async def test_a_workbook_nobody_waited_for_leaves_nothing_on_the_disk() -> None:
    async def gone() -> AsyncIterator[list[Row]]:
        yield [["R1"]]
        raise ConnectionError

    before = list(ALL_TEMP_FILES)
    with pytest.raises(ConnectionError):
        async for _ in write("xlsx", ["key"], gone()):
            pass
    assert before == ALL_TEMP_FILES


# ── anything at all ──────────────────────────────────────────────────────────────────────────


def take(content: bytes) -> None:
    """What an import does with a file: rows understood, or a sentence, and nothing else."""
    try:
        header, rows = read(content)
        layout = Layout([str(title) for title in header])
    except Unreadable as refused:
        sentence = str(refused)
        rows = []
    else:
        sentence = "Rows."
    assert sentence.endswith((".", "?")), sentence
    for cells in rows:
        said = layout.understand(cells)
        assert (said.submission is None) == bool(said.faults)


@A_FEW
@given(st.binary(max_size=400))
@example(b"key\n\x00\n")
@example(b'"')
@example(b"sep=;")
@example(b"PK\x03\x04")
def test_any_bytes_are_rows_or_a_sentence(content: bytes) -> None:
    take(content)


@A_FEW
@given(st.binary(max_size=100), st.sampled_from(["utf-8", "utf-16", "cp1252"]), st.lists(AWKWARD, max_size=8))
def test_any_bytes_beneath_a_good_header_are_rows_or_a_sentence(
    content: bytes, encoding: str, cells: list[str]
) -> None:
    header = ",".join(a_row()).encode(encoding)
    take(header + "\r\n".encode(encoding)[-4:] + content)
    take(header + b"\n" + ",".join(cells).encode(encoding, "replace"))


@A_FEW
@given(st.data())
def test_any_cells_beneath_a_good_header_are_understood_or_explained(data: st.DataObject) -> None:
    row = a_row()
    anything = st.one_of(
        AWKWARD, st.none(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.datetimes()
    )
    for name in data.draw(st.lists(st.sampled_from(list(row)), max_size=6)):
        row[name] = data.draw(anything)
    said = Layout(list(row)).understand(list(row.values()))
    assert (said.submission is None) == bool(said.faults)


ROW = a_row(host_places=3, lat=38.7, lon=-9.1)
WORKBOOKS = [
    a_workbook(list(ROW), list(ROW.values())),
    as_excel_saves_it(a_workbook(list(ROW), list(ROW.values()))),
]


@A_FEW
@given(
    workbook=st.sampled_from(WORKBOOKS),
    cut=st.none() | st.floats(0, 1),
    bent=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
)
def test_a_workbook_that_is_torn_or_bent_is_rows_or_a_sentence(
    workbook: bytes, cut: float | None, bent: list[tuple[float, int]]
) -> None:
    content = bytearray(workbook[: int(len(workbook) * cut)] if cut is not None else workbook)
    for where, byte in bent:
        if content:
            content[int(len(content) * where)] = byte
    take(bytes(content))


PARTS = [
    *("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml", "xl/styles.xml"),
    *("xl/_rels/workbook.xml.rels", "[Content_Types].xml"),
]


@A_FEW
@given(
    part=st.sampled_from(PARTS),
    at=st.floats(0, 1),
    length=st.integers(0, 40),
    instead=st.sampled_from(
        ["", "<", ">", '"', "9" * 30, "-1", "<row>", "<c r='A1'>", "</row>", "&lt;", "A", "s", "nan", "1e999"]
    ),
)
def test_a_workbook_with_a_wrong_part_is_rows_or_a_sentence(
    part: str, at: float, length: int, instead: str
) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(WORKBOOKS[1])) as before, zipfile.ZipFile(out, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == part:
                start = int(len(content) * at)
                content = content[:start] + instead.encode() + content[start + length :]
            after.writestr(name, content)
    take(out.getvalue())
