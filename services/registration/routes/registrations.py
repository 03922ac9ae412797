"""Register, amend, withdraw; list, read and decide."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.registration.bootstrap import Registering
from services.registration.domain.registration import Cv, Question, Registration, Transition
from services.registration.filters import NO_PARTNERSHIP, Cursor, Order, RegistrationFilter
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.routes.root import Root, change
from services.registration.use_cases.accept_registration import accept_registration
from services.registration.use_cases.amend_registration import amend_registration
from services.registration.use_cases.ask_applicant import ask_applicant
from services.registration.use_cases.assign_registration import assign_registration
from services.registration.use_cases.confirm_interest import confirm_interest
from services.registration.use_cases.reject_registration import reject_registration
from services.registration.use_cases.submit_registration import submit_registration
from services.registration.use_cases.withdraw_registration import withdraw_registration
from shared.contracts.common import Party, Receipt
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import PartnershipId, RegistrationState, Role, Verdict
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["registrations"])


class CvView(BaseModel):
    """What is kept of a CV; the file itself is at `/registrations/{id}/cv`."""

    name: str
    size: int
    """In bytes."""
    sha256: str
    """Of the file, in hexadecimal."""
    pages: int
    uploaded_at: datetime

    @classmethod
    def of(cls, cv: Cv) -> Self:
        """The CV as those who may see the registration see it."""
        return cls(name=cv.name, size=cv.size, sha256=cv.sha256, pages=cv.pages, uploaded_at=cv.uploaded_at)


class RegistrationView(BaseModel):
    """A registration in full: what was sent, the verdict with its receipt, and every step so far."""

    id: str
    version: int
    """Counts the changes; the `sequence` of the last event about it."""
    state: RegistrationState
    verdict: Verdict
    receipt: Receipt
    party: Party
    submission: Submission
    reference: str | None
    """The sender's own reference, where it came by event."""
    cv: CvView | None
    question: Question | None
    """What staff wait for an answer to."""
    history: list[Transition]

    @classmethod
    def of(cls, registration: Registration) -> Self:
        """The registration as those who may see it see it."""
        return cls(
            id=registration.id,
            version=registration.version,
            state=registration.state,
            verdict=registration.verdict,
            receipt=registration.receipt,
            party=registration.party,
            submission=registration.submission,
            reference=registration.origin.reference,
            cv=CvView.of(registration.cv) if registration.cv else None,
            question=registration.question,
            history=registration.history,
        )


class RegistrationLine(BaseModel):
    """A registration in a list."""

    id: str
    organisation: str
    kind: str
    country: str
    city: str
    roles: list[Role]
    partnership: str | None
    state: RegistrationState
    verdict: Verdict
    sentence: str
    """Why the verdict is what it is."""
    reference: str | None
    submitted_at: datetime
    asked: str | None
    """What staff wait for an answer to."""
    answer_by: date | None
    """The day until which they do."""

    @classmethod
    def of(cls, registration: Registration) -> Self:
        """The line for this registration."""
        party = registration.party
        return cls(
            id=registration.id,
            organisation=party.organisation,
            kind=party.kind,
            country=party.place.country,
            city=party.place.city,
            roles=party.roles,
            partnership=party.partnership,
            state=registration.state,
            verdict=registration.verdict,
            sentence=registration.receipt.sentence,
            reference=registration.origin.reference,
            submitted_at=registration.submitted_at,
            asked=registration.question.text if registration.question else None,
            answer_by=registration.question.answer_by if registration.question else None,
        )


class RegistrationPage(BaseModel):
    """A page of registrations; `next` is `after` of the following page."""

    items: list[RegistrationLine]
    next: str | None


class Comment(BaseModel):
    """A reason, where one may be given."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=1000)] = ""


class Inquiry(BaseModel):
    """What staff want to know before they decide; the applicant reads it."""

    model_config = ConfigDict(extra="forbid")

    question: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]
    answer_by: date | None = None
    """The day until which the answer is waited for; nothing happens by itself when it is over."""


class Assignment(BaseModel):
    """The partnership that is to have the registration, and why; its staff and the applicant read it."""

    model_config = ConfigDict(extra="forbid")

    partnership: PartnershipId
    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]


class Rejection(BaseModel):
    """Why a registration is turned down; the applicant reads it."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]


