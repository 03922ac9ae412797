"""Every contract by its wire name, with the topic it is written to, and the upcasters of old versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from shared.contracts import funding, matching, notifications, registration
from shared.contracts.envelope import CloudEvent, Event
from shared.contracts.types import EventType, family
from shared.messaging import topics

Data = dict[str, Any]
Upcaster = Callable[[Data], Data]

Command = type[registration.Submission | registration.Withdrawal | registration.InterestConfirmation]

#: What outside systems may write to the registration inbox.
INBOX: Final[dict[str, Command]] = {
    EventType.SUBMIT_REGISTRATION: registration.Submission,
    EventType.AMEND_REGISTRATION: registration.Amendment,
    EventType.WITHDRAW_REGISTRATION: registration.Withdrawal,
    EventType.CONFIRM_INTEREST: registration.InterestConfirmation,
}

#: What each service publishes, by its wire name.
EVENTS: Final[dict[topics.ServiceName, tuple[type[Event], ...]]] = {
    "registration": (
        registration.RegistrationScreened,
        registration.RegistrationAmended,
        registration.RegistrationAccepted,
        registration.RegistrationRejected,
        registration.RegistrationWithdrawn,
        registration.RegistrationRefused,
        registration.RegistrationAssigned,
        registration.RegistrationInformationAsked,
        registration.RegistrationDecisionUndone,
        registration.RegistrationInterestAsked,
        registration.RegistrationInterestConfirmed,
        registration.RegistrationLapsed,
        registration.RegistrationMerged,
        registration.RegistrationUnmerged,
        registration.RegistrationErased,
    ),
    "matching": (
        matching.FitsFound,
        matching.MessageSent,
        matching.SearchMatched,
        matching.MatchProposed,
        matching.MatchAgreed,
        matching.MatchEndorsed,
        matching.MatchApproved,
        matching.MatchDeclined,
        matching.MatchRefused,
        matching.MatchCancelled,
        matching.MatchSuggested,
        matching.MatchCountered,
        matching.MatchWithdrawn,
        matching.MatchReminded,
        matching.MatchExpired,
        matching.InvitationSent,
        matching.InvitationAccepted,
        matching.InvitationWithdrawn,
        matching.PlanPublished,
        matching.CommitmentDrawnUp,
        matching.CommitmentSigned,
        matching.CommitmentVoided,
        matching.CommitmentCompleted,
        matching.GatheringOpened,
        matching.GatheringChanged,
        matching.GatheringCancelled,
        matching.PlaceTaken,
        matching.PlaceAwaited,
        matching.PlaceLeft,
    ),
    "funding": (
        funding.GrantReserved,
        funding.GrantAwaitingBudget,
        funding.GrantNeedsReview,
        funding.GrantRefused,
        funding.GrantCancelled,
        funding.GrantRecalculated,
        funding.GrantCommitted,
        funding.GrantPayable,
        funding.GrantReopened,
        funding.GrantPrepared,
        funding.GrantUnprepared,
        funding.GrantReleased,
        funding.GrantPaid,
        funding.GrantPaymentFailed,
        funding.GrantMatchEnded,
        funding.GrantClaimedBack,
        funding.GrantRecovered,
        funding.GrantPaymentOverdue,
        funding.AgreementDrawnUp,
        funding.AgreementSigned,
        funding.AgreementVoided,
        funding.LedgerDiffered,
        funding.ForecastWarning,
        funding.ReportSubmitted,
        funding.ReportReturned,
        funding.ReportValidated,
        funding.ReportReminded,
        funding.EvidenceSubmitted,
        funding.EvidenceReturned,
        funding.EvidenceAccepted,
        funding.BankAccountGiven,
        funding.PaymentPrepared,
        funding.PaymentReleased,
        funding.PaymentWithdrawn,
    ),
    "notifications": (
        notifications.NotificationSent,
        notifications.NotificationFailed,
        notifications.AddressSuppressed,
        notifications.AddressRestored,
        notifications.OutgoingHeld,
        notifications.OutgoingReleased,
        notifications.DeadlineReminded,
        notifications.EndpointDisabled,
    ),
}

EVENT_MODELS: Final[dict[str, type[Event]]] = {
    model.TYPE: model for models in EVENTS.values() for model in models
}

#: From an old wire name to the next one, and how its data becomes the next version's.
UPCASTERS: Final[dict[str, tuple[str, Upcaster]]] = {}


@dataclass(frozen=True)
class Upcast:
    """An event's data in the shape of the newest version this code knows."""

    type: str
    data: Any


def upcast(event: CloudEvent, steps: dict[str, tuple[str, Upcaster]] | None = None) -> Upcast:
    """Lift old data to the newest known version, one step at a time."""
    steps = UPCASTERS if steps is None else steps
    wire_type, data = event.type, event.data
    while wire_type in steps:
        wire_type, step = steps[wire_type]
        data = step(data)
    return Upcast(wire_type, data)


def known_families() -> frozenset[str]:
    """The event types of the platform without their versions."""
    return frozenset(family(name) for name in (*EVENT_MODELS, *INBOX))


def contracts() -> dict[str, type[BaseModel]]:
    """Every wire name with its model: commands of the inbox and events of the services."""
    return {**INBOX, **EVENT_MODELS}
