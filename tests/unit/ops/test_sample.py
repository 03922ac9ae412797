"""The sample programme: same seed, same registrations; all valid, none of anybody real."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta

import pytest
from pydantic import ValidationError

from ops.sample import SAMPLE_PARTNERSHIPS, SampleRegistration, awkward_messages, sample_registrations
from ops.sample.places import towns
from services.registration.domain.eligibility import facts_of, screen
from services.registration.domain.identifiers import identify
from services.registration.rules_on_file import rule_sets_in
from shared.contracts.envelope import NotACloudEvent, parse
from shared.contracts.registration import Submission
from shared.contracts.types import EventType
from shared.contracts.vocabulary import Verdict
from shared.partnerships import SHIPPED_PARTNERSHIPS, Partnership, Partnerships

START = date(2026, 3, 2)
PARTNERSHIPS = Partnerships.load(SAMPLE_PARTNERSHIPS)


def sample(
    count: int, *, seed: int = 7, partnerships: list[Partnership] | None = None
) -> list[SampleRegistration]:
    run = list(PARTNERSHIPS) if partnerships is None else partnerships
    return list(sample_registrations(seed, count, start=START, partnerships=run))


@pytest.fixture(scope="module")
def programme() -> list[SampleRegistration]:
    return sample(600)


def test_the_same_seed_gives_the_same_registrations_and_another_one_gives_others() -> None:
    assert sample(60) == sample(60)
    assert not {one.reference for one in sample(60)} & {one.reference for one in sample(60, seed=8)}
    assert not {one.data["organisation"]["pic"] for one in sample(60)} & {
        one.data["organisation"]["pic"] for one in sample(60, seed=8)
    }


def test_a_longer_sample_begins_with_the_shorter_one() -> None:
    assert sample(120)[:60] == sample(60)


def test_every_registration_is_a_valid_submission(programme: list[SampleRegistration]) -> None:
    for registration in programme:
        Submission.model_validate_json(Submission.model_validate(registration.data).model_dump_json())


def test_every_place_is_a_town_of_its_country(programme: list[SampleRegistration]) -> None:
    for registration in programme:
        organisation = registration.data["organisation"]
        assert any(
            (town.name, town.lat, town.lon)
            == (organisation["city"], organisation["lat"], organisation["lon"])
            for town in towns()[organisation["country"]]
        )


def test_nothing_in_it_can_be_taken_for_a_real_organisation(programme: list[SampleRegistration]) -> None:
    for registration in programme:
        organisation = registration.data["organisation"]
        assert organisation["name"].endswith("(sample)")
        assert re.fullmatch(r"1\d{8}", organisation["pic"])
        assert "vat" not in organisation
        assert registration.data["participant"]["email"] == f"office@{registration.reference}.example"


def test_the_rules_on_file_come_to_the_verdict_each_registration_expects(
    programme: list[SampleRegistration],
) -> None:
    rules = rule_sets_in().on(START)
    for registration in programme:
        submission = Submission.model_validate(registration.data)
        facts = facts_of(
            submission,
            identify(submission.organisation),
            visit_used=False,
            partnership=submission.partnership
            or next(
                (
                    one.id
                    for one in PARTNERSHIPS
                    if one.fits(submission.ecosystems, submission.organisation.country)
                ),
                None,
            ),
        )
        screening = screen(facts, rules, START)
        assert screening.verdict is registration.expected, screening.receipt.sentence


def test_most_are_eligible_and_some_are_not(programme: list[SampleRegistration]) -> None:
    verdicts = Counter(registration.expected for registration in programme)
    assert verdicts[Verdict.ELIGIBLE] > len(programme) * 0.8
    assert verdicts[Verdict.INELIGIBLE]
    assert verdicts[Verdict.NEEDS_REVIEW]


def test_pre_agreed_partners_name_each_other_with_the_same_dates_from_two_countries(
    programme: list[SampleRegistration],
) -> None:
    by_reference = {registration.reference: registration.data for registration in programme}
    paired = {reference: data for reference, data in by_reference.items() if "pre_agreed" in data}
    assert len(paired) == len(programme) // 10
    for reference, data in paired.items():
        (agreed,) = data["pre_agreed"]
        partner = by_reference[agreed["reference"]]
        assert partner["pre_agreed"] == [{**agreed, "reference": reference}]
        assert {*data["roles"], *partner["roles"]} == {"visitor", "host"}
        assert data["organisation"]["country"] != partner["organisation"]["country"]
        assert set(data["ecosystems"]) & set(partner["ecosystems"])
        assert any(
            span["first_day"] <= agreed["first_day"] and agreed["last_day"] <= span["last_day"]
            for span in data["availability"]
        )


def test_some_pairs_need_the_word_of_two_partnerships(programme: list[SampleRegistration]) -> None:
    partnership = {one.reference: one.data.get("partnership") for one in programme}
    pairs = [
        (one.reference, one.data["pre_agreed"][0]["reference"])
        for one in programme
        if "pre_agreed" in one.data
    ]
    assert any(partnership[one] != partnership[other] for one, other in pairs)
    assert any(partnership[one] == partnership[other] for one, other in pairs)


def test_a_sample_that_ends_between_the_two_of_a_pair_names_no_missing_partner() -> None:
    assert not any("pre_agreed" in registration.data for registration in sample(8))


def test_stays_lie_after_the_start(programme: list[SampleRegistration]) -> None:
    earliest = min(
        span["first_day"] for registration in programme for span in registration.data["availability"]
    )
    assert date.fromisoformat(earliest) >= START - timedelta(days=7)


def test_a_partnership_of_one_country_still_pairs_across_a_border() -> None:
    lone = PARTNERSHIPS.require("hempclub").model_copy(update={"countries": ["LU"]})
    visitor, host = sample(9, partnerships=[lone])[7:]
    assert visitor.data["organisation"]["country"] == "LU"
    assert host.data["organisation"]["country"] != "LU"


def test_the_demo_has_hempclub_as_it_is_shipped() -> None:
    shipped = Partnerships.load(SHIPPED_PARTNERSHIPS).require("hempclub")
    sample = PARTNERSHIPS.require("hempclub")
    assert shipped.account is None  # whoever runs the platform says from where it pays
    assert sample.model_copy(update={"account": None}) == shipped


def test_the_invented_partnerships_say_so_and_show_what_hempclub_does_not() -> None:
    invented = [one for one in PARTNERSHIPS if one.id != "hempclub"]
    assert all("(sample)" in one.name and one.id.startswith("sample-") for one in invented)
    assert any(not one.auto_accept for one in invented)
    assert any(one.auto_approve_pre_agreed for one in invented)


def test_each_awkward_message_is_wrong_and_the_unspoilt_one_would_not_be() -> None:
    messages = {one.reference: one for one in awkward_messages(start=START, partnerships=PARTNERSHIPS)}

    def data_of(reference: str) -> object:
        return parse(messages[reference].value).data

    for reference in ("awkward-no-value", "awkward-not-json", "awkward-not-a-cloudevent"):
        with pytest.raises(NotACloudEvent):
            parse(messages.pop(reference).value)
    unknown_type = parse(messages["awkward-unknown-type"].value)
    assert unknown_type.type not in set(EventType)
    Submission.model_validate(unknown_type.data)
    stranger = Submission.model_validate(data_of("awkward-unknown-partnership"))
    assert PARTNERSHIPS.get(stranger.partnership or "") is None
    for reference, where in {
        "awkward-unknown-country": ("organisation", "country"),
        "awkward-reversed-dates": ("availability", 0),
        "awkward-missing-field": ("goals",),
        "awkward-wrong-type": ("organisation",),
    }.items():
        with pytest.raises(ValidationError) as refused:
            Submission.model_validate(data_of(reference))
        assert [problem["loc"] for problem in refused.value.errors()] == [where]
