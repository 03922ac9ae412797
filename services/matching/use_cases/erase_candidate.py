"""A registration was erased: its personal data leave the pool and every match it had."""

from __future__ import annotations

from services.matching.domain.saved_search import book_id
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.leave_pool import leave_pool
from shared.contracts.common import Party


async def erase_candidate(uow: MatchingUnitOfWork, party: Party, *, version: int) -> None:
    """Let go of the data; whoever was never heard of is remembered, so that older news brings none in.

    It has left the pool before, unless that event was set aside: what is still open ends now. A claim
    on its one visit stays while a match uses it, and goes where none does. A commitment that all four
    have signed stays as it was signed.
    """
    candidate = await uow.candidates.named(party.registration_id)
    if not candidate.is_news(version):
        return
    if candidate.in_pool or candidate.engagements or candidate.invitations or candidate.gatherings:
        left = candidate.party or party
        await leave_pool(uow, left, version=version, reason="The registration was erased.")
    matches = await uow.matches.naming(candidate.id)
    parties = [match.visitor for match in matches if match.visitor.registration_id == candidate.id]
    claims = await uow.claims.unused_by([*parties, *([candidate.party] if candidate.party else [])])
    commitments = await uow.commitments.of(*(match.id for match in matches))
    gatherings = await uow.gatherings.get_all(candidate.gatherings)
    lines = await uow.plan_lines.mentioning(candidate.id)

    for claim in claims:
        uow.claims.remove(claim)
    for match in matches:
        match.erase(candidate.id)
    for commitment in commitments:
        commitment.erase(candidate.id)
    for gathering in gatherings:
        gathering.erase(candidate.id)
    for line in lines:
        line.erase(candidate.id)
    for message in await uow.messages.naming(candidate.id):
        message.erase()
    for kept in (
        await uow.postbags.find(candidate.id),
        await uow.search_books.find(book_id(registration_id=candidate.id, partnership=None)),
    ):
        if kept is not None:
            uow.remove(kept)
    candidate.erase(party, version=version)
