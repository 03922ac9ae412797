"""An event of another service is folded into the read model."""

from __future__ import annotations

from typing import cast

from services.console.domain.exchange import Exchange, parties_of
from services.console.domain.happening import Happening
from services.console.domain.registration import Registration, Side
from services.console.repositories import ConsoleUnitOfWork
from services.console.use_cases.erase_case import erase_case
from shared.contracts.common import Party
from shared.contracts.envelope import CloudEvent, Event
from shared.contracts.funding import GrantEvent, PaymentEvent
from shared.contracts.matching import GatheringEvent, MatchEvent, PlanPublished
from shared.contracts.registration import RegistrationErased, RegistrationRefused
from shared.erasure import Erasure, without_data_of

_PARTIES = ("party", "visitor", "host")


async def fold_event(uow: ConsoleUnitOfWork, event: Event, envelope: CloudEvent) -> None:
    """Note what happened, and where the cases it is about stand with it.

    What has been folded is passed by. Of a registration that is erased nothing personal is taken in.
    """
    parties = [party for name in _PARTIES if isinstance(party := event.__dict__.get(name), Party)]
    registrations = {party.registration_id for party in parties}
    matches = [event.match_id] if isinstance(event, MatchEvent | GrantEvent) else []
    await uow.prefetch(
        (Happening, [envelope.id]),
        (Erasure, registrations),
        (Registration, registrations),
        (Exchange, matches),
    )
    if await uow.happenings.find(envelope.id) is not None:
        return
    erased = await uow.erasures.among(registrations)
    event = without_data_of(event, erased)
    at, version = envelope.time or uow.now, int(envelope.sequence or 0)
    match event:
        case MatchEvent() | GrantEvent():
            await _fold_exchange(uow, event, version, envelope)
        case GatheringEvent():
            (await uow.group_events.of(event.group_event_id)).note(event, version, at)
        case PlanPublished():
            (await uow.plans.of(event.plan_id)).note(event, version, at)
        case PaymentEvent():
            (await uow.payments.of(event.payment_id)).note(event, version, at)
        case _ if envelope.source == "/cxc/registration" and not isinstance(event, RegistrationRefused):
            await _fold_registration(uow, event, version, envelope)
    happening = Happening.of(event, envelope, at=at)
    if erased:
        happening.forget_words()
    uow.happenings.add(happening)
    if isinstance(event, RegistrationErased):
        await erase_case(uow, event.party.registration_id)


async def _fold_registration(
    uow: ConsoleUnitOfWork, event: Event, version: int, envelope: CloudEvent
) -> None:
    party: Party = event.party  # type: ignore[attr-defined]
    registration = await uow.registrations.of(party.registration_id)
    before = registration.party
    registration.note(event, version, envelope.time or uow.now)
    if registration.exchanges and registration.party != before:
        assert registration.party is not None
        for exchange in await uow.exchanges.get_all(registration.exchanges):
            exchange.follow(exchange.side_of(registration.id), registration.party)


async def _fold_exchange(
    uow: ConsoleUnitOfWork, event: MatchEvent | GrantEvent, version: int, envelope: CloudEvent
) -> None:
    exchange = await uow.exchanges.of(event.match_id)
    for name, party in parties_of(event).items():
        registration = await uow.registrations.of(party.registration_id)
        registration.heard_of(party)
        registration.add_exchange(exchange.id)
        exchange.follow(name, cast(Side, registration.party))
    exchange.note(event, version, envelope.time or uow.now)
