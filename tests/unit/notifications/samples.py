"""One event of every type that notifications listens to, and what its unit of work is opened with."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from services.notifications.bootstrap import load_deadlines, load_rules
from services.notifications.domain.recipients import (
    SUPPORT_OFFICE,
    Desk,
    OpenedInvitation,
    OwnedEndpointDisabled,
)
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.words import Words
from shared.contracts.common import Receipt, RuleOutcome, Window
from shared.contracts.envelope import Event
from shared.contracts.funding import (
    AgreementDrawnUp,
    AgreementSigned,
    AgreementVoided,
    BankAccountGiven,
    EvidenceAccepted,
    EvidenceReturned,
    EvidenceSubmitted,
    FileAccepted,
    FileReturned,
    ForecastConcern,
    ForecastWarning,
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
    GrantReserved,
    GrantUnprepared,
    LedgerDiffered,
    LedgerDifference,
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
    Fit,
    FitsFound,
    GatheringCancelled,
    GatheringChanged,
    GatheringOpened,
    InvitationAccepted,
    InvitationWithdrawn,
    MatchAgreed,
    MatchApproved,
    MatchCancelled,
    MatchCountered,
    MatchDeclined,
    MatchEndorsed,
    MatchExpired,
    MatchProposed,
    MatchRefused,
    MatchReminded,
    MatchSuggested,
    MatchWithdrawn,
    MessageSent,
    PlaceAwaited,
    PlaceLeft,
    PlaceTaken,
    PlanPublished,
    PlanShare,
    PublicProfile,
    Reason,
    SearchMatched,
    SigningRole,
)
from shared.contracts.notifications import AddressSuppressed
from shared.contracts.registration import (
    Availability,
    PreAgreed,
    Profile,
    RegistrationAccepted,
    RegistrationAmended,
    RegistrationAssigned,
    RegistrationDecisionUndone,
    RegistrationInformationAsked,
    RegistrationInterestAsked,
    RegistrationInterestConfirmed,
    RegistrationLapsed,
    RegistrationMerged,
    RegistrationRefused,
    RegistrationRejected,
    RegistrationScreened,
    RegistrationUnmerged,
    RegistrationWithdrawn,
)
from shared.contracts.vocabulary import Ecosystem, EvidenceKind, Goal, GrantState, RegistrationState, Verdict
from shared.sealed import Seal
from shared.storage.store import Store
from tests.builders import A_SECRET, a_host_party, a_party, a_stay

DESKS = {
    "hempclub": Desk("hempclub", "HempClub", ("staff@hempclub.example",), auto_accept=True),
    "sampletex": Desk("sampletex", "SampleTex", ("staff@sampletex.example", "deputy@sampletex.example")),
    SUPPORT_OFFICE: Desk(SUPPORT_OFFICE, "the support office", ("office@support.example",)),
}
PUBLIC_URL = "https://cxc.example"
RULES = load_rules()
DEADLINES = load_deadlines()
WORDS = Words(DESKS, PUBLIC_URL, strict=True)
SEAL = Seal(A_SECRET)

VISITOR = a_party("r-visitor", owner="tagus-fibre")
HOST = a_host_party("r-host", owner="navigli-textile", partnership="sampletex")

ANSWER_BY = date(2023, 2, 1)

_MATCH: dict[str, Any] = {"match_id": "m-1", "visitor": VISITOR, "host": HOST, "stay": a_stay()}
_GRANT: dict[str, Any] = {**_MATCH, "grant_id": "g-1", "partnership": "hempclub"}


def open_unit(store: Store) -> NotificationsUnitOfWork:
    """A unit of work with the shipped rules and words."""
    return NotificationsUnitOfWork(
        store, rules=RULES, deadlines=DEADLINES, words=WORDS, desks=DESKS, seal=SEAL
    )


def a_receipt(outcome: Any = "passed") -> Receipt:
    """A receipt of one rule."""
    return Receipt(
        rule_set="sample",
        outcomes=[
            RuleOutcome(
                rule="membership",
                outcome=outcome,
                sentence="The organisation belongs to no cluster on the platform.",
                source="sample rule book, 2",
            )
        ],
        sentence="One plain sentence says it all.",
    )


def a_screening(verdict: Verdict, *, amended: bool = False, **changes: Any) -> RegistrationScreened:
    """A registration as the rules saw it."""
    return (RegistrationAmended if amended else RegistrationScreened)(**_screened(verdict, **changes))


def an_assignment(verdict: Verdict, **changes: Any) -> RegistrationAssigned:
    """A registration handed to HempClub."""
    return RegistrationAssigned(**_screened(verdict, **changes))


def a_merge(model: Any = RegistrationMerged, **changes: Any) -> Any:
    """A registration found to be of the same organisation as another, or not to be."""
    return model(**_screened(Verdict.ELIGIBLE, same_as="r-other", merge_id="g-1", **changes))


def a_decision_undone(undone: Any = "accepted", **changes: Any) -> RegistrationDecisionUndone:
    """An acceptance or rejection that was taken back."""
    fields: dict[str, Any] = {
        "party": VISITOR,
        "undone": undone,
        "state": RegistrationState.ELIGIBLE,
        "decision_id": "d-1",
        **changes,
    }
    return RegistrationDecisionUndone(**fields)


def a_question(**changes: Any) -> RegistrationInformationAsked:
    """What staff want to know."""
    fields: dict[str, Any] = {"party": VISITOR, "question": "Which spinning line is it about?", **changes}
    return RegistrationInformationAsked(**fields)


def _screened(verdict: Verdict, **changes: Any) -> dict[str, Any]:
    outcome = {"eligible": "passed", "ineligible": "failed", "needs_review": "needs_review"}[verdict]
    return {
        "party": VISITOR,
        "state": RegistrationState(verdict.value),
        "verdict": verdict,
        "receipt": a_receipt(outcome),
        **changes,
    }


def an_acceptance(*, pre_agreed: bool = False, **changes: Any) -> RegistrationAccepted:
    """A registration taken into the pool."""
    profile = Profile(
        goals=[Goal.ADOPT_TECHNOLOGY],
        ecosystems=[Ecosystem.TEXTILE],
        availability=[Availability(first_day=date(2023, 2, 6), last_day=date(2023, 3, 31))],
        pre_agreed=[
            PreAgreed(registration_id="r-host", first_day=date(2023, 2, 14), last_day=date(2023, 2, 16))
        ]
        if pre_agreed
        else [],
    )
    fields: dict[str, Any] = {"party": VISITOR, "profile": profile, "automatic": True, **changes}
    return RegistrationAccepted(**fields)


def some_fits(number: int = 2, **changes: Any) -> FitsFound:
    """Best fits of a visitor."""
    fit = Fit(
        partner=HOST,
        score=87.5,
        reasons=[Reason(component="topics", points=40, sentence="It offers the hemp fibre you look for.")],
        window=Window(first_day=date(2023, 2, 6), last_day=date(2023, 3, 31)),
    )
    fields: dict[str, Any] = {
        "party": VISITOR,
        "side": "visitor",
        "fits": [fit] * number,
        "considered": 40,
        **changes,
    }
    return FitsFound(**fields)


def a_reserved_grant(**changes: Any) -> GrantReserved:
    """EUR 450 for three working days in Milan."""
    return GrantReserved(**{**_GRANT, "amount": Decimal("450.00"), "receipt": a_receipt(), **changes})


def a_grant(model: Any, **changes: Any) -> Any:
    """An event of that grant."""
    amount, payment = {"amount": Decimal("450.00")}, {"payment_id": "p-1"}
    why = {"reason": "The visit did not take place."}
    of_model: dict[Any, dict[str, Any]] = {
        GrantRecalculated: {
            **amount,
            "change": "less",
            "amount_before": Decimal("900.00"),
            "real_stay": a_stay(),
            "difference": "EUR 450.00 less: 3 working days instead of 5.",
            "reason": "These are the real days.",
            "receipt": a_receipt(),
        },
        GrantCommitted: amount,
        GrantPayable: {**amount, "due": date(2023, 3, 2), "strict_due": date(2023, 2, 26)},
        GrantReopened: {"gate": "report", "waits_for": "visitor", "state": GrantState.COMMITTED},
        GrantPrepared: {**amount, **payment},
        GrantUnprepared: {**amount, **payment, **why},
        GrantReleased: {**amount, **payment},
        GrantPaid: {**amount, **payment, "paid_on": date(2023, 2, 23), "reference": "CXC-1"},
        GrantPaymentFailed: {**amount, **payment, "reason": "The account is closed."},
        GrantMatchEnded: {**amount, **why, "state": "released"},
        GrantClaimedBack: {**amount, **why, "return_by": date(2023, 4, 5)},
        GrantPaymentOverdue: {
            **amount,
            "state": GrantState.PAYABLE,
            "due": date(2023, 3, 2),
            "strict_due": date(2023, 2, 26),
        },
        GrantRecovered: {**amount, **why, "left": Decimal("0.00")},
    }
    return model(**{**_GRANT, **of_model[model], **changes})


def an_agreement(model: Any, **changes: Any) -> Any:
    """An event of the agreement on that grant, signed by the visitor so far."""
    roles: list[SigningRole] = ["VO", "VOP"]
    of_model: dict[Any, dict[str, Any]] = {
        AgreementDrawnUp: {"missing": roles},
        AgreementSigned: {
            "missing": ["VOP"],
            "signed_as": "VO",
            "signed_for": VISITOR.organisation,
            "signed_at": datetime(2023, 1, 25, 9, 12, 7, tzinfo=UTC),
        },
        AgreementVoided: {
            "missing": [],
            "reason": "The amount is EUR 390.00 instead of EUR 450.00.",
            "voided": roles,
            "was_complete": True,
            "final": False,
        },
    }
    facts = {"agreement_id": "a-1", "number": "A7F9C13FE193", "edition": 1, "amount": Decimal("450.00")}
    return model(**{**_GRANT, **facts, "document_sha256": "5a" * 32, **of_model[model], **changes})


def a_report(model: Any, **changes: Any) -> Any:
    """An event of the report on that stay."""
    of_model: dict[Any, dict[str, Any]] = {
        ReportSubmitted: {"real_stay": a_stay()},
        ReportReturned: {"reason": "What was done on the second day?", "was_validated": False},
        ReportValidated: {
            "real_stay": a_stay(),
            "amount": Decimal("450.00"),
            "difference": "It stays as it is.",
            "counts": True,
        },
        ReportReminded: {"ended": date(2023, 2, 16), "number": 1, "last": False, "begun": False},
    }
    return model(**{**_GRANT, **of_model[model], **changes})


def evidence(model: Any, **changes: Any) -> Any:
    """An event of the evidence of that stay."""
    returned = FileReturned(name="pass.jpg", kind=EvidenceKind.BOARDING_PASS, reason="It cannot be read.")
    of_model: dict[Any, dict[str, Any]] = {
        EvidenceSubmitted: {"kinds": [EvidenceKind.BOARDING_PASS, EvidenceKind.INVOICE]},
        EvidenceReturned: {"files": [returned], "was_accepted": False},
        EvidenceAccepted: {"files": [FileAccepted(kind=EvidenceKind.INVOICE, sha256="0" * 64)]},
    }
    return model(**{**_GRANT, **of_model[model], **changes})


def a_payment(model: Any, **changes: Any) -> Any:
    """An event of a payment of HempClub's."""
    of_model: dict[Any, dict[str, Any]] = {
        PaymentPrepared: {},
        PaymentReleased: {"execute_on": date(2023, 2, 23), "file_sha256": "5a" * 32},
        PaymentWithdrawn: {"left": 0, "reason": "The wrong day."},
    }
    facts = {"payment_id": "pay-1", "partnership": "hempclub", "grants": ["g-1"], "total": Decimal("450.00")}
    return model(**{**facts, **of_model[model], **changes})


