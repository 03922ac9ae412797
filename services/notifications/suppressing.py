"""Which addresses mails do not reach: asked by the courier before they go out, told by it what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from services.notifications.domain.delivery import Refused
from services.notifications.domain.notification import Notification
from services.notifications.domain.suppression import AddressState, Suppression, address_key, why_skipped
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.note_bounce import note_bounce
from shared.storage.transactions import worth_another_try

if TYPE_CHECKING:
    from services.notifications.bootstrap import Notifications

_log = structlog.get_logger(__name__)


class Suppressing:
    """The suppressed addresses of the service's database."""

    def __init__(self, root: Notifications) -> None:
        self._suppressions = root.database[Suppression.COLLECTION]
        self._transactions = root.transactions

    async def suppressed(self, mails: Sequence[Notification]) -> Mapping[str, str]:
        """Of these mails, those that cannot arrive, by their ids, and why; raises the database's errors."""
        keys = {mail.id: address_key(mail.address) for mail in mails if mail.address}
        among = {"_id": {"$in": list(set(keys.values()))}, "state": AddressState.SUPPRESSED.value}
        found = {one["_id"]: one["reason"] async for one in self._suppressions.find(among, {"reason": 1})}
        return {id: why_skipped(found[key]) for id, key in keys.items() if key in found}

    async def note(self, mail: Notification, refused: Refused) -> None:
        """The server refused this mail for good because of its address."""
        bounce = refused.bounce
        assert bounce is not None

        async def work(uow: NotificationsUnitOfWork) -> None:
            await note_bounce(uow, mail, bounce, refused.reply)

        try:
            await self._transactions.run(work)
        except Exception as error:
            if worth_another_try(error):
                raise
            # The mail is settled all the same; the next one to this address is refused like it.
            _log.error("bounce_not_noted", notification=mail.id, exc_info=error)
