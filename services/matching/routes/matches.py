"""Propose, answer, take back, approve, cancel; list and read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated, Self

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.matching.bootstrap import Matching
from services.matching.domain.match import Match
from services.matching.repositories import MatchingUnitOfWork
from services.matching.routes.root import Root, change
from services.matching.routes.shown import PartnerView
from services.matching.use_cases.accept_match import accept_match
from services.matching.use_cases.approve_match import approve_match
from services.matching.use_cases.cancel_match import cancel_match
from services.matching.use_cases.counter_match import counter_match
from services.matching.use_cases.decline_match import decline_match
from services.matching.use_cases.propose_match import propose_match
from services.matching.use_cases.refuse_match import refuse_match
from services.matching.use_cases.withdraw_match import withdraw_match
from shared.contracts.common import Window
from shared.contracts.matching import Reason, Side
from shared.contracts.vocabulary import MatchState, PartnershipId
from shared.http import After, Authenticated, Limit, next_of, problem_responses

router = APIRouter(tags=["matches"])


class MatchView(BaseModel):
    """A match, where it stands, and why it was made."""

    id: str
    version: int
    """Counts the changes; the `sequence` of the last event about it."""
    state: MatchState
    visitor: PartnerView
    host: PartnerView
    stay: Window
    proposed_by: Side | None
    """Who asked; absent while neither side has taken up what the programme suggested."""
    proposed_at: datetime
    pre_agreed: bool
    plan_id: str | None
    """The plan of the programme that suggested it."""
    group_event_id: str | None
    """The group event it is a visit to."""
    approvals: list[str]
    """Partnerships that approved so far."""
    awaits: list[str]
    """Whose word is open: registrations of the organisations that were asked, or partnerships."""
    answer_by: date | None
    """The last day for that word; a proposal expires after it, a match both agreed to does not."""
    reminder_on: date | None
    """When those are reminded; absent once that is done, or where there is no time for it."""
    score: float
    reasons: list[Reason]
    weights: str
    ended_because: str | None

    @classmethod
    def of(cls, match: Match) -> Self:
        """The match as those who may see it see it."""
        agreed = match.state in (MatchState.AGREED, MatchState.APPROVED)
        return cls(
            id=match.id,
            version=match.version,
            state=match.state,
            visitor=PartnerView.of(match.visitor, with_contact=agreed),
            host=PartnerView.of(match.host, with_contact=agreed),
            stay=match.stay,
            proposed_by=match.proposed_by,
            proposed_at=match.proposed_at,
            pre_agreed=match.pre_agreed,
            plan_id=match.plan_id,
            group_event_id=match.group_event_id,
            approvals=match.approvals,
            awaits=match.awaits,
            answer_by=match.answer_by if match.awaits else None,
            reminder_on=match.remind_on if match.awaits else None,
            score=match.score,
            reasons=match.reasons,
            weights=match.weights,
            ended_because=match.ended_because,
        )


class MatchPage(BaseModel):
    """A page of matches; `next` is the `after` of the page that follows, absent on the last one."""

    items: list[MatchView]
    next: str | None


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Proposal(_Sent):
    """Who would visit whom, and the days of the stay, both included."""

    visitor_registration_id: Annotated[str, Field(min_length=1, max_length=200)]
    host_registration_id: Annotated[str, Field(min_length=1, max_length=200)]
    first_day: date
    last_day: date


class OtherDays(_Sent):
    """The days the stay should have instead, both included, and why, which the other side reads."""

    first_day: date
    last_day: date
    reason: Annotated[str, Field(max_length=1000)] = ""


class Remark(_Sent):
    """A reason the others read; may be left out."""

    reason: Annotated[str, Field(max_length=1000)] = ""


class Grounds(_Sent):
    """The reason the others read."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)]


async def _step(
    matching: Matching, request: Request, work: Callable[[MatchingUnitOfWork], Awaitable[Match]]
) -> MatchView:
    return MatchView.of(await change(matching, request, work))


@router.post(
    "/matches",
    summary="Propose a match",
    status_code=201,
    response_description="The match, proposed by the caller's side.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def propose(
    proposal: Proposal, caller: Authenticated, matching: Root, request: Request, response: Response
) -> MatchView:
    """Ask the other organisation; for a participant of either. At most five open ones a visitor.

    What is not answered by `answer_by` expires; who was asked is reminded before.
    """
    stay = Window(first_day=proposal.first_day, last_day=proposal.last_day)
    match = await _step(
        matching,
        request,
        lambda uow: propose_match(
            uow, proposal.visitor_registration_id, proposal.host_registration_id, stay, by=caller
        ),
    )
    response.headers["Location"] = f"/matches/{match.id}"
    return match