def a_given_account(*, changed: bool = False) -> BankAccountGiven:
    """The visitor's account for that grant."""
    return BankAccountGiven(**_GRANT, changed=changed)


def a_ledger_that_differs(**changes: Any) -> LedgerDiffered:
    """HempClub's books, which do not add up."""
    figures = {"budget": Decimal("100.00"), "ledger": Decimal("550.00"), "grants": Decimal("100.00")}
    differences = [LedgerDifference(account="reserved", **figures)]
    return LedgerDiffered(
        **{"partnership": "hempclub", "differences": differences, "missing": [7], **changes}
    )


def a_forecast_warning(**changes: Any) -> ForecastWarning:
    """HempClub's objective, which came out of reach."""
    concern = ForecastConcern(code="objective_late", sentence="The objective is out of reach.")
    given = {"partnership": "hempclub", "on": date(2023, 3, 1), "concerns": [concern], "new": [concern.code]}
    return ForecastWarning(**{**given, **changes})


def a_match(model: Any, **changes: Any) -> Any:
    """An event of the match Lisbon to Milan."""
    return model(**{**_MATCH, **changes})


def a_commitment(model: Any, **changes: Any) -> Any:
    """An event of the match's commitment, signed by the visitor so far."""
    at, sha256 = datetime(2023, 1, 25, 9, 12, 7, tzinfo=UTC), "5a" * 32
    roles: list[SigningRole] = ["HO", "HOP", "VO", "VOP"]
    of_model: dict[Any, dict[str, Any]] = {
        CommitmentDrawnUp: {"missing": roles},
        CommitmentSigned: {
            "missing": ["HO", "HOP", "VOP"],
            "signed_as": "VO",
            "signed_for": VISITOR.organisation,
            "signed_at": at,
            "document_sha256": sha256,
        },
        CommitmentVoided: {
            "missing": roles,
            "reason": f"{HOST.organisation} changed the content.",
            "voided": ["VO"],
            "was_complete": False,
            "final": False,
        },
        CommitmentCompleted: {
            "document_sha256": sha256,
            "signatures": [{"role": role, "signed_for": "SampleTex", "at": at} for role in roles],
        },
    }
    return a_match(model, **{"commitment_id": "c-1", **of_model[model], **changes})


