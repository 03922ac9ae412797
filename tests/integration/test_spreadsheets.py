"""Spreadsheets in and out, on the real API and database: taken once, reported, refused, fetched again."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.registration.domain.registration import Registration
from services.registration.domain.spreadsheet_import import ImportedRows, SpreadsheetImport
from services.registration.importer import BUCKET, Importer, let_go_of_imports
from services.registration.spreadsheets.columns import Layout, Said
from services.registration.spreadsheets.reading import open_table
from services.registration.use_cases import import_rows
from shared.contracts.envelope import parse
from shared.jobs import Interrupted
from shared.messaging.outbox import unpack
from shared.storage.store import OUTBOX
from tests.builders import a_submission
from tests.integration.apis import (
    AUDITOR,
    EXTERNAL,
    NOBODY,
    OTHER_STAFF,
    STAFF,
    SUPPORT_OFFICE,
    WOOL_STAFF,
    Api,
    As,
    Issuer,
    participant,
    pointers,
    problem,
    running_api,
)
from tests.unit.registration.spreadsheets import a_csv, a_row, a_workbook

pytestmark = pytest.mark.integration

Row = dict[str, str]


@pytest.fixture
async def api(mongo_url: str, issuer: Issuer, unique: Callable[[str], str]) -> AsyncIterator[Api]:
    """The API on a database of this test alone."""
    async with running_api("registration", mongo_url, issuer, unique("test-spreadsheets")) as own:
        yield own


async def send(api: Api, content: bytes, caller: As = STAFF, *, name: str = "a.csv", **fields: str) -> Any:
    """Send the file and have it taken; the import as it is then."""
    sent = await api.call("POST", "/imports", caller, files={"file": (name, content)}, data=fields)
    assert sent.status_code == 202, sent.text
    assert sent.json()["state"] == "waiting"
    await take_all(api)
    return (await api.get(sent.headers["location"], caller)).json()


async def take_all(api: Api) -> None:
    """What the worker's companion does with all that waits."""
    importer = Importer(api.root, asyncio.Event())
    while await importer.take_next():
        pass
    await importer.lease.let_go()


async def fetch(api: Api, path: str, caller: As = STAFF, **params: Any) -> list[Row]:
    """The rows of a CSV file the API gives."""
    answer = await api.get(path, caller, **params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def counts(taken: Any) -> dict[str, int]:
    return {name: taken[name] for name in ("submitted", "amended", "unchanged", "faulty") if taken[name]}


async def events_of(api: Api) -> Counter[tuple[str, str]]:
    """How many events of each type there are about each registration."""
    rows = await api.root.database[OUTBOX].find().to_list(None)
    envelopes = [parse(message.value) for row in rows for message in unpack(row)]
    return Counter((str(envelope.subject), envelope.type) for envelope in envelopes)


# ── rows ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_row_is_submitted_once_amended_when_it_says_something_else_and_else_left_alone(
    api: Api,
) -> None:
    first = await send(api, a_csv(a_row(key) for key in ("R1", "R2", "R3")))
    assert (first["state"], first["rows"], first["rows_read"]) == ("done", 3, 3)
    assert counts(first) == {"submitted": 3}
    assert first["verdicts"] == {"eligible": 3}
    published = await events_of(api)

    again = await send(api, a_csv(a_row(key) for key in ("R1", "R2", "R3")))
    assert counts(again) == {"unchanged": 3}
    assert await events_of(api) == published, "nothing was said of what did not change"

    changed = await send(api, a_csv([a_row("R2", city="Porto"), a_row("R1"), a_row("R4")]))
    assert counts(changed) == {"submitted": 1, "amended": 1, "unchanged": 1}
    [amended] = [row for row in await fetch(api, f"/imports/{changed['id']}/rows.csv") if row["key"] == "R2"]
    assert (amended["row"], amended["outcome"], amended["verdict"]) == ("2", "amended", "eligible")
    shown = (await api.get(f"/registrations/{amended['id']}", STAFF)).json()
    assert (shown["submission"]["organisation"]["city"], shown["reference"]) == ("Porto", "R2")


