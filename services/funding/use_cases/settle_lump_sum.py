"""Staff settle what the rules could not be certain of: shown first, and then taken."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from services.funding.access import grant_as_payer
from services.funding.domain.difference import explain_difference
from services.funding.domain.grant import UNPREPARED, Grant, GrantStateForbids
from services.funding.domain.lump_sum import NOTHING, LumpSum, lump_sum
from services.funding.domain.settlement import Settlement, settled
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.recalculate_grant import recalculate_grant
from shared.errors import Malformed
from shared.problems import field_problems, in_words
from shared.security import Caller


@dataclass(frozen=True)
class Consequence:
    """What a settlement does, or would do, to a grant."""

    before: LumpSum
    after: LumpSum
    difference: str
    """What changes, in plain words."""
    covered: bool
    """Whether the budget has what it is more. Else a grant that has money set aside stays as it is, and one
    that has none waits."""


async def preview_settlement(
    uow: FundingUnitOfWork, grant_id: str, settlement: Settlement, *, by: Caller
) -> Consequence:
    """What `settle_lump_sum` would do now; changes nothing. Raises what it would raise before that."""
    grant = await grant_as_payer(uow, grant_id, by)
    before, after = _computed(uow, grant, settlement, by)
    budget = await uow.budgets.get(grant.partnership)
    holding, wanted = grant.holding, after.amount or NOTHING
    if holding.account is not None:
        covered = wanted - holding.amount <= budget.available
    else:
        covered = wanted == NOTHING or (holding.awaits is None and budget.has_room(wanted))
    return Consequence(
        before=before, after=after, difference=explain_difference(before, after), covered=covered
    )


async def settle_lump_sum(
    uow: FundingUnitOfWork, grant_id: str, settlement: Settlement, *, by: Caller
) -> Grant:
    """The grant, with its lump sum computed on the facts as settled; budget and ledger follow.

    Raises `LumpSumUncertain` while something is still open, `BudgetExceeded`, `AgreedAmountOverRate`, or
    what forbids it, and nothing has changed then.
    """
    grant = await grant_as_payer(uow, grant_id, by)
    _, after = _computed(uow, grant, settlement, by)
    return await recalculate_grant(uow, grant, after, reason=settlement.reason)


def _computed(
    uow: FundingUnitOfWork, grant: Grant, settlement: Settlement, by: Caller
) -> tuple[LumpSum, LumpSum]:
    if grant.lump_sum is None or grant.state not in UNPREPARED:
        stands = grant.state.value.replace("_", " ")
        raise GrantStateForbids(
            f"Grant {grant.id} is {stands}: nothing is settled about its lump sum any more."
        )
    try:
        stay = settled(
            grant.lump_sum.stay, settlement, by=f"{by.partnership}: {by.subject}", on=uow.now.date()
        )
    except ValidationError as error:
        problems = field_problems(error.errors(include_url=False, include_input=False))
        raise Malformed(
            in_words(problems, 5), errors=[problem.model_dump() for problem in problems]
        ) from error
    return grant.lump_sum, lump_sum(stay, uow.policies)
