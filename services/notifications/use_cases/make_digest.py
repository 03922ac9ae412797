"""What was gathered for somebody is put together when it is due: one message instead of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum, auto
from typing import Final
from zoneinfo import ZoneInfo

from services.notifications.domain.digest import FEW, Digest, Item, Line, Mailbox, by_case
from services.notifications.domain.limits import GatheredFor
from services.notifications.domain.notification import DIGEST, Contents, Notification, NotificationState
from services.notifications.domain.wishes import DEFAULT_ZONE, Pace, Wishes, zone_of
from services.notifications.repositories import TOLD_IN_DIGESTS, NotificationsUnitOfWork
from shared.storage.driver import Document

AT_ONCE: Final = 500
"""Messages in one transaction."""


class Made(Enum):
    """How far a digest has come."""

    SO_FAR = auto()
    """There is more to put into it."""
    DONE = auto()
    """What was due is in a digest, goes out as it is, or waits for another time."""


async def make_digest(uow: NotificationsUnitOfWork, mailbox: Mailbox) -> Made:
    """Put what is due for this mailbox into a digest; some of it, where it is much for one transaction.

    The digest is there from the first of its messages on, and waits like them until all are in it: whoever
    goes on after a crash finds it. What its reader no longer wants to hear of is cancelled; what comes due
    in quiet hours waits for their end, and all of it while the digest before is on its way.
    """
    found = await uow.notifications.gathered(mailbox, uow.now, limit=AT_ONCE)
    made = Made.SO_FAR if len(found) == AT_ONCE else Made.DONE
    wishes = await uow.wishes.that_hold_for(mailbox.person)
    items = _still_wanted(found, wishes)
    under_way = await uow.notifications.digests_under_way(mailbox)
    digest = _open_one(under_way)
    if digest is None:
        if not items:
            return made
        if under_way:
            _put_off(items, GatheredFor.LIMIT.due_at(uow.now))
            return made
        if wishes is not None and (quiet_until := _quiet_until(uow.now, wishes)) is not None:
            _put_off(items, quiet_until)
            return made
        if made is Made.DONE and _are_few(items):
            for item in items:
                item.let_go(uow.now)
            return made
        language = wishes.language if wishes else None
        digest = Notification.open_digest(items, language=language, at=uow.now)
        if await uow.notifications.find(digest.id) is not None:
            # They were on their way here while it was made, and it may have been read by now.
            _put_off(items, GatheredFor.LIMIT.due_at(uow.now))
            return made
        uow.notifications.add(digest)
    for item in items:
        item.go_into(digest)
    if made is Made.DONE:
        await _write(uow, digest, items, wishes)
    return made


def zone_for(wishes: Wishes | None) -> ZoneInfo:
    """By whose clock a reader's days begin and end."""
    return (zone_of(wishes.time_zone) if wishes else None) or ZoneInfo(DEFAULT_ZONE)


async def put_off(uow: NotificationsUnitOfWork, mailbox: Mailbox) -> None:
    """Leave what is due for this mailbox, or some of it, until the next quarter of an hour."""
    due = await uow.notifications.gathered(mailbox, uow.now, limit=AT_ONCE)
    digest = _open_one(await uow.notifications.digests_under_way(mailbox))
    _put_off([*due, *([digest] if digest else [])], GatheredFor.LIMIT.due_at(uow.now))


def _still_wanted(items: Sequence[Notification], wishes: Wishes | None) -> list[Notification]:
    wanted: list[Notification] = []
    for item in items:
        if wishes is None or item.channel in wishes.of_kind(item.kind).channels:
            wanted.append(item)
        else:
            item.cancel("Its recipient has chosen since not to hear of this kind by this channel.")
    return wanted


def _open_one(digests: Sequence[Notification]) -> Notification | None:
    return next((digest for digest in digests if digest.state is NotificationState.GATHERED), None)


def _quiet_until(at: datetime, wishes: Wishes) -> datetime | None:
    zone = zone_for(wishes)
    if wishes.quiet is None or not wishes.quiet.hold(at.astimezone(zone)):
        return None
    return wishes.quiet.end_after(at, zone)


def _are_few(items: Sequence[Notification]) -> bool:
    if all(item.gathered_for is GatheredFor.BACKLOG for item in items):
        return len(items) <= FEW
    return len(items) == 1


def _put_off(items: Sequence[Notification], until: datetime) -> None:
    for item in items:
        item.put_off(until)


async def _write(
    uow: NotificationsUnitOfWork, digest: Notification, items: Sequence[Notification], wishes: Wishes | None
) -> None:
    before = await uow.notifications.digested(digest.id) if digest.stored_version else []
    # In the form in which they are stored, once this transaction is.
    now = [item.model_dump(mode="json", include=set(TOLD_IN_DIGESTS)) for item in items]
    told = {row["_id"]: row for row in before} | {item.id: row for item, row in zip(items, now, strict=True)}
    if not told:
        digest.cancel("Nothing is left of what it was to tell.")
        return
    content = _in_local_time(by_case(_item(row) for row in told.values()), zone_for(wishes))
    named = {case.id for case in content.cases}
    wording = uow.words.say(
        digest.template,
        content.facts(staff=digest.recipient == "staff"),
        about=digest.id,
        link=uow.rules.links[DIGEST],
        why=uow.rules.digests[max((row["pace"] for row in told.values()), key=list(Pace).index)].why,
        language=digest.language,
        partnership=digest.partnership,
    )
    digest.write(wording, Contents.of(row for row in told.values() if row["case"] in named), uow.now)


def _item(row: Document) -> Item:
    return Item(
        case=row["case"],
        name=row["case_name"],
        kind=row["kind"],
        subject=row["subject"],
        link=row["link"],
        link_label=row["link_label"],
        at=datetime.fromisoformat(row["created_at"]),
        asks=row["asks"],
    )


def _in_local_time(digest: Digest, zone: ZoneInfo) -> Digest:
    def local(line: Line) -> Line:
        return replace(line, at=line.at.astimezone(zone))

    cases = (
        replace(case, now=local(case.now), before=tuple(map(local, case.before))) for case in digest.cases
    )
    return replace(digest, cases=tuple(cases))
