"""Candidates, partnerships and random pools for the tests of matching."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from services.matching.catalogue import Catalogue
from services.matching.domain.candidate import Candidate
from services.matching.domain.fit import Prospect
from services.matching.domain.pool import Pool
from services.matching.domain.visit_claim import VisitClaim
from services.matching.handlers import handlers
from services.matching.pool_feed import PoolFeed
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.tell_best_fits import find_best_fits, tell_best_fits
from services.matching.weights_on_file import weights_in
from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.common import Party, Place, Window
from shared.contracts.envelope import CloudEvent, Event
from shared.contracts.matching import CommitmentEvent, MatchEvent
from shared.contracts.registration import (
    Availability,
    PreAgreed,
    Profile,
    RegistrationAccepted,
    RegistrationAmended,
    RegistrationDecisionUndone,
    RegistrationLapsed,
    RegistrationMerged,
    RegistrationRejected,
    RegistrationUnmerged,
    RegistrationWithdrawn,
)
from shared.contracts.vocabulary import Ecosystem, Goal, RegistrationState, Role
from shared.messaging.consumer import BatchConsumer
from shared.messaging.outbox import unpack
from shared.messaging.topics import events
from shared.partnerships import Partnership, Partnerships
from shared.security import Caller, CallerRole
from shared.storage.driver import Database
from shared.storage.store import OUTBOX
from tests.builders import A_MOMENT, a_host_party, a_message, a_party, an_envelope
from tests.fakes import MemoryTransactions

HISTORY = weights_in()
TODAY = A_MOMENT.date()
WEIGHTS = HISTORY.on(TODAY)
LATEST = HISTORY.on(date.max)
SPRING = (date(2023, 2, 6), date(2023, 3, 31))
STAY = (date(2023, 2, 14), date(2023, 2, 16))

_LISBON = Place(country="PT", city="Lisbon", lat=38.72, lon=-9.14)
_MILAN = Place(country="IT", city="Milan", lat=45.46, lon=9.19)


def a_profile(**changes: Any) -> Profile:
    """Wants to learn spinning, free in February and March 2023."""
    fields: dict[str, Any] = {
        "goals": [Goal.ADOPT_TECHNOLOGY, Goal.LEARN_FROM_CLUSTER],
        "ecosystems": [Ecosystem.TEXTILE],
        "offers": ["market access"],
        "needs": ["hemp fibre", "spinning"],
        "languages": ["en", "pt"],
        "availability": [Availability(first_day=SPRING[0], last_day=SPRING[1])],
        **changes,
    }
    return Profile(**fields)


def a_host_profile(**changes: Any) -> Profile:
    """Shows its spinning line, takes one visitor at a time."""
    return a_profile(
        **{
            "offers": ["hemp fibre", "spinning"],
            "needs": ["market access"],
            "languages": ["en", "it"],
            **changes,
        }
    )


def availability(*spans: tuple[date, date]) -> list[Availability]:
    """Availabilities from first and last days."""
    return [Availability(first_day=first, last_day=last) for first, last in spans]


def a_window(stay: tuple[date, date] = STAY) -> Window:
    """A stay, by default three weekdays in February 2023."""
    return Window(first_day=stay[0], last_day=stay[1])


def a_visitor(id: str = "visitor", *, stays: Sequence[Window] = (), **changes: Any) -> Prospect:
    """A visiting SME of Lisbon; fields of party and profile alike can be changed."""
    return _prospect(a_party, a_profile, id, {"place": _LISBON}, changes, stays)


def a_host(id: str = "host", *, stays: Sequence[Window] = (), **changes: Any) -> Prospect:
    """A hosting tech centre of Milan."""
    return _prospect(a_host_party, a_host_profile, id, {"place": _MILAN}, changes, stays)


def _prospect(
    party: Any,
    profile: Any,
    id: str,
    defaults: dict[str, Any],
    changes: dict[str, Any],
    stays: Sequence[Window],
) -> Prospect:
    of_party = {name: changes.pop(name) for name in list(changes) if name in Party.model_fields}
    served = changes.pop("served", [Ecosystem.TEXTILE, Ecosystem.HEALTH])
    since = changes.pop("since", A_MOMENT)
    return Prospect.of(
        party(id, **{**defaults, **of_party}), profile(**changes), served=served, since=since, stays=stays
    )


# ── random pools ─────────────────────────────────────────────────────────────────────────────

_COUNTRIES = ["IT", "PT", "ES", "FR", "DE", "AT", "CZ", "PL", "RO", "GR", "SE", "FI"]
_LANGUAGES = ["en", "fr", "de", "it", "es", "pt", "pl", "cs"]
_TOPICS = [f"topic {number}" for number in range(60)]
_WORDS = ["hemp", "spinning", "fibre", "yarn", "mill", "field", "cloth", "dye", "loom", "wool", "seed", "oil"]


def a_random_prospect(rng: random.Random, id: str) -> Prospect:
    """Anybody; much alike, so that scores are often equal."""
    first = TODAY + timedelta(days=rng.randrange(-20, 60))
    spans = []
    for _ in range(rng.choice((1, 1, 1, 2, 6))):
        last = first + timedelta(days=rng.choice((2, 3, 4, 9, 30)))
        spans.append((first, last))
        first = last + timedelta(days=rng.randrange(2, 20))
    days = [TODAY + timedelta(days=rng.randrange(60)) for _ in range(rng.choice((0, 0, 0, 1, 3)))]
    located = rng.random() < 0.9
    return a_visitor(
        id,
        roles=rng.choice(([Role.VISITOR], [Role.HOST], [Role.VISITOR, Role.HOST])),
        owner=f"owner {rng.randrange(200)}",
        identifiers=[f"pic:{rng.randrange(150)}"] if rng.random() < 0.6 else [],
        place=Place(
            country=rng.choice(_COUNTRIES),
            city="Sample",
            region=rng.choice((None, "BY", "ZZ")),
            lat=rng.uniform(44, 47) if located else None,
            lon=rng.uniform(8, 14) if located else None,
        ),
        served=rng.sample(list(Ecosystem), rng.choice((1, 3, 14))),
        since=A_MOMENT - timedelta(days=rng.choice((0, 0, 5, 200)), minutes=rng.randrange(4)),
        motivation=" ".join(rng.sample(_WORDS, rng.choice((0, 3, 6)))),
        goals=rng.sample(list(Goal), rng.randrange(1, 5)),
        ecosystems=rng.sample(list(Ecosystem), rng.randrange(1, 5)),
        needs=rng.sample(_TOPICS, rng.choice((0, 1, 2, 5, 20))),
        offers=rng.sample(_TOPICS, rng.choice((0, 1, 5, 20))),
        languages=rng.sample(_LANGUAGES, rng.randrange(1, 4)),
        preferred_countries=rng.sample(_COUNTRIES, rng.choice((0, 0, 1, 4))),
        preferred_working_days=rng.choice((None, None, 3, 5, 12)),
        host_places=rng.choice((1, 2)),
        availability=availability(*spans),
        stays=[Window(first_day=day, last_day=day + timedelta(days=4)) for day in days],
    )


# ── the service on an in-memory database ─────────────────────────────────────────────────────


def a_partnership(id: str, *, auto_approve: bool = False) -> Partnership:
    """A partnership for textile and health."""
    return Partnership(
        id=id,
        name=id,
        ecosystems=[Ecosystem.TEXTILE, Ecosystem.HEALTH],
        staff=[],
        auto_approve_pre_agreed=auto_approve,
        budget=Decimal("1000.00"),
        objective=10,
    )


def staff_of(partnership: str) -> Caller:
    """An officer of the partnership."""
    return Caller("officer", CallerRole.STAFF, partnership=partnership)


def participant_of(owner: str) -> Caller:
    """Someone who acts for the organisation."""
    return Caller("participant", CallerRole.PARTICIPANT, organisation=owner)


@dataclass
class Service:
    """The matching service with its real consumer, on an in-memory database."""

    partnerships: Partnerships
    clock_at: datetime = A_MOMENT
    pool: Pool = field(default_factory=Pool)
    sent: int = 0

    def __post_init__(self) -> None:
        self.transactions: MemoryTransactions[MatchingUnitOfWork] = MemoryTransactions(self._open_unit)
        self._consumer: BatchConsumer[MatchingUnitOfWork] = BatchConsumer(handlers, self.transactions)  # type: ignore[arg-type]
        nowhere = cast(Database, None)
        self._feed = PoolFeed(self.pool, Catalogue(self.pool), nowhere, self.partnerships, browsed=False)

    def _open_unit(self, store: Any) -> MatchingUnitOfWork:
        return MatchingUnitOfWork(
            store,
            partnerships=self.partnerships,
            weights=HISTORY,
            pool=self.pool,
            clock=lambda: self.clock_at,
        )

    async def consume(self, *given: CloudEvent) -> None:
        """Take the events in one batch, as the worker would."""
        first = self.sent
        self.sent += len(given)
        await self._consumer.consume(
            [
                a_message(event, topic=events("registration"), offset=first + offset)
                for offset, event in enumerate(given)
            ]
        )

    def hear(self) -> None:
        """Let the pool hear of all that is stored, as its feed does."""
        for collection in (VisitClaim.COLLECTION, Candidate.COLLECTION):
            for document in self.transactions.database[collection].values():
                self._feed.take(collection, document)

    async def tell_newcomers(self) -> None:
        """Let all newcomers that the pool has heard of be told of their best fits, as the worker does."""
        found = await self.transactions.read(find_best_fits)
        await self.transactions.run(lambda uow: tell_best_fits(uow, found))

    def published(self) -> list[Event]:
        """Every event in the outbox, in order."""
        rows = sorted(self.transactions.database[OUTBOX].values(), key=lambda row: row["position"])
        envelopes = [
            CloudEvent.model_validate_json(message.value)
            for row in rows
            for message in unpack(row)
            if message.topic == events("matching")
        ]
        return [EVENT_MODELS[envelope.type].model_validate(envelope.data) for envelope in envelopes]

    def dead_letters(self) -> list[str]:
        """Why messages were set aside."""
        return [
            str(dict(message.headers))
            for row in self.transactions.database[OUTBOX].values()
            for message in unpack(row)
            if message.topic != events("matching")
        ]

    def about_matches(self) -> list[Event]:
        """The events about matches, in order; those about their commitments are left out."""
        return [
            event
            for event in self.published()
            if isinstance(event, MatchEvent) and not isinstance(event, CommitmentEvent)
        ]

    def names(self) -> list[str]:
        """The names of the events about matches, in order."""
        return [type(event).__name__ for event in self.about_matches()]


def accepted(party: Party, profile: Profile, sequence: int = 2) -> CloudEvent:
    """The registration was accepted."""
    event = RegistrationAccepted(party=party, profile=profile, automatic=True)
    return an_envelope(event, service="registration", subject=party.registration_id, sequence=sequence)


def gone(
    model: type[RegistrationRejected] | type[RegistrationWithdrawn], party: Party, sequence: int = 3
) -> CloudEvent:
    """The registration was rejected or withdrawn."""
    event = model(party=party, reason="")
    return an_envelope(event, service="registration", subject=party.registration_id, sequence=sequence)


def lapsed(party: Party, sequence: int = 3) -> CloudEvent:
    """Nobody answered whether it is still interested."""
    event = RegistrationLapsed(party=party)
    return an_envelope(event, service="registration", subject=party.registration_id, sequence=sequence)


def undone(party: Party, sequence: int = 3, what: Any = "accepted") -> CloudEvent:
    """Staff took back their decision about the registration."""
    event = RegistrationDecisionUndone(
        party=party, undone=what, state=RegistrationState.ELIGIBLE, decision_id="d-1"
    )
    return an_envelope(event, service="registration", subject=party.registration_id, sequence=sequence)


def amended(party: Party, sequence: int = 3) -> CloudEvent:
    """The registration was changed, and waits to be accepted anew."""
    event = RegistrationAmended.model_validate(
        {
            "party": party,
            "state": "eligible",
            "verdict": "eligible",
            "receipt": {"rule_set": "sample", "sentence": "Eligible."},
        }
    )
    return an_envelope(event, service="registration", subject=party.registration_id, sequence=sequence)


def merged(party: Party, sequence: int = 3) -> CloudEvent:
    """Staff found another registration to be of the same organisation."""
    return _regrouped(RegistrationMerged, party, sequence)


def unmerged(party: Party, sequence: int = 4) -> CloudEvent:
    """Staff took that back."""
    return _regrouped(RegistrationUnmerged, party, sequence)


def _regrouped(
    model: type[RegistrationMerged] | type[RegistrationUnmerged], party: Party, sequence: int
) -> CloudEvent:
    event = model.model_validate(
        {
            "party": party,
            "state": "accepted",
            "verdict": "eligible",
            "receipt": {"rule_set": "sample", "sentence": "Eligible."},
            "same_as": "the other",
            "merge_id": "m",
        }
    )
    return an_envelope(event, service="registration", subject=party.registration_id, sequence=sequence)


def pre_agreed(partner: str, stay: tuple[date, date] = STAY) -> PreAgreed:
    """A partner found already."""
    return PreAgreed(registration_id=partner, first_day=stay[0], last_day=stay[1])


def a_moment(day: int) -> datetime:
    """A day of January 2023, at nine."""
    return datetime(2023, 1, day, 9, tzinfo=UTC)
