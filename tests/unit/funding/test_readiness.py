"""The readiness board: whose turn it is, how much time is left, who may look."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.funding.domain.grant import Grant, grant_id
from services.funding.domain.readiness import PREPARE_WITHOUT_ACCOUNT, WaitsFor, clock, counted_as, missing
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.read_readiness import (
    BoardFilter,
    BoardLine,
    count_readiness,
    read_readiness,
)
from shared.contracts.vocabulary import GrantState
from shared.errors import Forbidden
from shared.security import Caller
from tests.unit.funding.staged import (
    AUDITOR,
    EXTERNAL,
    NOW,
    OTHER_STAFF,
    STAFF,
    VISITOR,
    Service,
    serving,
)


async def board(service: Service, caller: Caller = STAFF, **wanted: Any) -> list[BoardLine]:
    paging = {"after": wanted.pop("after", None), "limit": wanted.pop("limit", 50)}
    asked = BoardFilter(**wanted)
    return await service.read(lambda uow: read_readiness(uow, asked, by=caller, **paging))


def names(lines: list[BoardLine]) -> list[str]:
    return [line.match_id for line in lines]


async def test_all_cases_under_way_stand_in_the_order_of_their_clocks(funding: Service) -> None:
    lines = await board(funding)
    # Until all gates are passed the clock is the stricter one: 17 + 10 February.
    assert names(lines) == ["reporting", "signing", "staying", "payable", "prepared", "released"]
    assert [line.clock.days_left for line in lines] == [-4, -4, -4, -1, 0, 1]
    assert [line.clock.overdue for line in lines] == [False, False, False, True, False, False]
    assert {str(line.amount) for line in lines} == {"900.00"}


@pytest.mark.parametrize(
    ("filtered", "found"),
    [
        ({"waits_for": WaitsFor.VISITOR}, ["reporting", "signing", "staying"]),
        ({"waits_for": WaitsFor.PARTNERSHIP}, ["reporting", "signing", "payable", "prepared"]),
        ({"waits_for": WaitsFor.BANK}, ["released"]),
        ({"gate": "agreement"}, ["signing"]),
        ({"gate": "evidence"}, ["reporting", "signing", "staying"]),
        ({"state": GrantState.COMMITTED}, ["reporting", "staying"]),
        ({"state": GrantState.COMMITTED, "overdue": True}, []),
        ({"state": GrantState.PAYABLE, "overdue": True}, ["payable"]),
        ({"overdue": True}, ["payable"]),
        ({"overdue": False}, ["reporting", "signing", "staying", "prepared", "released"]),
        ({"gate": "report", "waits_for": WaitsFor.PARTNERSHIP}, ["reporting", "signing"]),
    ],
)
async def test_the_board_is_filtered(funding: Service, filtered: dict[str, Any], found: list[str]) -> None:
    assert names(await board(funding, **filtered)) == found


async def test_pages_go_on_behind_one_another_and_leave_nothing_out(funding: Service) -> None:
    whole = names(await board(funding, AUDITOR))
    paged: list[str] = []
    after = None
    while lines := await board(funding, AUDITOR, after=after, limit=2):
        paged += names(lines)
        after = lines[-1].place
    assert paged == whole
    assert sorted(whole) == sorted(["foreign", *names(await board(funding))])


async def test_the_totals_count_what_the_board_lists(funding: Service) -> None:
    totals = await funding.read(lambda uow: count_readiness(uow, None, by=STAFF))
    lines = await board(funding)
    assert sum(totals.states.values()) == len(lines)
    assert totals.amount == sum(line.amount for line in lines)
    assert totals.overdue == 1
    assert totals.waits_for == {
        waits: len([line for line in lines if waits in {one.waits_for for one in line.missing}])
        for waits in WaitsFor
    }
    everything = await funding.read(lambda uow: count_readiness(uow, None, by=AUDITOR))
    assert sum(everything.states.values()) == len(lines) + 1


async def test_what_is_stored_to_find_a_case_by_is_what_the_board_shows(funding: Service) -> None:
    for line in await board(funding, AUDITOR):
        stored = funding.database[Grant.COLLECTION][line.id]["board"]
        assert stored["waits_for"] == sorted({one.waits_for for one in line.missing})
        assert counted_as(stored["stands"]) == (line.state, stored["waits_for"])
        assert stored["clock"] == line.place


@pytest.mark.parametrize(
    ("caller", "partnership"),
    [(VISITOR, None), (VISITOR, "hempclub"), (EXTERNAL, None), (STAFF, "other"), (OTHER_STAFF, "hempclub")],
)
async def test_nobody_else_looks_at_the_board(
    funding: Service, caller: Caller, partnership: str | None
) -> None:
    with pytest.raises(Forbidden):
        await board(funding, caller, partnership=partnership)
    with pytest.raises(Forbidden):
        await funding.read(lambda uow: count_readiness(uow, partnership, by=caller))


async def test_staff_see_their_own_cases_alone_even_where_they_manage_the_host(funding: Service) -> None:
    assert names(await board(funding, OTHER_STAFF)) == ["foreign"]


async def test_what_is_missing_is_said_in_plain_words(funding: Service) -> None:
    said = {line.match_id: [one.sentence for one in line.missing] for line in await board(funding)}
    assert said == {
        "signing": [
            "The partnership has to sign the financial agreement.",
            "The visitor has to send the report.",
            "The visitor has to hand in evidence of the stay.",
        ],
        "staying": [
            "The visitor has to send the report.",
            "The visitor has to hand in evidence of the stay.",
        ],
        "reporting": [
            "The partnership has to validate the report, or to return it.",
            "The visitor has to hand in evidence of the stay.",
        ],
        "payable": [PREPARE_WITHOUT_ACCOUNT],
        "prepared": ["Another officer of the partnership has to release the payment."],
        "released": ["The bank has to carry the payment out, and say so."],
    }


async def test_nobody_is_pressed_for_a_report_before_the_stay_is_over(funding: Service) -> None:
    grant = await funding.read(lambda uow: uow.grants.get(grant_id("staying")))
    on_the_last_day = missing(grant.state, grant.gates, last_day=date(2023, 2, 17), today=date(2023, 2, 17))
    assert (
        on_the_last_day[0].sentence == "The visitor reports after the stay, which ends on 17 February 2023."
    )


async def test_what_is_in_a_payment_of_a_cancelled_match_is_to_be_taken_out(funding: Service) -> None:
    async def end(uow: FundingUnitOfWork) -> None:
        (await uow.grants.get(grant_id("prepared"))).note_match_ended("Cancelled.", at=NOW)

    await funding.run(end)
    [line] = await board(funding, state=GrantState.PREPARED)
    assert line.missing[0].sentence.startswith("The match was cancelled")


def test_the_clock_is_over_on_the_day_after_the_last() -> None:
    given = {"due": date(2023, 3, 2), "strict_due": date(2023, 2, 26)}
    assert not clock(GrantState.PAYABLE, **given, today=date(2023, 3, 2)).overdue
    assert clock(GrantState.PAYABLE, **given, today=date(2023, 3, 3)).overdue
    assert not clock(GrantState.PAID, **given, today=date(2023, 3, 3)).overdue


async def test_the_board_is_served_with_its_totals_on_the_first_page(funding: Service) -> None:
    async with serving(funding) as api:
        first = (await api.get("/readiness?limit=4", STAFF)).json()
        rest = (await api.get(f"/readiness?limit=4&after={first['next']}", STAFF)).json()
        assert (await api.get("/readiness", VISITOR)).status_code == 403
        assert (await api.get("/readiness")).status_code == 401
        assert (await api.get("/readiness?state=paid", STAFF)).status_code == 422
    assert first["totals"] == {
        "cases": 6,
        "amount": "5400.00",
        "overdue": 1,
        "states": {"reserved": 1, "committed": 2, "payable": 1, "prepared": 1, "released": 1},
        "waits_for": {"visitor": 3, "partnership": 4, "bank": 1},
    }
    assert (rest["totals"], rest["next"], len(rest["items"])) == (None, None, 2)
    overdue = first["items"][3]
    assert overdue["visitor"] == {"organisation": "Tagus Fibre Works (sample)", "country": "PT"}
    assert overdue["amount"] == "900.00"
    assert overdue["clock"] == {
        "due": "2023-03-02",
        "strict_due": "2023-02-27",
        "days_left": -1,
        "overdue": True,
    }
    assert overdue["gates"][0] == {
        "gate": "agreement",
        "state": "passed",
        "since": "2023-02-20T09:00:00Z",
    }
    assert overdue["missing"] == [{"waits_for": "partnership", "sentence": PREPARE_WITHOUT_ACCOUNT}]
