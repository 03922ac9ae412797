"""The lump sum of a stay: a pure function of its facts, with a receipt for the answer."""

from __future__ import annotations

import calendar as months
import math
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import Any, Final, Literal

from services.funding.domain.distance import metres_between
from services.funding.domain.places import Gazetteer, PlaceNotResolved
from services.funding.domain.rates import RateNotOnFile, Rates, written
from services.funding.domain.scheme import LumpSumTerms, NoRulesOnFile, Scheme, SchemeRules
from services.funding.domain.stay import Settled, Stay
from services.funding.domain.working_days import WORKING_DAY, Day, explain_days
from shared.calendar import Calendar, NoCalendar, calendar
from shared.contracts.common import Receipt, RuleOutcome
from shared.contracts.envelope import Contract
from shared.contracts.vocabulary import COUNTRIES
from shared.errors import RuleBroken

CENT: Final = Decimal("0.01")
NOTHING: Final = Decimal("0.00")

_TOLD_TO_STAFF: Final = frozenset(
    {"settled", "working-days", "distance", "rate-on-file", "ceiling", "agreed-amount"}
)
"""The rules that say how an amount came about."""


class Outcome(StrEnum):
    """What the rules say about a stay."""

    PAYABLE = "payable"
    NOT_ELIGIBLE = "not_eligible"
    NEEDS_REVIEW = "needs_review"


class HalvedBecause(StrEnum):
    """What halves a lump sum; both together still halve it once."""

    FEW_WORKING_DAYS = "fewer_than_5_working_days"
    SHORT_DISTANCE = "less_than_200_km"


class LumpSum(Contract):
    """The answer for one stay, and why.

    `amount` is in EUR, exact to the cent: 0.00 where nothing is due, None where a person must
    decide first. `distance_km` is rounded to metres for reading; the comparison is not.
    """

    outcome: Outcome
    amount: Decimal | None
    working_days: int | None
    days: list[Day]
    distance_km: float | None
    halved_because: list[HalvedBecause]
    receipt: Receipt

    @property
    def stay(self) -> Stay:
        """The facts it was computed from; raises `ValueError` where today's rules do not take them."""
        return Stay.model_validate(self.receipt.facts["stay"])


class AgreedAmountOverRate(RuleBroken):
    """A partnership may pay less than the rate of the host country, never more."""

    code = "agreed-amount-over-rate"


@dataclass(frozen=True)
class Policies:
    """The dated rules and the gazetteer that a lump sum is computed with."""

    scheme: Scheme
    rates: Rates
    places: Gazetteer


@dataclass
class _Findings:
    """What the rules have said so far, and the facts they found."""

    facts: dict[str, Any]
    outcomes: list[RuleOutcome] = field(default_factory=list)
    to_do: list[str] = field(default_factory=list)
    """What staff can do about it."""
    distance_km: float | None = None
    at_most: Decimal | None = None
    """The amount by what is known, where not all is."""

    def add(
        self,
        rule: str,
        outcome: Literal["passed", "failed", "needs_review"],
        sentence: str,
        source: str,
        *,
        to_do: str | None = None,
    ) -> None:
        self.outcomes.append(RuleOutcome(rule=rule, outcome=outcome, sentence=sentence, source=source))
        if to_do is not None:
            self.to_do.append(to_do)

    def sentences(self, outcome: str) -> list[str]:
        return [said.sentence for said in self.outcomes if said.outcome == outcome]


def last_allowed_day(first_day: date, longest_months: int = 1) -> date:
    """The first day plus the months minus one day: 14 February → 13 March.

    A month too short for the day counts to its end: from 31 January, "31 February" is 28 (or 29)
    February, and the last day of the stay the day before.
    """
    month = first_day.month - 1 + longest_months
    year, month = first_day.year + month // 12, month % 12 + 1
    if year > date.max.year:
        return date.max
    same_day = date(year, month, min(first_day.day, months.monthrange(year, month)[1]))
    return same_day - timedelta(days=1)


def why_halved(working_days: int, metres: float, terms: LumpSumTerms) -> list[HalvedBecause]:
    """What halves the rate: too few working days, places nearer than the limit (unrounded), or both."""
    few = working_days < terms.full_from_working_days
    near = metres < terms.full_from_km * 1000
    return [HalvedBecause.FEW_WORKING_DAYS] * few + [HalvedBecause.SHORT_DISTANCE] * near


