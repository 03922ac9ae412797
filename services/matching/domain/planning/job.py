"""A plan as it is asked for, made, read and published: the job, a line for each visitor, and the outline."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict

from services.matching.domain.planning.plan import Exchange, Plan, Proof, Unmatched, WhyNot
from services.matching.domain.planning.problem import Cap, CapOn, LumpSums, PlanProblem
from shared.aggregate import Aggregate
from shared.contracts.common import ERASED
from shared.contracts.matching import PlanPublished, PlanShare, Reason
from shared.errors import RuleBroken

MAX_CRASHES: Final = 3
"""How often the process that makes a plan may die before the plan is given up."""

OUTLINED_AT_ONCE: Final = 2000
"""Visitors in one document of an outline."""


class PlanStateForbids(RuleBroken):
    """The plan is in a state in which this cannot be done."""

    code = "plan-state-forbids"
    title = "The state of the plan forbids this"


class PlanState(StrEnum):
    """Where a plan stands."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    STALE = "stale"
    """Another plan was published since it was made; publishing it reports what no longer holds."""
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED: Final = (PlanState.QUEUED, PlanState.RUNNING)
MADE: Final = (PlanState.READY, PlanState.STALE, PlanState.PUBLISHING, PlanState.PUBLISHED)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Actor(_Value):
    """Who asked for something, as the token said."""

    subject: str
    role: str
    partnership: str | None = None


class AskedCap(_Value):
    """At most so many exchanges of one country, partnership or ecosystem."""

    on: CapOn
    of: str
    at_most: int


class Asked(_Value):
    """What a plan was asked for; amounts in EUR."""

    partnerships: list[str]
    """Whose visitors are to go."""
    caps: list[AskedCap] = []
    budgets: dict[str, Decimal] = {}
    lump_sums: dict[str, Decimal] = {}
    """Full lump sum by the host's country, by which the cost of an exchange is estimated."""
    keep_margin: float = 0
    """Points a plan must gain for each proposal it breaks."""
    dry_run: bool = False

    @property
    def keep(self) -> int:
        """The margin in hundredths of points."""
        return round(self.keep_margin * 100)

    def limits(self) -> Iterator[Cap]:
        """The caps as the planner takes them."""
        return (Cap(cap.on, cap.of, cap.at_most) for cap in self.caps)

    def cents(self) -> dict[str, int]:
        """The budgets in cents."""
        return {partnership: _cents(euros) for partnership, euros in self.budgets.items()}

    def estimates(self) -> LumpSums:
        """The lump sums in cents."""
        return LumpSums({country: _cents(euros) for country, euros in self.lump_sums.items()})


def _cents(euros: Decimal) -> int:
    return int(euros * 100)


class Figures(_Value):
    """How good a plan is, and out of what; scores in points."""

    on: date
    """Stays begin on this day or later."""
    weights: str
    keep: int
    visitors: int
    hosts: int
    pairs: int
    exchanges: int
    most_exchanges: int
    score: float
    value: int
    best_value: int
    exchanges_within: float
    value_within: float
    is_optimal: bool
    kept: int
    broken: int
    unmatched: dict[WhyNot, int]
    seconds: float

    @classmethod
    def of(cls, plan: Plan, problem: PlanProblem, seconds: float) -> Self:
        """The figures of a plan that took so long to make."""
        unmatched = [one.why for one in plan.unmatched]
        return cls(
            on=plan.on,
            weights=plan.weights,
            keep=plan.keep,
            visitors=len(problem.visitors),
            hosts=len(problem.hosts),
            pairs=plan.proof.pairs,
            exchanges=len(plan.exchanges),
            most_exchanges=plan.proof.most_exchanges,
            score=plan.score / 100,
            value=plan.value,
            best_value=plan.proof.best_value,
            exchanges_within=plan.exchanges_within,
            value_within=plan.value_within,
            is_optimal=plan.is_optimal,
            kept=sum(exchange.proposed or exchange.firm for exchange in plan.exchanges),
            broken=len(plan.broken),
            unmatched={why: unmatched.count(why) for why in WhyNot if why in unmatched},
            seconds=round(seconds, 2),
        )


