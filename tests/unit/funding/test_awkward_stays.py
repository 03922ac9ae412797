"""Stays an auditor would try, beside those of the rules' own examples: what is paid, refused, or asked."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.funding.domain.lump_sum import AgreedAmountOverRate, LumpSum, Outcome, lump_sum
from services.funding.domain.stay import AcceptedDay, Stay
from shared.problems import field_problems, in_words
from tests.unit.funding.builders import POLICIES, a_lump_sum, stay_facts

PLACES = {
    "AL": "Tirana",
    "AT": "Vienna",
    "BA": "Banja Luka",
    "CZ": "Prague",
    "DE": "Munich",
    "DK": "Copenhagen",
    "ES": "Barcelona",
    "FR": "Strasbourg",
    "GB": "London",
    "GR": "Athens",
    "IE": "Dublin",
    "IT": "Milan",
    "LI": "Vaduz",
    "NO": "Oslo",
    "PT": "Lisbon",
    "SK": "Bratislava",
    "XK": "Pristina",
}
VIENNA = {"lat": 48.2085, "lon": 16.3721}


def a_stay(host: str, first_day: str, last_day: str, **changes: Any) -> dict[str, Any]:
    """A visitor from Lisbon in the capital, or a city, of the host's country."""
    place = {"city": PLACES[host], "country": host}
    facts = {"host_country": host, "host_place": place, "first_day": first_day, "last_day": last_day}
    return stay_facts(**facts | changes)


def answer(facts: dict[str, Any]) -> LumpSum:
    return lump_sum(Stay.model_validate(facts), POLICIES)


def accepted(*days: str, **more: Any) -> list[dict[str, Any]]:
    return [{"day": day, "reason": "Programme of the host", **more} for day in days]