def lump_sum(stay: Stay, policies: Policies) -> LumpSum:
    """Amount in EUR for a visitor's stay, with its receipt.

    The host country's rate on the first day; halved once below five working days or below 200 km
    (CXC FAQ, "Funding"). Raises `AgreedAmountOverRate`.
    """
    findings = _Findings(facts={"stay": stay.model_dump(mode="json", exclude_defaults=True)})
    try:
        rules = policies.scheme.in_force_on(stay.first_day)
    except NoRulesOnFile as error:
        findings.add(
            "rules-on-file",
            "needs_review",
            error.detail,
            "Dated rules of this platform",
            to_do="correct the days of the stay",
        )
        return _answer(findings, "none on file")

    for one in stay.settled:
        findings.add("settled", "passed", _settled_sentence(one), f"Decision of staff, {one.by}")
    _check_countries(stay, rules, findings)
    days = _check_days(stay, rules, findings)
    metres = _check_distance(stay, rules, policies.places, findings)
    full, table = _check_rate(stay, policies.rates, findings)

    rule_set = f"{rules.name}, {rules.in_force_from}; {table or 'no rate table'}"
    working_days = sum(day.counted for day in days) if days is not None else None
    terms = rules.lump_sum
    if full is None or working_days is None:
        return _answer(findings, rule_set, days=days)
    # As if they were far apart, where it is not known how far.
    halved_because = why_halved(working_days, math.inf if metres is None else metres, terms)
    # Down, so that a half is never more than the half.
    rated = (full / 2 if halved_because else full).quantize(CENT, ROUND_DOWN)
    allowed = min(rated, terms.ceiling)
    amount = min(allowed, stay.agreed_amount or allowed).quantize(CENT)
    if metres is None or findings.sentences("failed"):
        findings.at_most = amount
        return _answer(findings, rule_set, days=days)

    halved = _halved_sentence(halved_because, rules, working_days, metres)
    findings.add("full-or-half", "passed", halved, terms.source)
    if rated > allowed:
        capped = f"Never more than EUR {terms.ceiling:.2f} is paid."
        findings.add("ceiling", "passed", capped, terms.ceiling_source)
    if stay.agreed_amount is not None:
        agreed = f"The partnership pays no more than the EUR {stay.agreed_amount:.2f} agreed."
        findings.add("agreed-amount", "passed", agreed, terms.ceiling_source)
    why = f"{halved[0].lower()}{halved[1:]}"
    if amount < allowed:
        why = f"the amount the partnership agreed. The rules allow EUR {allowed:.2f}, {why}"
    elif rated > allowed:
        why = f"the most that is paid. By the rate it would be EUR {rated:.2f}, {why}"
    sentence = (
        f"EUR {amount:.2f} for a stay in {COUNTRIES[stay.host_country]} of {working_days} working days: {why}"
    )
    return _answer(
        findings,
        rule_set,
        days=days,
        amount=amount,
        halved_because=halved_because,
        sentence=sentence,
    )


def _check_countries(stay: Stay, rules: SchemeRules, findings: _Findings) -> None:
    source = rules.countries.source
    for side, code in (("host", stay.host_country), ("visitor", stay.visitor_country)):
        rule = f"{side}-country-participates"
        country = COUNTRIES[code]
        if code in rules.countries.participating:
            findings.add(rule, "passed", f"{_capital(country)} takes part in the scheme.", source)
        elif code not in rules.countries.disputed:
            refusal = f"{_capital(country)}, the {side}'s country, does not take part in the scheme."
            findings.add(rule, "failed", refusal, source)
        elif code in stay.confirmed_countries:
            decided = f"Sources disagree on whether {country} takes part; staff decided that it does here."
            findings.add(rule, "passed", decided, source)
        else:
            doubt = f"Sources disagree on whether {country} takes part in the scheme."
            to_do = f"decide whether {country} takes part in this case, and confirm it or cancel the match"
            findings.add(rule, "needs_review", doubt, source, to_do=to_do)
    source = rules.lump_sum.different_countries_source
    if stay.host_country == stay.visitor_country:
        compatriots = (
            f"Visitor and host are both in {COUNTRIES[stay.host_country]}: a local organisation may "
            "attend a group event, nothing is paid for it, and its visit is not used up."
        )
        findings.add("different-countries", "failed", compatriots, source)
    else:
        findings.add("different-countries", "passed", "Visitor and host are in different countries.", source)


