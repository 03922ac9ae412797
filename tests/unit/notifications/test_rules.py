"""Who learns of what: the shipped table, read as policy."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.notifications.domain.planning import NotTold, plan
from services.notifications.domain.recipients import serve
from services.notifications.domain.rules import Channel
from services.notifications.handlers import SOURCES, handlers
from shared.contracts.catalogue import EVENTS
from shared.contracts.envelope import Event
from shared.contracts.funding import (
    AgreementDrawnUp,
    AgreementSigned,
    AgreementVoided,
    EvidenceAccepted,
    EvidenceReturned,
    EvidenceSubmitted,
    GrantAwaitingBudget,
    GrantCancelled,
    GrantClaimedBack,
    GrantCommitted,
    GrantMatchEnded,
    GrantNeedsReview,
    GrantPaid,
    GrantPayable,
    GrantPaymentFailed,
    GrantPaymentOverdue,
    GrantPrepared,
    GrantRecalculated,
    GrantRecovered,
    GrantRefused,
    GrantReleased,
    GrantReopened,
    PaymentPrepared,
    PaymentReleased,
    PaymentWithdrawn,
    ReportReminded,
    ReportReturned,
    ReportSubmitted,
    ReportValidated,
)
from shared.contracts.matching import (
    CommitmentCompleted,
    CommitmentDrawnUp,
    CommitmentSigned,
    CommitmentVoided,
    GatheringCancelled,
    GatheringChanged,
    GatheringOpened,
    MatchAgreed,
    MatchApproved,
    MatchCancelled,
    MatchDeclined,
    MatchEndorsed,
    MatchExpired,
    MatchProposed,
    MatchRefused,
    MatchWithdrawn,
    PlaceAwaited,
    PlaceLeft,
    PlaceTaken,
)
from shared.contracts.registration import (
    RegistrationErased,
    RegistrationInterestAsked,
    RegistrationInterestConfirmed,
    RegistrationLapsed,
    RegistrationRefused,
    RegistrationRejected,
    RegistrationUnmerged,
    RegistrationWithdrawn,
)
from shared.contracts.types import EventType
from shared.contracts.vocabulary import Verdict
from tests.builders import A_MOMENT
from tests.unit.notifications import samples

RULES = samples.RULES
HEARD: dict[str, type[Event]] = {model.TYPE: model for source in SOURCES for model in EVENTS[source]}
TOLD_HERE: dict[str, type[Event]] = {
    model.TYPE: model for model in EVENTS["notifications"] if RULES.rules_for(model.TYPE)
}
"""Of this service's own events, those that people are told of in the same moment."""


def told(event: Event) -> dict[str, set[str]]:
    """Channel → addresses (mail) or whose inbox."""
    found: dict[str, set[str]] = {"email": set(), "inbox": set()}
    served = serve(event, RULES.rules_for(event.TYPE), samples.DESKS)
    for planned in plan(served, kind="matches", wishes={}, at=A_MOMENT):
        if isinstance(planned, NotTold):
            continue
        whom = planned.address if planned.channel is Channel.EMAIL else planned.recipient.key
        assert whom is not None
        assert whom not in found[planned.channel], "told twice"
        found[planned.channel].add(whom)
    return found


V, H = samples.VISITOR.email, samples.HOST.email
V_INBOX, H_INBOX = "organisation:tagus-fibre", "organisation:navigli-textile"
VS, VS_INBOX = "staff@hempclub.example", "partnership:hempclub"
HS, HS2, HS_INBOX = "staff@sampletex.example", "deputy@sampletex.example", "partnership:sampletex"

