"""The delivery log, searched: each condition for itself and joined, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.notifications.domain.searches import WORDS_LOOKED_FOR, LogSearch
from services.notifications.use_cases.notify import notify
from shared.contracts.matching import MatchApproved
from shared.security import Caller, CallerRole
from tests.builders import an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples
from tests.unit.notifications.serving import served

STAFF = Caller("s", CallerRole.STAFF, partnership="hempclub")
AUDITOR = Caller("a", CallerRole.AUDITOR)
FIRST = datetime(2023, 1, 16, 9, tzinfo=UTC)
ADDRESS = "office@tagus-fibre.example"


@pytest.fixture
async def log() -> AsyncIterator[httpx.AsyncClient]:
    """An acceptance, an approved match a day later, and a lump sum another day later, told to all."""
    transactions = MemoryTransactions(samples.open_unit)
    events = [samples.an_acceptance(), samples.a_match(MatchApproved), samples.a_reserved_grant()]
    for days, event in enumerate(events):
        fact = an_envelope(event, service="matching", subject="s").model_copy(
            update={"time": FIRST + timedelta(days=days), "correlationid": f"c-{days}"}
        )
        await transactions.run(lambda uow, fact=fact, event=event: notify(uow, fact, event))  # type: ignore[misc]
    async with served(transactions, as_=AUDITOR) as http:
        yield http


async def found(log: httpx.AsyncClient, **params: Any) -> list[dict[str, Any]]:
    answer = await log.get("/notifications", params={"limit": 200, **params})
    return list(answer.raise_for_status().json()["items"])


A_DAY_LATER = (FIRST + timedelta(days=1)).isoformat()
SEARCHES: list[tuple[dict[str, Any], str, set[str]]] = [
    ({"kind": "registration"}, "fact_type", {"cxc.registration.accepted.v1"}),
    ({"fact_type": "cxc.match.approved.v1"}, "fact_type", {"cxc.match.approved.v1"}),
    ({"about": "m-1"}, "about", {"m-1"}),
    ({"case": "m-1"}, "case", {"m-1"}),
    ({"correlation": "c-2"}, "fact_type", {"cxc.grant.reserved.v1"}),
    ({"registration": "r-host"}, "recipient_registration", {"r-host"}),
    ({"address": ADDRESS}, "recipient", {"participant", "visitor"}),
    ({"address": ADDRESS, "about": "m-1"}, "recipient", {"visitor"}),
    ({"since": A_DAY_LATER}, "fact_type", {"cxc.match.approved.v1", "cxc.grant.reserved.v1"}),
    ({"before": A_DAY_LATER}, "fact_type", {"cxc.registration.accepted.v1"}),
    ({"words": "APPROVED", "about": "m-1"}, "fact_type", {"cxc.match.approved.v1"}),
    ({"channel": "inbox", "state": "sent"}, "channel", {"inbox"}),
    ({"urgency": "normal"}, "urgency", {"normal"}),
]


@pytest.mark.parametrize(("params", "field", "values"), SEARCHES, ids=[str(row[0]) for row in SEARCHES])
async def test_a_search_finds_what_it_asks_for_and_nothing_else(
    log: httpx.AsyncClient, params: dict[str, Any], field: str, values: set[str]
) -> None:
    entries = await found(log, **params)
    assert {entry[field] for entry in entries} == values
    assert len(entries) < len(await found(log)) or params == {"urgency": "normal"}


@pytest.mark.parametrize(
    "params",
    [
        {"words": "xyzzy", "about": "m-1"},
        {"words": "a.*d", "about": "m-1"},
        {"address": "office@"},
        {"digest": "d-1"},
        {"state": "failed"},
        {"since": "2024-01-01T00:00:00Z"},
        {"before": "0001-01-01T00:00:00Z"},
        {"case": "m-1", "registration": "r-nobody"},
    ],
    ids=str,
)
async def test_a_search_for_what_is_not_there_finds_nothing(
    log: httpx.AsyncClient, params: dict[str, Any]
) -> None:
    assert await found(log, **params) == []


async def test_staff_find_only_their_own_cases_whatever_they_look_for() -> None:
    transactions = MemoryTransactions(samples.open_unit)
    event = samples.an_acceptance(party=samples.HOST)
    fact = an_envelope(event, service="registration", subject="r-host")
    await transactions.run(lambda uow: notify(uow, fact, event))
    async with served(transactions, as_=AUDITOR) as http:
        assert await found(http, address=samples.HOST.email)
    async with served(transactions, as_=STAFF) as http:
        assert await found(http, address=samples.HOST.email) == []


async def test_pages_of_a_search_follow_each_other(log: httpx.AsyncClient) -> None:
    whole = [entry["id"] for entry in await found(log, since=A_DAY_LATER)]
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await log.get("/notifications", params={"since": A_DAY_LATER, "limit": 2, **after})).json()
        seen += [entry["id"] for entry in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == whole == sorted(whole, reverse=True)


@pytest.mark.parametrize("since", ["yesterday", "2023-01-16T09:00:00", "2023-13-01T00:00:00Z"])
async def test_a_moment_without_an_offset_is_malformed(log: httpx.AsyncClient, since: str) -> None:
    assert (await log.get("/notifications", params={"since": since})).status_code == 422


def test_words_are_looked_for_in_a_month_unless_something_else_narrows_the_search() -> None:
    now = datetime(2023, 6, 1, tzinfo=UTC)
    assert LogSearch(words="milan").bounded(now).since == now - WORDS_LOOKED_FOR
    earlier = now - timedelta(days=100)
    assert LogSearch(words="milan", before=earlier).bounded(now).since == earlier - WORDS_LOOKED_FOR
    for narrowed in (LogSearch(words="milan", case="m-1"), LogSearch(words="milan", since=earlier)):
        assert narrowed.bounded(now) == narrowed
    assert LogSearch().bounded(now) == LogSearch()


def test_a_word_is_no_pattern() -> None:
    conditions = LogSearch(words="50% (fifty)\0 .*").conditions()["$and"]
    assert [condition["subject"]["$regex"] for condition in conditions] == ["50%", r"\(fifty\)", r"\.\*"]
