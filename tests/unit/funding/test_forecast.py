"""The forecast: ranges that hold together, and sensible answers where there is little to go by."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.funding.domain.assumptions import Assumptions, assumptions_on
from services.funding.domain.forecast import (
    STEPS,
    Amounts,
    Counts,
    Forecast,
    OpenCase,
    Past,
    Position,
    Stage,
    Trace,
    forecast,
)
from services.funding.rules_on_file import SHIPPED
from shared.on_file import entries_in

TODAY = date(2023, 3, 15)
ASSUMED = entries_in(SHIPPED / "forecast", Assumptions)[0]
RATES = [Decimal(rate) for rate in (610, 830, 900, 900, 1100)]


def a_position(**changes: Any) -> Position:
    """HempClub's objective, with a budget of which nothing is used."""
    given: dict[str, Any] = {
        "done": 23,
        "objective": 80,
        "budget": Decimal(64_000),
        "available": Decimal(64_000),
        "spent": Decimal(0),
        **changes,
    }
    return Position(**given)


def a_case(stage: Stage = Stage.RESERVED, *, days_ago: int = 3, stay_ends_in: int = 20) -> OpenCase:
    """A case that came to its stage so many days ago."""
    return OpenCase(stage, TODAY - timedelta(days_ago), TODAY + timedelta(stay_ends_in), Decimal("900.00"))


