"""A mail came back: note it against its address, and tell staff once that mails do not arrive there."""

from __future__ import annotations

from services.notifications.domain.notification import Notification
from services.notifications.domain.replies import Bounce, without_addresses
from services.notifications.domain.suppression import Suppression, address_key
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.notify import notify
from shared.contracts.envelope import Cause, wrap
from shared.messaging.outbox import OutgoingMessage
from shared.messaging.topics import events
from shared.storage.unit_of_work import because_of


async def note_bounce(
    uow: NotificationsUnitOfWork, mail: Notification, bounce: Bounce, said: str
) -> Suppression | None:
    """What is known of the address now; None where the mail's has been erased.

    said: the mail system's words, which may repeat the address.
    """
    if mail.address is None:
        return None
    reason = without_addresses(said)[:500]
    suppression = await uow.suppressions.find(address_key(mail.address))
    if suppression is None:
        suppression = Suppression.of(mail, reason, uow.now)
        uow.suppressions.add(suppression)
    event = suppression.bounce(mail, bounce, reason, uow.now)
    if event is not None:
        cause = Cause(correlation_id=mail.correlation_id, causation_id=mail.fact_id)
        fact = wrap(
            event,
            service=uow.service,
            subject=suppression.id,
            sequence=suppression.version,
            cause=cause,
            at=uow.now,
        )
        uow.send(OutgoingMessage.of(fact, events(uow.service)))
        with because_of(cause):
            await notify(uow, fact, event)
    return suppression
