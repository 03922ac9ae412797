"""What a registration said, sending by sending, and what changed from one to the next."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from services.registration.domain.versions import Change, SentVersion, changes
from services.registration.repositories import RegistrationUnitOfWork
from shared.errors import NotFound
from shared.security import Caller


class Compared(NamedTuple):
    """A version, and what it says otherwise than the one before it; nothing of the first one."""

    version: SentVersion
    changes: list[Change]


async def read_versions(
    uow: RegistrationUnitOfWork, id: str, *, by: Caller, after: int = 0, limit: int = 50
) -> list[Compared]:
    """The versions numbered above `after`, oldest first, the one in force last; raises `NotFound`."""
    registration = await uow.registrations.get_visible_to(by, id)
    # The one before the first of the page is there to be compared with.
    found = await uow.sent_versions.of(id, from_number=max(after, 1), limit=limit + 1)
    now = registration.as_sent()
    # It may have been amended since it was read: then what it said is among the earlier ones by now.
    if len(found) <= limit and now.number > (found[-1].number if found else after - 1):
        found.append(now)
    compared = [
        Compared(second, changes(first.submission, second.submission)) for first, second in pairwise(found)
    ]
    if after == 0 and found:
        compared.insert(0, Compared(found[0], []))
    return compared[:limit]


async def read_version(uow: RegistrationUnitOfWork, id: str, number: int, *, by: Caller) -> Compared:
    """The version of that number; raises `NotFound`."""
    for compared in await read_versions(uow, id, by=by, after=number - 1, limit=1):
        return compared
    raise NotFound(f"There is no version {number} of registration {id}.")
