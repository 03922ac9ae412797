"""Staff settle what the rules could not be certain of; who, what and why stays with the amount."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.funding.domain.budget import BudgetExceeded
from services.funding.domain.grant import Grant, GrantStateForbids, LumpSumUncertain, grant_id
from services.funding.domain.lump_sum import AgreedAmountOverRate, Outcome
from services.funding.domain.settlement import DayNotAccepted, Settlement
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.funding.use_cases.settle_lump_sum import Consequence, preview_settlement, settle_lump_sum
from shared.contracts.common import Window
from shared.contracts.matching import MatchApproved
from shared.contracts.vocabulary import GrantState
from shared.errors import Forbidden, Malformed, NotFound
from shared.security import Caller, CallerRole
from tests.builders import a_cancelled_match
from tests.fakes import MemoryTransactions
from tests.unit.funding.builders import a_match, a_partnership, transactions
from tests.unit.funding.staged import serving

STAFF = Caller("officer-1", CallerRole.STAFF, partnership="hempclub")
OTHER_STAFF = Caller("officer-2", CallerRole.STAFF, partnership="other")

Funding = MemoryTransactions[FundingUnitOfWork]

IN_HALLE = a_match("m1", country="DE", city="Halle")
"""Five working days at a host in one of several places of that name."""
HALLE = {"city": "Halle", "country": "DE", "lat": 51.482, "lon": 11.979}


async def reserved(match: MatchApproved, *, budget: str = "64000.00") -> Funding:
    funding = transactions(a_partnership(budget=budget), a_partnership("other"))
    await funding.run(lambda uow: reserve_lump_sum(uow, match))
    return funding


async def settle(funding: Funding, by: Caller = STAFF, **facts: Any) -> Grant:
    settlement = Settlement.model_validate({"reason": "The host wrote so.", **facts})
    return await funding.run(lambda uow: settle_lump_sum(uow, grant_id("m1"), settlement, by=by))


async def preview(funding: Funding, by: Caller = STAFF, **facts: Any) -> Consequence:
    settlement = Settlement.model_validate({"reason": "The host wrote so.", **facts})
    return await funding.run(lambda uow: preview_settlement(uow, grant_id("m1"), settlement, by=by))


async def stored(funding: Funding) -> Grant:
    return await funding.run(lambda uow: uow.grants.get(grant_id("m1")))


async def test_a_place_given_by_staff_settles_the_amount_and_sets_it_aside() -> None:
    funding = await reserved(IN_HALLE)
    assert (await stored(funding)).state is GrantState.NEEDS_REVIEW

    shown = await preview(funding, host_place=HALLE)
    assert (shown.before.amount, str(shown.after.amount), shown.covered) == (None, "830.00", True)
    assert (await stored(funding)).state is GrantState.NEEDS_REVIEW

    grant = await settle(funding, host_place=HALLE)
    assert (grant.state, str(grant.amount)) == (GrantState.RESERVED, "830.00")
    budget = await funding.run(lambda uow: uow.budgets.get("hempclub"))
    assert str(budget.reserved) == "830.00"


async def test_the_receipt_says_who_settled_what_and_why() -> None:
    funding = await reserved(IN_HALLE)
    grant = await settle(funding, host_place=HALLE, host_region="ST", reason="Its letter of 3 February.")
    assert grant.lump_sum is not None
    receipt = grant.lump_sum.receipt
    [said] = [outcome for outcome in receipt.outcomes if outcome.rule == "settled"]
    assert said.sentence.startswith("Settled by hempclub: officer-1 on ")
    assert said.sentence.endswith(
        "the host's place is Halle, Germany (51.4820, 11.9790); the host's region is ST. The reason given: "
        "Its letter of 3 February."
    )
    assert said.source == "Decision of staff, hempclub: officer-1"
    assert said.sentence in (receipt.for_staff or "")
    assert receipt.facts["host_place"]["confirmed_by"] == "hempclub: officer-1"
    assert receipt.facts["holidays"].endswith("region ST")


async def test_a_saturday_accepted_on_a_reserved_grant_counts_and_what_is_more_is_set_aside() -> None:
    stay = Window(first_day=date(2023, 2, 14), last_day=date(2023, 2, 18))
    funding = await reserved(a_match("m1").model_copy(update={"stay": stay}))
    assert str((await stored(funding)).amount) == "450.00"
    day = {"day": "2023-02-18", "reason": "Open day of the cluster"}
    grant = await settle(funding, accepted_days=[day])
    assert (grant.state, str(grant.amount)) == (GrantState.RESERVED, "900.00")
    assert grant.lump_sum is not None
    assert grant.lump_sum.days[-1].why == (
        "weekend, accepted by hempclub: officer-1: Open day of the cluster"
    )
    budget = await funding.run(lambda uow: uow.budgets.get("hempclub"))
    assert str(budget.reserved) == "900.00"


async def test_a_day_that_was_accepted_by_mistake_is_taken_back() -> None:
    stay = Window(first_day=date(2023, 2, 14), last_day=date(2023, 2, 18))
    funding = await reserved(a_match("m1").model_copy(update={"stay": stay}))
    with pytest.raises(DayNotAccepted, match="nothing to take back"):
        await settle(funding, no_longer_accepted=["2023-02-18"])
    await settle(funding, accepted_days=[{"day": "2023-02-18", "reason": "Open day of the cluster"}])
    grant = await settle(funding, no_longer_accepted=["2023-02-18"])
    assert (grant.state, str(grant.amount)) == (GrantState.RESERVED, "450.00")
    assert grant.lump_sum is not None
    assert grant.lump_sum.stay.settled[-1].what == ["18 February 2023 is no longer accepted"]
    budget = await funding.run(lambda uow: uow.budgets.get("hempclub"))
    assert str(budget.reserved) == "450.00"


async def test_what_was_settled_first_stays_when_more_is_settled() -> None:
    funding = await reserved(IN_HALLE)
    await settle(funding, host_place=HALLE)
    grant = await settle(funding, agreed_amount="500.00", reason="Agreed by mail.")
    assert str(grant.amount) == "500.00"
    assert grant.lump_sum is not None
    assert [one.reason for one in grant.lump_sum.stay.settled] == ["The host wrote so.", "Agreed by mail."]


async def test_what_is_open_still_is_named_and_nothing_is_stored() -> None:
    funding = await reserved(IN_HALLE)
    with pytest.raises(LumpSumUncertain, match="may be any of"):
        await settle(funding, host_region="ST")
    assert (await stored(funding)).version == 1
    assert (await preview(funding, host_region="ST")).after.outcome is Outcome.NEEDS_REVIEW


async def test_nobody_can_make_up_a_rate_that_is_not_on_file() -> None:
    stay = Window(first_day=date(2024, 6, 3), last_day=date(2024, 6, 7))
    funding = await reserved(a_match("m1").model_copy(update={"stay": stay}))
    with pytest.raises(LumpSumUncertain, match="has no rate for Italy"):
        await settle(funding, agreed_amount="900.00")
    shown = await preview(funding, agreed_amount="900.00")
    assert "have a dated rate table with its source put on file" in (shown.after.receipt.for_staff or "")


async def test_more_than_the_rate_is_not_agreed_by_settling_it() -> None:
    funding = await reserved(a_match("m1"))
    with pytest.raises(AgreedAmountOverRate):
        await settle(funding, agreed_amount="900.01")


async def test_a_disputed_country_is_confirmed_for_this_case_alone() -> None:
    match = a_match("m1")
    in_london = match.visitor.place.model_copy(update={"country": "GB", "city": "London"})
    visitor = match.visitor.model_copy(update={"place": in_london})
    funding = await reserved(match.model_copy(update={"visitor": visitor}))
    grant = await settle(funding, confirmed_countries=["UK"])
    assert (grant.state, str(grant.amount)) == (GrantState.RESERVED, "900.00")
    assert grant.lump_sum is not None
    assert "staff decided that it does here" in str(grant.lump_sum.receipt.outcomes)


async def test_coordinates_staff_vouch_for_are_taken_though_they_contradict_the_name() -> None:
    funding = await reserved(a_match("m1"))
    grant = await settle(funding, host_place={"city": "Milan", "country": "IT", "lat": 38.1, "lon": 13.4})
    assert grant.lump_sum is not None
    assert grant.state is GrantState.RESERVED
    assert grant.lump_sum.distance_km == pytest.approx(1966, abs=30)


async def test_where_the_budget_is_short_a_grant_without_an_amount_waits() -> None:
    funding = await reserved(IN_HALLE, budget="800.00")
    assert not (await preview(funding, host_place=HALLE)).covered
    grant = await settle(funding, host_place=HALLE)
    assert (grant.state, grant.position) == (GrantState.AWAITING_BUDGET, 1)


async def test_a_promise_is_not_raised_beyond_the_budget() -> None:
    stay = Window(first_day=date(2023, 2, 14), last_day=date(2023, 2, 18))
    funding = await reserved(a_match("m1").model_copy(update={"stay": stay}), budget="800.00")
    day = {"day": "2023-02-18", "reason": "Open day of the cluster"}
    assert not (await preview(funding, accepted_days=[day])).covered
    with pytest.raises(BudgetExceeded):
        await settle(funding, accepted_days=[day])
    assert str((await stored(funding)).amount) == "450.00"


async def test_a_day_outside_the_stay_cannot_be_accepted() -> None:
    funding = await reserved(a_match("m1"))
    with pytest.raises(Malformed, match="2023-02-18 is not a day of the stay, 2023-02-13 to 2023-02-17"):
        await settle(funding, accepted_days=[{"day": "2023-02-18", "reason": "Fair"}])


async def test_only_staff_of_the_partnership_that_pays_settle() -> None:
    funding = await reserved(IN_HALLE)
    with pytest.raises(NotFound):
        await settle(funding, by=OTHER_STAFF, host_place=HALLE)
    visitor = Caller("visitor", CallerRole.PARTICIPANT, organisation="visitor-m1")
    with pytest.raises(Forbidden):
        await settle(funding, by=visitor, host_place=HALLE)
    with pytest.raises(Forbidden):
        await preview(funding, by=visitor, host_place=HALLE)


async def test_a_cancelled_grant_is_settled_no_more() -> None:
    funding = await reserved(IN_HALLE)
    await funding.run(lambda uow: cancel_grant(uow, a_cancelled_match(IN_HALLE)))
    with pytest.raises(GrantStateForbids, match="is cancelled: nothing is settled"):
        await settle(funding, host_place=HALLE)


async def test_over_http_a_settlement_is_shown_first_and_then_taken() -> None:
    funding = await reserved(IN_HALLE)
    settlement = {"reason": "The host wrote so.", "host_place": HALLE}
    async with serving(funding, a_partnership(), a_partnership("other")) as api:
        shown = await api.post("/grants/grant-m1/settlement/preview", settlement, STAFF)
        assert shown.status_code == 200
        assert list(shown.json()) == ["amount_before", "lump_sum", "difference", "covered"]
        assert (shown.json()["amount_before"], shown.json()["lump_sum"]["amount"]) == (None, "830.00")
        open_still = await api.post("/grants/grant-m1/settlement", {"reason": "Only again."}, STAFF)
        assert (open_still.status_code, open_still.json()["type"].rpartition("/")[2]) == (
            409,
            "lump-sum-uncertain",
        )
        without_reason = await api.post("/grants/grant-m1/settlement", {"host_place": HALLE}, STAFF)
        assert without_reason.json()["errors"] == [{"pointer": "/reason", "detail": "is missing"}]
        taken = await api.post("/grants/grant-m1/settlement", settlement, STAFF)
        assert (taken.status_code, taken.json()["state"], taken.json()["amount"]) == (
            200,
            "reserved",
            "830.00",
        )


async def test_the_examples_of_the_api_are_settlements() -> None:
    async with serving(await reserved(IN_HALLE)) as api:
        described = (await api.get("/openapi.json")).json()["paths"]["/grants/{id}/settlement"]["post"]
    for example in described["requestBody"]["content"]["application/json"]["examples"].values():
        Settlement.model_validate(example["value"])
