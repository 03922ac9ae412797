"""What pages read of the read model, and the one place that decides who sees what of it."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, TypeVar

from services.console.case_rows import (
    ExchangeRow,
    Flow,
    Happening,
    Page,
    Progress,
    RegistrationRow,
    Wait,
    Waiting,
    exchange_row,
    happening_of,
    name_of,
    registration_row,
    wait_of,
)
from services.console.domain.exchange import Exchange
from services.console.domain.gatherings import GroupEvent, Payment, Plan
from services.console.domain.happening import Happening as Told
from services.console.domain.happening import match_of
from services.console.domain.registration import Registration
from services.console.domain.searching import words_of
from services.console.domain.waits import EVERYTHING, desk, owner
from services.console.people import Person
from shared.contracts.envelope import now
from shared.partnerships import Partnerships
from shared.security import CallerRole
from shared.storage.driver import Database, Document
from shared.storage.unit_of_work import Clock

R = TypeVar("R")

_ID: Final = re.compile(r"(grant-)?[0-9a-f-]{6,36}")
_NOBODY: Final[Document] = {"seen_by": {"$in": []}}
_MAILS: Final[Document] = {"type": {"$not": re.compile(r"^cxc\.notification\.")}}
_WITH_CASES: Final = (Registration, Exchange, Payment)
"""Where something may wait for somebody."""
_SORTS: Final[Mapping[str, str]] = {
    "changed": "changed_at",
    "submitted": "submitted_at",
    "name": "name_key",
    "first_day": "match.first_day",
    "at": "at",
}
_UNSHOWN: Final[Document] = {"words": 0, "said_at": 0, "match.said_at": 0, "grant.said_at": 0, "findings": 0}


def key_of(person: Person | None) -> str | None:
    """As whom somebody looks: `all`, a desk, an organisation, or nobody."""
    if person is None:
        return None
    caller = person.caller
    if caller.sees_everything:
        return EVERYTHING
    if caller.role is CallerRole.STAFF:
        return desk(caller.partnership)
    if caller.role is CallerRole.PARTICIPANT and caller.organisation:
        return owner(caller.organisation)
    return None


def visible_to(person: Person | None) -> Document:
    """The condition that every document shown to somebody meets."""
    key = key_of(person)
    return _NOBODY if key is None else {"seen_by": key}


class Cases:
    """The cases as pages read them; every method answers only what `person` may see.

    A participant sees its organisation's registrations and the exchanges they are one side of, never the
    other side's money; staff what concerns their partnership; the support office and auditors everything;
    nobody but them (`None`) sees a case.
    """

    def __init__(self, database: Database, partnerships: Partnerships, *, clock: Clock = now) -> None:
        self._database = database
        self._partnerships = partnerships
        self._clock = clock

    # ── lists ────────────────────────────────────────────────────────────────────────────────

    async def registrations(
        self,
        person: Person,
        *,
        search: str = "",
        state: Sequence[str] = (),
        verdict: Sequence[str] = (),
        country: str | None = None,
        kind: str | None = None,
        role: str | None = None,
        partnership: str | None = None,
        waiting: bool | None = None,
        sort: str = "-changed",
        after: str | None = None,
        limit: int = 50,
    ) -> Page[RegistrationRow]:
        """Registrations by words of the name, city or reference, or by id.

        `waiting`: only those that wait for whoever looks, or only others. `sort`: `name`, `submitted`,
        `changed`, with `-` the other way round.
        """
        where = [
            visible_to(person),
            *_found_by(search),
            *_one_of("state", state),
            *_one_of("verdict", verdict),
            *_is("party.country", country),
            *_is("party.kind", kind),
            *_is("roles", role),
            *_is("party.partnership", partnership),
            *self._waiting(person, waiting),
        ]
        found = await self._page(Registration.COLLECTION, where, sort, after, limit)
        return _as(found, lambda one: registration_row(one, self._waits(one, person)))

    async def exchanges(
        self,
        person: Person,
        *,
        search: str = "",
        state: Sequence[str] = (),
        step: Sequence[str] = (),
        country: str | None = None,
        visitor_country: str | None = None,
        host_country: str | None = None,
        partnership: str | None = None,
        registration: str | None = None,
        group_event: str | None = None,
        plan: str | None = None,
        waiting: bool | None = None,
        sort: str = "-changed",
        after: str | None = None,
        limit: int = 50,
    ) -> Page[ExchangeRow]:
        """Exchanges by words of either side's name or city, or by id.

        `state` is the match's, `step` how far the exchange is. `country`, `partnership`, `registration`: of
        either side.
        `sort`: `first_day`, `changed`, with `-` the other way round.
        """
        where = [
            visible_to(person),
            *_found_by(search),
            *_one_of("match.state", state),
            *_one_of("step", step),
            # How far the money is, is the visitor's business: nobody else finds out by asking for it.
            *(_is("visitor.owner", person.caller.organisation) if step and person.is_participant else []),
            *_is("visitor.country", visitor_country),
            *_is("host.country", host_country),
            *_is("match.group_event_id", group_event),
            *_is("match.plan_id", plan),
            *_of_either("country", country),
            *_of_either("registration_id", registration),
            *(_is("seen_by", desk(partnership)) if partnership else []),
            *self._waiting(person, waiting),
        ]
        found = await self._page(Exchange.COLLECTION, where, sort, after, limit)
        return _as(found, lambda one: self._exchange(one, person))

    # ── one case ─────────────────────────────────────────────────────────────────────────────

    async def registration(self, person: Person, id: str) -> RegistrationRow | None:
        """One registration; None also where the person may not see it."""
        found = await self._one(Registration.COLLECTION, person, id)
        return registration_row(found, self._waits(found, person)) if found else None

    async def exchange(self, person: Person, id: str) -> ExchangeRow | None:
        """One exchange by its match's or its grant's id; None also where the person may not see it."""
        found = await self._one(Exchange.COLLECTION, person, match_of(id))
        return self._exchange(found, person) if found else None

    async def case_of(self, person: Person, id: str) -> RegistrationRow | ExchangeRow | None:
        """Whatever case has this id: a registration's, a match's, a grant's."""
        return await self.registration(person, id) or await self.exchange(person, id)

    async def names(self, person: Person, ids: Iterable[str]) -> dict[str, str]:
        """What registrations, exchanges and group events are called, by their ids.

        Without those the person may not see.
        """
        where = {"_id": {"$in": list(set(ids))}, **visible_to(person)}
        shown = {"party.name": 1, "visitor.name": 1, "host.name": 1, "title": 1}
        found = await asyncio.gather(
            *(
                self._database[model.COLLECTION].find(where, shown).to_list(None)
                for model in (Registration, Exchange, GroupEvent)
            )
        )
        return {one["_id"]: name_of(one) for documents in found for one in documents}

    async def waits_in(self, person: Person, id: str) -> list[Wait]:
        """All that waits in a case the person may see, whoever has to act, the oldest first.

        An organisation that hosts is not told what waits about the visitor's money.
        """
        for collection in (Registration.COLLECTION, Exchange.COLLECTION):
            if found := await self._one(collection, person, match_of(id)):
                private = collection == Exchange.COLLECTION and not _sees_money(found, person)
                shown = ("proposal", "match", "commitment")
                waits = [one for one in found["waits"] if not private or one["kind"] in shown]
                return sorted((self._wait(one, found) for one in waits), key=lambda one: one.since)
        return []

    async def happenings_of(
        self, person: Person, id: str, *, mails: bool = False, after: str | None = None, limit: int = 200
    ) -> Page[Happening]:
        """What happened in a case the person may see, the newest first; to staff with `mails` too."""
        case = match_of(id)
        found = await asyncio.gather(
            *(
                self._one(model.COLLECTION, person, case)
                for model in (Registration, Exchange, GroupEvent, Plan, Payment)
            )
        )
        seen = next((one for one in found if one), None)
        if seen is None:
            return Page([], None)
        where: list[Document] = [{"cases": case}]
        if person.is_participant:
            shown = ["both", "visitor"] if "party" in seen or _sees_money(seen, person) else ["both"]
            where.append({"audience": {"$in": shown}})
        if not mails:
            where.append(_MAILS)
        return _as(await self._page(Told.COLLECTION, where, "-at", after, limit), happening_of)

    async def happenings(
        self,
        person: Person,
        *,
        actor: str | None = None,
        subject: str | None = None,
        type: Sequence[str] = (),
        mails: bool = True,
        first_day: date | None = None,
        last_day: date | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[Happening]:
        """What happened anywhere, for staff and overseers, the newest first.

        `subject`: the id of anything it is about. `actor`: `visitor`, `host`, `participant`, or the id of a
        partnership.
        """
        days = {
            **({"$gte": first_day.isoformat()} if first_day else {}),
            **({"$lt": (last_day + timedelta(days=1)).isoformat()} if last_day else {}),
        }
        where = [
            visible_to(person),
            *_is("cases", match_of(subject) if subject else None),
            *_is("actor", actor),
            *_one_of("type", type),
            *([{"at": days}] if days else []),
            *([] if mails else [_MAILS]),
        ]
        return _as(await self._page(Told.COLLECTION, where, "-at", after, limit), happening_of)

    # ── what waits, and how much of everything there is ──────────────────────────────────────

    async def waiting(
        self, person: Person, *, kind: str | None = None, after: str | None = None, limit: int = 50
    ) -> Page[Wait]:
        """What waits for the person's decision or action today, the oldest first.

        To the support office and auditors, what waits for any partnership.
        """
        waits = [wait for wait in await self._all_waiting(person, kind) if kind in (None, wait.kind)]
        if after:
            waits = [wait for wait in waits if _place_of(wait) > after]
        shown = waits[:limit]
        return Page(shown, _place_of(shown[-1]) if len(waits) > limit else None)

    async def waiting_by_kind(self, person: Person) -> list[Waiting]:
        """How much of each kind waits for the person today, the oldest first."""
        kinds: dict[str, list[Wait]] = defaultdict(list)
        for wait in await self._all_waiting(person):
            kinds[wait.kind].append(wait)
        return [Waiting(kind, len(waits), waits[0].since) for kind, waits in kinds.items()]

    async def counts(self, person: Person) -> dict[str, dict[str, int]]:
        """How many there are that the person sees: `registrations` by state, `exchanges` by step."""
        registrations, exchanges = await asyncio.gather(
            self._count(Registration.COLLECTION, person, "state"),
            self._count(Exchange.COLLECTION, person, "step"),
        )
        return {"registrations": registrations, "exchanges": exchanges}

    # ── for everybody ────────────────────────────────────────────────────────────────────────

    async def progress(self) -> list[Progress]:
        """How far each partnership is; public."""
        exchanges = self._database[Exchange.COLLECTION]
        found = []
        for partnership in self._partnerships:
            added = await exchanges.count_documents({"counted_for": partnership.id})
            found.append(
                Progress(partnership.id, partnership.name, partnership.done, added, partnership.objective)
            )
        return found

    async def flows(self, partnership: str | None = None) -> list[Flow]:
        """Approved exchanges from country to country, the most first; public."""
        where: Document = {"flow": {"$gt": ""}, **({"run_by": partnership} if partnership else {})}
        done = {"$cond": [{"$gt": ["$counted_for", None]}, 1, 0]}
        group = {"_id": "$flow", "exchanges": {"$sum": 1}, "done": {"$sum": done}}
        found = await self._aggregate(Exchange.COLLECTION, [{"$match": where}, {"$group": group}])
        flows = []
        for one in found:
            visitor_country, host_country = one["_id"].split(">")
            flows.append(Flow(visitor_country, host_country, one["exchanges"], one["done"]))
        return sorted(flows, key=lambda flow: (-flow.exchanges, flow.visitor_country, flow.host_country))

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _exchange(self, stored: Document, person: Person) -> ExchangeRow:
        return exchange_row(stored, self._waits(stored, person), with_money=_sees_money(stored, person))

    def _waits(self, stored: Document, person: Person) -> list[Wait]:
        """What of a case waits for the person, and can be done today."""
        key, today = key_of(person), self._clock().date().isoformat()
        return [
            self._wait(one, stored)
            for one in stored["waits"]
            if (one["begins"] or "") <= today
            and (one["whose"] == key or (key == EVERYTHING and not one["whose"].startswith("owner:")))
        ]

    def _wait(self, wait: Document, stored: Document) -> Wait:
        return wait_of(wait, stored["_id"], name_of(stored))

    async def _all_waiting(self, person: Person, kind: str | None = None) -> list[Wait]:
        """With a kind, some of others may be among them: those that wait in the same case."""
        where = {"waits_for": key_of(person), **({"waits.kind": kind} if kind else {})}
        shown = {"waits": 1, "party.name": 1, "visitor.name": 1, "host.name": 1}
        found = await asyncio.gather(
            *(self._database[model.COLLECTION].find(where, shown).to_list(None) for model in _WITH_CASES)
        )
        waits = [wait for documents in found for one in documents for wait in self._waits(one, person)]
        return sorted(waits, key=_place_of)

    def _waiting(self, person: Person, waiting: bool | None) -> list[Document]:
        if waiting is None:
            return []
        key = key_of(person)
        return [{"waits_for": key if waiting else {"$ne": key}}]

    async def _count(self, collection: str, person: Person, field: str) -> dict[str, int]:
        group = {"_id": f"${field}", "count": {"$sum": 1}}
        found = await self._aggregate(collection, [{"$match": visible_to(person)}, {"$group": group}])
        return {one["_id"]: one["count"] for one in sorted(found, key=lambda one: one["_id"])}

    async def _one(self, collection: str, person: Person, id: str) -> Document | None:
        return await self._database[collection].find_one({"_id": id, **visible_to(person)})

    async def _page(
        self, collection: str, where: list[Document], sort: str, after: str | None, limit: int
    ) -> Page[Document]:
        field, way = _SORTS.get(sort.removeprefix("-"), "changed_at"), -1 if sort.startswith("-") else 1
        if after is not None:
            where = [*where, *_beyond(field, way, after)]
        cursor = self._database[collection].find({"$and": where}, _UNSHOWN).sort([(field, way), ("_id", way)])
        found = await cursor.limit(limit + 1).to_list(None)
        shown = found[:limit]
        return Page(shown, _cursor_at(shown[-1], field) if len(found) > limit else None)

    async def _aggregate(self, collection: str, pipeline: list[Document]) -> list[Document]:
        asked: Any = self._database[collection].aggregate(pipeline)
        cursor = await asked if hasattr(asked, "__await__") else asked
        found: list[Document] = await cursor.to_list(None)
        return found


def _sees_money(stored: Document, person: Person) -> bool:
    """Whether the lump sum is the person's business: of organisations, it is the visitor's alone."""
    return not person.is_participant or person.caller.acts_for(stored["visitor"]["owner"])


def _found_by(search: str) -> list[Document]:
    """The conditions for what somebody typed."""
    typed = search.strip().casefold()
    if _ID.fullmatch(typed) and any(letter.isdigit() for letter in typed):
        by_id: Document = {"_id": {"$regex": f"^{re.escape(match_of(typed))}"}}
        return [{"$or": [by_id, {"$and": _by_words(typed)}]}]
    return _by_words(typed)


def _by_words(typed: str) -> list[Document]:
    return [{"words": {"$regex": f"^{re.escape(word)}"}} for word in words_of(typed)]


def _is(field: str, value: str | None) -> list[Document]:
    return [{field: value}] if value else []


def _of_either(field: str, value: str | None) -> list[Document]:
    return [{"$or": [{f"visitor.{field}": value}, {f"host.{field}": value}]}] if value else []


def _one_of(field: str, values: Sequence[str]) -> list[Document]:
    wanted = [value for value in values if value]
    return [{field: {"$in": wanted}}] if wanted else []


def _as(page: Page[Document], of: Callable[[Document], R]) -> Page[R]:
    return Page([of(one) for one in page.rows], page.next)


def _place_of(wait: Wait) -> str:
    return f"{wait.since.isoformat()}|{wait.case}|{wait.kind}|{wait.desk or wait.owner or ''}"


def _cursor_at(stored: Document, field: str) -> str:
    value: Any = stored
    for part in field.split("."):
        value = value[part]
    return f"{value}|{stored['_id']}"


def _beyond(field: str, way: int, after: str) -> list[Document]:
    """What comes after a cursor; the first condition bounds what an index is read for."""
    beyond = "$gt" if way > 0 else "$lt"
    value, _, id = after.rpartition("|")
    return [
        {field: {f"{beyond}e": value}},
        {"$or": [{field: {beyond: value}}, {field: value, "_id": {beyond: id}}]},
    ]
