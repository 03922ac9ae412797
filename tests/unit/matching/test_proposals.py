"""Proposals: other days, a way back, a last day, and what the programme suggests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from functools import partial
from typing import Any, TypeVar

import pytest

from services.matching.chores import overdue
from services.matching.domain.deadline import AnswerPolicy, Deadline
from services.matching.domain.errors import (
    AlreadyMatched,
    HostFull,
    MatchStateForbids,
    NotInPool,
    PartnersDoNotFit,
    SameStay,
    StayOutOfBounds,
    TooManyOpenProposals,
    VisitAlreadyClaimed,
)
from services.matching.domain.match import Match, match_id
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.accept_match import accept_match
from services.matching.use_cases.approve_match import approve_match
from services.matching.use_cases.cancel_match import cancel_match
from services.matching.use_cases.chase_answers import chase_answers
from services.matching.use_cases.counter_match import counter_match
from services.matching.use_cases.decline_match import decline_match
from services.matching.use_cases.propose_match import propose_match
from services.matching.use_cases.refuse_match import refuse_match
from services.matching.use_cases.suggest_match import suggest_match
from services.matching.use_cases.withdraw_match import withdraw_match
from shared.contracts.common import Party, Place, Window
from shared.contracts.matching import (
    MatchCountered,
    MatchExpired,
    MatchProposed,
    MatchReminded,
    MatchSuggested,
    MatchWithdrawn,
)
from shared.contracts.registration import RegistrationWithdrawn
from shared.contracts.vocabulary import MatchState
from shared.errors import Forbidden
from shared.partnerships import Partnerships
from shared.security import Caller, CallerRole
from shared.storage.store import ConcurrentChange
from tests.builders import A_MOMENT, a_host_party, a_party
from tests.fakes import MemoryStore
from tests.unit.matching.builders import (
    TODAY,
    Service,
    a_host_profile,
    a_partnership,
    a_profile,
    a_window,
    accepted,
    amended,
    gone,
    participant_of,
    staff_of,
    undone,
)

R = TypeVar("R")

V, H = participant_of("v"), participant_of("h")
SUPPORT = Caller("office", CallerRole.SUPPORT_OFFICE)
OTHER_DAYS = a_window((date(2023, 2, 20), date(2023, 2, 23)))
LATER = a_window((date(2023, 3, 13), date(2023, 3, 17)))


@pytest.fixture
def service() -> Service:
    return Service(Partnerships([a_partnership("vop"), a_partnership("hop"), a_partnership("other")]))


def visitor(id: str = "v", **changes: Any) -> Party:
    return a_party(id, **{"partnership": "vop", **changes})


def host(id: str = "h", **changes: Any) -> Party:
    return a_host_party(id, **{"partnership": "hop", **changes})


async def pool_of(service: Service, *parties: Party) -> None:
    for party in parties:
        profile = a_host_profile() if "host" in party.roles else a_profile()
        await service.consume(accepted(party, profile))
    assert service.dead_letters() == []


async def run(service: Service, work: Callable[[MatchingUnitOfWork], Awaitable[R]]) -> R:
    return await service.transactions.run(work)


async def approve(service: Service, match: Match) -> None:
    for partnership in ("vop", "hop"):
        await run(service, partial(approve_match, match_id=match.id, by=staff_of(partnership)))


async def propose(service: Service, host_id: str = "h", by: Caller = V, stay: Window | None = None) -> Match:
    return await run(service, lambda uow: propose_match(uow, "v", host_id, stay or a_window(), by=by))


async def suggest(
    service: Service, host_id: str = "h", by: Caller = SUPPORT, stay: Window | None = None
) -> Match:
    return await run(
        service,
        lambda uow: suggest_match(uow, "v", host_id, stay or a_window(), plan_id="plan 1", by=by),
    )


async def accept(service: Service, match: Match, by: Caller = H) -> Match:
    return await run(service, lambda uow: accept_match(uow, match.id, by=by))


async def counter(service: Service, match: Match, by: Caller = H, stay: Window = OTHER_DAYS) -> Match:
    return await run(service, lambda uow: counter_match(uow, match.id, stay, by=by, reason="We travel."))


async def chase(service: Service) -> list[str]:
    """What the companion does on this day, and the events that came of it."""
    said = len(service.names())
    due = [match.id for match in await service.transactions.read(_all_due)]
    await run(service, lambda uow: chase_answers(uow, due))
    return service.names()[said:]


async def _all_due(uow: MatchingUnitOfWork) -> list[Match]:
    return await uow.query(Match, overdue(uow.today))


async def stored(service: Service, match: Match) -> Match:
    return await service.transactions.read(lambda uow: uow.matches.get(match.id))


# ── every step in every state ────────────────────────────────────────────────────────────────

STATES = ["suggested", *MatchState]


async def a_match_in(service: Service, state: str) -> Match:
    """A match in that state, proposed by the visitor or suggested by the programme."""
    if state == "suggested":
        return await stored(service, await suggest(service))
    match = await propose(service)
    agreed = {MatchState.AGREED, MatchState.APPROVED}
    if state in agreed:
        await accept(service, match)
    match state:
        case MatchState.APPROVED:
            await approve(service, match)
        case MatchState.DECLINED:
            await run(service, lambda uow: decline_match(uow, match.id, by=H))
        case MatchState.REFUSED:
            await run(service, lambda uow: refuse_match(uow, match.id, by=staff_of("hop"), reason="No."))
        case MatchState.CANCELLED:
            await run(service, lambda uow: cancel_match(uow, match.id, by=V, reason="No."))
        case MatchState.WITHDRAWN:
            await run(service, lambda uow: withdraw_match(uow, match.id, by=V))
        case MatchState.EXPIRED:
            at, service.clock_at = service.clock_at, service.clock_at + timedelta(days=10)
            assert await chase(service) == ["MatchReminded"]
            service.clock_at += timedelta(days=5)
            assert await chase(service) == ["MatchExpired"]
            service.clock_at = at
    return await stored(service, match)


STEPS: dict[str, Callable[[MatchingUnitOfWork, str], Any]] = {
    "the host accepts": lambda uow, id: accept_match(uow, id, by=H),
    "the visitor accepts": lambda uow, id: accept_match(uow, id, by=V),
    "the host declines": lambda uow, id: decline_match(uow, id, by=H),
    "the host names other days": lambda uow, id: counter_match(uow, id, OTHER_DAYS, by=H),
    "the visitor names other days": lambda uow, id: counter_match(uow, id, OTHER_DAYS, by=V),
    "the visitor withdraws": lambda uow, id: withdraw_match(uow, id, by=V),
    "the host withdraws": lambda uow, id: withdraw_match(uow, id, by=H),
    "a partnership approves": lambda uow, id: approve_match(uow, id, by=staff_of("vop")),
    "a partnership refuses": lambda uow, id: refuse_match(uow, id, by=staff_of("vop"), reason="No."),
    "the host cancels": lambda uow, id: cancel_match(uow, id, by=H, reason="No."),
}

NO = "Forbidden"
ALLOWED: dict[str, dict[str, str]] = {
    # What each step leads to by state: the new state and the event, or that it is not theirs to take.
    # A state that is not listed forbids it.
    "the host accepts": {"suggested": "proposed MatchProposed", "proposed": "agreed MatchAgreed"},
    "the visitor accepts": {"suggested": "proposed MatchProposed", "proposed": NO},
    "the host declines": {"suggested": "declined MatchDeclined", "proposed": "declined MatchDeclined"},
    "the host names other days": {
        "suggested": "proposed MatchCountered",
        "proposed": "proposed MatchCountered",
    },
    "the visitor names other days": {"suggested": "proposed MatchCountered", "proposed": NO},
    "the visitor withdraws": {"suggested": NO, "proposed": "withdrawn MatchWithdrawn"},
    "the host withdraws": {"suggested": NO, "proposed": NO},
    "a partnership approves": {"agreed": "agreed MatchEndorsed"},
    "a partnership refuses": {
        "suggested": "refused MatchRefused",
        "proposed": "refused MatchRefused",
        "agreed": "refused MatchRefused",
    },
    "the host cancels": {
        "suggested": "cancelled MatchCancelled",
        "proposed": "cancelled MatchCancelled",
        "agreed": "cancelled MatchCancelled",
        "approved": "cancelled MatchCancelled",
    },
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", STATES)
async def test_each_step_is_possible_in_its_states_and_leaves_its_event(
    service: Service, state: str, step: str
) -> None:
    await pool_of(service, visitor(), host())
    before = await a_match_in(service, state)
    said = service.names()
    wanted = ALLOWED[step].get(state)
    if wanted is None or wanted == NO:
        with pytest.raises(Forbidden if wanted else MatchStateForbids) as refused:
            await run(service, lambda uow: STEPS[step](uow, before.id))
        assert refused.value.detail.endswith(".")
        assert service.names() == said
        assert await stored(service, before) == before
        return
    await run(service, lambda uow: STEPS[step](uow, before.id))
    after, event = wanted.split()
    assert service.names() == [*said, event]
    assert (await stored(service, before)).state == after


@pytest.mark.parametrize("state", STATES)
async def test_who_has_no_open_match_with_another_may_ask_again(service: Service, state: str) -> None:
    await pool_of(service, visitor(), host())
    former = await a_match_in(service, state)
    if former.is_living:
        with pytest.raises(AlreadyMatched, match=former.id):
            await suggest(service)
        return
    assert (await suggest(service)).id == match_id("v", "h", 2)


async def test_what_was_not_answered_in_time_is_answered_with_a_sentence(service: Service) -> None:
    await pool_of(service, visitor(), host())
    expired = await a_match_in(service, MatchState.EXPIRED)
    with pytest.raises(MatchStateForbids, match="The match is expired; only one that is proposed can be"):
        await accept(service, expired)


# ── other days ───────────────────────────────────────────────────────────────────────────────


async def test_the_days_go_to_and_fro_until_somebody_agrees(service: Service) -> None:
    await pool_of(service, visitor(), host())
    match = await propose(service)
    service.clock_at += timedelta(days=5)
    match = await counter(service, match)
    assert (match.state, match.proposed_by, match.awaits, match.stay) == (
        MatchState.PROPOSED,
        "host",
        ["v"],
        OTHER_DAYS,
    )
    countered = service.published()[-1]
    assert isinstance(countered, MatchCountered)
    assert countered.model_dump(include={"countered_by", "former_stay", "stay", "reason", "answer_by"}) == {
        "countered_by": "host",
        "former_stay": a_window().model_dump(),
        "stay": OTHER_DAYS.model_dump(),
        "reason": "We travel.",
        "answer_by": TODAY + timedelta(days=5 + 14),
    }
    match = await counter(service, match, by=V, stay=LATER)
    match = await accept(service, match)
    assert match.state is MatchState.AGREED
    assert service.names() == ["MatchProposed", "MatchCountered", "MatchCountered", "MatchAgreed"]


@pytest.mark.parametrize(
    ("stay", "broken"),
    [
        ((date(2023, 2, 14), date(2023, 2, 16)), SameStay),
        ((date(2023, 2, 14), date(2023, 2, 15)), StayOutOfBounds),
        ((date(2023, 2, 16), date(2023, 2, 14)), StayOutOfBounds),
        ((date(2023, 2, 1), date(2023, 3, 1)), StayOutOfBounds),
        ((date(2023, 3, 13), date(2023, 3, 17)), HostFull),
    ],
)
async def test_other_days_must_be_as_possible_as_a_proposal_s(
    service: Service, stay: tuple[date, date], broken: type[Exception]
) -> None:
    await pool_of(service, visitor(), visitor("w"), host())
    taken = await run(service, lambda uow: propose_match(uow, "w", "h", LATER, by=participant_of("w")))
    await accept(service, taken)
    await approve(service, taken)
    match = await propose(service)
    with pytest.raises(broken):
        await counter(service, match, stay=a_window(stay))
    assert (await stored(service, match)).stay == a_window()


async def test_nobody_counters_for_a_registration_that_is_out_of_the_pool(service: Service) -> None:
    await pool_of(service, visitor(), host())
    match = await propose(service)
    await service.consume(amended(visitor()))
    with pytest.raises(NotInPool):
        await counter(service, match)


async def test_nobody_counters_for_a_visitor_whose_visit_is_used(service: Service) -> None:
    twin: dict[str, Any] = {"identifiers": ["pic:900000001"]}
    await pool_of(service, visitor(**twin), visitor("w", **twin), host(), host("h2"))
    match = await propose(service)
    other = await run(service, lambda uow: propose_match(uow, "w", "h2", LATER, by=participant_of("w")))
    await accept(service, other, participant_of("h2"))
    await approve(service, other)
    with pytest.raises(VisitAlreadyClaimed):
        await counter(service, match)


async def test_other_days_of_an_older_match_do_not_make_it_one_of_the_last_acceptance(
    service: Service,
) -> None:
    await pool_of(service, visitor(), host())
    match = await propose(service)
    await service.consume(amended(visitor(), 3), accepted(visitor(), a_profile(), 4))
    await counter(service, match)
    await service.consume(undone(visitor(), 5))
    assert (await stored(service, match)).state is MatchState.PROPOSED


# ── at most five ─────────────────────────────────────────────────────────────────────────────


async def test_five_open_proposals_may_change_their_days_and_a_sixth_is_none(service: Service) -> None:
    hosts = [f"h{number}" for number in range(6)]
    await pool_of(service, visitor(), *(host(id) for id in hosts))
    matches = [
        await propose(service, id, by=participant_of(id) if n % 2 else V) for n, id in enumerate(hosts[:5])
    ]
    for number, match in enumerate(matches):
        await counter(service, match, by=V if number % 2 else participant_of(hosts[number]))
    with pytest.raises(TooManyOpenProposals):
        await propose(service, "h5")
    await run(service, lambda uow: withdraw_match(uow, matches[1].id, by=V))
    assert (await propose(service, "h5")).state is MatchState.PROPOSED


async def test_suggestions_count_from_the_first_yes_on(service: Service) -> None:
    hosts = [f"h{number}" for number in range(7)]
    await pool_of(service, visitor(), *(host(id) for id in hosts))
    suggestions = [await suggest(service, id) for id in hosts]
    for match in suggestions[:4]:
        await accept(service, match, by=V)
    await counter(service, suggestions[4], by=participant_of("h4"))
    for side in (V, participant_of("h5")):
        with pytest.raises(TooManyOpenProposals):
            await accept(service, suggestions[5], by=side)
    with pytest.raises(TooManyOpenProposals):
        await counter(service, suggestions[5], by=V)
    await run(service, lambda uow: withdraw_match(uow, suggestions[0].id, by=V))
    assert (await accept(service, suggestions[5], by=participant_of("h5"))).proposed_by == "host"
    # What both said yes to is agreed, however many there are.
    assert (await accept(service, suggestions[5], by=V)).state is MatchState.AGREED


async def test_of_two_proposals_at_the_same_moment_one_runs_again(service: Service) -> None:
    await pool_of(service, visitor(), host("a"), host("b"))
    units = [service._open_unit(MemoryStore(service.transactions.database)) for _ in range(2)]
    await propose_match(units[0], "v", "a", a_window(), by=V)
    await propose_match(units[1], "v", "b", a_window(), by=participant_of("b"))
    await units[0].commit()
    with pytest.raises(ConcurrentChange):
        await units[1].commit()


# ── what the programme suggests ──────────────────────────────────────────────────────────────


async def test_a_suggestion_asks_both_and_whoever_says_yes_first_proposes(service: Service) -> None:
    await pool_of(service, visitor(), host())
    match = await suggest(service, by=staff_of("hop"))
    assert (match.state, match.proposed_by, match.plan_id) == (MatchState.PROPOSED, None, "plan 1")
    assert match.awaits == ["v", "h"]
    suggested = service.published()[-1]
    assert isinstance(suggested, MatchSuggested)
    assert (suggested.plan_id, suggested.score) == ("plan 1", match.score)
    assert suggested.reasons == match.reasons
    assert suggested.answer_by == TODAY + timedelta(days=14)

    service.clock_at += timedelta(days=3)
    match = await accept(service, match, by=H)
    assert (match.state, match.proposed_by, match.awaits) == (MatchState.PROPOSED, "host", ["v"])
    proposed = service.published()[-1]
    assert isinstance(proposed, MatchProposed)
    assert (proposed.proposed_by, proposed.answer_by) == ("host", TODAY + timedelta(days=17))
    with pytest.raises(Forbidden):
        await accept(service, match, by=H)
    assert (await accept(service, match, by=V)).state is MatchState.AGREED


async def test_many_are_suggested_in_one_transaction_and_what_no_longer_holds_is_left_out(
    service: Service,
) -> None:
    await pool_of(
        service, visitor(), visitor("w"), host(), host("far", place=Place(country="PT", city="Porto"))
    )

    async def publish(uow: MatchingUnitOfWork) -> list[Match]:
        made = []
        for pair in (("v", "h"), ("w", "far"), ("w", "h")):
            try:
                made.append(await suggest_match(uow, *pair, a_window(), plan_id="p", by=SUPPORT))
            except PartnersDoNotFit:
                continue
        return made

    assert [match.visitor.registration_id for match in await run(service, publish)] == ["v", "w"]
    assert service.names() == ["MatchSuggested", "MatchSuggested"]


@pytest.mark.parametrize(
    "caller",
    [V, staff_of("other"), Caller("auditor", CallerRole.AUDITOR), Caller("crm", CallerRole.EXTERNAL)],
)
async def test_only_their_partnerships_and_the_support_office_suggest(
    service: Service, caller: Caller
) -> None:
    await pool_of(service, visitor(), host())
    with pytest.raises(Forbidden):
        await suggest(service, by=caller)


async def test_a_suggestion_takes_no_place_that_is_taken(service: Service) -> None:
    await pool_of(service, visitor(), visitor("w"), host())
    taken = await run(service, lambda uow: propose_match(uow, "w", "h", a_window(), by=participant_of("w")))
    await accept(service, taken)
    await approve(service, taken)
    with pytest.raises(HostFull):
        await suggest(service)


async def test_who_leaves_ends_suggestions_proposals_and_other_days_alike(service: Service) -> None:
    hosts = [f"h{number}" for number in range(4)]
    await pool_of(service, visitor(), *(host(id) for id in hosts))
    suggested = await suggest(service, "h0")
    asked = await propose(service, "h1")
    was_asked = await propose(service, "h2", by=participant_of("h2"))
    countered = await counter(service, await propose(service, "h3"), by=participant_of("h3"))
    await service.consume(gone(RegistrationWithdrawn, visitor()))
    ended = [(await stored(service, match)).state for match in (suggested, asked, was_asked, countered)]
    assert ended == [MatchState.DECLINED, MatchState.CANCELLED, MatchState.DECLINED, MatchState.DECLINED]


async def test_an_approved_visit_ends_suggestions_too(service: Service) -> None:
    await pool_of(service, visitor(), host(), host("h2"))
    suggested = await suggest(service, "h2")
    await a_match_in(service, MatchState.APPROVED)
    assert (await stored(service, suggested)).state is MatchState.CANCELLED


# ── a last day ───────────────────────────────────────────────────────────────────────────────

POLICY = AnswerPolicy(answer_days=14, remind_days=4)


@pytest.mark.parametrize(
    ("stay_begins", "answer_by", "remind_on"),
    [
        # days from today on
        (60, 14, 10),
        (15, 14, 10),
        (14, 13, 9),
        (6, 5, 1),
        (5, 4, None),  # the reminder would come with the question
        (1, 0, None),
        (0, 14, 10),  # the stay was past when somebody asked
        (-30, 14, 10),
    ],
)
def test_an_answer_is_waited_for_until_the_eve_of_the_stay_at_most(
    stay_begins: int, answer_by: int, remind_on: int | None
) -> None:
    def in_days(days: int) -> date:
        return TODAY + timedelta(days=days)

    asked = POLICY.asked(TODAY, in_days(stay_begins))
    assert asked == Deadline(in_days(answer_by), in_days(remind_on) if remind_on is not None else None)


async def test_who_does_not_answer_is_reminded_and_then_it_expires(service: Service) -> None:
    await pool_of(service, visitor(), host())
    match = await propose(service)
    calendar: dict[int, list[str]] = {}
    for day in range(20):
        service.clock_at = A_MOMENT + timedelta(days=day)
        if came := [*await chase(service), *await chase(service)]:
            calendar[day] = came
    assert calendar == {10: ["MatchReminded"], 15: ["MatchExpired"]}
    reminded, expired = service.published()[-2:]
    assert isinstance(reminded, MatchReminded)
    assert (reminded.state, reminded.awaits) == (MatchState.PROPOSED, ["h"])
    assert reminded.answer_by == TODAY + timedelta(days=14)
    assert isinstance(expired, MatchExpired)
    assert expired.unanswered_by == ["host"]
    match = await stored(service, match)
    assert (match.state, match.ended_because) == (MatchState.EXPIRED, "Nobody answered by 2023-01-30.")
    assert (await propose(service)).state is MatchState.PROPOSED


async def test_a_suggestion_nobody_takes_up_expires_for_both(service: Service) -> None:
    await pool_of(service, visitor(), host())
    await suggest(service)
    service.clock_at += timedelta(days=10)
    assert await chase(service) == ["MatchReminded"]
    reminded = service.published()[-1]
    assert isinstance(reminded, MatchReminded)
    assert reminded.awaits == ["v", "h"]
    service.clock_at += timedelta(days=5)
    assert await chase(service) == ["MatchExpired"]
    expired = service.published()[-1]
    assert isinstance(expired, MatchExpired)
    assert expired.unanswered_by == ["visitor", "host"]


async def test_partnerships_are_reminded_of_what_both_agreed_and_it_does_not_expire(
    service: Service,
) -> None:
    await pool_of(service, visitor(), host())
    match = await accept(service, await propose(service))
    await run(service, lambda uow: approve_match(uow, match.id, by=staff_of("vop")))
    service.clock_at += timedelta(days=10)
    assert await chase(service) == ["MatchReminded"]
    reminded = service.published()[-1]
    assert isinstance(reminded, MatchReminded)
    assert (reminded.state, reminded.awaits) == (MatchState.AGREED, ["hop"])
    service.clock_at += timedelta(days=100)
    assert await chase(service) == []


@pytest.mark.parametrize("years", [1, 40])
async def test_no_standstill_and_no_clock_that_jumps_ends_a_proposal_unreminded(
    service: Service, years: int
) -> None:
    await pool_of(service, visitor(), host())
    await propose(service)
    service.clock_at += timedelta(days=365 * years)
    assert [*await chase(service), *await chase(service)] == ["MatchReminded"]
    reminded = service.published()[-1]
    assert isinstance(reminded, MatchReminded)
    assert reminded.answer_by == service.clock_at.date() + timedelta(days=4)
    service.clock_at += timedelta(days=4)
    assert await chase(service) == []
    service.clock_at += timedelta(days=1)
    assert await chase(service) == ["MatchExpired"]


async def test_a_question_too_near_the_stay_for_a_reminder_expires_on_its_eve(service: Service) -> None:
    await pool_of(service, visitor(), host())
    service.clock_at = A_MOMENT.replace(month=2, day=12)
    await propose(service)
    assert await chase(service) == []
    service.clock_at += timedelta(days=1)
    assert await chase(service) == []
    service.clock_at += timedelta(days=1)
    assert await chase(service) == ["MatchExpired"]


async def test_a_proposal_of_before_there_was_a_last_day_is_reminded_first(service: Service) -> None:
    await pool_of(service, visitor(), host())
    match = await propose(service)
    document = service.transactions.database[Match.COLLECTION][match.id]
    del document["answer_by"], document["remind_on"]
    assert await chase(service) == ["MatchReminded"]
    assert (await stored(service, match)).answer_by == TODAY + timedelta(days=4)


async def test_an_answer_after_the_companion_looked_and_before_it_acted_counts(service: Service) -> None:
    await pool_of(service, visitor(), host())
    match = await propose(service)
    service.clock_at += timedelta(days=10)
    await accept(service, match)
    said = service.names()
    await run(service, lambda uow: chase_answers(uow, [match.id]))
    assert service.names() == said


async def test_a_withdrawal_says_who_and_why(service: Service) -> None:
    await pool_of(service, visitor(), host())
    match = await propose(service)
    await run(service, lambda uow: withdraw_match(uow, match.id, by=V, reason="No time."))
    withdrawn = service.published()[-1]
    assert isinstance(withdrawn, MatchWithdrawn)
    assert (withdrawn.withdrawn_by, withdrawn.reason) == ("visitor", "No time.")
