"""An approved match was cancelled: its grant ends, and freed money goes to whoever waits for it."""

from __future__ import annotations

import asyncio

from services.funding.domain.grant import Grant, grant_id
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.serve_waiting_grants import serve_waiting_grants
from shared.contracts.matching import MatchCancelled
from shared.contracts.vocabulary import GrantState
from shared.erasure import without_data_of


async def cancel_grant(uow: FundingUnitOfWork, match: MatchCancelled) -> Grant | None:
    """The cancelled grant; None when the match was never approved and so had none.

    Raises `GrantStateForbids` when it is cancelled already.
    """
    sides = (match.visitor.registration_id, match.host.registration_id)
    grant, erased = await asyncio.gather(uow.grants.find(grant_id(match.match_id)), uow.erasures.among(sides))
    match = without_data_of(match, erased)
    if grant is None:
        if not match.was_approved or match.visitor.partnership is None:
            return None
        # The approval is late, perhaps among the dead letters: replayed, it must not reserve money.
        grant = Grant.cancelled_unseen(match, match.visitor.partnership, match.reason, erased)
        uow.grants.add(grant)
        return grant
    budget = await uow.budgets.of(uow.partnerships.require(grant.partnership))

    before = grant.state
    grant.cancel(match.reason)
    if before is GrantState.RESERVED:
        budget.release(grant.amount)
    elif before is GrantState.AWAITING_BUDGET:
        budget.leave_queue(grant.amount)
    await serve_waiting_grants(uow, budget)
    return grant