PAID: list[tuple[str, dict[str, Any], int, str]] = [
    # ── the month ──
    ("1 to 28 February: a month", a_stay("DE", "2023-02-01", "2023-02-28"), 20, "830.00"),
    ("1 to 29 February of a leap year", a_stay("DE", "2024-02-01", "2024-02-29"), 21, "830.00"),
    ("31 January to 28 February of a leap year", a_stay("DE", "2024-01-31", "2024-02-28"), 21, "830.00"),
    ("29 February to 28 March", a_stay("DE", "2024-02-29", "2024-03-28"), 21, "830.00"),
    ("31 March to 29 April", a_stay("IE", "2023-03-31", "2023-04-29"), 20, "1000.00"),
    ("over the turn of the year", a_stay("IT", "2022-12-15", "2023-01-14"), 20, "900.00"),
    # ── which days count ──
    ("Friday to Tuesday are three", a_stay("IT", "2023-02-17", "2023-02-21"), 3, "450.00"),
    (
        "a week with its holiday on a Saturday loses none",
        a_stay("IT", "2023-04-24", "2023-04-29"),
        4,
        "450.00",
    ),
    ("1 May on a Sunday is not moved in Germany", a_stay("DE", "2022-05-02", "2022-05-06"), 5, "830.00"),
    ("Ireland's 1 May is its first Monday", a_stay("IE", "2023-05-01", "2023-05-05"), 4, "500.00"),
    ("Greece moved Labour Day of 2024 to 7 May", a_stay("GR", "2024-05-07", "2024-05-10"), 3, "390.00"),
    ("Denmark's Great Prayer Day in 2023", a_stay("DK", "2023-05-01", "2023-05-05"), 4, "550.00"),
    ("and no more in 2024", a_stay("DK", "2024-04-22", "2024-04-26"), 5, "1100.00"),
    ("Kosovo's Independence Day", a_stay("XK", "2023-02-13", "2023-02-17"), 4, "280.00"),
    ("Albania's second day for a feast on a Sunday", a_stay("AL", "2023-11-27", "2023-12-01"), 3, "265.00"),
    # ── regions ──
    ("Epiphany in Munich, region not given", a_stay("DE", "2023-01-02", "2023-01-06"), 5, "830.00"),
    ("Epiphany in BY", a_stay("DE", "2023-01-02", "2023-01-06", host_region="BY"), 4, "415.00"),
    ("Epiphany in DE-BY", a_stay("DE", "2023-01-02", "2023-01-06", host_region="DE-BY"), 4, "415.00"),
    ("Epiphany in Bayern", a_stay("DE", "2023-01-02", "2023-01-06", host_region="Bayern"), 4, "415.00"),
    ("no Epiphany in Berlin", a_stay("DE", "2023-01-02", "2023-01-06", host_region="BE"), 5, "830.00"),
    ("a blank region is none", a_stay("DE", "2023-01-02", "2023-01-06", host_region="  "), 5, "830.00"),
    ("Catalonia's 11 September", a_stay("ES", "2023-09-11", "2023-09-15", host_region="CT"), 4, "415.00"),
    ("Good Friday in Strasbourg", a_stay("FR", "2023-04-03", "2023-04-07", host_region="6AE"), 4, "450.00"),
    (
        "a region without days of its own",
        a_stay("AT", "2023-03-13", "2023-03-17", host_region="9"),
        5,
        "900.00",
    ),
    # ── accepted days ──
    (
        "a Saturday makes the third day",
        a_stay("IT", "2023-02-16", "2023-02-18", accepted_days=accepted("2023-02-18")),
        3,
        "450.00",
    ),
    (
        "two holidays and a Sunday, accepted, make the fourth",
        a_stay(
            "CZ", "2023-07-05", "2023-07-09", accepted_days=accepted("2023-07-05", "2023-07-06", "2023-07-09")
        ),
        4,
        "305.00",
    ),
    (
        "given twice, it counts once",
        a_stay("IT", "2023-02-16", "2023-02-18", accepted_days=accepted("2023-02-18", "2023-02-18")),
        3,
        "450.00",
    ),
    (
        "a working day accepted as well counts once",
        a_stay("IT", "2023-02-14", "2023-02-16", accepted_days=accepted("2023-02-15")),
        3,
        "450.00",
    ),
    # ── rates ──
    ("the last day of the old table decides for all", a_stay("AT", "2024-05-31", "2024-06-14"), 11, "900.00"),
    ("the first day of the new one", a_stay("AT", "2024-06-01", "2024-06-14"), 10, "1000.00"),
    ("an odd new rate is halved to the cent", a_stay("BA", "2024-06-03", "2024-06-05"), 3, "325.00"),
    (
        "lower case and EU codes",
        a_stay(
            "IT",
            "2023-02-13",
            "2023-02-17",
            visitor_country="el",
            visitor_place={"city": "Athens", "country": "EL"},
        ),
        5,
        "900.00",
    ),
    # ── agreed amounts ──
    (
        "agreed: the rate itself",
        a_stay("IT", "2023-02-13", "2023-02-17", agreed_amount="900.00"),
        5,
        "900.00",
    ),
    ("agreed: a cent less", a_stay("IT", "2023-02-13", "2023-02-17", agreed_amount="899.99"), 5, "899.99"),
    (
        "agreed: over the half that is due",
        a_stay("IT", "2023-02-14", "2023-02-16", agreed_amount="899"),
        3,
        "450.00",
    ),
    ("agreed: the half itself", a_stay("IT", "2023-02-14", "2023-02-16", agreed_amount="450"), 3, "450.00"),
    (
        "agreed: under the half; not halved again",
        a_stay("IT", "2023-02-14", "2023-02-16", agreed_amount="400"),
        3,
        "400.00",
    ),
    ("agreed: as a JSON number", a_stay("IT", "2023-02-13", "2023-02-17", agreed_amount=850.1), 5, "850.10"),
    ("agreed: left blank in a form", a_stay("IT", "2023-02-13", "2023-02-17", agreed_amount=""), 5, "900.00"),
    # ── places ──
    (
        "both in one spot on a border: near, halved once",
        a_stay(
            "SK",
            "2023-03-13",
            "2023-03-17",
            host_place={"lat": 48.14, "lon": 17.08},
            visitor_country="AT",
            visitor_place={"lat": 48.14, "lon": 17.08},
        ),
        5,
        "305.00",
    ),
    (
        "few days and near: halved once",
        a_stay("AT", "2023-03-14", "2023-03-16", visitor_country="SK", visitor_place={"city": "Bratislava"}),
        3,
        "450.00",
    ),
    (
        "coordinates beside an ambiguous name",
        a_stay("DE", "2023-03-13", "2023-03-17", host_place={"city": "Halle", "lat": 51.48, "lon": 11.97}),
        5,
        "830.00",
    ),
]


