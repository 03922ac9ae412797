"""The form of a registration: what is typed as a submission and back, what an API says beside the fields."""

from __future__ import annotations

from typing import Any, Final

import pytest
from pydantic import ValidationError

from services.console.domain.registration_form import (
    STEPS,
    column_of,
    faults_of,
    field_of,
    filled_in,
    fingerprint,
    in_plain_words,
    steps_lacking,
    values_of,
)
from shared.contracts.registration import Submission
from shared.problems import field_problems

STEP: Final = {step.name: step for step in STEPS}
TYPED: Final[dict[str, list[str]]] = {
    "organisation.name": ["Tessitura Alba"],
    "organisation.kind": ["sme"],
    "organisation.pic": ["101000045"],
    "organisation.memberships.0.name": ["Alba Fibres Cluster"],
    "organisation.memberships.0.kind": ["cluster"],
    "organisation.memberships.0.on_eccp": ["true"],
    "organisation.memberships.1.name": [""],
    "organisation.memberships.1.kind": ["cluster"],
    "organisation.country": ["IT"],
    "organisation.city": ["Alba"],
    "organisation.lat": ["44,7009"],
    "organisation.lon": ["8.0357"],
    "roles": ["visitor", "host"],
    "goals": ["adopt_technology"],
    "ecosystems": ["textile"],
    "needs": ["hemp processing, natural dyes\r\ncold chain\r\n"],
    "offers": [""],
    "host_places": ["2"],
    "availability.0.first_day": ["2027-03-01"],
    "availability.0.last_day": ["2027-05-28"],
    "availability.1.first_day": [""],
    "availability.1.last_day": [""],
    "availability.7.first_day": ["2027-09-01"],
    "availability.7.last_day": ["2027-09-30"],
    "preferences.working_days": ["5"],
    "preferences.countries": ["PT"],
    "pre_agreed.0.registration_id": ["https://cxc.example/registrations/01990a3e-1?sent=1#top"],
    "pre_agreed.0.first_day": ["2027-03-08"],
    "pre_agreed.0.last_day": ["2027-03-12"],
    "participant.email": ["office@tessitura-alba.example"],
    "participant.language": ["it"],
    "participant.residence_permit": ["no"],
    "languages": ["it", "en"],
}


