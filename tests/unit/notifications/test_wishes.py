"""What people wish: when they are told by their own clock, and what the API takes and refuses."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.notifications.domain.time_zones import no_time_zone, time_zones
from services.notifications.domain.wishes import (
    Pace,
    QuietHours,
    Wishes,
    next_moment,
    seat_key,
    zone_of,
)
from services.notifications.repositories import NotificationsUnitOfWork
from shared.security import Caller, CallerRole
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples
from tests.unit.notifications.serving import served

ROME = ZoneInfo("Europe/Rome")
NIGHT = QuietHours(begins=time(22), ends=time(7))


def at(text: str, zone: ZoneInfo = ROME, *, fold: int = 0) -> datetime:
    # In UTC: of a local time that comes twice, Python calls the two neither equal nor different.
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("ready", "pace", "quiet", "due"),
    [
        ("2023-02-13T12:00", Pace.AT_ONCE, None, "2023-02-13T12:00"),
        ("2023-02-13T12:00", Pace.AT_ONCE, NIGHT, "2023-02-13T12:00"),
        ("2023-02-13T23:10", Pace.AT_ONCE, NIGHT, "2023-02-14T07:00"),
        ("2023-02-14T03:10", Pace.AT_ONCE, NIGHT, "2023-02-14T07:00"),
        ("2023-02-14T07:00", Pace.AT_ONCE, NIGHT, "2023-02-14T07:00"),
        ("2023-02-13T12:10", Pace.HOURLY, None, "2023-02-13T13:00"),
        ("2023-02-13T12:00", Pace.HOURLY, None, "2023-02-13T13:00"),
        ("2023-02-13T22:10", Pace.HOURLY, NIGHT, "2023-02-14T07:00"),
        ("2023-02-13T07:59", Pace.DAILY, None, "2023-02-13T08:00"),
        ("2023-02-13T08:00", Pace.DAILY, None, "2023-02-14T08:00"),
        ("2023-02-14T12:00", Pace.WEEKLY, None, "2023-02-20T08:00"),
        ("2023-02-20T07:00", Pace.WEEKLY, None, "2023-02-20T08:00"),
        ("2023-02-13T12:00", Pace.DAILY, QuietHours(begins=time(6), ends=time(9)), "2023-02-14T09:00"),
    ],
)
def test_the_next_moment_by_the_readers_clock(
    ready: str, pace: Pace, quiet: QuietHours | None, due: str
) -> None:
    assert next_moment(at(ready), pace, quiet, ROME) == at(due)


def test_a_digest_stays_at_eight_by_the_clock_when_the_clocks_change() -> None:
    before, after = at("2023-03-25T09:00"), at("2023-03-26T08:00")
    assert next_moment(before, Pace.DAILY, None, ROME) == after
    assert after - before == timedelta(hours=22)


def test_quiet_hours_that_end_in_the_hour_that_is_skipped_end_as_if_it_were_not() -> None:
    quiet = QuietHours(begins=time(22), ends=time(2, 30))
    assert next_moment(at("2023-03-25T23:00"), Pace.AT_ONCE, quiet, ROME) == at("2023-03-26T03:30")


def test_quiet_hours_that_end_in_the_hour_that_comes_twice_end_the_first_time_and_hold_the_second() -> None:
    quiet = QuietHours(begins=time(22), ends=time(2, 30))
    assert next_moment(at("2023-10-28T23:00"), Pace.AT_ONCE, quiet, ROME) == at("2023-10-29T02:30")
    again = at("2023-10-29T02:10", fold=1)
    assert next_moment(again, Pace.AT_ONCE, quiet, ROME) == at("2023-10-29T02:30", fold=1)


CLOCK_CHANGES = st.sampled_from(
    [
        (ZoneInfo("Europe/Rome"), datetime(2023, 3, 26, 1, tzinfo=UTC)),
        (ZoneInfo("Europe/Rome"), datetime(2023, 10, 29, 1, tzinfo=UTC)),
        (ZoneInfo("America/New_York"), datetime(2023, 3, 12, 7, tzinfo=UTC)),
        (ZoneInfo("Australia/Lord_Howe"), datetime(2023, 9, 30, 15, 30, tzinfo=UTC)),  # by half an hour
        (ZoneInfo("Africa/Cairo"), datetime(2023, 4, 27, 22, tzinfo=UTC)),  # at midnight
    ]
)


@given(
    change=CLOCK_CHANGES,
    minutes=st.integers(-2880, 2880),
    begins=st.times().map(lambda time: time.replace(second=0, microsecond=0)),
    ends=st.times().map(lambda time: time.replace(second=0, microsecond=0)),
    pace=st.sampled_from(Pace),
)
def test_nothing_is_due_in_quiet_hours_nor_before_it_is_ready_nor_much_too_late(
    change: tuple[ZoneInfo, datetime], minutes: int, begins: time, ends: time, pace: Pace
) -> None:
    zone, moment = change
    ready = moment + timedelta(minutes=minutes)
    quiet = None if begins == ends else QuietHours(begins=begins, ends=ends)
    due = next_moment(ready, pace, quiet, zone)
    assert due >= ready
    assert quiet is None or not quiet.hold(due.astimezone(zone))
    digest = next_moment(ready, pace, None, zone)
    assert digest <= due <= digest + timedelta(hours=49)
    longest = {Pace.AT_ONCE: 0, Pace.HOURLY: 1, Pace.DAILY: 25, Pace.WEEKLY: 7 * 24 + 1}
    assert digest - ready <= timedelta(hours=longest[pace])
    if pace in (Pace.DAILY, Pace.WEEKLY):
        assert digest.astimezone(zone).time() == time(8)


def test_quiet_hours_that_never_end_are_refused() -> None:
    with pytest.raises(ValidationError, match="begin and end at the same time"):
        QuietHours(begins=time(22), ends=time(22))


@pytest.mark.parametrize("name", ["Europe/Atlantis", "Europe", "", "../etc/passwd", "Europe/\0"])
def test_a_time_zone_that_does_not_exist_is_none(name: str) -> None:
    assert zone_of(name) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Europe/Milano", "Europe/Rome"),
        ("europe/rome", "Europe/Rome"),
        ("Lisboa", "Europe/Lisbon"),
        ("Europe/Berln", "Europe/Berlin"),
        ("the hague", "Europe/Amsterdam"),
    ],
)
def test_who_misspells_a_time_zone_is_asked_whether_another_is_meant(written: str, meant: str) -> None:
    assert no_time_zone(written).endswith(f"did you mean {meant}?")
    assert meant in time_zones()


def test_who_is_far_off_gets_an_example() -> None:
    assert no_time_zone("qqqq").endswith("write one such as Europe/Brussels")


def test_a_seat_is_the_same_however_its_address_is_written() -> None:
    assert seat_key("partnership:x", "A@x.example") == seat_key("partnership:x", "a@X.example")


# ── the API ──────────────────────────────────────────────────────────────────────────────────

PARTICIPANT = Caller("v", CallerRole.PARTICIPANT, organisation="tagus-fibre")
STAFF = Caller("s", CallerRole.STAFF, partnership="sampletex")
OFFICE = Caller("o", CallerRole.SUPPORT_OFFICE)
AUDITOR = Caller("a", CallerRole.AUDITOR)
NIGHTLY = {"begins": "22:00", "ends": "07:00"}
SENT: dict[str, Any] = {
    "version": 0,
    "language": "it",
    "time_zone": "Europe/Rome",
    "quiet": NIGHTLY,
    "kinds": {"matches": {"channels": ["email"], "pace": "daily"}},
}


class Wishing:
    """The API, asked by anyone."""

    def __init__(self) -> None:
        self.transactions: MemoryTransactions[NotificationsUnitOfWork] = MemoryTransactions(samples.open_unit)

    async def ask(self, method: str, path: str, caller: Caller, sent: Any = None) -> httpx.Response:
        async with served(self.transactions, as_=caller) as http:
            return await http.request(method, path, json=sent)


@pytest.fixture
def wishing() -> Wishing:
    return Wishing()


async def test_without_wishes_everything_is_told_at_once(wishing: Wishing) -> None:
    found = (await wishing.ask("GET", "/wishes", PARTICIPANT)).json()
    assert (found["person"], found["version"], found["origin"]) == ("organisation:tagus-fibre", 0, "none")
    assert {kind["kind"] for kind in found["kinds"]} == set(samples.RULES.kinds)
    assert {kind["pace"] for kind in found["kinds"]} == {"at_once"}


async def test_wishes_are_read_back_and_are_ones_own(wishing: Wishing) -> None:
    written = await wishing.ask("PUT", "/wishes", PARTICIPANT, SENT)
    assert written.status_code == 200
    found = (await wishing.ask("GET", "/wishes", PARTICIPANT)).json()
    assert found == written.json()
    assert (found["version"], found["origin"], found["language"]) == (1, "own", "it")
    [matches] = [kind for kind in found["kinds"] if kind["kind"] == "matches"]
    assert (matches["channels"], matches["pace"]) == (["email"], "daily")
    other = Caller("x", CallerRole.PARTICIPANT, organisation="another")
    assert (await wishing.ask("GET", "/wishes", other)).json()["origin"] == "none"
    assert (await wishing.ask("DELETE", "/wishes", PARTICIPANT)).status_code == 204
    assert (await wishing.ask("GET", "/wishes", PARTICIPANT)).json()["origin"] == "none"
    assert (await wishing.ask("DELETE", "/wishes", PARTICIPANT)).status_code == 404


async def test_whoever_saw_an_earlier_version_does_not_overwrite_a_later_one(wishing: Wishing) -> None:
    await wishing.ask("PUT", "/wishes", PARTICIPANT, SENT)
    late = await wishing.ask("PUT", "/wishes", PARTICIPANT, SENT)
    assert late.status_code == 409
    assert late.json()["type"].endswith("/wishes-changed")
    assert "at version 1" in late.json()["detail"]
    assert (await wishing.ask("PUT", "/wishes", PARTICIPANT, {**SENT, "version": 1})).json()["version"] == 2


async def test_a_seat_has_the_desks_wishes_until_it_has_its_own(wishing: Wishing) -> None:
    await wishing.ask("PUT", "/wishes", STAFF, SENT)
    first, second = (await wishing.ask("GET", "/wishes/seats", STAFF)).json()
    assert [first["address"], second["address"]] == ["staff@sampletex.example", "deputy@sampletex.example"]
    assert first["origin"] == second["origin"] == "desk"
    path = f"/wishes/seats/{second['seat']}"
    before = (await wishing.ask("GET", path, STAFF)).json()
    assert (before["version"], before["origin"], before["language"]) == (0, "desk", "it")
    own = (await wishing.ask("PUT", path, STAFF, {**SENT, "language": "fr"})).json()
    assert own["person"] == seat_key("partnership:sampletex", "deputy@sampletex.example")
    assert (await wishing.ask("GET", path, STAFF)).json() == own
    assert (await wishing.ask("GET", "/wishes", STAFF)).json()["language"] == "it"
    assert (await wishing.ask("DELETE", path, STAFF)).status_code == 204
    assert (await wishing.ask("GET", path, STAFF)).json()["origin"] == "desk"
    missing = await wishing.ask("GET", "/wishes/seats/0000000000000000", STAFF)
    assert missing.status_code == 404


async def test_the_support_office_has_a_desk_and_an_auditor_none(wishing: Wishing) -> None:
    assert (await wishing.ask("GET", "/wishes", OFFICE)).json()["person"] == "partnership:support_office"
    assert (await wishing.ask("GET", "/wishes", AUDITOR)).status_code == 403
    assert (await wishing.ask("GET", "/wishes/seats", PARTICIPANT)).status_code == 403
    assert (await wishing.ask("GET", "/wishes/kinds", AUDITOR)).json()["languages"][0] == "en"


@pytest.mark.parametrize(
    ("change", "pointer", "says"),
    [
        ({"time_zone": "Europe/Milano"}, "/time_zone", "did you mean Europe/Rome?"),
        ({"quiet": {"begins": "22:00", "ends": "22:00"}}, "/quiet", "begin and end at the same time"),
        ({"quiet": {"begins": "late", "ends": "07:00"}}, "/quiet/begins", "a time of day, such as 09:30"),
        ({"kinds": {"weather": {}}}, "/kinds/weather", "is no kind of fact"),
        ({"kinds": {"money": {"pace": "monthly"}}}, "/kinds/money/pace", ""),
        ({"kinds": {"money": {"channels": ["pigeon"]}}}, "/kinds/money/channels/0", ""),
        ({"language": "xx"}, "/language", "ISO 639-1"),
        ({"version": None}, "/version", ""),
    ],
)
async def test_what_cannot_be_wished_is_refused_with_the_place_and_what_to_do(
    wishing: Wishing, change: dict[str, Any], pointer: str, says: str
) -> None:
    answer = await wishing.ask("PUT", "/wishes", PARTICIPANT, {**SENT, **change})
    assert answer.status_code == 422, answer.text
    [problem] = answer.json()["errors"]
    assert problem["pointer"] == pointer
    assert says in problem["detail"]


async def test_wishes_stored_before_a_field_was_new_are_read(wishing: Wishing) -> None:
    key = "organisation:tagus-fibre"
    wishing.transactions.database[Wishes.COLLECTION][key] = {"_id": key, "version": 3}
    assert (await wishing.ask("GET", "/wishes", PARTICIPANT)).json()["version"] == 3
