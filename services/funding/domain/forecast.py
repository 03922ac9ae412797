"""What is likely to become of a partnership's budget and objective: a simulation over its open cases.

Each run lets every open case go on or fall out, step by step, as long as the partnership's own past and
the assumptions on file say. The method is in docs/forecast.md. Days are whole days, amounts EUR; the
same facts and the same seed give the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from statistics import NormalDist
from typing import Annotated, Final, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from services.funding.domain.assumptions import LONGEST, AmountAssumption, Assumptions, Share, Spread
from services.funding.domain.rates import written
from shared.contracts.envelope import Contract

RUNS: Final = 1_000
MOST_MONTHS: Final = 36
ONE_IN_TEN: Final = 0.1
"""Below this chance something counts as out of reach, and ranges leave out as much on either side."""

_FEWEST_RUNS: Final = 500
_CELLS: Final = 500_000
"""Cases times runs, at the most unless that makes fewer than the fewest runs."""
_MOST_CASES: Final = 1_000
"""Of one stage; of more, every so-manieth stands for those beside it."""
_FARTHEST: Final = 3_653
"""Days a simulation looks ahead at the most."""
_MOST_NEW: Final = 2_000
_SAMPLED: Final = 200
"""Amounts at the most that a mean amount is drawn from."""
_PACE_DAYS: Final = 365
_MONTH_DAYS: Final = 30.4375
_SPENT_SHARE: Final = Decimal("0.9")
_CENTS: Final = 100

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
Flags = NDArray[np.bool_]

# ── facts ────────────────────────────────────────────────────────────────────────────────────

Step = Literal["agreement", "report", "evidence", "payment"]
STEPS: Final[tuple[Step, ...]] = ("agreement", "report", "evidence", "payment")


class Stage(StrEnum):
    """Where an open case stands: which step is the next."""

    WAITING = "awaiting_budget"
    """No money yet; it gets some when others fall out."""
    RESERVED = "reserved"
    """The agreement is to be signed."""
    COMMITTED = "committed"
    """The stay is to come, or its report."""
    REPORTED = "reported"
    """The exchange counts; the last gate is to be passed."""
    PAYABLE = "payable"
    """The payment is to be made."""


_NEXT: Final[Mapping[Stage, int]] = {
    Stage.WAITING: 0,
    Stage.RESERVED: 0,
    Stage.COMMITTED: 1,
    Stage.REPORTED: 2,
    Stage.PAYABLE: 3,
}


class OpenCase(NamedTuple):
    """One grant under way; `since` is the day it came to its stage, `last_day` that of its stay."""

    stage: Stage
    since: date
    last_day: date
    amount: Decimal
    counts: bool = False
    """Whether its report is validated already, though an earlier step is to be taken."""


class Trace(NamedTuple):
    """What is known of one grant of the past or present: the days on which it came how far."""

    reserved_on: date | None
    """None where the ledger does not say."""
    agreement_on: date | None = None
    report_on: date | None = None
    passed_on: date | None = None
    """The day of the last gate."""
    paid_on: date | None = None
    last_day: date | None = None
    amount: Decimal = Decimal(0)
    fell_out: bool = False
    """Whether it ended without the money."""


@dataclass(frozen=True)
class Past:
    """What a partnership's cases have shown so far."""

    days: Mapping[Step, Sequence[int]] = field(default_factory=lambda: dict.fromkeys(STEPS, ()))
    """How long each step took those that took it."""
    fell_out: Mapping[Step, int] = field(default_factory=lambda: dict.fromkeys(STEPS, 0))
    """How many ended instead."""
    leads: Sequence[int] = ()
    """From a reservation to the last day of its stay."""
    amounts: Sequence[Decimal] = ()
    """What its exchanges were granted."""
    reserved_on: Sequence[date] = ()
    """When they came in."""

    @classmethod
    def of(cls, traces: Sequence[Trace]) -> Self:
        """What these grants teach; those that are under way, by the steps they have behind them."""
        days: dict[Step, list[int]] = {step: [] for step in STEPS}
        fell_out = dict.fromkeys(STEPS, 0)
        for trace in traces:
            reported_from = max(filter(None, (trace.last_day, trace.agreement_on)), default=None)
            steps: tuple[tuple[Step, date | None, date | None], ...] = (
                ("agreement", trace.reserved_on, trace.agreement_on),
                ("report", reported_from, trace.report_on),
                ("evidence", trace.report_on, trace.passed_on),
                ("payment", trace.passed_on, trace.paid_on),
            )
            for step, begun, ended in steps:
                if begun and ended:
                    days[step].append(max(0, (ended - begun).days))
            if trace.fell_out:
                last: Step = next((step for step, _, ended in steps if ended is None), "payment")
                fell_out[last] += 1
        reserved = [(trace, trace.reserved_on) for trace in traces if trace.reserved_on]
        return cls(
            days=days,
            fell_out=fell_out,
            leads=[max(0, (trace.last_day - on).days) for trace, on in reserved if trace.last_day],
            amounts=[trace.amount for trace in traces if trace.amount and not trace.fell_out],
            reserved_on=[on for _, on in reserved],
        )


