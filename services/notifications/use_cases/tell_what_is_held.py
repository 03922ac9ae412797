"""Someone asks what notifications holds about a registration."""

from __future__ import annotations

from typing import Final

from services.notifications.domain.notification import Notification
from services.notifications.domain.recipients import organisation_key
from services.notifications.repositories import NotificationsUnitOfWork
from shared.held import UNTIL_ERASED, Kind, nothing_held
from shared.security import Caller, CallerRole

_NOT_ITS_OWN: Final = {
    "address",
    "last_reply",
    "mentions",
    "partnerships",
    "recipient_key",
    "recipient_registration",
    "subject",
    "text",
}
"""What a message to somebody else says, and where it went, is that one's to know."""
_OF_THE_EVENT: Final = {"facts": True, "mentions": True, "awaited": True}
"""What a reminder keeps of the event that asks: the other organisation is in it too."""


_OF_A_DELIVERY: Final = {"id", "event_id", "event_type", "subject", "state", "created_at", "settled_at"}
"""Its body may name the other organisation of a match, and says what the event says."""


async def tell_what_is_held(uow: NotificationsUnitOfWork, registration_id: str, *, by: Caller) -> list[Kind]:
    """What it was told, and to whom else messages about it went; raises `NotFound`."""
    messages = await uow.notifications.naming(registration_id)
    own = [one for one in messages if one.recipient_registration == registration_id]
    if not own or not _may_know(by, own):
        raise nothing_held("notifications", registration_id)
    others = [one for one in messages if one.recipient_registration != registration_id]
    addresses = await uow.suppressions.of_registration(registration_id)
    reminders = await uow.reminders.naming(registration_id)
    wishes = await uow.wishes.of({one.recipient_key for one in own})
    deliveries = await uow.deliveries.naming(registration_id)
    sent_to = {one.id: one.scope for one in await uow.endpoints.get_all({one.endpoint for one in deliveries})}
    return [
        Kind(
            name="messages",
            what="Every mail to it and every entry of its inbox, in full, and what became of it: so that it "
            "can be told later what was said when.",
            kept=f"For the retention time of messages, at the most. {UNTIL_ERASED}",
            documents=[one.model_dump(mode="json", exclude={"mentions"}) for one in own],
        ),
        Kind(
            name="messages to others",
            what="That staff, or the other organisation of a match, were told of a fact about it, when and "
            "how; their words and addresses are theirs.",
            kept="For the retention time of messages; words that name it go when it is erased.",
            documents=[one.model_dump(mode="json", exclude=_NOT_ITS_OWN) for one in others],
        ),
        Kind(
            name="wishes",
            what="How its organisation wants to be told, in which language, and when not to; for all its "
            "registrations.",
            kept="Until it takes them back, or for the retention time of messages after the last one to it; "
            "they go when the last of its registrations is erased.",
            documents=[one.model_dump(mode="json") for one in wishes.values()],
        ),
        Kind(
            name="addresses that mails did not reach",
            what="What mail systems said when mails to it came back, and whether more are sent there; of the "
            "address itself a hash, its first letter and its domain: so that nothing is sent in vain.",
            kept=f"For the retention time of messages after the last change, at the most. {UNTIL_ERASED}",
            documents=[one.model_dump(mode="json") for one in addresses],
        ),
        Kind(
            name="reminders",
            what="What is to be done in its cases, by whom until when, and how often that was said; kept to "
            "remind of it, with what the event said that asks for it.",
            kept=f"For the retention time of messages after the last change, at the most. {UNTIL_ERASED}",
            documents=[
                one.model_dump(
                    mode="json", exclude={"mentions": True, "words": {"__all__": {"asked": _OF_THE_EVENT}}}
                )
                for one in reminders
            ],
        ),
        Kind(
            name="webhook deliveries",
            what="That events about it went to systems which staff, the support office or whoever sent its "
            "registration run, as far as these may read them on the feed; `to` says whose system it is.",
            kept="For the retention time of webhook deliveries; what they say of it goes when it is erased.",
            documents=[
                {
                    **one.model_dump(mode="json", include=_OF_A_DELIVERY),
                    "to": sent_to.get(one.endpoint, "an endpoint that is deleted"),
                }
                for one in deliveries
            ],
        ),
    ]


def _may_know(by: Caller, own: list[Notification]) -> bool:
    keys = {one.recipient_key for one in own}
    return (
        by.role is CallerRole.SUPPORT_OFFICE
        or (by.role is CallerRole.PARTICIPANT and organisation_key(by.organisation or "") in keys)
        or any(by.is_staff_of(one.partnership) for one in own)
    )
