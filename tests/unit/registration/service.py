"""The registration service on a database in memory, for tests."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson

from services.registration.repositories import RegistrationUnitOfWork
from services.registration.rules_on_file import rule_sets_in
from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.envelope import Event, parse
from shared.contracts.vocabulary import Ecosystem
from shared.messaging.outbox import unpack
from shared.partnerships import Partnership, Partnerships, StaffContact
from shared.security import Caller, CallerRole
from shared.storage.store import OUTBOX
from tests.builders import A_MOMENT
from tests.fakes import MemoryDatabase, MemoryTransactions


def a_partnership(id: str, **changes: Any) -> Partnership:
    fields: dict[str, Any] = {
        "id": id,
        "name": id.title(),
        "ecosystems": [Ecosystem.TEXTILE],
        "staff": [StaffContact(email=f"staff@{id}.example")],
        "auto_accept": False,
        "budget": Decimal("1000.00"),
        "objective": 10,
        **changes,
    }
    return Partnership(**fields)


HEMPCLUB = a_partnership("hempclub", auto_accept=True)
WOOLCLUB = a_partnership("woolclub")
SOLARCLUB = a_partnership("solarclub", ecosystems=[Ecosystem.ENERGY_RENEWABLES], countries=["DE"])


def transactions(*partnerships: Partnership) -> MemoryTransactions[RegistrationUnitOfWork]:
    """Units of work on a fresh database, one second after the other."""
    rules = rule_sets_in()
    moments = iter(A_MOMENT + timedelta(seconds=second) for second in range(10_000))
    known = Partnerships(partnerships or (HEMPCLUB, WOOLCLUB, SOLARCLUB))
    return MemoryTransactions(
        lambda store: RegistrationUnitOfWork(
            store, rules=rules, partnerships=known, clock=lambda: next(moments)
        )
    )


def published(database: MemoryDatabase) -> list[Event]:
    """The events in the outbox, oldest first."""
    rows = sorted(database[OUTBOX].values(), key=lambda row: row["position"].time)
    envelopes = [parse(message.value) for row in rows for message in unpack(row)]
    return [EVENT_MODELS[one.type].model_validate(one.data) for one in envelopes]


def as_json(value: Any) -> Any:
    return orjson.loads(value.model_dump_json())


A_PARTICIPANT = Caller("office", CallerRole.PARTICIPANT, organisation="tagus-fibre")
ANOTHER_PARTICIPANT = Caller("desk", CallerRole.PARTICIPANT, organisation="elsewhere")
HEMPCLUB_STAFF = Caller("officer-h", CallerRole.STAFF, partnership="hempclub")
WOOLCLUB_STAFF = Caller("officer-w", CallerRole.STAFF, partnership="woolclub")
SUPPORT_OFFICE = Caller("support", CallerRole.SUPPORT_OFFICE)
AN_AUDITOR = Caller("auditor", CallerRole.AUDITOR)
A_PORTAL = Caller("portal", CallerRole.EXTERNAL)