_VISITOR: Final = {
    "organisation": {
        "name": "Fibra Verde Lda",
        "kind": "sme",
        "country": "PT",
        "city": "Lisbon",
        "vat": "PT501964843",
        "memberships": [{"name": "Atlantic Fibres Cluster", "kind": "cluster", "on_eccp": True}],
    },
    "participant": {"email": "office@fibra-verde.example", "language": "pt"},
    "roles": ["visitor"],
    "motivation": "See how hemp straw is decorticated at scale.",
    "goals": ["adopt_technology"],
    "ecosystems": ["textile"],
    "needs": ["decortication"],
    "offers": ["natural dyes"],
    "languages": ["pt", "en"],
    "availability": [{"first_day": "2027-02-08", "last_day": "2027-03-26"}],
    "preferences": {"countries": ["IT"], "working_days": 5},
}
_HOST: Final = {
    "organisation": {"name": "Canapa Cluster", "kind": "cluster", "country": "IT", "city": "Milan"},
    "participant": {"email": "desk@canapa-cluster.example", "language": "it"},
    "roles": ["host"],
    "goals": ["invest_in_collaboration"],
    "ecosystems": ["textile", "agrofood"],
    "offers": ["decortication"],
    "availability": [{"first_day": "2027-01-11", "last_day": "2027-06-30"}],
    "host_places": 3,
    "partnership": "hempclub",
}
Sent = Annotated[
    Submission,
    Body(
        openapi_examples={
            "visitor": {"summary": "An SME that wants to visit", "value": _VISITOR},
            "host": {"summary": "A cluster organisation that hosts", "value": _HOST},
        }
    ),
]
Reason = Annotated[Comment, Body(default_factory=Comment)]


async def _step(
    registering: Registering,
    request: Request,
    work: Callable[[RegistrationUnitOfWork], Awaitable[Registration]],
) -> RegistrationView:
    return RegistrationView.of(await change(registering, request, work))


@router.post(
    "/registrations",
    status_code=201,
    summary="Register an organisation",
    response_description="The registration with its verdict and receipt; `Location` is its address.",
    responses=problem_responses(401, 403, 409, 413, 422, 503),
)
async def submit(
    submission: Sent, caller: Authenticated, registering: Root, request: Request, response: Response
) -> RegistrationView:
    """Screen and store a registration.

    The rules' verdict is advice and part of the answer: a registration found ineligible is stored
    too, for its partnership to see. Without a `partnership` the first one that works in one of the
    ecosystems and in the country gets the case. What a participant submits belongs to its
    organisation; what staff or an external system submit, they look after themselves.

    A missing or unknown field is a 422 that names it; a partnership that does not exist is a 409.
    """
    view = await _step(registering, request, lambda uow: submit_registration(uow, submission, by=caller))
    response.headers["Location"] = f"/registrations/{view.id}"
    return view


class Listing(RegistrationFilter):
    """A page of the queue: the filter, the order, and where the page begins."""

    sort: Annotated[
        Order,
        Field(
            description=(
                "`-submitted_at` has the newest first; `organisation` goes by name, whatever its spelling; "
                "`answer_by` has those whose answer is due first, and only those asked to answer by a day."
            )
        ),
    ] = Order.ID
    limit: Annotated[int, Field(ge=1, le=200, description="How many at the most.")] = 50
    after: Annotated[
        str | None, Field(max_length=1000, description="`next` of the page before, in the same order.")
    ] = None


class Counts(BaseModel):
    """How many registrations there are, of those the caller may see and the filter leaves."""

    total: int
    by_state: dict[RegistrationState, int]
    """Every state, also those with none."""
    waiting_for_staff: int
    """To be decided now."""
    waiting_for_applicant: int
    """Asked for more information."""
    without_partnership: int
    """Not assigned to any; the support office assigns them."""


@router.get(
    "/registrations",
    summary="List registrations",
    response_description="A page in the order asked for.",
    responses=problem_responses(401, 422, 503),
)
async def page(
    caller: Authenticated, registering: Root, listing: Annotated[Listing, Query()]
) -> RegistrationPage:
    """The registrations the caller may see, filtered and sorted: the queue of those who decide.

    A participant sees its own organisation's, staff their partnership's, an external system those it
    submitted itself, the support office and auditors all.

    A page goes on behind the last line of the one before, whatever came in or was decided meanwhile:
    nothing is shown twice and nothing is left out.
    """
    after = Cursor.read(listing.after, listing.sort) if listing.after is not None else None
    found = await registering.transactions.read(
        lambda uow: uow.registrations.page(
            caller, listing, order=listing.sort, after=after, limit=listing.limit
        )
    )
    return RegistrationPage(
        items=[RegistrationLine.of(registration) for registration in found],
        next=str(Cursor.behind(found[-1], listing.sort)) if len(found) == listing.limit else None,
    )


@router.get(
    "/registrations/counts",
    summary="Count registrations",
    response_description="How many in each state, and who they wait for.",
    responses=problem_responses(401, 422, 503),
)
async def counts(
    caller: Authenticated, registering: Root, wanted: Annotated[RegistrationFilter, Query()]
) -> Counts:
    """What a dashboard shows of the registrations the caller may see and the filter leaves."""

    async def count(uow: RegistrationUnitOfWork) -> Counts:
        async def of(**more: Any) -> int:
            return await uow.registrations.count(caller, wanted, RegistrationFilter(**more))

        by_state = {state: await of(state=[state]) for state in RegistrationState}
        return Counts(
            total=sum(by_state.values()),
            by_state=by_state,
            waiting_for_staff=await of(waiting_for="staff"),
            waiting_for_applicant=await of(waiting_for="applicant"),
            without_partnership=await of(partnership=NO_PARTNERSHIP),
        )

    return await registering.transactions.read(count)


