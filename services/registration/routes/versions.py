"""What a registration said before: every sending of it, and what each one changed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from services.registration.domain.versions import MAX_NUMBER, Change
from services.registration.routes.root import Root
from services.registration.use_cases.read_versions import Compared, read_version, read_versions
from shared.contracts.common import Receipt
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import Verdict
from shared.http import Authenticated, Limit, problem_responses

router = APIRouter(tags=["registrations"])


class VersionLine(BaseModel):
    """One sending of a registration."""

    number: int
    """1 for what was first sent, one more with each amendment."""
    at: datetime
    """When it was sent."""
    by: str
    """Who sent it: a token's subject or an event's source."""
    until: datetime | None
    """When the next one was sent; null for the one in force."""
    verdict: Verdict
    """What the rules last said of it."""
    sentence: str
    changed: list[str]
    """JSON pointers to what it says otherwise than the one before."""

    @classmethod
    def of(cls, compared: Compared) -> Self:
        """The line for this version."""
        version = compared.version
        return cls(
            number=version.number,
            at=version.at,
            by=version.by,
            until=version.until,
            verdict=version.verdict,
            sentence=version.receipt.sentence,
            changed=[change.pointer for change in compared.changes],
        )


class VersionPage(BaseModel):
    """A page of versions, the oldest first; `next` is `after` of the following page."""

    items: list[VersionLine]
    next: int | None


class VersionView(BaseModel):
    """One sending of a registration in full."""

    number: int
    at: datetime
    by: str
    until: datetime | None
    submission: Submission
    verdict: Verdict
    receipt: Receipt
    changes: list[Change]
    """What it says otherwise than the one before; a list of several things is one thing here."""

    @classmethod
    def of(cls, compared: Compared) -> Self:
        """The version as those who may see the registration see it."""
        version = compared.version
        return cls(
            number=version.number,
            at=version.at,
            by=version.by,
            until=version.until,
            submission=version.submission,
            verdict=version.verdict,
            receipt=version.receipt,
            changes=compared.changes,
        )


@router.get(
    "/registrations/{id}/versions",
    summary="List what a registration said",
    response_description="A page of its versions, the oldest first; the last of all is in force.",
    responses=problem_responses(401, 404, 422, 503),
)
async def versions(
    id: str,
    caller: Authenticated,
    registering: Root,
    limit: Limit = 50,
    after: Annotated[int, Query(ge=0, le=MAX_NUMBER, description="`next` of the page before.")] = 0,
) -> VersionPage:
    """Each time it was sent: when, by whom, what the rules said, and where it differs from the time before.

    For those who may see the registration. These numbers count what was sent; the registration's own
    `version` counts every change, decisions too.
    """
    found = await registering.transactions.read(
        lambda uow: read_versions(uow, id, by=caller, after=after, limit=limit)
    )
    return VersionPage(
        items=[VersionLine.of(compared) for compared in found],
        next=found[-1].version.number if len(found) == limit else None,
    )


@router.get(
    "/registrations/{id}/versions/{number}",
    summary="Read what a registration said",
    response_description="What was sent, the receipt it had, and what it changed, with before and after.",
    responses=problem_responses(401, 404, 422, 503),
)
async def version(
    id: str,
    number: Annotated[int, Path(ge=1, le=MAX_NUMBER)],
    caller: Authenticated,
    registering: Root,
) -> VersionView:
    """One sending in full, compared with the one before it."""
    return VersionView.of(
        await registering.transactions.read(lambda uow: read_version(uow, id, number, by=caller))
    )
