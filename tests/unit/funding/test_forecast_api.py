"""Forecasts as they are served: from the grants as they stand, to those who may see the money."""

from __future__ import annotations

import struct
from datetime import date
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from services.funding.domain.forecast import OpenCase, Stage
from services.funding.forecasts import Facts, Forecasts, assumptions_in
from services.funding.use_cases.read_forecast_facts import read_forecast_facts
from shared.errors import Forbidden
from tests.unit.funding.staged import (
    AUDITOR,
    EXTERNAL,
    HOST,
    OTHER_STAFF,
    PARTNERSHIPS,
    STAFF,
    SUPPORT,
    VISITOR,
    Api,
    Service,
    serving,
)

HEMPCLUB = PARTNERSHIPS[0]


async def facts_of(funding: Service) -> Facts:
    return await funding.read(lambda uow: read_forecast_facts(uow, HEMPCLUB, by=STAFF))


async def test_open_cases_are_read_from_the_grants_by_their_stage(funding: Service) -> None:
    facts = await facts_of(funding)
    ends, amount = date(2023, 2, 17), Decimal("900.00")
    assert sorted(facts.cases) == sorted(
        [
            OpenCase(Stage.WAITING, date(2023, 1, 20), ends, amount),
            OpenCase(Stage.RESERVED, date(2023, 1, 20), ends, amount),
            OpenCase(Stage.COMMITTED, date(2023, 2, 16), ends, amount),
            OpenCase(Stage.COMMITTED, date(2023, 2, 20), ends, amount),
            OpenCase(Stage.PAYABLE, date(2023, 2, 20), ends, amount),
            OpenCase(Stage.PAYABLE, date(2023, 2, 21), ends, amount),
            OpenCase(Stage.PAYABLE, date(2023, 2, 22), ends, amount),
        ]
    )
    position = facts.position
    money = (position.budget, position.available, position.spent)
    assert money == (Decimal(6300), Decimal(0), Decimal(900))
    assert position.objective == 80


async def test_the_past_is_read_from_grants_and_ledger(funding: Service) -> None:
    past = (await facts_of(funding)).past
    assert sorted(past.days["agreement"]) == [27, 31, 31, 31, 32, 33]
    assert past.days["payment"] == [4]
    assert past.reserved_on == [date(2023, 1, 20)] * 7
    assert set(past.leads) == {28}


@pytest.mark.parametrize("path", ["forecast", "forecast.svg", "forecast.png"])
async def test_a_forecast_is_for_who_may_see_the_money(api: Api, path: str) -> None:
    answers = {}
    for caller in (STAFF, SUPPORT, AUDITOR, OTHER_STAFF, VISITOR, HOST, EXTERNAL, None):
        answers[caller] = (await api.get(f"/partnerships/hempclub/{path}", caller)).status_code
    assert list(answers.values()) == [200, 200, 200, 403, 403, 403, 403, 401]
    assert (await api.get(f"/partnerships/nobody/{path}", AUDITOR)).status_code == 404


async def test_the_platform_itself_may_read_what_a_stranger_may_not(funding: Service) -> None:
    await funding.read(lambda uow: read_forecast_facts(uow, HEMPCLUB, by=None))
    with pytest.raises(Forbidden):
        await funding.read(lambda uow: read_forecast_facts(uow, HEMPCLUB, by=OTHER_STAFF))


async def test_figures_are_exact_text_for_money_and_the_same_each_time(api: Api) -> None:
    first, again = [
        (await api.get("/partnerships/hempclub/forecast?months=3", STAFF)).json() for _ in range(2)
    ]
    assert first == again
    assert [month["month"] for month in first["months"]] == ["2023-03", "2023-04", "2023-05"]
    assert (first["budget"], first["spent"]) == ("6300.00", "900.00")
    assert first["basis"]["open_cases"] == 7
    assert first["affordable"]["money"] == "0.00"
    assert [warning["code"] for warning in first["warnings"]] == ["objective_over_budget"]


@pytest.mark.parametrize("query", ["months=0", "months=37", "months=x"])
async def test_months_that_are_none_are_refused(api: Api, query: str) -> None:
    assert (await api.get(f"/partnerships/hempclub/forecast?{query}", STAFF)).status_code == 422


@pytest.mark.parametrize("width", [320, 701, 1600])
async def test_a_picture_is_as_wide_as_asked_for(api: Api, width: int) -> None:
    drawn = await api.get(f"/partnerships/hempclub/forecast.png?width={width}", STAFF)
    assert drawn.headers["content-type"] == "image/png"
    assert struct.unpack(">I", drawn.content[16:20]) == (width,)
    drawn = await api.get(f"/partnerships/hempclub/forecast.svg?width={width}", STAFF)
    assert drawn.headers["content-type"] == "image/svg+xml"
    picture = ElementTree.fromstring(drawn.content)
    points = float(picture.attrib["width"].removesuffix("pt"))
    assert points * 96 / 72 == pytest.approx(width)


async def test_a_picture_says_in_words_what_it_shows(api: Api) -> None:
    drawn = await api.get("/partnerships/hempclub/forecast.svg", STAFF)
    picture = ElementTree.fromstring(drawn.content)
    [title] = picture.findall("{http://www.w3.org/2000/svg}title")
    [said] = picture.findall("{http://www.w3.org/2000/svg}desc")
    assert picture.attrib["role"] == "img"
    assert title.text == "Hempclub: forecast of 3 March 2023"
    assert said.text is not None
    assert "the budget is EUR 6,300" in said.text
    assert "out of reach" in said.text


async def test_a_forecast_is_computed_once_for_the_same_facts(funding: Service) -> None:
    forecasts = Forecasts(assumptions_in())
    first = await forecasts.of(await facts_of(funding))
    assert await forecasts.of(await facts_of(funding)) is first
    assert await forecasts.of(await facts_of(funding), months=3) is not first
    drawn = await forecasts.chart(await facts_of(funding), months=12, format="png", width=320)
    again = Forecasts(assumptions_in())
    assert await again.chart(await facts_of(funding), months=12, format="png", width=320) == drawn


async def test_a_name_cannot_break_out_of_the_picture(funding: Service) -> None:
    named = HEMPCLUB.model_copy(update={"name": "</title><script>alert(1)</script> $\\x & co"})
    async with serving(funding, named) as api:
        drawn = await api.get("/partnerships/hempclub/forecast.svg", STAFF)
    assert b"<script" not in drawn.content
    ElementTree.fromstring(drawn.content)
