"""Who may take part, as policy: one row a rule."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.registration.domain.eligibility import Screening, facts_of, screen
from services.registration.domain.identifiers import identify
from services.registration.rules_on_file import rule_sets_in
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import Role, Verdict
from tests.builders import a_host_submission, a_submission

RULES = rule_sets_in()
A_DAY = date(2023, 1, 16)

ELIGIBLE, INELIGIBLE, NEEDS_REVIEW = Verdict.ELIGIBLE, Verdict.INELIGIBLE, Verdict.NEEDS_REVIEW

CLUSTER_ON_ECCP = [{"name": "Sample Cluster", "on_eccp": True}]
CLUSTER = [{"name": "Sample Cluster"}]
NETWORK = [{"name": "Sample Network", "kind": "business_network"}]
NONE: list[dict[str, Any]] = []


def screened(
    data: dict[str, Any] | None = None,
    *,
    organisation: dict[str, Any] | None = None,
    participant: dict[str, Any] | None = None,
    roles: list[str] | None = None,
    visit_used: bool = False,
    partnership: str | None = "hempclub",
) -> Screening:
    data = data or a_submission()
    data["organisation"] |= organisation or {}
    data["participant"] |= participant or {}
    data["roles"] = roles or data["roles"]
    submission = Submission.model_validate(data)
    facts = facts_of(
        submission, identify(submission.organisation), visit_used=visit_used, partnership=partnership
    )
    return screen(facts, RULES.on(A_DAY, partnership), A_DAY)


def decisive(screening: Screening) -> set[str]:
    return {
        outcome.rule
        for outcome in screening.receipt.outcomes
        if outcome.outcome in ("failed", "needs_review")
    }


# ── the worked examples ──────────────────────────────────────────────────────────────────────


def test_a_lisbon_sme_in_an_eccp_cluster_on_its_first_visit_is_eligible() -> None:
    screening = screened()
    assert screening.verdict is ELIGIBLE
    assert screening.receipt.sentence == "You are eligible as a visitor: every rule that concerns you is met."


def test_a_visitor_already_paid_through_another_partnership_is_ineligible() -> None:
    screening = screened(visit_used=True)
    assert screening.verdict is INELIGIBLE
    assert screening.receipt.sentence == (
        "You are not eligible as a visitor, because your organisation has used its one visit of the scheme "
        "already, in whichever partnership that was."
    )


def test_a_used_visit_keeps_nobody_from_hosting() -> None:
    assert screened(a_host_submission(), visit_used=True).verdict is ELIGIBLE


def test_a_host_in_norway_is_ineligible_though_a_rate_is_on_file() -> None:
    screening = screened(a_host_submission(), organisation={"country": "NO"})
    assert screening.verdict is INELIGIBLE
    assert "registered in Norway, which does not take part" in screening.receipt.sentence


# ── countries ────────────────────────────────────────────────────────────────────────────────

EU = [
    "AT",
    "BE",
    "BG",
    "CY",
    "CZ",
    "DE",
    "DK",
    "EE",
    "ES",
    "FI",
    "FR",
    "GR",
    "HR",
    "HU",
    "IE",
    "IT",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "PL",
    "PT",
    "RO",
    "SE",
    "SI",
    "SK",
]
OTHERS_IN_COSME = ["AL", "AM", "BA", "IS", "MD", "ME", "MK", "RS", "TR", "UA", "XK"]


@pytest.mark.parametrize("country", [*EU, *OTHERS_IN_COSME, "EL"])
def test_organisations_of_participating_countries_are_eligible(country: str) -> None:
    assert screened(organisation={"country": country}).verdict is ELIGIBLE


@pytest.mark.parametrize("country", ["NO", "LI", "CH", "US", "GE", "IL", "RU", "GL"])
def test_organisations_of_other_countries_are_not(country: str) -> None:
    screening = screened(organisation={"country": country})
    assert (screening.verdict, decisive(screening)) == (INELIGIBLE, {"country-of-registration"})


@pytest.mark.parametrize("country", ["GB", "UK", "RE", "AX"])
def test_where_the_sources_do_not_settle_it_a_person_decides(country: str) -> None:
    screening = screened(organisation={"country": country})
    assert (screening.verdict, decisive(screening)) == (NEEDS_REVIEW, {"country-of-registration"})


@pytest.mark.parametrize(
    ("country", "also", "based_in", "verdict"),
    [
        ("PT", [], "CH", ELIGIBLE),  # registered in one country: where the person works is no matter
        ("CH", [], "PT", INELIGIBLE),
        ("PT", ["CH"], "PT", ELIGIBLE),
        ("CH", ["PT"], "PT", ELIGIBLE),
        ("PT", ["CH"], "CH", INELIGIBLE),
        ("PT", ["GB"], "UK", NEEDS_REVIEW),
        ("PT", ["CH"], None, NEEDS_REVIEW),
        ("PT", ["CH"], "US", NEEDS_REVIEW),
        ("PT", ["FR"], None, ELIGIBLE),  # whichever it is, it takes part
        ("PT", ["FR"], "US", NEEDS_REVIEW),
        ("NO", ["CH"], None, INELIGIBLE),  # whichever it is, it does not
        ("NO", ["CH"], "PT", INELIGIBLE),
        ("PT", ["PT"], "CH", ELIGIBLE),  # the same country twice is one
    ],
)
def test_of_several_countries_the_one_where_the_participant_is_based_decides(
    country: str, also: list[str], based_in: str | None, verdict: Verdict
) -> None:
    screening = screened(
        organisation={"country": country, "also_registered_in": also}, participant={"based_in": based_in}
    )
    assert screening.verdict is verdict


# ── third-country nationals ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("days", "permit", "business", "verdict"),
    [
        (183, True, True, ELIGIBLE),
        (182, True, True, INELIGIBLE),
        (0, True, True, INELIGIBLE),
        (400, False, True, INELIGIBLE),
        (400, True, False, INELIGIBLE),
        (None, True, True, NEEDS_REVIEW),
        (None, False, True, INELIGIBLE),
    ],
)
@pytest.mark.parametrize("role", ["visitor", "host"])
def test_a_third_country_national_needs_183_days_a_permit_and_a_business(
    days: int | None, permit: bool, business: bool, verdict: Verdict, role: str
) -> None:
    screening = screened(
        participant={
            "third_country_national": True,
            "residence_days": days,
            "residence_permit": permit,
            "business_in_scheme": business,
        },
        roles=[role],
    )
    assert screening.verdict is verdict
    assert decisive(screening) <= {"third-country-national"}


def test_nobody_else_is_asked_for_residence() -> None:
    assert screened(participant={"residence_days": 1}).verdict is ELIGIBLE


# ── kinds and memberships ────────────────────────────────────────────────────────────────────

SUPPORTING = [
    "tech_centre",
    "research_institute",
    "innovation_hub",
    "fab_lab",
    "creative_hub",
    "resource_efficiency_provider",
    "incubator",
    "accelerator",
]
HOSTS_ONLY = ["training_provider", "large_company", "public_authority"]

POLICY: list[tuple[str, str, list[dict[str, Any]], Verdict]] = [
    # kind, role, memberships, verdict
    ("cluster", "visitor", NONE, ELIGIBLE),
    ("cluster", "host", NONE, ELIGIBLE),
    ("business_network", "visitor", NONE, ELIGIBLE),
    ("business_network", "host", NONE, ELIGIBLE),
    ("sme", "visitor", CLUSTER_ON_ECCP, ELIGIBLE),
    ("sme", "visitor", CLUSTER_ON_ECCP + NETWORK, ELIGIBLE),
    ("sme", "visitor", CLUSTER, INELIGIBLE),
    ("sme", "visitor", NETWORK, INELIGIBLE),
    ("sme", "visitor", NONE, INELIGIBLE),
    ("sme", "host", CLUSTER_ON_ECCP, ELIGIBLE),
    ("sme", "host", CLUSTER, NEEDS_REVIEW),
    ("sme", "host", NETWORK, NEEDS_REVIEW),
    ("sme", "host", NONE, NEEDS_REVIEW),
    *((kind, role, CLUSTER, ELIGIBLE) for kind in SUPPORTING for role in ("visitor", "host")),
    *((kind, role, NETWORK, INELIGIBLE) for kind in SUPPORTING for role in ("visitor", "host")),
    *((kind, role, NONE, INELIGIBLE) for kind in SUPPORTING for role in ("visitor", "host")),
    *((kind, "visitor", CLUSTER_ON_ECCP, INELIGIBLE) for kind in HOSTS_ONLY),
    *((kind, "host", CLUSTER, ELIGIBLE) for kind in HOSTS_ONLY),
    *((kind, "host", NETWORK, INELIGIBLE) for kind in HOSTS_ONLY),
    *((kind, "host", NONE, INELIGIBLE) for kind in HOSTS_ONLY),
    ("other", "visitor", CLUSTER_ON_ECCP, NEEDS_REVIEW),
    ("other", "host", CLUSTER_ON_ECCP, NEEDS_REVIEW),
]


@pytest.mark.parametrize(("kind", "role", "memberships", "verdict"), POLICY)
def test_kind_and_membership_decide_by_role(
    kind: str, role: str, memberships: list[dict[str, Any]], verdict: Verdict
) -> None:
    screening = screened(organisation={"kind": kind, "memberships": memberships}, roles=[role])
    assert screening.verdict is verdict, screening.receipt.sentence


def test_an_sme_in_a_mere_business_network_reads_why_it_cannot_visit() -> None:
    assert screened(organisation={"memberships": NETWORK}).receipt.sentence == (
        "You are not eligible as a visitor, because an SME may visit only as a member of a cluster profiled "
        "on the European Cluster Collaboration Platform, and you name only a business network, "
        "“Sample Network”."
    )


# ── identifiers ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("identifiers", "role", "rules"),
    [
        ({"pic": None}, "visitor", {"visitor-once-only"}),
        ({"pic": None}, "host", set()),
        ({"pic": None, "euid": "PTRC.501964843"}, "visitor", set()),
        ({"pic": None, "vat": "PT501964843"}, "visitor", set()),
        ({"pic": None, "vat": "PT501964842"}, "visitor", {"visitor-once-only", "identifiers-valid"}),
        ({"vat": "PT501964842"}, "visitor", {"identifiers-valid"}),
        ({"vat": "PT501964842"}, "host", {"identifiers-valid"}),
        ({"pic": "12345678"}, "host", {"identifiers-valid"}),
        ({"pic": "12345678", "vat": "PT501964843"}, "visitor", {"identifiers-valid"}),
    ],
)
def test_a_visitor_can_be_recognised_and_every_identifier_given_holds(
    identifiers: dict[str, Any], role: str, rules: set[str]
) -> None:
    screening = screened(organisation=identifiers, roles=[role])
    assert decisive(screening) == rules
    assert screening.verdict is (NEEDS_REVIEW if rules else ELIGIBLE)


def test_the_sentence_says_which_identifier_does_not_hold() -> None:
    sentence = screened(organisation={"vat": "PT501964842", "pic": "12"}).receipt.sentence
    assert "VAT number PT501964842 and PIC 12" in sentence


def test_a_used_visit_is_found_also_when_another_identifier_is_faulty() -> None:
    screening = screened(organisation={"vat": "PT501964842"}, visit_used=True)
    assert screening.verdict is INELIGIBLE


def test_a_case_no_partnership_serves_goes_to_staff() -> None:
    screening = screened(partnership=None)
    assert (screening.verdict, decisive(screening)) == (NEEDS_REVIEW, {"partnership-to-decide"})


# ── both roles at once ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("organisation", "visit_used", "visitor", "host", "ending"),
    [
        (
            {},
            False,
            ELIGIBLE,
            ELIGIBLE,
            "eligible as a visitor and a host: every rule that concerns you is met.",
        ),
        ({}, True, INELIGIBLE, ELIGIBLE, "; as a host only, you would be eligible."),
        (
            {"memberships": NONE},
            False,
            INELIGIBLE,
            NEEDS_REVIEW,
            "; as a host only, your registration would go to staff.",
        ),
        ({"pic": None}, False, NEEDS_REVIEW, ELIGIBLE, "; as a host only, you would be eligible."),
        (
            {"country": "NO"},
            False,
            INELIGIBLE,
            INELIGIBLE,
            "in Norway, which does not take part in the scheme.",
        ),
    ],
)
def test_registered_as_both_the_worse_verdict_holds_and_the_receipt_says_which_role(
    organisation: dict[str, Any], visit_used: bool, visitor: Verdict, host: Verdict, ending: str
) -> None:
    screening = screened(organisation=organisation, roles=["visitor", "host"], visit_used=visit_used)
    assert screening.by_role == {Role.VISITOR: visitor, Role.HOST: host}
    assert screening.receipt.facts["verdict_by_role"] == {"visitor": visitor, "host": host}
    assert screening.receipt.sentence.endswith(ending), screening.receipt.sentence


# ── receipts ─────────────────────────────────────────────────────────────────────────────────


def test_the_receipt_keeps_facts_rule_set_and_every_rule_that_concerns_the_case() -> None:
    receipt = screened().receipt
    assert receipt.rule_set == "cxc-2020"
    assert receipt.facts == {
        "screened_on": "2023-01-16",
        "roles": ["visitor"],
        "kind": "sme",
        "registered_in": ["PT"],
        "membership": "eccp_cluster",
        "identifiers": ["pic:900000001"],
        "partnership": "hempclub",
        "longest_period_weekdays": 40,
        "available_until": "2023-03-31",
        "member_of": ["Sample Textile Cluster"],
        "visit_used": False,
        "verdict_by_role": {"visitor": "eligible"},
    }
    assert [(outcome.rule, outcome.outcome) for outcome in receipt.outcomes] == [
        ("country-of-registration", "passed"),
        ("third-country-national", "not_applicable"),
        ("visitor-kind", "passed"),
        ("visitor-sme-membership", "passed"),
        ("visitor-once-only", "passed"),
        ("identifiers-valid", "passed"),
        ("availability", "passed"),
        ("partnership-to-decide", "passed"),
    ]
    assert all(outcome.sentence.endswith(".") and outcome.source for outcome in receipt.outcomes)


def test_every_reason_is_in_the_sentence() -> None:
    sentence = screened(organisation={"country": "CH", "memberships": NONE}, visit_used=True).receipt.sentence
    assert sentence == (
        "You are not eligible as a visitor, because your organisation is registered in Switzerland, which "
        "does not take part in the scheme, and because an SME may visit only as a member of a cluster "
        "profiled on the European Cluster Collaboration Platform, and you name no cluster, and because your "
        "organisation has used its one visit of the scheme already, in whichever partnership that was."
    )
