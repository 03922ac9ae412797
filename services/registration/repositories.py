"""What the registration service stores, and its unit of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import chain
from types import MappingProxyType
from typing import Any, Final

from services.registration.domain.audit import Action, AuditEntry
from services.registration.domain.decision import Decision, DecisionKind
from services.registration.domain.draft import Draft
from services.registration.domain.duplicate import Duplicate, DuplicateState, Search
from services.registration.domain.merge import Merge
from services.registration.domain.registration import CLOSED, OPEN, Registration, listed
from services.registration.domain.rule_sets import RuleSets
from services.registration.domain.spreadsheet_import import UNFINISHED, ImportedRows, SpreadsheetImport
from services.registration.domain.versions import MAX_NUMBER, SentVersion, version_id
from services.registration.domain.visit import Visit
from services.registration.filters import ALL, Cursor, Order, RegistrationFilter, day_after
from shared.contracts.envelope import new_id, now
from shared.errors import Forbidden, NotFound
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

    async def all_visible_to(self, caller: Caller, ids: Sequence[str]) -> list[Registration]:
        """Those of these that the caller may see, in the order asked for."""
        return [registration for registration in await self.get_all(ids) if _sees(caller, registration)]

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


class SentVersions(Repository[SentVersion]):
    """What registrations said before they were amended."""

    model = SentVersion

    async def of(self, registration_id: str, *, from_number: int = 1, limit: int = 0) -> list[SentVersion]:
        """The earlier versions of the registration from that number on, the oldest first."""
        last = version_id(registration_id, MAX_NUMBER)
        where = {"_id": {"$gte": version_id(registration_id, from_number), "$lte": last}}
        return await self._uow.query(SentVersion, where, sort=[("_id", 1)], limit=limit)


class Visits(Repository[Visit]):
    """The once-only register."""

    model = Visit

    async def used_for(self, match_id: str) -> list[Visit]:
        """The visits a match uses, whatever its visitor is called by now."""
        return await self._uow.query(Visit, {"uses.match_id": match_id})

    async def used_by(self, registration_id: str) -> list[Visit]:
        """The visits matches of this registration use."""
        return await self._uow.query(Visit, {"uses.registration_id": registration_id})


class Drafts(Repository[Draft]):
    """What people have begun to fill in."""

    model = Draft

    async def get_of(self, caller: Caller, id: str) -> Draft:
        """The caller's draft; raises `NotFound`, as for one of somebody else's."""
        found = await self._uow.query(Draft, {"_id": id, **_drafts_of(caller)})
        if not found:
            raise NotFound(f"There is no draft {id}, or none of yours; one that was sent is a registration.")
        return found[0]

    async def page(self, of: Caller, *, after: str | None, limit: int) -> list[Draft]:
        """The caller's drafts, in the order they were begun, from after `after`."""
        return await self._page(_drafts_of(of), after=after, limit=limit)


def _drafts_of(caller: Caller) -> Document:
    match caller.role:
        case CallerRole.PARTICIPANT:
            return {"owner": caller.organisation}
        case CallerRole.STAFF | CallerRole.EXTERNAL:
            return {"owner": None, "by": caller.subject}
        case CallerRole.SUPPORT_OFFICE | CallerRole.AUDITOR:
            return {"_id": {"$in": []}}


