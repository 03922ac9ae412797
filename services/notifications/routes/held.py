"""What this service holds on a registration."""

from __future__ import annotations

from services.notifications.bootstrap import Notifications
from services.notifications.use_cases.tell_what_is_held import tell_what_is_held
from shared.held import Kind, held_router
from shared.security import Caller


async def _tell(root: Notifications, id: str, caller: Caller) -> list[Kind]:
    return await root.transactions.read(lambda uow: tell_what_is_held(uow, id, by=caller))


router = held_router("notifications", _tell)
