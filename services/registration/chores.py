"""Work that comes due by the passing of time; of all workers one does it, beside the event flow."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from prometheus_client import Counter

from services.registration.bootstrap import Registering
from services.registration.cvs.keeping import BUCKET
from services.registration.domain.draft import Draft
from services.registration.domain.interest import InterestPolicy
from services.registration.domain.registration import CLOSED, OPEN, Registration
from services.registration.importer import let_go_of_imports
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.check_interest import check_interest
from services.registration.use_cases.discard_draft import discard_forgotten_drafts
from services.registration.use_cases.erase_registration import erase_by_time, forget_again
from shared.storage.driver import Collection, Document
from shared.storage.files import Files
from shared.storage.lease import Lease
from shared.storage.transactions import worth_another_try

_log = structlog.get_logger(__name__)

ROUNDS = Counter("cxc_chore_rounds", "Rounds of periodic work, by how they ended", ["chore", "outcome"])

LOOK_EVERY_S: Final = 5.0
"""Less than a lease lasts, so that the worker that has it keeps it."""
AT_ONCE: Final = 50
"""Cases in one transaction: few, so that it is short and hardly ever in the way of the event flow."""
IN_A_ROUND: Final = 10_000
"""Cases one round finds at the most; the next round finds the others."""

_ERASED_LATELY: Final = timedelta(minutes=10)
"""What ran at the moment of an erasure, unseen by it, has ended long before that."""

_UPLOADED_LATELY: Final = timedelta(days=1)
"""A file younger than that may belong to a request that is not committed yet."""

Find = Callable[[Registering, datetime], Awaitable[list[str]]]
"""The ids of what is due at that moment; what cannot be done now may be among them again and again."""
Do = Callable[[RegistrationUnitOfWork, Sequence[str]], Awaitable[object]]
"""Does what is due with these, in one transaction, having looked again whether it still is."""


@dataclass(frozen=True)
class Chore:
    """Something to be done again and again; `do_round` does all that is due at the moment."""

    name: str
    every: timedelta
    do_round: Callable[[Round], Awaitable[None]]


@dataclass
class Round:
    """One round of a chore, by the worker that has the lease."""

    chore: str
    registering: Registering
    lease: Lease
    stopping: asyncio.Event

    @property
    def now(self) -> datetime:
        """The present moment of the service's clock."""
        return self.registering.clock()

    async def goes_on(self) -> bool:
        """Whether there is still time, and the lease still ours; to be asked now and then in a long round."""
        return not self.stopping.is_set() and await self.lease.hold()

    async def for_all(self, find: Find, do: Do) -> None:
        """Do it with all that are found, some in each transaction; one that fails is logged and left.

        Raises what the database raises while it is away: whatever is not done is found again.
        """
        due = await find(self.registering, self.now)
        for start in range(0, len(due), AT_ONCE):
            if not await self.goes_on():
                return
            await self._do(do, due[start : start + AT_ONCE])

    async def _do(self, do: Do, ids: Sequence[str]) -> None:
        try:
            await self.registering.transactions.run(lambda uow: do(uow, ids))
        except Exception as error:
            if worth_another_try(error):
                raise
            if len(ids) == 1:
                _log.error("chore_left_undone", chore=self.chore, id=ids[0], exc_info=error)
                return
            for id in ids:
                await self._do(do, [id])


async def ids_of(collection: Collection, where: Document, **how: Any) -> list[str]:
    """The ids of the documents that match, at most as many as one round takes."""
    cursor = collection.find(where, {"_id": 1}, limit=IN_A_ROUND, **how)
    return [document["_id"] async for document in cursor]


