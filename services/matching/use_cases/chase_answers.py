"""Words that are open are reminded of; proposals that nobody answered expire."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.matching.repositories import MatchingUnitOfWork


async def chase_answers(uow: MatchingUnitOfWork, ids: Sequence[str]) -> None:
    """Take the step that is due with each of these matches, if any still is."""
    matches = await uow.matches.get_all(ids)
    for case in await asyncio.gather(*(uow.case_of(match) for match in matches)):
        case.come_due(uow.answers, uow.today)
