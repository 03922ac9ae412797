"""Group events: plan, open, sign up for, leave, cancel; one signing round of the host's side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Final, Self
from weakref import WeakValueDictionary

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.matching.bootstrap import Matching
from services.matching.domain.commitment import Commitment
from services.matching.domain.commitment_document import AgendaItem
from services.matching.domain.gathering import Attendance, Gathering, Programme
from services.matching.repositories import MatchingUnitOfWork
from services.matching.routes.commitments import AgendaItemSent
from services.matching.routes.matches import Grounds, Remark
from services.matching.routes.root import Root, change
from services.matching.routes.shown import PartnerView
from services.matching.use_cases.cancel_gathering import cancel_gathering
from services.matching.use_cases.change_gathering import change_gathering
from services.matching.use_cases.leave_gathering import leave_gathering
from services.matching.use_cases.open_gathering import close_gathering, open_gathering
from services.matching.use_cases.plan_gathering import plan_gathering
from services.matching.use_cases.sign_for_gathering import commitments_at, sign_for_gathering
from services.matching.use_cases.sign_up import sign_up
from shared.contracts.common import Place, Window
from shared.contracts.matching import AttendsAs, SigningRole
from shared.contracts.vocabulary import BlankIsNone, Day, GatheringState, Line, NotTruth, PartnershipId
from shared.http import After, Anybody, Authenticated, Limit, next_of, problem_responses
from shared.security import Caller

router = APIRouter(tags=["group events"])

MOST_PLACES: Final = 300

# Hundreds sign up in the minute an event opens, and all change its list: here they take turns, so that
# they need not try again and again. What another process changes at that moment is still seen by versions.
_TURNS: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


class ParticipantView(BaseModel):
    """An organisation on the list."""

    organisation: PartnerView
    attends_as: AttendsAs
    """A visitor comes from abroad by a match; a local without, its amount is 0 and its visit stays unused."""
    number: int
    """Counts all sign-ups in their order, from 1."""
    signed_up_at: datetime
    has_place: bool
    waits_as_number: int | None
    """Its place on the waiting list, from 1; absent for who has a place."""
    match_id: str | None
    """The visitor's match, which the partnerships approve."""

    @classmethod
    def of(cls, one: Attendance, number_waiting: int | None, *, with_contact: bool) -> Self:
        """An organisation, and its place on the waiting list if it is on that."""
        return cls(
            organisation=PartnerView.of(one.party, with_contact=with_contact),
            attends_as=one.attends_as,
            number=one.number,
            signed_up_at=one.signed_up_at,
            has_place=one.seated,
            waits_as_number=number_waiting,
            match_id=one.match_id,
        )


class GroupEventSummary(BaseModel):
    """A group event without its list."""

    id: str
    version: int
    """Counts the changes; the `sequence` of the last event about it."""
    state: GatheringState
    """`full` while no visitor's place is free; who signs up then waits."""
    title: str
    partnership: str
    host: PartnerView
    place: Place
    days: Window
    """The stay of each visitor."""
    agenda: list[AgendaItem]
    places: int
    """For visitors; for all, where `local_places` is absent."""
    local_places: int | None
    free_places: int
    free_local_places: int
    waiting: int
    """How many wait for a place."""
    sign_up_until: Day
    approves_at_once: bool
    """Its partnership approves each match with the sign-up."""

    @classmethod
    def summing_up(cls, gathering: Gathering, **more: Any) -> Self:
        """The group event as everybody sees it."""
        programme = gathering.programme
        return cls(
            id=gathering.id,
            version=gathering.version,
            state=gathering.state,
            partnership=gathering.partnership,
            host=PartnerView.of(gathering.host),
            place=gathering.place,
            free_places=gathering.free("visitor"),
            free_local_places=gathering.free("local"),
            waiting=len(gathering.waiting),
            **{name: getattr(programme, name) for name in type(programme).model_fields},
            **more,
        )


class GroupEventView(GroupEventSummary):
    """A group event, and of its list what the caller may see."""

    participants: list[ParticipantView]
    """In the order of the sign-ups: all of them for the host, its partnership, the support office and
    auditors; its own organisation, or those of its partnership, for anyone else."""

    @classmethod
    def of(cls, gathering: Gathering, caller: Caller | None) -> Self:
        """The group event as that caller sees it."""
        if caller is None:
            return cls.summing_up(gathering, participants=[])
        holds_it = caller.sees_everything or caller.is_staff_of(gathering.partnership)
        sees_list = holds_it or caller.acts_for(gathering.host.owner)
        numbers = gathering.numbers_waiting
        participants = [
            ParticipantView.of(one, numbers.get(one.registration_id), with_contact=holds_it)
            for one in gathering.listed
            if sees_list or caller.acts_for(one.party.owner) or caller.is_staff_of(one.party.partnership)
        ]
        return cls.summing_up(gathering, participants=participants)