POLICY: list[tuple[Event, set[str], set[str]]] = [
    # event, who gets a mail, whose inbox has it
    (samples.a_screening(Verdict.ELIGIBLE), set(), set()),
    (samples.a_screening(Verdict.NEEDS_REVIEW), {V, VS}, {V_INBOX, VS_INBOX}),
    (samples.a_screening(Verdict.INELIGIBLE), {V}, {V_INBOX, VS_INBOX}),
    (samples.a_screening(Verdict.ELIGIBLE, party=samples.HOST), set(), {H_INBOX, HS_INBOX}),
    (samples.a_screening(Verdict.NEEDS_REVIEW, amended=True), {V, VS}, {V_INBOX, VS_INBOX}),
    (samples.an_acceptance(), {V}, {V_INBOX}),
    (RegistrationRejected(party=samples.VISITOR, reason="No goal."), {V}, {V_INBOX}),
    (samples.a_suppressed_address(), {VS}, {VS_INBOX}),
    (samples.a_suppressed_address(registration_id=None), {VS}, {VS_INBOX}),
    (samples.an_endpoint_disabled(), {VS}, {VS_INBOX}),
    (samples.an_endpoint_disabled(contact="crm@tagus.example"), {VS, "crm@tagus.example"}, {VS_INBOX}),
    (samples.an_endpoint_disabled(partnership=None, source="/crm"), {"office@support.example"}, set()),
    (RegistrationWithdrawn(party=samples.VISITOR, reason=""), {V}, {V_INBOX, VS_INBOX}),
    (samples.an_assignment(Verdict.ELIGIBLE), set(), {V_INBOX}),
    (samples.an_assignment(Verdict.ELIGIBLE, party=samples.HOST), set(), {H_INBOX, HS_INBOX}),
    (samples.an_assignment(Verdict.INELIGIBLE, before="sampletex"), set(), {V_INBOX, VS_INBOX}),
    (samples.an_assignment(Verdict.NEEDS_REVIEW), {VS}, {V_INBOX, VS_INBOX}),
    (samples.a_question(), {V}, {V_INBOX}),
    (samples.a_decision_undone(), {V}, {V_INBOX}),
    (samples.a_decision_undone("rejected"), {V}, {V_INBOX}),
    (RegistrationInterestAsked(party=samples.VISITOR, answer_by=date(2023, 8, 1)), {V}, {V_INBOX}),
    (RegistrationInterestConfirmed(party=samples.VISITOR), set(), set()),
    (RegistrationLapsed(party=samples.VISITOR), {V}, {V_INBOX, VS_INBOX}),
    (samples.a_merge(), set(), {VS_INBOX}),
    (samples.a_merge(RegistrationUnmerged), set(), {VS_INBOX}),
    (samples.some_fits(2), set(), {V_INBOX}),
    (samples.some_fits(0), set(), {V_INBOX}),
    (samples.some_fits(2, side="host", party=samples.HOST), set(), {H_INBOX}),
    (samples.a_match(MatchProposed, proposed_by="visitor"), {H}, {H_INBOX}),
    (samples.a_match(MatchProposed, proposed_by="host"), {V}, {V_INBOX}),
    (samples.an_invitation(), {"office@new-partner.example"}, set()),
    (samples.a_suggestion(), {V, H}, {V_INBOX, H_INBOX}),
    (samples.a_published_plan(), {VS, HS, HS2}, {VS_INBOX, HS_INBOX}),
    (samples.a_counter_proposal("host"), {V}, {V_INBOX}),
    (samples.a_counter_proposal("visitor"), {H}, {H_INBOX}),
    (samples.a_reminder("r-host"), {H}, {H_INBOX}),
    (samples.a_reminder("r-visitor", "r-host"), {V, H}, {V_INBOX, H_INBOX}),
    (samples.a_reminder("sampletex", state="agreed"), {HS, HS2}, {HS_INBOX}),
    (samples.a_match(MatchExpired, unanswered_by=["host"]), {V, H}, {V_INBOX, H_INBOX}),
    (samples.a_match(MatchWithdrawn, withdrawn_by="visitor"), {H}, {H_INBOX}),
    (samples.a_match(MatchAgreed), {VS, HS, HS2}, {V_INBOX, H_INBOX, VS_INBOX, HS_INBOX}),
    (samples.a_match(MatchEndorsed, endorsed_by="hempclub"), set(), {HS_INBOX}),
    (samples.a_match(MatchEndorsed, endorsed_by="sampletex"), set(), {VS_INBOX}),
    (samples.a_match(MatchApproved), {V, H}, {V_INBOX, H_INBOX, VS_INBOX, HS_INBOX}),
    (samples.a_match(MatchDeclined, declined_by="host"), {V}, {V_INBOX}),
    (
        samples.a_match(MatchRefused, refused_by="hempclub", reason="One country."),
        {V, H},
        {V_INBOX, H_INBOX, VS_INBOX, HS_INBOX},
    ),
    (
        samples.a_match(MatchCancelled, reason="", was_approved=True),
        {V, H, VS, HS, HS2},
        {V_INBOX, H_INBOX, VS_INBOX, HS_INBOX},
    ),
    (
        samples.a_match(MatchCancelled, reason="", was_approved=False),
        {V, H},
        {V_INBOX, H_INBOX, VS_INBOX, HS_INBOX},
    ),
    (samples.a_commitment(CommitmentDrawnUp), set(), {V_INBOX, H_INBOX}),
    (samples.a_commitment(CommitmentSigned), {H, VS, HS, HS2}, {H_INBOX, VS_INBOX, HS_INBOX}),
    (samples.a_commitment(CommitmentSigned, missing=["VOP"]), {VS}, {VS_INBOX}),
    (samples.a_commitment(CommitmentSigned, missing=[]), set(), set()),
    (samples.a_commitment(CommitmentVoided), {V}, {V_INBOX}),
    (samples.a_commitment(CommitmentVoided, voided=["HO", "HOP"]), {H, HS, HS2}, {H_INBOX, HS_INBOX}),
    (samples.a_commitment(CommitmentVoided, final=True), set(), set()),
    (samples.a_commitment(CommitmentCompleted), {V, H}, {V_INBOX, H_INBOX, VS_INBOX, HS_INBOX}),
    (samples.a_group_event(GatheringOpened), {H}, {H_INBOX, HS_INBOX}),
    (samples.a_group_event(GatheringChanged), set(), {H_INBOX, HS_INBOX}),
    (samples.a_moved_group_event(), {V, H}, {V_INBOX, H_INBOX, HS_INBOX}),
    (
        samples.a_group_event(GatheringCancelled, concerned=[samples.VISITOR]),
        {V, H},
        {V_INBOX, H_INBOX, HS_INBOX},
    ),
    (samples.a_group_event(PlaceTaken), {V}, {V_INBOX, VS_INBOX, HS_INBOX}),
    (samples.a_group_event(PlaceAwaited), {V}, {V_INBOX, VS_INBOX, HS_INBOX}),
    (samples.a_group_event(PlaceLeft), {V}, {V_INBOX, VS_INBOX, HS_INBOX}),
    (samples.a_group_event(PlaceLeft, match_id="m-1"), set(), {V_INBOX, VS_INBOX, HS_INBOX}),
    (samples.a_reserved_grant(), {V}, {V_INBOX, VS_INBOX}),
    (samples.a_grant(GrantRecalculated), {V}, {V_INBOX, VS_INBOX}),
    (samples.a_grant(GrantRecalculated, change="same"), set(), {V_INBOX, VS_INBOX}),
    (samples.a_grant(GrantRecalculated, change="refused"), set(), {VS_INBOX}),
    (samples.a_grant(GrantCommitted), set(), {V_INBOX, VS_INBOX}),
    (samples.a_grant(GrantPayable), {VS}, {V_INBOX, VS_INBOX}),
    (samples.a_grant(GrantReopened), set(), {V_INBOX, VS_INBOX}),
    (samples.a_grant(GrantPrepared), set(), set()),
    (samples.a_grant(GrantReleased), set(), {V_INBOX, VS_INBOX}),
    (samples.a_grant(GrantPaid), {V}, {V_INBOX, VS_INBOX}),
    (samples.a_grant(GrantPaymentFailed), {V, VS}, {V_INBOX, VS_INBOX}),
    (samples.a_grant(GrantMatchEnded), {VS}, {VS_INBOX}),
    (samples.a_grant(GrantMatchEnded, state="paid"), {VS}, {V_INBOX, VS_INBOX}),
    (samples.a_grant(GrantClaimedBack), {V}, {V_INBOX, VS_INBOX}),
    (samples.a_grant(GrantPaymentOverdue), {VS, "office@support.example"}, {VS_INBOX}),
    (samples.an_agreement(AgreementDrawnUp), set(), set()),
    (samples.an_agreement(AgreementSigned), {VS}, {VS_INBOX}),
    (samples.an_agreement(AgreementSigned, signed_as="VOP", missing=[]), {V}, {V_INBOX}),
    (samples.an_agreement(AgreementVoided), {V}, {V_INBOX, VS_INBOX}),
    (samples.an_agreement(AgreementVoided, voided=["VO"], was_complete=False), {V}, {V_INBOX}),
    (samples.an_agreement(AgreementVoided, final=True), set(), set()),
    (samples.a_grant(GrantRecovered), set(), {V_INBOX, VS_INBOX}),
    (samples.a_given_account(), {V}, {V_INBOX, VS_INBOX}),
    (samples.a_payment(PaymentPrepared), {VS}, {VS_INBOX}),
    (samples.a_payment(PaymentReleased), {VS}, {VS_INBOX}),
    (samples.a_payment(PaymentWithdrawn), set(), {VS_INBOX}),
    (samples.a_report(ReportSubmitted), {VS}, {VS_INBOX}),
    (samples.a_report(ReportReturned), {V}, {V_INBOX}),
    (samples.a_report(ReportValidated), set(), {V_INBOX}),
    (samples.a_report(ReportReminded), {V}, {V_INBOX}),
    (samples.a_report(ReportReminded, number=3, last=True), {V}, {V_INBOX, VS_INBOX}),
    (samples.evidence(EvidenceSubmitted), {VS}, {VS_INBOX}),
    (samples.evidence(EvidenceReturned), {V}, {V_INBOX}),
    (samples.evidence(EvidenceAccepted), set(), {V_INBOX}),
    (samples.a_ledger_that_differs(), {VS, "office@support.example"}, {VS_INBOX}),
    (samples.a_forecast_warning(), {VS}, {VS_INBOX}),
    (samples.a_forecast_warning(concerns=[], new=[], cleared=["objective_late"]), set(), {VS_INBOX}),
]


