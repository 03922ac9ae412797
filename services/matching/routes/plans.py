"""Ask for a plan for the whole pool, follow it, read it, compare it with another, publish it."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from services.matching.domain.planning.job import (
    MADE,
    OUTCOMES,
    Actor,
    Asked,
    AskedCap,
    BrokenProposal,
    Figures,
    Happened,
    Named,
    NextBest,
    Outcome,
    PlanJob,
    PlanLine,
    PlanState,
    PlanStateForbids,
    Publication,
    plan_of,
)
from services.matching.domain.planning.plan import Change, Plan, WhyNot, compare
from services.matching.domain.planning.problem import CapOn
from services.matching.repositories import MatchingUnitOfWork
from services.matching.routes.root import Root, change
from services.matching.use_cases.cancel_plan import cancel_plan
from services.matching.use_cases.publish_plan import publish_plan
from services.matching.use_cases.request_plan import request_plan, require_planner
from shared.contracts.matching import Reason
from shared.contracts.vocabulary import Country, Ecosystem, PartnershipId
from shared.errors import NotFound
from shared.http import After, Authenticated, Limit, next_of, problem_responses
from shared.security import Caller, CallerRole

router = APIRouter(tags=["plans"])

MOST_CHANGES: Final = 1000
"""Visitors a comparison lists on each side."""

_MEMBERS: Final[dict[CapOn, TypeAdapter[str]]] = {
    CapOn.HOST_COUNTRY: TypeAdapter(Country),
    CapOn.VISITOR_COUNTRY: TypeAdapter(Country),
    CapOn.PARTNERSHIP: TypeAdapter(PartnershipId),
    CapOn.ECOSYSTEM: TypeAdapter(Ecosystem),
}

Euros = Annotated[Decimal, Field(ge=0, le=100_000_000, decimal_places=2)]
RegistrationId = Annotated[str, Field(min_length=1, max_length=200)]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CapOrder(_Sent):
    """At most so many exchanges of one country, partnership or ecosystem."""

    on: Annotated[
        CapOn,
        Field(description="`partnership` is the visitor's, which pays; `ecosystem` one that both work in."),
    ]
    of: Annotated[str, Field(min_length=1, max_length=100, examples=["IT"])]
    at_most: Annotated[int, Field(ge=0, le=1_000_000)]

    @model_validator(mode="after")
    def _known(self) -> Self:
        self.of = str(_MEMBERS[self.on].validate_python(self.of))
        return self


class PlanOrder(_Sent):
    """What the plan should keep within."""

    partnerships: Annotated[
        list[PartnershipId] | None,
        Field(
            min_length=1,
            max_length=200,
            description="Whose visitors are to go; for staff their own partnership, which is also "
            "what is taken without it. Hosts are those of all partnerships.",
        ),
    ] = None
    caps: Annotated[list[CapOrder], Field(max_length=500)] = []
    budgets: Annotated[
        dict[PartnershipId, Euros],
        Field(
            description="EUR a partnership can still spend on its visitors. What is left of its budget is "
            "funding's to say: `GET /partnerships/{id}/budget` there."
        ),
    ] = {}
    lump_sums: Annotated[
        dict[Country, Euros] | None,
        Field(
            description="EUR of a full lump sum by the host's country, by which budgets are compared with "
            "what exchanges cost: an estimate, the exact amount is funding's. A country that is missing "
            "counts as the dearest. Without it, the table on file."
        ),
    ] = None
    keep_margin: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            description="Points (of 100) the plan must gain for each open proposal it breaks. What both "
            "agreed to, and a suggestion one side has taken up, it never breaks.",
        ),
    ] = 5.0
    dry_run: Annotated[bool, Field(description="Only to be looked at: it cannot be published.")] = False


class ProgressView(BaseModel):
    """How far the making is."""

    doing: str
    share: Annotated[float, Field(description="Done, 0 to 1; a guess.")]
    exchanges: Annotated[int | None, Field(description="In the best plan so far.")]


class FiguresView(BaseModel):
    """How good the plan is, computed over all pairs and never assumed."""

    on: Annotated[date, Field(description="The day the pool was read; stays begin then or later.")]
    weights: Annotated[str, Field(description="The rule set that scored the pairs.")]
    visitors: int
    hosts: int
    pairs: Annotated[int, Field(description="Pairs of a visitor and a host that were considered: all.")]
    exchanges: int
    most_exchanges: Annotated[int, Field(description="No plan within the limits has more.")]
    total_score: Annotated[float, Field(description="The sum of all scores, in points.")]
    best_value: Annotated[
        float,
        Field(
            description="No plan with as many exchanges is worth more: in points, the margin of each "
            "proposal that is kept included."
        ),
    ]
    value: Annotated[float, Field(description="What this plan is worth by the same measure.")]
    exchanges_within: Annotated[
        float, Field(description="The number of exchanges is at most so many percent below the optimum.")
    ]
    value_within: Annotated[
        float, Field(description="The value is at most so many percent below the optimum.")
    ]
    is_optimal: Annotated[bool, Field(description="It is proven that no plan is better.")]
    kept: Annotated[int, Field(description="Exchanges whose two had an open proposal or match.")]
    broken: Annotated[int, Field(description="Open proposals the plan does not keep.")]
    unmatched: Annotated[dict[WhyNot, int], Field(description="Visitors without a host, by the reason.")]
    seconds: float

    @classmethod
    def of(cls, figures: Figures) -> Self:
        """In points."""
        told = figures.model_dump(exclude={"keep", "score", "value", "best_value"})
        return cls(
            **told,
            total_score=figures.score,
            value=figures.value / 100,
            best_value=figures.best_value / 100,
        )


class PublicationView(BaseModel):
    """How far the publication is, and what came of the pairs."""

    by: Actor
    at: datetime
    registrations: list[str] | None
    answer_days: int | None
    pairs: int
    done: int
    suggested: Annotated[int, Field(description="Both sides are asked.")]
    standing: Annotated[int, Field(description="The two have a match already, which goes on.")]
    dropped: Annotated[
        int,
        Field(description="The pair no longer holds; `/plans/{id}/pairs?outcome=dropped` says why."),
    ]
    finished_at: datetime | None

    @classmethod
    def of(cls, publication: Publication) -> Self:
        """With its counts added up."""
        counts = {outcome: publication.total.get(outcome, 0) for outcome in OUTCOMES}
        told = publication.model_dump(exclude={"counts", "total"})
        return cls(**told, **counts, done=sum(counts.values()))


class PlanView(BaseModel):
    """A plan, where it stands, and how good it is."""

    id: str
    version: int
    state: Annotated[
        PlanState,
        Field(
            description="`queued`, `running`, `ready`, `publishing`, `published`; `stale` once another plan "
            "for these partnerships was published since; `failed` with the reason in `failure`; `cancelled`."
        ),
    ]
    by: Actor
    asked: Asked
    created_at: datetime
    finished_at: datetime | None
    progress: ProgressView
    failure: Annotated[str | None, Field(description="Why there is no such plan, and what to change.")]
    figures: FiguresView | None
    publication: Annotated[PublicationView | None, Field(description="The present or the last one.")]
    history: Annotated[list[Happened], Field(description="Who did what, the oldest first.")]

    @classmethod
    def of(cls, job: PlanJob) -> Self:
        """The plan as those who may see it see it."""
        return cls(
            id=job.id,
            version=job.version,
            state=job.state,
            by=job.by,
            asked=job.asked,
            created_at=job.created_at,
            finished_at=job.finished_at,
            progress=ProgressView(doing=job.doing, share=job.share, exchanges=job.exchanges_so_far),
            failure=job.failure,
            figures=FiguresView.of(job.figures) if job.figures else None,
            publication=PublicationView.of(job.publication) if job.publication else None,
            history=job.history,
        )


class PlanPage(BaseModel):
    """A page of plans; `next` is the `after` of the page that follows, absent on the last one."""

    items: list[PlanView]
    next: str | None


class PairView(BaseModel):
    """A visitor and a host the plan puts together, and what came of it."""

    visitor: Named
    host: Named
    score: float
    reasons: Annotated[list[Reason], Field(description="Strongest first; their points add up to the score.")]
    proposed: Annotated[bool, Field(description="The two had an open proposal, which the plan keeps.")]
    firm: Annotated[bool, Field(description="The two had agreed: no plan would have parted them.")]
    why: Annotated[str, Field(description="Why this partner.")]
    next_best: Annotated[
        list[NextBest],
        Field(description="The next best hosts, and what would have to change to get one of them."),
    ]
    one_more_place: Annotated[str, Field(description="What one more place at this host would add.")]
    broken: Annotated[
        list[BrokenProposal], Field(description="Open proposals of the visitor that the plan does not keep.")
    ]
    outcome: Annotated[Outcome | None, Field(description="Of a pair that was published.")]
    match_id: str | None
    because: Annotated[str | None, Field(description="Why it was dropped.")]

    @classmethod
    def of(cls, line: PlanLine) -> Self:
        """The line of a visitor with a host."""
        assert line.host is not None
        return cls(**line.model_dump(include=set(cls.model_fields)))


class PairPage(BaseModel):
    """A page of pairs; `next` is the `after` of the page that follows."""

    items: list[PairView]
    next: str | None


class UnmatchedView(BaseModel):
    """A visitor the plan has no host for."""

    visitor: Named
    why_not: WhyNot
    why: str
    next_best: list[NextBest]
    broken: list[BrokenProposal]

    @classmethod
    def of(cls, line: PlanLine) -> Self:
        """The line of a visitor without a host."""
        return cls(**line.model_dump(include=set(cls.model_fields)))


class UnmatchedPage(BaseModel):
    """A page of visitors without a host; `next` is the `after` of the page that follows."""

    items: list[UnmatchedView]
    next: str | None


class PersonView(BaseModel):
    """What the plan says of one registration, in plain words."""

    registration_id: str
    as_visitor: Annotated[
        PairView | UnmatchedView | None, Field(description="Null for one that is no visitor of this plan.")
    ]
    as_host: Annotated[list[PairView], Field(description="The visitors it would receive.")]


class ChangeView(BaseModel):
    """What the second plan changes for one visitor; scores in points, 0 without a host."""

    visitor: str
    host_before: str | None
    host_after: str | None
    score_before: float
    score_after: float
    gain: float

    @classmethod
    def of(cls, change: Change) -> Self:
        """In points."""
        return cls(
            visitor=change.visitor,
            host_before=change.host_before,
            host_after=change.host_after,
            score_before=change.score_before / 100,
            score_after=change.score_after / 100,
            gain=change.gain / 100,
        )


class ComparisonView(BaseModel):
    """Who gains and who loses when the second plan replaces the first, the largest difference first."""

    sentence: str
    more_exchanges: int
    more_score: Annotated[float, Field(description="In points.")]
    gaining: int
    losing: int
    moved: Annotated[int, Field(description="Another host, as good.")]
    who_gains: Annotated[list[ChangeView], Field(description="The first thousand.")]
    who_loses: Annotated[list[ChangeView], Field(description="The first thousand.")]
    who_moves: Annotated[list[ChangeView], Field(description="The first thousand.")]


class PublishOrder(_Sent):
    """What to publish, and how long the organisations have for their answers."""

    registrations: Annotated[
        list[RegistrationId] | None,
        Field(
            min_length=1,
            max_length=1000,
            description="Only pairs in which one of these is the visitor or the host. Without it, all that "
            "have not been published yet.",
        ),
    ] = None
    answer_days: Annotated[
        int | None, Field(ge=1, le=90, description="Without it, as many as for any proposal.")
    ] = None


@router.post(
    "/plans",
    summary="Ask for a plan",
    status_code=202,
    response_description="The plan, queued; `Location` is where to follow it.",
    responses=problem_responses(401, 403, 409, 422),
)
async def ask(
    caller: Authenticated,
    matching: Root,
    request: Request,
    response: Response,
    order: Annotated[PlanOrder, Body(default_factory=PlanOrder)],
) -> PlanView:
    """Have the best plan made for the visitors of some partnerships and all hosts they could go to.

    For staff, for their own partnership's visitors, and the support office. As many exchanges as possible,
    then the highest total score, within the places of hosts, one visit a visitor, the caps and budgets. It
    is made in the background; nobody is asked anything before it is published. Limits that contradict each
    other make it `failed`, with the sentence that names them.
    """
    job = await change(
        matching,
        request,
        lambda uow: request_plan(
            uow,
            partnerships=order.partnerships,
            caps=[AskedCap(on=cap.on, of=cap.of, at_most=cap.at_most) for cap in order.caps],
            budgets=order.budgets,
            lump_sums=order.lump_sums,
            keep_margin=order.keep_margin,
            dry_run=order.dry_run,
            by=caller,
        ),
    )
    response.headers["Location"] = f"/plans/{job.id}"
    return PlanView.of(job)


@router.get(
    "/plans",
    summary="List plans",
    response_description="A page, the newest first.",
    responses=problem_responses(401, 403, 422),
)
async def page(caller: Authenticated, matching: Root, limit: Limit = 50, after: After = None) -> PlanPage:
    """The plans the caller may see: those for its partnership's visitors, or all."""
    found = await matching.transactions.read(lambda uow: uow.plans.page(caller, after=after, limit=limit))
    return PlanPage(items=[PlanView.of(job) for job in found], next=next_of(found, limit))


