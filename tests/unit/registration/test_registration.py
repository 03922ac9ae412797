"""A registration's life: which step is possible where, and which event tells of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from services.registration.domain.eligibility import Screening
from services.registration.domain.identifiers import Identifiers
from services.registration.domain.interest import InterestPolicy
from services.registration.domain.registration import (
    Assessment,
    NoPartnershipYet,
    Origin,
    ReasonNeeded,
    Registration,
    UnresolvableReference,
    WrongState,
)
from shared.contracts.common import Receipt
from shared.contracts.registration import (
    RegistrationAccepted,
    RegistrationAmended,
    RegistrationRejected,
    RegistrationScreened,
    RegistrationWithdrawn,
    Submission,
    id_from_outside,
)
from shared.contracts.vocabulary import RegistrationState as State
from shared.contracts.vocabulary import Verdict
from tests.builders import A_MOMENT, a_submission

FROM_OUTSIDE = Origin(by="/sample/crm", source="/sample/crm", reference="REG-1", event_id="e-1")


def an_assessment(
    verdict: Verdict = Verdict.NEEDS_REVIEW, *, partnership: str | None = "hempclub", automatic: bool = False
) -> Assessment:
    return Assessment(
        identifiers=Identifiers(keys=("pic:900000001",)),
        partnership=partnership,
        screening=Screening(verdict, {}, Receipt(rule_set="test", sentence=f"It is {verdict}.")),
        accept_if_eligible=automatic,
    )


def a_registration(
    verdict: Verdict = Verdict.NEEDS_REVIEW,
    *,
    automatic: bool = False,
    partnership: str | None = "hempclub",
    origin: Origin = FROM_OUTSIDE,
    **changes: Any,
) -> Registration:
    return Registration.submit(
        Submission.model_validate(a_submission(**changes)),
        id="r-1",
        origin=origin,
        assessment=an_assessment(verdict, partnership=partnership, automatic=automatic),
        at=A_MOMENT,
    )


def amend(
    registration: Registration, verdict: Verdict = Verdict.ELIGIBLE, *, automatic: bool = False
) -> None:
    registration.amend(
        Submission.model_validate(a_submission(motivation="Another one.")),
        by="/sample/crm",
        assessment=an_assessment(verdict, automatic=automatic),
        at=A_MOMENT + timedelta(days=1),
        event_id="e-2",
    )


def accept(registration: Registration) -> None:
    registration.accept(by="officer", reason="seen", at=A_MOMENT)


def reject(registration: Registration) -> None:
    registration.reject(by="officer", reason="too late", at=A_MOMENT)


def withdraw(registration: Registration) -> None:
    registration.withdraw(by="office", reason="no time", at=A_MOMENT)


POLICY = InterestPolicy(
    ask_after=timedelta(days=180), remind_after=timedelta(days=14), lapse_after=timedelta(days=28)
)


def lapse(registration: Registration) -> None:
    for days in (180, 194, 209):
        registration.check_interest(POLICY, at=A_MOMENT + timedelta(days=days))


def confirm(registration: Registration) -> None:
    registration.confirm_interest(by="office", at=A_MOMENT)


def ask(registration: Registration) -> None:
    registration.ask("Which cluster?", answer_by=None, by="officer", at=A_MOMENT)


def in_state(state: State) -> Registration:
    if state in (State.ELIGIBLE, State.INELIGIBLE, State.NEEDS_REVIEW):
        return a_registration(Verdict(state))
    registration = a_registration()
    steps = {State.ACCEPTED: accept, State.REJECTED: reject, State.WITHDRAWN: withdraw, State.LAPSED: lapse}
    steps[state](registration)
    return registration


# ── transitions ──────────────────────────────────────────────────────────────────────────────

SCREENED = {State.ELIGIBLE, State.INELIGIBLE, State.NEEDS_REVIEW}
STEPS: list[tuple[Callable[[Registration], None], set[State], State | None]] = [
    (accept, SCREENED, State.ACCEPTED),
    (reject, SCREENED, State.REJECTED),
    (withdraw, SCREENED | {State.ACCEPTED}, State.WITHDRAWN),
    (amend, SCREENED | {State.ACCEPTED, State.LAPSED}, State.ELIGIBLE),
    (confirm, SCREENED | {State.ACCEPTED}, None),
    (ask, SCREENED, None),
]


@pytest.mark.parametrize(("step", "allowed", "then"), STEPS, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("state", list(State))
def test_a_step_happens_where_it_may_and_is_refused_naming_the_state_elsewhere(
    step: Callable[[Registration], None], allowed: set[State], then: State | None, state: State
) -> None:
    registration = in_state(state)
    before = (registration.version, len(registration.history))
    if state in allowed:
        step(registration)
        assert registration.state is (then or state)
        assert registration.history[-1].state is registration.state
        assert registration.version == before[0] + 1
    else:
        with pytest.raises(WrongState, match=state.replace("_", " ")):
            step(registration)
        assert (registration.version, len(registration.history)) == before


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_new_registration_stands_where_its_verdict_puts_it(verdict: Verdict) -> None:
    registration = a_registration(verdict)
    assert registration.state is State(verdict)
    [screened] = [recorded.event for recorded in registration.recorded()]
    assert isinstance(screened, RegistrationScreened)
    assert (screened.verdict, screened.reference, screened.inbox_event_id) == (verdict, "REG-1", "e-1")
    assert screened.receipt.sentence == f"It is {verdict}."


@pytest.mark.parametrize(
    ("verdict", "automatic", "accepted"),
    [
        (Verdict.ELIGIBLE, True, True),
        (Verdict.ELIGIBLE, False, False),
        (Verdict.NEEDS_REVIEW, True, False),
        (Verdict.INELIGIBLE, True, False),
    ],
)
def test_only_eligible_ones_are_accepted_automatically_and_only_where_the_partnership_says_so(
    verdict: Verdict, automatic: bool, accepted: bool
) -> None:
    registration = a_registration(verdict, automatic=automatic)
    assert (registration.state is State.ACCEPTED) is accepted
    events = [type(recorded.event) for recorded in registration.recorded()]
    assert events == [RegistrationScreened, RegistrationAccepted][: 1 + accepted]


def test_an_acceptance_carries_the_profile_and_whether_a_person_took_it() -> None:
    automatic = a_registration(Verdict.ELIGIBLE, automatic=True).recorded()[-1].event
    by_person = in_state(State.ACCEPTED).recorded()[-1].event
    assert isinstance(automatic, RegistrationAccepted)
    assert isinstance(by_person, RegistrationAccepted)
    assert (automatic.automatic, by_person.automatic) == (True, False)
    assert automatic.profile.needs == ["hemp fibre", "spinning"]


def test_an_amendment_undoes_an_acceptance_and_is_accepted_anew_only_on_its_own_facts() -> None:
    registration = a_registration(Verdict.ELIGIBLE, automatic=True)
    amend(registration, Verdict.NEEDS_REVIEW, automatic=True)
    amend(registration, Verdict.ELIGIBLE, automatic=True)
    amended = registration.recorded()[-2].event
    assert isinstance(amended, RegistrationAmended)
    assert amended.state is State.ELIGIBLE
    assert amended.inbox_event_id == "e-2"
    assert [step.state for step in registration.history] == [
        "eligible",
        "accepted",
        "needs_review",
        "eligible",
        "accepted",
    ]


def test_the_history_says_who_when_and_why() -> None:
    registration = a_registration()
    reject(registration)
    assert [(step.by, step.why) for step in registration.history] == [
        ("/sample/crm", "submitted"),
        ("officer", "too late"),
    ]
    assert all(step.at == A_MOMENT for step in registration.history)


def test_accepting_against_the_rules_needs_a_reason_and_quotes_them() -> None:
    registration = a_registration(Verdict.INELIGIBLE)
    with pytest.raises(ReasonNeeded, match="It is ineligible"):
        registration.accept(by="officer", reason=" ", at=A_MOMENT)
    registration.accept(by="officer", reason="The agency agreed.", at=A_MOMENT)
    assert registration.history[-1].why == "The agency agreed."


def test_rejecting_needs_a_reason() -> None:
    with pytest.raises(ReasonNeeded):
        a_registration().reject(by="officer", reason="", at=A_MOMENT)


def test_nobody_accepts_what_no_partnership_has() -> None:
    with pytest.raises(NoPartnershipYet):
        accept(a_registration(partnership=None))


def test_rejection_and_withdrawal_tell_their_reason() -> None:
    rejected = in_state(State.REJECTED).recorded()[-1].event
    withdrawn = in_state(State.WITHDRAWN).recorded()[-1].event
    assert isinstance(rejected, RegistrationRejected)
    assert isinstance(withdrawn, RegistrationWithdrawn)
    assert (rejected.reason, withdrawn.reason) == ("too late", "no time")


# ── who and where ────────────────────────────────────────────────────────────────────────────


def test_a_registration_belongs_to_its_participants_organisation_or_to_itself() -> None:
    assert a_registration(origin=Origin(by="office", owner="tagus-fibre")).party.owner == "tagus-fibre"
    assert a_registration().party.owner == "r-1"


@pytest.mark.parametrize(
    ("also", "based_in", "country", "region"),
    [
        ([], "FR", "DE", "BY"),
        (["FR"], "FR", "FR", None),  # the region is one of the first country's
        (["FR"], "DE", "DE", "BY"),
        (["FR"], None, "DE", "BY"),
        (["FR"], "IT", "DE", "BY"),
    ],
)
def test_the_place_is_in_the_country_that_decides(
    also: list[str], based_in: str | None, country: str, region: str | None
) -> None:
    organisation = {**a_submission()["organisation"], "country": "DE", "city": "Munich", "region": "BY"}
    place = a_registration(
        organisation={**organisation, "also_registered_in": also},
        participant={"email": "office@tagus-fibre.example", "based_in": based_in},
    ).party.place
    assert (place.country, place.region) == (country, region)


def test_a_role_named_twice_is_one() -> None:
    assert a_registration(roles=["visitor", "visitor"]).party.roles == ["visitor"]


# ── ids and references ───────────────────────────────────────────────────────────────────────


def test_source_and_subject_always_give_the_same_id_and_others_another() -> None:
    id = id_from_outside("/sample/crm", "REG-1")
    assert id == id_from_outside("/sample/crm", "REG-1")
    assert id not in (id_from_outside("/sample/crm", "REG-2"), id_from_outside("/sample/erp", "REG-1"))


def a_pre_agreement(**named: str) -> list[dict[str, str]]:
    return [{"first_day": "2023-02-14", "last_day": "2023-02-16", **named}]


def test_a_pre_agreed_partner_named_by_reference_is_the_same_sources_registration() -> None:
    profile = a_registration(pre_agreed=a_pre_agreement(reference="REG-2")).profile
    assert profile.pre_agreed[0].registration_id == id_from_outside("/sample/crm", "REG-2")


def test_a_pre_agreed_partner_may_be_named_by_registration_id() -> None:
    profile = a_registration(
        origin=Origin(by="office"), pre_agreed=a_pre_agreement(registration_id="r-2")
    ).profile
    assert profile.pre_agreed[0].registration_id == "r-2"


def test_a_reference_without_a_source_is_refused_saying_what_to_name_instead() -> None:
    with pytest.raises(UnresolvableReference, match="registration_id"):
        a_registration(origin=Origin(by="office"), pre_agreed=a_pre_agreement(reference="REG-2"))


def test_it_is_stored_and_loaded_without_losing_anything() -> None:
    registration = a_registration(Verdict.ELIGIBLE, automatic=True)
    loaded = Registration.from_document(registration.to_document())
    assert loaded.model_dump() == registration.model_dump()
    assert loaded.stored_version == registration.version == 2