Outcome = Literal["suggested", "standing", "dropped"]
"""Of a pair that was published: asked both sides; they have a match already; it no longer holds."""

OUTCOMES: Final[tuple[Outcome, ...]] = ("suggested", "standing", "dropped")


class Publication(_Value):
    """The last time a plan, or a part of it, was published."""

    by: Actor
    at: datetime
    registrations: list[str] | None = None
    """Only pairs one of these is in; None for all."""
    answer_days: int | None = None
    pairs: int
    """How many there are to publish."""
    counts: dict[str, dict[Outcome, int]] = {}
    """By partnership, of pairs in which it manages a side."""
    total: dict[Outcome, int] = {}
    finished_at: datetime | None = None

    def counting(self, lines: Iterable[PlanLine]) -> Publication:
        """With these lines, whose outcome is known now."""
        counts = {partnership: dict(known) for partnership, known in self.counts.items()}
        total = dict(self.total)
        for line in lines:
            assert line.outcome is not None
            total[line.outcome] = total.get(line.outcome, 0) + 1
            for partnership in line.partnerships:
                of_one = counts.setdefault(partnership, {})
                of_one[line.outcome] = of_one.get(line.outcome, 0) + 1
        return self.model_copy(update={"counts": counts, "total": total})


class Happened(_Value):
    """An entry of a plan's history: who did what; without a `by` the platform did it itself."""

    at: datetime
    what: str
    by: Actor | None = None
    note: str = ""