def a_suggestion(**changes: Any) -> Any:
    """The match, as a plan suggests it to both."""
    reason = Reason(component="topics", points=40, sentence="It offers the hemp fibre you look for.")
    fields = {"plan_id": "p-1", "score": 87.5, "reasons": [reason], "answer_by": ANSWER_BY, **changes}
    return a_match(MatchSuggested, **fields)


def a_counter_proposal(by: Any = "host", **changes: Any) -> Any:
    """The match on other days than were proposed."""
    former = Window(first_day=date(2023, 2, 20), last_day=date(2023, 2, 22))
    fields = {"countered_by": by, "former_stay": former, "answer_by": ANSWER_BY, **changes}
    return a_match(MatchCountered, **fields)


def a_reminder(*awaits: str, state: Any = "proposed") -> Any:
    """The match, in which these have not said a word."""
    return a_match(MatchReminded, state=state, awaits=list(awaits), answer_by=ANSWER_BY)


def a_published_plan(**changes: Any) -> PlanPublished:
    """A plan in which both partnerships have organisations."""
    shares = [PlanShare(partnership=id, suggested=2, dropped=1) for id in ("hempclub", "sampletex")]
    counts = {"suggested": 2, "standing": 0, "dropped": 1, "left": 0}
    return PlanPublished.model_validate({"plan_id": "p-1", "partnerships": shares, **counts, **changes})


