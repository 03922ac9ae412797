"""Where the read model is kept, and the unit of work that has it."""

from __future__ import annotations

from typing import Final, TypeVar

from services.console.domain.exchange import Exchange
from services.console.domain.gatherings import GroupEvent, Payment, Plan
from services.console.domain.happening import Happening
from services.console.domain.registration import Registration
from services.console.signing_in.sessions import prepare_sessions
from shared.aggregate import Aggregate
from shared.contracts.envelope import now
from shared.erasure import Erasures, prepare_erasures
from shared.storage.driver import Database
from shared.storage.store import Store
from shared.storage.unit_of_work import Clock, Repository, UnitOfWork

A = TypeVar("A", bound=Aggregate)

READ_MODEL: Final[tuple[type[Aggregate], ...]] = (
    Registration,
    Exchange,
    GroupEvent,
    Plan,
    Payment,
    Happening,
)
"""All that is folded from events; happenings last: what one of them stands for is in the others."""

_INDEXES: Final[dict[type[Aggregate], tuple[tuple[tuple[str, int], ...], ...]]] = {
    Registration: (
        (("seen_by", 1), ("changed_at", -1), ("_id", -1)),
        (("seen_by", 1), ("submitted_at", -1), ("_id", -1)),
        (("seen_by", 1), ("name_key", 1), ("_id", 1)),
        (("seen_by", 1), ("state", 1)),
        (("words", 1),),
        (("waits_for", 1),),
    ),
    Exchange: (
        (("seen_by", 1), ("changed_at", -1), ("_id", -1)),
        (("seen_by", 1), ("match.first_day", -1), ("_id", -1)),
        (("seen_by", 1), ("step", 1)),
        (("words", 1),),
        (("waits_for", 1),),
    ),
    GroupEvent: ((("seen_by", 1), ("first_day", -1)), (("host.registration_id", 1),)),
    Plan: ((("seen_by", 1), ("_id", -1)),),
    Payment: ((("seen_by", 1), ("_id", -1)), (("waits_for", 1),)),
    Happening: (
        (("cases", 1), ("at", -1), ("_id", -1)),
        (("seen_by", 1), ("at", -1), ("_id", -1)),
        (("actor", 1), ("at", -1), ("_id", -1)),
        (("type", 1), ("at", -1), ("_id", -1)),
    ),
}
_SPARSE: Final[dict[str, tuple[str, ...]]] = {
    "flow": ("flow", "run_by", "counted_for"),
    "counted_for": ("counted_for",),
    "match.plan_id": ("match.plan_id",),
    "match.group_event_id": ("match.group_event_id",),
}
"""Fields that few exchanges have, and the index over those that do."""


class Folded(Repository[A]):
    """Documents of one kind, begun when the first event about one comes."""

    async def of(self, id: str) -> A:
        """The document of that id, a new one if nothing has been heard of it."""
        found = await self.find(id)
        if found is None:
            found = self.model(id=id)
            self.add(found)
        return found


class Registrations(Folded[Registration]):
    """Registrations, and whatever else events name as one."""

    model = Registration


class Exchanges(Folded[Exchange]):
    """Matches with all that came of them."""

    model = Exchange


class GroupEvents(Folded[GroupEvent]):
    """Group events."""

    model = GroupEvent

    async def hosted_by(self, registration_id: str) -> list[GroupEvent]:
        """Those whose host's registration it is, new ones of this unit of work too."""
        found = await self._uow.query(GroupEvent, {"host.registration_id": registration_id})
        new = [
            one
            for one in self._uow.at_hand(GroupEvent)
            if one.host and one.host.registration_id == registration_id
        ]
        return list({one.id: one for one in (*found, *new)}.values())

    async def listing(self, registration_id: str) -> list[GroupEvent]:
        """Those that have it on their list, or had."""
        return await self._uow.query(GroupEvent, {f"listed.{registration_id}": {"$exists": True}})


class Plans(Folded[Plan]):
    """Published plans."""

    model = Plan


class Payments(Folded[Payment]):
    """Payments."""

    model = Payment


class Happenings(Repository[Happening]):
    """What happened, one entry an event."""

    model = Happening

    async def about(self, id: str) -> list[Happening]:
        """All of a case, new ones of this unit of work too."""
        found = await self._uow.query(Happening, {"cases": id})
        new = [one for one in self._uow.at_hand(Happening) if id in one.cases]
        return list({one.id: one for one in (*found, *new)}.values())


class ConsoleUnitOfWork(UnitOfWork):
    """One transaction of the console."""

    def __init__(self, store: Store, *, clock: Clock = now) -> None:
        super().__init__(store, service="console", clock=clock)
        self.erasures = Erasures(self)
        self.registrations = Registrations(self)
        self.exchanges = Exchanges(self)
        self.group_events = GroupEvents(self)
        self.plans = Plans(self)
        self.payments = Payments(self)
        self.happenings = Happenings(self)


async def prepare_read_model(database: Database, suffix: str = "") -> None:
    """Make the indexes of the read model, or of one in the making whose collections end with `suffix`."""
    for model, indexes in _INDEXES.items():
        for fields in indexes:
            await database[model.COLLECTION + suffix].create_index(list(fields))
    for field, over in _SPARSE.items():
        await database[Exchange.COLLECTION + suffix].create_index(
            [(one, 1) for one in over], partialFilterExpression={field: {"$gt": ""}}, name=f"with {field}"
        )


async def prepare_console(database: Database) -> None:
    """Make the indexes of the read model and of sessions; safe to call again and at once."""
    await prepare_read_model(database)
    await prepare_erasures(database)
    await prepare_sessions(database)
