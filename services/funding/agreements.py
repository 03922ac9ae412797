"""Keeps agreements in step with their grants, in each transaction, whatever else it does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from services.funding.domain.agreement import Agreement, agreement_id
from services.funding.domain.grant import WITH_AGREEMENT, Grant
from shared.contracts.funding import GrantCancelled, GrantRecalculated

if TYPE_CHECKING:
    from services.funding.repositories import FundingUnitOfWork

_CHANGE_WHAT_IS_PROMISED: Final = frozenset({GrantRecalculated, GrantCancelled})


async def keep_agreements(uow: FundingUnitOfWork) -> None:
    """Draw up anew, or void, the agreements of grants that got other days or another amount, or have ended.

    Runs before every commit, and before the books are kept: whoever recalculates or ends a grant need not
    think of its agreement, and nothing is paid by one on something else.
    """
    changed = [
        grant
        for grant in uow.at_hand(Grant)
        if not _CHANGE_WHAT_IS_PROMISED.isdisjoint(type(recorded.event) for recorded in grant.recorded())
    ]
    await renew_agreements(uow, changed)


async def renew_agreements(uow: FundingUnitOfWork, grants: Iterable[Grant]) -> None:
    """Bring those there are up to date with their grants."""
    by_id = {agreement_id(grant.match_id): grant for grant in grants}
    if not by_id:
        return
    for agreement in await uow.agreements.get_all(by_id):
        renew(uow, agreement, by_id[agreement.id])


def renew(uow: FundingUnitOfWork, agreement: Agreement, grant: Grant) -> None:
    """Bring the agreement up to date with its grant, and the grant's gate with it."""
    change = agreement.follow(grant, at=uow.now)
    if grant.state in WITH_AGREEMENT:
        grant.turn_gate("agreement", agreement.gate, at=uow.now, reason=change)