PlanId = Annotated[str, Query(min_length=1, max_length=200, description="A plan's id.")]


@router.get(
    "/plans/compare",
    summary="Compare two plans",
    response_description="Who gains, who loses, and by how much.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def compare_plans(
    caller: Authenticated,
    matching: Root,
    first: Annotated[PlanId, Query(alias="from")],
    second: Annotated[PlanId, Query(alias="to")],
) -> ComparisonView:
    """What changes for each visitor when the plan `to` takes the place of the plan `from`.

    For those who may make plans for these partnerships, and auditors.
    """

    async def read(uow: MatchingUnitOfWork) -> ComparisonView:
        before, after = [await _whole(uow, caller, id) for id in (first, second)]
        # A large one takes a moment, in which other requests are answered.
        found = await asyncio.to_thread(compare, before, after)
        return ComparisonView(
            sentence=found.sentence,
            more_exchanges=found.more_exchanges,
            more_score=found.more_score / 100,
            gaining=len(found.gaining),
            losing=len(found.losing),
            moved=len(found.moved),
            who_gains=[ChangeView.of(one) for one in found.gaining[:MOST_CHANGES]],
            who_loses=[ChangeView.of(one) for one in found.losing[:MOST_CHANGES]],
            who_moves=[ChangeView.of(one) for one in found.moved[:MOST_CHANGES]],
        )

    return await matching.transactions.read(read)


