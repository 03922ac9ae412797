"""The form: what is taken as it is meant, and what each wrong entry is told."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from services.registration.domain.registration import Registration
from services.registration.use_cases.submit_registration import submit_registration
from shared.contracts.registration import Submission
from shared.problems import field_problems
from tests.builders import a_submission
from tests.unit.registration.service import A_PARTICIPANT, transactions


def organisation(**changes: Any) -> dict[str, Any]:
    return a_submission(organisation={**a_submission()["organisation"], **changes})


def participant(**changes: Any) -> dict[str, Any]:
    return a_submission(participant={**a_submission()["participant"], **changes})


def times(*spans: tuple[str, str]) -> dict[str, Any]:
    return a_submission(availability=[{"first_day": first, "last_day": last} for first, last in spans])


KINDS = (
    "'cluster', 'business_network', 'sme', 'tech_centre', 'research_institute', 'innovation_hub', 'fab_lab', "
    "'creative_hub', 'resource_efficiency_provider', 'incubator', 'accelerator', 'training_provider', "
    "'large_company', 'public_authority' or 'other'"
)
REGION = (
    "is not a region code; give the end of its ISO 3166-2 code, such as BY for Bavaria (DE-BY), or leave "
    "it out"
)
WEBSITE = "is not a web address, such as https://www.organisation.example"
WRONG: list[tuple[dict[str, Any], str, str]] = [
    # who registers
    (organisation(name=""), "/organisation/name", "is empty"),
    (organisation(name=" \t "), "/organisation/name", "is empty"),
    (organisation(name="\u200b"), "/organisation/name", "is empty"),
    (organisation(name="---"), "/organisation/name", "says nothing; write at least a letter or a digit"),
    (
        organisation(name="Tagus\x00Fibre"),
        "/organisation/name",
        "holds an unprintable character (U+0000); type the text anew",
    ),
    (organisation(name="x" * 301), "/organisation/name", "can have 300 characters at the most"),
    (organisation(name=5), "/organisation/name", "must be text"),
    (organisation(city="?"), "/organisation/city", "says nothing; write at least a letter or a digit"),
    (organisation(kind="SME"), "/organisation/kind", f"must be {KINDS}"),
    (organisation(postcode="1" * 21), "/organisation/postcode", "can have 20 characters at the most"),
    (organisation(region="Bavaria"), "/organisation/region", REGION),
    (organisation(region="DE-BY"), "/organisation/region", REGION),
    (organisation(website="our page"), "/organisation/website", WEBSITE),
    (organisation(website="javascript:alert(1)"), "/organisation/website", WEBSITE),
    (organisation(website="javascript://tagus.example/%0aalert(1)"), "/organisation/website", WEBSITE),
    (organisation(website='tagus.example/"onload='), "/organisation/website", WEBSITE),
    (organisation(website="ftp://tagus.example"), "/organisation/website", WEBSITE),
    (organisation(lat=91, lon=0), "/organisation/lat", "must be 90 at the most"),
    (organisation(lat="north", lon=0), "/organisation/lat", "must be a number"),
    (organisation(lat=38.7), "/organisation", "give both lat and lon, or neither"),
    (
        organisation(memberships=[{"name": "Sample Cluster", "kind": "club"}]),
        "/organisation/memberships/0/kind",
        "must be 'cluster' or 'business_network'",
    ),
    (
        organisation(memberships=[{"name": "Sample Cluster", "on_eccp": "perhaps"}]),
        "/organisation/memberships/0/on_eccp",
        "must be true or false",
    ),
    (organisation(memberships="Sample Cluster"), "/organisation/memberships", "must be a list"),
    # who would travel
    (
        participant(email="office at tagus"),
        "/participant/email",
        "is not a mail address, such as office@organisation.example",
    ),
    (
        participant(language="gr"),
        "/participant/language",
        "'gr' is not a language code of two letters (ISO 639-1), such as en or el",
    ),
    (participant(residence_days=-1), "/participant/residence_days", "must be 0 at least"),
    (participant(residence_days="long"), "/participant/residence_days", "must be a whole number"),
    # what for, and when
    (a_submission(roles=["tourist"]), "/roles/0", "must be 'visitor' or 'host'"),
    (a_submission(needs=["x"]), "/needs/0", "needs 2 characters at least"),
    (a_submission(offers=["!!"]), "/offers/0", "says nothing; write at least a letter or a digit"),
    (
        a_submission(motivation="bell\x07"),
        "/motivation",
        "holds an unprintable character (U+0007); type the text anew",
    ),
    (a_submission(motivation="x" * 4001), "/motivation", "can have 4000 characters at the most"),
    (a_submission(languages=[]), "/languages", "needs at least 1 item, and has 0"),
    (
        times(("2023-02-06", "2023-02-07")),
        "/availability/0",
        "has 2 days from 2023-02-06 to 2023-02-07; give 3 or more, as a stay takes three working days",
    ),
    (
        times(("2023-02-06", "2023-03-31"), ("2023-04-06", "2023-04-06")),
        "/availability/1",
        "has 1 day from 2023-04-06 to 2023-04-06; give 3 or more, as a stay takes three working days",
    ),
    (
        times(("0203-02-06", "2023-03-31")),
        "/availability/0",
        "goes from 0203-02-06 to 2023-03-31, which is outside of the years 2014 to 2099",
    ),
    (
        times(("06.02.2023", "2023-03-31")),
        "/availability/0/first_day",
        "is not a valid date; write it as 2027-02-08",
    ),
    (a_submission(preferences={"working_days": 2}), "/preferences/working_days", "must be 3 at least"),
    (a_submission(preferences={"working_days": 24}), "/preferences/working_days", "must be 23 at the most"),
    (a_submission(host_places=1.5), "/host_places", "must be a whole number"),
]


@pytest.mark.parametrize(
    ("content", "pointer", "said"), WRONG, ids=[f"{row[1]}: {row[2][:40]}" for row in WRONG]
)
def test_a_wrong_entry_is_told_what_to_write(content: dict[str, Any], pointer: str, said: str) -> None:
    with pytest.raises(ValidationError) as failed:
        Submission.model_validate(content)
    [problem] = field_problems(failed.value.errors())
    assert (problem.pointer, problem.detail) == (pointer, said)


MEANT: list[tuple[dict[str, Any], str, Any]] = [
    (organisation(name="  Tagus\n Fibre\u00adWorks\ufeff "), "organisation.name", "Tagus FibreWorks"),
    (organisation(name="3D"), "organisation.name", "3D"),
    (organisation(name="Ίνες Τάγου"), "organisation.name", "Ίνες Τάγου"),
    (organisation(name="\u202eskroW"), "organisation.name", "skroW"),
    (organisation(region=" by "), "organisation.region", "BY"),
    (
        organisation(website="www.tagus.example/about?lang=pt"),
        "organisation.website",
        "www.tagus.example/about?lang=pt",
    ),
    (
        organisation(website=" http://tagus.example:8080 "),
        "organisation.website",
        "http://tagus.example:8080",
    ),
    *(
        (organisation(**{field: blank}), f"organisation.{field}", None)
        for field in ("postcode", "street", "region", "vat", "euid", "pic", "website")
        for blank in ("", "  ", None)
    ),
    (organisation(lat="", lon=" "), "organisation.lat", None),
    (participant(based_in=""), "participant.based_in", None),
    (participant(residence_days=""), "participant.residence_days", None),
    (a_submission(preferences={"working_days": ""}), "preferences.working_days", None),
    (participant(language=" EN "), "participant.language", "en"),
    (a_submission(partnership=""), "partnership", None),
    (a_submission(roles=["host", "host"]), "roles", ["host"]),
    (a_submission(needs=["Spinning", "spinning "]), "needs", ["spinning"]),
    (a_submission(languages=["pt", "PT", "en"]), "languages", ["pt", "en"]),
    (a_submission(motivation="one\n\n\ttwo\r\n"), "motivation", "one\n\n\ttwo"),
]


@pytest.mark.parametrize(("content", "field", "taken"), MEANT, ids=[f"{row[1]}={row[2]}" for row in MEANT])
def test_what_is_meant_is_taken(content: dict[str, Any], field: str, taken: Any) -> None:
    value: Any = Submission.model_validate(content)
    for part in field.split("."):
        value = getattr(value, part)
    assert value == taken


def test_a_time_named_twice_counts_once() -> None:
    twice = Submission.model_validate(times(*[("2023-02-06", "2023-03-31")] * 2))
    assert len(twice.availability) == 1


async def test_what_was_taken_by_earlier_rules_can_still_be_read() -> None:
    store = transactions()
    submission = Submission.model_validate(a_submission())
    id = (await store.run(lambda uow: submit_registration(uow, submission, by=A_PARTICIPANT))).id
    stored = store.database[Registration.COLLECTION][id]
    stored["submission"]["availability"] = [{"first_day": "2023-02-06", "last_day": "2023-02-06"}]
    stored["submission"]["motivation"] = "bell\x07"
    stored["submission"]["organisation"] |= {"region": "BAVARIA", "website": "our page", "city": "?"}
    stored["submission"]["languages"] = ["xx"]
    read = await store.read(lambda uow: uow.registrations.get(id))
    assert read.submission.organisation.region == "BAVARIA"
    assert read.submission.languages == ["xx"]
