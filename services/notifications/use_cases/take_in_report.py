"""The mail system hands over what came back by mail: a bounce, a complaint, or somebody who unsubscribes."""

from __future__ import annotations

from enum import StrEnum

from services.notifications.domain.replies import without_addresses
from services.notifications.domain.report import Report, Undelivered, Unsubscribes, Unwanted
from services.notifications.domain.unsubscription import Leaving, Unsubscriptions
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.note_bounce import note_bounce
from services.notifications.use_cases.unsubscribe import unsubscribe
from shared.contracts.envelope import Cause
from shared.storage.unit_of_work import because_of


class CameOfIt(StrEnum):
    """What became of a report."""

    SUPPRESSED = "suppressed"
    """Nothing more is sent to the address."""
    NOTED = "noted"
    """The mail did not arrive; the next one may."""
    UNSUBSCRIBED = "unsubscribed"
    """Its reader gets no more mails of this kind."""
    IGNORED = "ignored"
    """It reports nothing, or of no mail that is on file here."""


async def take_in_report(
    uow: NotificationsUnitOfWork, report: Report | None, unsubscriptions: Unsubscriptions | None
) -> CameOfIt:
    """What came of it; heard twice, it counts once."""
    match report:
        case Unsubscribes(token):
            leaving = unsubscriptions.read(token) if unsubscriptions else None
            return await _unsubscribe(uow, leaving)
        case Unwanted(id):
            mail = await uow.notifications.find(id)
            return await _unsubscribe(uow, Leaving.of(mail) if mail else None)
        case Undelivered(id, said, bounce):
            mail = await uow.notifications.find(id)
            if mail is None or mail.address is None:
                return CameOfIt.IGNORED
            with because_of(Cause(correlation_id=mail.correlation_id, causation_id=mail.fact_id)):
                mail.come_back(without_addresses(said), uow.now)
            suppression = await note_bounce(uow, mail, bounce, said) if bounce else None
            return CameOfIt.SUPPRESSED if suppression and suppression.suppressed else CameOfIt.NOTED
        case None:
            return CameOfIt.IGNORED


async def _unsubscribe(uow: NotificationsUnitOfWork, leaving: Leaving | None) -> CameOfIt:
    if leaving is None:
        return CameOfIt.IGNORED
    await unsubscribe(uow, leaving, mails=False)
    return CameOfIt.UNSUBSCRIBED
