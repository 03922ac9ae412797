"""What the registration service stores, and its unit of work."""

from __future__ import annotations

from itertools import chain

from services.registration.domain.registration import Registration
from services.registration.domain.rule_sets import RuleSets
from services.registration.domain.visit import Visit
from services.registration.filters import ALL, Cursor, Order, RegistrationFilter
from shared.contracts.envelope import now
from shared.errors import NotFound
from shared.partnerships import Partnerships
from shared.security import Caller, CallerRole
from shared.storage.driver import Database, Document
from shared.storage.store import Store
from shared.storage.unit_of_work import Clock, Repository, UnitOfWork


class Registrations(Repository[Registration]):
    """All registrations."""

    model = Registration

    async def get_visible_to(self, caller: Caller, id: str) -> Registration:
        """The registration; raises `NotFound` also when the caller may not see it."""
        registration = await self.find(id)
        if registration is None or not _sees(caller, registration):
            raise NotFound(f"There is no registration {id}, or none you may see.")
        return registration

    async def page(
        self,
        visible_to: Caller,
        wanted: RegistrationFilter = ALL,
        *,
        order: Order = Order.ID,
        after: Cursor | None = None,
        limit: int = 50,
    ) -> list[Registration]:
        """Those the caller may see and the filter leaves, in that order, from behind `after`."""
        behind = [after.where()] if after is not None else []
        where = _all_of(_visible_to(visible_to), *wanted.where(), *order.where(), *behind)
        return await self._uow.query(Registration, where, sort=order.sort, limit=limit)

    async def count(self, visible_to: Caller, *wanted: RegistrationFilter) -> int:
        """How many the caller may see and all of the filters leave."""
        where = _all_of(_visible_to(visible_to), *chain.from_iterable(one.where() for one in wanted))
        return await self._uow.count(Registration, where)


def _all_of(*conditions: Document) -> Document:
    asked = [condition for condition in conditions if condition]
    return {"$and": asked} if asked else {}


def _visible_to(caller: Caller) -> Document:
    match caller.role:
        case CallerRole.SUPPORT_OFFICE | CallerRole.AUDITOR:
            return {}
        case CallerRole.STAFF:
            return {"party.partnership": caller.partnership}
        case CallerRole.PARTICIPANT:
            return {"party.owner": caller.organisation}
        case CallerRole.EXTERNAL:
            return {"origin.by": caller.subject}


def _sees(caller: Caller, registration: Registration) -> bool:
    return (
        caller.sees_everything
        or caller.is_staff_of(registration.party.partnership)
        or caller.acts_for(registration.party.owner)
        or (caller.role is CallerRole.EXTERNAL and caller.subject == registration.origin.by)
    )


class Visits(Repository[Visit]):
    """The once-only register."""

    model = Visit


class RegistrationUnitOfWork(UnitOfWork):
    """One transaction of the registration service, with the policies that decide in it."""

    def __init__(
        self, store: Store, *, rules: RuleSets, partnerships: Partnerships, clock: Clock = now
    ) -> None:
        super().__init__(store, service="registration", clock=clock)
        self.rules = rules
        self.partnerships = partnerships
        self.registrations = Registrations(self)
        self.visits = Visits(self)


async def make_indexes(database: Database) -> None:
    """The indexes of this service's lists; safe to call again and at once."""
    registrations = database[Registration.COLLECTION]
    await registrations.create_index([("party.partnership", 1), ("state", 1), ("_id", 1)])
    await registrations.create_index([("party.owner", 1), ("_id", 1)])
    await registrations.create_index([("origin.by", 1), ("_id", 1)])