async def test_the_same_rows_as_a_workbook_are_the_same(api: Api) -> None:
    row = a_row("R1", pic=900000001)
    assert counts(await send(api, a_csv([row]))) == {"submitted": 1}
    as_workbook = await send(api, a_workbook(list(row), list(row.values())), name="a.xlsx")
    assert (as_workbook["format"], counts(as_workbook)) == ("xlsx", {"unchanged": 1})


async def test_faulty_rows_come_back_in_the_senders_columns_and_complete_the_import_once_corrected(
    api: Api,
) -> None:
    rows = [
        a_row("R1"),
        a_row("R2", country="Portugal", city=""),
        a_row("R1"),
        a_row("R3", motivation="=1+1"),
    ]
    taken = await send(api, a_csv(rows, delimiter=";"))
    assert counts(taken) == {"submitted": 2, "faulty": 2}
    faulty = await fetch(api, f"/imports/{taken['id']}/errors.csv")
    assert list(faulty[0]) == ["row", "error", *rows[0]]
    assert [(row["row"], row["key"]) for row in faulty] == [("3", "R2"), ("4", "R1")]
    country, city = faulty[0]["error"].splitlines()
    assert country.startswith("country: 'PORTUGAL' is not a country; give its two-letter ISO 3166 code")
    assert city.startswith("city: is empty.")
    assert "row 2 has the same key 'R1'" in faulty[1]["error"]

    corrected: list[dict[str, Any]] = [
        {**faulty[0], "country": "PT", "city": "Lisbon"},
        {**faulty[1], "key": "R4"},
    ]
    again = await send(api, a_csv(corrected))
    assert counts(again) == {"submitted": 2}
    assert await fetch(api, f"/imports/{again['id']}/errors.csv") == []
    assert counts(await send(api, a_csv([*rows[:1], *rows[3:]]))) == {"unchanged": 2}


async def test_a_report_of_what_is_still_wrong_has_its_columns_once(api: Api) -> None:
    taken = await send(api, a_csv([a_row("R1", city="")]))
    [faulty] = await fetch(api, f"/imports/{taken['id']}/errors.csv")
    again = await send(api, a_csv([faulty]))
    [still] = await fetch(api, f"/imports/{again['id']}/errors.csv")
    assert list(still) == list(faulty)
    assert (still["row"], still["error"]) == ("2", faulty["error"])


async def test_a_rule_that_forbids_one_row_is_that_rows_error_and_no_others(api: Api) -> None:
    await send(api, a_csv([a_row("R1"), a_row("R2")]))
    lines = (await api.get("/registrations", STAFF)).json()["items"]
    withdrawn = next(line["id"] for line in lines if line["reference"] == "R1")
    assert (await api.post(f"/registrations/{withdrawn}/withdraw", STAFF)).status_code == 200
    rows = [
        a_row("R1", city="Porto"),
        a_row("R2", city="Porto"),
        a_row("R3", partnership="nobodys-club"),
        a_row("R4", pre_agreed="R2 | 2027-02-08/2027-02-12"),
    ]
    taken = await send(api, a_csv(rows))
    assert counts(taken) == {"submitted": 1, "amended": 1, "faulty": 2}
    [of_withdrawn, of_nobody] = await fetch(api, f"/imports/{taken['id']}/errors.csv")
    assert "is withdrawn and cannot be amended" in of_withdrawn["error"]
    assert "There is no partnership 'nobodys-club'" in of_nobody["error"]


async def test_a_dry_run_says_what_would_be_and_leaves_everything_as_it_is(api: Api) -> None:
    await send(api, a_csv([a_row("R1"), a_row("R2")]))
    before = await api.stored()
    rows = [a_row("R1"), a_row("R2", city="Porto"), a_row("R3", country="NO"), a_row("R4", kind="x")]
    dry = await send(api, a_csv(rows), dry_run="true")
    assert (dry["dry_run"], dry["state"]) == (True, "done")
    assert counts(dry) == {"submitted": 1, "amended": 1, "unchanged": 1, "faulty": 1}
    assert dry["verdicts"] == {"eligible": 2, "ineligible": 1}
    by_key = {row["key"]: row for row in await fetch(api, f"/imports/{dry['id']}/rows.csv")}
    assert (by_key["R3"]["outcome"], by_key["R3"]["verdict"]) == ("submitted", "ineligible")
    assert "Norway" in by_key["R3"]["why"]
    after = await api.stored()
    for collection in ("registrations", OUTBOX):
        assert after[collection] == before[collection], collection
    wet = await send(api, a_csv(rows))
    assert (counts(wet), wet["verdicts"]) == (counts(dry), dry["verdicts"])