class GroupEventPage(BaseModel):
    """A page of group events; `next` is the `after` of the page that follows, absent on the last one."""

    items: list[GroupEventSummary]
    next: str | None


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


Places = Annotated[int, NotTruth, Field(ge=1, le=MOST_PLACES)]


class ProgrammeSent(_Sent):
    """What a group event says."""

    title: Line
    first_day: Day
    last_day: Day
    """Its days, both included, are the stay of each visitor: three working days of its country at least."""
    agenda: Annotated[list[AgendaItemSent], Field(max_length=100)] = []
    """The same for all; it goes into the Commitment to Quality of each visitor."""
    places: Places
    """For visitors; for all, where there are no `local_places`."""
    local_places: Annotated[Places | None, BlankIsNone] = None
    """For organisations of its own country, who come without a lump sum."""
    sign_up_until: Day
    """The last day for it, before the first day of the event."""
    approves_at_once: bool = False
    """Approve each match with the sign-up, in the name of the event's partnership; a visitor of another
    partnership still needs the approval of that."""

    def programme(self) -> Programme:
        """As it is kept."""
        items = sorted((item.item() for item in self.agenda), key=lambda item: (item.day, item.begins or ""))
        return Programme(
            title=self.title,
            days=Window(first_day=self.first_day, last_day=self.last_day),
            agenda=items,
            places=self.places,
            local_places=self.local_places,
            sign_up_until=self.sign_up_until,
            approves_at_once=self.approves_at_once,
        )


class GroupEventSent(ProgrammeSent):
    """A group event to be held at a host."""

    host_registration_id: Annotated[str, Field(min_length=1, max_length=200)]
    city: Annotated[Line | None, BlankIsNone] = None
    """Where it is, if not in the city of its host; in the same country."""


class SignUp(_Sent):
    """Who would like to come."""

    registration_id: Annotated[str, Field(min_length=1, max_length=200)]


class CommitmentToSign(BaseModel):
    """The commitment of one visitor, and what the host's side has to do with it."""

    match_id: str
    visitor: str
    sha256: str
    """Of the document: what is signed."""
    missing: list[SigningRole]
    why_not_signed: str | None = None
    """In answer to a signing round: why this one was not signed in it."""

    @classmethod
    def of(cls, commitment: Commitment, why_not: str | None = None) -> Self:
        """The commitment as the host's side needs to see it."""
        return cls(
            match_id=commitment.match_id,
            visitor=commitment.content.visitor.organisation,
            sha256=commitment.content.sha256,
            missing=commitment.missing,
            why_not_signed=why_not,
        )


