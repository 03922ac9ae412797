"""What the matching service reacts to: registrations that join, pause in, or leave the pool."""

from __future__ import annotations

from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.erase_candidate import erase_candidate
from services.matching.use_cases.join_pool import join_pool
from services.matching.use_cases.leave_pool import leave_pool
from services.matching.use_cases.pause_candidate import pause_candidate
from services.matching.use_cases.share_visit import share_visit
from shared.contracts.envelope import CloudEvent
from shared.contracts.registration import (
    RegistrationAccepted,
    RegistrationAmended,
    RegistrationDecisionUndone,
    RegistrationErased,
    RegistrationLapsed,
    RegistrationMerged,
    RegistrationRejected,
    RegistrationUnmerged,
    RegistrationWithdrawn,
)
from shared.contracts.vocabulary import RegistrationState
from shared.errors import Malformed
from shared.messaging.handlers import Handlers

handlers: Handlers[MatchingUnitOfWork] = Handlers("matching")


@handlers.on_enveloped(RegistrationAccepted)
async def on_accepted(event: RegistrationAccepted, uow: MatchingUnitOfWork, envelope: CloudEvent) -> None:
    await join_pool(uow, event.party, event.profile, version=_version(envelope))


@handlers.on_enveloped(RegistrationAmended)
async def on_amended(event: RegistrationAmended, uow: MatchingUnitOfWork, envelope: CloudEvent) -> None:
    if event.state is not RegistrationState.ACCEPTED:
        await pause_candidate(uow, event.party, version=_version(envelope))


@handlers.on_enveloped(RegistrationRejected)
async def on_rejected(event: RegistrationRejected, uow: MatchingUnitOfWork, envelope: CloudEvent) -> None:
    await leave_pool(
        uow,
        event.party,
        version=_version(envelope),
        reason=f"The registration of {event.party.organisation} was rejected.",
    )


@handlers.on_enveloped(RegistrationWithdrawn)
async def on_withdrawn(event: RegistrationWithdrawn, uow: MatchingUnitOfWork, envelope: CloudEvent) -> None:
    await leave_pool(
        uow,
        event.party,
        version=_version(envelope),
        reason=f"{event.party.organisation} withdrew its registration.",
    )


@handlers.on_enveloped(RegistrationLapsed)
async def on_lapsed(event: RegistrationLapsed, uow: MatchingUnitOfWork, envelope: CloudEvent) -> None:
    await leave_pool(
        uow,
        event.party,
        version=_version(envelope),
        reason=f"{event.party.organisation} did not answer whether it is still interested.",
    )


@handlers.on_enveloped(RegistrationDecisionUndone)
async def on_decision_undone(
    event: RegistrationDecisionUndone, uow: MatchingUnitOfWork, envelope: CloudEvent
) -> None:
    if event.undone == "accepted":
        await leave_pool(
            uow,
            event.party,
            version=_version(envelope),
            reason=f"The acceptance of {event.party.organisation} was taken back.",
            acceptance_undone=True,
        )


@handlers.on_enveloped(RegistrationMerged)
async def on_merged(event: RegistrationMerged, uow: MatchingUnitOfWork, envelope: CloudEvent) -> None:
    await share_visit(uow, event.party, version=_version(envelope))


@handlers.on_enveloped(RegistrationUnmerged)
async def on_unmerged(event: RegistrationUnmerged, uow: MatchingUnitOfWork, envelope: CloudEvent) -> None:
    await share_visit(uow, event.party, version=_version(envelope))


@handlers.on_enveloped(RegistrationErased)
async def on_erased(event: RegistrationErased, uow: MatchingUnitOfWork, envelope: CloudEvent) -> None:
    await erase_candidate(uow, event.party, version=_version(envelope))


def _version(envelope: CloudEvent) -> int:
    if envelope.sequence is None or not envelope.sequence.isdigit():
        raise Malformed("The event has no sequence: what comes before what cannot be told.")
    return int(envelope.sequence)
