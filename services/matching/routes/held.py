"""What matching holds about a registration."""

from __future__ import annotations

from services.matching.bootstrap import Matching
from services.matching.use_cases.tell_what_is_held import tell_what_is_held
from shared.held import Kind, held_router
from shared.security import Caller


async def _tell(root: Matching, id: str, caller: Caller) -> list[Kind]:
    return await root.transactions.read(lambda uow: tell_what_is_held(uow, id, by=caller))


router = held_router("matching", _tell)
