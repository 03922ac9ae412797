"""Plans from the question to the suggestions, on a database in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial
from typing import Any

import pytest

from services.matching.domain.planning.job import (
    MAX_CRASHES,
    Actor,
    Asked,
    AskedCap,
    PlanJob,
    PlanState,
    PlanStateForbids,
)
from services.matching.domain.planning.problem import CapOn, CapsContradict
from services.matching.use_cases.accept_match import accept_match
from services.matching.use_cases.approve_match import approve_match
from services.matching.use_cases.cancel_plan import cancel_plan
from services.matching.use_cases.decline_match import decline_match
from services.matching.use_cases.propose_match import propose_match
from services.matching.use_cases.request_plan import MAX_UNFINISHED, TooManyPlans
from shared.contracts.common import ERASED
from shared.contracts.matching import PlanPublished
from shared.contracts.registration import RegistrationErased, RegistrationWithdrawn
from shared.contracts.vocabulary import MatchState
from shared.errors import Forbidden, NotFound
from shared.partnerships import Partnerships
from shared.security import Caller, CallerRole
from tests.builders import A_MOMENT, a_host_party, a_party, an_envelope
from tests.unit.matching.builders import (
    Service,
    a_host_profile,
    a_partnership,
    a_profile,
    a_window,
    accepted,
    amended,
    availability,
    gone,
    participant_of,
    staff_of,
)
from tests.unit.matching.plans import (
    SUPPORT_OFFICE,
    a_plan,
    lines,
    made,
    publish,
    published,
    requested,
    snapshot_of,
)

LINEN = staff_of("linenclub")
ONE_WEEK = (date(2023, 2, 13), date(2023, 2, 17))


def a_service() -> Service:
    return Service(Partnerships([a_partnership("hempclub"), a_partnership("linenclub")]))


async def a_pool(*, visitors: int = 3, hosts: int = 2, **of_host: Any) -> Service:
    """Visitors v1, v2, … of HempClub and hosts h1, h2, … of LinenClub that each could go to."""
    service = a_service()
    linen = [a_host_party(f"h{n}", partnership="linenclub") for n in range(1, hosts + 1)]
    hemp = [a_party(f"v{n}") for n in range(1, visitors + 1)]
    await service.consume(
        *(accepted(party, a_host_profile(**of_host)) for party in linen),
        *(accepted(party, a_profile()) for party in hemp),
    )
    return service


def matches(service: Service) -> dict[tuple[str, str], Any]:
    """The latest match of each pair, as stored."""
    stored = service.transactions.database["matches"].values()
    return {(m["visitor"]["registration_id"], m["host"]["registration_id"]): m for m in stored}


def outcomes(service: Service, id: str) -> dict[str, str | None]:
    """What came of each pair, by visitor."""
    return {line.visitor.registration_id: line.outcome for line in lines(service, id) if line.host}


async def answered(service: Service, pair: tuple[str, str], *owners: str) -> None:
    """These organisations say yes to the match of the pair."""
    id = matches(service)[pair]["_id"]
    for by in map(participant_of, owners):
        await service.transactions.run(partial(accept_match, match_id=id, by=by))


async def approved(service: Service, pair: tuple[str, str]) -> None:
    """Both partnerships say yes, too."""
    id = matches(service)[pair]["_id"]
    for by in (staff_of("hempclub"), LINEN):
        await service.transactions.run(partial(approve_match, match_id=id, by=by))


async def proposed(service: Service, visitor: str, host: str) -> None:
    by = participant_of(visitor)
    await service.transactions.run(lambda uow: propose_match(uow, visitor, host, a_window(), by=by))


# ── made and published ───────────────────────────────────────────────────────────────────────


async def test_a_plan_suggests_every_pair_to_both_and_says_so_once() -> None:
    service = await a_pool()
    id = await a_plan(service)
    job = await published(service, id, answer_days=7)
    assert job.state is PlanState.PUBLISHED
    assert job.figures is not None
    assert (job.figures.exchanges, job.figures.unmatched) == (2, {"hosts_full": 1})
    suggested = matches(service)
    assert len(suggested) == 2
    for match in suggested.values():
        assert (match["state"], match["plan_id"], match["proposed_by"]) == ("proposed", id, None)
        assert match["answer_by"] == "2023-01-23"
        assert date.fromisoformat(match["stay"]["first_day"]) > date(2023, 1, 30), (
            "there is time for both answers"
        )
    assert service.names() == ["MatchSuggested", "MatchSuggested"]
    [event] = [event for event in service.published() if isinstance(event, PlanPublished)]
    assert (event.suggested, event.dropped, event.left) == (2, 0, 0)
    assert {share.partnership: share.suggested for share in event.partnerships} == {
        "hempclub": 2,
        "linenclub": 2,
    }
    assert [entry.what for entry in job.history] == ["asked", "started", "ready", "publishing", "published"]
    assert job.history[-1].by is not None
    assert job.history[-1].by.subject == "officer"


async def test_publishing_again_suggests_nothing_twice() -> None:
    service = await a_pool()
    id = await a_plan(service)
    await published(service, id)
    before = service.published()
    await published(service, id)
    assert service.published() == before


async def test_what_is_asked_again_while_it_goes_on_changes_nothing_and_something_else_waits() -> None:
    service = await a_pool()
    id = await a_plan(service)
    await publish(service, id)
    version = service.transactions.database["plans"][id]["version"]
    await publish(service, id)
    assert service.transactions.database["plans"][id]["version"] == version
    with pytest.raises(PlanStateForbids):
        await publish(service, id, registrations=["v1"])


async def test_some_are_published_first_and_the_others_later() -> None:
    service = await a_pool(visitors=3, hosts=3)
    id = await a_plan(service)
    job = await published(service, id, registrations=["v2"])
    assert (job.state, outcomes(service, id)) == (
        PlanState.READY,
        {"v1": None, "v2": "suggested", "v3": None},
    )
    job = await published(service, id)
    assert job.state is PlanState.PUBLISHED
    told = [event for event in service.published() if isinstance(event, PlanPublished)]
    assert [(event.suggested, event.left) for event in told] == [(1, 2), (2, 0)]


async def test_a_dry_run_is_never_published() -> None:
    service = await a_pool()
    id = await a_plan(service, dry_run=True)
    with pytest.raises(PlanStateForbids, match="dry run"):
        await publish(service, id)


@pytest.mark.parametrize(("visitors", "hosts"), [(0, 0), (1, 0), (1, 1), (0, 2)])
async def test_the_smallest_pools_have_a_plan_that_can_be_published(visitors: int, hosts: int) -> None:
    service = await a_pool(visitors=visitors, hosts=hosts)
    id = await a_plan(service)
    job = await published(service, id)
    assert job.state is PlanState.PUBLISHED
    assert len(matches(service)) == min(visitors, hosts)
    for line in lines(service, id):
        assert line.why or line.host


async def test_where_all_hosts_are_full_each_visitor_is_told_so() -> None:
    service = await a_pool(visitors=1, hosts=1, availability=availability(ONE_WEEK))
    await proposed(service, "v1", "h1")
    await answered(service, ("v1", "h1"), "h1")
    await approved(service, ("v1", "h1"))
    await service.consume(accepted(a_party("v2"), a_profile()))
    id = await a_plan(service)
    [line] = lines(service, id)
    assert line.visitor.registration_id == "v2"
    assert line.host is None
    assert line.why


async def test_caps_that_contradict_each_other_are_named() -> None:
    service = await a_pool()
    caps = [AskedCap(on=CapOn.HOST_COUNTRY, of="IT", at_most=n) for n in (1, 2)]
    id = await requested(service, caps=caps)
    with pytest.raises(CapsContradict, match="at most 1 exchanges with host country IT"):
        await made(service, id)


async def test_caps_and_budgets_hold() -> None:
    service = await a_pool(visitors=3, hosts=3)
    await a_plan(service, caps=[AskedCap(on=CapOn.HOST_COUNTRY, of="IT", at_most=1)])
    capped = await a_plan(service, budgets={"hempclub": 1800})
    figures = [job["figures"] for job in service.transactions.database["plans"].values()]
    assert [f["exchanges"] for f in figures] == [1, 2], "900 EUR for a stay in Italy, by the table on file"
    assert {line.why_not for line in lines(service, capped)} == {None, "budget"}


# ── what has changed since ───────────────────────────────────────────────────────────────────

Change = Callable[[Service], Awaitable[Any]]


async def _withdraws(service: Service) -> None:
    await service.consume(gone(RegistrationWithdrawn, a_party("v1")))


async def _host_withdraws(service: Service) -> None:
    await service.consume(gone(RegistrationWithdrawn, a_host_party("h1", partnership="linenclub")))


async def _host_waits_for_acceptance(service: Service) -> None:
    await service.consume(amended(a_host_party("h1", partnership="linenclub")))


async def _host_moves(service: Service) -> None:
    later = a_host_profile(availability=availability((date(2023, 6, 1), date(2023, 6, 30))))
    party = a_host_party("h1", partnership="linenclub")
    await service.consume(amended(party), accepted(party, later, sequence=4))


async def _visitor_is_approved_elsewhere(service: Service) -> None:
    await service.consume(accepted(a_host_party("other", partnership="linenclub"), a_host_profile()))
    await proposed(service, "v1", "other")
    await answered(service, ("v1", "other"), "other")
    await approved(service, ("v1", "other"))


async def _visitor_agrees_elsewhere(service: Service) -> None:
    await service.consume(accepted(a_host_party("other", partnership="linenclub"), a_host_profile()))
    await proposed(service, "v1", "other")
    await answered(service, ("v1", "other"), "other")


async def _visitor_said_no_to_the_host(service: Service) -> None:
    by = participant_of("h1")
    await service.transactions.run(lambda uow: propose_match(uow, "v1", "h1", a_window(), by=by))
    id = matches(service)["v1", "h1"]["_id"]
    by = participant_of("v1")
    await service.transactions.run(lambda uow: decline_match(uow, id, by=by, reason="Too far."))


CHANGES: list[tuple[str, Change, str]] = [
    ("the visitor withdrew", _withdraws, "not accepted at present"),
    ("the host withdrew", _host_withdraws, "not accepted at present"),
    ("the host waits to be accepted anew", _host_waits_for_acceptance, "not accepted at present"),
    ("the host has other days", _host_moves, "There is no time"),
    ("the visit is used", _visitor_is_approved_elsewhere, "one visit of the scheme"),
    ("the visitor agreed elsewhere", _visitor_agrees_elsewhere, "which is agreed"),
    ("the visitor said no to this host", _visitor_said_no_to_the_host, "declined. Too far."),
]


@pytest.mark.parametrize(("change", "because"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
async def test_a_pair_that_no_longer_holds_is_reported_and_the_others_are_suggested(
    change: Change, because: str
) -> None:
    far = a_profile(needs=["market access"])
    service = await a_pool(visitors=1, hosts=1)
    await service.consume(
        accepted(a_party("v2"), far),
        accepted(a_host_party("h2", partnership="linenclub"), a_host_profile(offers=[])),
    )
    id = await a_plan(service)
    assert {
        (line.visitor.registration_id, line.host and line.host.registration_id) for line in lines(service, id)
    } == {
        ("v1", "h1"),
        ("v2", "h2"),
    }
    await change(service)
    job = await published(service, id)
    assert outcomes(service, id) == {"v1": "dropped", "v2": "suggested"}
    [dropped] = [line for line in lines(service, id) if line.outcome == "dropped"]
    assert dropped.because is not None
    assert because in dropped.because
    assert job.state is PlanState.PUBLISHED


async def test_two_of_which_one_said_no_are_not_planned_together_again() -> None:
    service = await a_pool(visitors=1, hosts=2)
    for host in ("h1", "h2"):
        await published(service, await a_plan(service))
        [line] = [line for line in lines(service, await a_plan(service)) if line.host]
        assert line.host is not None
        assert line.host.registration_id == host
        id, by = matches(service)["v1", host]["_id"], participant_of("v1")
        await service.transactions.run(partial(decline_match, match_id=id, by=by, reason="Too far."))
    [line] = lines(service, await a_plan(service))
    assert line.why_not == "no_host"


async def test_a_match_the_two_made_themselves_since_stands() -> None:
    service = await a_pool(visitors=1, hosts=1)
    id = await a_plan(service)
    await proposed(service, "v1", "h1")
    await published(service, id)
    [line] = lines(service, id)
    assert (line.outcome, line.match_id) == ("standing", matches(service)["v1", "h1"]["_id"])


async def test_two_plans_never_suggest_the_same_place_or_the_same_visitor() -> None:
    service = await a_pool(visitors=1, hosts=1, availability=availability(ONE_WEEK))
    await service.consume(accepted(a_party("w1", partnership="linenclub"), a_profile()))
    first, second = await a_plan(service), await a_plan(service, LINEN)
    again = await a_plan(service)
    await published(service, first)
    await published(service, second, LINEN)
    [dropped] = lines(service, second)
    assert dropped.because is not None
    assert "taken or suggested" in dropped.because
    [job] = [job for id, job in service.transactions.database["plans"].items() if id == again]
    assert job["state"] == "stale"
    await service.consume(accepted(a_host_party("h2", partnership="linenclub"), a_host_profile()))
    await published(service, again)
    assert len(matches(service)) == 1


async def test_a_place_suggested_by_another_plan_is_not_planned_again() -> None:
    service = await a_pool(visitors=1, hosts=1, availability=availability(ONE_WEEK))
    await published(service, await a_plan(service))
    await service.consume(accepted(a_party("w1", partnership="linenclub"), a_profile()))
    [line] = lines(service, await a_plan(service, LINEN))
    assert line.host is None


# ── what people have seen ────────────────────────────────────────────────────────────────────


async def test_an_open_proposal_is_kept_unless_the_plan_gains_more_than_the_margin() -> None:
    service = await a_pool(visitors=1, hosts=1)
    better = a_host_profile(preferred_countries=["PT"])
    await service.consume(accepted(a_host_party("better", partnership="linenclub"), better))
    await proposed(service, "v1", "h1")
    kept, broken = await a_plan(service, keep_margin=50.0), await a_plan(service, keep_margin=0.0)
    [line] = lines(service, kept)
    assert line.host is not None
    assert (line.host.registration_id, line.proposed) == ("h1", True)
    [line] = lines(service, broken)
    assert line.host is not None
    assert line.host.registration_id == "better"
    assert [one.host.registration_id for one in line.broken] == ["h1"]
    await published(service, broken)
    assert {pair: m["state"] for pair, m in matches(service).items()} == {
        ("v1", "h1"): "proposed",
        ("v1", "better"): "proposed",
    }, "what people proposed themselves is theirs"


async def test_a_suggestion_nobody_answered_gives_way_to_a_better_plan() -> None:
    service = await a_pool(visitors=1, hosts=1)
    await published(service, await a_plan(service))
    better = a_host_profile(preferred_countries=["PT"])
    await service.consume(accepted(a_host_party("better", partnership="linenclub"), better))
    await published(service, await a_plan(service, keep_margin=0.0))
    assert {pair: m["state"] for pair, m in matches(service).items()} == {
        ("v1", "h1"): MatchState.CANCELLED,
        ("v1", "better"): MatchState.PROPOSED,
    }


async def test_a_suggestion_one_side_took_up_is_never_broken() -> None:
    service = await a_pool(visitors=1, hosts=1)
    await published(service, await a_plan(service))
    await answered(service, ("v1", "h1"), "h1")
    better = a_host_profile(preferred_countries=["PT"])
    await service.consume(accepted(a_host_party("better", partnership="linenclub"), better))
    id = await a_plan(service, keep_margin=0.0)
    [line] = lines(service, id)
    assert line.host is not None
    assert (line.host.registration_id, line.firm) == ("h1", True)
    await published(service, id)
    assert outcomes(service, id) == {"v1": "standing"}


async def test_a_visitor_with_two_agreed_matches_has_a_plan_all_the_same() -> None:
    service = await a_pool(visitors=1, hosts=2)
    for host in ("h1", "h2"):
        await proposed(service, "v1", host)
        await answered(service, ("v1", host), host)
    [line] = lines(service, await a_plan(service))
    assert line.firm


# ── who may, and how it ends ─────────────────────────────────────────────────────────────────


async def test_staff_plan_for_their_own_and_the_support_office_for_all() -> None:
    service = await a_pool(visitors=1, hosts=1)
    id = await requested(service, SUPPORT_OFFICE)
    job = PlanJob.from_document(service.transactions.database["plans"][id])
    assert job.asked.partnerships == ["hempclub", "linenclub"]
    auditor = Caller("auditor", CallerRole.AUDITOR)
    for by, asked in ((LINEN, ["hempclub"]), (auditor, None), (participant_of("v1"), None)):
        with pytest.raises(Forbidden):
            await requested(service, by, partnerships=asked)
    await made(service, id)
    with pytest.raises(Forbidden):
        await publish(service, id, LINEN)
    mine = await a_plan(service)
    with pytest.raises(NotFound):
        await publish(service, mine, LINEN)


async def test_one_who_has_enough_waiting_waits() -> None:
    service = await a_pool(visitors=0, hosts=0)
    ids = [await requested(service) for _ in range(MAX_UNFINISHED)]
    with pytest.raises(TooManyPlans):
        await requested(service)
    await service.transactions.run(lambda uow: cancel_plan(uow, ids[0], by=staff_of("hempclub")))
    await requested(service)
    with pytest.raises(PlanStateForbids):
        await service.transactions.run(lambda uow: cancel_plan(uow, ids[0], by=staff_of("hempclub")))


def test_a_plan_whose_process_dies_again_and_again_is_given_up() -> None:
    by = Actor(subject="officer", role="staff", partnership="hempclub")
    job = PlanJob.request("p", by=by, asked=Asked(partnerships=["hempclub"]), at=A_MOMENT)
    for turn in range(MAX_CRASHES):
        assert job.start(A_MOMENT) == turn + 1
        job.crash(A_MOMENT)
    assert job.state is PlanState.FAILED
    assert job.failure is not None
    assert "memory" in job.failure


async def test_an_erased_organisation_is_named_in_no_plan() -> None:
    service = await a_pool(visitors=2, hosts=2)
    id = await a_plan(service)
    party = a_party("v1")
    await service.consume(
        gone(RegistrationWithdrawn, party),
        an_envelope(
            RegistrationErased(party=party.erased(), on_behalf_of="organisation"),
            service="registration",
            subject="v1",
            sequence=4,
        ),
    )
    assert service.dead_letters() == []
    [mine] = [line for line in lines(service, id) if line.visitor.registration_id == "v1"]
    assert mine.visitor.organisation == ERASED
    assert {reason.sentence for reason in mine.reasons} == {ERASED}
    assert "v1" not in mine.mentions
    [other] = [line for line in lines(service, id) if line.visitor.registration_id == "v2"]
    assert other.visitor.organisation != ERASED


async def test_a_plan_is_of_the_pool_as_it_is_at_one_moment() -> None:
    service = await a_pool(visitors=1, hosts=1)
    await _visitor_is_approved_elsewhere(service)
    pool = snapshot_of(service)
    assert pool.used
    assert lines(service, await a_plan(service)) == []
