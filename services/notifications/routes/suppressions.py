"""Addresses that mails do not reach: what comes back by mail, where no more is sent, and the way back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Annotated, Final, Self

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from services.notifications.domain.report import read_report
from services.notifications.domain.suppression import AddressState, Suppression
from services.notifications.routes.root import Root, change
from services.notifications.unsubscribing import marks_of, unsubscriptions_of
from services.notifications.use_cases.read_suppression import read_suppression
from services.notifications.use_cases.restore_address import restore_address
from services.notifications.use_cases.restore_addresses import AT_ONCE, restore_addresses
from services.notifications.use_cases.take_in_report import CameOfIt, take_in_report
from shared.errors import Forbidden, Malformed
from shared.http import After, Authenticated, Limit, next_of, problem_responses
from shared.security import CallerRole

router = APIRouter(tags=["addresses"])

_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(3000, 1, 1, tzinfo=UTC)


class AddressChange(BaseModel):
    """When it changed whether mails are sent to an address, by whom (the platform, where nobody) and why."""

    state: AddressState
    at: datetime
    by: str | None
    reason: str


class SuppressedAddress(BaseModel):
    """An address that something came back from, as staff may see it."""

    id: str
    address: str
    """Its first letter and its domain."""
    registration_id: str | None
    """Whose it is; absent for an address of staff."""
    partnership: str | None
    state: AddressState
    reason: str
    """What the mail system said last."""
    changed_at: datetime
    history: list[AddressChange]

    @classmethod
    def of(cls, suppression: Suppression) -> Self:
        """The address as its staff see it."""
        return cls.model_validate(suppression.model_dump(include=set(cls.model_fields)))


class SuppressedAddresses(BaseModel):
    """A page of addresses; `next` is `after` of the following page."""

    items: list[SuppressedAddress]
    next: str | None


class RestoreAll(BaseModel):
    """Which addresses get mails again, and why."""

    since: AwareDatetime = Field(ge=_FIRST, le=_LAST, examples=["2023-01-27T07:10:00Z"])
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] = Field(
        examples=["Our relay had lost its directory and refused everybody."]
    )


class Restored(BaseModel):
    """How many addresses get mails again."""

    restored: int


class ReportTakenIn(BaseModel):
    """What came of what the mail system handed over."""

    outcome: CameOfIt


@router.get(
    "/suppressions",
    summary="Addresses that nothing more is sent to",
    response_description="A page of them.",
    responses=problem_responses(401, 403, 422),
)
async def suppressions(
    caller: Authenticated, notifications: Root, limit: Limit = 50, after: After = None
) -> SuppressedAddresses:
    """Of the partnership's cases and staff, or of all for the support office and auditors."""
    if not caller.sees_everything and caller.role is not CallerRole.STAFF:
        raise Forbidden("Addresses that mails do not reach are for staff, the support office and auditors.")
    of = None if caller.sees_everything else caller.partnership
    found = await notifications.transactions.read(
        lambda uow: uow.suppressions.suppressed(of, after=after, limit=limit)
    )
    return SuppressedAddresses(items=[SuppressedAddress.of(one) for one in found], next=next_of(found, limit))


@router.get(
    "/suppressions/{id}",
    summary="One address that mails do not reach, or did not",
    response_description="What came back from it, and what was done about it.",
    responses=problem_responses(401, 404),
)
async def one(id: str, caller: Authenticated, notifications: Root) -> SuppressedAddress:
    """For staff whose case or colleague it is, the support office and auditors."""
    found = await notifications.transactions.read(lambda uow: read_suppression(uow, id, by=caller))
    return SuppressedAddress.of(found)


@router.delete(
    "/suppressions/{id}",
    summary="Send mails there again",
    response_description="The address, with who did it and when.",
    responses=problem_responses(401, 403, 404, 409),
)
async def restore(id: str, caller: Authenticated, notifications: Root, request: Request) -> SuppressedAddress:
    """Staff whose case or colleague it is, or the support office, once the mailbox works again.

    From the next mail on; those skipped meanwhile are in the inbox. A corrected address needs none of
    this: mails go there at once.
    """
    restored = await change(notifications, request, lambda uow: restore_address(uow, id, by=caller))
    return SuppressedAddress.of(restored)


@router.post(
    "/suppressions/restore",
    summary="Send mails again to all that were suppressed since a moment",
    response_description="How many there were.",
    responses=problem_responses(401, 403, 422),
)
async def restore_all(
    wanted: RestoreAll, caller: Authenticated, notifications: Root, request: Request
) -> Restored:
    """The support office, where it was not the addresses that were wrong: a relay that refused everybody."""
    if caller.role is not CallerRole.SUPPORT_OFFICE:
        raise Forbidden("Only the support office takes back many at once; staff restore one after the other.")
    restored = 0
    while True:
        now = await change(
            notifications,
            request,
            lambda uow: restore_addresses(uow, wanted.since, by=caller, reason=wanted.reason),
        )
        restored += now
        if now < AT_ONCE:
            return Restored(restored=restored)


@router.post(
    "/bounces",
    summary="Hand over what came back by mail",
    response_description="What came of it.",
    responses=problem_responses(401, 403),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "One mail, as it came.",
            "content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def bounces(caller: Authenticated, notifications: Root, request: Request) -> ReportTakenIn:
    """For the mail system: all that comes to the mailbox of reports of what was not delivered.

    Reports of delivery (RFC 3464) count against the address; complaints (RFC 5965), and mails that
    unsubscribe, switch mails of that kind off. Anything else, such as a note that somebody is away, is
    ignored, and so is what reports of no mail on file. Handed over twice, it counts once.
    """
    settings = notifications.settings
    if caller.role is not CallerRole.SUPPORT_OFFICE and not (
        caller.role is CallerRole.EXTERNAL and caller.subject == settings.mail_system
    ):
        raise Forbidden(
            "Only the mail system that CXC_MAIL_SYSTEM names, and the support office, hand these over."
        )
    raw = await request.body()
    if not raw.strip():
        raise Malformed("There is no mail in the body; send it as message/rfc822, as it came.")
    domain = parseaddr(settings.mail_from)[1].rpartition("@")[2]
    # Anybody may write to that mailbox, and reading takes its time.
    report = await asyncio.to_thread(
        read_report, raw, domain=domain, bounces=settings.bounce_mailbox, marks=marks_of(settings)
    )
    unsubscriptions = unsubscriptions_of(settings)
    outcome = await change(notifications, request, lambda uow: take_in_report(uow, report, unsubscriptions))
    return ReportTakenIn(outcome=outcome)