class PlanJob(Aggregate):
    """One plan from the question to the suggestions; what it says of each visitor is in its lines.

    Lines and outline belong to an attempt: of two processes that make the same plan at once, the one
    that was started last is heard.
    """

    COLLECTION: ClassVar[str] = "plans"

    by: Actor
    asked: Asked
    state: PlanState = PlanState.QUEUED
    created_at: datetime
    finished_at: datetime | None = None
    attempt: int = 0
    crashes: int = 0
    doing: str = ""
    share: float = 0.0
    exchanges_so_far: int | None = None
    failure: str | None = None
    figures: Figures | None = None
    publication: Publication | None = None
    history: list[Happened] = []

    @classmethod
    def request(cls, id: str, *, by: Actor, asked: Asked, at: datetime) -> Self:
        """A new plan, in line for a worker."""
        job = cls(id=id, by=by, asked=asked, created_at=at)
        job._note("asked", at, by=by)
        return job

    def start(self, at: datetime) -> int:
        """A worker begins, or begins anew where another was killed; returns the number of the attempt."""
        self._require("made", *UNFINISHED)
        self.state = PlanState.RUNNING
        self.attempt += 1
        self.doing, self.share, self.exchanges_so_far = "starting", 0.0, None
        if self.attempt == 1:
            self._note("started", at)
        else:
            self._note("started again", at)
        return self.attempt

    def is_made_by(self, attempt: int) -> bool:
        """Whether that attempt is still the one that counts."""
        return self.state is PlanState.RUNNING and self.attempt == attempt

    def go_on(self, doing: str, share: float, exchanges: int | None) -> None:
        """How far the making is."""
        self.doing, self.share, self.exchanges_so_far = doing, share, exchanges
        self._touch()

    def finish(self, figures: Figures, at: datetime) -> None:
        """The plan is made."""
        self._require("finished", PlanState.RUNNING)
        self.state, self.figures, self.finished_at = PlanState.READY, figures, at
        self.doing, self.share, self.exchanges_so_far = "done", 1.0, figures.exchanges
        self._note("ready", at, note=f"{figures.exchanges} exchanges")

    def fail(self, why: str, at: datetime) -> None:
        """There is no such plan; `why` says what to change."""
        self._require("failed", *UNFINISHED)
        self.state, self.failure, self.finished_at = PlanState.FAILED, why, at
        self._note("failed", at, note=why)

    def crash(self, at: datetime) -> None:
        """The process that made it died; it is tried again, but not for ever."""
        self.crashes += 1
        if self.crashes >= MAX_CRASHES:
            self.fail(
                f"The process that made the plan ended {self.crashes} times before it was done, most likely "
                "for want of memory. Ask for fewer partnerships at once, or give the worker more memory.",
                at,
            )
        else:
            self._note("interrupted", at)

    def cancel(self, by: Actor, at: datetime) -> None:
        """Whoever asked wants it no more."""
        self._require("cancelled", *UNFINISHED)
        self.state, self.finished_at = PlanState.CANCELLED, at
        self._note("cancelled", at, by=by)

    def go_stale(self, because: str, at: datetime) -> None:
        """Proposals were made that this plan knows nothing of."""
        self._require("called stale", PlanState.READY)
        self.state = PlanState.STALE
        self._note("stale", at, note=because)

    # ── publishing ───────────────────────────────────────────────────────────────────────────

    def publish(
        self,
        by: Actor,
        at: datetime,
        *,
        pairs: int,
        registrations: Collection[str] | None,
        answer_days: int | None,
    ) -> None:
        """Let a worker suggest the pairs; those of some registrations, or all that are left."""
        if self.asked.dry_run:
            raise PlanStateForbids("This plan is a dry run, made to be looked at. Ask for one without it.")
        self._require("published", PlanState.READY, PlanState.STALE)
        named = sorted(registrations) if registrations is not None else None
        self.publication = Publication(
            by=by, at=at, registrations=named, answer_days=answer_days, pairs=pairs
        )
        self.state = PlanState.PUBLISHING
        self._note("publishing", at, by=by, note=f"{pairs} pairs")

    def has_published(self, lines: Sequence[PlanLine]) -> None:
        """These lines are done."""
        assert self.publication is not None
        self.publication = self.publication.counting(lines)
        self._touch()

    def end_publication(self, at: datetime, *, left: int) -> None:
        """All is done that was to be published; `left` pairs have not been published yet."""
        assert self.publication is not None
        self.publication = self.publication.model_copy(update={"finished_at": at})
        self.state = PlanState.READY if left else PlanState.PUBLISHED
        total = {outcome: self.publication.total.get(outcome, 0) for outcome in OUTCOMES}
        self.history = [
            *self.history,
            Happened(
                at=at,
                what="published",
                by=self.publication.by,
                note=", ".join(f"{outcome} {count}" for outcome, count in total.items()),
            ),
        ]
        self._record(
            PlanPublished(
                plan_id=self.id,
                **total,
                left=left,
                partnerships=[
                    PlanShare(partnership=id, **{o: counts.get(o, 0) for o in OUTCOMES})
                    for id, counts in sorted(self.publication.counts.items())
                ],
            )
        )

    def is_published_as(
        self, by: Actor, registrations: Collection[str] | None, answer_days: int | None
    ) -> bool:
        """Whether just this is being published by the same person already."""
        now = self.publication
        return (
            self.state is PlanState.PUBLISHING
            and now is not None
            and now.by == by
            and now.answer_days == answer_days
            and now.registrations == (sorted(registrations) if registrations is not None else None)
        )

    def _note(self, what: str, at: datetime, *, by: Actor | None = None, note: str = "") -> None:
        self.history = [*self.history, Happened(at=at, what=what, by=by, note=note)]
        self._touch()

    def _require(self, action: str, *states: PlanState) -> None:
        if self.state not in states:
            raise PlanStateForbids(
                f"The plan is {self.state}; only one that is {' or '.join(sorted(states))} can be {action}."
            )


class Named(_Value):
    """An organisation in a plan."""

    registration_id: str
    organisation: str
    country: str
    partnership: str | None

    def without(self, registration_id: str) -> Named:
        """Without its name, if it is that registration."""
        if self.registration_id != registration_id:
            return self
        return self.model_copy(update={"organisation": ERASED})


class BrokenProposal(_Value):
    """An open proposal of the visitor that the plan does not keep, and why."""

    host: Named
    sentence: str


class NextBest(_Value):
    """A host the visitor did not get, and what would have to change for that."""

    host: Named
    score: float
    is_full: bool
    """All its places are given to others."""
    to_change: str