def content_of(typed: dict[str, list[str]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for step in STEPS:
        content = filled_in(content, step, typed)
    return content


def problems_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    with pytest.raises(ValidationError) as refused:
        Submission.model_validate(content)
    return [problem.model_dump() for problem in field_problems(refused.value.errors())]


def test_what_is_typed_becomes_a_submission() -> None:
    sent = Submission.model_validate(content_of(TYPED))

    assert sent.organisation.memberships[0].on_eccp
    assert len(sent.organisation.memberships) == 1, "a row with nothing in it is none"
    assert (sent.organisation.lat, sent.organisation.lon) == (44.7009, 8.0357)
    assert sent.needs == ["hemp processing", "natural dyes", "cold chain"]
    assert [span.first_day.isoformat() for span in sent.availability] == ["2027-03-01", "2027-09-01"]
    assert sent.preferences.countries == ["PT"]
    assert sent.preferences.working_days == 5
    assert sent.pre_agreed[0].registration_id == "01990a3e-1", "the address of the page does, too"
    assert sent.participant.residence_permit is False
    assert sent.participant.business_in_scheme is None
    assert sent.partnership is None
    assert sent.host_places == 2


def test_a_submission_comes_back_from_the_form_as_it_was() -> None:
    before = Submission.model_validate(
        content_of(TYPED)
        | {"offers": ["food, drink and more"]}  # of another system: here a comma parts topics
        | {"pre_agreed": [{"reference": "host-7", "first_day": "2027-03-08", "last_day": "2027-03-12"}]}
    ).model_dump(mode="json")
    shown = {step.name: values_of(before, step) for step in STEPS}

    after = before
    for step in STEPS:
        after = filled_in(after, step, as_typed(shown[step.name]))

    assert Submission.model_validate(after) == Submission.model_validate(before)


def as_typed(values: dict[str, Any]) -> dict[str, list[str]]:
    """What a browser sends of a form that shows these values."""
    sent: dict[str, list[str]] = {}
    for name, value in values.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for number, row in enumerate(value):
                for column, held in row.items():
                    sent |= as_typed({f"{name}.{number}.{column}": held})
        elif isinstance(value, bool):
            sent |= {name: ["true"]} if value else {}
        else:
            sent[name] = value if isinstance(value, list) else [value.replace("\n", "\r\n")]
    return sent


def test_what_is_typed_wrong_is_kept_for_the_form_to_show_again() -> None:
    where = STEP["where"]

    content = filled_in({}, where, {"participant.residence_days": ["many"], "organisation.lat": ["north"]})

    assert values_of(content, where)["participant.residence_days"] == "many"
    assert values_of(content, where)["organisation.lat"] == "north"


def test_a_step_leaves_alone_what_other_steps_say() -> None:
    who = STEP["who"]
    before = content_of(TYPED)

    after = filled_in(before, who, {"organisation.name": ["Another name"]})

    assert after["organisation"]["city"] == "Alba"
    assert after["availability"] == before["availability"]
    assert before["organisation"]["name"] == "Tessitura Alba", "the content itself is not changed"


@pytest.mark.parametrize(
    "content",
    [
        {"organisation": "a word", "roles": "visitor", "availability": {"first_day": 1}},
        {"organisation": {"memberships": ["a word", 5]}, "needs": 5, "participant": []},
        {"availability": [{"first_day": "soon", "last_day": "20270301"}], "preferences": {"countries": "IT"}},
    ],
)
def test_a_draft_of_another_program_can_be_shown_whatever_is_in_it(content: dict[str, Any]) -> None:
    for step in STEPS:
        values_of(content, step)
        fingerprint(content, step)
        filled_in(content, step, {})


def test_only_another_content_of_the_step_has_another_fingerprint() -> None:
    who, when = STEP["who"], STEP["when"]
    content = content_of(TYPED)
    renamed = filled_in(content, who, TYPED | {"organisation.name": ["Another name"]})

    assert fingerprint(renamed, who) != fingerprint(content, who)
    assert fingerprint(renamed, when) == fingerprint(content, when)
    assert fingerprint({}, who) == fingerprint({"organisation": {"name": ""}}, who), "nothing is nothing"


def test_what_is_wrong_stands_beside_its_field() -> None:
    content = content_of(
        TYPED
        | {
            "organisation.name": [""],
            "needs": ["x\nhemp"],
            "availability.0.last_day": ["2027-02-01"],
            "languages": [],
        }
    )
    problems = problems_of(content)

    everywhere = faults_of(problems, content)
    assert everywhere.errors["/organisation.name"] == "Please fill this in."
    assert everywhere.errors["/languages"] == "Please choose at least one."
    assert everywhere.errors["/needs"].startswith("“x”: This needs 2 characters")
    assert "before the first day" in everywhere.errors["/availability.0.first_day"]
    assert not everywhere.others

    assert list(faults_of(problems, content, STEP["what"]).beside) == ["needs"]
    assert list(steps_lacking(problems)) == ["who", "what", "when", "how"]


def test_what_concerns_two_fields_stands_beside_one_of_them() -> None:
    content = content_of(TYPED | {"organisation.lon": [""]})

    faults = faults_of(problems_of(content), content)

    assert faults.errors == {"/organisation.lat": "Give both the latitude and the longitude, or neither."}


def test_an_empty_form_asks_for_what_has_to_be_filled_in() -> None:
    lacking = steps_lacking(problems_of({}))

    assert lacking == {
        "who": ["organisation.name"],
        "what": ["roles", "goals", "ecosystems"],
        "when": ["availability"],
        "how": ["participant.email"],
    }


@pytest.mark.parametrize(
    ("pointer", "name", "step"),
    [
        ("/organisation/memberships/2/name", "organisation.memberships.2.name", "who"),
        ("/organisation/memberships", "organisation.memberships", "who"),
        ("/organisation/also_registered_in/1", "organisation.also_registered_in", "where"),
        ("/availability/0", "availability.0.first_day", "when"),
        ("/pre_agreed/0/registration_id", "pre_agreed.0.registration_id", "when"),
        ("/pre_agreed", "pre_agreed", "when"),
        ("/participant", "participant.email", "how"),
    ],
)
def test_a_pointer_leads_to_its_field(pointer: str, name: str, step: str) -> None:
    found, owner = field_of(pointer)

    assert (found, owner.name if owner else None) == (name, step)


@pytest.mark.parametrize("pointer", ["", "/nothing/of/this", "/"])
def test_a_pointer_to_no_field_leads_nowhere(pointer: str) -> None:
    assert field_of(pointer) == ("", None)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("is missing", "Please fill this in."),
        ("is not a mail address, such as a@b.example", "This is not a mail address, such as a@b.example."),
        ("must be a whole number", "This must be a whole number."),
        ("'UX' is not a country", "'UX' is not a country."),
        ("give both lat and lon, or neither", "Give both the latitude and the longitude, or neither."),
    ],
)
def test_what_an_api_says_becomes_a_sentence(said: str, words: str) -> None:
    assert in_plain_words(said) == words


def test_a_label_goes_by_the_name_without_the_numbers_of_rows() -> None:
    assert column_of("availability.11.first_day") == "availability.first_day"
    assert column_of("organisation.lat") == "organisation.lat"
