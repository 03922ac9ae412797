"""Financial agreements as they are served: read, printed, signed in turn, and by nobody else."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
from pypdf import PdfReader

from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from shared.security import Caller, CallerRole
from tests.unit.funding.builders import a_match
from tests.unit.funding.staged import AUDITOR, EXTERNAL, OTHER_STAFF, STAFF, Api, a_service, serving

VISITOR = Caller("visitor-1", CallerRole.PARTICIPANT, organisation="visitor-m1")
HOST = Caller("host-1", CallerRole.PARTICIPANT, organisation="host-m1")
HOST_STAFF = Caller("staff-3", CallerRole.STAFF, partnership="other")
PATH = "/grants/grant-m1/agreement"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    service = a_service()
    match = a_match("m1", full=False)
    match = match.model_copy(update={"host": match.host.model_copy(update={"partnership": "other"})})
    await service.run(lambda uow: reserve_lump_sum(uow, match))
    await service.run(lambda uow: reserve_lump_sum(uow, a_match("m2", country="NO", city="Oslo")))
    async with serving(service) as api:
        yield api


async def sign(api: Api, caller: Caller | None) -> tuple[int, str]:
    """Sign what an auditor reads; the status, and what the grant's state is after it or the error."""
    sha256 = (await api.get(PATH, AUDITOR)).json()["sha256"]
    answer = await api.post(f"{PATH}/signatures", {"sha256": sha256}, caller)
    said = answer.json()
    return answer.status_code, said["state"] if answer.is_success else said["type"].rpartition("/")[2]


async def test_it_is_read_as_it_is_signed(api: Api) -> None:
    agreement = (await api.get(PATH, VISITOR)).json()
    assert (agreement["amount"], agreement["state"]) == ("450.00", "open")
    assert (agreement["number"], agreement["missing"]) == ("M1", ["VO", "VOP"])
    assert len(agreement["conditions"]) == 9
    assert ".example" not in str(agreement)
    assert (await api.get(PATH, STAFF)).json() == agreement


async def test_both_sign_in_turn(api: Api) -> None:
    assert await sign(api, STAFF) == (409, "visitor-signs-first")
    assert await sign(api, VISITOR) == (201, "open")
    assert (await api.get("/grants/grant-m1", VISITOR)).json()["gates"]["agreement"]["state"] == (
        "waits_for_partnership"
    )
    assert await sign(api, VISITOR) == (409, "already-signed")
    assert await sign(api, STAFF) == (201, "complete")
    assert (await api.get("/grants/grant-m1", VISITOR)).json()["state"] == "committed"


@pytest.mark.parametrize(
    ("caller", "status"),
    [(None, 401), (HOST, 404), (EXTERNAL, 404), (HOST_STAFF, 403), (OTHER_STAFF, 403), (AUDITOR, 403)],
)
async def test_nobody_else_signs(api: Api, caller: Caller | None, status: int) -> None:
    assert (await sign(api, caller))[0] == status
    assert (await api.get(PATH, AUDITOR)).json()["signatures"] == []


@pytest.mark.parametrize(
    "body", [{}, {"sha256": "abc"}, {"sha256": None}, {"sha256": "0" * 64, "role": "VOP"}, []]
)
async def test_a_signature_without_the_hash_of_a_document_is_malformed(api: Api, body: object) -> None:
    assert (await api.post(f"{PATH}/signatures", body, VISITOR)).status_code == 422


async def test_a_signature_on_another_document_is_refused(api: Api) -> None:
    answer = await api.post(f"{PATH}/signatures", {"sha256": "0" * 64}, VISITOR)
    assert answer.status_code == 409
    assert "read it again" in answer.json()["detail"]


async def test_it_is_printed_with_a_name_and_never_shown_as_a_page(api: Api) -> None:
    answer = await api.get(f"{PATH}.pdf", VISITOR)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="agreement-M1.pdf"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    sha256 = (await api.get(PATH, VISITOR)).json()["sha256"]
    assert all(sha256 in page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    assert (await api.get(f"{PATH}.pdf", VISITOR)).content == answer.content


@pytest.mark.parametrize("path", ["/grants/grant-m2/agreement", "/grants/grant-m9/agreement.pdf"])
async def test_there_is_none_without_an_amount(api: Api, path: str) -> None:
    answer = await api.get(path, AUDITOR)
    assert answer.status_code == 404
