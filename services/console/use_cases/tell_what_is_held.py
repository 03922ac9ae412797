"""Someone asks what the console holds about a registration."""

from __future__ import annotations

from typing import Any, Final

from services.console.domain.exchange import Exchange
from services.console.domain.registration import Registration, Side
from services.console.repositories import ConsoleUnitOfWork
from shared.held import UNTIL_ERASED, Kind, nothing_held
from shared.security import Caller, CallerRole

_OF_OTHERS: Final = {"registration_id", "kind", "country", "partnership"}
"""What of the other organisation of a match is not its own to know."""
_MONEY: Final = {"grant", "agreement", "report", "evidence", "account", "step", "counted_for"}
"""How the visitor is paid, which is not the host's to know."""
_ABOUT_OTHERS: Final = {"seen_by", "words", "waits", "waits_for"}


async def tell_what_is_held(uow: ConsoleUnitOfWork, registration_id: str, *, by: Caller) -> list[Kind]:
    """What lists and timelines are made of; raises `NotFound`."""
    registration = await uow.registrations.find(registration_id)
    if registration is None or registration.party is None or not _may_know(by, registration.party):
        raise nothing_held("console", registration_id)
    exchanges = await uow.exchanges.get_all(registration.exchanges)
    happenings = await uow.happenings.about(registration_id)
    places = await uow.group_events.listing(registration_id)
    return [
        Kind(
            name="registration",
            what="Name, kind, place, state, what staff asked and what waits for whom: to list and find it.",
            kept=UNTIL_ERASED,
            documents=[registration.model_dump(mode="json", exclude={"said_at"})],
        ),
        Kind(
            name="exchanges",
            what="Each match it is one side of, with days, state, signatures that are missing and, for the "
            "visitor, where the lump sum stands: to list and find it.",
            kept=f"{UNTIL_ERASED} Days, countries, states and amounts stay.",
            documents=[_as_told(exchange, registration) for exchange in exchanges],
        ),
        Kind(
            name="happenings",
            what="Each event about it, when it happened and in short what it said: so that its timeline, and "
            "who did what, can be shown.",
            kept="What was said in words goes when it is erased; that something happened stays.",
            documents=[one.model_dump(mode="json", exclude={"seen_by"}) for one in happenings],
        ),
        Kind(
            name="places at group events",
            what="That it has, had or waits for a place, to count those that are left.",
            kept="As long as the group event is listed, under its id alone.",
            documents=[
                {"group_event_id": one.id, **one.listed[registration_id].model_dump(mode="json")}
                for one in places
            ],
        ),
    ]


def _may_know(by: Caller, party: Side) -> bool:
    return (
        by.role is CallerRole.SUPPORT_OFFICE or by.acts_for(party.owner) or by.is_staff_of(party.partnership)
    )


def _as_told(exchange: Exchange, registration: Registration) -> dict[str, Any]:
    own = exchange.side_of(registration.id)
    other = "host" if own == "visitor" else "visitor"
    told = exchange.model_dump(mode="json", exclude=_ABOUT_OTHERS | (set() if own == "visitor" else _MONEY))
    told[other] = {name: value for name, value in (told[other] or {}).items() if name in _OF_OTHERS}
    return told
