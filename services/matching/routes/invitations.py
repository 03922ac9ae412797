"""Invite a partner by a link; follow the link, accept, take back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.matching.domain.invitation import Invitation, InvitationState
from services.matching.routes.root import Root, change
from services.matching.use_cases.accept_invitation import accept_invitation
from services.matching.use_cases.invite_partner import invite_partner
from services.matching.use_cases.list_invitations import list_invitations
from services.matching.use_cases.read_invitation import read_invitation
from services.matching.use_cases.withdraw_invitation import withdraw_invitation
from shared.contracts.common import Party, Window
from shared.contracts.vocabulary import Email, Role
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["invitations"])

Token = Annotated[str, Path(min_length=20, max_length=100, description="The last part of the link.")]


class InvitationView(BaseModel):
    """An invitation as those who sent it see it; the link is in the mail alone."""

    id: str
    state: InvitationState
    role: Role
    """What the invited organisation would be."""
    stay: Window
    sent_at: datetime
    expires_on: date
    """The last day the link works."""
    accepted_by: str | None
    """The registration it was accepted for."""

    @classmethod
    def of(cls, invitation: Invitation) -> Self:
        """The invitation without address, words and token."""
        return cls.model_validate(invitation.model_dump(include=set(cls.model_fields)))


class OfferView(BaseModel):
    """What whoever has the link is told: who invites, as what, and for when."""

    organisation: str
    """Who invites."""
    city: str
    country: str
    role: Role
    """What the invited organisation would be."""
    stay: Window
    expires_on: date
    """The last day to accept."""

    @classmethod
    def of(cls, invitation: Invitation, inviter: Party) -> Self:
        """The invitation without anybody's address or words."""
        return cls(
            organisation=inviter.organisation,
            city=inviter.place.city,
            country=inviter.place.country,
            role=invitation.role,
            stay=invitation.stay,
            expires_on=invitation.expires_on,
        )


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PartnerInvited(_Sent):
    """Whom to invite, as what, and the days of the stay, both included."""

    email: Email
    role: Role
    """What the invited organisation would be."""
    first_day: date
    last_day: date
    message: Annotated[str, Field(max_length=1000)] = ""
    """For the mail; in your own words."""


class TakenUpFor(_Sent):
    """The registration of the invited organisation."""

    registration_id: Annotated[str, Field(min_length=1, max_length=60)]


@router.post(
    "/registrations/{id}/invitations",
    summary="Invite a partner by a link",
    status_code=201,
    response_description="The invitation; its link goes to the address by mail.",
    responses=problem_responses(401, 403, 404, 409, 422, 503),
)
async def invite(
    id: str,
    wanted: PartnerInvited,
    caller: Authenticated,
    matching: Root,
    request: Request,
) -> InvitationView:
    """For an organisation in the pool that has found a partner, who may not be registered yet.

    The mail has a link that works once and until `expires_on`. Whoever accepts it for a registration
    is this one's pre-agreed partner: their match is made as soon as both are accepted. Staff of the
    partnership may invite in the organisation's name. At most five invitations are out at a time.
    """
    stay = Window(first_day=wanted.first_day, last_day=wanted.last_day)
    invitation = await change(
        matching,
        request,
        lambda uow: invite_partner(
            uow, id, email=wanted.email, role=wanted.role, stay=stay, message=wanted.message, by=caller
        ),
    )
    return InvitationView.of(invitation)


@router.get(
    "/registrations/{id}/invitations",
    summary="List the invitations a registration sent",
    response_description="The latest first, those that are over included.",
    responses=problem_responses(401, 404),
)
async def sent(id: str, caller: Authenticated, matching: Root) -> list[InvitationView]:
    """For the organisation itself, staff of its partnership, the support office and auditors."""
    found = await matching.transactions.read(lambda uow: list_invitations(uow, id, by=caller))
    return [InvitationView.of(invitation) for invitation in found]


@router.get(
    "/invitations/{token}",
    summary="Follow an invitation",
    response_description="Who invites, as what, and for which days.",
    responses=problem_responses(404, 409, 410),
)
async def follow(token: Token, matching: Root, response: Response) -> OfferView:
    """For whoever has the link, without a token of an account: it tells no address and no words.

    409 where it was accepted before, 410 where it was withdrawn or its last day is over.
    """
    response.headers["Cache-Control"] = "no-store"
    return OfferView.of(*await matching.transactions.read(lambda uow: read_invitation(uow, token)))


@router.post(
    "/invitations/{token}/accept",
    summary="Accept an invitation",
    response_description="The invitation, accepted; the link does not work any more.",
    responses=problem_responses(401, 403, 404, 409, 410, 422),
)
async def accept(
    token: Token, taken_up: TakenUpFor, caller: Authenticated, matching: Root, request: Request
) -> InvitationView:
    """For the invited organisation, with its registration, whether or not that is accepted yet.

    Both have said yes with that: once both registrations are in the pool, their match is agreed, and
    approved at once where their partnerships do so with partners found beforehand.
    """
    return InvitationView.of(
        await change(
            matching,
            request,
            lambda uow: accept_invitation(uow, token, taken_up.registration_id, by=caller),
        )
    )


@router.post(
    "/invitations/{id}/withdraw",
    summary="Withdraw an invitation",
    response_description="The invitation, withdrawn; the link does not work any more.",
    responses=problem_responses(401, 403, 404, 409, 410),
)
async def withdraw(id: str, caller: Authenticated, matching: Root, request: Request) -> InvitationView:
    """For the organisation that sent it and staff of its partnership, by the invitation's id."""
    return InvitationView.of(
        await change(matching, request, lambda uow: withdraw_invitation(uow, id, by=caller))
    )