@router.get(
    "/registrations/{id}",
    summary="Read a registration",
    response_description="The registration in full.",
    responses=problem_responses(401, 404, 422, 503),
)
async def read(id: str, caller: Authenticated, registering: Root) -> RegistrationView:
    """What was sent, the verdict with its receipt, and every step so far."""
    return RegistrationView.of(
        await registering.transactions.read(lambda uow: uow.registrations.get_visible_to(caller, id))
    )


@router.put(
    "/registrations/{id}",
    summary="Amend a registration",
    response_description="The registration, screened anew.",
    responses=problem_responses(401, 403, 404, 409, 413, 422, 503),
)
async def amend(
    id: str, submission: Sent, caller: Authenticated, registering: Root, request: Request
) -> RegistrationView:
    """Send the whole registration again.

    It is screened anew, and an acceptance on the earlier facts no longer holds: it is decided anew,
    at once where the partnership accepts eligible registrations automatically. What it said before
    is kept: `GET /registrations/{id}/versions`.
    """
    return await _step(registering, request, lambda uow: amend_registration(uow, id, submission, by=caller))


@router.post(
    "/registrations/{id}/accept",
    summary="Accept a registration",
    response_description="The registration, accepted.",
    responses=problem_responses(401, 403, 404, 409, 413, 422, 503),
)
async def accept(
    id: str, caller: Authenticated, registering: Root, request: Request, comment: Reason
) -> RegistrationView:
    """Take it into the partnership's pool; for its staff. Against the rules' verdict a reason is needed."""
    return await _step(
        registering, request, lambda uow: accept_registration(uow, id, by=caller, reason=comment.reason)
    )


@router.post(
    "/registrations/{id}/reject",
    summary="Reject a registration",
    response_description="The registration, rejected.",
    responses=problem_responses(401, 403, 404, 409, 413, 422, 503),
)
async def reject(
    id: str, rejection: Rejection, caller: Authenticated, registering: Root, request: Request
) -> RegistrationView:
    """Turn it down with a reason the applicant reads; for staff of its partnership."""
    return await _step(
        registering, request, lambda uow: reject_registration(uow, id, by=caller, reason=rejection.reason)
    )


@router.post(
    "/registrations/{id}/ask",
    summary="Ask the applicant",
    response_description="The registration, with the question.",
    responses=problem_responses(401, 403, 404, 409, 413, 422, 503),
)
async def ask(
    id: str, inquiry: Inquiry, caller: Authenticated, registering: Root, request: Request
) -> RegistrationView:
    """Ask for more information before deciding; for staff of its partnership.

    The applicant gets a mail and answers by amending the registration. It stays undecided, leaves the
    queue of `waiting_for=staff` and is in that of `waiting_for=applicant` until then. A later question
    replaces an earlier one.
    """
    return await _step(
        registering,
        request,
        lambda uow: ask_applicant(uow, id, by=caller, question=inquiry.question, answer_by=inquiry.answer_by),
    )


@router.post(
    "/registrations/{id}/assign",
    summary="Assign a registration to a partnership",
    response_description="The registration, with its new partnership and screened by that one's rules.",
    responses=problem_responses(401, 403, 404, 409, 413, 422, 503),
)
async def assign(
    id: str, assignment: Assignment, caller: Authenticated, registering: Root, request: Request
) -> RegistrationView:
    """Give a registration nobody has decided to a partnership.

    The support office does it for any, also one that no partnership serves (`partnership=none` lists
    them); staff hand over their own partnership's. It is screened by the rules of the new partnership,
    which accepts it at once where it takes eligible registrations automatically. The assignment
    holds when the applicant amends, unless another partnership is chosen then.

    Staff who hand a registration over no longer see it; the answer shows it to them once more.
    """
    return await _step(
        registering,
        request,
        lambda uow: assign_registration(uow, id, assignment.partnership, by=caller, reason=assignment.reason),
    )


@router.post(
    "/registrations/{id}/withdraw",
    summary="Withdraw a registration",
    response_description="The registration, withdrawn.",
    responses=problem_responses(401, 403, 404, 409, 413, 422, 503),
)
async def withdraw(
    id: str, caller: Authenticated, registering: Root, request: Request, comment: Reason
) -> RegistrationView:
    """Take it back, in any state before rejection; for its organisation, its sender, or staff."""
    return await _step(
        registering, request, lambda uow: withdraw_registration(uow, id, by=caller, reason=comment.reason)
    )


@router.post(
    "/registrations/{id}/confirm-interest",
    summary="Confirm that the organisation is still interested",
    response_description="The registration; nobody asks again for a while.",
    responses=problem_responses(401, 403, 404, 409, 503),
)
async def confirm(id: str, caller: Authenticated, registering: Root, request: Request) -> RegistrationView:
    """Answer the question whether the organisation is still interested, or say so unasked.

    An open registration that nothing was heard of for long is asked, reminded, and then lapses; any
    amendment answers too. For its organisation, its sender, or staff. One that lapsed is brought back
    by an amendment.
    """
    return await _step(registering, request, lambda uow: confirm_interest(uow, id, by=caller))
