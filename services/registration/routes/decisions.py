"""Decide about many registrations at once, after a preview; look decisions up, and undo them."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import Annotated, Final, Self

import orjson
from fastapi import APIRouter, Body, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.registration.domain.decision import (
    MOST,
    Basis,
    Decision,
    DecisionItem,
    DecisionKind,
    LeftOut,
    Outlook,
    Proposal,
    Undoing,
)
from services.registration.filters import RegistrationFilter
from services.registration.routes.root import Root, change
from services.registration.use_cases.decide_registrations import (
    Choice,
    decide_registrations,
    preview_decision,
)
from services.registration.use_cases.undo_decision import undo_decision
from shared.contracts.vocabulary import RegistrationState
from shared.http import After, Authenticated, Limit, next_of, problem_responses

router = APIRouter(tags=["decisions"])


class Proposed(BaseModel):
    """What to decide, about which registrations: their ids, or a filter as the list takes it."""

    model_config = ConfigDict(extra="forbid")

    decision: DecisionKind
    reason: Annotated[str, Field(max_length=1000)] = ""
    """Why; a rejection needs one, which the applicants read, and so does accepting against the rules."""
    question: Annotated[str, Field(max_length=1000)] = ""
    """What to ask, where the decision is to `ask`; the applicants read it."""
    answer_by: date | None = None
    """The day until which the answer is waited for."""
    registrations: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=60)]], Field(min_length=1, max_length=MOST)
        ]
        | None
    ) = None
    """The ids of the registrations; or else `filter`."""
    filter: RegistrationFilter | None = None
    """What the registrations have in common; those that meet it at the moment of the preview are meant."""

    @model_validator(mode="after")
    def _says_what_and_about_which(self) -> Self:
        if (self.registrations is None) == (self.filter is None):
            raise ValueError("name the registrations, or give a filter: one of the two")
        if self.decision is DecisionKind.ASK and not self.question.strip():
            raise ValueError("asking needs a question")
        if self.decision is DecisionKind.REJECT and not self.reason.strip():
            raise ValueError("rejecting needs a reason; the applicants will read it")
        if self.decision is not DecisionKind.ASK and (self.question or self.answer_by):
            raise ValueError(f"question and answer_by belong to 'ask', not to '{self.decision}'")
        return self

    @property
    def proposal(self) -> Proposal:
        """What to do with each of them."""
        return Proposal(
            decision=self.decision,
            reason=self.reason,
            question=self.question,
            answer_by=self.answer_by,
        )

    @property
    def choice(self) -> Choice:
        """The registrations that are meant."""
        if self.filter is not None:
            return self.filter
        return list(dict.fromkeys(self.registrations or []))

    @property
    def digest(self) -> str:
        """The same for two requests that ask for the same."""
        asked = self.model_dump(mode="json", exclude={"basis"})
        return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


class Decided(Proposed):
    """A previewed decision, to be taken: the same as in the preview, and the `basis` it gave."""

    basis: Annotated[str, Field(max_length=150_000)]


class OutlookView(BaseModel):
    """What the decision would do to one registration."""

    registration_id: str
    organisation: str | None
    """Absent where there is no such registration, or none the caller may see."""
    before: RegistrationState | None
    after: RegistrationState | None
    """Absent where it cannot be decided like this."""
    sentence: str
    """What happens, or why it cannot."""
    warnings: list[str]
    """What should be thought of before; it does not stand in the way."""

    @classmethod
    def of(cls, outlook: Outlook) -> Self:
        """The outlook as staff read it."""
        return cls(
            registration_id=outlook.registration_id,
            organisation=outlook.organisation,
            before=outlook.before,
            after=outlook.after,
            sentence=outlook.sentence,
            warnings=list(outlook.warnings),
        )


class DecisionPreview(BaseModel):
    """What would happen to each registration, and the basis on which to decide."""

    basis: str
    """Send it back to decide: it stands for these registrations as they are now."""
    decided: int
    """How many would be decided."""
    left_out: int
    """How many would not, each with its reason."""
    with_warnings: int
    items: list[OutlookView]


class DecisionView(BaseModel):
    """A decision that was taken."""

    id: str
    kind: DecisionKind
    by: str
    """The subject of the officer's token."""
    partnership: str
    at: datetime
    reason: str
    """Why, or the question that was asked."""
    answer_by: date | None
    items: list[DecisionItem]
    left_out: list[LeftOut]
    """Registrations it could not be taken about; the preview said so."""
    undoable_until: datetime | None
    """Absent where it cannot be undone: a question, or a decision that was undone."""
    undone: Undoing | None

    @classmethod
    def of(cls, decision: Decision) -> Self:
        """The decision as those who may read it do."""
        view = cls(**decision.model_dump(exclude={"version"}))
        return view.model_copy(update={"undoable_until": None}) if decision.undone else view


class DecisionLine(BaseModel):
    """A decision in a list."""

    id: str
    kind: DecisionKind
    by: str
    at: datetime
    reason: str
    registrations: int
    """How many it was taken about."""
    undoable_until: datetime | None
    undone: bool

    @classmethod
    def of(cls, decision: Decision) -> Self:
        """The line for this decision."""
        return cls(
            id=decision.id,
            kind=decision.kind,
            by=decision.by,
            at=decision.at,
            reason=decision.reason,
            registrations=len(decision.items),
            undoable_until=None if decision.undone else decision.undoable_until,
            undone=decision.undone is not None,
        )


class DecisionPage(BaseModel):
    """A page of decisions, the newest first; `next` is `after` of the following page."""

    items: list[DecisionLine]
    next: str | None


