"""What this service holds on a registration; for programs with a token, as at the other services."""

from __future__ import annotations

from services.console.bootstrap import Console
from services.console.use_cases.tell_what_is_held import tell_what_is_held
from shared.held import Kind, held_router
from shared.security import Caller


async def _tell(root: Console, id: str, caller: Caller) -> list[Kind]:
    return await root.transactions.read(lambda uow: tell_what_is_held(uow, id, by=caller))


router = held_router("console", _tell)