@pytest.mark.parametrize(
    ("facts", "working_days", "amount"), [pytest.param(*row[1:], id=row[0]) for row in PAID]
)
def test_an_awkward_stay_is_paid_by_the_rules(facts: dict[str, Any], working_days: int, amount: str) -> None:
    found = answer(facts)
    assert (found.outcome, found.working_days, str(found.amount)) == (Outcome.PAYABLE, working_days, amount)
    assert sum(day.counted for day in found.days) == working_days


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "31 January to 28 February",
        a_stay("DE", "2023-01-31", "2023-02-28"),
        "may last until 27 February 2023",
    ),
    (
        "31 January to 29 February",
        a_stay("DE", "2024-01-31", "2024-02-29"),
        "may last until 28 February 2024",
    ),
    ("exactly the day a month on", a_stay("DE", "2023-02-14", "2023-03-14"), "may last until 13 March 2023"),
    ("a year", a_stay("DE", "2023-02-14", "2024-02-13"), "may last until 13 March 2023"),
    ("to the end of time", a_stay("DE", "2023-02-14", "9999-12-31"), "may last until 13 March 2023"),
    ("one day", a_stay("DE", "2023-02-14", "2023-02-14"), "this one has 1"),
    ("a weekend", a_stay("DE", "2023-02-18", "2023-02-19"), "this one has 0"),
    ("Christmas", a_stay("DE", "2023-12-22", "2023-12-27"), "this one has 2"),
    (
        "a region's holiday takes the third day",
        a_stay("DE", "2023-01-04", "2023-01-06", host_region="BW"),
        "this one has 2",
    ),
    ("Norway hosts, full week", a_stay("NO", "2023-03-13", "2023-03-17"), "Norway, the host's country"),
    ("Liechtenstein hosts", a_stay("LI", "2023-03-13", "2023-03-17"), "Liechtenstein, the host's country"),
    (
        "Switzerland visits",
        a_stay(
            "IT",
            "2023-03-13",
            "2023-03-17",
            visitor_country="CH",
            visitor_place={"city": "Zurich", "country": "CH"},
        ),
        "Switzerland, the visitor's country",
    ),
    (
        "compatriots, 600 km apart",
        a_stay(
            "IT",
            "2023-02-13",
            "2023-02-17",
            visitor_country="IT",
            visitor_place={"city": "Naples", "country": "IT"},
        ),
        "both in Italy",
    ),
    (
        "compatriots of the EU's own code",
        a_stay("GR", "2023-02-13", "2023-02-17", visitor_country="EL", visitor_place={"city": "Patras"}),
        "both in Greece",
    ),
    (
        "a refusal that is certain goes before a place that is not",
        a_stay("DE", "2023-02-14", "2023-02-15", host_place={"city": "Halle"}),
        "this one has 2",
    ),
]


