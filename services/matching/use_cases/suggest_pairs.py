"""The next pairs of a plan that is being published become suggestions, where they still hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from services.matching.access import in_the_name_of
from services.matching.domain import fit as fits
from services.matching.domain.candidate import Candidate
from services.matching.domain.match import Match, match_id
from services.matching.domain.planning.from_pool import (
    SAID_NO,
    days_to_suggest,
    is_mere_suggestion,
    is_taken_up,
    speaks_for_a_place,
    with_stays,
)
from services.matching.domain.planning.job import PlanJob, PlanLine, PlanState
from services.matching.domain.pool import keys_of_visit
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.suggest_match import suggest_match
from shared.contracts.common import Party, Window
from shared.errors import Forbidden, NotFound, RuleBroken
from shared.security import Caller


async def suggest_pairs(uow: MatchingUnitOfWork, plan_id: str, limit: int) -> bool:
    """Settle what the plan breaks, then suggest its pairs, `limit` of them; whether all of it is done.

    Each pair is suggested, stands already, or is dropped with the reason; in the transaction that
    notes it. Once nothing is left the publication ends, and other plans for the same partnerships,
    which know nothing of the new suggestions, are stale.
    """
    job = await uow.plans.get(plan_id)
    if job.state is not PlanState.PUBLISHING:
        return True
    if broken := await uow.plan_lines.to_settle(job, limit):
        await _settle(uow, job, broken)
        return False
    lines = await uow.plan_lines.to_publish(job, limit)
    assert job.publication is not None
    if job.publication.answer_days is not None:
        uow.answers = replace(uow.answers, answer_days=job.publication.answer_days)
    await _read_ahead(uow, lines)
    for line in lines:
        await _suggest(uow, job, line, in_the_name_of(job.publication.by))
    job.has_published(lines)
    if len(lines) == limit:
        return False
    # Those of this transaction still count as unpublished in the database.
    left = await uow.plan_lines.count_unpublished(job) - len(lines)
    job.end_publication(uow.now, left=left)
    for other in await uow.plans.ready_for(job.asked.partnerships):
        if other.id != job.id:
            other.go_stale(f"Plan {job.id} was published since.", uow.now)
    return True


async def drop_next(uow: MatchingUnitOfWork, plan_id: str, because: str) -> None:
    """Give up the next pair: it cannot be suggested by an error that is not its own."""
    job = await uow.plans.get(plan_id)
    if job.state is PlanState.PUBLISHING:
        for line in await uow.plan_lines.to_settle(job, 1):
            line.settle_broken()
            return
        for line in await uow.plan_lines.to_publish(job, 1):
            line.drop(because)
            job.has_published([line])


async def _settle(uow: MatchingUnitOfWork, job: PlanJob, lines: Sequence[PlanLine]) -> None:
    """Take back what the programme had suggested and now suggests otherwise; people's own proposals stay."""
    for line in lines:
        for broken in line.broken:
            _, latest = await uow.matches.next_id(line.visitor.registration_id, broken.host.registration_id)
            if latest is not None and is_mere_suggestion(latest):
                case = await uow.case_of(latest)
                case.cancel("The programme has found a plan with which more is gained, and suggests others.")
        line.settle_broken()


async def _read_ahead(uow: MatchingUnitOfWork, lines: Sequence[PlanLine]) -> None:
    """Read in a few queries what the pairs will ask for one by one."""
    pairs = [(line.visitor.registration_id, line.host.registration_id) for line in lines if line.host]
    candidates = await uow.candidates.get_all(dict.fromkeys(chain.from_iterable(pairs)))
    engaged = (engagement.match_id for candidate in candidates for engagement in candidate.engagements)
    keys = (
        key
        for candidate in candidates
        if candidate.party
        for key in keys_of_visit(candidate.id, candidate.party.identifiers)
    )
    await uow.matches.get_all(dict.fromkeys([*engaged, *(match_id(*pair) for pair in pairs)]))
    await uow.claims.get_all(dict.fromkeys(keys))


async def _suggest(uow: MatchingUnitOfWork, job: PlanJob, line: PlanLine, by: Caller) -> None:
    assert line.host is not None
    visitor_id, host_id = line.visitor.registration_id, line.host.registration_id
    _, latest = await uow.matches.next_id(visitor_id, host_id)
    if latest is not None and latest.is_living:
        line.stands(latest.id)
        return
    try:
        if latest is not None and (line.proposed or latest.state in SAID_NO):
            raise _Dropped(
                f"The two had a match, which is {latest.state}. {latest.ended_because or ''}".strip()
            )
        stay = await _days(uow, line, visitor_id, host_id)
        match = await suggest_match(uow, visitor_id, host_id, stay, plan_id=job.id, by=by)
        line.suggested(match.id)
    except (RuleBroken, NotFound, Forbidden) as broken:
        line.drop(broken.detail)


class _Dropped(RuleBroken):
    code = "pair-dropped"


async def _days(uow: MatchingUnitOfWork, line: PlanLine, visitor_id: str, host_id: str) -> Window:
    """The days to suggest; raises `_Dropped` with what has changed since the plan was made."""
    visitor, host = await _member(uow, visitor_id), await _member(uow, host_id)
    visitor_party, _ = visitor.require_in_pool()
    host_party, host_profile = host.require_in_pool()
    for claim in await uow.claims.of(visitor_party):
        if claim.match_id is not None:
            raise _Dropped(
                f"{visitor_party.organisation} has its one visit of the scheme in another match now."
            )
    for match in await _open_matches(uow, visitor, "visitor"):
        if speaks_for_a_place(match):
            raise _Dropped(_engaged(visitor_party, match))
    held = [
        match.stay
        for match in await _open_matches(uow, host, "host")
        if speaks_for_a_place(match) and match.group_event_id is None
    ]
    visiting, hosting = uow.prospect(visitor), uow.prospect(host)
    if failed := fits.constraints(visiting, hosting, uow.today):
        raise _Dropped(" ".join(failed))
    free = with_stays(hosting, [*host.stays, *held])
    stay = days_to_suggest(visiting, free, uow.weights, uow.today, answer_days=uow.answers.answer_days)
    if stay is None:
        raise _Dropped(
            f"{host_party.organisation} takes {host_profile.host_places} at a time, and its places are "
            "taken or suggested to others on the days both are available."
        )
    return stay


def _engaged(visitor: Party, match: Match) -> str:
    if is_taken_up(match):
        return f"{visitor.organisation} has a match with {match.host.organisation}, which is {match.state}."
    return f"Another plan has suggested {match.host.organisation} to {visitor.organisation} by now."


async def _member(uow: MatchingUnitOfWork, id: str) -> Candidate:
    candidate = await uow.candidates.find(id)
    if candidate is None:
        raise NotFound(f"There is no registration {id} in the pool.")
    return candidate


async def _open_matches(uow: MatchingUnitOfWork, candidate: Candidate, side: str) -> list[Match]:
    open_ones = [e.match_id for e in candidate.engagements if e.side == side and not e.approved]
    return await uow.matches.get_all(open_ones)