@router.get(
    "/matches",
    summary="List matches",
    response_description="A page in the order of the ids.",
    responses=problem_responses(401, 422),
)
async def page(
    caller: Authenticated,
    matching: Root,
    state: MatchState | None = None,
    partnership: PartnershipId | None = None,
    registration: Annotated[
        str | None, Query(max_length=200, description="Visitor's or host's registration.")
    ] = None,
    limit: Limit = 50,
    after: After = None,
) -> MatchPage:
    """The matches the caller may see: its organisation's, its partnership's on either side, or all."""
    found = await matching.transactions.read(
        lambda uow: uow.matches.page(
            caller, state=state, partnership=partnership, registration=registration, after=after, limit=limit
        )
    )
    return MatchPage(items=[MatchView.of(match) for match in found], next=next_of(found, limit))


@router.get(
    "/matches/{id}",
    summary="Read a match",
    response_description="The match with its score and reasons.",
    responses=problem_responses(401, 404),
)
async def read(id: str, caller: Authenticated, matching: Root) -> MatchView:
    """Where it stands, whose word is open, and why these two."""
    return MatchView.of(await matching.transactions.read(lambda uow: uow.matches.get_visible_to(caller, id)))


@router.post(
    "/matches/{id}/accept",
    summary="Accept a proposal",
    response_description="The match, agreed; or, if the programme suggested it, proposed by this side.",
    responses=problem_responses(401, 403, 404, 409),
)
async def accept(id: str, caller: Authenticated, matching: Root, request: Request) -> MatchView:
    """Say yes for an organisation that was asked; the partnerships decide next.

    Of what the programme suggested, both organisations are asked: with the first yes it is that
    side's proposal, with the other's it is agreed.
    """
    return await _step(matching, request, lambda uow: accept_match(uow, id, by=caller))


@router.post(
    "/matches/{id}/counter",
    summary="Propose other days",
    response_description="The match with the new days, waiting for the other side.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def counter(
    id: str, days: OtherDays, caller: Authenticated, matching: Root, request: Request
) -> MatchView:
    """Say yes to the partner and no to the days, for the organisation that was asked.

    The match stays proposed, with these days; now the other organisation answers, and may name others
    in its turn. The rules for the days are those of a proposal.
    """
    stay = Window(first_day=days.first_day, last_day=days.last_day)
    return await _step(
        matching, request, lambda uow: counter_match(uow, id, stay, by=caller, reason=days.reason)
    )


@router.post(
    "/matches/{id}/withdraw",
    summary="Withdraw a proposal",
    response_description="The match, withdrawn.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def withdraw(
    id: str,
    caller: Authenticated,
    matching: Root,
    request: Request,
    remark: Annotated[Remark, Body(default_factory=Remark)],
) -> MatchView:
    """Take the proposal back before it is answered; for the organisation that made it."""
    return await _step(
        matching, request, lambda uow: withdraw_match(uow, id, by=caller, reason=remark.reason)
    )


@router.post(
    "/matches/{id}/decline",
    summary="Decline a proposal",
    response_description="The match, declined.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def decline(
    id: str,
    caller: Authenticated,
    matching: Root,
    request: Request,
    remark: Annotated[Remark, Body(default_factory=Remark)],
) -> MatchView:
    """Say no for the organisation that was asked."""
    return await _step(matching, request, lambda uow: decline_match(uow, id, by=caller, reason=remark.reason))


@router.post(
    "/matches/{id}/approve",
    summary="Approve a match",
    response_description="The match, approved by this partnership, or by all.",
    responses=problem_responses(401, 403, 404, 409),
)
async def approve(id: str, caller: Authenticated, matching: Root, request: Request) -> MatchView:
    """Say yes for a partnership of the two.

    The last word claims the visitor's one visit and ends the visitor's other open matches.
    """
    return await _step(matching, request, lambda uow: approve_match(uow, id, by=caller))


@router.post(
    "/matches/{id}/refuse",
    summary="Refuse a match",
    response_description="The match, refused.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def refuse(
    id: str, grounds: Grounds, caller: Authenticated, matching: Root, request: Request
) -> MatchView:
    """Say no for a partnership of the two, with the reason both organisations read."""
    return await _step(matching, request, lambda uow: refuse_match(uow, id, by=caller, reason=grounds.reason))


@router.post(
    "/matches/{id}/cancel",
    summary="Cancel a match",
    response_description="The match, cancelled.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def cancel(
    id: str, grounds: Grounds, caller: Authenticated, matching: Root, request: Request
) -> MatchView:
    """End it before the stay; for either organisation and staff. An approved one frees the visit right."""
    return await _step(matching, request, lambda uow: cancel_match(uow, id, by=caller, reason=grounds.reason))