class PlanLine(Aggregate):
    """What a plan says of one visitor: with whom and why, or why with nobody; and what came of it."""

    COLLECTION: ClassVar[str] = "plan_lines"

    plan_id: str
    attempt: int
    partnerships: list[str]
    """Those that manage one of the two."""
    visitor: Named
    host: Named | None = None
    score: float | None = None
    reasons: list[Reason] = []
    proposed: bool = False
    """The two had an open proposal."""
    firm: bool = False
    """No plan would have parted the two."""
    why_not: WhyNot | None = None
    why: str
    """Why this partner, or why none."""
    next_best: list[NextBest] = []
    """The other hosts with the highest scores, the highest first."""
    one_more_place: str = ""
    """What one more place at its host would add to the plan."""
    broken: list[BrokenProposal] = []
    broken_settled: bool = False
    """What the programme had suggested and this plan does not keep has been taken back."""
    mentions: list[str] = []
    """All registrations whose organisations are named in it."""
    outcome: Outcome | None = None
    match_id: str | None = None
    because: str | None = None
    """Why the pair no longer held when it was published."""

    def is_about(self, registration_id: str) -> bool:
        """Whether it is the visitor or the host, and not only named."""
        return registration_id in (self.visitor.registration_id, self.host and self.host.registration_id)

    def suggested(self, match_id: str) -> None:
        """Both sides are asked."""
        self.outcome, self.match_id = "suggested", match_id
        self._touch()

    def stands(self, match_id: str) -> None:
        """The two have a match already."""
        self.outcome, self.match_id = "standing", match_id
        self._touch()

    def drop(self, because: str) -> None:
        """The pair does not hold any more."""
        self.outcome, self.because = "dropped", because
        self._touch()

    def settle_broken(self) -> None:
        """Its broken proposals are seen to."""
        self.broken_settled = True
        self._touch()

    def erase(self, registration_id: str) -> None:
        """Let go of the organisation's name; sentences that may name it go as a whole."""
        self.visitor = self.visitor.without(registration_id)
        self.host = self.host and self.host.without(registration_id)
        self.broken = [
            one.model_copy(update={"host": one.host.without(registration_id), "sentence": ERASED})
            for one in self.broken
        ]
        self.next_best = [
            one.model_copy(update={"host": one.host.without(registration_id), "to_change": ERASED})
            for one in self.next_best
        ]
        self.reasons = [reason.model_copy(update={"sentence": ERASED}) for reason in self.reasons]
        self.why = self.one_more_place = ERASED
        self.because = self.because and ERASED
        self.mentions = [id for id in self.mentions if id != registration_id]
        self._touch()


class PlanOutline(Aggregate):
    """A part of a plan in few bytes, to compare plans by; scores in hundredths of points."""

    COLLECTION: ClassVar[str] = "plan_outlines"

    plan_id: str
    attempt: int
    exchanges: list[tuple[str, str, int, bool, bool]]
    """Visitor, host, score, whether proposed, whether firm."""
    unmatched: list[tuple[str, WhyNot]]


def outlines_of(plan: Plan, plan_id: str, attempt: int) -> Iterator[PlanOutline]:
    """The plan in parts."""
    matched = [(e.visitor, e.host, e.score, e.proposed, e.firm) for e in plan.exchanges]
    unmatched = [(u.visitor, u.why) for u in plan.unmatched]
    for start in range(0, max(len(matched), len(unmatched)), OUTLINED_AT_ONCE):
        part = slice(start, start + OUTLINED_AT_ONCE)
        yield PlanOutline(
            id=f"{plan_id}:{attempt}:{start:07}",
            version=1,
            plan_id=plan_id,
            attempt=attempt,
            exchanges=matched[part],
            unmatched=unmatched[part],
        )


def plan_of(figures: Figures, outlines: Iterable[PlanOutline]) -> Plan:
    """The plan as it was made, without its sentences."""
    parts = list(outlines)
    return Plan(
        on=figures.on,
        weights=figures.weights,
        exchanges=tuple(
            Exchange(visitor, host, score, proposed=proposed, firm=firm)
            for part in parts
            for visitor, host, score, proposed, firm in part.exchanges
        ),
        unmatched=tuple(Unmatched(visitor, why, "") for part in parts for visitor, why in part.unmatched),
        broken=(),
        proof=Proof(figures.pairs, figures.most_exchanges, figures.best_value),
        keep=figures.keep,
    )
