"""Fill in a registration bit by bit, see what lacks and what the rules would say, and send it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel

from services.registration.bootstrap import Registering
from services.registration.domain.draft import Draft
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.routes.registrations import RegistrationView
from services.registration.routes.root import Root, change
from services.registration.use_cases.begin_draft import begin_draft
from services.registration.use_cases.discard_draft import discard_draft
from services.registration.use_cases.review_draft import Review, read_content, review_draft
from services.registration.use_cases.save_draft import save_draft
from services.registration.use_cases.send_draft import send_draft
from shared.contracts.common import Receipt
from shared.contracts.registration import FieldProblem, Submission
from shared.contracts.vocabulary import RegistrationState, Verdict
from shared.http import After, Authenticated, Limit, next_of, problem_responses
from shared.security import Caller

router = APIRouter(tags=["drafts"])

MAX_BYTES: Final = 256 * 1024
"""Size a draft may have; a registration with every list full has a tenth of it."""


class Preview(BaseModel):
    """What the registration would be if it were sent now."""

    state: RegistrationState
    verdict: Verdict
    receipt: Receipt
    partnership: str | None
    """The one that would have the case."""


class DraftView(BaseModel):
    """A draft, what it still lacks, and what would become of it."""

    id: str
    """The registration will have the same."""
    version: int
    """To be given when it is saved again."""
    saved_at: datetime
    kept_until: datetime
    """Unless it is saved again, it is removed after this moment."""
    content: dict[str, Any]
    problems: list[FieldProblem]
    """What lacks or is wrong, field by field; empty when it can be sent."""
    preview: Preview | None
    """Of a draft that can be sent; the rules look at today's facts, so it is no promise."""

    @classmethod
    def of(cls, draft: Draft, review: Review, keep: timedelta) -> Self:
        """The draft as those see it who fill it in."""
        registration = review.registration
        preview = None
        if registration is not None:
            preview = Preview(
                state=registration.state,
                verdict=registration.verdict,
                receipt=registration.receipt,
                partnership=registration.party.partnership,
            )
        return cls(
            id=draft.id,
            version=draft.version,
            saved_at=draft.saved_at,
            kept_until=draft.saved_at + keep,
            content=draft.content,
            problems=review.problems,
            preview=preview,
        )


class DraftLine(BaseModel):
    """A draft in a list."""

    id: str
    version: int
    organisation: str | None
    """The name, where one is filled in."""
    saved_at: datetime
    kept_until: datetime
    complete: bool
    """Every field is there and well formed."""

    @classmethod
    def of(cls, draft: Draft, keep: timedelta) -> Self:
        """The line for this draft."""
        organisation = draft.content.get("organisation")
        name = organisation.get("name") if isinstance(organisation, dict) else None
        return cls(
            id=draft.id,
            version=draft.version,
            organisation=name if isinstance(name, str) else None,
            saved_at=draft.saved_at,
            kept_until=draft.saved_at + keep,
            complete=isinstance(read_content(draft), Submission),
        )


class DraftPage(BaseModel):
    """A page of drafts in the order they were begun; `next` is `after` of the following page."""

    items: list[DraftLine]
    next: str | None


Content = Annotated[
    dict[str, Any],
    Body(
        description="Any part of what `POST /registrations` takes, right or not yet; at most 256 KiB.",
        openapi_examples={
            "begun": {
                "summary": "The name and the country so far",
                "value": {"organisation": {"name": "Fibra Verde Lda", "country": "PT"}},
            }
        },
    ),
]
Saved = Annotated[int, Query(ge=1, description="The `version` you read: what was saved since is not lost.")]


def _kept(registering: Registering) -> timedelta:
    return timedelta(days=registering.settings.draft_days)


async def _view(registering: Registering, draft: Draft, caller: Caller) -> DraftView:
    # In a unit of work of its own that is not committed: the review sends it to see what happens.
    review = await registering.transactions.read(lambda uow: review_draft(uow, draft, by=caller))
    return DraftView.of(draft, review, _kept(registering))