def _check_days(stay: Stay, rules: SchemeRules, findings: _Findings) -> list[Day] | None:
    """The days of the stay up to the last one allowed; None when holidays are not known."""
    duration = rules.duration
    last_allowed = last_allowed_day(stay.first_day, duration.longest_months)
    if stay.last_day > last_allowed:
        too_long = (
            f"A stay from {written(stay.first_day)} may last until {written(last_allowed)}, a month; "
            f"this one lasts until {written(stay.last_day)}."
        )
        findings.add("within-one-month", "failed", too_long, duration.longest_source)
    else:
        findings.add(
            "within-one-month", "passed", "The stay lasts a month at the most.", duration.longest_source
        )
    try:
        public_holidays = calendar(stay.host_country, stay.host_region)
        days = explain_days(
            stay.first_day, min(stay.last_day, last_allowed), public_holidays, stay.accepted_days
        )
    except NoCalendar as error:
        findings.add(
            "working-days",
            "needs_review",
            error.detail,
            duration.calendar_source,
            to_do="give the host's region by one of those codes, or correct the days of the stay",
        )
        return None
    findings.facts["holidays"] = (
        f"public holidays in {stay.host_country}"
        f"{f', region {public_holidays.region}' if public_holidays.region else ', national only'}"
    )
    counted = sum(day.counted for day in days)
    told = _days_sentence(days, counted)
    if said := _said_of_region(stay, days, public_holidays):
        told = f"{told} {said}"
    findings.add("working-days", "passed", told, duration.calendar_source)
    if counted < duration.minimum_working_days:
        too_short = (
            f"A stay has at least {duration.minimum_working_days} working days at the host; "
            f"this one has {counted}."
        )
        could = [f"{day.weekday} {written(day.day)}" for day in days if not day.counted]
        to_do = (
            f"accept, if there was a programme, {_listed(could, 'or')}, with the reason" if could else None
        )
        findings.add("shortest-stay", "failed", too_short, duration.source, to_do=to_do)
    return days


def _check_distance(stay: Stay, rules: SchemeRules, places: Gazetteer, findings: _Findings) -> float | None:
    """Metres between the two places; None when one of them is not certain."""
    source = rules.lump_sum.distance_source
    certain = True
    located = []
    for side, given, country in (
        ("host", stay.host_place, stay.host_country),
        ("visitor", stay.visitor_place, stay.visitor_country),
    ):
        if given.country not in (None, country) and given.confirmed_by is None:
            contradiction = (
                f"The {side} is said to be of {COUNTRIES[country]}, and its place to lie in "
                f"{COUNTRIES[given.country or country]}."
            )
            to_do = f"find out where the {side} is, and confirm its place"
            findings.add(f"{side}-place", "needs_review", contradiction, source, to_do=to_do)
            certain = False
        try:
            place = places.locate(given, country)
        except PlaceNotResolved as error:
            to_do = f"find out where the {side} is, and give its coordinates"
            findings.add(f"{side}-place", "needs_review", error.detail, source, to_do=to_do)
            certain = False
            continue
        located.append(place)
        findings.facts[f"{side}_place"] = {
            "name": place.name,
            "lat": place.point.lat,
            "lon": place.point.lon,
            **({"confirmed_by": given.confirmed_by} if given.confirmed_by else {}),
        }
    if not certain:
        return None
    metres = metres_between(located[0].point, located[1].point)
    findings.facts["distance_m"] = metres
    findings.distance_km = kilometres(metres, rules.lump_sum.full_from_km, decimals=3)
    apart = _in_words(metres, rules.lump_sum)
    sentence = f"{_capital(located[1].name)} and {located[0].name} are {apart} km apart."
    findings.add("distance", "passed", sentence, source)
    return metres


def _check_rate(stay: Stay, rates: Rates, findings: _Findings) -> tuple[Decimal | None, str | None]:
    """The full rate and the name of its table; (None, …) when it is not on file."""
    try:
        full, table = rates.rate(stay.host_country, stay.first_day)
    except RateNotOnFile as error:
        findings.add(
            "rate-on-file",
            "needs_review",
            error.detail,
            "Dated rate tables of this platform",
            to_do="have a dated rate table with its source put on file, as nobody sets a rate by hand",
        )
        return None, None
    if stay.agreed_amount is not None and stay.agreed_amount > full:
        raise AgreedAmountOverRate(
            f"The agreed EUR {stay.agreed_amount:.2f} is more than the rate of "
            f"{COUNTRIES[stay.host_country]}, EUR {full:.2f}; a partnership may pay less, never more."
        )
    sentence = (
        f"The full rate of {COUNTRIES[stay.host_country]} on {written(stay.first_day)} is EUR {full:.2f}."
    )
    findings.add("rate-on-file", "passed", sentence, f"{table.name}: {table.source}")
    findings.facts["full_rate"] = f"{full:.2f}"
    return full, f"{table.name}, {table.in_force_from}"