def a_past(number: int, *, days: int = 10, amount: str = "900.00", fell_out: int = 0) -> Past:
    """So many cases within the year, each step of which took as many days."""
    return Past(
        days=dict.fromkeys(STEPS, [days] * number),
        fell_out=dict.fromkeys(STEPS, fell_out),
        leads=[40] * number,
        amounts=[Decimal(amount)] * number,
        reserved_on=[TODAY - timedelta(1 + 360 * at // max(1, number)) for at in range(number)],
    )


def of(
    position: Position, cases: list[OpenCase] | None = None, past: Past | None = None, **more: Any
) -> Forecast:
    return forecast(position, cases or [], past or Past(), ASSUMED, RATES, today=TODAY, **more)


def codes(answer: Forecast) -> list[str]:
    return [warning.code for warning in answer.warnings]


# ── what always holds ────────────────────────────────────────────────────────────────────────

a_day_ago = st.integers(0, 900)
some_cases = st.lists(
    st.builds(
        lambda stage, ago, ends, cents: OpenCase(
            stage, TODAY - timedelta(ago), TODAY + timedelta(ends), Decimal(cents) / 100
        ),
        st.sampled_from(Stage),
        a_day_ago,
        st.integers(-400, 400),
        st.integers(1, 110_000),
    ),
    max_size=12,
)
some_past = st.builds(
    lambda number, days, fell_out: a_past(number, days=days, fell_out=fell_out),
    st.integers(0, 30),
    st.integers(0, 800),
    st.integers(0, 30),
)


def in_order(spread: Counts | Amounts) -> bool:
    return bool(0 <= spread.low <= spread.expected <= spread.high)


@settings(max_examples=15)
@given(some_cases, some_past, st.integers(1, 20), st.integers(0, 3), st.sampled_from([None, 0, 200]))
def test_ranges_are_in_order_and_totals_are_the_sums_of_their_months(
    cases: list[OpenCase], past: Past, months: int, seed: int, ends_in: int | None
) -> None:
    under_way = sum((case.amount for case in cases if case.stage is not Stage.WAITING), Decimal(0))
    position = a_position(
        available=Decimal(1_000),
        spent=Decimal(2_000),
        budget=under_way + 3_000,
        ends_on=None if ends_in is None else TODAY + timedelta(ends_in),
    )
    answer = of(position, cases, past, months=months, seed=seed)
    assert answer == of(position, list(cases), past, months=months, seed=seed)
    assert [month.month for month in answer.months][:1] == ["2023-03"]
    assert len(answer.months) == months
    done, spent = 23.0, Decimal(2_000)
    before = [23.0, 23.0, 23.0, 2_000.0]
    for month in answer.months:
        for spread in (
            month.exchanges,
            month.exchanges_total,
            month.exchanges_with_new,
            month.spend,
            month.spend_total,
            month.spend_with_new,
        ):
            assert in_order(spread)
        done, spent = done + month.exchanges.expected, spent + month.spend.expected
        assert month.exchanges_total.expected == pytest.approx(done, abs=0.1 * months)
        assert month.spend_total.expected == pytest.approx(spent, abs=Decimal("0.01") * months)
        assert month.exchanges_with_new.expected >= month.exchanges_total.expected
        now = [
            month.exchanges_total.low,
            month.exchanges_total.expected,
            month.exchanges_total.high,
            float(month.spend_total.high),
        ]
        assert all(later >= earlier for earlier, later in zip(before, now, strict=True))
        before = now
    assert before[2] <= 23 + len(cases)
    assert before[3] <= 3_000 + float(under_way) + 0.01 * len(cases)
    assert answer.months[-1].spend_with_new.high <= position.budget + Decimal("0.01") * len(cases)
    assert in_order(answer.affordable.exchanges)
    assert in_order(answer.affordable.mean_amount)
    assert in_order(answer.objective.reached)
    assert 0 <= answer.objective.chance_within_budget <= 100


def test_another_seed_gives_other_runs_and_much_the_same_answer() -> None:
    cases = [a_case(days_ago=day) for day in range(40)]
    one, other = (of(a_position(), cases, seed=seed) for seed in (1, 2))
    assert one.months != other.months
    assert one.objective.reached.expected == pytest.approx(other.objective.reached.expected, rel=0.02)


def test_many_cases_are_forecast_from_a_part_of_them_with_the_same_money() -> None:
    cases = [a_case(days_ago=day % 20) for day in range(5_000)]
    answer = of(a_position(objective=9_000), cases, months=24)
    last = answer.months[-1]
    assert last.exchanges_total.expected == pytest.approx(23 + 5_000 * 0.855, rel=0.05)
    assert float(last.spend_total.expected) == pytest.approx(900 * 5_000 * 0.84, rel=0.05)


# ── little to go by ──────────────────────────────────────────────────────────────────────────


def test_without_cases_and_without_a_past_the_rate_table_says_what_is_affordable() -> None:
    answer = of(a_position())
    assert answer.basis.new_a_month is None
    assert answer.basis.open_cases == answer.basis.past_cases == 0
    assert {month.spend_total.high for month in answer.months} == {Decimal("0.00")}
    assert {month.exchanges_with_new.high for month in answer.months} == {23}
    assert 700 < answer.affordable.mean_amount.expected < 760
    assert answer.affordable.exchanges.low < 64_000 / 730 < answer.affordable.exchanges.high
    assert codes(answer) == []


def test_one_case_is_one_exchange_or_none() -> None:
    answer = of(a_position(available=Decimal(63_100)), [a_case()])
    last = answer.months[-1]
    assert (last.exchanges_total.low, last.exchanges_total.high) == (23, 24)
    assert 23.7 <= last.exchanges_total.expected <= 24
    assert last.spend_total.high == Decimal("900.00")
    assert "EUR 63,100" in answer.sentence


def test_without_a_budget_nothing_is_affordable_and_the_objective_is_out_of_reach() -> None:
    answer = of(a_position(budget=Decimal(0), available=Decimal(0)))
    assert answer.affordable.exchanges == Counts(low=0, expected=0.0, high=0)
    assert codes(answer) == ["objective_over_budget"]
    assert "EUR 0" in answer.warnings[0].sentence


def test_a_reached_objective_warns_of_nothing() -> None:
    answer = of(a_position(done=80, available=Decimal(0), ends_on=TODAY + timedelta(90)), past=a_past(5))
    assert answer.objective.chance_within_budget == answer.objective.chance_in_time == 100
    assert "objective" not in " ".join(codes(answer))
    assert answer.sentence.startswith("The objective of 80 exchanges is reached: 80 are done.")


# ── the past teaches ─────────────────────────────────────────────────────────────────────────


def test_a_partnership_whose_steps_take_long_is_paid_later() -> None:
    def spent_after_three_months(past: Past) -> Decimal:
        return of(a_position(), [a_case() for _ in range(20)], past).months[2].spend_total.expected

    assert spent_after_three_months(a_past(60, days=5)) > 2 * spent_after_three_months(a_past(60, days=60))


def test_a_partnership_whose_cases_fall_out_counts_on_fewer() -> None:
    cases = [a_case() for _ in range(20)]
    steady = of(a_position(), cases, a_past(40)).objective.reached.expected
    shaky = of(a_position(), cases, a_past(20, fell_out=20)).months[-1].exchanges_total.expected
    assert shaky < 23 + 0.5 * 20 < steady


def test_its_own_amounts_weigh_more_the_more_there_are() -> None:
    few, many = (
        of(a_position(), past=a_past(number, amount="450.00")).affordable.mean_amount.expected
        for number in (3, 300)
    )
    assert 450 < many < 460 < few < 730


def test_who_has_waited_longer_than_anybody_is_hardly_counted_on() -> None:
    past = a_past(100, fell_out=20)
    fresh, lost = (of(a_position(), [a_case(days_ago=days)], past).months[-1] for days in (3, 700))
    assert fresh.exchanges_total.expected > 23.6
    assert lost.exchanges_total.expected < 23.2


def test_an_exchange_that_counts_already_is_not_counted_twice() -> None:
    reported = a_case()._replace(counts=True)
    last = of(a_position(), [reported]).months[-1]
    assert last.exchanges_total.high == 23
    assert last.spend_total.high == Decimal("900.00")


def test_those_who_wait_take_what_others_give_back() -> None:
    waiting = [a_case(Stage.WAITING) for _ in range(3)]
    others = [a_case() for _ in range(30)]
    full = a_position(available=Decimal(0), budget=Decimal(27_000))
    alone = of(full, waiting)
    among = of(full, [*others, *waiting], a_past(40, fell_out=20))
    assert alone.months[-1].exchanges_total.high == 23
    assert "queue_over_budget" in codes(alone)
    assert "queue_over_budget" not in codes(among)
    assert alone.affordable.money == 0


# ── warnings ─────────────────────────────────────────────────────────────────────────────────


def test_an_objective_the_money_does_not_suffice_for_is_told_with_what_is_missing() -> None:
    answer = of(a_position(available=Decimal(20_000), budget=Decimal(20_000)), past=a_past(50))
    assert codes(answer) == ["objective_over_budget"]
    assert answer.objective.chance_within_budget == 0
    # 57 are missing, about 22 are affordable at EUR 890.
    assert "The objective of 80 exchanges is out of reach with the budget of EUR 20,000" in (
        answer.warnings[0].sentence
    )


@pytest.mark.parametrize(("a_year", "warned"), [(12, True), (120, False)])
def test_a_pace_that_is_too_slow_for_the_last_day_is_told(a_year: int, warned: bool) -> None:
    answer = of(a_position(ends_on=date(2024, 2, 28)), past=a_past(a_year))
    assert answer.basis.new_a_month == pytest.approx(a_year / 12, rel=0.15)
    assert codes(answer) == (["objective_late", "budget_unspent"] if warned else [])
    assert (answer.objective.chance_in_time or 0) < 10 or not warned


def test_new_exchanges_stop_where_the_money_ends() -> None:
    answer = of(a_position(available=Decimal(9_000), budget=Decimal(9_000)), past=a_past(240))
    assert answer.months[-1].exchanges_with_new.high <= 23 + 20
    assert answer.months[-1].spend_with_new.high <= 9_000


def test_the_assumptions_in_force_on_the_day_apply() -> None:
    later = ASSUMED.model_copy(update={"name": "Later", "in_force_from": date(2024, 1, 1)})
    assert assumptions_on([later, ASSUMED], date(2023, 12, 31)) is ASSUMED
    assert assumptions_on([later, ASSUMED], date(2024, 1, 1)) is later
    assert assumptions_on([later], date(2023, 1, 1)) is later


def test_assumptions_that_contradict_themselves_are_refused() -> None:
    said = ASSUMED.model_dump()
    said["report"]["days"]["nine_in_ten"] = 3
    with pytest.raises(ValueError, match="must be more than the median"):
        Assumptions.model_validate(said)


def test_the_past_is_read_from_the_days_on_which_grants_came_how_far() -> None:
    def day(number: int) -> date:
        return date(2023, 1, 1) + timedelta(number)

    paid = Trace(day(0), day(5), day(45), day(47), day(54), last_day=day(35), amount=Decimal(900))
    under_way = Trace(day(10), day(12), last_day=day(60), amount=Decimal(450))
    given_up = Trace(day(20), day(30), last_day=day(50), amount=Decimal(830), fell_out=True)
    signed_late = Trace(day(0), day(40), day(41), day(41), last_day=day(35), amount=Decimal(900))
    unknown = Trace(None, day(3), last_day=day(9), amount=Decimal(900))
    past = Past.of([paid, under_way, given_up, signed_late, unknown])
    assert past.days == {"agreement": [5, 2, 10, 40], "report": [10, 1], "evidence": [2, 0], "payment": [7]}
    assert past.fell_out == {"agreement": 0, "report": 1, "evidence": 0, "payment": 0}
    assert past.leads == [35, 50, 30, 35]
    assert past.amounts == [Decimal(amount) for amount in (900, 450, 900, 900)]
    assert past.reserved_on == [day(0), day(10), day(20), day(0)]
