"""A rate that was missing is on file by now: the grants that waited for it are computed again."""

from __future__ import annotations

from collections.abc import Sequence

from services.funding.domain.grant import Grant
from services.funding.domain.lump_sum import Outcome, lump_sum
from services.funding.domain.rates import Rates
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.recalculate_grant import recalculate_grant
from shared.contracts.vocabulary import GrantState
from shared.storage.driver import Document


def waiting_for_a_rate(rates: Rates) -> Document:
    """The grants that need review for a rate which is on file by now."""
    first_day, host = (f"lump_sum.receipt.facts.stay.{fact}" for fact in ("first_day", "host_country"))
    return {
        "state": GrantState.NEEDS_REVIEW.value,
        "lump_sum.receipt.outcomes": {
            "$elemMatch": {"rule": "rate-on-file", "outcome": Outcome.NEEDS_REVIEW.value}
        },
        "$or": [
            {
                first_day: {"$gte": table.in_force_from.isoformat()}
                | ({"$lt": ends.isoformat()} if ends else {}),
                host: {"$in": sorted(table.full_rates)},
            }
            for table, ends in rates.spans()
        ],
    }


async def recompute_doubtful(uow: FundingUnitOfWork, ids: Sequence[str]) -> list[Grant]:
    """Those the rules and rates on file decide on now; where something else is open, nothing changes."""
    decided = []
    for grant in await uow.grants.get_all(ids):
        if grant.state is not GrantState.NEEDS_REVIEW or grant.lump_sum is None:
            continue
        after = lump_sum(grant.lump_sum.stay, uow.policies)
        if after.outcome is not Outcome.NEEDS_REVIEW:
            reason = f"By the rules and rates that are on file now: {after.receipt.rule_set}."
            decided.append(await recalculate_grant(uow, grant, after, reason=reason))
    return decided