@pytest.mark.parametrize(("event", "mails", "inboxes"), POLICY, ids=lambda value: getattr(value, "TYPE", ""))
def test_each_event_reaches_whom_it_concerns(event: Event, mails: set[str], inboxes: set[str]) -> None:
    assert told(event) == {"email": mails, "inbox": inboxes}


@pytest.mark.parametrize(
    ("model", "mails"),
    [
        (GrantAwaitingBudget, {VS}),
        (GrantNeedsReview, {VS}),
        (GrantRefused, {V}),
        (GrantCancelled, set()),
    ],
)
def test_of_a_grant_only_the_visitor_and_the_paying_partnership_hear(
    model: type[Event], mails: set[str]
) -> None:
    for event in samples.every_event():
        if isinstance(event, model):
            assert told(event) == {"email": mails, "inbox": {V_INBOX, VS_INBOX}}


def test_no_event_is_missing_from_the_table_and_nothing_in_it_is_unknown() -> None:
    assert RULES.problems({**HEARD, **TOLD_HERE}, samples.WORDS.names()) == []
    assert set(handlers.types) == set(HEARD)


def test_an_event_told_to_nobody_says_why() -> None:
    assert set(RULES.nobody) == {
        EventType.REGISTRATION_REFUSED,
        EventType.REGISTRATION_ERASED,
        EventType.REGISTRATION_INTEREST_CONFIRMED,
        EventType.INVITATION_ACCEPTED,
        EventType.INVITATION_WITHDRAWN,
        EventType.GRANT_PREPARED,
        EventType.GRANT_UNPREPARED,
        EventType.AGREEMENT_DRAWN_UP,
    }
    assert all(len(reason) > 20 for reason in RULES.nobody.values())
    refused = next(event for event in samples.every_event() if isinstance(event, RegistrationRefused))
    assert told(refused) == {"email": set(), "inbox": set()}


