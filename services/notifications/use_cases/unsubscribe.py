"""Somebody wants no more mails of a kind, or wants them again: by a link of one, without signing in."""

from __future__ import annotations

from services.notifications.domain.rules import Channel
from services.notifications.domain.unsubscription import Leaving
from services.notifications.domain.wishes import KindWish, Wishes
from services.notifications.repositories import NotificationsUnitOfWork


async def unsubscribe(uow: NotificationsUnitOfWork, leaving: Leaving, *, mails: bool) -> Wishes:
    """The person's wishes, with or without mails of this kind; a second time changes nothing.

    Other channels stay as they are wished. A seat that had no wishes of its own has those of its desk
    from now on, but for this.
    """
    wishes = await _wishes_of(uow, leaving.person)
    changed = {
        kind: _with_mails(wish) if mails else _without_mails(wish)
        for kind in leaving.kinds(uow.rules.kinds)
        if (Channel.EMAIL in (wish := wishes.of_kind(kind)).channels) is not mails
    }
    if changed:
        wishes.change(
            language=wishes.language,
            time_zone=wishes.time_zone,
            quiet=wishes.quiet,
            kinds={**wishes.kinds, **changed},
            at=uow.now,
        )
    return wishes


async def _wishes_of(uow: NotificationsUnitOfWork, person: str) -> Wishes:
    wishes = await uow.wishes.find(person)
    if wishes is None:
        shared = await uow.wishes.that_hold_for(person)
        known = shared.model_dump(exclude={"id", "version", "changed_at"}) if shared else {}
        wishes = Wishes(id=person, **known)
        uow.wishes.add(wishes)
    return wishes


def _without_mails(wish: KindWish) -> KindWish:
    channels = tuple(channel for channel in wish.channels if channel is not Channel.EMAIL)
    return wish.model_copy(update={"channels": channels})


def _with_mails(wish: KindWish) -> KindWish:
    return wish.model_copy(update={"channels": (Channel.EMAIL, *wish.channels)})