class Position(NamedTuple):
    """Where a partnership stands today; money in EUR."""

    done: int
    objective: int
    budget: Decimal
    available: Decimal
    """Neither reserved nor spent."""
    spent: Decimal
    ends_on: date | None = None
    """The last day on which exchanges count, where one is known."""


# ── the answer ───────────────────────────────────────────────────────────────────────────────


class Counts(Contract):
    """A number of exchanges: the mean of all runs, and the range eight in ten of them lie in."""

    low: int
    expected: float
    high: int


class Amounts(Contract):
    """EUR: the mean of all runs, and the range eight in ten of them lie in."""

    low: Decimal
    expected: Decimal
    high: Decimal


class Month(Contract):
    """One month; the present one from today on. `total`s count from the beginning to the month's end."""

    month: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$", examples=["2023-03"])]
    exchanges: Counts
    """Validated reports in the month, of the cases that are open today."""
    exchanges_total: Counts
    exchanges_with_new: Counts
    """The total, if new exchanges come in at the pace of the past twelve months and money is there."""
    spend: Amounts
    """Payments in the month, for the cases that are open today."""
    spend_total: Amounts
    spend_with_new: Amounts


class Affordable(Contract):
    """How many more exchanges the money that is neither reserved nor waited for would pay."""

    money: Decimal
    """EUR available, less what grants in the queue wait for; never below 0."""
    mean_amount: Amounts
    """EUR an exchange."""
    exchanges: Counts


class Objective(Contract):
    """How likely the objective is, in 1 of 100."""

    done: int
    objective: int
    reached: Counts
    """Exchanges in the end, with all that is under way and every euro that is left spent."""
    chance_within_budget: int
    """That the money there is suffices."""
    chance_in_time: int | None
    """That it is reached by the last day at the pace of the past twelve months; None where no last day
    is configured, or there never was a reservation."""


WarningCode = Literal["objective_over_budget", "objective_late", "queue_over_budget", "budget_unspent"]


class EarlyWarning(Contract):
    """Something that is out of reach: in fewer than one of ten runs it comes about."""

    code: WarningCode
    sentence: str


class Basis(Contract):
    """What the forecast rests on."""

    open_cases: int
    past_cases: int
    """Reservations of the past that durations and shares were learned from."""
    new_a_month: float | None
    """New reservations a month, over the past twelve months; None where there never was one."""
    assumptions: str
    seed: int
    runs: int


class Forecast(Contract):
    """Where budget and objective are heading."""

    on: date
    ends_on: date | None
    budget: Decimal
    spent: Decimal
    affordable: Affordable
    objective: Objective
    months: list[Month]
    warnings: list[EarlyWarning]
    sentence: str
    basis: Basis


# ── the simulation ───────────────────────────────────────────────────────────────────────────


