"""Workers and servers are killed at random moments while thousands of registrations flow: one effect each.

CXC_TEST_SEED chooses other moments and another order than the usual ones.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

import pytest

from ops.platform import Platform
from services.notifications.bootstrap import desks_of, load_rules
from services.notifications.domain.notification import notification_id
from services.notifications.domain.planning import Planned, plan
from services.notifications.domain.recipients import serve
from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.types import EventType
from shared.messaging.topics import PUBLISHERS, SERVICES
from shared.partnerships import Partnerships
from shared.storage.driver import Document
from tests.e2e.conftest import PARTNERSHIPS
from tests.e2e.onlooker import Mark, Onlooker, Published, notification_of
from tests.e2e.outside import Outgoing, OutsideSystem

pytestmark = pytest.mark.e2e

SEED: Final = int(os.environ.get("CXC_TEST_SEED", "1182"))

PAIRS: Final = 1000
CONTESTS: Final = 50
SINGLES: Final = 800
WITHDRAWALS: Final = 100
SENT_TWICE: Final = 400

#: Who manages the visitor and the host, of ten pairs.
MANAGED_BY: Final = (
    *[("north-looms", "north-looms")] * 4,
    *[("north-looms", "south-looms")] * 3,
    *[("south-looms", "south-looms")] * 2,
    ("short-looms", "north-looms"),
)
RICH: Final = ("north-looms", "south-looms")
SHORT: Final = "short-looms"
OURS: Final = (*RICH, SHORT)

#: A mail in flight at a kill is sent again; how many are in flight grows with the rate of mails.
MAILS_IN_FLIGHT: Final = 100
IN_FLIGHT: Final = timedelta(seconds=10)


@dataclass
class Story:
    """What the outside system says, in the order in which it says it, and what should become of it."""

    sender: OutsideSystem
    rng: Random
    pairs: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Visitor and host by the pair's name."""
    contests: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Pairs whose visitors are one organisation, by its name: one of them may visit."""
    withdrawn: set[str] = field(default_factory=set)
    singles: list[str] = field(default_factory=list)
    _said: list[tuple[float, Outgoing]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(PAIRS):
            self._pair(f"pair-{number}", *MANAGED_BY[number % len(MANAGED_BY)])
        for number in range(CONTESTS):
            self._contest(f"contest-{number}")
        for number in range(SINGLES):
            self._single(f"single-{number}", hosts=number % 3 == 0, withdraws=number < WITHDRAWALS)
        for at, message in self.rng.sample(self._said, SENT_TWICE):
            self._said.append((self.rng.uniform(at, 1), message))

    def messages(self) -> list[Outgoing]:
        return [message for _, message in sorted(self._said, key=lambda said: said[0])]

    def references(self) -> set[str]:
        contested = (pair for pairs in self.contests.values() for pair in pairs)
        return {*self.singles, *(one for pair in (*self.pairs.values(), *contested) for one in pair)}

    def id(self, reference: str) -> str:
        return self.sender.registration_id(reference)

    def _pair(self, name: str, visited_by: str, hosted_by: str) -> None:
        self.pairs[name] = visitor, host = f"{name}-v", f"{name}-h"
        self._submit(visitor, self.sender.visitor(visitor, meets=host, partnership=visited_by))
        self._submit(host, self.sender.host(host, meets=visitor, partnership=hosted_by))

    def _contest(self, name: str) -> None:
        """One organisation registers twice, with a host each time, at about the same moment."""
        self.contests[name] = [(f"{name}-{which}-v", f"{name}-{which}-h") for which in "ab"]
        at = self.rng.random()
        organisation: dict[str, Any] | None = None
        for visitor, host in self.contests[name]:
            data = self.sender.visitor(visitor, meets=host, partnership="north-looms")
            organisation = data["organisation"] = organisation or data["organisation"]
            self._submit(visitor, data, at)
            self._submit(host, self.sender.host(host, meets=visitor, partnership="south-looms"), at)

    def _single(self, name: str, *, hosts: bool, withdraws: bool) -> None:
        self.singles.append(name)
        made = self.sender.host if hosts else self.sender.visitor
        at = self._submit(name, made(name, partnership=self.rng.choice(RICH)))
        if withdraws:
            self.withdrawn.add(name)
            withdrawal = self.sender.event(
                name, {"reason": "Other plans."}, type=EventType.WITHDRAW_REGISTRATION
            )
            self._said.append((self.rng.uniform(at, 1), withdrawal))

    def _submit(self, reference: str, data: dict[str, Any], at: float | None = None) -> float:
        at = self.rng.random() if at is None else at
        self._said.append((at, self.sender.event(reference, data)))
        return at


@dataclass
class Trouble:
    """One process goes down, killed or stopped in order, and comes back."""

    process: str
    kill: bool
    after_s: float
    down_s: float
    at: datetime | None = None
    until: datetime | None = None

    async def happen(self, platform: Platform) -> None:
        # Not waiting for anything: a random moment is what the test is about.
        await asyncio.sleep(self.after_s)
        self.at = datetime.now(UTC)
        await asyncio.to_thread(platform.kill if self.kill else platform.stop_one, self.process)
        await asyncio.sleep(self.down_s)
        await asyncio.to_thread(platform.start_one, self.process)
        self.until = datetime.now(UTC)

    def explains(self, sent_twice_at: datetime) -> bool:
        """Whether a mail of that moment may have been in flight then."""
        if not self.kill or self.process not in ("notifications-worker", "mongo"):
            return False
        assert self.at is not None
        assert self.until is not None
        return self.at - IN_FLIGHT <= sent_twice_at <= self.until


def troubles(rng: Random) -> list[Trouble]:
    """Each worker killed three times and stopped once, each server killed once, in random order."""
    ways = [(f"{service}-worker", kill) for service in SERVICES for kill in (True, True, True, False)]
    ways += [("kafka", True), ("mongo", True)]
    rng.shuffle(ways)
    return [Trouble(process, kill, rng.uniform(0, 2), rng.uniform(0, 2)) for process, kill in ways]


@pytest.mark.timeout(600)
async def test_kills_and_restarts_of_everything_leave_exactly_one_effect_of_each_message(
    platform: Platform, onlooker: Onlooker, outside_system: Callable[[str], OutsideSystem]
) -> None:
    rng = Random(SEED)
    story = Story(outside_system("survival"), rng)
    trouble = troubles(rng)
    # What the platform says of itself when it starts, such as forecasts, is not of this story.
    await onlooker.drained()
    earlier = {one["_id"] for one in await told_of_ours(onlooker)}
    since = await onlooker.mark()
    await publish_through(trouble, story, platform)
    await onlooker.ready(*(f"{name}-{part}" for name in SERVICES for part in ("api", "worker")))
    await onlooker.drained(within_s=240)

    assert await onlooker.dead_letters(since) == []
    told, messages = await at_one_moment(onlooker, since)
    assert_in_sequence(told)
    await assert_registered_once(onlooker, story, told)
    assert_newcomers_told_once(story, told)
    approved = await assert_matched_once(onlooker, story, told)
    await assert_visits_used_once(onlooker, approved)
    await assert_reserved_once(onlooker, approved, told)
    found = [one for one in messages if one["_id"] not in earlier]
    await assert_told_once(onlooker, story, told, found, trouble, earlier)
    for service in SERVICES:
        assert await onlooker.database(service).outbox.count_documents({}) == 0


async def publish_through(trouble: Sequence[Trouble], story: Story, platform: Platform) -> None:
    """Publish all of it, a part beside each trouble."""
    messages = story.messages()
    size = -(-len(messages) // len(trouble))
    parts = [messages[first : first + size] for first in range(0, len(messages), size)]
    async with story.sender.producer() as producer:
        for part, one in zip(parts, trouble, strict=True):
            await asyncio.gather(story.sender.send(producer, part), one.happen(platform))


# ── events ───────────────────────────────────────────────────────────────────────────────────


def first_told(published: Iterable[Published]) -> list[Published]:
    """Each event once, in the order of first arrival; what came again was the same to the byte."""
    told: dict[tuple[str, str], Published] = {}
    again = 0
    for one in published:
        first = told.setdefault((one.event.source, one.event.id), one)
        again += first is not one
        assert first.message.value == one.message.value
        assert first.message.partition == one.message.partition
    print(f"{len(told)} events, {again} published again")
    return list(told.values())


def assert_in_sequence(told: Iterable[Published]) -> None:
    """Of each aggregate the events come in the order of its versions; registrations, matches and grants,
    which tell of every change, without a gap."""
    sequences: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for one in told:
        kind = one.event.type.split(".")[1]
        sequences[kind, one.event.subject].append(int(one.event.sequence or 0))
    for (kind, subject), sequence in sequences.items():
        if kind in ("registration", "match", "grant"):
            assert sequence == list(range(1, len(sequence) + 1)), (kind, subject)
        else:
            assert sequence == sorted(set(sequence)), (kind, subject)


def types_by_subject(told: Iterable[Published], service: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in told:
        if one.event.source == f"/cxc/{service}" and one.event.subject:
            found[one.event.subject].append(one.event.type)
    return found


# ── effects ──────────────────────────────────────────────────────────────────────────────────


async def assert_registered_once(onlooker: Onlooker, story: Story, told: Sequence[Published]) -> None:
    found = await onlooker.documents("registration", "registrations", {"origin.source": story.sender.source})
    assert sorted(one["origin"]["reference"] for one in found) == sorted(story.references())
    events = types_by_subject(told, "registration")
    assert events.keys() == {one["_id"] for one in found}
    # The second visit of an organisation is found out at registration, or later by matching.
    may_be_ineligible = {visitor for pairs in story.contests.values() for visitor, _ in pairs}
    for one in found:
        reference = one["origin"]["reference"]
        steps = [step["state"] for step in one["history"]]
        expected = ["eligible", "accepted"]
        if reference in story.withdrawn:
            expected = [*expected, "withdrawn"]
        elif reference in may_be_ineligible and one["state"] == "ineligible":
            expected = ["ineligible"]
        assert steps == expected, reference
        names = ["screened", *expected[1:]]
        assert events[one["_id"]] == [f"cxc.registration.{name}.v1" for name in names], reference


def assert_newcomers_told_once(story: Story, told: Sequence[Published]) -> None:
    """Who was accepted hears of its best fits once for each role; who withdrew, once or not at all."""
    events = types_by_subject(told, "matching")
    withdrawn = {story.id(reference) for reference in story.withdrawn}
    newcomers = [one.event for one in told if one.event.type == EventType.REGISTRATION_ACCEPTED]
    for accepted in newcomers:
        assert accepted.subject is not None
        heard, roles = events[accepted.subject], len(accepted.data["party"]["roles"])
        assert set(heard) <= {EventType.FITS_FOUND}
        assert len(heard) == roles or (not heard and accepted.subject in withdrawn), accepted.subject
    print(f"{len(newcomers)} newcomers told of their best fits")


async def assert_matched_once(
    onlooker: Onlooker, story: Story, told: Sequence[Published]
) -> dict[str, Document]:
    """Every pair has one approved match, every contest too; the approved ones by id."""
    matches = await onlooker.documents("matching", "matches", {"visitor.partnership": {"$in": list(OURS)}})
    by_visitor: dict[str, list[Document]] = defaultdict(list)
    for match in matches:
        by_visitor[match["visitor"]["registration_id"]].append(match)
    for name, (visitor, host) in story.pairs.items():
        (match,) = by_visitor.pop(story.id(visitor))
        assert match["state"] == "approved", name
        assert match["host"]["registration_id"] == story.id(host), name
    for name, pairs in story.contests.items():
        contesting = [match for visitor, _ in pairs for match in by_visitor.pop(story.id(visitor), [])]
        assert Counter(match["state"] for match in contesting)["approved"] == 1, name
        assert {match["state"] for match in contesting} <= {"approved", "refused"}, name
    assert not by_visitor

    events = types_by_subject(told, "matching")
    for match in matches:
        names = ["proposed", "agreed", "endorsed", "approved"]
        if match["state"] == "approved":
            if match["visitor"]["partnership"] == match["host"]["partnership"]:
                names.remove("endorsed")
            assert events[match["_id"]] == [f"cxc.match.{name}.v1" for name in names]
        assert match["version"] == len(events[match["_id"]])
    print(f"{len(matches)} matches: {Counter(match['state'] for match in matches)}")
    return {match["_id"]: match for match in matches if match["state"] == "approved"}


async def assert_visits_used_once(onlooker: Onlooker, approved: dict[str, Document]) -> None:
    ids = list(approved)
    (identifiers,) = {len(match["visitor"]["identifiers"]) for match in approved.values()}
    assert identifiers == 1, "each visitor has its participant code alone"
    expected = {match["visitor"]["identifiers"][0]: id for id, match in approved.items()}
    assert len(expected) == len(approved), "no organisation visits twice"
    claims = await onlooker.documents("matching", "visit_claims", {"match_id": {"$in": ids}})
    assert {claim["_id"]: claim["match_id"] for claim in claims} == expected
    visits = await onlooker.documents("registration", "visits", {"_id": {"$in": list(expected)}})
    used = {visit["_id"]: [use["match_id"] for use in visit["uses"]] for visit in visits}
    assert used == {identifier: [match_id] for identifier, match_id in expected.items()}


async def assert_reserved_once(
    onlooker: Onlooker, approved: dict[str, Document], told: Sequence[Published]
) -> None:
    grants = await onlooker.documents("funding", "grants", {"partnership": {"$in": list(OURS)}})
    assert sorted(grant["match_id"] for grant in grants) == sorted(approved)
    events = types_by_subject(told, "funding")
    budgets = {
        one["_id"]: one
        for one in await onlooker.documents("funding", "budgets", {"_id": {"$in": list(OURS)}})
    }
    for partnership in OURS:
        amounts: dict[str, list[Decimal]] = {"reserved": [], "awaiting_budget": []}
        for grant in grants:
            if grant["partnership"] == partnership:
                amounts[grant["state"]].append(Decimal(grant["lump_sum"]["amount"]))
                assert events[grant["_id"]] == [f"cxc.grant.{grant['state']}.v1"]
        budget = budgets[partnership]
        assert Decimal(budget["reserved"]) == sum(amounts["reserved"]) <= Decimal(budget["total"])
        assert Decimal(budget["awaiting_amount"]) == sum(amounts["awaiting_budget"])
        assert budget["awaiting"] == len(amounts["awaiting_budget"])
        assert bool(amounts["awaiting_budget"]) == (partnership == SHORT)
        print(f"{partnership}: EUR {budget['reserved']} reserved for {len(amounts['reserved'])}")


async def at_one_moment(onlooker: Onlooker, since: Mark) -> tuple[list[Published], list[Document]]:
    """What was told, and the messages it led to: chores go on telling while all of it is being read."""
    while True:
        before = await told_of_ours(onlooker)
        await onlooker.drained("notifications")
        told = first_told(await onlooker.published(since, *PUBLISHERS))
        if before == await told_of_ours(onlooker):
            return told, before


async def told_of_ours(onlooker: Onlooker) -> list[Document]:
    return await onlooker.documents("notifications", "notifications", {"partnerships": {"$in": list(OURS)}})


async def assert_told_once(
    onlooker: Onlooker,
    story: Story,
    told: Sequence[Published],
    found: Sequence[Document],
    trouble: Sequence[Trouble],
    earlier: set[str],
) -> None:
    assert sorted(one["_id"] for one in found) == sorted(expected_notifications(told))
    addressed = Counter(
        (one["fact_id"], one["channel"], one["recipient_key"], one.get("address")) for one in found
    )
    assert set(addressed.values()) == {1}

    by_mail = {one["_id"]: one for one in found if one["channel"] == "email"}
    sent = {id for id, one in by_mail.items() if one["state"] == "sent"}
    assert_undone([one for id, one in by_mail.items() if id not in sent], told)
    confirmed = types_by_subject(told, "notifications")
    assert confirmed == {id: [EventType.NOTIFICATION_SENT] for id in sent}
    accepted = Counter(
        one["address"] for one in by_mail.values() if one["fact_type"] == EventType.REGISTRATION_ACCEPTED
    )
    eligible = {one.event.subject for one in told if one.event.type == EventType.REGISTRATION_ACCEPTED}
    assert accepted == {
        story.sender.address(reference): 1
        for reference in story.references()
        if story.id(reference) in eligible
    }

    addresses = {one["address"] for one in by_mail.values()}
    received: dict[str, list[datetime]] = defaultdict(list)
    for mail in await onlooker.all_mails():
        id = notification_of(mail)
        if mail["To"][0]["Address"] in addresses and id not in earlier:
            received[id].append(datetime.fromisoformat(mail["Created"]))
    assert received.keys() == sent
    twice = {id: sorted(times) for id, times in received.items() if len(times) > 1}
    print(f"{len(received)} mails, {len(twice)} of them in flight at a kill and sent again")
    for id, times in twice.items():
        assert len(times) == 2, id
        assert any(one.explains(times[0]) for one in trouble), f"{id} came at {times}"
    assert len(twice) <= MAILS_IN_FLIGHT


def assert_undone(unsent: Sequence[Document], told: Sequence[Published]) -> None:
    """A mail that was not sent was overtaken: what it tells of does not hold any more."""
    table = load_rules()
    for mail in unsent:
        assert mail["state"] == "cancelled"
        undone_by = [
            one.event.type
            for one in told
            if one.event.subject == mail["about"]
            and (undoing := table.undoes.get(one.event.type))
            and mail["fact_type"] in undoing.undone | undoing.overtaken
        ]
        assert undone_by, mail
        assert any(type in mail["reason"] for type in undone_by)


def expected_notifications(told: Iterable[Published]) -> list[str]:
    """One for each fact, recipient and channel of the rule table."""
    rules, desks = load_rules(), desks_of(Partnerships.load(PARTNERSHIPS))
    expected: list[str] = []
    for fact in (one.event for one in told if one.event.source != "/cxc/notifications"):
        event = EVENT_MODELS[fact.type].model_validate(fact.data)
        assert fact.time is not None
        expected += [
            notification_id(fact.id, fact.time, one.recipient.key, one.seat, one.channel)
            for one in plan(serve(event, rules.rules_for(fact.type), desks), kind="", wishes={}, at=fact.time)
            if isinstance(one, Planned)
        ]
    return expected
