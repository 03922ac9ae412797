"""The money policy as tables: who is paid, how much, and what is never guessed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from services.funding.domain.distance import Point, metres_between
from services.funding.domain.lump_sum import (
    AgreedAmountOverRate,
    HalvedBecause,
    Outcome,
    last_allowed_day,
    lump_sum,
    why_halved,
)
from services.funding.domain.stay import Stay
from tests.unit.funding.builders import POLICIES, a_lump_sum, hosted_in, stay_facts

FEW, NEAR = HalvedBecause.FEW_WORKING_DAYS, HalvedBecause.SHORT_DISTANCE


def from_to(
    visitor: tuple[str, str], host: tuple[str, str], first_day: str, last_day: str, **changes: Any
) -> dict[str, Any]:
    return stay_facts(
        visitor_place={"city": visitor[0], "country": visitor[1]},
        visitor_country=visitor[1],
        host_place={"city": host[0], "country": host[1]},
        host_country=host[1],
        first_day=first_day,
        last_day=last_day,
        **changes,
    )


@pytest.mark.parametrize(
    ("facts", "working_days", "amount", "halved_because"),
    [
        pytest.param(
            from_to(("Lisbon", "PT"), ("Milan", "IT"), "2023-02-14", "2023-02-16"),
            3,
            "450.00",
            [FEW],
            id="Lisbon to Milan, Tuesday to Thursday: half of 900",
        ),
        pytest.param(
            from_to(("Bratislava", "SK"), ("Vienna", "AT"), "2023-03-14", "2023-03-16"),
            3,
            "450.00",
            [FEW, NEAR],
            id="Bratislava to Vienna, three days: both conditions, halved once",
        ),
        pytest.param(
            from_to(("Bratislava", "SK"), ("Vienna", "AT"), "2023-03-13", "2023-03-17"),
            5,
            "450.00",
            [NEAR],
            id="Bratislava to Vienna, five days: still half, for the distance alone",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Prague", "CZ"), "2023-07-03", "2023-07-07"),
            3,
            "305.00",
            [FEW],
            id="Prague, 5 and 6 July are holidays: half of 610",
        ),
        pytest.param(
            from_to(("Linz", "AT"), ("Munich", "DE"), "2023-03-13", "2023-03-17"),
            5,
            "830.00",
            [],
            id="Linz to Munich, about 202 km: the full rate",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Amsterdam", "NL"), "2023-03-14", "2023-03-16"),
            3,
            "415.00",
            [FEW],
            id="half of the Dutch 830, a published amount",
        ),
        pytest.param(
            from_to(("Milan", "IT"), ("Lisbon", "PT"), "2023-03-14", "2023-03-16"),
            3,
            "390.00",
            [FEW],
            id="half of the Portuguese 780, a published amount",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Copenhagen", "DK"), "2023-03-13", "2023-03-17"),
            5,
            "1100.00",
            [],
            id="Denmark: the highest rate is the ceiling",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Pristina", "XK"), "2023-03-13", "2023-03-17"),
            5,
            "560.00",
            [],
            id="Kosovo takes part under the code XK",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Athens", "EL"), "2023-03-13", "2023-03-17"),
            5,
            "780.00",
            [],
            id="the EU's own code EL is Greece",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Vienna", "AT"), "2023-02-14", "2023-03-13"),
            20,
            "900.00",
            [],
            id="a whole month is paid once, not by the week",
        ),
    ],
)
def test_an_amount_is_the_rate_halved_at_most_once(
    facts: dict[str, Any], working_days: int, amount: str, halved_because: list[HalvedBecause]
) -> None:
    answer = a_lump_sum(**facts)
    assert answer.outcome is Outcome.PAYABLE
    assert (answer.working_days, str(answer.amount), answer.halved_because) == (
        working_days,
        amount,
        halved_because,
    )
    assert answer.receipt.sentence.startswith(f"EUR {amount}")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param(
            from_to(("Lisbon", "PT"), ("Oslo", "NO"), "2023-03-13", "2023-03-17"),
            "Norway",
            id="Norway as host, though a rate is on file",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Vaduz", "LI"), "2023-03-13", "2023-03-17"),
            "Liechtenstein",
            id="Liechtenstein as host, though a rate is on file",
        ),
        pytest.param(
            from_to(("Zurich", "CH"), ("Vienna", "AT"), "2023-03-13", "2023-03-17"),
            "Switzerland",
            id="a visitor from Switzerland",
        ),
        pytest.param(
            from_to(("Rome", "IT"), ("Milan", "IT"), "2023-02-13", "2023-02-17"),
            "both in Italy",
            id="compatriots at a group event",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Milan", "IT"), "2023-02-14", "2023-02-15"),
            "this one has 2",
            id="two working days",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Milan", "IT"), "2023-02-17", "2023-02-20"),
            "this one has 2",
            id="four days over a weekend are two working days",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Vienna", "AT"), "2023-02-14", "2023-03-14"),
            "may last until 13 March",
            id="a day longer than a month",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Vienna", "AT"), "2023-02-14", "2033-03-14"),
            "may last until 13 March",
            id="ten years",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("London", "UK"), "2023-02-14", "2023-02-15"),
            "this one has 2",
            id="two days in the United Kingdom: what is certain decides before what is doubtful",
        ),
    ],
)
def test_what_the_rules_refuse_is_not_eligible_and_says_why(facts: dict[str, Any], said: str) -> None:
    answer = a_lump_sum(**facts)
    assert (answer.outcome, str(answer.amount), answer.halved_because) == (Outcome.NOT_ELIGIBLE, "0.00", [])
    assert said in answer.receipt.sentence


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param(
            from_to(("Lisbon", "PT"), ("London", "UK"), "2023-03-13", "2023-03-17"),
            "Sources disagree",
            id="United Kingdom as host",
        ),
        pytest.param(
            from_to(("London", "GB"), ("Vienna", "AT"), "2023-03-13", "2023-03-17"),
            "Sources disagree",
            id="United Kingdom as visitor",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Milan", "IT"), "2024-06-03", "2024-06-07"),
            "no rate for Italy",
            id="Italy from June 2024: the old rate is not carried over",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Milan", "IT"), "2013-06-03", "2013-06-07"),
            "on file for 3 June 2013",
            id="before the first table",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Neustadt", "DE"), "2023-03-13", "2023-03-17"),
            "Neustadt an der Weinstraße",
            id="one of many Neustadt: the candidates are listed",
        ),
        pytest.param(
            from_to(("Atlantis", "PT"), ("Milan", "IT"), "2023-03-13", "2023-03-17"),
            "No place called 'Atlantis'",
            id="a place nobody knows",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Munich", "DE"), "2023-03-13", "2023-03-17", host_region="ZZ"),
            "region 'ZZ' of Germany",
            id="a German region that does not exist",
        ),
        pytest.param(
            stay_facts(host_place={"city": "Vienna", "country": "AT"}),
            "lie in Austria",
            id="a host of Italy whose place is in Austria",
        ),
        pytest.param(
            from_to(("Lisbon", "PT"), ("Tirana", "AL"), "2101-03-14", "2101-03-18"),
            "1993 to 2100",
            id="a year whose holidays nobody knows",
        ),
    ],
)
def test_what_is_not_certain_needs_review_and_is_never_guessed(facts: dict[str, Any], said: str) -> None:
    answer = a_lump_sum(**facts)
    assert (answer.outcome, answer.amount, answer.halved_because) == (Outcome.NEEDS_REVIEW, None, [])
    assert said in answer.receipt.sentence


@pytest.mark.parametrize(
    ("country", "city", "first_day", "amount"),
    [
        ("AT", "Vienna", "2024-05-27", "900.00"),
        ("AT", "Vienna", "2024-06-03", "1000.00"),
        ("AM", "Yerevan", "2024-06-03", "850.00"),
        ("HR", "Zagreb", "2024-07-01", "800.00"),
    ],
)
def test_the_rate_in_force_on_the_first_day_applies(
    country: str, city: str, first_day: str, amount: str
) -> None:
    last_day = date.fromisoformat(first_day).replace(day=int(first_day[-2:]) + 4)
    # Five working days or not, holidays move them: accept them all to look at the rate alone.
    answer = hosted_in(
        country,
        city,
        first_day=first_day,
        last_day=str(last_day),
        accepted_days=[
            {"day": str(date.fromordinal(day)), "reason": "programme of the host"}
            for day in range(date.fromisoformat(first_day).toordinal(), last_day.toordinal() + 1)
        ],
    )
    assert str(answer.amount) == amount


def test_a_stay_over_the_change_of_tables_is_paid_by_the_table_of_its_first_day() -> None:
    answer = hosted_in("AT", "Vienna", first_day="2024-05-31", last_day="2024-06-06")
    assert str(answer.amount) == "900.00"
    assert "COSME-era table, 2014-01-01" in answer.receipt.rule_set


@pytest.mark.parametrize(
    ("first_day", "last_allowed"),
    [
        ("2023-02-14", "2023-03-13"),
        ("2023-01-01", "2023-01-31"),
        ("2023-01-28", "2023-02-27"),
        ("2023-01-29", "2023-02-27"),
        ("2023-01-31", "2023-02-27"),
        ("2024-01-30", "2024-02-28"),
        ("2024-01-31", "2024-02-28"),
        ("2024-02-29", "2024-03-28"),
        ("2023-03-31", "2023-04-29"),
        ("2023-12-15", "2024-01-14"),
        ("9999-12-15", "9999-12-31"),
    ],
)
def test_the_last_allowed_day_is_a_month_on_minus_one_day(first_day: str, last_allowed: str) -> None:
    assert last_allowed_day(date.fromisoformat(first_day)) == date.fromisoformat(last_allowed)


def test_a_stay_from_31_january_ends_on_27_february_and_not_a_day_later() -> None:
    facts = {"first_day": "2023-01-31", "last_day": "2023-02-27"}
    assert a_lump_sum(**facts).outcome is Outcome.PAYABLE
    assert a_lump_sum(**facts | {"last_day": "2023-02-28"}).outcome is Outcome.NOT_ELIGIBLE


def test_two_hundred_kilometres_are_compared_unrounded() -> None:
    vienna = Point(48.2085, 16.3721)
    near, far = 49.9, 50.1
    while (middle := (near + far) / 2) not in (near, far):
        if metres_between(vienna, Point(middle, vienna.lon)) < 200_000:
            near = middle
        else:
            far = middle
    place = {"lat": vienna.lat, "lon": vienna.lon}

    def answer(lat: float) -> Any:
        return a_lump_sum(
            host_country="AT",
            host_place=place,
            visitor_country="CZ",
            visitor_place={"lat": lat, "lon": vienna.lon},
            first_day="2023-03-13",
            last_day="2023-03-17",
        )

    assert (str(answer(near).amount), answer(near).halved_because) == ("450.00", [NEAR])
    assert (str(answer(far).amount), answer(far).halved_because) == ("900.00", [])
    assert (answer(near).distance_km, answer(far).distance_km) == (199.999, 200.0)
    assert "are 199.999 km apart, less than 200" in answer(near).receipt.sentence


@pytest.mark.parametrize(
    ("working_days", "metres", "halved_because"),
    [
        (5, 200_000.0, []),
        (5, 199_999.999_999, [NEAR]),
        (4, 200_000.0, [FEW]),
        (4, 199_999.999_999, [FEW, NEAR]),
        (23, 5_000_000.0, []),
    ],
)
def test_exactly_five_days_and_exactly_two_hundred_kilometres_are_enough(
    working_days: int, metres: float, halved_because: list[HalvedBecause]
) -> None:
    terms = POLICIES.scheme.in_force_on(date(2023, 2, 14)).lump_sum
    assert why_halved(working_days, metres, terms) == halved_because


def test_coordinates_win_over_a_name_that_is_not_certain() -> None:
    answer = hosted_in("DE", "Neustadt")
    assert answer.outcome is Outcome.NEEDS_REVIEW
    given = {"city": "Neustadt", "country": "DE", "lat": 49.35, "lon": 8.139}
    answer = a_lump_sum(host_country="DE", host_place=given)
    assert (answer.outcome, str(answer.amount)) == (Outcome.PAYABLE, "830.00")


@pytest.mark.parametrize(
    ("agreed", "last_day", "amount"),
    [
        ("400", "2023-02-17", "400.00"),
        ("900", "2023-02-17", "900.00"),
        ("899.99", "2023-02-17", "899.99"),
        ("400", "2023-02-15", "400.00"),
        ("600", "2023-02-15", "450.00"),
        (0.01, "2023-02-17", "0.01"),
    ],
)
def test_an_agreed_amount_is_a_ceiling_below_what_the_rules_give(
    agreed: Any, last_day: str, amount: str
) -> None:
    answer = a_lump_sum(agreed_amount=agreed, last_day=last_day)
    assert (answer.outcome, str(answer.amount)) == (Outcome.PAYABLE, amount)


def test_more_than_the_rate_cannot_be_agreed() -> None:
    with pytest.raises(AgreedAmountOverRate, match=r"900\.01 is more than the rate of Italy, EUR 900\.00"):
        a_lump_sum(agreed_amount="900.01")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"last_day": "2023-02-12"}, "before first_day"),
        ({"accepted_days": [{"day": "2023-02-18", "reason": "fair"}]}, "not a day of the stay"),
        ({"accepted_days": [{"day": "2023-02-13"}]}, "reason"),
        ({"accepted_days": [{"day": "2023-02-13", "reason": "  "}]}, "reason"),
        ({"agreed_amount": "-1"}, "agreed_amount"),
        ({"agreed_amount": "0"}, "agreed_amount"),
        ({"agreed_amount": "NaN"}, "agreed_amount"),
        ({"agreed_amount": "400.005"}, "agreed_amount"),
        ({"host_place": {"lat": 45.4}}, "both lat and lon"),
        ({"host_place": {"country": "IT"}}, "give a city"),
        ({"host_place": {"lat": 95, "lon": 9}}, "lat"),
        ({"host_place": {"lat": float("nan"), "lon": 9}}, "lat"),
        ({"host_country": "Italy"}, "not a country"),
        ({"first_day": "2023-02-30"}, "first_day"),
        ({"currency": "USD"}, "currency"),
    ],
)
def test_a_malformed_stay_is_refused_before_anything_is_computed(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        a_lump_sum(**changes)


def test_an_accepted_saturday_makes_the_fifth_working_day() -> None:
    facts = {"first_day": "2023-02-14", "last_day": "2023-02-18"}
    assert str(a_lump_sum(**facts).amount) == "450.00"
    accepted = a_lump_sum(
        **facts,
        accepted_days=[
            {"day": "2023-02-18", "reason": "Open day of the cluster", "accepted_by": "staff of HempClub"}
        ],
    )
    assert (accepted.working_days, str(accepted.amount)) == (5, "900.00")
    assert accepted.days[-1].why == "weekend, accepted by staff of HempClub: Open day of the cluster"
    assert "Open day of the cluster" in str(accepted.receipt.outcomes)


def test_a_working_day_accepted_as_well_counts_once() -> None:
    answer = a_lump_sum(accepted_days=[{"day": "2023-02-13", "reason": "to be sure"}] * 2)
    assert answer.working_days == 5


def test_a_receipt_holds_the_facts_the_rules_and_their_sources() -> None:
    receipt = hosted_in("CZ", "Prague", first_day="2023-07-03", last_day="2023-07-07").receipt
    assert receipt.facts["stay"]["first_day"] == "2023-07-03"
    assert receipt.facts["full_rate"] == "610.00"
    assert receipt.facts["distance_m"] == pytest.approx(2_247_232, abs=1)
    assert "Wednesday 5 July 2023: public holiday (Saints Cyril and Methodius Day)" in str(receipt.outcomes)
    assert all(said.sentence and said.source for said in receipt.outcomes)


def test_the_same_stay_gives_the_same_answer_as_json_and_back() -> None:
    facts = stay_facts(last_day="2023-02-15")
    stay = Stay.model_validate(facts)
    answer = lump_sum(stay, POLICIES)
    assert lump_sum(Stay.model_validate_json(stay.model_dump_json()), POLICIES) == answer
    assert answer.model_dump(mode="json")["amount"] == "450.00"
    assert answer.amount == Decimal("450.00")