async def test_keys_are_a_partnerships_whoever_sends_them_and_nobody_elses(api: Api) -> None:
    colleague = As("staff", partnership="hempclub", subject="colleague")
    await send(api, a_csv([a_row("R1")]))
    assert counts(await send(api, a_csv([a_row("R1")]), colleague)) == {"unchanged": 1}
    named_alike = As("external", subject="hempclub")
    for other in (WOOL_STAFF, EXTERNAL, named_alike):
        assert counts(await send(api, a_csv([a_row("R1")]), other)) == {"submitted": 1}
    sources = await api.root.database[Registration.COLLECTION].distinct("origin.source")
    assert sorted(sources) == [
        "/cxc/import/partnership/hempclub",
        "/cxc/import/partnership/woolclub",
        "/cxc/import/system/%2Fsample%2Fcrm",
        "/cxc/import/system/hempclub",
    ]


async def test_a_file_is_taken_in_parts_and_each_event_carries_the_imports_id(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registration.importer.ROWS_AT_ONCE", 4)
    rows = [a_row(f"R{number}", city="" if number % 3 else "Porto") for number in range(11)]
    taken = await send(api, a_csv(rows))
    assert counts(taken) == {"submitted": 4, "faulty": 7}
    assert await api.root.database[ImportedRows.COLLECTION].count_documents({}) == 3
    told = await fetch(api, f"/imports/{taken['id']}/rows.csv")
    assert [row["key"] for row in told] == [row["key"] for row in rows]
    stored = await api.root.database[OUTBOX].find().to_list(None)
    correlated = {parse(message.value).correlationid for row in stored for message in unpack(row)}
    assert correlated == {taken["id"]}


async def test_a_row_that_cannot_be_stored_holds_up_no_other(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = import_rows._register

    async def stumble(uow: Any, spreadsheet: Any, key: str, submission: Any) -> Any:
        outcome = await register(uow, spreadsheet, key, submission)
        if key == "R5":
            raise RuntimeError("half way")
        return outcome

    monkeypatch.setattr(import_rows, "_register", stumble)
    taken = await send(api, a_csv(a_row(f"R{number}") for number in range(9)))
    assert counts(taken) == {"submitted": 8, "faulty": 1}
    [faulty] = await fetch(api, f"/imports/{taken['id']}/errors.csv")
    assert faulty["key"] == "R5"
    assert "an error of ours" in faulty["error"]
    assert sum((await events_of(api)).values()) == 16, "screened and accepted, each once"


async def test_an_error_of_ours_ends_one_row_or_one_import_and_the_next_goes_on(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    understand = Layout.understand

    def stumble(layout: Layout, cells: Any) -> Said:
        if layout.key_of(cells) == "R2":
            raise RuntimeError("not foreseen")
        return understand(layout, cells)

    monkeypatch.setattr(Layout, "understand", stumble)
    taken = await send(api, a_csv(a_row(f"R{number}") for number in range(4)))
    assert counts(taken) == {"submitted": 3, "faulty": 1}
    monkeypatch.undo()

    def fail(header: Any) -> None:
        raise RuntimeError("not foreseen")

    monkeypatch.setattr("services.registration.importer.Layout", fail)
    ended = await send(api, a_csv([a_row("R1")]))
    assert ended["state"] == "refused"
    assert "an error of ours" in ended["refusal"]
    monkeypatch.undo()
    assert counts(await send(api, a_csv([a_row("R2")]))) == {"submitted": 1}


# ── files ────────────────────────────────────────────────────────────────────────────────────


async def test_the_filled_in_template_is_taken_with_its_explanations_left_in(api: Api) -> None:
    for format in ("csv", "xlsx"):
        template = await api.get(f"/imports/template.{format}", STAFF)
        assert f'filename="template.{format}"' in template.headers["content-disposition"]
        header, explanations = _rows_of(template.content)
        row = {**dict.fromkeys(header, ""), **a_row("R1")}
        filled = a_workbook(header, explanations, [row[name] for name in header])
        taken = await send(api, filled, name="filled.xlsx")
        assert (taken["rows"], taken["faulty"]) == (1, 0), taken


def _rows_of(content: bytes) -> list[list[Any]]:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"cxc-test-{os.getpid()}"
    try:
        path.write_bytes(content)
        table = open_table(path)
        return [table.header, *(cells for _, cells in table.rows)]
    finally:
        path.unlink()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"key;organisation;town\nR1;A;B\n", "column 'town' is not known"),
        (b"R1;Fibra Verde;sme\n", "names of the columns"),
        (",".join(a_row()).encode(), "no rows beneath"),
        (a_workbook(["key"])[:900], "damaged or not complete"),
    ],
)
async def test_a_file_that_cannot_be_taken_is_refused_as_a_whole(api: Api, content: bytes, says: str) -> None:
    refused = await send(api, content)
    assert refused["state"] == "refused"
    assert says in refused["refusal"]
    assert (refused["rows_read"], refused["finished_at"] is None) == (0, False)
    body = problem(await api.get(f"/imports/{refused['id']}/errors.csv", STAFF), 409, "import-not-done")
    assert says in body["detail"]


