"""The wire names of every command and event, in one place; the version is the last part."""

from __future__ import annotations

from enum import StrEnum


class EventType(StrEnum):
    """`cxc.<aggregate>.<what>.v<version>`: commands imperative, events past tense."""

    # what outside systems write to cxc.registration.inbox
    SUBMIT_REGISTRATION = "cxc.registration.submit.v1"
    AMEND_REGISTRATION = "cxc.registration.amend.v1"
    WITHDRAW_REGISTRATION = "cxc.registration.withdraw.v1"
    CONFIRM_INTEREST = "cxc.registration.confirm_interest.v1"

    # cxc.registration.events
    REGISTRATION_SCREENED = "cxc.registration.screened.v1"
    REGISTRATION_AMENDED = "cxc.registration.amended.v1"
    REGISTRATION_ACCEPTED = "cxc.registration.accepted.v1"
    REGISTRATION_REJECTED = "cxc.registration.rejected.v1"
    REGISTRATION_WITHDRAWN = "cxc.registration.withdrawn.v1"
    REGISTRATION_REFUSED = "cxc.registration.refused.v1"
    REGISTRATION_ASSIGNED = "cxc.registration.assigned.v1"
    REGISTRATION_INFORMATION_ASKED = "cxc.registration.information_asked.v1"
    REGISTRATION_DECISION_UNDONE = "cxc.registration.decision_undone.v1"
    REGISTRATION_INTEREST_ASKED = "cxc.registration.interest_asked.v1"
    REGISTRATION_INTEREST_CONFIRMED = "cxc.registration.interest_confirmed.v1"
    REGISTRATION_LAPSED = "cxc.registration.lapsed.v1"
    REGISTRATION_MERGED = "cxc.registration.merged.v1"
    REGISTRATION_UNMERGED = "cxc.registration.unmerged.v1"
    REGISTRATION_ERASED = "cxc.registration.erased.v1"

    # cxc.matching.events
    FITS_FOUND = "cxc.fits.found.v1"
    MESSAGE_SENT = "cxc.message.sent.v1"
    SEARCH_MATCHED = "cxc.search.matched.v1"
    MATCH_PROPOSED = "cxc.match.proposed.v1"
    MATCH_AGREED = "cxc.match.agreed.v1"
    MATCH_ENDORSED = "cxc.match.endorsed.v1"
    MATCH_APPROVED = "cxc.match.approved.v1"
    MATCH_DECLINED = "cxc.match.declined.v1"
    MATCH_REFUSED = "cxc.match.refused.v1"
    MATCH_CANCELLED = "cxc.match.cancelled.v1"
    MATCH_SUGGESTED = "cxc.match.suggested.v1"
    MATCH_COUNTERED = "cxc.match.countered.v1"
    MATCH_WITHDRAWN = "cxc.match.withdrawn.v1"
    MATCH_REMINDED = "cxc.match.reminded.v1"
    MATCH_EXPIRED = "cxc.match.expired.v1"
    INVITATION_SENT = "cxc.invitation.sent.v1"
    INVITATION_ACCEPTED = "cxc.invitation.accepted.v1"
    INVITATION_WITHDRAWN = "cxc.invitation.withdrawn.v1"
    PLAN_PUBLISHED = "cxc.plan.published.v1"
    COMMITMENT_DRAWN_UP = "cxc.commitment.drawn_up.v1"
    COMMITMENT_SIGNED = "cxc.commitment.signed.v1"
    COMMITMENT_VOIDED = "cxc.commitment.voided.v1"
    COMMITMENT_COMPLETED = "cxc.commitment.completed.v1"
    GROUP_EVENT_OPENED = "cxc.group_event.opened.v1"
    GROUP_EVENT_CHANGED = "cxc.group_event.changed.v1"
    GROUP_EVENT_CANCELLED = "cxc.group_event.cancelled.v1"
    GROUP_EVENT_PLACE_TAKEN = "cxc.group_event.place_taken.v1"
    GROUP_EVENT_PLACE_AWAITED = "cxc.group_event.place_awaited.v1"
    GROUP_EVENT_PLACE_LEFT = "cxc.group_event.place_left.v1"

    # cxc.funding.events
    GRANT_RESERVED = "cxc.grant.reserved.v1"
    GRANT_AWAITING_BUDGET = "cxc.grant.awaiting_budget.v1"
    GRANT_NEEDS_REVIEW = "cxc.grant.needs_review.v1"
    GRANT_REFUSED = "cxc.grant.refused.v1"
    GRANT_CANCELLED = "cxc.grant.cancelled.v1"
    GRANT_RECALCULATED = "cxc.grant.recalculated.v1"
    GRANT_COMMITTED = "cxc.grant.committed.v1"
    GRANT_PAYABLE = "cxc.grant.payable.v1"
    GRANT_REOPENED = "cxc.grant.reopened.v1"
    GRANT_PREPARED = "cxc.grant.prepared.v1"
    GRANT_UNPREPARED = "cxc.grant.unprepared.v1"
    GRANT_RELEASED = "cxc.grant.released.v1"
    GRANT_PAID = "cxc.grant.paid.v1"
    GRANT_PAYMENT_FAILED = "cxc.grant.payment_failed.v1"
    GRANT_MATCH_ENDED = "cxc.grant.match_ended.v1"
    GRANT_CLAIMED_BACK = "cxc.grant.claimed_back.v1"
    GRANT_RECOVERED = "cxc.grant.recovered.v1"
    GRANT_PAYMENT_OVERDUE = "cxc.grant.payment_overdue.v1"
    AGREEMENT_DRAWN_UP = "cxc.agreement.drawn_up.v1"
    AGREEMENT_SIGNED = "cxc.agreement.signed.v1"
    AGREEMENT_VOIDED = "cxc.agreement.voided.v1"
    LEDGER_DIFFERED = "cxc.ledger.differed.v1"
    FORECAST_WARNING = "cxc.forecast.warned.v1"
    REPORT_SUBMITTED = "cxc.report.submitted.v1"
    REPORT_RETURNED = "cxc.report.returned.v1"
    REPORT_VALIDATED = "cxc.report.validated.v1"
    REPORT_REMINDED = "cxc.report.reminded.v1"
    EVIDENCE_SUBMITTED = "cxc.evidence.submitted.v1"
    EVIDENCE_RETURNED = "cxc.evidence.returned.v1"
    EVIDENCE_ACCEPTED = "cxc.evidence.accepted.v1"
    BANK_ACCOUNT_GIVEN = "cxc.bank_account.given.v1"
    PAYMENT_PREPARED = "cxc.payment.prepared.v1"
    PAYMENT_RELEASED = "cxc.payment.released.v1"
    PAYMENT_WITHDRAWN = "cxc.payment.withdrawn.v1"

    # cxc.notifications.events
    NOTIFICATION_SENT = "cxc.notification.sent.v1"
    NOTIFICATION_FAILED = "cxc.notification.failed.v1"
    ADDRESS_SUPPRESSED = "cxc.address.suppressed.v1"
    ADDRESS_RESTORED = "cxc.address.restored.v1"
    OUTGOING_HELD = "cxc.outgoing.held.v1"
    OUTGOING_RELEASED = "cxc.outgoing.released.v1"
    DEADLINE_REMINDED = "cxc.deadline.reminded.v1"


def family(wire_type: str) -> str:
    """The type without its version: `cxc.registration.accepted.v2` → `cxc.registration.accepted`."""
    head, _, tail = wire_type.rpartition(".")
    return head if tail[:1] == "v" and tail[1:].isdigit() else wire_type