async def _whole(uow: MatchingUnitOfWork, caller: Caller, id: str) -> Plan:
    job = await _made(uow, caller, id)
    if caller.role is not CallerRole.AUDITOR:
        require_planner(caller, job.asked.partnerships)
    assert job.figures is not None
    return plan_of(job.figures, await uow.plan_outlines.of(job))


@router.get(
    "/plans/{id}",
    summary="Follow a plan",
    response_description="Where it stands, and once it is ready how good it is.",
    responses=problem_responses(401, 403, 404),
)
async def read(id: str, caller: Authenticated, matching: Root) -> PlanView:
    """How far the making or the publication is, the figures, and who did what."""
    return PlanView.of(await matching.transactions.read(lambda uow: uow.plans.get_visible_to(caller, id)))


@router.get(
    "/plans/{id}/pairs",
    summary="Who visits whom",
    response_description="A page of pairs.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def pairs(
    id: str,
    caller: Authenticated,
    matching: Root,
    registration: Annotated[
        str | None, Query(max_length=200, description="Visitor's or host's registration.")
    ] = None,
    outcome: Annotated[Outcome | None, Query(description="What came of it when it was published.")] = None,
    limit: Limit = 50,
    after: After = None,
) -> PairPage:
    """The pairs with score and reasons: why this partner, who would be next, what would have to change.

    Staff see those in which their partnership manages a side.
    """
    found = await matching.transactions.read(
        lambda uow: _page(
            uow,
            caller,
            id,
            matched=True,
            registration=registration,
            outcome=outcome,
            after=after,
            limit=limit,
        )
    )
    return PairPage(items=[PairView.of(line) for line in found], next=next_of(found, limit))