@pytest.mark.parametrize(
    ("request_", "pointer", "says"),
    [
        ({"files": {"file": ("a.csv", b"")}}, "/file", "The file is empty"),
        ({"files": {"file": ("a.pdf", b"%PDF-1.7")}}, "/file", "a PDF"),
        ({"files": {"file": ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")}}, "/file", "old Excel workbook"),
        ({"files": {"other": ("a.csv", b"key")}}, "/other", "is not a field"),
        ({"data": {"file": "key"}}, "/file", "is missing"),
        ({"json": {"file": "key"}}, "/file", "is missing"),
        ({"files": {"file": ("a.csv", b"key")}, "data": {"dry_run": "perhaps"}}, "/dry_run", "true or false"),
        (
            {"content": b"--x\r\nnonsense", "headers": {"content-type": "multipart/form-data; boundary=x"}},
            "/file",
            "is missing",
        ),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, "", "multipart/form-data"),
    ],
)
async def test_what_is_no_file_at_all_is_malformed(
    api: Api, request_: dict[str, Any], pointer: str, says: str
) -> None:
    body = problem(await api.call("POST", "/imports", STAFF, **request_), 422, "malformed")
    assert pointers(body) == [pointer]
    assert says in body["detail"]
    assert await api.root.database[SpreadsheetImport.COLLECTION].count_documents({}) == 0


async def test_a_file_over_the_limit_is_refused_unread(api: Api) -> None:
    limit = api.root.settings.import_max_bytes
    large = await api.call("POST", "/imports", STAFF, files={"file": ("a.csv", b"x" * (limit + 1))})
    problem(large, 413, "too-large")
    assert await api.root.database[f"{BUCKET}.files"].count_documents({}) == 0


async def test_more_rows_than_are_taken_are_refused_before_any_is(
    mongo_url: str, issuer: Issuer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.root.settings, "import_max_rows", 2)
    refused = await send(api, a_csv(a_row(f"R{number}") for number in range(3)))
    assert (refused["state"], refused["submitted"]) == ("refused", 0)
    assert "more than 2 rows" in refused["refusal"]


async def test_how_a_file_was_read_is_noted(api: Api) -> None:
    taken = await send(api, a_csv([a_row("R1", city="Köln")]).decode().encode("cp1252"))
    assert "Windows-1252" in taken["notes"][0]


# ── who ──────────────────────────────────────────────────────────────────────────────────────


async def test_only_staff_and_external_systems_send_files_and_each_sees_its_own(api: Api) -> None:
    files = {"file": ("a.csv", a_csv([a_row("R1")]))}
    problem(await api.call("POST", "/imports", NOBODY, files=files), 401, "unauthenticated")
    for caller in (participant("tagus-fibre"), AUDITOR, SUPPORT_OFFICE):
        problem(await api.call("POST", "/imports", caller, files=files), 403, "forbidden")
    of_staff = await send(api, files["file"][1])
    of_system = await send(api, files["file"][1], EXTERNAL)
    seen: list[tuple[As, list[str]]] = [
        (STAFF, [of_staff["id"]]),
        (EXTERNAL, [of_system["id"]]),
        (OTHER_STAFF, []),
        (As("external", subject="hempclub"), []),
        (participant("tagus-fibre"), []),
        (AUDITOR, [of_system["id"], of_staff["id"]]),
    ]
    for caller, expected in seen:
        listed = (await api.get("/imports", caller)).json()
        assert [one["id"] for one in listed["items"]] == expected, caller
        for path in ("", "/errors.csv", "/rows.xlsx"):
            answer = await api.get(f"/imports/{of_staff['id']}{path}", caller)
            assert answer.status_code == (200 if of_staff["id"] in expected else 404), (caller, path)
    page = (await api.get("/imports", AUDITOR, limit=1)).json()
    assert (page["items"][0]["id"], page["next"]) == (of_system["id"], of_system["id"])
    rest = (await api.get("/imports", AUDITOR, limit=1, after=page["next"])).json()
    assert [one["id"] for one in rest["items"]] == [of_staff["id"]]


async def test_who_sent_which_file_is_in_the_audit_trail(api: Api) -> None:
    taken = await send(api, a_csv([a_row("R1")]), name="hosts of May.csv")
    await fetch(api, "/registrations.csv", state="accepted")
    export, sent = (await api.get("/audit", STAFF)).json()["items"]
    assert (sent["action"], sent["after"]["import"]) == ("import", taken["id"])
    assert sent["after"]["file"] == "hosts of May.csv"
    assert (export["action"], export["after"]["filter"]) == ("export", {"state": ["accepted"]})


async def test_no_sender_can_fill_the_queue(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.registration.use_cases.request_import.MAX_UNFINISHED", 2)
    files = {"file": ("a.csv", b"key\nR1\n")}
    for _ in range(2):
        assert (await api.call("POST", "/imports", STAFF, files=files)).status_code == 202
    problem(await api.call("POST", "/imports", STAFF, files=files), 409, "too-many-imports")
    assert (await api.call("POST", "/imports", EXTERNAL, files=files)).status_code == 202
    await take_all(api)
    assert (await api.call("POST", "/imports", STAFF, files=files)).status_code == 202


async def test_files_and_old_imports_are_let_go_of(api: Api) -> None:
    taken = await send(api, a_csv([a_row("R1")]))
    waiting = (await api.call("POST", "/imports", STAFF, files={"file": ("a.csv", b"key\n")})).json()
    database = api.root.database
    assert await database[f"{BUCKET}.files"].distinct("_id") == [
        (await database[SpreadsheetImport.COLLECTION].find_one({"_id": waiting["id"]}))["file"]
    ]
    await let_go_of_imports(api.root, api.root.clock())
    assert (await api.get(f"/imports/{taken['id']}", STAFF)).status_code == 200
    await let_go_of_imports(api.root, api.root.clock() + timedelta(days=31))
    assert (await api.get(f"/imports/{taken['id']}", STAFF)).status_code == 404
    assert await database[ImportedRows.COLLECTION].count_documents({}) == 0
    assert await database[f"{BUCKET}.files"].count_documents({}) == 1, "one import still waits for its file"
    assert await database[Registration.COLLECTION].count_documents({}) == 1


async def test_an_erasure_empties_the_rows_of_its_registration_and_no_others(api: Api) -> None:
    wrong = [a_row("R1", kind="x"), a_row("R2", kind="x")]
    faulty = await send(api, a_csv(wrong))
    taken = await send(api, a_csv([a_row("R1"), a_row("R2")]))
    [erased, other] = await fetch(api, f"/imports/{taken['id']}/rows.csv")
    answer = await api.post(f"/registrations/{erased['id']}/erase", STAFF, {"reason": "asked by mail"})
    assert answer.status_code == 200, answer.text
    of_erased, of_other = await fetch(api, f"/imports/{faulty['id']}/errors.csv")
    assert "tagus" not in "".join(of_erased.values()).lower()
    assert of_other["organisation"] == "Tagus Fibre Works (sample)"
    assert [row["why"] == "" for row in await fetch(api, f"/imports/{taken['id']}/rows.csv")] == [True, False]
    again = await send(api, a_csv([a_row("R1"), a_row("R2")]))
    assert counts(again) == {"unchanged": 1, "faulty": 1}
    assert other["key"] == "R2"


# ── out and in again ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("format", ["csv", "xlsx"])
async def test_an_export_can_be_edited_and_imported_again(api: Api, format: str) -> None:
    await send(api, a_csv([a_row("R1", motivation="- first\n- second"), a_row("R2")]))
    by_hand = (await api.post("/registrations", STAFF, a_submission())).json()
    answer = await api.get(f"/registrations.{format}", STAFF, sort="submitted_at")
    header, *rows = _rows_of(answer.content)
    by_key = {str(row[0]): dict(zip(header, [*row, *[None] * len(header)], strict=False)) for row in rows}
    assert by_key.keys() == {"R1", "R2", by_hand["id"]}
    assert by_key["R1"]["motivation"] == "- first\n- second"
    assert (by_key["R2"]["state"], by_key["R2"]["verdict"]) == ("accepted", "eligible")

    untouched = await send(api, answer.content)
    assert counts(untouched) == {"unchanged": 3}
    by_key["R2"]["city"] = by_key[by_hand["id"]]["city"] = "Porto"
    edited = await send(api, a_csv(by_key.values()))
    assert counts(edited) == {"unchanged": 1, "amended": 2}
    shown = (await api.get(f"/registrations/{by_hand['id']}", STAFF)).json()
    assert shown["submission"]["organisation"]["city"] == "Porto"
    assert await api.root.database[Registration.COLLECTION].count_documents({}) == 3


async def test_the_id_of_a_registration_one_may_not_see_is_no_key_to_it(api: Api) -> None:
    others = (await api.post("/registrations", WOOL_STAFF, a_submission(partnership="woolclub"))).json()
    taken = await send(api, a_csv([a_row(others["id"], city="Porto")]))
    assert counts(taken) == {"submitted": 1}
    [row] = await fetch(api, f"/imports/{taken['id']}/rows.csv")
    assert row["id"] != others["id"]
    shown = (await api.get(f"/registrations/{others['id']}", WOOL_STAFF)).json()
    assert shown["submission"]["organisation"]["city"] == "Lisbon"


async def test_an_export_holds_what_the_caller_may_see_and_the_filter_leaves(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registration.routes.exports.READ_AT_ONCE", 2)
    await send(api, a_csv([*(a_row(f"R{number}") for number in range(5)), a_row("N1", country="NO")]))
    await send(api, a_csv([a_row("W1", partnership="woolclub")]), WOOL_STAFF)
    assert len(await fetch(api, "/registrations.csv")) == 6
    assert len(await fetch(api, "/registrations.csv", AUDITOR)) == 7
    assert [row["key"] for row in await fetch(api, "/registrations.csv", WOOL_STAFF)] == ["W1"]
    assert await fetch(api, "/registrations.csv", OTHER_STAFF) == []
    assert [row["key"] for row in await fetch(api, "/registrations.csv", verdict="ineligible")] == ["N1"]
    assert len(await fetch(api, "/registrations.csv", country="PT", role="visitor")) == 5
    problem(await api.get("/registrations.csv", STAFF, colour="red"), 422, "malformed")
    problem(await api.get("/registrations.ods", STAFF), 422, "malformed")
    problem(await api.get("/registrations.csv", NOBODY), 401, "unauthenticated")


async def test_no_cell_of_an_export_is_a_formula(api: Api) -> None:
    submission = a_submission(motivation='=HYPERLINK("https://attacker.example";"Open")')
    submission["organisation"] |= {"name": "@SUM(1+1)*cmd|' /C calc'!A0", "street": "+1"}
    await api.post("/registrations", STAFF, submission)
    [row] = await fetch(api, "/registrations.csv")
    assert row["organisation"].startswith("'@")
    assert row["motivation"].startswith("'=")
    assert row["street"] == "'+1"
    assert counts(await send(api, (await api.get("/registrations.csv", STAFF)).content)) == {"unchanged": 1}


# ── killed ───────────────────────────────────────────────────────────────────────────────────

_WORKER = """
import asyncio, sys
from pathlib import Path
from tests.integration.apis import settings_of
import services.registration.importer as importer
from services.registration.bootstrap import bootstrap

importer.ROWS_AT_ONCE = 20

async def main():
    registering = await bootstrap(settings_of("registration", sys.argv[1]), database=sys.argv[2])
    await importer.import_spreadsheets(registering, asyncio.Event())

asyncio.run(main())
"""


async def test_a_worker_killed_in_the_middle_again_and_again_leaves_each_row_done_exactly_once(
    api: Api, mongo_url: str
) -> None:
    rows = 600
    content = a_csv(a_row(f"R{number}", city="" if number % 50 == 7 else "Porto") for number in range(rows))
    sent = (await api.call("POST", "/imports", STAFF, files={"file": ("a.csv", content)})).json()
    database = api.root.database

    async def done() -> int:
        found: Any = (await api.get(f"/imports/{sent['id']}", STAFF)).json()
        return int(found["rows_read"])

    kills, reached = 0, 0
    async with asyncio.timeout(150):
        while reached < rows:
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _WORKER, mongo_url, database.name),
                cwd=Path(__file__).parents[2],
            )
            try:
                target = min(rows, reached + 150)
                while (reached := await done()) < target:
                    assert worker.returncode is None
                    await asyncio.sleep(0.01)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    worker.send_signal(signal.SIGKILL)
                await worker.wait()
                kills += 1
            # As after its ten seconds: the next worker need not wait for them here.
            await database["leases"].delete_one({"_id": "imports"})
    assert kills >= 3
    finished = (await api.get(f"/imports/{sent['id']}", STAFF)).json()
    assert (finished["state"], counts(finished)) == ("done", {"submitted": 588, "faulty": 12})
    assert await database[Registration.COLLECTION].count_documents({}) == 588
    events = await events_of(api)
    assert set(events.values()) == {1}
    assert len(events) == 2 * 588, "screened and accepted"
    told = [row["key"] for row in await fetch(api, f"/imports/{sent['id']}/rows.csv")]
    assert told == [f"R{number}" for number in range(rows)]
    assert len(await fetch(api, f"/imports/{sent['id']}/errors.csv")) == 12
    assert counts(await send(api, content)) == {"unchanged": 588, "faulty": 12}


async def test_two_workers_at_once_do_each_row_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both believe that they hold the lease, as one that was frozen for long does."""
    monkeypatch.setattr("services.registration.importer.ROWS_AT_ONCE", 10)

    async def always(self: object) -> bool:
        return True

    monkeypatch.setattr("shared.storage.lease.Lease.hold", always)
    content = a_csv(a_row(f"R{number}") for number in range(120))
    sent = (await api.call("POST", "/imports", STAFF, files={"file": ("a.csv", content)})).json()
    await asyncio.gather(take_all(api), take_all(api))
    await take_all(api)
    finished = (await api.get(f"/imports/{sent['id']}", STAFF)).json()
    assert (finished["state"], counts(finished)) == ("done", {"submitted": 120})
    assert set((await events_of(api)).values()) == {1}


async def test_work_goes_to_whoever_has_the_lease(api: Api) -> None:
    first, second = (Importer(api.root, asyncio.Event()) for _ in range(2))
    assert await first.take_next() is False
    with pytest.raises(Interrupted):
        await second.take_next()
    await first.lease.let_go()
    assert await second.take_next() is False
    await second.lease.let_go()
