"""Early warnings: once for each change, with all that is out of reach, and when it is within reach again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest

from services.funding.domain.forecast import EarlyWarning, WarningCode
from services.funding.domain.outlook import Outlook
from services.funding.forecasts import Forecasts, assumptions_in
from services.funding.use_cases.read_forecast_facts import read_forecast_facts
from services.funding.use_cases.warn_early import warn_early
from shared.contracts.types import EventType
from shared.messaging.outbox import unpack
from shared.storage.store import OUTBOX
from tests.unit.funding.staged import PARTNERSHIPS, a_service

HEMPCLUB = PARTNERSHIPS[0]
TODAY = date(2023, 3, 3)


def warning(code: WarningCode, sentence: str = "Out of reach.") -> EarlyWarning:
    return EarlyWarning(code=code, sentence=sentence)


def told(outlook: Outlook) -> list[tuple[list[str], list[str], list[str]]]:
    events: list[Any] = [recorded.event for recorded in outlook.recorded()]
    return [([one.code for one in event.concerns], event.new, event.cleared) for event in events]


def test_a_change_is_told_once_with_what_is_new_and_what_is_gone() -> None:
    outlook = Outlook(id="hempclub")
    late, over = warning("objective_late"), warning("objective_over_budget")
    assert outlook.take([late], on=TODAY)
    assert not outlook.take([warning("objective_late", "Other figures today.")], on=TODAY)
    assert outlook.take([over, late], on=TODAY)
    assert not outlook.take([late, over], on=TODAY)
    assert outlook.take([over], on=TODAY)
    assert outlook.take([], on=TODAY)
    assert not outlook.take([], on=TODAY)
    assert told(outlook) == [
        (["objective_late"], ["objective_late"], []),
        (["objective_over_budget", "objective_late"], ["objective_over_budget"], []),
        (["objective_over_budget"], [], ["objective_late"]),
        ([], [], ["objective_over_budget"]),
    ]


@pytest.mark.parametrize(("budget", "codes"), [(64_000, []), (900, ["objective_over_budget"])])
async def test_a_partnership_is_warned_once_however_often_its_forecast_is_made(
    budget: int, codes: list[str]
) -> None:
    partnership = HEMPCLUB.model_copy(update={"budget": Decimal(budget)})
    service, forecasts = a_service(partnership), Forecasts(assumptions_in())
    facts = await service.read(lambda uow: read_forecast_facts(uow, partnership, by=None))
    answer = await forecasts.of(facts)
    for _ in range(2):
        await service.run(lambda uow: warn_early(uow, partnership.id, answer))
    events = [
        orjson.loads(message.value) for row in service.database[OUTBOX].values() for message in unpack(row)
    ]
    assert [event["type"] for event in events] == [EventType.FORECAST_WARNING] * len(codes)
    assert [one["code"] for event in events for one in event["data"]["concerns"]] == codes