@router.get(
    "/plans/{id}/unmatched",
    summary="Who has no host",
    response_description="A page of visitors.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def unmatched(
    id: str, caller: Authenticated, matching: Root, limit: Limit = 50, after: After = None
) -> UnmatchedPage:
    """The visitors the plan has no host for, each with the reason."""
    found = await matching.transactions.read(
        lambda uow: _page(uow, caller, id, matched=False, after=after, limit=limit)
    )
    return UnmatchedPage(items=[UnmatchedView.of(line) for line in found], next=next_of(found, limit))


@router.get(
    "/plans/{id}/people/{registration_id}",
    summary="Explain the plan to one organisation",
    response_description="Why this partner, who would be next, and what would have to change.",
    responses=problem_responses(401, 403, 404, 409),
)
async def person(id: str, registration_id: str, caller: Authenticated, matching: Root) -> PersonView:
    """What the plan says of one registration, as a visitor and as a host, in plain words to pass on."""

    async def about(uow: MatchingUnitOfWork) -> list[PlanLine]:
        return await uow.plan_lines.about(await _made(uow, caller, id), registration_id, caller)

    lines = await matching.transactions.read(about)
    if not lines:
        raise NotFound(f"Plan {id} says nothing of a registration {registration_id}, or nothing you may see.")
    own = next((line for line in lines if line.visitor.registration_id == registration_id), None)
    return PersonView(
        registration_id=registration_id,
        as_visitor=own and (PairView.of(own) if own.host else UnmatchedView.of(own)),
        as_host=[PairView.of(line) for line in lines if line is not own],
    )