class WhyUndone(BaseModel):
    """Why a decision is taken back; the applicants read it."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=1000)] = ""


class Kept(BaseModel):
    """A registration the decision still holds for, and why."""

    registration_id: str
    sentence: str


class Undone(BaseModel):
    """What undoing did."""

    decision: DecisionView
    kept: list[Kept]
    """Registrations that had changed since; they are as they were before the undoing."""


_BY_IDS: Final = {"decision": "accept", "registrations": ["3f1c2a5e-6a53-5b0e-9d39-0d7f0c6d8e11"]}
_BY_FILTER: Final = {
    "decision": "reject",
    "reason": "The organisation has used its one visit of the scheme.",
    "filter": {"state": ["ineligible"], "rule": "visitor-once-only", "submitted_to": "2027-01-31"},
}
_EXAMPLES: Final = {
    "by ids": {"summary": "Accept these", "value": _BY_IDS},
    "by filter": {"summary": "Reject all that the rules find to have visited", "value": _BY_FILTER},
}


@router.post(
    "/decisions/preview",
    summary="Preview a decision",
    response_description="What would happen to each registration, and the basis on which to decide.",
    responses=problem_responses(401, 403, 409, 413, 422, 503),
)
async def preview(
    proposed: Annotated[Proposed, Body(openapi_examples=_EXAMPLES)],
    caller: Authenticated,
    registering: Root,
) -> DecisionPreview:
    """See what a decision about up to 1,000 registrations would do, before it is taken.

    Nothing is changed. Each registration comes with the state it would have, or the sentence that says
    why it cannot be decided like this, and with warnings: against the advice of the rules, the
    organisation's visit used meanwhile, a question not answered, a lookalike nobody has looked at.
    For staff, about their partnership's registrations.
    """
    outlooks, basis = await registering.transactions.read(
        lambda uow: preview_decision(
            uow, proposed.proposal, proposed.choice, by=caller, request=proposed.digest
        )
    )
    decided = sum(outlook.after is not None for outlook in outlooks)
    return DecisionPreview(
        basis=str(basis),
        decided=decided,
        left_out=len(outlooks) - decided,
        with_warnings=sum(bool(outlook.warnings) for outlook in outlooks),
        items=[OutlookView.of(outlook) for outlook in outlooks],
    )


@router.post(
    "/decisions",
    status_code=201,
    summary="Decide about many registrations",
    response_description="The decision, with what it did to each registration.",
    responses=problem_responses(401, 403, 409, 413, 422, 503),
)
async def decide(
    decided: Decided, caller: Authenticated, registering: Root, request: Request
) -> DecisionView:
    """Take a decision that was previewed: about all of its registrations at once, or about none.

    Send what the preview was asked for and its `basis`. When a registration has changed since, nothing
    is decided, and the problem's `errors` list what has. Those the preview said cannot be decided are in
    `left_out`. An acceptance or rejection can be undone until `undoable_until`.
    """
    basis = Basis.read(decided.basis)
    return DecisionView.of(
        await change(
            registering,
            request,
            lambda uow: decide_registrations(uow, decided.proposal, basis, by=caller, request=decided.digest),
        )
    )


@router.get(
    "/decisions",
    summary="List decisions",
    response_description="A page of decisions, the newest first.",
    responses=problem_responses(401, 403, 422, 503),
)
async def page(
    caller: Authenticated,
    registering: Root,
    kind: DecisionKind | None = None,
    by: Annotated[
        str | None, Query(max_length=200, description="The subject of the officer's token.")
    ] = None,
    limit: Limit = 50,
    after: After = None,
) -> DecisionPage:
    """What staff decided, about one registration or many.

    Staff see their partnership's decisions, the support office and auditors all. What a partnership
    accepts automatically is nobody's decision and not among them.
    """
    found = await registering.transactions.read(
        lambda uow: uow.decisions.page(caller, kind=kind, by=by, after=after, limit=limit)
    )
    return DecisionPage(items=[DecisionLine.of(decision) for decision in found], next=next_of(found, limit))


@router.get(
    "/decisions/{id}",
    summary="Read a decision",
    response_description="The decision, with what it did to each registration.",
    responses=problem_responses(401, 404, 422, 503),
)
async def read(id: str, caller: Authenticated, registering: Root) -> DecisionView:
    """Who decided what about which registrations, when and why, and until when it can be undone."""
    return DecisionView.of(
        await registering.transactions.read(lambda uow: uow.decisions.get_visible_to(caller, id))
    )


@router.post(
    "/decisions/{id}/undo",
    summary="Undo a decision",
    response_description="The decision, and the registrations it still holds for.",
    responses=problem_responses(401, 403, 404, 409, 413, 422, 503),
)
async def undo(
    id: str,
    caller: Authenticated,
    registering: Root,
    request: Request,
    why: Annotated[WhyUndone, Body(default_factory=WhyUndone)],
) -> Undone:
    """Take an acceptance or rejection back, until `undoable_until`; for staff of the same partnership.

    Every registration that has not changed since goes back to the verdict of the rules, all at once.
    What followed ends: the organisation leaves the pool, its matches end, money that was reserved for
    them is free again, and those who were told are told so. Registrations that have changed since stay
    as they are and are in `kept`. A decision is undone once.
    """
    decision, kept = await change(
        registering, request, lambda uow: undo_decision(uow, id, by=caller, reason=why.reason)
    )
    return Undone(
        decision=DecisionView.of(decision),
        kept=[Kept(registration_id=one, sentence=sentence) for one, sentence in kept.items()],
    )