@pytest.mark.parametrize(("facts", "said"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_what_the_rules_forbid_is_nothing_and_says_which(facts: dict[str, Any], said: str) -> None:
    found = answer(facts)
    assert (found.outcome, str(found.amount), found.halved_because) == (Outcome.NOT_ELIGIBLE, "0.00", [])
    assert said in found.receipt.sentence
    assert found.receipt.for_staff is not None
    assert found.receipt.for_staff.startswith("Decided by ")


DOUBTED: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "a host in the United Kingdom",
        a_stay("GB", "2023-03-13", "2023-03-17"),
        "whether the United Kingdom takes part",
        "confirm it or cancel the match",
    ),
    (
        "a visitor of the code UK",
        a_stay(
            "IT",
            "2023-03-13",
            "2023-03-17",
            visitor_country="UK",
            visitor_place={"city": "London", "country": "UK"},
        ),
        "whether the United Kingdom takes part",
        "decide whether",
    ),
    (
        "a rate missing from June 2024 on",
        a_stay("IT", "2024-06-03", "2024-06-07"),
        "has no rate for Italy",
        "dated rate table",
    ),
    (
        "a missing rate, whatever was agreed",
        a_stay("IT", "2024-06-03", "2024-06-07", agreed_amount="100"),
        "has no rate for Italy",
        "dated rate table",
    ),
    (
        "before the scheme",
        a_stay("IT", "2013-12-30", "2014-01-03"),
        "on file for 30 December 2013",
        "correct the days",
    ),
    (
        "nothing but zeros",
        a_stay("IT", "2023-02-13", "2023-02-17", host_place={"lat": 0, "lon": 0}),
        "lie over 50 km from every place known in Italy",
        "give its coordinates",
    ),
    (
        "a pole",
        a_stay("IT", "2023-02-13", "2023-02-17", visitor_place={"lat": 90, "lon": 0}),
        "lie over 50 km from every place known in Portugal",
        "where the visitor is",
    ),
    (
        "latitude and longitude swapped",
        a_stay("IT", "2023-02-13", "2023-02-17", host_place={"lat": 9.19, "lon": 45.46}),
        "lie over 50 km",
        "where the host is",
    ),
    (
        "a place in another country",
        a_stay("IT", "2023-02-13", "2023-02-17", host_place=VIENNA | {"country": "AT"}),
        "its place to lie in Austria",
        "confirm its place",
    ),
    (
        "a name of many places",
        a_stay("DE", "2023-03-13", "2023-03-17", host_place={"city": "Neustadt"}),
        "Neustadt in Holstein (54.",
        "give its coordinates",
    ),
    (
        "a name of none",
        a_stay("DE", "2023-03-13", "2023-03-17", host_place={"city": "Nirgendwo am See"}),
        "No place called 'Nirgendwo am See' is known in Germany",
        "give its coordinates",
    ),
    (
        "a region that is none, where regions decide",
        a_stay("DE", "2023-03-13", "2023-03-17", host_region="Wonderland"),
        "region 'Wonderland' of Germany; known are BB",
        "give the host's region",
    ),
]


@pytest.mark.parametrize(("facts", "said", "to_do"), [pytest.param(*row[1:], id=row[0]) for row in DOUBTED])
def test_what_is_not_certain_is_asked_and_staff_read_what_settles_it(
    facts: dict[str, Any], said: str, to_do: str
) -> None:
    found = answer(facts)
    assert (found.outcome, found.amount, found.halved_because) == (Outcome.NEEDS_REVIEW, None, [])
    assert said in found.receipt.sentence
    assert to_do in (found.receipt.for_staff or "")


MALFORMED: list[tuple[str, dict[str, Any], str]] = [
    ("reversed days", {"last_day": "2023-02-12"}, "last_day 2023-02-12 is before first_day 2023-02-13"),
    ("a moment", {"first_day": "2023-02-13T00:00:00+05:00"}, "/first_day: is not a valid date; write it as"),
    ("seconds since 1970", {"first_day": 1676246400}, "/first_day: is not a valid date"),
    ("seconds as text", {"first_day": "1676246400"}, "/first_day: is not a valid date"),
    ("30 February", {"first_day": "2023-02-30"}, "/first_day: is not a valid date"),
    ("29 February of no leap year", {"first_day": "2023-02-29"}, "/first_day: is not a valid date"),
    ("truth for a day", {"first_day": True}, "/first_day: is not a valid date"),
    (
        "an unknown country",
        {"host_country": "XX"},
        "/host_country: 'XX' is not a country; give its two-letter",
    ),
    ("three letters", {"visitor_country": "PRT"}, "/visitor_country: 'PRT' is not a country"),
    ("an empty country", {"host_country": ""}, "/host_country: '' is not a country"),
    ("an amount that is no number", {"agreed_amount": "NaN"}, "/agreed_amount: must be a number"),
    ("an amount without end", {"agreed_amount": float("inf")}, "/agreed_amount: must be a number"),
    ("an amount of a billion digits", {"agreed_amount": "1e999999999"}, "/agreed_amount: "),
    ("half a cent", {"agreed_amount": "400.005"}, "/agreed_amount: can have 2 decimal places at the most"),
    ("half a cent as a number", {"agreed_amount": 400.005}, "/agreed_amount: can have 2 decimal places"),
    ("nothing", {"agreed_amount": "0"}, "/agreed_amount: the value should be greater than 0"),
    ("less than nothing", {"agreed_amount": "-450"}, "/agreed_amount: the value should be greater than 0"),
    ("with its currency", {"agreed_amount": "EUR 450"}, "/agreed_amount: must be a number, such as 450.00"),
    ("a comma", {"agreed_amount": "450,00"}, "/agreed_amount: must be a number, such as 450.00"),
    ("truth for an amount", {"agreed_amount": True}, "/agreed_amount: is true or false"),
    ("another currency", {"currency": "CZK"}, "/currency: is not a field of this"),
    ("half a point", {"host_place": {"lat": 45.4}}, "/host_place: give both lat and lon"),
    ("beyond the pole", {"host_place": {"lat": 90.1, "lon": 9}}, "/host_place/lat: must be 90 at the most"),
    ("around the world", {"host_place": {"lat": 45, "lon": 181}}, "/host_place/lon: must be 180 at the most"),
    ("no number for a latitude", {"host_place": {"lat": float("nan"), "lon": 9}}, "/host_place/lat: must be"),
    ("truth for a latitude", {"host_place": {"lat": True, "lon": 9}}, "/host_place/lat: is true or false"),
    ("nowhere", {"host_place": {}}, "/host_place: give a city with its country, or lat and lon"),
    ("a blank city", {"host_place": {"city": " ", "country": "IT"}}, "/host_place: give a city"),
    ("a city as text", {"host_place": "Milan"}, "/host_place: is not a JSON object"),
    ("a city of a page", {"host_place": {"city": "x" * 301}}, "/host_place/city: can have 300 characters"),
    ("a region of a line", {"host_region": "x" * 41}, "/host_region: can have 40 characters"),
    (
        "an accepted day outside",
        {"accepted_days": accepted("2023-02-18")},
        "2023-02-18 is not a day of the stay, 2023-02-13 to",
    ),
    (
        "an accepted day without a reason",
        {"accepted_days": [{"day": "2023-02-13"}]},
        "/accepted_days/0/reason: is missing",
    ),
    (
        "a blank reason",
        {"accepted_days": [{"day": "2023-02-13", "reason": " "}]},
        "/accepted_days/0/reason: is empty",
    ),
    (
        "more accepted days than a month has",
        {"accepted_days": accepted("2023-02-13") * 32},
        "31 items at the most",
    ),
]


