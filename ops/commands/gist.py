"""What an event of the platform says, in one line for people."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from shared.contracts.catalogue import contracts, upcast
from shared.contracts.common import Party
from shared.contracts.envelope import CloudEvent
from shared.contracts.funding import (
    AgreementDrawnUp,
    AgreementSigned,
    AgreementVoided,
    BankAccountGiven,
    EvidenceAccepted,
    EvidenceReturned,
    EvidenceSubmitted,
    ForecastWarning,
    GrantAwaitingBudget,
    GrantCancelled,
    GrantClaimedBack,
    GrantCommitted,
    GrantEvent,
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
    PaymentEvent,
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
    FitsFound,
    GatheringCancelled,
    GatheringEvent,
    GatheringOpened,
    InvitationAccepted,
    InvitationEvent,
    MatchApproved,
    MatchCancelled,
    MatchCountered,
    MatchDeclined,
    MatchEndorsed,
    MatchEvent,
    MatchExpired,
    MatchProposed,
    MatchRefused,
    MatchReminded,
    MatchSuggested,
    MatchWithdrawn,
    MessageSent,
    PlaceAwaited,
    PlaceEvent,
    PlaceLeft,
    PlanPublished,
    SearchMatched,
)
from shared.contracts.notifications import (
    AddressEvent,
    AddressRestored,
    AddressSuppressed,
    DeadlineReminded,
    EndpointDisabled,
    NotificationEvent,
    NotificationFailed,
    OutgoingEvent,
    OutgoingHeld,
)
from shared.contracts.registration import (
    InterestConfirmation,
    RegistrationAccepted,
    RegistrationAssigned,
    RegistrationDecisionUndone,
    RegistrationErased,
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
    Submission,
    Withdrawal,
)


def read(event: CloudEvent) -> BaseModel | None:
    """The event's data as its contract, or None where this code knows none or the data is not of it."""
    newest = upcast(event)
    model = contracts().get(newest.type)
    try:
        return model.model_validate(newest.data) if model else None
    except ValidationError:
        return None