def test_the_table_names_what_does_not_fit() -> None:
    broken = RULES.model_copy(
        update={
            "events": {
                "cxc.match.agreed.v1": [
                    RULES.rules_for("cxc.match.agreed.v1")[0].model_copy(
                        update={"template": "nowhere", "when": {"weather": ["fine"]}}
                    )
                ],
                "cxc.match.dreamt.v1": [],
            }
        }
    )
    problems = broken.problems({EventType.MATCH_AGREED: MatchAgreed, "cxc.match.new.v1": MatchAgreed}, [])
    assert problems == [
        "cxc.match.new.v1 is not in the table",
        "cxc.agreement.drawn_up.v1 is no contract",
        "cxc.grant.prepared.v1 is no contract",
        "cxc.grant.unprepared.v1 is no contract",
        "cxc.invitation.accepted.v1 is no contract",
        "cxc.invitation.withdrawn.v1 is no contract",
        "cxc.match.dreamt.v1 is no contract",
        "cxc.registration.erased.v1 is no contract",
        "cxc.registration.interest_confirmed.v1 is no contract",
        "cxc.registration.refused.v1 is no contract",
        "template nowhere does not exist",
        "cxc.match.agreed.v1 has no field weather",
    ]


def test_one_address_in_two_roles_gets_one_mail_and_both_inboxes() -> None:
    host = samples.HOST.model_copy(update={"email": samples.VISITOR.email.upper()})
    approved = samples.a_match(MatchApproved, host=host)
    assert told(approved)["email"] == {V}
    assert told(approved)["inbox"] >= {V_INBOX, H_INBOX}


def test_one_partnership_on_both_sides_hears_once() -> None:
    host = samples.HOST.model_copy(update={"partnership": "hempclub"})
    assert told(samples.a_match(MatchAgreed, host=host))["email"] == {VS}


def test_a_partnership_nobody_configured_has_no_staff_to_tell() -> None:
    alone: dict[str, Any] = {"partnership": None}
    party = samples.VISITOR.model_copy(update=alone)
    assert told(samples.a_screening(Verdict.NEEDS_REVIEW, party=party)) == {"email": {V}, "inbox": {V_INBOX}}


@pytest.mark.parametrize("event", samples.every_event(), ids=lambda event: event.TYPE)
def test_no_mail_goes_to_an_empty_address(event: Event) -> None:
    erased = {
        role: getattr(event, role).erased()
        for role in ("party", "visitor", "host")
        if getattr(event, role, None) is not None
    }
    assert all(address for address in told(event.model_copy(update=erased))["email"])


def test_an_erasure_is_told_to_nobody() -> None:
    erased = RegistrationErased(party=samples.VISITOR.erased(), on_behalf_of="organisation")
    assert told(erased) == {"email": set(), "inbox": set()}


def test_a_recipient_without_an_address_has_the_inbox() -> None:
    party = samples.VISITOR.model_copy(update={"email": " "})
    assert told(samples.an_acceptance(party=party)) == {"email": set(), "inbox": {V_INBOX}}
