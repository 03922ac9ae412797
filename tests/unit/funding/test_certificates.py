"""The attendance certificate: for both organisations of a stay that took place, and nobody else."""

from __future__ import annotations

import io

import pytest
from pypdf import PdfReader

from services.funding.domain.grant import grant_id
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.erase_grants import erase_grants
from shared.security import Caller, CallerRole
from tests.unit.funding.staged import (
    AUDITOR,
    EXTERNAL,
    HOST,
    NOW,
    OTHER_STAFF,
    STAFF,
    STRANGER,
    VISITOR,
    Api,
    Service,
)


def path_of(match: str) -> str:
    return f"/grants/{grant_id(match)}/certificate.pdf"


@pytest.mark.parametrize("caller", [VISITOR, HOST, STAFF, AUDITOR])
async def test_who_took_part_gets_the_certificate(api: Api, caller: Caller) -> None:
    answer = await api.get(path_of("paid"), caller)
    assert answer.headers["content-type"] == "application/pdf"
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    said = " ".join(text.split())
    assert (
        "Hempclub certifies that Tagus Fibre Works (sample) visited Navigli Textile Tech Centre (sample)"
        in said
    )
    assert "13 to 17 February 2023, both days included; 5 working days at the host" in said
    assert "20 February 2023" in said
    assert "900" not in said
    assert ".example" not in said


async def test_it_is_the_same_file_for_all_and_always(api: Api) -> None:
    first, second = [(await api.get(path_of("paid"), caller)).content for caller in (VISITOR, HOST)]
    assert first == second


@pytest.mark.parametrize("caller", [STRANGER, OTHER_STAFF, EXTERNAL])
async def test_nobody_else_learns_that_there_is_one(api: Api, caller: Caller) -> None:
    assert (await api.get(path_of("paid"), caller)).status_code == 404
    assert (await api.get(path_of("nothing"), caller)).status_code == 404


async def test_the_visitor_of_another_stay_is_nobody_here(api: Api) -> None:
    other = Caller("visitor-2", CallerRole.PARTICIPANT, organisation="visitor-payable")
    assert (await api.get(path_of("paid"), other)).status_code == 404
    assert (await api.get(path_of("paid"))).status_code == 401


@pytest.mark.parametrize(
    ("match", "waits_for"), [("staying", "the visitor."), ("reporting", "the visitor's partnership.")]
)
async def test_before_the_report_is_validated_it_says_what_it_waits_for(
    api: Api, match: str, waits_for: str
) -> None:
    answer = await api.get(path_of(match), STAFF)
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("not-attended-yet")
    assert answer.json()["detail"].endswith(waits_for)


@pytest.mark.parametrize("match", ["payable", "paid"])
async def test_a_stay_whose_match_was_cancelled_has_none(funding: Service, api: Api, match: str) -> None:
    async def end(uow: FundingUnitOfWork) -> None:
        grant = await uow.grants.get(grant_id(match))
        if grant.paying:
            grant.note_match_ended("Cancelled.", at=NOW)
        else:
            grant.cancel("Cancelled.")

    await funding.run(end)
    answer = await api.get(path_of(match), STAFF)
    assert (answer.status_code, "no attendance to certify" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize("erased", ["visitor-paid", "host-paid"])
async def test_where_a_name_was_erased_there_is_none_any_more(
    funding: Service, api: Api, erased: str
) -> None:
    await funding.run(lambda uow: erase_grants(uow, erased))
    answer = await api.get(path_of("paid"), STAFF)
    assert answer.status_code == 410
    assert answer.json()["type"].endswith("names-erased")
