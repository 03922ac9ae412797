"""Letting go of personal data in a service that only hears of registrations, and keeping them gone.

The registration service erases a registration and says so in one event. Other events that name it may
arrive later, from another topic or out of the dead letters: a service notes each erasure for good, and
takes what still comes without the data that are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Protocol, Self, TypeVar

import structlog
from pydantic import BaseModel

from shared.aggregate import Aggregate
from shared.contracts.common import ERASED, Party
from shared.contracts.envelope import now
from shared.storage.driver import Database
from shared.storage.transactions import Transactions, worth_another_try
from shared.storage.unit_of_work import Repository

_log = structlog.get_logger(__name__)

M = TypeVar("M", bound=BaseModel)

LOOK_AGAIN_EVERY_S: Final = 2.0
_AT_ONCE: Final = 100
SETTLED_AFTER: Final = timedelta(minutes=2)
"""No transaction lives that long: what it could have stored unseen is there by then."""


class Erasure(Aggregate):
    """A registration whose personal data this service has let go of; its id is the registration's."""

    COLLECTION: ClassVar[str] = "erasures"

    at: datetime
    looked: bool = False
    """What ran at the same moment has been looked for, at first."""
    settled: bool = False
    """Nothing that ran at the same moment can have missed it any more."""

    @classmethod
    def of(cls, registration_id: str, at: datetime) -> Self:
        """The erasure of that registration, heard of at this moment."""
        erasure = cls(id=registration_id, at=at)
        erasure._touch()
        return erasure

    def look_again(self, at: datetime) -> None:
        """What ran at the same moment was looked for; the second time, after a while, is the last."""
        self.looked = True
        self.settled = at - self.at >= SETTLED_AFTER
        self._touch()


class Erasures(Repository[Erasure]):
    """The erasures this service has heard of."""

    model = Erasure

    async def note(self, registration_id: str, at: datetime) -> None:
        """Remember it for good; a second time changes nothing."""
        if await self.find(registration_id) is None:
            self.add(Erasure.of(registration_id, at))

    async def among(self, registration_ids: Iterable[str]) -> frozenset[str]:
        """Which of these registrations are erased; does not wait for those looked for before."""
        return frozenset(erasure.id for erasure in await self.get_all(registration_ids))


async def prepare_erasures(database: Database) -> None:
    """Make the index of the erasures that are to be looked at again; safe to call again and at once."""
    await database[Erasure.COLLECTION].create_index(
        "settled", partialFilterExpression={"settled": False}, name="unsettled"
    )


def without_data_of(told: M, erased: Collection[str]) -> M:
    """An event, or part of one, without the personal data of these registrations.

    Their parties are blanked wherever they stand, and their names and addresses in every text, such
    as the reason of a match that ended.
    """
    if not erased:
        return told
    parties = [party for party in _parties_in(told) if party.registration_id in erased]
    words = sorted(
        {word for party in parties for word in (party.organisation, party.email) if word and word != ERASED},
        key=len,
        reverse=True,
    )
    return _blanked(told, frozenset(erased), words) if parties else told


def _parties_in(value: Any) -> Iterator[Party]:
    if isinstance(value, Party):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _parties_in(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from _parties_in(item)


def _blanked(value: Any, erased: frozenset[str], words: list[str]) -> Any:
    if isinstance(value, Party):
        return value.erased() if value.registration_id in erased else value
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        return value.model_copy(
            update={name: _blanked(field, erased, words) for name, field in fields.items()}
        )
    if isinstance(value, list):
        return [_blanked(item, erased, words) for item in value]
    if isinstance(value, dict):
        return {name: _blanked(item, erased, words) for name, item in value.items()}
    if type(value) is str:
        return without_words(value, words)
    return value


def without_words(text: str, words: Iterable[str]) -> str:
    """The text with each of these words blanked."""
    pattern = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)
    return re.sub(pattern, ERASED, text) if pattern else text


class _Root(Protocol):
    @property
    def database(self) -> Database: ...
    @property
    def transactions(self) -> Transactions[Any]: ...


async def keep_erased(
    root: _Root, stopping: asyncio.Event, erase: Callable[[Any, str], Awaitable[None]]
) -> None:
    """Erase once more what was erased a moment ago, until nothing can have been stored unseen.

    A transaction that began before an erasure was committed does not see it, and what it stores is
    not seen by the erasure: two that run at the same moment write different documents. So each is
    looked at twice: at once, when most of that is there, and when all of it is. Runs beside the lanes
    for as long as the worker; `erase` may be called for the same registration again.
    """
    while not stopping.is_set():
        try:
            await _look_again(root, erase)
        except Exception as error:
            if not worth_another_try(error):
                raise
            _log.warning("erasures_not_looked_at", error=repr(error)[:300])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), LOOK_AGAIN_EVERY_S)


async def _look_again(root: _Root, erase: Callable[[Any, str], Awaitable[None]]) -> None:
    long_ago = (now() - SETTLED_AFTER).isoformat(timespec="seconds").removesuffix("+00:00")
    due = {"settled": False, "$or": [{"looked": False}, {"at": {"$lt": long_ago}}]}
    found = await root.database[Erasure.COLLECTION].find(due, {"_id": 1}).limit(_AT_ONCE).to_list(None)
    for document in found:

        async def again(uow: Any, id: str = document["_id"]) -> None:
            await erase(uow, id)
            if (erasure := await uow.find(Erasure, id)) is not None:
                erasure.look_again(uow.now)

        try:
            await root.transactions.run(again)
        except Exception as error:
            if worth_another_try(error):
                raise
            # One that fails must not keep the others from being looked at.
            _log.error("erasure_failed", registration=document["_id"], exc_info=error)
