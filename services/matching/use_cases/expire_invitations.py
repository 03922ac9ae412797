"""Invitations whose last day is over let go of the address they were sent to."""

from __future__ import annotations

from collections.abc import Sequence

from services.matching.repositories import MatchingUnitOfWork


async def expire_invitations(uow: MatchingUnitOfWork, ids: Sequence[str]) -> None:
    """Expire those of these that are still open and over."""
    for invitation in await uow.invitations.get_all(ids):
        invitation.expire(uow.today)