@pytest.mark.parametrize(("changes", "said"), [pytest.param(*row[1:], id=row[0]) for row in MALFORMED])
def test_what_is_no_stay_is_refused_with_what_to_do(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Stay.model_validate(stay_facts(**changes))
    problems = field_problems(refused.value.errors(include_url=False, include_input=False))
    assert said in in_words(problems, 5)


@pytest.mark.parametrize("agreed", ["900.01", "999999.99"])
@pytest.mark.parametrize("last_day", ["2023-02-15", "2023-02-17"])
def test_more_than_the_full_rate_is_never_agreed_however_long_the_stay(agreed: str, last_day: str) -> None:
    with pytest.raises(AgreedAmountOverRate, match=r"more than the rate of Italy, EUR 900\.00"):
        a_lump_sum(agreed_amount=agreed, last_day=last_day)


def test_a_day_says_of_which_region_a_holiday_is_and_who_accepted_it_why() -> None:
    found = answer(
        a_stay(
            "DE",
            "2023-01-04",
            "2023-01-08",
            host_region="DE-BY",
            accepted_days=[
                {"day": "2023-01-06", "reason": "Fair", "accepted_by": "staff of HempClub"},
                {"day": "2023-01-07", "reason": "Workshop"},
                {"day": "2023-01-07", "reason": "Dinner with the cluster"},
            ],
        )
    )
    assert [day.why for day in found.days] == [
        "working day",
        "working day",
        "public holiday in Bayern (Epiphany), accepted by staff of HempClub: Fair",
        "weekend, accepted by staff: Workshop, accepted by staff: Dinner with the cluster",
        "weekend",
    ]


def test_staff_read_of_the_holidays_of_regions_where_the_region_is_not_given() -> None:
    found = answer(a_stay("DE", "2023-01-02", "2023-01-06"))
    assert (
        "there are public holidays of regions, which count here as working days: Friday 6 January 2023 in "
        "Augsburg, Baden-Württemberg, Bayern and Sachsen-Anhalt."
    ) in (found.receipt.for_staff or "")
    given = answer(a_stay("DE", "2023-01-02", "2023-01-06", host_region="HH"))
    assert "of regions" not in (given.receipt.for_staff or "")


def test_staff_read_what_it_can_come_to_at_the_most_before_a_place_is_certain() -> None:
    few = answer(a_stay("DE", "2023-03-14", "2023-03-16", host_place={"city": "Halle"}))
    assert "It will be EUR 415.00 at the most." in (few.receipt.for_staff or "")


def test_the_visitor_reads_that_less_was_agreed_and_what_the_rules_allow() -> None:
    found = a_lump_sum(agreed_amount="400", last_day="2023-02-15")
    assert found.receipt.sentence == (
        "EUR 400.00 for a stay in Italy of 3 working days: the amount the partnership agreed. The rules "
        "allow EUR 450.00, half of the rate, as 3 working days are fewer than 5."
    )


def test_a_rate_above_the_ceiling_is_cut_after_it_was_halved() -> None:
    denmark = POLICIES.rates.in_force_on(Stay.model_validate(stay_facts()).first_day)
    table = denmark.model_copy(update={"full_rates": {"DK": denmark.full_rates["DK"] * 2}})
    policies = type(POLICIES)(POLICIES.scheme, POLICIES.rates.with_candidate(table), POLICIES.places)
    week, days = (a_stay("DK", "2023-03-13", day) for day in ("2023-03-17", "2023-03-15"))
    assert str(lump_sum(Stay.model_validate(week), policies).amount) == "1100.00"
    assert str(lump_sum(Stay.model_validate(days), policies).amount) == "1100.00"
    agreed = lump_sum(Stay.model_validate(week | {"agreed_amount": "1500"}), policies)
    assert str(agreed.amount) == "1100.00"
    assert "Never more than EUR 1100.00 is paid." in str(agreed.receipt.outcomes)


@pytest.mark.parametrize("facts", [row[1] for row in (*PAID, *REFUSED, *DOUBTED)])
def test_the_facts_in_the_receipt_give_the_same_answer_again(facts: dict[str, Any]) -> None:
    found = answer(facts)
    read = LumpSum.model_validate(json.loads(found.model_dump_json()))
    assert lump_sum(read.stay, POLICIES) == found


@st.composite
def stays(draw: st.DrawFn) -> Stay:
    host, visitor = draw(st.sampled_from(sorted(PLACES))), draw(st.sampled_from(sorted(PLACES)))
    first_day = draw(st.dates(date(2019, 1, 1), date(2027, 12, 31)))
    last_day = first_day + timedelta(days=draw(st.integers(0, 35)))
    days = draw(st.lists(st.dates(first_day, last_day), max_size=5))
    return Stay.model_validate(
        a_stay(
            host,
            str(first_day),
            str(last_day),
            visitor_country=visitor,
            visitor_place={"city": PLACES[visitor], "country": visitor},
            host_region=draw(st.sampled_from([None, "BY", "CT", "SRP", "Nowhere"])),
            accepted_days=accepted(*map(str, days)),
            agreed_amount=draw(st.none() | st.decimals("0.01", "500", places=2)),
        )
    )


@given(stays())
def test_whatever_the_stay_no_more_is_paid_than_the_rules_and_the_agreement_allow(stay: Stay) -> None:
    try:
        found = lump_sum(stay, POLICIES)
    except AgreedAmountOverRate:
        return
    match found.outcome:
        case Outcome.NOT_ELIGIBLE:
            assert str(found.amount) == "0.00"
        case Outcome.NEEDS_REVIEW:
            assert found.amount is None
        case Outcome.PAYABLE:
            full = POLICIES.rates.rate(stay.host_country, stay.first_day).full
            entitled = full / 2 if found.halved_because else full
            assert found.amount == min(entitled, stay.agreed_amount or entitled)
            assert found.amount.as_tuple().exponent == -2
            assert bool(found.halved_because) is (
                (found.working_days or 0) < 5 or (found.distance_km or 0) < 200
            )
    assert found.receipt.for_staff


@given(stays(), st.data())
def test_one_more_accepted_day_never_lowers_an_amount(stay: Stay, data: st.DataObject) -> None:
    day = data.draw(st.dates(stay.first_day, stay.last_day))
    more = [*stay.accepted_days, AcceptedDay(day=day, reason="Programme")]
    try:
        before = lump_sum(stay, POLICIES)
    except AgreedAmountOverRate:
        return
    after = lump_sum(stay.model_copy(update={"accepted_days": more}), POLICIES)
    assert (after.working_days or 0) - (before.working_days or 0) in (0, 1)
    assert (after.amount or 0) >= (before.amount or 0)