@router.post(
    "/plans/{id}/cancel",
    summary="Cancel a plan",
    response_description="The plan, cancelled.",
    responses=problem_responses(401, 403, 404, 409),
)
async def cancel(id: str, caller: Authenticated, matching: Root, request: Request) -> PlanView:
    """Stop the making of a plan that is queued or running; for those who may make it."""
    return PlanView.of(await change(matching, request, lambda uow: cancel_plan(uow, id, by=caller)))


@router.post(
    "/plans/{id}/publish",
    summary="Publish a plan",
    status_code=202,
    response_description="The plan, its publication under way.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def publish(
    id: str,
    caller: Authenticated,
    matching: Root,
    request: Request,
    order: Annotated[PublishOrder, Body(default_factory=PublishOrder)],
) -> PlanView:
    """Suggest the pairs as matches, which both sides are asked to accept; for those who may make the plan.

    Each pair is looked at again, as the pool is then: it is `suggested`, `standing` where the two have a
    match already, or `dropped` with the reason. What an earlier plan suggested, nobody answered and this
    one does not keep is taken back. It goes on in the background, also over a crash; asking again changes
    nothing.
    """
    job = await change(
        matching,
        request,
        lambda uow: publish_plan(
            uow, id, registrations=order.registrations, answer_days=order.answer_days, by=caller
        ),
    )
    return PlanView.of(job)


async def _page(uow: MatchingUnitOfWork, caller: Caller, id: str, **wanted: Any) -> list[PlanLine]:
    return await uow.plan_lines.page(await _made(uow, caller, id), caller, **wanted)


async def _made(uow: MatchingUnitOfWork, caller: Caller, id: str) -> PlanJob:
    job = await uow.plans.get_visible_to(caller, id)
    if job.state not in MADE:
        raise PlanStateForbids(
            f"The plan is {job.state}, so there is nothing to read yet. GET /plans/{id} says how far it is."
            if job.failure is None
            else f"There is no such plan: {job.failure}"
        )
    return job
