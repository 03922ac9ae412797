"""The life of a match, its rules, and the visitor's one visit."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

import pytest

from services.matching.domain.errors import (
    AlreadyApproved,
    AlreadyMatched,
    HostFull,
    MatchStateForbids,
    NotInPool,
    PartnersDoNotFit,
    StayOutOfBounds,
    TooManyOpenProposals,
    VisitAlreadyClaimed,
)
from services.matching.domain.match import Match
from services.matching.use_cases.accept_match import accept_match
from services.matching.use_cases.approve_match import approve_match
from services.matching.use_cases.cancel_match import cancel_match
from services.matching.use_cases.decline_match import decline_match
from services.matching.use_cases.propose_match import propose_match
from services.matching.use_cases.refuse_match import refuse_match
from services.matching.use_cases.suggest_partners import suggest_partners
from shared.contracts.common import Party, Window
from shared.contracts.matching import (
    MatchApproved,
    MatchCancelled,
    MatchDeclined,
    MatchRefused,
    Side,
)
from shared.contracts.registration import RegistrationRejected, RegistrationWithdrawn
from shared.contracts.vocabulary import MatchState
from shared.errors import Forbidden, NotFound
from shared.partnerships import Partnerships
from shared.security import Caller, CallerRole
from shared.storage.store import ConcurrentChange
from tests.builders import a_host_party, a_party
from tests.fakes import MemoryStore
from tests.unit.matching.builders import (
    Service,
    a_host_profile,
    a_partnership,
    a_profile,
    a_window,
    accepted,
    amended,
    gone,
    lapsed,
    participant_of,
    staff_of,
    undone,
)

SUPPORT = Caller("office", CallerRole.SUPPORT_OFFICE)
NEXT_MONTH = (date(2023, 3, 13), date(2023, 3, 17))


@pytest.fixture
def service() -> Service:
    return Service(Partnerships([a_partnership("vop"), a_partnership("hop"), a_partnership("other")]))


def visitor(id: str = "v", **changes: Any) -> Party:
    return a_party(id, **{"partnership": "vop", **changes})


def host(id: str = "h", **changes: Any) -> Party:
    return a_host_party(id, **{"partnership": "hop", **changes})


async def pool_of(service: Service, *parties: Party, host_places: int = 1) -> None:
    for party in parties:
        profile = a_host_profile(host_places=host_places) if "host" in party.roles else a_profile()
        await service.consume(accepted(party, profile))
    assert service.dead_letters() == []


async def proposed(
    service: Service, visitor_id: str = "v", host_id: str = "h", by: str = "v", stay: Window | None = None
) -> Match:
    return await service.transactions.run(
        lambda uow: propose_match(uow, visitor_id, host_id, stay or a_window(), by=participant_of(by))
    )


async def agreed(
    service: Service, visitor_id: str = "v", host_id: str = "h", stay: Window | None = None
) -> Match:
    match = await proposed(service, visitor_id, host_id, visitor_id, stay)
    return await service.transactions.run(lambda uow: accept_match(uow, match.id, by=participant_of(host_id)))


async def approve(service: Service, match: Match, *partnerships: str) -> Match:
    for partnership in partnerships:
        match = await approve_one(service, match.id, staff_of(partnership))
    return match


async def approve_one(service: Service, match_id: str, by: Caller) -> Match:
    return await service.transactions.run(lambda uow: approve_match(uow, match_id, by=by))


async def test_a_match_goes_from_proposal_to_approval(service: Service) -> None:
    await pool_of(service, visitor(), host())
    match = await proposed(service)
    assert (match.state, match.awaits, match.score) == (MatchState.PROPOSED, ["h"], 85.0)
    match = await agreed_already(service, match)
    assert (match.state, match.awaits) == (MatchState.AGREED, ["vop", "hop"])
    match = await approve(service, match, "hop")
    assert (match.state, match.awaits) == (MatchState.AGREED, ["vop"])
    match = await approve(service, match, "vop")
    assert (match.state, match.awaits) == (MatchState.APPROVED, [])
    assert service.names() == ["MatchProposed", "MatchAgreed", "MatchEndorsed", "MatchApproved"]
    last = service.about_matches()[-1]
    assert isinstance(last, MatchApproved)
    assert last.score == 85.0
    assert last.reasons[0].component == "topics"


async def agreed_already(service: Service, match: Match) -> Match:
    return await service.transactions.run(lambda uow: accept_match(uow, match.id, by=participant_of("h")))


async def test_one_partnership_on_both_sides_approves_once(service: Service) -> None:
    await pool_of(service, visitor(), host(partnership="vop"))
    match = await approve(service, await agreed(service), "vop")
    assert match.state is MatchState.APPROVED
    assert service.names() == ["MatchProposed", "MatchAgreed", "MatchApproved"]


async def test_a_host_can_propose_and_a_visitor_decline(service: Service) -> None:
    await pool_of(service, visitor(), host())
    match = await proposed(service, by="h")
    with pytest.raises(Forbidden, match="answers"):
        await service.transactions.run(lambda uow: accept_match(uow, match.id, by=participant_of("h")))
    await service.transactions.run(
        lambda uow: decline_match(uow, match.id, by=participant_of("v"), reason="Not this year.")
    )
    declined = service.published()[-1]
    assert isinstance(declined, MatchDeclined)
    assert (declined.declined_by, declined.reason) == ("visitor", "Not this year.")
    again = await proposed(service, by="v")
    assert again.id != match.id


async def test_a_pair_has_one_open_match_at_a_time(service: Service) -> None:
    await pool_of(service, visitor(), host())
    await proposed(service)
    with pytest.raises(AlreadyMatched):
        await proposed(service, by="h")


@pytest.mark.parametrize(
    ("stay", "broken"),
    [
        ((date(2023, 2, 14), date(2023, 2, 15)), StayOutOfBounds),
        ((date(2023, 2, 1), date(2023, 3, 1)), StayOutOfBounds),
    ],
)
async def test_a_proposal_must_be_a_possible_stay(
    service: Service, stay: tuple[date, date], broken: type[Exception]
) -> None:
    await pool_of(service, visitor(), host())
    with pytest.raises(broken):
        await proposed(service, stay=a_window(stay))
    assert service.names() == []


async def test_a_proposal_must_pair_a_visitor_with_a_host_abroad(service: Service) -> None:
    await pool_of(service, visitor(), visitor("v2"), host())
    with pytest.raises(PartnersDoNotFit, match="not registered as a host"):
        await proposed(service, host_id="v2")
    with pytest.raises(NotFound):
        await proposed(service, host_id="nobody")
    with pytest.raises(Forbidden):
        await proposed(service, by="v2")


async def test_a_visitor_has_at_most_five_open_proposals(service: Service) -> None:
    await pool_of(service, visitor(), *(host(f"h{number}") for number in range(6)))
    first = await proposed(service, host_id="h0")
    for number in range(1, 5):
        await proposed(service, host_id=f"h{number}", by=f"h{number}")
    with pytest.raises(TooManyOpenProposals, match="5 are the most"):
        await proposed(service, host_id="h5", by="h5")
    await service.transactions.run(
        lambda uow: cancel_match(uow, first.id, by=participant_of("v"), reason="Changed plans.")
    )
    assert (await proposed(service, host_id="h5")).state is MatchState.PROPOSED


async def test_a_host_takes_no_more_than_its_places_at_a_time(service: Service) -> None:
    await pool_of(service, visitor("a"), visitor("b"), visitor("c"), host())
    first, second = await agreed(service, "a"), await agreed(service, "b")
    later = await agreed(service, "c", stay=a_window(NEXT_MONTH))
    await approve(service, first, "vop", "hop")
    with pytest.raises(HostFull):
        await approve(service, second, "vop")
    assert (await approve(service, later, "vop", "hop")).state is MatchState.APPROVED


async def test_the_host_must_have_a_place_when_it_agrees(service: Service) -> None:
    await pool_of(service, visitor("a"), visitor("b"), host())
    waiting = await proposed(service, "b", by="b")
    await approve(service, await agreed(service, "a"), "vop", "hop")
    with pytest.raises(HostFull):
        await agreed_already(service, waiting)


async def test_one_visit_in_the_whole_scheme(service: Service) -> None:
    twice = {"identifiers": ["vat:PT500000000", "pic:900000001"]}
    await pool_of(
        service,
        visitor("a", **twice),
        visitor("b", partnership="other", identifiers=["pic:900000001"]),
        host(),
        host("h2"),
    )
    first, second = await agreed(service, "a"), await agreed(service, "b", "h2")
    await approve(service, first, "vop", "hop")
    with pytest.raises(VisitAlreadyClaimed):
        await approve(service, second, "other")
    await service.transactions.run(lambda uow: cancel_match(uow, first.id, by=staff_of("vop"), reason="Ill."))
    cancelled = service.about_matches()[-1]
    assert isinstance(cancelled, MatchCancelled)
    assert cancelled.was_approved
    assert (await approve(service, second, "other", "hop")).state is MatchState.APPROVED


async def test_an_approved_visit_ends_the_visitor_s_other_open_matches(service: Service) -> None:
    await pool_of(service, visitor(), host(), host("h2"), host("h3"), visitor("w"))
    first, proposal = await agreed(service), await proposed(service, host_id="h3", by="h3")
    rival = await agreed(service, host_id="h2")
    of_another = await agreed(service, "w", "h2")
    await approve(service, rival, "hop")
    await approve(service, first, "hop")
    assert service.names().count("MatchCancelled") == 0  # the last word is still open

    await approve(service, first, "vop")
    ended = [event for event in service.published() if isinstance(event, MatchCancelled)]
    assert {event.match_id for event in ended} == {rival.id, proposal.id}
    assert {(event.reason, event.was_approved) for event in ended} == {
        ("Tagus Fibre Works (sample) has its one visit of the scheme elsewhere.", False)
    }
    with pytest.raises(MatchStateForbids):
        await approve(service, rival, "vop")
    # Their hosts are free for others, and once the visit is given back, for the same visitor again.
    assert (await approve(service, of_another, "vop", "hop")).state is MatchState.APPROVED
    await service.transactions.run(lambda uow: cancel_match(uow, first.id, by=staff_of("vop"), reason="Ill."))
    assert (await proposed(service, host_id="h3")).state is MatchState.PROPOSED


async def test_a_visitor_without_identifiers_is_known_by_its_registration(service: Service) -> None:
    await pool_of(service, visitor(identifiers=[]), host(), host("h2"))
    await approve(service, await agreed(service), "vop", "hop")
    with pytest.raises(VisitAlreadyClaimed):
        await proposed(service, host_id="h2")


async def test_of_two_last_approvals_at_the_same_moment_one_conflicts(service: Service) -> None:
    shared = {"identifiers": ["pic:900000001"]}
    await pool_of(service, visitor("a", **shared), visitor("b", **shared), host(), host("h2"))
    first, second = await agreed(service, "a"), await agreed(service, "b", "h2")
    await approve(service, first, "hop")
    await approve(service, second, "hop")
    units = [service._open_unit(MemoryStore(service.transactions.database)) for _ in range(2)]
    for uow, match in zip(units, (first, second), strict=True):
        await approve_match(uow, match.id, by=staff_of("vop"))
    await units[0].commit()
    with pytest.raises(ConcurrentChange):
        await units[1].commit()
    with pytest.raises(VisitAlreadyClaimed):
        await approve(service, second, "vop")


async def test_only_the_states_in_which_a_step_makes_sense_allow_it(service: Service) -> None:
    await pool_of(service, visitor(), host())
    match = await proposed(service)
    run = service.transactions.run
    with pytest.raises(MatchStateForbids, match="is proposed; only one that is agreed can be approved"):
        await approve(service, match, "vop")
    await agreed_already(service, match)
    with pytest.raises(MatchStateForbids):
        await run(lambda uow: decline_match(uow, match.id, by=participant_of("h")))
    await approve(service, match, "vop")
    with pytest.raises(AlreadyApproved):
        await approve(service, match, "vop")
    await approve(service, match, "hop")
    with pytest.raises(MatchStateForbids):
        await run(lambda uow: refuse_match(uow, match.id, by=staff_of("hop"), reason="Too late."))
    await run(lambda uow: cancel_match(uow, match.id, by=participant_of("h"), reason="Flooded."))
    with pytest.raises(MatchStateForbids):
        await run(lambda uow: cancel_match(uow, match.id, by=participant_of("h"), reason="Again."))


async def test_a_partnership_refuses_with_its_reason(service: Service) -> None:
    await pool_of(service, visitor(), host())
    match = await agreed(service)
    await service.transactions.run(
        lambda uow: refuse_match(uow, match.id, by=staff_of("hop"), reason="The agenda is missing.")
    )
    refused = service.published()[-1]
    assert isinstance(refused, MatchRefused)
    assert (refused.refused_by, refused.reason) == ("hop", "The agenda is missing.")


@pytest.mark.parametrize(
    ("caller", "raises"),
    [
        (participant_of("v"), Forbidden),
        (SUPPORT, Forbidden),
        (staff_of("other"), NotFound),
        (participant_of("someone else"), NotFound),
        (Caller("crm", CallerRole.EXTERNAL), NotFound),
    ],
)
async def test_only_staff_of_the_two_partnerships_approve(
    service: Service, caller: Caller, raises: type[Exception]
) -> None:
    await pool_of(service, visitor(), host())
    match = await agreed(service)
    with pytest.raises(raises):
        await service.transactions.run(lambda uow: approve_match(uow, match.id, by=caller))


@pytest.mark.parametrize(
    ("caller", "sees"),
    [
        (participant_of("v"), 1),
        (participant_of("h"), 2),
        (staff_of("vop"), 1),
        (staff_of("hop"), 2),
        (staff_of("other"), 1),
        (SUPPORT, 2),
        (Caller("crm", CallerRole.EXTERNAL), 0),
    ],
)
async def test_each_sees_only_its_own_matches(service: Service, caller: Caller, sees: int) -> None:
    await pool_of(service, visitor(), visitor("w", partnership="other"), host(), host_places=2)
    await agreed(service, "v")
    await proposed(service, "w", by="w")
    pages = service.transactions
    found = await pages.read(lambda uow: uow.matches.page(caller))
    assert len(found) == sees
    filtered = await pages.read(
        lambda uow: uow.matches.page(caller, state=MatchState.AGREED, registration="v", partnership="vop")
    )
    assert len(filtered) == len([match for match in found if match.visitor.registration_id == "v"])
    rest = await pages.read(
        lambda uow: uow.matches.page(caller, after=found[0].id if found else "0", limit=1)
    )
    assert [match.id for match in rest] == [match.id for match in found[1:2]]


# ── the pool ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "leaving",
    [partial(gone, RegistrationWithdrawn), partial(gone, RegistrationRejected), lapsed, undone],
    ids=["withdrawn", "rejected", "lapsed", "undone"],
)
async def test_one_that_leaves_ends_its_open_matches(service: Service, leaving: Any) -> None:
    await pool_of(service, visitor(), host("asks"), host("is asked"), host("agreed"))
    await pool_of(service, visitor("w"), host("approved"))
    await proposed(service, host_id="asks", by="asks")
    await proposed(service, host_id="is asked")
    await agreed(service, host_id="agreed")
    await approve(service, await agreed(service, "w", "approved"), "vop", "hop")
    before = len(service.names())
    await service.consume(leaving(visitor()), leaving(visitor("w")))
    assert service.dead_letters() == []
    assert service.names()[before:] == ["MatchDeclined", "MatchCancelled", "MatchCancelled", "MatchCancelled"]
    with pytest.raises(NotFound):
        await proposed(service)
    claims = service.transactions.database["visit_claims"]
    assert [claim["match_id"] for claim in claims.values()] == [None]


async def test_a_stay_that_has_begun_outlives_the_withdrawal(service: Service) -> None:
    await pool_of(service, visitor(), host())
    begun = a_window((service.clock_at.date(), date(2023, 1, 20)))
    await approve(service, await agreed(service, stay=begun), "vop", "hop")
    await service.consume(gone(RegistrationWithdrawn, visitor()))
    assert service.names()[-1] == "MatchApproved"


async def test_an_acceptance_undone_tells_the_partner_why_and_can_be_given_again(service: Service) -> None:
    await pool_of(service, visitor(), host())
    await approve(service, await agreed(service), "vop", "hop")
    await service.consume(undone(visitor()))
    [cancelled] = [event for event in service.published() if isinstance(event, MatchCancelled)]
    assert cancelled.was_approved
    assert cancelled.reason == f"The acceptance of {visitor().organisation} was taken back."
    await service.consume(accepted(visitor(), a_profile(), sequence=4))
    await approve(service, await agreed(service), "vop", "hop")
    assert service.names()[-1] == "MatchApproved"


async def test_news_of_an_undoing_that_comes_late_changes_nothing(service: Service) -> None:
    await pool_of(service, visitor(), host())
    await service.consume(accepted(visitor(), a_profile(), sequence=4))
    await service.consume(undone(visitor(), sequence=3))
    await proposed(service)
    assert service.names() == ["MatchProposed"]


async def test_a_rejection_undone_brings_nobody_into_the_pool(service: Service) -> None:
    await pool_of(service, host())
    await service.consume(gone(RegistrationRejected, visitor()), undone(visitor(), 4, "rejected"))
    with pytest.raises(NotFound):
        await proposed(service)
    await service.consume(accepted(visitor(), a_profile(), sequence=5))
    await proposed(service)


async def test_an_acceptance_undone_leaves_alone_what_an_earlier_one_had_led_to(service: Service) -> None:
    await pool_of(service, visitor(), host("before"), host("open"), host("since"))
    await proposed(service, host_id="open")
    await approve(service, await agreed(service, "v", "before"), "vop")
    await service.consume(amended(visitor()), accepted(visitor(), a_profile(), sequence=4))
    await proposed(service, host_id="since")
    before = len(service.names())
    await service.consume(undone(visitor(), sequence=5))
    assert service.dead_letters() == []
    assert service.names()[before:] == ["MatchCancelled"]
    living = await service.transactions.read(
        lambda uow: uow.matches.page(SUPPORT, registration="v", state=MatchState.PROPOSED)
    )
    assert [match.host.registration_id for match in living] == ["open"]


async def test_two_sides_that_leave_in_one_batch_end_their_match_once(service: Service) -> None:
    await pool_of(service, visitor(), host())
    await agreed(service)
    await service.consume(gone(RegistrationWithdrawn, visitor()), gone(RegistrationWithdrawn, host()))
    assert service.dead_letters() == []
    assert service.names()[2:] == ["MatchCancelled"]


async def test_an_amended_registration_and_its_matches_wait_outside_the_pool(
    service: Service,
) -> None:
    await pool_of(service, visitor(), host())
    match = await agreed(service)
    await service.consume(amended(visitor()))
    with pytest.raises(NotInPool):
        await approve(service, match, "vop")
    moved = visitor(email="new@tagus-fibre.example", partnership="other")
    await service.consume(accepted(moved, a_profile(), sequence=4))
    match = await approve(service, match, "hop", "other")
    assert match.state is MatchState.APPROVED
    assert match.visitor.email == "new@tagus-fibre.example"


async def test_old_news_of_a_registration_changes_nothing(service: Service) -> None:
    await service.consume(gone(RegistrationWithdrawn, visitor(), sequence=3))
    await service.consume(accepted(visitor(), a_profile(), sequence=2))
    assert service.published() == []
    assert service.transactions.database["candidates"]["v"]["in_pool"] is False


async def test_suggestions_are_for_the_organisation_and_its_staff(service: Service) -> None:
    await pool_of(service, visitor(), host())
    service.hear()

    def ask(caller: Caller, id: str = "v") -> Any:
        return service.transactions.read(lambda uow: suggest_partners(uow, id, "visitor", by=caller, limit=5))

    for caller in (participant_of("v"), staff_of("vop"), SUPPORT):
        assert [fit.partner.registration_id for fit in (await ask(caller)).fits] == ["h"]
    for caller in (participant_of("h"), staff_of("hop")):
        with pytest.raises(NotFound):
            await ask(caller)
    with pytest.raises(NotFound):
        await ask(SUPPORT, "h")


async def test_nobody_is_suggested_with_whom_there_is_an_open_match(service: Service) -> None:
    await pool_of(service, visitor(), host(), host("h2"))

    async def suggested(id: str, side: Side, owner: str) -> list[str]:
        service.hear()
        best = await service.transactions.read(
            lambda uow: suggest_partners(uow, id, side, by=participant_of(owner), limit=5)
        )
        assert best.considered == len(best.fits)
        return [fit.partner.registration_id for fit in best.fits]

    assert await suggested("v", "visitor", "v") == ["h", "h2"]
    match = await proposed(service)
    assert await suggested("v", "visitor", "v") == ["h2"]
    assert await suggested("h", "host", "h") == []
    await service.transactions.run(lambda uow: decline_match(uow, match.id, by=participant_of("h")))
    assert await suggested("v", "visitor", "v") == ["h", "h2"]
