"""Somebody says how they want to be told, or takes that back."""

from __future__ import annotations

from collections.abc import Mapping

from services.notifications.domain.wishes import KindWish, QuietHours, Wishes
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.move_gathered import move_gathered
from shared.errors import Malformed, NotFound


async def state_wishes(
    uow: NotificationsUnitOfWork,
    person: str,
    *,
    language: str | None,
    time_zone: str,
    quiet: QuietHours | None,
    kinds: Mapping[str, KindWish],
    seen_version: int,
) -> Wishes:
    """These are the person's wishes from now on, for what waits for a digest as well.

    Raises `WishesChanged`, `Malformed` for unknown kinds.
    """
    if unknown := sorted(kinds.keys() - uow.rules.kinds.keys()):
        known = ", ".join(uow.rules.kinds)
        raise Malformed(
            f"There is no kind '{unknown[0]}'; there are: {known}.",
            errors=[{"pointer": f"/kinds/{kind}", "detail": "is no kind of fact"} for kind in unknown],
        )
    wishes = await uow.wishes.find(person)
    seen = Wishes(id=person) if wishes is None else wishes
    seen.require_seen(seen_version)
    if wishes is None:
        uow.wishes.add(seen)
    seen.change(language=language, time_zone=time_zone, quiet=quiet, kinds=kinds, at=uow.now)
    await move_gathered(uow, person)
    return seen


async def withdraw_wishes(uow: NotificationsUnitOfWork, person: str) -> None:
    """The person has no wishes of its own any more; raises `NotFound` when there are none."""
    wishes = await uow.wishes.find(person)
    if wishes is None:
        raise NotFound("There are no wishes on file here: everything is told as the rules say.")
    uow.wishes.remove(wishes)
    await move_gathered(uow, person)