class _Duration:
    """How long something takes: what was observed and what is assumed, weighed, by whole days."""

    def __init__(self, assumed: Spread, observed: Sequence[int]) -> None:
        normal = NormalDist()
        sigma = np.log(assumed.nine_in_ten / assumed.median) / normal.inv_cdf(0.9)
        edges = np.arange(LONGEST + 1) + 0.5
        cdf = np.array([normal.cdf(z) for z in np.log(edges / assumed.median) / sigma])
        shares = np.diff(cdf, prepend=0.0) / cdf[-1] * assumed.weight
        seen = np.clip(np.array(observed, dtype=np.int64), 0, LONGEST)
        shares += np.bincount(seen, minlength=LONGEST + 1)
        self._shorter = np.concatenate([[0.0], np.cumsum(shares) / shares.sum()])
        """By days: the chance that it takes fewer."""
        self._shorter[-1] = 1.0
        # Whoever waits longer than nearly everybody is like those who waited as long as that.
        self._patience = int(np.searchsorted(self._shorter, 0.99))

    def goes_past(self, days: Days) -> Floats:
        """The chance that it takes so many days or more."""
        shorter: Floats = self._shorter[np.minimum(days, self._patience)]
        return 1.0 - shorter

    def draw(self, waited: Days, chance: Floats) -> Days:
        """Days still to come for cases that have waited so long; `chance` is uniform on [0, 1)."""
        known = np.minimum(waited, self._patience)
        before = self._shorter[known]
        total = np.searchsorted(self._shorter, before + chance * (1.0 - before), side="right") - 1
        return np.asarray(np.maximum(total - known, 0), dtype=np.int64)


class _Tally:
    """Amounts or numbers by run and column.

    `columns` has the column of each day from today on, and as its last entry that of all later days.
    """

    def __init__(self, runs: int, columns: Days) -> None:
        self._columns = columns
        self._width = int(columns[-1]) + 1
        self._counted = np.zeros(runs * self._width)

    def add(self, days: Days, holds: Flags, worth: Floats) -> None:
        """Count what each is worth on its day, where it holds; all of them cases by runs."""
        runs = days.shape[1]
        places = self._columns[np.minimum(days, len(self._columns) - 1)] + np.arange(runs) * self._width
        self._counted += np.bincount(
            places.ravel(), np.where(holds, worth, 0.0).ravel(), minlength=len(self._counted)
        )

    @property
    def all(self) -> Floats:
        """Runs by columns."""
        return self._counted.reshape(-1, self._width)

    @property
    def known(self) -> Floats:
        """Without the last column, which is for all later days."""
        return self.all[:, :-1]


class _Tallies:
    """What one group of cases brings: payments in cents and exchanges, by month and until the last day."""

    def __init__(self, runs: int, months: Days, in_time: Days) -> None:
        self.spend, self.done = _Tally(runs, months), _Tally(runs, months)
        self.spend_in_time, self.done_in_time = _Tally(runs, in_time), _Tally(runs, in_time)

    def paid(self, days: Days, holds: Flags, cents: Floats) -> None:
        self.spend.add(days, holds, cents)
        self.spend_in_time.add(days, holds, cents)

    def validated(self, days: Days, holds: Flags, number: float) -> None:
        each = np.full((1, 1), number)
        self.done.add(days, holds, each)
        self.done_in_time.add(days, holds, each)


class _Group(NamedTuple):
    """Cases that stand for a larger number: each for `number` of them, and all together for their money."""

    chosen: Days
    cases: list[OpenCase]
    number: float
    cents: Floats

    @classmethod
    def of(cls, cases: Sequence[OpenCase]) -> Self:
        size = min(len(cases), _MOST_CASES)
        chosen = np.linspace(0, max(0, len(cases) - 1), size).round().astype(np.int64)
        cents = _cents(case.amount for case in cases)
        whole, part = float(cents.sum()), float(cents[chosen].sum())
        scale = whole / part if part else 1.0
        return cls(chosen, [cases[at] for at in chosen], len(cases) / max(1, size), cents[chosen] * scale)


