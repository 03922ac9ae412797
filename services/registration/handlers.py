"""What the registration service reacts to: its inbox, and the approvals that use a visit up."""

from __future__ import annotations

from services.registration.domain.registration import Origin
from services.registration.domain.spreadsheet_import import IMPORTED
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.amend_registration import amend_registration
from services.registration.use_cases.confirm_interest import confirm_interest
from services.registration.use_cases.record_visit import record_visit
from services.registration.use_cases.release_visit import release_visit
from services.registration.use_cases.submit_registration import submit_registration
from services.registration.use_cases.withdraw_registration import withdraw_registration
from shared.contracts.envelope import CloudEvent
from shared.contracts.matching import MatchApproved, MatchCancelled
from shared.contracts.registration import (
    Amendment,
    InterestConfirmation,
    Submission,
    Withdrawal,
    id_from_outside,
)
from shared.errors import Malformed
from shared.messaging.handlers import Handlers

handlers: Handlers[RegistrationUnitOfWork] = Handlers("registration")


@handlers.on_enveloped(Submission)
async def on_submission(event: Submission, uow: RegistrationUnitOfWork, envelope: CloudEvent) -> None:
    await submit_registration(uow, event, by=_origin(envelope))


@handlers.on_enveloped(Amendment)
async def on_amendment(event: Amendment, uow: RegistrationUnitOfWork, envelope: CloudEvent) -> None:
    await amend_registration(uow, _registration_id(envelope), event, by=_origin(envelope))


@handlers.on_enveloped(Withdrawal)
async def on_withdrawal(event: Withdrawal, uow: RegistrationUnitOfWork, envelope: CloudEvent) -> None:
    await withdraw_registration(uow, _registration_id(envelope), by=_origin(envelope), reason=event.reason)


@handlers.on_enveloped(InterestConfirmation)
async def on_interest_confirmation(
    event: InterestConfirmation, uow: RegistrationUnitOfWork, envelope: CloudEvent
) -> None:
    await confirm_interest(uow, _registration_id(envelope), by=_origin(envelope))


@handlers.on(MatchApproved)
async def on_match_approved(event: MatchApproved, uow: RegistrationUnitOfWork) -> None:
    await record_visit(uow, event.visitor, match_id=event.match_id)


@handlers.on(MatchCancelled)
async def on_match_cancelled(event: MatchCancelled, uow: RegistrationUnitOfWork) -> None:
    if event.was_approved:
        await release_visit(uow, event.visitor, match_id=event.match_id)


def _origin(envelope: CloudEvent) -> Origin:
    return Origin(
        by=_source(envelope),
        source=envelope.source,
        reference=_subject(envelope),
        event_id=envelope.id,
        system=envelope.source,
    )


def _registration_id(envelope: CloudEvent) -> str:
    return id_from_outside(_source(envelope), _subject(envelope))


def _source(envelope: CloudEvent) -> str:
    if envelope.source.startswith(IMPORTED):
        raise Malformed(
            f"The source of an event cannot begin with {IMPORTED}, which is kept for spreadsheets; give your "
            "system a name of its own."
        )
    return envelope.source


def _subject(envelope: CloudEvent) -> str:
    if envelope.subject is None:
        raise Malformed(
            "The event has no subject; set it to your own reference of the registration, the same in "
            "everything you send about it."
        )
    return envelope.subject
