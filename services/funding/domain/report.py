"""The visiting organisation's report on its stay: written bit by bit, submitted, returned or validated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from services.funding.domain.grant import Grant
from services.funding.domain.stay import AcceptedDay, DayOfStay
from shared.aggregate import Aggregate
from shared.contracts.common import Window
from shared.contracts.envelope import StrictContract
from shared.contracts.funding import ReportReminded, ReportReturned, ReportSubmitted, ReportValidated
from shared.contracts.registration import FieldProblem
from shared.contracts.vocabulary import BlankIsNone, GateState, Goal, GrantState, Line, NotTruth, Text
from shared.errors import RuleBroken

LONGEST_STAY_DAYS: Final = 62
"""More days than a stay can have; the lump sum says what is too long for the scheme."""

AWAITING_REPORT: Final = frozenset(
    {
        GrantState.AWAITING_BUDGET,
        GrantState.NEEDS_REVIEW,
        GrantState.RESERVED,
        GrantState.COMMITTED,
        GrantState.PAYABLE,
    }
)
"""States of a grant in which there is a stay to report on, and its money is in no payment."""


class ReportState(StrEnum):
    """Where a report stands; a draft or a returned one is with the visitor, else its partnership has it."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    VALIDATED = "validated"


class ReportStateForbids(RuleBroken):
    """The report is in a state in which this cannot be done."""

    code = "report-state-forbids"


class ReportChanged(RuleBroken):
    """Somebody saved or submitted the report since it was read."""

    code = "report-changed"


class ReportIncomplete(RuleBroken):
    """The report lacks something, or contradicts itself; `errors` says where."""

    code = "report-incomplete"


class StayNotOver(RuleBroken):
    """A report is on a stay that took place."""

    code = "stay-not-over"


def _none_is_none_of_them(value: object) -> object:
    return [] if value is None else value


_Listed: Final = BeforeValidator(_none_is_none_of_them)
_Passage = Annotated[Text, StringConstraints(max_length=2000)]


class GoalReached(StrictContract):
    """How far one of the four goals of the scheme was reached."""

    goal: Goal
    reached: Literal["fully", "partly", "not"]
    how: Annotated[Text, StringConstraints(max_length=1000)] = ""
    """What was reached, or what was in the way."""


class DayWithProgramme(StrictContract):
    """A Saturday, Sunday or holiday with a programme at the host; its partnership accepts it or not."""

    day: DayOfStay
    programme: Line


class Activity(StrictContract):
    """What was done on a day."""

    day: DayOfStay
    what: Annotated[Text, StringConstraints(min_length=1, max_length=1000)]