class _Simulation:
    def __init__(
        self,
        position: Position,
        cases: Sequence[OpenCase],
        past: Past,
        assumed: Assumptions,
        rates: Sequence[Decimal],
        today: date,
        months: Sequence[date],
        seed: int,
    ) -> None:
        self.runs = int(np.clip(_CELLS // max(1, len(cases)), _FEWEST_RUNS, RUNS))
        self._random = np.random.default_rng(seed)
        self._today = today
        to_the_end = (position.ends_on - today).days + 1 if position.ends_on else 0
        ahead = (_next_month(months[-1]) - today).days
        self._days = min(max(ahead, to_the_end), _FARTHEST)
        """Days that are looked at; what comes later is only known to come."""
        by_month = [_months_between(today, today + timedelta(day)) for day in range(ahead)]
        columns = np.array([*by_month, len(months)])
        in_time = np.array([0] * max(0, to_the_end) + [1])
        self.open, self.new = (_Tallies(self.runs, columns, in_time) for _ in range(2))
        self._durations = {step: _Duration(getattr(assumed, step).days, past.days[step]) for step in STEPS}
        self._shares = {step: self._share(getattr(assumed, step).goes_on, past, step) for step in STEPS}
        self._lead = _Duration(assumed.lead.days, past.leads)
        self._prices, self._price_chances = _prices(assumed.amount, past.amounts, rates)
        self.new_a_month = _pace(past.reserved_on, today)
        """Reservations; None where there never was one."""

        freed = _Tally(self.runs, np.arange(self._days + 1))
        self._run_under_way([case for case in cases if case.stage is not Stage.WAITING], freed)
        self.freed: Floats = freed.all.sum(axis=1)
        waiting = [case for case in cases if case.stage is Stage.WAITING]
        available = float(position.available * _CENTS)
        freed_until = np.cumsum(freed.known, axis=1)
        self._run_waiting(waiting, available, freed_until)
        wanted = float(_cents(case.amount for case in waiting).sum())
        self._run_new(available - wanted, freed_until)

    def mean_prices(self, cents: float) -> Floats:
        """By run, cents an exchange costs on the average when so much is spent."""
        number = np.clip(cents / float(self._prices @ self._price_chances), 1, _SAMPLED)
        means: Floats = self._draw_prices(int(number)).mean(axis=1)
        return means

    def _share(self, assumed: Share, past: Past, step: Step) -> Floats:
        went_on = assumed.share * assumed.weight + len(past.days[step])
        fell_out = (1 - assumed.share) * assumed.weight + past.fell_out[step]
        return self._random.beta(went_on, fell_out, self.runs)

    def _run_under_way(self, cases: Sequence[OpenCase], freed: _Tally) -> None:
        for stage in (Stage.RESERVED, Stage.COMMITTED, Stage.REPORTED, Stage.PAYABLE):
            group = _Group.of(sorted(case for case in cases if case.stage is stage))
            holds = np.ones((len(group.cases), self.runs), dtype=bool)
            since = self._days_until(case.since for case in group.cases)
            self._go_on(stage, since, group, holds, self.open, freed)

    def _run_waiting(self, cases: Sequence[OpenCase], available: float, freed: Floats) -> None:
        """Those who wait take what is freed, first come, first served."""
        wanted = np.cumsum(_cents(case.amount for case in cases)) - available
        group = _Group.of(cases)
        served = self._served(freed, np.broadcast_to(wanted[group.chosen], (self.runs, len(group.chosen)))).T
        self._go_on(Stage.WAITING, served, group, served < self._days, self.open)

    def _run_new(self, left: float, freed: Floats) -> None:
        """Those who may yet come take what is left, behind those who wait."""
        come = self._arrivals()
        prices = self._draw_prices(come.shape[1])
        begun = np.maximum(come, self._served(freed, np.cumsum(prices, axis=1) - left)).T
        last = begun + self._lead.draw(np.zeros_like(begun), self._random.random(begun.shape))
        fresh = np.zeros((1, 1), dtype=bool)
        self._take_steps(STEPS, begun, last, prices.T, begun < self._days, fresh, self.new)

    def _go_on(
        self,
        stage: Stage,
        begun: Days,
        group: _Group,
        holds: Flags,
        tallies: _Tallies,
        freed: _Tally | None = None,
    ) -> None:
        last = self._days_until(case.last_day for case in group.cases)
        begun = np.broadcast_to(begun, holds.shape)
        steps = STEPS[_NEXT[stage] :]
        counts = np.array([case.counts for case in group.cases], dtype=bool)[:, None]
        cents = group.cents[:, None]
        self._take_steps(steps, begun, last, cents, holds, counts, tallies, group.number, freed)

    def _take_steps(
        self,
        steps: Sequence[Step],
        begun: Days,
        last: Days,
        cents: Floats,
        holds: Flags,
        counts: Flags,
        tallies: _Tallies,
        number: float = 1.0,
        freed: _Tally | None = None,
    ) -> None:
        """Take cases (by runs) through these steps; the first began on that day, or so many days ago."""
        for step in steps:
            if step == "report":
                begun = np.maximum(begun, last)
            duration, share = self._durations[step], self._shares[step]
            waited = np.maximum(-begun, 0)
            # Who falls out may do so without a word: the longer somebody waits, the likelier it is.
            still = share * duration.goes_past(waited)
            goes_on = holds & (self._random.random(holds.shape) < still / (still + 1 - share))
            ended = np.maximum(begun, 0) + duration.draw(waited, self._random.random(holds.shape))
            if step == "report":
                ended, goes_on = np.where(counts, begun, ended), goes_on | (holds & counts)
                tallies.validated(ended, goes_on & ~counts, number)
            if freed is not None:
                freed.add(ended, holds & ~goes_on, cents)
            begun, holds = ended, goes_on
        tallies.paid(begun, holds, cents)

    def _arrivals(self) -> Days:
        """By run, the days on which new exchanges come in, in order; one behind all for none."""
        if not self.new_a_month:
            return np.full((self.runs, 0), self._days, dtype=np.int64)
        expected = self.new_a_month / _MONTH_DAYS * self._days
        seen = self.new_a_month * 12
        numbers = np.minimum(
            self._random.poisson(self._random.gamma(seen, expected / seen, self.runs)), _MOST_NEW
        )
        days = self._random.integers(0, self._days, (self.runs, int(numbers.max())))
        days[np.arange(days.shape[1]) >= numbers[:, None]] = self._days
        return np.sort(days, axis=1)

    def _served(self, freed: Floats, short: Floats) -> Days:
        """By run and place in the queue, the day on which so many cents are freed; one behind all: never."""
        days = [np.searchsorted(until, cents - 0.5) for until, cents in zip(freed, short, strict=True)]
        return np.array(days, dtype=np.int64).reshape(short.shape)

    def _draw_prices(self, number: int) -> Floats:
        return self._random.choice(self._prices, p=self._price_chances, size=(self.runs, number))

    def _days_until(self, days: Iterable[date]) -> Days:
        """A column of days from today on; negative for those in the past."""
        return np.array([(day - self._today).days for day in days], dtype=np.int64)[:, None]


def forecast(
    position: Position,
    cases: Sequence[OpenCase],
    past: Past,
    assumed: Assumptions,
    rates: Sequence[Decimal],
    *,
    today: date,
    months: int = 12,
    seed: int = 0,
) -> Forecast:
    """Where the budget and the objective are heading, for so many months from the present one on.

    `cases` in the queue stand in its order; `rates` are the full lump sums in force. Takes up to some
    seconds of CPU for 100,000 cases.
    """
    calendar = _months_from(today, months)
    run = _Simulation(position, cases, past, assumed, rates, today, calendar, seed)
    wanted = sum((case.amount for case in cases if case.stage is Stage.WAITING), Decimal(0))
    affordable = _affordable(run, max(Decimal(0), position.available - wanted))
    objective = _objective(run, position, wanted)
    return Forecast(
        on=today,
        ends_on=position.ends_on,
        budget=position.budget,
        spent=position.spent,
        affordable=affordable,
        objective=objective,
        months=list(_months(run, position, calendar)),
        warnings=list(_warnings(run, position, affordable, objective, wanted)),
        sentence=_sentence(affordable, objective),
        basis=Basis(
            open_cases=len(cases),
            past_cases=len(past.reserved_on),
            new_a_month=None if run.new_a_month is None else round(run.new_a_month, 1),
            assumptions=assumed.name,
            seed=seed,
            runs=run.runs,
        ),
    )


def _affordable(run: _Simulation, money: Decimal) -> Affordable:
    cents = float(money * _CENTS)
    prices = run.mean_prices(cents)
    return Affordable(
        money=_euros(money), mean_amount=_amounts(prices), exchanges=_counts(np.floor(cents / prices))
    )


def _objective(run: _Simulation, position: Position, wanted: Decimal) -> Objective:
    left = np.maximum(float((position.available - wanted) * _CENTS) + run.freed, 0.0)
    more = np.floor(left / run.mean_prices(float(left.mean())))
    reached = position.done + run.open.done.all.sum(axis=1) + more
    in_time = None
    if position.ends_on is not None and run.new_a_month is not None:
        done = (
            position.done + run.open.done_in_time.known.sum(axis=1) + run.new.done_in_time.known.sum(axis=1)
        )
        in_time = _chance(done >= position.objective)
    return Objective(
        done=position.done,
        objective=position.objective,
        reached=_counts(reached),
        chance_within_budget=_chance(reached >= position.objective),
        chance_in_time=in_time,
    )


def _months(run: _Simulation, position: Position, calendar: Sequence[date]) -> Iterable[Month]:
    done, spend = run.open.done.known, run.open.spend.known
    spent = float(position.spent * _CENTS)
    done_total, spend_total = position.done + np.cumsum(done, axis=1), spent + np.cumsum(spend, axis=1)
    done_with_new = done_total + np.cumsum(run.new.done.known, axis=1)
    spend_with_new = spend_total + np.cumsum(run.new.spend.known, axis=1)
    for column, first in enumerate(calendar):
        yield Month(
            month=f"{first:%Y-%m}",
            exchanges=_counts(done[:, column]),
            exchanges_total=_counts(done_total[:, column]),
            exchanges_with_new=_counts(done_with_new[:, column]),
            spend=_amounts(spend[:, column]),
            spend_total=_amounts(spend_total[:, column]),
            spend_with_new=_amounts(spend_with_new[:, column]),
        )


def _warnings(
    run: _Simulation, position: Position, affordable: Affordable, objective: Objective, wanted: Decimal
) -> Iterable[EarlyWarning]:
    if objective.chance_within_budget < 100 * ONE_IN_TEN:
        missing = position.objective - objective.reached.expected
        money = missing * float(affordable.mean_amount.expected)
        yield EarlyWarning(
            code="objective_over_budget",
            sentence=f"The objective of {position.objective} exchanges is out of reach with the budget of "
            f"{_eur(position.budget)}: with all that is under way, and every euro that is left spent, "
            f"{_range(objective.reached)} come about. About {_eur(money)} more would be needed.",
        )
    if objective.chance_in_time is not None and objective.chance_in_time < 100 * ONE_IN_TEN:
        assert position.ends_on is not None
        yield EarlyWarning(
            code="objective_late",
            sentence=f"The objective of {position.objective} exchanges is out of reach by "
            f"{written(position.ends_on)}: at the pace of the past twelve months, {run.new_a_month:.1f} new "
            f"exchanges a month, the chance is below one in ten. {position.done} are done.",
        )
    if wanted > 0 and np.mean(run.freed / _CENTS + float(position.available) >= float(wanted)) < ONE_IN_TEN:
        likely = _amounts(run.freed + float(position.available * _CENTS))
        yield EarlyWarning(
            code="queue_over_budget",
            sentence="The budget does not suffice for the grants that wait for it: they want "
            f"{_eur(wanted)}, and about {_eur(likely.expected)} are available or likely to be given back. "
            "Raise the budget, or tell those at the end of the queue.",
        )
    if position.ends_on is not None and run.new_a_month is not None and position.budget > 0:
        paid = run.open.spend_in_time.known.sum(axis=1) + run.new.spend_in_time.known.sum(axis=1)
        total = _amounts(paid + float(position.spent * _CENTS))
        if total.high < position.budget * _SPENT_SHARE:
            yield EarlyWarning(
                code="budget_unspent",
                sentence=f"The budget of {_eur(position.budget)} will not be used by "
                f"{written(position.ends_on)}: at the pace of the past twelve months "
                f"{_eur(total.expected)} are paid by then, hardly more than {_eur(total.high)}. Find more "
                "exchanges, or say early what can be given back.",
            )


def _sentence(affordable: Affordable, objective: Objective) -> str:
    if objective.done >= objective.objective:
        reached = f"The objective of {objective.objective} exchanges is reached: {objective.done} are done."
    else:
        reached = (
            f"With all that is under way and every euro that is left spent, {_range(objective.reached)} of "
            f"{objective.objective} exchanges come about."
        )
    return (
        f"{reached} The {_eur(affordable.money)} that nobody has or waits for would pay "
        f"{_range(affordable.exchanges)} of them, at about {_eur(affordable.mean_amount.expected)} each."
    )


# ── figures ──────────────────────────────────────────────────────────────────────────────────


def _counts(values: Floats) -> Counts:
    mean, low, high = _summary(values)
    return Counts(low=int(np.floor(low)), expected=round(mean, 1), high=int(np.ceil(high)))


def _amounts(cents: Floats) -> Amounts:
    mean, low, high = (Decimal(round(value)) / _CENTS for value in _summary(cents))
    return Amounts(low=_euros(low), expected=_euros(mean), high=_euros(high))


def _summary(values: Floats) -> tuple[float, float, float]:
    """Mean and range; the range takes the mean in, also where nearly all runs are alike."""
    mean = float(values.mean())
    low, high = np.quantile(values, [ONE_IN_TEN, 1 - ONE_IN_TEN], method="inverted_cdf")
    return mean, min(float(low), mean), max(float(high), mean)


def _euros(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))


def _chance(holds: Flags) -> int:
    return round(100 * float(np.mean(holds)))


def _cents(amounts: Iterable[Decimal]) -> Floats:
    return np.array([float(amount * _CENTS) for amount in amounts], dtype=np.float64)


def _prices(
    assumed: AmountAssumption, observed: Sequence[Decimal], rates: Sequence[Decimal]
) -> tuple[Floats, Floats]:
    """Cents an exchange may cost, in order, and how likely each is."""
    chances: dict[float, float] = {}
    for rate in rates:
        full = float(rate * _CENTS)
        for cents, share in ((full, 1 - assumed.halved_share), (full / 2, assumed.halved_share)):
            chances[cents] = chances.get(cents, 0.0) + share * assumed.weight / len(rates)
    for cents in _cents(amount for amount in observed if amount > 0):
        chances[cents] = chances.get(cents, 0.0) + 1.0
    values = np.array(sorted(chances))
    likely = np.array([chances[cents] for cents in values])
    return values, likely / likely.sum()


def _pace(reserved_on: Sequence[date], today: date) -> float | None:
    """New reservations a month over the past year, or since the first one if that is later."""
    if not reserved_on:
        return None
    ago = [days for day in reserved_on if 0 <= (days := (today - day).days) < _PACE_DAYS]
    if not ago:
        return 0.0
    whole_year = any((today - day).days >= _PACE_DAYS for day in reserved_on)
    watched = _PACE_DAYS if whole_year else max(max(ago) + 1, _MONTH_DAYS)
    return len(ago) / watched * _MONTH_DAYS


def _months_between(first: date, day: date) -> int:
    return 12 * (day.year - first.year) + day.month - first.month


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _months_from(today: date, number: int) -> list[date]:
    months = [today.replace(day=1)]
    while len(months) < number:
        months.append(_next_month(months[-1]))
    return months


def _eur(amount: Decimal | float) -> str:
    return f"EUR {amount:,.0f}"


def _range(counts: Counts) -> str:
    """`about 71 (65 to 75)`."""
    if counts.low == counts.high:
        return str(counts.low)
    return f"about {counts.expected:.0f} ({counts.low} to {counts.high})"
