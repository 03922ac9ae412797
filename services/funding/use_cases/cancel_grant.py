"""An approved match was cancelled: its grant ends, unless its money is in a payment already."""

from __future__ import annotations

import asyncio

from services.funding.bookkeeping import serve_waiting_grants
from services.funding.domain.grant import Grant, grant_id
from services.funding.repositories import FundingUnitOfWork
from shared.contracts.matching import MatchCancelled
from shared.contracts.vocabulary import GrantState
from shared.erasure import without_data_of


async def cancel_grant(uow: FundingUnitOfWork, match: MatchCancelled) -> Grant | None:
    """The grant; None when the match was never approved and so had none.

    What it held is free again, and goes to whoever waits for it. Money in a payment stays where it is,
    and staff are told; where all of it came back already, nothing is left to end. Raises
    `GrantStateForbids` when it is cancelled already.
    """
    sides = (match.visitor.registration_id, match.host.registration_id)
    grant, erased = await asyncio.gather(uow.grants.find(grant_id(match.match_id)), uow.erasures.among(sides))
    match = without_data_of(match, erased)
    if grant is None:
        if not match.was_approved or match.visitor.partnership is None:
            return None
        # The approval is late, perhaps among the dead letters: replayed, it must not reserve money.
        grant = Grant.cancelled_unseen(match, match.visitor.partnership, match.reason, erased, at=uow.now)
        uow.grants.add(grant)
        return grant
    budget = await uow.budgets.get(grant.partnership)

    if grant.state is GrantState.RECOVERED:
        return grant
    if grant.paying:
        grant.note_match_ended(match.reason, at=uow.now)
        return grant
    grant.cancel(match.reason)
    budget.book(grant, at=uow.now)
    await serve_waiting_grants(uow, budget)
    return grant