class ReportForm(StrictContract):
    """The report as it is filled in; a draft may leave out anything.

    To be submitted it needs the real days, at least one goal, one activity, the results, and the
    satisfaction.
    """

    first_day: Annotated[DayOfStay | None, BlankIsNone] = None
    """The first day at the host as it was, travel excluded."""
    last_day: Annotated[DayOfStay | None, BlankIsNone] = None
    """The last day at the host as it was."""
    weekend_days: Annotated[list[DayWithProgramme], Field(max_length=31), _Listed] = []
    """Saturdays, Sundays and holidays with a programme; they count once the partnership accepts them."""
    goals: Annotated[list[GoalReached], Field(max_length=4), _Listed] = []
    """Of the scheme's four goals, those of this stay."""
    activities: Annotated[list[Activity], Field(max_length=LONGEST_STAY_DAYS), _Listed] = []
    """What was done, by day."""
    results: _Passage = ""
    """What came of it."""
    cooperation: _Passage = ""
    """What the two organisations plan together."""
    satisfaction: Annotated[int, NotTruth, Field(ge=1, le=5)] | None = None
    """With the host: 1, not at all, to 5, very."""
    improve: _Passage = ""
    """What the scheme, the partnership or the host should do better."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.first_day and self.last_day and self.last_day < self.first_day:
            raise ValueError(
                f"last_day {self.last_day} is before first_day {self.first_day}; give them the other way "
                "round"
            )
        goals = [one.goal for one in self.goals]
        if twice := next((goal for goal in goals if goals.count(goal) > 1), None):
            raise ValueError(f"the goal {twice} is there twice; say it once")
        return self

    @property
    def stay(self) -> Window | None:
        """The real days; None until both are given."""
        if self.first_day is None or self.last_day is None:
            return None
        return Window(first_day=self.first_day, last_day=self.last_day)

    def lacks(self) -> list[FieldProblem]:
        """What keeps it from being submitted: JSON pointers and sentences; empty when nothing does."""
        return [FieldProblem(pointer=pointer, detail=detail) for pointer, detail in self._problems()]

    def _problems(self) -> Iterator[tuple[str, str]]:
        for name in ("first_day", "last_day"):
            if getattr(self, name) is None:
                yield f"/{name}", "is missing"
        if not self.goals:
            yield "/goals", "is empty; say how far at least one goal was reached"
        if not self.activities:
            yield "/activities", "is empty; say what was done, day by day"
        if not self.results:
            yield "/results", "is empty; say what came of the stay"
        if self.satisfaction is None:
            yield "/satisfaction", "is missing; from 1 to 5"
        if (stay := self.stay) is None:
            return
        for name in ("weekend_days", "activities"):
            for index, item in enumerate(getattr(self, name)):
                if not stay.first_day <= item.day <= stay.last_day:
                    outside = f"is not a day of the stay, {stay.first_day} to {stay.last_day}"
                    yield f"/{name}/{index}/day", outside


@dataclass(frozen=True)
class ReminderPolicy:
    """When a report that does not come is asked for: days after the stay, days between, and how often."""

    after_days: int
    every_days: int
    most: int

    def window(self, today: date) -> tuple[date, date]:
        """Between which last days of stays a reminder may be due; one more interval for a standstill."""
        longest = self.after_days + self.every_days * (self.most + 1)
        return today - timedelta(days=longest), today - timedelta(days=self.after_days)


def report_id(match_id: str) -> str:
    """The id of the report on a match's stay."""
    return f"report-{match_id}"