def an_invitation(model: Any = OpenedInvitation, **changes: Any) -> Any:
    """Lisbon invites somebody it has met."""
    fields = {"invitation_id": "i-1", "party": VISITOR, "invited_as": "host", "stay": a_stay(), **changes}
    if model is OpenedInvitation:
        sealed = {"sealed": "sealed", "email": "office@new-partner.example", "token": "the-token-of-the-link"}
        fields |= {"expires_on": ANSWER_BY, **sealed}
    return model(**fields)


def a_group_event(model: Any, **changes: Any) -> Any:
    """An event of SampleTex's group event in Milan; of a place at it, the one of Lisbon."""
    of_model: dict[Any, dict[str, Any]] = {
        GatheringOpened: {"state": "open", "places": 20, "sign_up_until": ANSWER_BY},
        GatheringChanged: {"state": "closed"},
        GatheringCancelled: {"state": "cancelled", "reason": "The hall is flooded."},
        PlaceTaken: {"attends_as": "visitor", "match_id": "m-1", "moved_up": False},
        PlaceAwaited: {"attends_as": "visitor", "number": 3},
        PlaceLeft: {"attends_as": "visitor", "had_place": False, "reason": ""},
    }
    fields: dict[str, Any] = {
        "group_event_id": "ge-1",
        "title": "Textile Days (sample)",
        "partnership": "sampletex",
        "host": HOST,
        "place": HOST.place,
        "days": a_stay(),
        "state": "full",
        **({"party": VISITOR} if model in (PlaceTaken, PlaceAwaited, PlaceLeft) else {}),
        **of_model[model],
        **changes,
    }
    return model(**fields)


def a_moved_group_event() -> Any:
    """The group event on other days than before, with Lisbon on its list."""
    former = Window(first_day=date(2023, 2, 20), last_day=date(2023, 2, 22))
    return a_group_event(GatheringChanged, former_days=former, concerned=[VISITOR])


def a_suppressed_address(registration_id: str | None = "r-visitor") -> AddressSuppressed:
    return AddressSuppressed(
        suppression_id="b7d1",
        address="o…@tagus-fibre.example",
        registration_id=registration_id,
        partnerships=["hempclub"],
        reason="550 5.1.1 User unknown",
    )


