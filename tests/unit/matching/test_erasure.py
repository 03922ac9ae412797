"""An erased registration: its personal data leave the pool and every match, the one visit stays used."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.matching.domain.candidate import Candidate
from services.matching.domain.errors import MatchStateForbids
from services.matching.domain.match import Match
from services.matching.domain.visit_claim import VisitClaim
from services.matching.use_cases.approve_match import approve_match
from services.matching.use_cases.cancel_match import cancel_match
from services.matching.use_cases.propose_match import propose_match
from services.matching.use_cases.tell_what_is_held import tell_what_is_held
from shared.contracts.common import ERASED, Party
from shared.contracts.envelope import CloudEvent
from shared.contracts.registration import RegistrationErased, RegistrationWithdrawn
from shared.contracts.vocabulary import MatchState
from shared.errors import NotFound
from shared.partnerships import Partnerships
from shared.security import Caller, CallerRole
from tests.builders import a_host_party, a_party, an_envelope
from tests.unit.matching.builders import (
    Service,
    a_host_profile,
    a_moment,
    a_partnership,
    a_profile,
    a_window,
    accepted,
    gone,
    participant_of,
    pre_agreed,
    staff_of,
)

MOTIVATION = "We want to learn how hemp fibre is spun at scale."
GIVEN_AWAY = ["Tagus", "tagus-fibre", "Lisbon", MOTIVATION, "hemp fibre"]
VISITOR = a_party("v", partnership="vop")
HOST = a_host_party("h", partnership="vop")


@pytest.fixture
def service() -> Service:
    return Service(Partnerships([a_partnership("vop", auto_approve=True)]))


def erased(party: Party = VISITOR, sequence: int = 4) -> CloudEvent:
    event = RegistrationErased(party=party.erased(), on_behalf_of="organisation")
    return an_envelope(event, service="registration", subject=party.registration_id, sequence=sequence)


def visitor_accepted(sequence: int = 2, **changes: Any) -> CloudEvent:
    return accepted(VISITOR, a_profile(motivation=MOTIVATION, **changes), sequence)


def host_accepted(**changes: Any) -> CloudEvent:
    return accepted(HOST, a_host_profile(offers=["spinning"], **changes))


def held(service: Service) -> str:
    """All that is stored of candidates, matches and claims."""
    collections = service.transactions.database
    return str([collections[model.COLLECTION] for model in (Candidate, Match, VisitClaim)])


def claims(service: Service) -> dict[str, Any]:
    stored = service.transactions.database[VisitClaim.COLLECTION]
    return {id: document["match_id"] for id, document in stored.items()}


async def the_match(service: Service) -> Match:
    [match] = await service.transactions.read(lambda uow: uow.query(Match, {}))
    return match


async def propose(service: Service) -> Match:
    await service.consume(visitor_accepted(), host_accepted())
    return await service.transactions.run(
        lambda uow: propose_match(uow, "v", "h", a_window(), by=participant_of("v"))
    )


async def approved_by_both(service: Service) -> Match:
    """Partners who found each other before: approved as soon as both are there."""
    await service.consume(
        visitor_accepted(pre_agreed=[pre_agreed("h")]), host_accepted(pre_agreed=[pre_agreed("v")])
    )
    match = await the_match(service)
    assert match.state is MatchState.APPROVED
    return match


async def test_nothing_personal_is_left_and_the_other_side_keeps_its_own(service: Service) -> None:
    await propose(service)
    assert [word for word in GIVEN_AWAY if word in held(service)]
    await service.consume(gone(RegistrationWithdrawn, VISITOR), erased())
    assert not [word for word in GIVEN_AWAY if word in held(service)]
    match = await the_match(service)
    assert (match.state, match.visitor.organisation, match.host) == (MatchState.CANCELLED, ERASED, HOST)
    assert [reason.points for reason in match.reasons]
    assert {reason.sentence for reason in match.reasons} == {ERASED}
    assert service.dead_letters() == []


async def test_all_of_it_in_one_batch_leaves_nothing_either(service: Service) -> None:
    await service.consume(
        visitor_accepted(pre_agreed=[pre_agreed("h")]),
        host_accepted(pre_agreed=[pre_agreed("v")]),
        gone(RegistrationWithdrawn, VISITOR),
        erased(),
    )
    assert not [word for word in GIVEN_AWAY if word in held(service)]
    assert service.dead_letters() == []


@pytest.mark.parametrize("again", [visitor_accepted(), gone(RegistrationWithdrawn, VISITOR), erased()])
async def test_what_arrives_after_the_erasure_brings_nothing_back(
    service: Service, again: CloudEvent
) -> None:
    await service.consume(erased())
    await service.consume(again)
    assert not [word for word in GIVEN_AWAY if word in held(service)]
    assert "v" not in service.pool.ids
    assert service.names() == []


async def test_an_erasure_whose_withdrawal_was_set_aside_ends_what_is_open(service: Service) -> None:
    await propose(service)
    await service.consume(erased())
    match = await the_match(service)
    assert (match.state, match.ended_because) == (MatchState.CANCELLED, ERASED)
    assert service.names() == ["MatchProposed", "MatchCancelled"]
    assert not [word for word in GIVEN_AWAY if word in held(service)]


async def test_a_visit_given_back_leaves_no_claim_with_the_identifier(service: Service) -> None:
    await approved_by_both(service)
    assert claims(service) == {"pic:v": (await the_match(service)).id}
    await service.consume(gone(RegistrationWithdrawn, VISITOR))
    assert claims(service) == {"pic:v": None}
    await service.consume(erased())
    assert claims(service) == {}


async def test_a_visit_that_was_made_stays_used_for_whoever_registers_with_the_same_identifier(
    service: Service,
) -> None:
    await approved_by_both(service)
    service.clock_at = a_moment(16).replace(month=3)
    await service.consume(gone(RegistrationWithdrawn, VISITOR), erased())
    match = await the_match(service)
    assert (match.state, match.visitor.organisation) == (MatchState.APPROVED, ERASED)
    assert claims(service) == {"pic:v": match.id}

    again = a_party("v2", partnership="vop", identifiers=["pic:v"])
    await service.consume(accepted(again, a_profile(pre_agreed=[pre_agreed("h2")])))
    host = a_host_party("h2", partnership="vop")
    await service.consume(accepted(host, a_host_profile(pre_agreed=[pre_agreed("v2")])))
    states = {one.visitor.registration_id: one.state for one in await all_matches(service)}
    assert states == {"v": MatchState.APPROVED, "v2": MatchState.REFUSED}


async def test_an_approved_match_cancelled_after_the_erasure_still_gives_the_visit_back(
    service: Service,
) -> None:
    match = await approved_by_both(service)
    service.clock_at = a_moment(16).replace(month=3)
    await service.consume(gone(RegistrationWithdrawn, VISITOR), erased())
    await service.transactions.run(
        lambda uow: cancel_match(uow, match.id, by=staff_of("vop"), reason="It did not take place.")
    )
    assert claims(service) == {}
    assert not [word for word in GIVEN_AWAY if word in held(service)]


async def all_matches(service: Service) -> list[Match]:
    return await service.transactions.read(lambda uow: uow.query(Match, {}))


async def test_a_match_that_is_open_cannot_be_approved_with_one_who_is_gone(service: Service) -> None:
    match = await propose(service)
    await service.consume(erased())
    with pytest.raises(MatchStateForbids):
        await service.transactions.run(lambda uow: approve_match(uow, match.id, by=staff_of("vop")))


def test_the_stay_of_these_tests_is_over_by_then() -> None:
    assert a_window().last_day < date(2023, 3, 16)


# ── what is held ─────────────────────────────────────────────────────────────────────────────


async def told(service: Service, registration_id: str, by: Caller) -> dict[str, list[dict[str, Any]]]:
    kinds = await service.transactions.read(lambda uow: tell_what_is_held(uow, registration_id, by=by))
    assert all(kind.what and kind.kept for kind in kinds)
    return {kind.name: kind.documents for kind in kinds}


async def test_each_side_is_told_its_own_and_of_the_other_what_is_no_secret(service: Service) -> None:
    match = await approved_by_both(service)
    visitor = await told(service, "v", participant_of("v"))
    assert visitor["profile"][0]["profile"]["motivation"] == MOTIVATION
    assert visitor["visit"] == [{"id": "pic:v", "match_id": match.id, "version": 1}]
    [matched] = visitor["matches"]
    assert matched["visitor"]["email"] == VISITOR.email
    assert "email" not in matched["host"]
    assert HOST.organisation not in str(visitor)

    host = await told(service, "h", staff_of("vop"))
    assert host["visit"] == []
    assert not [word for word in ("Tagus", "tagus-fibre", "pic:v") if word in str(host)]


async def test_after_the_erasure_staff_are_told_what_is_left_and_the_organisation_is_a_stranger(
    service: Service,
) -> None:
    await approved_by_both(service)
    await service.consume(gone(RegistrationWithdrawn, VISITOR), erased())
    left = await told(service, "v", staff_of("vop"))
    assert [one["state"] for one in left["matches"]] == ["cancelled"]
    assert not [word for word in GIVEN_AWAY if word in str(left)]


@pytest.mark.parametrize(
    "caller",
    [participant_of("h"), staff_of("hop"), Caller("a", CallerRole.AUDITOR), Caller("e", CallerRole.EXTERNAL)],
)
async def test_nobody_else_is_told_whether_anything_is_held(service: Service, caller: Caller) -> None:
    await approved_by_both(service)
    with pytest.raises(NotFound, match="nothing you may see"):
        await told(service, "v", caller)