def stored(moment: datetime) -> str:
    """A moment to compare stored ones with; those of the same second count as earlier."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# ── the chores ───────────────────────────────────────────────────────────────────────────────


def silent(policy: InterestPolicy, at: datetime) -> Document:
    """The open registrations that may be due to be asked, reminded or let go; the index has them together."""
    not_asked = {"interest.asked_at": None}
    not_reminded = {
        "interest.reminded_at": None,
        "interest.asked_at": {"$lte": stored(at - policy.remind_after)},
    }
    reminded = {"interest.reminded_at": {"$lte": stored(at - policy.lapse_after + policy.remind_after)}}
    return {
        "state": {"$in": sorted(OPEN)},
        "interest.since": {"$lte": stored(at - policy.ask_after)},
        "$or": [not_asked, not_reminded, reminded],
    }


async def _check_interest(round: Round) -> None:
    policy = round.registering.settings.interest

    async def find(registering: Registering, at: datetime) -> list[str]:
        return await ids_of(registering.database[Registration.COLLECTION], silent(policy, at))

    await round.for_all(find, lambda uow, ids: check_interest(uow, ids, policy=policy))


async def _erase_closed(round: Round) -> None:
    closed_before = round.now - timedelta(days=round.registering.settings.closed_days)

    async def closed(registering: Registering, at: datetime) -> list[str]:
        untouched = {"$not": {"$elemMatch": {"at": {"$gte": stored(closed_before)}}}}
        return await ids_of(
            registering.database[Registration.COLLECTION],
            {"state": {"$in": sorted(CLOSED)}, "erased_at": None, "history": untouched},
        )

    await round.for_all(closed, lambda uow, ids: erase_by_time(uow, ids, closed_before=closed_before))


async def _forget_again(round: Round) -> None:
    async def lately(registering: Registering, at: datetime) -> list[str]:
        since = {"$type": "string", "$gte": stored(at - _ERASED_LATELY)}
        return await ids_of(registering.database[Registration.COLLECTION], {"erased_at": since})

    await round.for_all(lately, forget_again)


async def _discard_drafts(round: Round) -> None:
    before = round.now - timedelta(days=round.registering.settings.draft_days)

    async def forgotten(registering: Registering, at: datetime) -> list[str]:
        drafts = registering.database[Draft.COLLECTION]
        return await ids_of(drafts, {"saved_at": {"$lt": stored(before)}})

    await round.for_all(forgotten, lambda uow, ids: discard_forgotten_drafts(uow, ids, saved_before=before))


async def _let_go_of_imports(round: Round) -> None:
    await let_go_of_imports(round.registering, round.now)


async def _sweep_cvs(round: Round) -> None:
    files = Files(round.registering.database, BUCKET)
    registrations = round.registering.database[Registration.COLLECTION]
    before = round.now - _UPLOADED_LATELY
    old = await files.older_than(before)
    for start in range(0, len(old), 1000):
        if not await round.goes_on():
            return
        some = old[start : start + 1000]
        pointed_to = set(await registrations.distinct("cv.file_id", {"cv.file_id": {"$in": some}}))
        await files.delete(id for id in some if id not in pointed_to)
    await files.delete_torn(before)


CHORES: Final = [
    Chore("imports", timedelta(hours=1), _let_go_of_imports),
    Chore("interest", timedelta(minutes=1), _check_interest),
    Chore("drafts", timedelta(minutes=10), _discard_drafts),
    Chore("cvs", timedelta(hours=1), _sweep_cvs),
    Chore("erase closed", timedelta(hours=1), _erase_closed),
    Chore("forget again", timedelta(minutes=1), _forget_again),
]


# ── the companion ────────────────────────────────────────────────────────────────────────────


async def do_chores(
    registering: Registering,
    stopping: asyncio.Event,
    *,
    chores: Sequence[Chore] = CHORES,
    look_every_s: float = LOOK_EVERY_S,
) -> None:
    """The worker's companion: do each chore when its time has come, for as long as the lease is ours."""
    lease = Lease("chores", registering.database)
    next_round = dict.fromkeys((chore.name for chore in chores), float("-inf"))
    try:
        while not stopping.is_set():
            for chore in chores:
                if time.monotonic() < next_round[chore.name]:
                    continue
                round = Round(chore.name, registering, lease, stopping)
                try:
                    if not await round.goes_on():
                        break
                    await chore.do_round(round)
                    ROUNDS.labels(chore.name, "done").inc()
                except Exception as error:  # noqa: BLE001 - said below
                    if worth_another_try(error):
                        _log.warning("chore_put_off", chore=chore.name, error=repr(error))
                        ROUNDS.labels(chore.name, "put_off").inc()
                        break
                    # A chore that fails must not end the worker, nor keep the others from being done.
                    _log.error("chore_failed", chore=chore.name, exc_info=error)
                    ROUNDS.labels(chore.name, "failed").inc()
                next_round[chore.name] = time.monotonic() + chore.every.total_seconds()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), look_every_s)
    finally:
        await lease.let_go()