class Report(Aggregate):
    """What the visitor says of its stay; `edition` counts what was saved, submitted and returned."""

    COLLECTION: ClassVar[str] = "reports"

    grant_id: str
    state: ReportState = ReportState.DRAFT
    form: ReportForm = ReportForm()
    edition: int = 0
    seen: bool = False
    """Whether it was ever submitted, and so is known to more than its writer."""
    submitted_at: datetime | None = None
    returned_because: str | None = None
    """What is to be corrected; None unless it was returned, and not submitted again since."""
    accepted_days: list[AcceptedDay] = []
    """Saturdays, Sundays and holidays its partnership counted when it validated the report."""
    validated_at: datetime | None = None
    validated_by: str | None = None
    """The subject of the officer's token."""
    reminders: int = 0
    reminded_on: date | None = None

    @classmethod
    def begin(cls, grant: Grant) -> Self:
        """An empty one."""
        report = cls(id=report_id(grant.match_id), grant_id=grant.id)
        report._touch()
        return report

    # ── what the visitor does ────────────────────────────────────────────────────────────────

    def save(self, grant: Grant, form: ReportForm, *, edition: int | None, at: datetime) -> None:
        """Put this in the place of what was saved before; raises `ReportChanged` and `ReportStateForbids`.

        `edition`: the one it is based on; None where that does not matter.
        """
        self._require("changed", ReportState.DRAFT, ReportState.RETURNED)
        grant.turn_gate("report", GateState.WAITS_FOR_VISITOR, at=at)  # as it does, unless there is no stay
        if edition is not None:
            self._require_edition(edition)
        if form != self.form:
            self.form = form
            self.edition += 1
            self._touch()

    def submit(self, grant: Grant, *, at: datetime) -> None:
        """Hand it to the partnership; raises `ReportIncomplete` and `StayNotOver`."""
        self._require("submitted", ReportState.DRAFT, ReportState.RETURNED)
        lacks = self.form.lacks()
        if lacks:
            raise ReportIncomplete(
                "The report cannot be submitted yet: "
                + "; ".join(f"{problem.pointer} {problem.detail}" for problem in lacks[:5])
                + ".",
                errors=[problem.model_dump() for problem in lacks],
            )
        stay = self._real_stay()
        if at.date() < stay.last_day:
            raise StayNotOver(
                f"The stay lasts until {stay.last_day}: submit the report on that day or later. What is "
                "written is kept as a draft."
            )
        grant.turn_gate("report", GateState.WAITS_FOR_PARTNERSHIP, at=at)
        self.state, self.seen = ReportState.SUBMITTED, True
        self.submitted_at, self.returned_because = at, None
        self.edition += 1
        self._record(ReportSubmitted(**grant.facts(), real_stay=stay))

    # ── what its partnership does ────────────────────────────────────────────────────────────

    def send_back(self, grant: Grant, reason: str, *, at: datetime) -> None:
        """To be corrected, with the reason; also one that was validated, until the payment is prepared."""
        self._require("returned", ReportState.SUBMITTED, ReportState.VALIDATED)
        grant.turn_gate("report", GateState.WAITS_FOR_VISITOR, at=at, reason=reason)
        was_validated = self.state is ReportState.VALIDATED
        self.state, self.returned_because = ReportState.RETURNED, reason
        self.accepted_days, self.validated_at, self.validated_by = [], None, None
        self.edition += 1
        self._record(ReportReturned(**grant.facts(), reason=reason, was_validated=was_validated))

    def require_to_validate(self, edition: int) -> Window:
        """The real days; raises unless this edition waits for its validation."""
        self._require("validated", ReportState.SUBMITTED)
        self._require_edition(edition)
        return self._real_stay()

    def validate_it(
        self, grant: Grant, *, accepted_days: list[AcceptedDay], difference: str, by: str, at: datetime
    ) -> None:
        """The partnership stands by it; the lump sum is computed on the real days by now."""
        self._require("validated", ReportState.SUBMITTED)
        stay = self._real_stay()
        grant.turn_gate("report", GateState.PASSED, at=at)
        self.state, self.accepted_days = ReportState.VALIDATED, accepted_days
        self.validated_at, self.validated_by = at, by
        self._record(
            ReportValidated(
                **grant.facts(),
                real_stay=stay,
                amount=grant.amount,
                difference=difference,
                counts=grant.counts,
            )
        )

    # ── what time does ───────────────────────────────────────────────────────────────────────

    def remind(self, grant: Grant, policy: ReminderPolicy, *, today: date) -> bool:
        """Ask for it, if that is due; whether it was."""
        if self.state not in (ReportState.DRAFT, ReportState.RETURNED) or self.reminders >= policy.most:
            return False
        ended = max(grant.stay.last_day, self.form.last_day or grant.stay.last_day)
        wait = timedelta(days=policy.after_days)
        again = timedelta(days=policy.every_days)
        if today < ended + wait or (self.reminded_on is not None and today < self.reminded_on + again):
            return False
        self.reminders, self.reminded_on = self.reminders + 1, today
        self._record(
            ReportReminded(
                **grant.facts(),
                ended=ended,
                number=self.reminders,
                last=self.reminders == policy.most,
                begun=self.edition > 0,
            )
        )
        return True

    @property
    def is_blank(self) -> bool:
        """Whether nothing is written."""
        return self.form == ReportForm() and self.returned_because is None

    def let_go(self) -> None:
        """Nothing is paid for the stay, or was: what was written goes."""
        self.form, self.state, self.seen, self.returned_because = ReportForm(), ReportState.DRAFT, False, None
        self.accepted_days, self.validated_at, self.validated_by = [], None, None
        self._touch()

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _real_stay(self) -> Window:
        stay = self.form.stay
        assert stay is not None
        return stay

    def _require_edition(self, edition: int) -> None:
        if edition != self.edition:
            raise ReportChanged(
                f"You saw edition {edition}, and the report is at edition {self.edition}: it was changed in "
                "between. Read it again, and go on from there."
            )

    def _require(self, what: str, *states: ReportState) -> None:
        if self.state not in states:
            whose = {
                ReportState.DRAFT: "still a draft of the visitor",
                ReportState.RETURNED: "returned to the visitor",
                ReportState.SUBMITTED: "submitted, and the partnership has it",
                ReportState.VALIDATED: "validated",
            }[self.state]
            raise ReportStateForbids(f"The report is {whose}: it cannot be {what} now.")
