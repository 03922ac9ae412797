"""What this service holds on a registration."""

from __future__ import annotations

from services.funding.bootstrap import Funding
from services.funding.use_cases.tell_what_is_held import tell_what_is_held
from shared.held import Kind, held_router
from shared.security import Caller


async def _tell(root: Funding, id: str, caller: Caller) -> list[Kind]:
    return await root.transactions.read(lambda uow: tell_what_is_held(uow, id, by=caller))


router = held_router("funding", _tell)
