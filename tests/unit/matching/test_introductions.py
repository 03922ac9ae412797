"""Partners who found each other before they registered."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.matching.domain.candidate import Candidate
from services.matching.domain.introduction import introduction
from services.matching.use_cases.accept_match import accept_match
from services.matching.use_cases.introduce_partners import introduce_partners
from services.matching.use_cases.join_pool import join_pool
from shared.contracts.common import Party, Place
from shared.contracts.envelope import CloudEvent
from shared.contracts.matching import MatchProposed, MatchRefused
from shared.contracts.registration import Profile, RegistrationWithdrawn
from shared.contracts.vocabulary import MatchState, Role
from shared.partnerships import Partnerships
from shared.storage.store import ConcurrentChange
from tests.builders import A_MOMENT, a_host_party, a_party
from tests.fakes import MemoryStore
from tests.unit.matching.builders import (
    STAY,
    Service,
    a_host_profile,
    a_partnership,
    a_profile,
    accepted,
    gone,
    participant_of,
    pre_agreed,
)

LATER = (date(2023, 3, 13), date(2023, 3, 17))
BOTH = [Role.VISITOR, Role.HOST]


@pytest.fixture
def service() -> Service:
    automatic = (a_partnership(id, auto_approve=True) for id in ("auto", "auto2"))
    return Service(Partnerships([*automatic, a_partnership("asks")]))


def visitor(names: list[Any] | None = None, id: str = "v", **changes: Any) -> tuple[Party, Profile]:
    return a_party(id, **{"partnership": "auto", **changes}), a_profile(pre_agreed=names or [])


def host(names: list[Any] | None = None, id: str = "h", **changes: Any) -> tuple[Party, Profile]:
    return a_host_party(id, **{"partnership": "auto", **changes}), a_host_profile(pre_agreed=names or [])


def events_of(*members: tuple[Party, Profile]) -> list[CloudEvent]:
    return [accepted(party, profile) for party, profile in members]


async def joined(service: Service, *members: tuple[Party, Profile], one_batch: bool) -> list[str]:
    if one_batch:
        await service.consume(*events_of(*members))
    else:
        for event in events_of(*members):
            await service.consume(event)
    assert service.dead_letters() == []
    return service.names()


APPROVED = ["MatchProposed", "MatchAgreed", "MatchApproved"]
ENDORSED = ["MatchProposed", "MatchAgreed", "MatchEndorsed"]

COMBINATIONS: list[tuple[str, tuple[Party, Profile], tuple[Party, Profile], list[str]]] = [
    ("nobody names anybody", visitor(), host(), []),
    ("the visitor names the host", visitor([pre_agreed("h")]), host(), ["MatchProposed"]),
    ("the host names the visitor", visitor(), host([pre_agreed("v")]), ["MatchProposed"]),
    ("both, one partnership that approves", visitor([pre_agreed("h")]), host([pre_agreed("v")]), APPROVED),
    (
        "both, two partnerships that approve",
        visitor([pre_agreed("h")]),
        host([pre_agreed("v")], partnership="auto2"),
        ["MatchProposed", "MatchAgreed", "MatchEndorsed", "MatchApproved"],
    ),
    (
        "both, only the visitor's approves",
        visitor([pre_agreed("h")]),
        host([pre_agreed("v")], partnership="asks"),
        ENDORSED,
    ),
    (
        "both, only the host's approves",
        visitor([pre_agreed("h")], partnership="asks"),
        host([pre_agreed("v")]),
        ENDORSED,
    ),
    (
        "both, neither approves by itself",
        visitor([pre_agreed("h")], partnership="asks"),
        host([pre_agreed("v")], partnership="asks"),
        ["MatchProposed", "MatchAgreed"],
    ),
    ("both, with other days", visitor([pre_agreed("h")]), host([pre_agreed("v", LATER)]), ["MatchProposed"]),
    (
        "two days are no stay",
        visitor([pre_agreed("h", (date(2023, 2, 14), date(2023, 2, 15)))]),
        host(),
        ["MatchProposed", "MatchRefused"],
    ),
    (
        "in the same country",
        visitor([pre_agreed("h")], place=Place(country="IT", city="Naples")),
        host([pre_agreed("v")]),
        ["MatchProposed", "MatchRefused"],
    ),
    ("two visitors", visitor([pre_agreed("h")]), host([pre_agreed("v")], roles=[Role.VISITOR]), []),
    ("one who never comes", visitor([pre_agreed("nobody")]), host(), []),
    ("itself", visitor([pre_agreed("v")]), host(), []),
]


@pytest.mark.parametrize("one_batch", [True, False], ids=["one batch", "one after the other"])
@pytest.mark.parametrize("host_first", [True, False], ids=["host first", "visitor first"])
@pytest.mark.parametrize(
    ("one", "other", "happens"), [row[1:] for row in COMBINATIONS], ids=[row[0] for row in COMBINATIONS]
)
async def test_what_becomes_of_partners_found_already(
    service: Service,
    one: tuple[Party, Profile],
    other: tuple[Party, Profile],
    happens: list[str],
    host_first: bool,
    one_batch: bool,
) -> None:
    members = (other, one) if host_first else (one, other)
    assert await joined(service, *members, one_batch=one_batch) == happens


async def test_whoever_named_the_other_proposes_with_its_days(service: Service) -> None:
    await joined(service, visitor(), host([pre_agreed("v", LATER)]), one_batch=True)
    proposal = service.published()[-1]
    assert isinstance(proposal, MatchProposed)
    assert (proposal.proposed_by, proposal.stay.first_day) == ("host", LATER[0])


async def test_an_accepted_introduction_is_approved_at_once_too(service: Service) -> None:
    await joined(service, visitor([pre_agreed("h")]), host(), one_batch=True)
    proposal = service.published()[-1]
    assert isinstance(proposal, MatchProposed)
    match = await service.transactions.run(
        lambda uow: accept_match(uow, proposal.match_id, by=participant_of("h"))
    )
    assert match.state is MatchState.APPROVED


async def test_one_visit_though_two_registrations_in_one_batch_have_partners(service: Service) -> None:
    same = {"identifiers": ["pic:900000001"]}
    members = [
        visitor([pre_agreed("h1")], "v1", **same),
        visitor([pre_agreed("h2")], "v2", **same),
        host([pre_agreed("v1")], "h1"),
        host([pre_agreed("v2")], "h2"),
    ]
    happened = await joined(service, *members, one_batch=True)
    assert sorted(happened) == sorted([*APPROVED, "MatchProposed", "MatchRefused"])
    refused = next(event for event in service.published() if isinstance(event, MatchRefused))
    assert refused.refused_by == "scheme"
    assert "one visit of the scheme is claimed" in refused.reason


async def test_a_pair_that_had_a_match_is_not_introduced_again(service: Service) -> None:
    one, other = visitor([pre_agreed("h")]), host()
    await joined(service, one, other, one_batch=False)
    await service.consume(gone(RegistrationWithdrawn, other[0], sequence=3))
    await service.consume(accepted(*other, sequence=4))
    assert service.names() == ["MatchProposed", "MatchDeclined"]


async def test_two_who_join_at_the_same_moment_cannot_miss_each_other(service: Service) -> None:
    one, other = visitor([pre_agreed("h")]), host()
    units = [service._open_unit(MemoryStore(service.transactions.database)) for _ in range(2)]
    for uow, (party, profile) in zip(units, (one, other), strict=True):
        await join_pool(uow, party, profile, version=2)
    await units[0].commit()
    with pytest.raises(ConcurrentChange):
        await units[1].commit()
    await service.consume(accepted(*other))
    assert service.names() == ["MatchProposed"]


async def test_an_introduction_with_someone_who_left_does_nothing(service: Service) -> None:
    await joined(service, visitor([pre_agreed("h")]), one_batch=True)
    await service.consume(gone(RegistrationWithdrawn, visitor()[0]))
    await service.consume(*events_of(host()))
    await service.transactions.run(lambda uow: introduce_partners(uow, "v", "h"))
    assert service.names() == []


# ── who visits whom ──────────────────────────────────────────────────────────────────────────


def member(id: str, roles: list[Role], names: str | None = None) -> Candidate:
    candidate = Candidate(id=id)
    profile = a_profile(pre_agreed=[pre_agreed(names)] if names else [])
    candidate.join(a_party(id, roles=roles), profile, version=1, at=A_MOMENT)
    return candidate


@pytest.mark.parametrize(
    ("one", "other", "visits"),
    [
        (([Role.VISITOR], "b"), ([Role.HOST], None), "a"),
        (([Role.HOST], "b"), ([Role.VISITOR], None), "b"),
        (([Role.VISITOR], "b"), (BOTH, None), "a"),
        ((BOTH, "b"), ([Role.VISITOR], None), "b"),
        ((BOTH, "b"), (BOTH, None), "a"),
        ((BOTH, None), (BOTH, "a"), "b"),
        ((BOTH, "b"), (BOTH, "a"), "a"),
        (([Role.HOST], "b"), ([Role.HOST], "a"), None),
        ((BOTH, None), (BOTH, None), None),
    ],
)
def test_roles_say_who_visits_whom_and_then_who_named_whom(
    one: tuple[list[Role], str | None], other: tuple[list[Role], str | None], visits: str | None
) -> None:
    a, b = member("a", *one), member("b", *other)
    for pair in ((a, b), (b, a)):
        found = introduction(*pair)
        assert (found.visitor.id if found else None) == visits
        if found:
            assert found.stay.first_day == STAY[0]