class DocumentSeen(_Sent):
    """A commitment that was read."""

    match_id: Annotated[str, Field(min_length=1, max_length=200)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class SigningRound(_Sent):
    """The commitments to be signed, each as it was read."""

    documents: Annotated[list[DocumentSeen], Field(min_length=1, max_length=MOST_PLACES)]


async def _step(
    matching: Matching,
    request: Request,
    caller: Caller,
    id: str,
    work: Callable[[MatchingUnitOfWork], Awaitable[Gathering]],
) -> GroupEventView:
    async with _TURNS.setdefault(id, asyncio.Lock()):
        return GroupEventView.of(await change(matching, request, work), caller)


@router.post(
    "/group-events",
    summary="Plan a group event",
    status_code=201,
    response_description="The group event, planned: nobody sees it but staff.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def plan(
    sent: GroupEventSent, caller: Authenticated, matching: Root, request: Request, response: Response
) -> GroupEventView:
    """One host and one agenda for many visitors; for staff of the host's partnership.

    The event is the host's yes to each visitor. Its places count for them, and not those the host has
    otherwise.
    """
    gathering = await change(
        matching,
        request,
        lambda uow: plan_gathering(
            uow, sent.host_registration_id, sent.programme(), city=sent.city, by=caller
        ),
    )
    response.headers["Location"] = f"/group-events/{gathering.id}"
    return GroupEventView.of(gathering, caller)


@router.get(
    "/group-events",
    summary="List group events",
    response_description="A page in the order of the ids.",
    responses=problem_responses(401, 422),
)
async def page(
    caller: Anybody,
    matching: Root,
    state: GatheringState | None = None,
    partnership: PartnershipId | None = None,
    limit: Limit = 50,
    after: After = None,
) -> GroupEventPage:
    """Public; one that is only planned for staff of its partnership alone."""
    found = await matching.transactions.read(
        lambda uow: uow.gatherings.page(
            caller, state=state, partnership=partnership, after=after, limit=limit
        )
    )
    return GroupEventPage(
        items=[GroupEventSummary.summing_up(gathering) for gathering in found], next=next_of(found, limit)
    )


@router.get(
    "/group-events/{id}",
    summary="Read a group event",
    response_description="The group event, with those on its list the caller may see.",
    responses=problem_responses(401, 404),
)
async def read(id: str, caller: Anybody, matching: Root) -> GroupEventView:
    """Public: what it is about and how many places are free; with a token, where the caller's own stands."""
    gathering = await matching.transactions.read(lambda uow: uow.gatherings.get_visible_to(caller, id))
    return GroupEventView.of(gathering, caller)


@router.put(
    "/group-events/{id}",
    summary="Change a group event",
    response_description="The group event as it now is.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def write(
    id: str, sent: ProgrammeSent, caller: Authenticated, matching: Root, request: Request
) -> GroupEventView:
    """What it says from now on; for staff of its partnership.

    Moved to other days, everybody on its list is told, and each visitor's match is cancelled and made
    anew: lump sum, approvals and commitment are for certain days. More places go to those who wait.
    """
    return await _step(
        matching, request, caller, id, lambda uow: change_gathering(uow, id, sent.programme(), by=caller)
    )


@router.post(
    "/group-events/{id}/open",
    summary="Open a group event",
    response_description="The group event, open for sign-ups.",
    responses=problem_responses(401, 403, 404, 409),
)
async def open_it(id: str, caller: Authenticated, matching: Root, request: Request) -> GroupEventView:
    """Let organisations sign up, for the first time or again; for staff of its partnership."""
    return await _step(matching, request, caller, id, lambda uow: open_gathering(uow, id, by=caller))


@router.post(
    "/group-events/{id}/close",
    summary="Close a group event",
    response_description="The group event, closed for sign-ups.",
    responses=problem_responses(401, 403, 404, 409),
)
async def close_it(id: str, caller: Authenticated, matching: Root, request: Request) -> GroupEventView:
    """Let nobody sign up any more; who waits may still move up. For staff of its partnership."""
    return await _step(matching, request, caller, id, lambda uow: close_gathering(uow, id, by=caller))


@router.post(
    "/group-events/{id}/cancel",
    summary="Cancel a group event",
    response_description="The group event, cancelled.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def cancel_it(
    id: str, grounds: Grounds, caller: Authenticated, matching: Root, request: Request
) -> GroupEventView:
    """Call it off, with the reason all on its list read; each visitor's match is cancelled with it."""
    return await _step(
        matching, request, caller, id, lambda uow: cancel_gathering(uow, id, by=caller, reason=grounds.reason)
    )


@router.post(
    "/group-events/{id}/participants",
    summary="Sign up for a group event",
    status_code=201,
    response_description="The group event with the organisation on its list: with a place, or waiting.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def take_part(
    id: str, sent: SignUp, caller: Authenticated, matching: Root, request: Request
) -> GroupEventView:
    """For the organisation itself, staff of its partnership and of the event's.

    From abroad it is a visitor: its place is a match of its own, which both sides have agreed to and the
    partnerships approve. From the event's own country it is a local, without a match. While no place is
    free it waits, and gets one by itself when its turn comes.
    """
    return await _step(
        matching, request, caller, id, lambda uow: sign_up(uow, id, sent.registration_id, by=caller)
    )


@router.post(
    "/group-events/{id}/participants/{registration_id}/leave",
    summary="Leave a group event",
    response_description="The group event without the organisation.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def leave(
    id: str,
    registration_id: str,
    caller: Authenticated,
    matching: Root,
    request: Request,
    remark: Annotated[Remark, Body(default_factory=Remark)],
) -> GroupEventView:
    """Give the place up, or the wait for one; a visitor's match is cancelled with it.

    The place goes to the first of those who wait for one and still may come.
    """
    return await _step(
        matching,
        request,
        caller,
        id,
        lambda uow: leave_gathering(uow, id, registration_id, by=caller, reason=remark.reason),
    )


@router.get(
    "/group-events/{id}/commitments",
    summary="List the commitments of a group event",
    response_description="One for each visitor whose match is approved, in the order of the list.",
    responses=problem_responses(401, 403, 404),
)
async def commitments(id: str, caller: Authenticated, matching: Root) -> list[CommitmentToSign]:
    """What the host's side signs in one round; each in full: `GET /matches/{match_id}/commitment`."""
    found = await matching.transactions.read(lambda uow: commitments_at(uow, id, by=caller))
    return [CommitmentToSign.of(commitment) for commitment in found]


@router.post(
    "/group-events/{id}/sign",
    summary="Sign the commitments of a group event",
    response_description="Each of these commitments, and why it was not signed, if it was not.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def sign(
    id: str, sent: SigningRound, caller: Authenticated, matching: Root, request: Request
) -> list[CommitmentToSign]:
    """Sign for the host (HO) or its partnership (HOP) on the commitments of all visitors at once.

    Each visitor and its partnership sign their own. One that was changed since it was read, or cannot be
    signed yet, is left out and says so; a match that has no commitment here is passed over.
    """
    seen = {document.match_id: document.sha256 for document in sent.documents}
    signed = await change(matching, request, lambda uow: sign_for_gathering(uow, id, seen, by=caller))
    return [CommitmentToSign.of(one.commitment, one.why_not) for one in signed]