class Duplicates(Repository[Duplicate]):
    """Pairs of registrations that may be of one organisation."""

    model = Duplicate

    async def get_visible_to(self, caller: Caller, id: str) -> Duplicate:
        """The pair; raises `NotFound` also when the caller may not see it."""
        pair = await self.find(id)
        if pair is None or not (caller.sees_everything or caller.is_staff_of(*pair.partnerships)):
            raise NotFound(f"There is no pair of lookalikes {id}, or none you may see.")
        return pair

    async def of(self, *registration_ids: str, limit: int = 0) -> list[Duplicate]:
        """The pairs one of these registrations is in, the most alike first; all of them without a limit."""
        where = {"registrations": {"$in": list(registration_ids)}}
        return await self._uow.query(Duplicate, where, sort=_MOST_ALIKE, limit=limit)

    async def open_about(self, registration_ids: Sequence[str]) -> list[Duplicate]:
        """Pairs nobody has decided yet that one of these registrations is in."""
        where = {"registrations": {"$in": list(registration_ids)}, "state": DuplicateState.OPEN}
        return await self._uow.query(Duplicate, where, sort=_MOST_ALIKE)

    async def page(
        self,
        visible_to: Caller,
        *,
        state: DuplicateState | None = None,
        least: int = 0,
        partnership: str | None = None,
        behind: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> list[Duplicate]:
        """Those the caller may see and the filters leave, the most alike first.

        `behind`: score and id of the last one of the page before.
        """
        where = _all_of(
            {} if visible_to.sees_everything else {"partnerships": visible_to.partnership},
            {"state": state} if state is not None else {},
            {"score": {"$gte": least}} if least else {},
            {"partnerships": partnership} if partnership is not None else {},
            {"$or": [{"score": {"$lt": behind[0]}}, {"score": behind[0], "_id": {"$gt": behind[1]}}]}
            if behind is not None
            else {},
        )
        return await self._uow.query(Duplicate, where, sort=_MOST_ALIKE, limit=limit)


_MOST_ALIKE: Final = [("score", -1), ("_id", 1)]


class Merges(Repository[Merge]):
    """What staff found to be one organisation, undone findings included."""

    model = Merge

    async def of(self, registration_id: str) -> list[Merge]:
        """All findings about this registration."""
        return await self._uow.query(Merge, {"registrations": registration_id})


class Searches(Repository[Search]):
    """For which registrations lookalikes were searched."""

    model = Search


class Decisions(Repository[Decision]):
    """What staff decided, about one registration or many."""

    model = Decision

    async def get_visible_to(self, caller: Caller, id: str) -> Decision:
        """The decision; raises `NotFound` also when the caller may not see it."""
        decision = await self.find(id)
        if decision is None or not (caller.sees_everything or caller.is_staff_of(decision.partnership)):
            raise NotFound(f"There is no decision {id}, or none you may see.")
        return decision

    async def page(
        self,
        visible_to: Caller,
        *,
        kind: DecisionKind | None = None,
        by: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[Decision]:
        """Those the caller may see and the filters leave, the newest first, from behind `after`.

        Raises `Forbidden` for those who decide nothing.
        """
        where = _all_of(
            _overseen_by(visible_to, "partnership"),
            {"kind": kind} if kind is not None else {},
            {"by": by} if by is not None else {},
            {"_id": {"$lt": after}} if after else {},
        )
        return await self._uow.query(Decision, where, sort=[("_id", -1)], limit=limit)


def _overseen_by(caller: Caller, field: str) -> Document:
    """What of all that staff do concerns the caller; raises `Forbidden` when nothing does."""
    if caller.sees_everything:
        return {}
    if caller.role is CallerRole.STAFF:
        return {field: caller.partnership}
    raise Forbidden("What staff decide and do is for staff, the support office and auditors to see.")


class Trail(Repository[AuditEntry]):
    """The audit trail."""

    model = AuditEntry

    def note(
        self,
        by: Caller,
        action: Action,
        *,
        registration_id: str | None = None,
        decision_id: str | None = None,
        partnership: str | None = None,
        why: str = "",
        before: Mapping[str, Any] = MappingProxyType({}),
        after: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Write down what a person does, to be stored with what it changes or not at all.

        `partnership` has the case; its staff read the entry, and those of the partnership the person
        works for, and of a `partnership` named in `before` and `after`. `before` and `after` are JSON.
        """
        concerned = (partnership, by.partnership, before.get("partnership"), after.get("partnership"))
        entry = AuditEntry(
            id=new_id(),
            version=1,
            at=self._uow.now,
            by=by.subject,
            role=by.role,
            partnership=by.partnership,
            action=action,
            registration_id=registration_id,
            decision_id=decision_id,
            why=why,
            before=dict(before),
            after=dict(after),
            seen_by=list(dict.fromkeys(one for one in concerned if one is not None)),
        )
        self.add(entry)

    async def page(
        self,
        visible_to: Caller,
        *,
        registration: str | None = None,
        decision: str | None = None,
        by: str | None = None,
        action: Action | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[AuditEntry]:
        """Those the caller may see and the filters leave, the newest first, from behind `after`.

        The days are whole ones of UTC. Raises `Forbidden` for those who decide nothing.
        """
        equal = {"registration_id": registration, "decision_id": decision, "by": by, "action": action}
        where = _all_of(
            _overseen_by(visible_to, "seen_by"),
            *({field: value} for field, value in equal.items() if value is not None),
            {"at": {"$gte": first_day.isoformat()}} if first_day else {},
            {"at": {"$lt": day_after(last_day)}} if last_day else {},
            {"_id": {"$lt": after}} if after else {},
        )
        return await self._uow.query(AuditEntry, where, sort=[("_id", -1)], limit=limit)

    async def of(self, registration_id: str) -> list[AuditEntry]:
        """All that was done with the registration, the oldest first."""
        return await self._uow.query(AuditEntry, {"registration_id": registration_id}, sort=[("_id", 1)])

    async def forget(self, registration_id: str) -> None:
        """Let go of the words about a registration that is erased."""
        for entry in await self.of(registration_id):
            entry.forget()


class Imports(Repository[SpreadsheetImport]):
    """The spreadsheets that were sent."""

    model = SpreadsheetImport

    async def get_visible_to(self, caller: Caller, id: str) -> SpreadsheetImport:
        """The import; raises `NotFound` also when the caller may not see it."""
        found = await self._uow.query(SpreadsheetImport, _all_of({"_id": id}, _imports_visible_to(caller)))
        if not found:
            raise NotFound(f"There is no import {id}, or none you may see.")
        return found[0]

    async def page(self, visible_to: Caller, *, after: str | None, limit: int) -> list[SpreadsheetImport]:
        """Those the caller may see, the newest first, from behind `after`."""
        where = _all_of(_imports_visible_to(visible_to), {"_id": {"$lt": after}} if after else {})
        return await self._uow.query(SpreadsheetImport, where, sort=[("_id", -1)], limit=limit)

    async def count_unfinished(self, sent_by: Caller) -> int:
        """How many of those the caller sees are not finished."""
        return await self._uow.count(
            SpreadsheetImport, _all_of(_imports_visible_to(sent_by), {"state": {"$in": list(UNFINISHED)}})
        )


def _imports_visible_to(caller: Caller) -> Document:
    match caller.role:
        case CallerRole.SUPPORT_OFFICE | CallerRole.AUDITOR:
            return {}
        case CallerRole.STAFF:
            return {"role": caller.role, "partnership": caller.partnership}
        case CallerRole.EXTERNAL:
            return {"role": caller.role, "by": caller.subject}
        case CallerRole.PARTICIPANT:
            return {"_id": {"$in": []}}


class RowsOfImports(Repository[ImportedRows]):
    """What became of the rows of imports."""

    model = ImportedRows

    async def next_of(
        self, import_id: str, *, after: str = "", only_faulty: bool = False
    ) -> ImportedRows | None:
        """The next rows of that import behind those of the id `after`, in the order of the file."""
        where: Document = {"import_id": import_id, "_id": {"$gt": after}}
        if only_faulty:
            where["has_faulty"] = True
        found = await self._uow.query(ImportedRows, where, sort=[("_id", 1)], limit=1)
        return found[0] if found else None

    async def about(self, registration: Registration) -> list[ImportedRows]:
        """Those with rows that a registration was sent by, faulty ones included."""
        origin = registration.origin
        about: list[Document] = [
            {"outcomes.registration_id": registration.id},
            {"outcomes.key": registration.id},
            {"source": origin.source, "outcomes.key": origin.reference},
        ]
        return await self._uow.query(ImportedRows, {"$or": about})

    async def forget(self, registration: Registration) -> None:
        """Let go of what rows said of a registration that is erased."""
        for rows in await self.about(registration):
            rows.forget(registration.id, registration.origin)


class RegistrationUnitOfWork(UnitOfWork):
    """One transaction of the registration service, with the policies that decide in it."""

    def __init__(
        self,
        store: Store,
        *,
        rules: RuleSets,
        partnerships: Partnerships,
        undo_for: timedelta = timedelta(hours=1),
        clock: Clock = now,
    ) -> None:
        super().__init__(store, service="registration", clock=clock)
        self.rules = rules
        self.partnerships = partnerships
        self.registrations = Registrations(self)
        self.sent_versions = SentVersions(self)
        self.drafts = Drafts(self)
        self.visits = Visits(self)
        self.undo_for = undo_for
        self.decisions = Decisions(self)
        self.trail = Trail(self)
        self.duplicates = Duplicates(self)
        self.merges = Merges(self)
        self.searches = Searches(self)
        self.imports = Imports(self)
        self.imported_rows = RowsOfImports(self)


async def list_older(database: Database) -> None:
    """Let those stored before lists could be sorted be found by them too; safe to call again and at once."""
    registrations = database[Registration.COLLECTION]
    without: Document = {"listed": None}
    told = {"history": {"$slice": 1}, "party.organisation": 1}
    async for older in registrations.find(without, told):
        at = datetime.fromisoformat(older["history"][0]["at"])
        update = {"$set": {"listed": listed(at, older["party"]["organisation"])}}
        await registrations.update_one({"_id": older["_id"], **without}, update)


async def make_indexes(database: Database) -> None:
    """The indexes of this service's lists; safe to call again and at once."""
    registrations = database[Registration.COLLECTION]
    await registrations.create_index([("party.partnership", 1), ("state", 1), ("_id", 1)])
    await registrations.create_index([("party.owner", 1), ("_id", 1)])
    await registrations.create_index([("origin.by", 1), ("_id", 1)])
    # Each registration enters this index once, at its end: moments only grow.
    await registrations.create_index(
        "interest.since", partialFilterExpression={"state": {"$in": sorted(OPEN)}}, name="silent"
    )
    await registrations.create_index("cv.file_id", sparse=True)
    await database[Decision.COLLECTION].create_index([("partnership", 1), ("_id", -1)])
    visits = database[Visit.COLLECTION]
    await visits.create_index("uses.match_id")
    drafts = database[Draft.COLLECTION]
    await drafts.create_index([("owner", 1), ("by", 1), ("_id", 1)])
    await drafts.create_index("saved_at")
    trail = database[AuditEntry.COLLECTION]
    await trail.create_index([("seen_by", 1), ("_id", -1)])
    await trail.create_index([("registration_id", 1), ("_id", -1)])
    imports = database[SpreadsheetImport.COLLECTION]
    await imports.create_index([("state", 1), ("_id", 1)])
    await imports.create_index([("partnership", 1), ("_id", -1)])
    await imports.create_index([("by", 1), ("_id", -1)])
    imported = database[ImportedRows.COLLECTION]
    await imported.create_index([("import_id", 1), ("has_faulty", 1), ("_id", 1)])
    await database[Merge.COLLECTION].create_index("registrations")
    await registrations.create_index(
        [("state", 1), ("erased_at", 1)],
        partialFilterExpression={"state": {"$in": sorted(CLOSED)}},
        name="closed",
    )
    await registrations.create_index(
        "erased_at", partialFilterExpression={"erased_at": {"$type": "string"}}, name="erased"
    )
    duplicates = database[Duplicate.COLLECTION]
    await duplicates.create_index("registrations")
    await database[Visit.COLLECTION].create_index("uses.registration_id")
    await duplicates.create_index([("partnerships", 1), ("score", -1), ("_id", 1)])
    await duplicates.create_index([("score", -1), ("_id", 1)])
