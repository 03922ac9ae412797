"""Registrations found to be of one organisation have one visit of the scheme, until that is undone."""

from __future__ import annotations

import pytest

from services.matching.domain.errors import VisitAlreadyClaimed
from services.matching.domain.match import Match
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.accept_match import accept_match
from services.matching.use_cases.approve_match import approve_match
from services.matching.use_cases.cancel_match import cancel_match
from services.matching.use_cases.propose_match import propose_match
from shared.contracts.common import Party
from shared.contracts.vocabulary import MatchState
from shared.partnerships import Partnerships
from tests.builders import a_host_party, a_party
from tests.unit.matching.builders import (
    Service,
    a_host_profile,
    a_partnership,
    a_profile,
    a_window,
    accepted,
    merged,
    participant_of,
    staff_of,
    unmerged,
)

ONE = a_party("one", partnership="vop", identifiers=["pic:1"])
OTHER = a_party("other", partnership="vop", identifiers=["vat:2"])
TOGETHER = ["pic:1", "vat:2", "merge:m"]


@pytest.fixture
async def service() -> Service:
    service = Service(Partnerships([a_partnership("vop"), a_partnership("hop")]))
    for host in ("h1", "h2"):
        party = a_host_party(host, partnership="hop")
        await service.consume(accepted(party, a_host_profile(host_places=3)))
    return service


async def joined(service: Service, *parties: Party) -> None:
    for party in parties:
        await service.consume(accepted(party, a_profile(), 2))


async def grouped(service: Service, *parties: Party, identifiers: list[str] = TOGETHER) -> None:
    for party in parties:
        await service.consume(merged(party.model_copy(update={"identifiers": identifiers}), 3))
    assert service.dead_letters() == []


async def ungrouped(service: Service, *parties: Party) -> None:
    for party in parties:
        await service.consume(unmerged(party, 4))
    assert service.dead_letters() == []


async def agreed(service: Service, visitor: Party, host: str) -> Match:
    async def work(uow: MatchingUnitOfWork) -> Match:
        by = participant_of(visitor.owner)
        match = await propose_match(uow, visitor.registration_id, host, a_window(), by=by)
        return await accept_match(uow, match.id, by=participant_of(host))

    return await service.transactions.run(work)


async def approved(service: Service, match: Match) -> Match:
    """With the word of the visitor's partnership, and of the host's unless it was given before."""

    async def work(uow: MatchingUnitOfWork) -> Match:
        for partnership in (await uow.matches.get(match.id)).awaits:
            await approve_match(uow, match.id, by=staff_of(partnership))
        return await uow.matches.get(match.id)

    return await service.transactions.run(work)


def claims_of(service: Service, match: Match) -> set[str]:
    claims = service.transactions.database["visit_claims"].values()
    return {claim["_id"] for claim in claims if claim["match_id"] == match.id}


async def test_of_two_open_matches_of_merged_registrations_one_is_approved(service: Service) -> None:
    await joined(service, ONE, OTHER)
    first, second = await agreed(service, ONE, "h1"), await agreed(service, OTHER, "h2")
    await grouped(service, ONE, OTHER)
    assert (await approved(service, first)).state is MatchState.APPROVED
    assert claims_of(service, first) == set(TOGETHER)
    with pytest.raises(VisitAlreadyClaimed):
        await approved(service, second)


async def test_a_visit_approved_before_the_merge_counts_for_the_other(service: Service) -> None:
    await joined(service, ONE, OTHER)
    await approved(service, await agreed(service, ONE, "h1"))
    second = await agreed(service, OTHER, "h2")
    await grouped(service, ONE, OTHER)
    with pytest.raises(VisitAlreadyClaimed):
        await approved(service, second)


async def test_registrations_without_identifiers_share_a_visit_too(service: Service) -> None:
    one, other = (party.model_copy(update={"identifiers": []}) for party in (ONE, OTHER))
    await joined(service, one, other)
    await approved(service, await agreed(service, one, "h1"))
    second = await agreed(service, other, "h2")
    await grouped(service, one, other, identifiers=["merge:m", "registration:one", "registration:other"])
    with pytest.raises(VisitAlreadyClaimed):
        await approved(service, second)


async def test_once_the_merge_is_undone_each_has_its_own_visit(service: Service) -> None:
    await joined(service, ONE, OTHER)
    first, second = await agreed(service, ONE, "h1"), await agreed(service, OTHER, "h2")
    await grouped(service, ONE, OTHER)
    await approved(service, first)
    await ungrouped(service, ONE, OTHER)
    assert claims_of(service, first) == {"pic:1"}
    assert (await approved(service, second)).state is MatchState.APPROVED
    assert claims_of(service, second) == {"vat:2"}
    await service.transactions.run(lambda uow: cancel_match(uow, first.id, by=staff_of("vop"), reason="Ill."))
    assert claims_of(service, first) == set()
    assert claims_of(service, second) == {"vat:2"}


async def test_a_merge_changes_nothing_else_in_the_pool(service: Service) -> None:
    await joined(service, ONE)
    match = await agreed(service, ONE, "h1")
    await grouped(service, ONE, OTHER)
    candidate = service.transactions.database["candidates"]["one"]
    assert candidate["in_pool"]
    assert [engagement["match_id"] for engagement in candidate["engagements"]] == [match.id]
    assert not service.transactions.database["candidates"]["other"]["in_pool"]


async def test_a_merge_delivered_after_newer_news_changes_nothing(service: Service) -> None:
    await joined(service, ONE)
    await ungrouped(service, ONE)
    await grouped(service, ONE)
    assert service.transactions.database["candidates"]["one"]["party"]["identifiers"] == ["pic:1"]
