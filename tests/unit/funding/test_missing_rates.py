"""Grants that wait for a rate are computed again once a table with it is on file, and only then."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from mongomock import filtering

from services.funding.domain.grant import Grant, grant_id
from services.funding.domain.lump_sum import Policies
from services.funding.domain.rates import RateTable
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.recompute_doubtful import recompute_doubtful, waiting_for_a_rate
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from shared.contracts.common import Window
from shared.contracts.vocabulary import GrantState
from shared.partnerships import Partnerships
from tests.fakes import MemoryTransactions
from tests.unit.funding.builders import POLICIES, a_match, a_partnership

JUNE = Window(first_day=date(2024, 6, 3), last_day=date(2024, 6, 7))
"""Five working days of which the table known in part is in force."""


def with_rate_of(country: str, begins: date = date(2024, 6, 1)) -> Policies:
    table = RateTable(
        name="a later table",
        in_force_from=begins,
        source="a test",
        currency="EUR",
        full_rates={country: Decimal("1000")},
    )
    return replace(POLICIES, rates=POLICIES.rates.with_candidate(table))


class Deployed:
    """The service on one database, with one set of tables after the other."""

    def __init__(self) -> None:
        self.policies = POLICIES
        partnerships = Partnerships([a_partnership()])
        self.transactions = MemoryTransactions(
            lambda store: FundingUnitOfWork(store, policies=self.policies, partnerships=partnerships)
        )

    async def grant(self, match_id: str = "m1") -> Grant:
        return await self.transactions.run(lambda uow: uow.grants.get(grant_id(match_id)))

    async def do_chore(self) -> list[Grant]:
        matches: Any = filtering.filter_applies
        where = waiting_for_a_rate(self.policies.rates)
        grants = [await self.grant(match) for match in ("m1", "m2")]
        due = [grant.id for grant in grants if matches(where, grant.to_document())]
        return await self.transactions.run(lambda uow: recompute_doubtful(uow, due))


@pytest.fixture
async def deployed() -> Deployed:
    """A stay in Milan after June 2024, and one in a town of Germany nobody can tell."""
    deployed = Deployed()
    for match in (a_match("m1"), a_match("m2", country="DE", city="Halle")):
        dated = match.model_copy(update={"stay": JUNE})
        await deployed.transactions.run(partial(reserve_lump_sum, match=dated))
    return deployed


async def test_a_table_with_the_rate_sets_the_amount_aside_by_itself(deployed: Deployed) -> None:
    assert await deployed.do_chore() == []
    deployed.policies = with_rate_of("IT")
    assert [grant.id for grant in await deployed.do_chore()] == [grant_id("m1")]
    grant = await deployed.grant()
    assert (grant.state, str(grant.amount)) == (GrantState.RESERVED, "1000.00")
    assert grant.lump_sum is not None
    assert grant.lump_sum.receipt.rule_set.endswith("a later table, 2024-06-01")
    assert await deployed.do_chore() == []


async def test_a_table_that_begins_after_the_stay_changes_nothing(deployed: Deployed) -> None:
    deployed.policies = with_rate_of("IT", date(2024, 6, 4))
    assert await deployed.do_chore() == []
    assert (await deployed.grant()).state is GrantState.NEEDS_REVIEW


async def test_what_is_in_doubt_for_another_reason_too_stays_for_a_person(deployed: Deployed) -> None:
    deployed.policies = with_rate_of("DE")
    assert await deployed.do_chore() == []
    grant = await deployed.grant("m2")
    assert (grant.state, grant.version) == (GrantState.NEEDS_REVIEW, 1)