def _settled_sentence(settled: Settled) -> str:
    what = "; ".join(settled.what) or "computed again by the rules and rates on file"
    return f"Settled by {settled.by} on {written(settled.on)}: {what}. The reason given: {settled.reason}"


def _days_sentence(days: list[Day], counted: int) -> str:
    told = [f"; {day.weekday} {written(day.day)}: {day.why}" for day in days if day.why != WORKING_DAY]
    return f"{counted} of {len(days)} days count as working days{''.join(told)}."


def _said_of_region(stay: Stay, days: list[Day], public_holidays: Calendar) -> str | None:
    """What to know where only the national holidays of the host's country are looked at."""
    if public_holidays.region:
        return None
    country = COUNTRIES[stay.host_country]
    if stay.host_region:
        return f"For the region '{stay.host_region}' no holidays are on file but those of all {country}."
    regional = [
        f"{day.weekday} {written(day.day)} in {_listed(regions, 'and')}"
        for day in days
        if day.why == WORKING_DAY and (regions := public_holidays.where_regional(day.day))
    ]
    if not regional:
        return None
    return (
        f"The host's region is not given; there are public holidays of regions, which count here as working "
        f"days: {'; '.join(regional)}."
    )


def kilometres(metres: float, limit: int, *, decimals: int) -> float:
    """The length in km, rounded; cut to the metre where that would lift it to a limit (km) it is under."""
    rounded = round(metres / 1000, decimals)
    return math.floor(metres) / 1000 if metres < limit * 1000 and rounded >= limit else rounded


def _in_words(metres: float, terms: LumpSumTerms) -> str:
    length = kilometres(metres, terms.full_from_km, decimals=1)
    return f"{length:,.1f}" if length == round(length, 1) else f"{length:,.3f}"


def _listed(names: list[str], last: str) -> str:
    """`a, b and c`; of many, the first eight."""
    if len(names) > 8:
        names = [*names[:8], f"{len(names) - 8} more"]
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _halved_sentence(
    halved_because: list[HalvedBecause], rules: SchemeRules, working_days: int, metres: float
) -> str:
    terms = rules.lump_sum
    few = f"{working_days} working days are fewer than {terms.full_from_working_days}"
    apart = _in_words(metres, terms)
    near = f"the two places are {apart} km apart, less than {terms.full_from_km}"
    match halved_because:
        case []:
            return (
                f"The full rate, for {terms.full_from_working_days} working days or more and "
                f"{terms.full_from_km} km or more between the two places ({apart} km)."
            )
        case [HalvedBecause.FEW_WORKING_DAYS]:
            return f"Half of the rate, as {few}."
        case [HalvedBecause.SHORT_DISTANCE]:
            return f"Half of the rate, as {near}."
        case _:
            return f"Half of the rate, once, as {few} and {near}."


def _answer(
    findings: _Findings,
    rule_set: str,
    *,
    days: list[Day] | None = None,
    amount: Decimal | None = None,
    halved_because: list[HalvedBecause] | None = None,
    sentence: str = "",
) -> LumpSum:
    if failed := findings.sentences("failed"):
        outcome, amount, sentence = Outcome.NOT_ELIGIBLE, NOTHING, f"No lump sum. {' '.join(failed)}"
        by = [said.rule for said in findings.outcomes if said.outcome == "failed"]
        for_staff = f"Decided by {_listed(by, 'and')}."
    elif doubtful := findings.sentences("needs_review"):
        outcome, amount, sentence = Outcome.NEEDS_REVIEW, None, f"A person must decide. {' '.join(doubtful)}"
        for_staff = "Nothing is set aside until it is settled."
        if findings.at_most is not None:
            for_staff += f" It will be EUR {findings.at_most:.2f} at the most."
    else:
        outcome = Outcome.PAYABLE
        for_staff = " ".join(said.sentence for said in findings.outcomes if said.rule in _TOLD_TO_STAFF)
    if outcome is not Outcome.PAYABLE and findings.to_do:
        for_staff += f" What can be done: {'; '.join(findings.to_do)}."
    return LumpSum(
        outcome=outcome,
        amount=amount,
        working_days=sum(day.counted for day in days) if days is not None else None,
        days=days or [],
        distance_km=findings.distance_km,
        halved_because=(halved_because or []) if outcome is Outcome.PAYABLE else [],
        receipt=Receipt(
            rule_set=rule_set,
            facts=findings.facts,
            outcomes=findings.outcomes,
            sentence=sentence,
            for_staff=for_staff,
        ),
    )