@router.post(
    "/drafts",
    status_code=201,
    summary="Begin a draft",
    response_description="The draft, what it still lacks, and a preview; `Location` is its address.",
    responses=problem_responses(401, 403, 413, 422, 503),
)
async def begin(
    content: Content, caller: Authenticated, registering: Root, request: Request, response: Response
) -> DraftView:
    """Keep what is filled in so far, right or wrong.

    A participant's draft belongs to the organisation; those of staff and of external systems are
    their own. It is removed some time after it was last saved (`kept_until`).
    """
    draft = await change(registering, request, lambda uow: begin_draft(uow, content, by=caller))
    response.headers["Location"] = f"/drafts/{draft.id}"
    return await _view(registering, draft, caller)


@router.get(
    "/drafts",
    summary="List drafts",
    response_description="A page in the order they were begun.",
    responses=problem_responses(401, 422, 503),
)
async def page(caller: Authenticated, registering: Root, limit: Limit = 50, after: After = None) -> DraftPage:
    """The drafts of the caller's organisation, or of the caller."""
    found = await registering.transactions.read(lambda uow: uow.drafts.page(caller, after=after, limit=limit))
    return DraftPage(
        items=[DraftLine.of(draft, _kept(registering)) for draft in found], next=next_of(found, limit)
    )


@router.get(
    "/drafts/{id}",
    summary="Read a draft",
    response_description="The draft, what it still lacks, and a preview.",
    responses=problem_responses(401, 404, 422, 503),
)
async def read(id: str, caller: Authenticated, registering: Root) -> DraftView:
    """What was saved, which fields lack or are wrong, and, once none is, what the rules would say today."""
    draft = await registering.transactions.read(lambda uow: uow.drafts.get_of(caller, id))
    return await _view(registering, draft, caller)


@router.put(
    "/drafts/{id}",
    summary="Save a draft",
    response_description="The draft, what it still lacks, and a preview.",
    responses=problem_responses(401, 404, 409, 413, 422, 503),
)
async def save(
    id: str,
    content: Content,
    version: Saved,
    caller: Authenticated,
    registering: Root,
    request: Request,
) -> DraftView:
    """Replace the whole content.

    Of two windows that read the same version, the first to save wins; the other gets a 409 and must
    read again.
    """
    draft = await change(
        registering, request, lambda uow: save_draft(uow, id, content, version=version, by=caller)
    )
    return await _view(registering, draft, caller)


@router.delete(
    "/drafts/{id}",
    status_code=204,
    summary="Discard a draft",
    response_description="It is gone.",
    responses=problem_responses(401, 404, 422, 503),
)
async def discard(id: str, caller: Authenticated, registering: Root, request: Request) -> None:
    """Remove it for good."""

    async def work(uow: RegistrationUnitOfWork) -> None:
        await discard_draft(uow, id, by=caller)

    await change(registering, request, work)


@router.post(
    "/drafts/{id}/send",
    status_code=201,
    summary="Send a draft",
    response_description="The registration, with the draft's id; `Location` is its address.",
    responses={
        200: {"description": "It was sent before: the registration as it is now.", "model": RegistrationView},
        **problem_responses(401, 403, 404, 409, 422, 503),
    },
)
async def send(
    id: str,
    caller: Authenticated,
    registering: Root,
    request: Request,
    response: Response,
    version: Annotated[
        int | None, Query(ge=1, description="Send only this version, not what was saved since.")
    ] = None,
) -> RegistrationView:
    """Register what the draft says, as `POST /registrations` does, and remove the draft.

    Sent again after a doubt, it makes no second registration: the answer is the first. What lacks is
    a 409 whose `errors` name the fields.
    """
    registration, new = await change(
        registering, request, lambda uow: send_draft(uow, id, by=caller, version=version)
    )
    response.headers["Location"] = f"/registrations/{registration.id}"
    if not new:
        response.status_code = 200
    return RegistrationView.of(registration)
