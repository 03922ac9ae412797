"""Receipts are read by people who know neither code nor rules: every one is whole and in plain words."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.registration.assessment import assess
from services.registration.domain.eligibility import Facts, facts_of, screen
from services.registration.domain.identifiers import Identifiers, identify
from services.registration.domain.registration import Origin, Registration
from services.registration.rules_on_file import rule_sets_in
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import COUNTRIES, OrganisationKind, RegistrationState, Role, Verdict
from shared.partnerships import Partnerships
from tests.builders import A_MOMENT, a_submission
from tests.unit.registration.service import HEMPCLUB

RULES = rule_sets_in()
A_DAY = date(2023, 1, 16)

some_countries = st.sampled_from(["PT", "FR", "NO", "CH", "GB", "RE", "US", "XK", *sorted(COUNTRIES)[:5]])
some_facts = st.builds(
    Facts,
    roles=st.permutations(list(Role)).flatmap(lambda roles: st.sampled_from([tuple(roles), (roles[0],)])),
    kind=st.sampled_from(OrganisationKind),
    registered_in=st.lists(some_countries, min_size=1, max_size=3, unique=True).map(tuple),
    longest_period=st.integers(0, 400),
    available_until=st.dates(),
    based_in=st.none() | some_countries,
    third_country_national=st.booleans(),
    residence_days=st.none() | st.integers(0, 400),
    residence_permit=st.booleans(),
    business_in_scheme=st.booleans(),
    membership=st.sampled_from(["none", "business_network", "cluster", "eccp_cluster"]),
    member_of=st.lists(st.sampled_from(["Cluster", "{0}", "a. b", "%s", "Ζωή"]), min_size=1, max_size=5).map(
        tuple
    ),
    identifiers=st.builds(
        Identifiers,
        keys=st.sampled_from([(), ("pic:999978530",)]),
        faulty=st.sampled_from([(), ("PIC 12",), ("VAT number PT1", "EUID 1", "PIC 12")]),
    ),
    visit_used=st.booleans(),
    partnership=st.sampled_from([None, "hempclub"]),
)


@given(some_facts)
def test_whatever_the_facts_both_readers_get_one_whole_sentence_that_names_what_decided(facts: Facts) -> None:
    screening = screen(facts, RULES.on(A_DAY), A_DAY)
    receipt = screening.receipt
    assert receipt.for_staff is not None
    for sentence in (receipt.sentence, receipt.for_staff, *(one.sentence for one in receipt.outcomes)):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "None" not in sentence
        assert "  " not in sentence
    decisive = {Verdict.INELIGIBLE: "failed", Verdict.NEEDS_REVIEW: "needs_review"}.get(screening.verdict)
    deciding = [one for one in receipt.outcomes if one.outcome == decisive]
    assert bool(deciding) is (screening.verdict is not Verdict.ELIGIBLE)
    for one in receipt.outcomes:
        if one.outcome in ("failed", "needs_review"):
            assert one.rule in receipt.for_staff
    assert any(one.sentence[1:-1] in receipt.sentence for one in deciding) is bool(deciding)


def an_erased_registration(**organisation: Any) -> Registration:
    data = a_submission(roles=["visitor"])
    data["organisation"].update(organisation)
    submission = Submission.model_validate(data)
    assessment = assess(
        submission,
        identify(submission.organisation),
        rules=RULES,
        partnerships=Partnerships([HEMPCLUB]),
        today=A_DAY,
        visit_used=False,
    )
    registration = Registration.submit(
        submission, id="r-1", origin=Origin(by="office"), assessment=assessment, at=A_MOMENT
    )
    if registration.state is not RegistrationState.REJECTED:
        registration.withdraw(by="office", reason="", at=A_MOMENT + timedelta(days=1))
    registration.erase(on_behalf_of="organisation", at=A_MOMENT + timedelta(days=2))
    return registration


def test_an_erased_receipt_keeps_the_verdict_and_no_number_or_cluster_that_tells_the_organisation() -> None:
    registration = an_erased_registration(
        vat="PT501964842", memberships=[{"name": "Lonely Fibres Cluster"}], pic="12345678"
    )
    left = registration.receipt.model_dump_json()
    assert registration.verdict is Verdict.INELIGIBLE
    assert "visitor-sme-membership" in left
    for told in ("Lonely Fibres Cluster", "501964842", "12345678"):
        assert told not in left


def test_the_facts_name_the_strongest_membership_and_count_weekdays_of_periods_that_touch() -> None:
    data = a_submission(
        availability=[
            {"first_day": "2023-02-15", "last_day": "2023-02-17"},
            {"first_day": "2023-02-10", "last_day": "2023-02-14"},
            {"first_day": "2023-03-01", "last_day": "2023-03-03"},
        ]
    )
    data["organisation"]["memberships"] = [
        {"name": "Sample Network", "kind": "business_network"},
        {"name": "One Cluster", "on_eccp": True},
        {"name": "Another Cluster", "on_eccp": True},
        {"name": "One Cluster", "on_eccp": True},
    ]
    facts = facts_of(Submission.model_validate(data), Identifiers(), visit_used=False, partnership=None)
    assert (facts.membership, facts.member_of) == ("eccp_cluster", ("One Cluster", "Another Cluster"))
    assert (facts.longest_period, facts.available_until) == (6, date(2023, 3, 3))


@given(st.dates(date(2014, 1, 1), date(2090, 1, 1)), st.integers(2, 60))
def test_weekdays_are_those_a_calendar_has(first: date, days: int) -> None:
    last = first + timedelta(days=days)
    availability = [{"first_day": first.isoformat(), "last_day": last.isoformat()}]
    submission = Submission.model_validate(a_submission(availability=availability))
    facts = facts_of(submission, Identifiers(), visit_used=False, partnership=None)
    counted = sum((first + timedelta(days=day)).weekday() < 5 for day in range(days + 1))
    assert facts.longest_period == counted