def gist(event: CloudEvent) -> str:
    """One line; empty for an event this code does not know. Names organisations, never addresses."""
    content = read(event)
    match content:
        case Submission(organisation=organisation):
            return f"{organisation.name}, {organisation.city} {organisation.country}"
        case Withdrawal():
            return content.reason
        case InterestConfirmation():
            return "still interested"
        case RegistrationAssigned():
            before = f", formerly {content.before}’s" if content.before else ""
            return f"{_party(content.party)}{before}: {content.verdict}. {content.reason}"
        case RegistrationMerged():
            return f"{_party(content.party)}: the same organisation as {content.same_as}, {content.verdict}"
        case RegistrationUnmerged():
            return f"{_party(content.party)}: another organisation than {content.same_as}, {content.verdict}"
        case RegistrationScreened():
            return f"{_party(content.party)}: {content.verdict}. {content.receipt.sentence}"
        case RegistrationAccepted():
            how = "by the partnership's own rule" if content.automatic else "by its staff"
            return f"{_party(content.party)}: accepted {how}"
        case RegistrationRejected() | RegistrationWithdrawn():
            return f"{_party(content.party)}: {content.reason}"
        case RegistrationInformationAsked():
            return f"{_party(content.party)}: asked “{content.question}”"
        case RegistrationDecisionUndone():
            return f"{_party(content.party)}: no longer {content.undone}. {content.reason}"
        case RegistrationInterestAsked():
            again = " again" if content.reminder else ""
            return f"{_party(content.party)}: asked{again} if still interested, until {content.answer_by}"
        case RegistrationInterestConfirmed():
            return f"{_party(content.party)}: still interested"
        case RegistrationLapsed():
            return f"{_party(content.party)}: lapsed, no answer whether still interested"
        case RegistrationErased():
            return f"{content.party.registration_id}: its data are erased, wanted by {content.on_behalf_of}"
        case RegistrationRefused():
            return f"{content.title}: {content.detail}"
        case MessageSent():
            return f"{content.sender.organisation} wrote to {_party(content.party)}"
        case SearchMatched():
            whose = _party(content.party) if content.party else f"staff of {content.partnership}"
            return f"{whose}: {len(content.found) + content.more} new for the search “{content.name}”"
        case FitsFound():
            best = content.fits[0] if content.fits else None
            found = f"best is {best.partner.organisation} with {best.score:g} points" if best else "none fits"
            return f"{content.party.organisation} as {content.side}: {content.considered} compared, {found}"
        case PlanPublished():
            became = f"{content.suggested} suggested, {content.standing} standing, {content.dropped} dropped"
            return f"plan {content.plan_id}: {became}, {content.left} left"
        case InvitationEvent():
            days = f"{content.stay.first_day} to {content.stay.last_day}"
            by = f", taken up by {content.accepted_by}" if isinstance(content, InvitationAccepted) else ""
            return f"{_party(content.party)}: invites a {content.invited_as}, {days}{by}"
        case GatheringEvent():
            days = f"{content.days.first_day} to {content.days.last_day}"
            return f"{content.title}, {content.place.city}, {days}{_of_gathering(content)}"
        case MatchEvent():
            return _match(content) + _how_it_went(content)
        case GrantEvent():
            return f"{content.partnership}, {_match(content)}{_money(content)}"
        case PaymentEvent():
            many = f"{len(content.grants)} grant{'' if len(content.grants) == 1 else 's'}"
            return f"{content.partnership}: {many}, EUR {content.total} {_of_payment(content)}"
        case LedgerDiffered():
            accounts = ", ".join(found.account for found in content.differences) or "numbering"
            return f"{content.partnership}: the books do not add up ({accounts})"
        case ForecastWarning():
            codes = ", ".join(concern.code for concern in content.concerns) or "all within reach again"
            return f"{content.partnership}, forecast of {content.on}: {codes}"
        case NotificationEvent():
            failed = f"failed: {content.reason}" if isinstance(content, NotificationFailed) else "sent"
            return f"{content.channel} to {content.recipient} on {content.fact_type} {failed}"
        case AddressSuppressed():
            return f"an address of {_domain(content)} gets no more mails: {content.reason}"
        case AddressRestored():
            return f"an address of {_domain(content)} gets mails again"
        case OutgoingEvent():
            held = "held" if isinstance(content, OutgoingHeld) else "released"
            return f"{', '.join(content.channels)} {held}: {content.reason}"
        case EndpointDisabled():
            return f"nothing more is sent to {content.server}: {content.reason}"
        case DeadlineReminded():
            return f"{content.name.replace('_', ' ')} by {content.deadline}: reminder number {content.number}"
        case _:
            return ""


def _domain(event: AddressEvent) -> str:
    return event.address.rpartition("@")[2]


def _party(party: Party) -> str:
    return (
        f"{party.organisation}, {party.place.city} {party.place.country} ({party.partnership or 'nobody’s'})"
    )


def _match(event: MatchEvent | GrantEvent) -> str:
    days = f"{event.stay.first_day} to {event.stay.last_day}"
    return f"{event.visitor.organisation} → {event.host.organisation}, {days}"


def _how_it_went(event: MatchEvent) -> str:
    match event:
        case MatchProposed():
            return f", proposed by the {event.proposed_by}"
        case MatchEndorsed():
            return f", endorsed by {event.endorsed_by}"
        case MatchApproved(score=float(score)):
            return f", {score:g} points"
        case MatchDeclined():
            return f", declined by the {event.declined_by}: {event.reason}"
        case MatchRefused():
            return f", refused by {event.refused_by}: {event.reason}"
        case MatchCancelled():
            return f", cancelled: {event.reason}"
        case MatchSuggested():
            return f", suggested by plan {event.plan_id}, {event.score:g} points"
        case MatchCountered():
            former = f"{event.former_stay.first_day} to {event.former_stay.last_day}"
            return f", these days by the {event.countered_by} instead of {former}: {event.reason}"
        case MatchWithdrawn():
            return f", withdrawn by the {event.withdrawn_by}: {event.reason}"
        case MatchReminded():
            return f", still {event.state}, reminded to answer by {event.answer_by}"
        case MatchExpired():
            return f", expired without a word of the {' and the '.join(event.unanswered_by)}"
        case CommitmentDrawnUp():
            return ", commitment drawn up"
        case CommitmentSigned():
            missing = f"missing: {', '.join(event.missing)}" if event.missing else "none is missing"
            return f", signed as {event.signed_as} for {event.signed_for}, {missing}"
        case CommitmentVoided():
            voided = f"signatures of {', '.join(event.voided)} void" if event.voided else "unsigned"
            return f", commitment {'void' if event.final else 'changed'}, {voided}: {event.reason}"
        case CommitmentCompleted():
            return f", commitment signed by all four, SHA-256 {event.document_sha256[:12]}…"
        case _:
            return ""


