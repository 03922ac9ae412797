"""Awkward cases, each with its right answer, as `cxc eligibility check` gives it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from ops.commands.eligibility import checked
from ops.sample import SAMPLE_PARTNERSHIPS
from services.registration.rules_on_file import rule_sets_in
from shared.errors import Malformed
from shared.partnerships import Partnerships, UnknownPartnership
from tests.builders import a_submission, an_inbox_event

A_MONDAY = date(2023, 1, 16)
RULES = rule_sets_in()
PARTNERSHIPS = Partnerships.load(SAMPLE_PARTNERSHIPS)
Data = dict[str, Any]


def check(data: Any, **how: Any) -> Data:
    """What the command prints for this registration, or event around one."""
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    return checked(content, rules=RULES, partnerships=PARTNERSHIPS, **{"on": A_MONDAY, **how})


def organisation(**changes: Any) -> Data:
    return {"organisation": changes}


def participant(**changes: Any) -> Data:
    return {"participant": changes}


def changed(*changes: Data) -> Data:
    """The eligible SME from Lisbon with these changes; in its organisation and participant they add up."""
    data = a_submission()
    for change in changes:
        for field, value in change.items():
            data[field] = {**data[field], **value} if field in ("organisation", "participant") else value
    return data


def registered(*countries: str, based_in: str | None = None) -> Data:
    first, *others = countries
    return organisation(country=first, also_registered_in=others) | participant(based_in=based_in)


def third_country(days: Any, *, permit: Any = True, business: Any = True) -> Data:
    return participant(
        third_country_national=True,
        residence_days=days,
        residence_permit=permit,
        business_in_scheme=business,
    )


def member_of(*kinds: str) -> Data:
    memberships = {
        "eccp": {"name": "Profiled Cluster", "on_eccp": True},
        "cluster": {"name": "Unprofiled Cluster"},
        "network": {"name": "Sample Network", "kind": "business_network"},
        "network on eccp": {"name": "Sample Network", "kind": "business_network", "on_eccp": True},
    }
    return organisation(memberships=[memberships[kind] for kind in kinds])


def available(*spans: str) -> Data:
    return {"availability": [dict(zip(("first_day", "last_day"), s.split(".."), strict=True)) for s in spans]}


VISITOR, HOST, BOTH = {"roles": ["visitor"]}, {"roles": ["host"]}, {"roles": ["visitor", "host"]}
USED = {"visit_used": True}
COUNTRY, THIRD = "country-of-registration", "third-country-national"
ONCE, NUMBERS = "visitor-once-only", "identifiers-valid"
NO_NUMBER = organisation(pic=None)

Case = tuple[str, list[Data], str, str, str]
"""What is awkward, what is changed, the verdict, the rules that decided, and what the applicant reads."""

COUNTRIES: list[Case] = [
    ("Greece by the EU's code", [registered("EL")], "eligible", "", ""),
    ("lower case and blanks", [registered(" el ")], "eligible", "", ""),
    ("a hard blank", [registered("\u00a0pt\u2003")], "eligible", "", ""),
    ("Kosovo", [registered("xk")], "eligible", "", ""),
    ("Turkey", [registered("TR")], "eligible", "", ""),
    (
        "the EU's UK",
        [registered("UK")],
        "needs_review",
        COUNTRY,
        "the United Kingdom, and the scheme's sources",
    ),
    ("Norway, with a rate", [registered("NO")], "ineligible", COUNTRY, "Norway, which does not take part"),
    ("Liechtenstein, with a rate", [registered("LI")], "ineligible", COUNTRY, "Liechtenstein"),
    ("Switzerland", [registered("CH")], "ineligible", COUNTRY, "Switzerland"),
    ("Norway, hosting", [registered("NO"), HOST], "ineligible", COUNTRY, "as a host"),
    ("Georgia is not Germany", [registered("GE")], "ineligible", COUNTRY, "Georgia"),
    ("Greenland is not Denmark", [registered("GL")], "ineligible", COUNTRY, "Greenland"),
    ("a part of France overseas", [registered("RE")], "needs_review", COUNTRY, "Reunion"),
    ("one country: its base is no matter", [registered("PT", based_in="CH")], "eligible", "", ""),
    ("... nor does a base help", [registered("CH", based_in="PT")], "ineligible", COUNTRY, "Switzerland"),
    ("in and out, based in", [registered("CH", "PT", based_in="pt")], "eligible", "", ""),
    (
        "in and out, based out",
        [registered("PT", "CH", based_in="CH")],
        "ineligible",
        COUNTRY,
        "registered in several countries, and you are based in Switzerland, which does not take part",
    ),
    (
        "in and out, base unknown",
        [registered("PT", "CH")],
        "needs_review",
        COUNTRY,
        "Portugal and Switzerland, and you do not say in which of them you are based",
    ),
    (
        "in and out, based in neither",
        [registered("PT", "CH", based_in="US")],
        "needs_review",
        COUNTRY,
        "you are based in the United States, which is none of them",
    ),
    ("both in, base unknown: either will do", [registered("PT", "FR")], "eligible", "", ""),
    ("both in, based in neither", [registered("PT", "FR", based_in="BR")], "needs_review", COUNTRY, "Brazil"),
    (
        "both out, based in a third that is in",
        [registered("NO", "CH", based_in="PT")],
        "ineligible",
        COUNTRY,
        "Norway and Switzerland, which do not take part",
    ),
    ("UK and Ireland, based in Ireland", [registered("UK", "IE", based_in="IE")], "eligible", "", ""),
    (
        "UK and Ireland, based in the UK",
        [registered("IE", "UK", based_in="GB")],
        "needs_review",
        COUNTRY,
        "Kingdom",
    ),
    (
        "UK and Ireland, base unknown",
        [registered("GB", "IE")],
        "needs_review",
        COUNTRY,
        "the United Kingdom and",
    ),
    ("the same country by two codes", [registered("GR", "EL", "gr")], "eligible", "", ""),
]

PEOPLE: list[Case] = [
    ("182 days", [third_country(182)], "ineligible", THIRD, "with 182 days of residence"),
    ("183 days", [third_country(183)], "eligible", "", ""),
    ("184 days", [third_country(184)], "eligible", "", ""),
    ("one day", [third_country(1)], "ineligible", THIRD, "with 1 day of residence"),
    ("no day", [third_country(0)], "ineligible", THIRD, "with 0 days of residence"),
    ("days as text", [third_country(" 183 ")], "eligible", "", ""),
    ("days unknown", [third_country(None)], "needs_review", THIRD, "you do not state the days of residence."),
    ("permit unknown", [third_country(200, permit=None)], "needs_review", THIRD, "do not state the permit."),
    (
        "nothing but the nationality",
        [participant(third_country_national=True)],
        "needs_review",
        THIRD,
        "do not state the days of residence, the permit and the business.",
    ),
    ("no permit", [third_country(400, permit=False)], "ineligible", THIRD, "without a permit"),
    ("no business", [third_country(400, business=False)], "ineligible", THIRD, "nor means to"),
    ("no permit, days unknown", [third_country(None, permit=False)], "ineligible", THIRD, "without a permit"),
    ("too few days, permit unknown", [third_country(182, permit=None)], "ineligible", THIRD, "182 days"),
    ("it holds for hosts too", [third_country(182), HOST], "ineligible", THIRD, "182 days"),
    ("a national with few days", [participant(residence_days=3)], "eligible", "", ""),
]

SME_VISIT, SME_HOST = "visitor-sme-membership", "host-sme-membership"
CLUSTER_VISIT, CLUSTER_HOST = "visitor-cluster-membership", "host-cluster-membership"
LARGE, KIND = "visitor-large-company", "visitor-kind"

KINDS: list[Case] = [
    (
        "SME in a network alone",
        [member_of("network")],
        "ineligible",
        SME_VISIT,
        "a business network, “Sample",
    ),
    (
        "... hosts when approved",
        [member_of("network"), HOST],
        "needs_review",
        SME_HOST,
        "approved it in advance",
    ),
    ("SME in a network on the ECCP", [member_of("network on eccp")], "ineligible", SME_VISIT, "network"),
    ("SME in a network and a cluster", [member_of("network", "eccp")], "eligible", "", ""),
    ("SME in two clusters, one profiled", [member_of("cluster", "eccp")], "eligible", "", ""),
    ("SME in an unprofiled cluster", [member_of("cluster")], "ineligible", SME_VISIT, "“Unprofiled Cluster”"),
    (
        "... hosts when approved",
        [member_of("cluster"), HOST],
        "needs_review",
        SME_HOST,
        "“Unprofiled Cluster”",
    ),
    ("SME in no cluster", [member_of()], "ineligible", SME_VISIT, "you name no cluster"),
    ("... hosts when approved", [member_of(), HOST], "needs_review", SME_HOST, "you name no cluster"),
    (
        "a large company visits",
        [organisation(kind="large_company")],
        "ineligible",
        LARGE,
        "host but not visit",
    ),
    ("... hosts as a member", [organisation(kind="large_company"), HOST], "eligible", "", ""),
    (
        "... hosts, but no member",
        [organisation(kind="large_company"), member_of(), HOST],
        "ineligible",
        CLUSTER_HOST,
        "a large company, which may host only as a member of a cluster, and you name no cluster",
    ),
    (
        "... hosts, but in a network",
        [organisation(kind="large_company"), member_of("network"), HOST],
        "ineligible",
        CLUSTER_HOST,
        "only a business network",
    ),
    ("a training provider visits", [organisation(kind="training_provider")], "ineligible", KIND, "training"),
    ("... hosts", [organisation(kind="training_provider"), HOST], "eligible", "", ""),
    (
        "a public authority visits",
        [organisation(kind="public_authority")],
        "ineligible",
        KIND,
        "a public auth",
    ),
    ("... hosts", [organisation(kind="public_authority"), HOST], "eligible", "", ""),
    ("a network visits", [organisation(kind="business_network"), member_of()], "eligible", "", ""),
    ("a cluster that names no cluster", [organisation(kind="cluster"), member_of()], "eligible", "", ""),
    (
        "a lab in an unprofiled cluster",
        [organisation(kind="fab_lab"), member_of("cluster")],
        "eligible",
        "",
        "",
    ),
    (
        "an incubator in no cluster",
        [organisation(kind="incubator"), member_of()],
        "ineligible",
        CLUSTER_VISIT,
        "an incubator, which may visit only as a member",
    ),
    ("another kind visits", [organisation(kind="other")], "needs_review", KIND, "none of the kinds"),
    (
        "another kind hosts",
        [organisation(kind="other"), HOST],
        "needs_review",
        "host-kind",
        "none of the kinds",
    ),
]

ROLES: list[Case] = [
    (
        "large company as both",
        [organisation(kind="large_company"), BOTH],
        "ineligible",
        LARGE,
        "as a visitor, because your organisation is a large company, and large companies may host but not "
        "visit; as a host only, you would be eligible.",
    ),
    (
        "SME in a network as both",
        [member_of("network"), BOTH],
        "ineligible",
        f"{SME_VISIT} {SME_HOST}",
        "; as a host only, your registration would go to staff.",
    ),
    (
        "no number as both",
        [NO_NUMBER, BOTH],
        "needs_review",
        ONCE,
        "; as a host only, you would be eligible.",
    ),
    ("one role twice", [{"roles": ["visitor", "visitor"]}], "eligible", "", "eligible as a visitor:"),
    (
        "both, the other way round",
        [{"roles": ["host", "visitor"]}],
        "eligible",
        "",
        "as a host and a visitor:",
    ),
    ("out for both", [registered("NO"), BOTH], "ineligible", COUNTRY, "eligible as a visitor and a host,"),
]

IDENTIFIERS: list[Case] = [
    ("no number, visiting", [NO_NUMBER], "needs_review", ONCE, "no valid VAT number"),
    ("no number, hosting", [NO_NUMBER, HOST], "eligible", "", ""),
    ("empty numbers", [organisation(vat="", euid=" ", pic="\t")], "needs_review", ONCE, "is given"),
    ("VAT with blanks and dots", [NO_NUMBER, organisation(vat=" pt 501.964-843 ")], "eligible", "", ""),
    ("VAT without its prefix", [NO_NUMBER, organisation(vat="501964843")], "eligible", "", ""),
    (
        "VAT with a wrong digit",
        [organisation(vat="PT501964842")],
        "needs_review",
        NUMBERS,
        "VAT number PT501964842",
    ),
    (
        "a wrong VAT number alone",
        [NO_NUMBER, organisation(vat="PT501964842")],
        "needs_review",
        f"{ONCE} {NUMBERS}",
        "PT501964842",
    ),
    ("VAT of another country", [NO_NUMBER, organisation(vat="NL858714498B01")], "eligible", "", ""),
    ("VAT with EL", [NO_NUMBER, registered("GR"), organisation(vat="EL094259216")], "eligible", "", ""),
    ("VAT with GR", [NO_NUMBER, registered("EL"), organisation(vat="GR094259216")], "eligible", "", ""),
    (
        "VAT of Northern Ireland",
        [NO_NUMBER, registered("GB"), organisation(vat="XI980780684")],
        "needs_review",
        COUNTRY,
        "United Kingdom",
    ),
    ("VAT in look-alike letters", [organisation(vat="ΡΤ501964843")], "needs_review", NUMBERS, "ΡΤ501964843"),
    ("PIC too short", [organisation(pic="99997853")], "needs_review", f"{ONCE} {NUMBERS}", "PIC 99997853"),
    ("PIC too long", [organisation(pic="9999785301")], "needs_review", f"{ONCE} {NUMBERS}", "PIC 9999785301"),
    ("PIC with blanks", [organisation(pic="999 978 530")], "eligible", "", ""),
    ("EUID", [NO_NUMBER, organisation(euid="ptrc.501964843")], "eligible", "", ""),
    ("EUID without a register", [organisation(euid="501964843")], "needs_review", NUMBERS, "EUID 501964843"),
    ("visit used", [USED], "ineligible", ONCE, "has used its one visit of the scheme already"),
    ("visit used, hosting", [USED, HOST], "eligible", "", ""),
    ("visit used, as both", [USED, BOTH], "ineligible", ONCE, "; as a host only, you would be eligible."),
]

WHEN = "availability"
ASSIGNED = "partnership-to-decide"

REST: list[Case] = [
    ("three working days", [available("2023-02-14..2023-02-16")], "eligible", "", ""),
    ("two working days", [available("2023-02-16..2023-02-19")], "needs_review", WHEN, "has 2 working days"),
    ("a long weekend", [available("2023-02-17..2023-02-19")], "needs_review", WHEN, "has 1 working day."),
    ("two that overlap", [available("2023-02-17..2023-02-20", "2023-02-18..2023-02-21")], "eligible", "", ""),
    (
        "two that do not",
        [available("2023-02-17..2023-02-20", "2023-02-24..2023-02-27")],
        "needs_review",
        WHEN,
        "has 2 working days",
    ),
    ("all days there are", [available("2014-01-01..2099-12-31")], "eligible", "", ""),
    ("over already", [available("2022-02-14..2022-03-16")], "eligible", "", ""),
    (
        "a field nobody serves",
        [{"ecosystems": ["tourism"], "partnership": None}],
        "needs_review",
        ASSIGNED,
        "choose",
    ),
    (
        "not in this country",
        [{"ecosystems": ["digital"], "partnership": None}],
        "needs_review",
        ASSIGNED,
        "no partnership serves these ecosystems",
    ),
    ("chosen from elsewhere", [{"ecosystems": ["tourism"]}], "eligible", "", ""),
    ("a name in any script", [organisation(name="Ζωή 🌿 \u202eevil", city="Łódź")], "eligible", "", ""),
    (
        "braces in a cluster's name",
        [organisation(memberships=[{"name": "{0.x} {"}])],
        "ineligible",
        SME_VISIT,
        "{0.x} {",
    ),
    (
        "nulls where nothing is known",
        [{"partnership": None}, organisation(vat=None, lat=None)],
        "eligible",
        "",
        "",
    ),
    (
        "all at once",
        [registered("CH"), member_of(), USED],
        "ineligible",
        f"{COUNTRY} {SME_VISIT} {ONCE}",
        "and because",
    ),
]

CASES = [*COUNTRIES, *PEOPLE, *KINDS, *ROLES, *IDENTIFIERS, *REST]


@pytest.mark.parametrize(
    ("changes", "verdict", "rules", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_awkward_but_sound(changes: list[Data], verdict: str, rules: str, said: str) -> None:
    used = USED in changes
    answer = check(changed(*(change for change in changes if change is not USED)), visit_used=used)
    assert answer["verdict"] == verdict, answer["sentence"]
    decided = {rule["rule"] for rule in answer["rules"] if rule["outcome"] in ("failed", "needs_review")}
    assert decided == set(rules.split())
    assert said in answer["sentence"]
    for rule in decided:
        assert rule in answer["for_staff"]
    for sentence in (
        answer["sentence"],
        answer["for_staff"],
        *(rule["sentence"] for rule in answer["rules"]),
    ):
        assert sentence.endswith(".")
        assert "None" not in sentence


# ── what is no registration ──────────────────────────────────────────────────────────────────

MALFORMED: list[tuple[str, Any, str, str]] = [
    ("no country", changed(organisation(country="ZZ")), "/organisation/country", "'ZZ' is not a country"),
    ("an empty country", changed(organisation(country="")), "/organisation/country", "is not a country"),
    ("a country in words", changed(organisation(country="Portugal")), "/organisation/country", "two-letter"),
    ("three letters", changed(organisation(country="PRT")), "/organisation/country", "two-letter"),
    ("the Union", changed(organisation(country="EU")), "/organisation/country", "'EU' is not a country"),
    ("Northern Ireland's code", changed(organisation(country="XI")), "/organisation/country", "'XI'"),
    ("a country as null", changed(organisation(country=None)), "/organisation/country", ""),
    ("no such base", changed(participant(based_in="Q1")), "/participant/based_in", "'Q1'"),
    ("one bad of many", changed(registered("PT", "FR", "??")), "/organisation/also_registered_in/1", "'??'"),
    (
        "countries as null",
        changed(organisation(also_registered_in=None)),
        "/organisation/also_registered_in",
        "list",
    ),
    ("a kind in capitals", changed(organisation(kind="SME")), "/organisation/kind", "'sme'"),
    ("a role of another name", changed({"roles": ["guest"]}), "/roles/0", "'visitor' or 'host'"),
    ("no role", changed({"roles": []}), "/roles", "at least 1 item"),
    ("three roles", changed({"roles": ["visitor", "host", "host"]}), "/roles", "2 items at the most"),
    ("a role and no list", changed({"roles": "visitor"}), "/roles", "list"),
    (
        "days below none",
        changed(third_country(-1)),
        "/participant/residence_days",
        "",
    ),
    ("half a day", changed(third_country(182.5)), "/participant/residence_days", ""),
    ("days without end", changed(third_country(10**400)), "/participant/residence_days", ""),
    ("days that are true", changed(third_country(True)), "/participant/residence_days", "true or false"),
    ("days in words", changed(third_country("many")), "/participant/residence_days", ""),
    (
        "a permit in words",
        changed(third_country(183, permit="maybe")),
        "/participant/residence_permit",
        "",
    ),
    ("a VAT number as number", changed(organisation(vat=501964843)), "/organisation/vat", ""),
    ("a PIC as number", changed(organisation(pic=999978530)), "/organisation/pic", ""),
    ("a PIC in a sentence", changed(organisation(pic="PIC 999978530")), "/organisation/pic", "12 characters"),
    ("a blank name", changed(organisation(name=" \u00a0 ")), "/organisation/name", "is empty"),
    (
        "a nameless cluster",
        changed(organisation(memberships=[{"name": ""}])),
        "/organisation/memberships/0/name",
        "empty",
    ),
    (
        "a cluster as text",
        changed(organisation(memberships=["X"])),
        "/organisation/memberships/0",
        "JSON object",
    ),
    ("one coordinate", changed(organisation(lat=38.7)), "/organisation", "both lat and lon"),
    ("no number of a place", changed(organisation(lat=float("nan"), lon=0)), "/organisation/lat", ""),
    ("days reversed", changed(available("2023-03-16..2023-03-15")), "/availability/0", "is before first_day"),
    (
        "no such day",
        changed(available("2023-02-28..2023-02-29")),
        "/availability/0/last_day",
        "not a valid date",
    ),
    (
        "a day as number",
        changed({"availability": [{"first_day": 0, "last_day": "2023-02-28"}]}),
        "/availability/0/first_day",
        "date",
    ),
    ("never available", changed({"availability": []}), "/availability", "at least 1 item"),
    ("a partnership in words", changed({"partnership": "Hemp Club"}), "/partnership", "a partnership's id"),
    (
        "a misspelt field",
        changed(organisation(vta="PT501964843")),
        "/organisation/vta",
        "not a field of this",
    ),
    ("an organisation as null", changed() | {"organisation": None}, "/organisation", "is not a JSON object"),
    ("a list", [changed()], "", "is not a JSON object"),
    ("null", None, "", "is not a JSON object"),
    ("nothing", b" \n", "", "there is nothing in it"),
    ("no JSON", b'{"roles": ["visitor",]}', "", "line 1, column 2"),
    ("two at once", b"{}\n{}", "", "it is not JSON"),
    ("no UTF-8", b'{"roles": "\xff"}', "", "UTF-8"),
    ("half a character", b'{"roles": "\\ud800"}', "", "half of a character"),
    ("too deep", b"[" * 100_000, "", "too deeply"),
    ("too many digits", b"9" * 5000, "", "too many digits"),
]


@pytest.mark.parametrize(
    ("data", "pointer", "said"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED]
)
def test_malformed(data: Any, pointer: str, said: str) -> None:
    with pytest.raises(Malformed) as refused:
        check(data)
    problem = refused.value.problem()
    assert (problem["status"], problem["title"]) == (422, "The request is malformed")
    [error] = problem["errors"]
    assert error["pointer"] == pointer
    assert said in error["detail"]


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(Malformed) as refused:
        check(b"{}")
    pointers = {error["pointer"] for error in refused.value.errors}
    assert pointers == {"/organisation", "/participant", "/roles", "/goals", "/ecosystems", "/availability"}


def test_an_unknown_partnership_is_answered_as_the_api_does_with_the_field() -> None:
    with pytest.raises(UnknownPartnership, match="there are: hempclub, ") as refused:
        check(changed({"partnership": "no-such-club"}))
    assert refused.value.problem()["status"] == 409
    assert refused.value.errors[0]["pointer"] == "/partnership"


# ── what staff read ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "for_staff"),
    [
        (
            [],
            "Eligible as a visitor: no rule fails or is open, so it can be accepted.",
        ),
        (
            [available("2022-02-14..2022-03-16")],
            "Eligible as a visitor: no rule fails or is open, so it can be accepted; see also "
            "availability (availability ended on 16 March 2022: ask for an amendment with new dates).",
        ),
        (
            [member_of("network"), HOST],
            "For you to decide as a host because of host-sme-membership (ask the agency for its approval in "
            "advance and accept only with it on file; or, if its cluster has a profile on the platform "
            "(ECCP), ask for an amendment that names the cluster).",
        ),
        (
            [organisation(kind="large_company", vat="PT501964842"), BOTH],
            "Not eligible as a visitor because of visitor-large-company (check by the EU's definition "
            "whether it is an SME after all; if not, it can still host); as a host only, it would be for you "
            "to decide; see also identifiers-valid (compare VAT number PT501964842 with VIES, the business "
            "register or the EU's participant register, and ask for an amendment); an amendment is screened "
            "anew, and to accept it as it is you must give a reason.",
        ),
    ],
)
def test_staff_read_which_rules_decided_and_what_they_can_do(changes: list[Data], for_staff: str) -> None:
    assert check(changed(*changes))["for_staff"] == for_staff


# ── how it is asked ──────────────────────────────────────────────────────────────────────────


def test_a_cloudevent_around_a_registration_is_read_and_its_faults_are_found_inside() -> None:
    assert check(an_inbox_event(a_submission()))["verdict"] == "eligible"
    with pytest.raises(Malformed) as refused:
        check(an_inbox_event(changed(organisation(country="ZZ"))))
    assert [error["pointer"] for error in refused.value.errors] == ["/data/organisation/country"]


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        (an_inbox_event({"reason": ""}, type="cxc.registration.withdraw.v1"), "/type"),
        (an_inbox_event(a_submission(), type="cxc.registration.enrol.v1"), "/type"),
        ({"specversion": "1.0", "type": "x", "source": "/s"}, "/id"),
    ],
)
def test_a_cloudevent_without_a_registration_is_told_so(event: Data, pointer: str) -> None:
    with pytest.raises(Malformed) as refused:
        check(event)
    assert pointer in [error["pointer"] for error in refused.value.errors]


def test_another_day_and_another_partnership_can_be_asked_about() -> None:
    later = check(a_submission(), on=date(2024, 6, 1), partnership="sample-baltic-digital")
    assert later["facts"]["screened_on"] == "2024-06-01"
    assert later["partnership"] == later["facts"]["partnership"] == "sample-baltic-digital"