def an_endpoint_disabled(**changes: Any) -> OwnedEndpointDisabled:
    """A webhook endpoint of HempClub's staff, given up."""
    fields: dict[str, Any] = {
        "endpoint_id": "e-1",
        "server": "hooks.hempclub.example",
        "description": "Matches for our board",
        "partnership": "hempclub",
        "reason": "No answer within 15 seconds.",
        "since": datetime(2023, 2, 15, 15, 2, tzinfo=UTC),
        "attempts": 8,
        "contact": None,
        **changes,
    }
    return OwnedEndpointDisabled(**fields)


def every_event() -> list[Event]:
    """Every type at least once, and every turn its words can take."""
    return [
        *(a_screening(verdict, amended=amended) for verdict in Verdict for amended in (False, True)),
        *(a_screening(verdict, party=HOST) for verdict in Verdict),
        a_screening(Verdict.NEEDS_REVIEW, receipt=Receipt(rule_set="sample", sentence="See below.")),
        an_acceptance(),
        an_acceptance(pre_agreed=True),
        RegistrationRejected(party=VISITOR, reason="The stay has no goal in our fields."),
        RegistrationRejected(party=VISITOR, reason=""),
        RegistrationWithdrawn(party=VISITOR, reason="No time this year."),
        RegistrationWithdrawn(party=VISITOR, reason=""),
        *(an_assignment(verdict, before="sampletex", reason="It is about hemp.") for verdict in Verdict),
        *(an_assignment(verdict, party=HOST) for verdict in Verdict),
        a_question(),
        a_question(answer_by=date(2023, 2, 1)),
        a_decision_undone(),
        a_decision_undone("rejected", reason="The wrong list was open."),
        RegistrationInterestAsked(party=VISITOR, answer_by=date(2023, 8, 1)),
        RegistrationInterestAsked(party=VISITOR, answer_by=date(2023, 8, 1), reminder=True),
        RegistrationInterestConfirmed(party=VISITOR),
        RegistrationLapsed(party=VISITOR),
        a_merge(),
        a_merge(RegistrationUnmerged),
        RegistrationRefused(
            refused_event_id="e-1",
            refused_source="/sample/crm",
            refused_subject="REG-1",
            type="about:blank",
            title="Not valid",
            status=422,
            detail="No name.",
            dead_letter="cxc.registration.inbox/0/1",
        ),
        *(some_fits(number, side=side) for number in (0, 1, 7) for side in ("visitor", "host")),
        MessageSent(
            message_id="m-1", party=HOST, sender=PublicProfile.of(VISITOR), text="May we come in May?"
        ),
        SearchMatched(
            search_id="s-1", name="Mills", party=VISITOR, side="hosts", found=[PublicProfile.of(HOST)]
        ),
        SearchMatched(
            search_id="s-1",
            name="Mills",
            partnership="hempclub",
            side="hosts",
            found=[PublicProfile.of(HOST), PublicProfile.of(HOST)],
            more=3,
        ),
        a_suppressed_address(),
        a_suppressed_address(registration_id=None),
        an_endpoint_disabled(),
        an_endpoint_disabled(description="", partnership=None, source="/crm", attempts=1),
        a_match(MatchProposed, proposed_by="visitor"),
        a_match(MatchProposed, proposed_by="host"),
        a_match(MatchProposed, proposed_by="host", answer_by=ANSWER_BY),
        a_commitment(CommitmentDrawnUp),
        a_commitment(CommitmentSigned),
        a_commitment(CommitmentSigned, missing=[]),
        a_commitment(CommitmentVoided),
        a_commitment(CommitmentVoided, final=True, missing=[]),
        a_commitment(CommitmentCompleted),
        an_invitation(),
        an_invitation(message="We spoke about your spinning line."),
        an_invitation(InvitationAccepted, accepted_by="r-host"),
        an_invitation(InvitationWithdrawn),
        a_suggestion(),
        a_suggestion(reasons=[]),
        a_published_plan(),
        a_published_plan(suggested=1, dropped=0, partnerships=[]),
        a_group_event(GatheringOpened),
        a_group_event(GatheringOpened, places=1, local_places=5),
        a_group_event(GatheringChanged),
        a_moved_group_event(),
        a_group_event(GatheringCancelled, concerned=[VISITOR]),
        *(
            a_group_event(PlaceTaken, attends_as=attends_as, moved_up=moved_up)
            for attends_as in ("visitor", "local")
            for moved_up in (False, True)
        ),
        a_group_event(PlaceAwaited),
        a_group_event(PlaceLeft),
        a_group_event(PlaceLeft, had_place=True, match_id="m-1", reason="Ill."),
        a_counter_proposal("visitor", reason="We travel that week."),
        a_counter_proposal("host"),
        a_reminder("r-host"),
        a_reminder("r-visitor", "r-host"),
        a_reminder("hempclub", "sampletex", state="agreed"),
        *(
            a_match(MatchExpired, unanswered_by=sides)
            for sides in (["visitor"], ["host"], ["visitor", "host"])
        ),
        a_match(MatchWithdrawn, withdrawn_by="visitor", reason="No time."),
        a_match(MatchWithdrawn, withdrawn_by="host"),
        a_match(MatchAgreed),
        a_match(MatchEndorsed, endorsed_by="hempclub"),
        a_match(MatchApproved),
        a_match(MatchDeclined, declined_by="host", reason="No room in February."),
        a_match(MatchDeclined, declined_by="visitor"),
        a_match(MatchRefused, refused_by="hempclub", reason="Both are in one country."),
        a_match(MatchCancelled, reason="The visitor cannot travel.", was_approved=True),
        a_match(MatchCancelled, reason="", was_approved=False),
        a_reserved_grant(),
        GrantAwaitingBudget(**_GRANT, amount=Decimal("1100"), receipt=a_receipt()),
        GrantNeedsReview(**_GRANT, receipt=a_receipt("needs_review")),
        GrantRefused(**_GRANT, receipt=a_receipt("failed")),
        GrantCancelled(**_GRANT, freed=Decimal("450.00"), reason="The match was cancelled."),
        GrantCancelled(**_GRANT, freed=Decimal("0"), reason=""),
        *(
            a_grant(GrantRecalculated, change=change)
            for change in ("more", "less", "same", "settled", "refused")
        ),
        a_grant(GrantCommitted),
        a_grant(GrantPayable),
        a_grant(GrantReopened),
        a_grant(GrantReopened, gate="agreement", waits_for="partnership", reason="It names other days."),
        a_grant(GrantReopened, gate="evidence"),
        a_grant(GrantPrepared),
        a_grant(GrantUnprepared),
        a_grant(GrantReleased),
        a_grant(GrantPaid),
        a_grant(GrantPaymentFailed),
        *(a_grant(GrantMatchEnded, state=state) for state in ("prepared", "released", "paid")),
        a_grant(GrantClaimedBack),
        *(
            a_grant(GrantPaymentOverdue, state=state, payment_id=None if state == "payable" else "p-1")
            for state in ("payable", "prepared", "released")
        ),
        an_agreement(AgreementDrawnUp),
        an_agreement(AgreementSigned),
        an_agreement(AgreementSigned, signed_as="VOP", signed_for="HempClub", missing=[]),
        an_agreement(AgreementVoided),
        an_agreement(AgreementVoided, final=True),
        a_grant(GrantRecovered),
        a_grant(GrantRecovered, left=Decimal("50.00")),
        a_report(ReportSubmitted),
        a_report(ReportReturned),
        a_report(ReportReturned, was_validated=True),
        a_report(ReportValidated),
        a_report(ReportValidated, amount=Decimal("0.00"), counts=False),
        a_report(ReportReminded),
        a_report(ReportReminded, number=3, last=True, begun=True),
        evidence(EvidenceSubmitted),
        evidence(EvidenceReturned),
        evidence(EvidenceReturned, reason="The way back is missing.", files=[], was_accepted=True),
        evidence(EvidenceAccepted),
        *(a_given_account(changed=changed) for changed in (False, True)),
        a_payment(PaymentPrepared),
        a_payment(PaymentPrepared, grants=["g-1", "g-2"], total=Decimal("900.00")),
        a_payment(PaymentReleased),
        a_payment(PaymentReleased, grants=["g-1", "g-2"], total=Decimal("900.00")),
        *(a_payment(PaymentWithdrawn, left=left) for left in range(3)),
        a_payment(PaymentWithdrawn, left=1, grants=["g-1", "g-2"]),
        a_ledger_that_differs(),
        a_ledger_that_differs(differences=[]),
        a_forecast_warning(),
        a_forecast_warning(concerns=[], new=[], cleared=["objective_late"]),
    ]