def _of_gathering(event: GatheringEvent) -> str:
    match event:
        case GatheringOpened():
            return f": {event.places} places, sign-up until {event.sign_up_until}"
        case GatheringCancelled():
            return f": cancelled, {event.reason}"
        case PlaceAwaited():
            return f": {event.party.organisation} waits as number {event.number}"
        case PlaceLeft():
            return f": {event.party.organisation} left, {event.reason}"
        case PlaceEvent():
            return f": {event.party.organisation} has a place as {event.attends_as}"
        case _:
            return f": {event.state}"


def _money(event: GrantEvent) -> str:
    match event:
        case GrantReserved() | GrantAwaitingBudget():
            return f": EUR {event.amount}"
        case GrantNeedsReview() | GrantRefused():
            return f": {event.receipt.sentence}"
        case GrantCancelled():
            return f": EUR {event.freed} free again, {event.reason}"
        case ReportSubmitted():
            return f": report submitted, stay {event.real_stay.first_day} to {event.real_stay.last_day}"
        case ReportReturned():
            return f": report returned, {event.reason}"
        case ReportValidated():
            return f": report validated, EUR {event.amount}{'' if event.counts else ', does not count'}"
        case ReportReminded():
            return f": no report, reminder {event.number}{', the last' if event.last else ''}"
        case EvidenceSubmitted():
            return f": evidence submitted, {', '.join(event.kinds)}"
        case EvidenceReturned():
            why = [event.reason or "", *(file.reason for file in event.files)]
            return f": evidence returned, {' '.join(filter(None, why))}"
        case EvidenceAccepted():
            return f": evidence accepted, {len(event.files)} files"
        case GrantRecalculated():
            return f": {event.difference}"
        case GrantCommitted():
            return f": EUR {event.amount} committed"
        case GrantPayable():
            return f": EUR {event.amount} to be paid by {event.due}"
        case GrantReopened():
            return f": {event.gate} open again, waits for the {event.waits_for}"
        case GrantPrepared() | GrantReleased():
            done = "prepared" if isinstance(event, GrantPrepared) else "released"
            return f": EUR {event.amount} {done} in payment {event.payment_id}"
        case GrantUnprepared():
            return f": taken out of payment {event.payment_id}, {event.reason}"
        case GrantPaid():
            return f": EUR {event.amount} paid on {event.paid_on}, reference {event.reference}"
        case GrantPaymentFailed():
            return f": payment of EUR {event.amount} failed, {event.reason}"
        case GrantMatchEnded():
            return f": match ended with EUR {event.amount} {event.state}, {event.reason}"
        case GrantClaimedBack():
            return f": EUR {event.amount} claimed back until {event.return_by}, {event.reason}"
        case GrantPaymentOverdue():
            return f": EUR {event.amount} should have been paid by {event.due}, still {event.state}"
        case AgreementDrawnUp():
            return f": agreement {event.number} on EUR {event.amount} drawn up, edition {event.edition}"
        case AgreementSigned():
            return f": agreement {event.number} signed as {event.signed_as} for {event.signed_for}"
        case AgreementVoided():
            voided = f"signatures of {' and '.join(event.voided)} void" if event.voided else "unsigned"
            return f": agreement {event.number} void, {voided}: {event.reason}"
        case GrantRecovered():
            return f": EUR {event.amount} came back, {event.reason}"
        case BankAccountGiven():
            return f": {'another' if event.changed else 'a'} bank account given"
        case _:
            return ""


def _of_payment(event: PaymentEvent) -> str:
    match event:
        case PaymentReleased():
            return f"released for {event.execute_on}, payment {event.payment_id}"
        case PaymentWithdrawn():
            return f"withdrawn from payment {event.payment_id}, {event.reason}"
        case _:
            return f"prepared in payment {event.payment_id}"
