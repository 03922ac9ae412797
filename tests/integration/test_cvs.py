"""CVs on real MongoDB: whole or not at all, also while they are replaced, and none left behind."""

from __future__ import annotations

import asyncio
import hashlib
from itertools import count
from typing import Any

import pytest

from services.registration.cvs.keeping import BUCKET
from tests.builders import a_submission
from tests.integration.apis import EXTERNAL, NOBODY, STAFF, STRANGER, Api, participant, problem
from tests.unit.registration.pdfs import a_pdf

pytestmark = pytest.mark.integration

OWNER = participant("tagus-fibre")
PICS = count(900_000_800)


async def registered(api: Api, by: Any = OWNER) -> str:
    organisation = {**a_submission()["organisation"], "pic": str(next(PICS))}
    answer = await api.post("/registrations", by, a_submission(organisation=organisation))
    assert answer.status_code == 201, answer.text
    id: str = answer.json()["id"]
    return id


async def sent(api: Api, id: str, content: bytes, by: Any = OWNER) -> Any:
    return await api.call("PUT", f"/registrations/{id}/cv", by, content=content)


async def files_kept(api: Api) -> int:
    files: int = await api.root.database[f"{BUCKET}.files"].count_documents({})
    return files


async def test_a_cv_of_several_chunks_comes_back_byte_by_byte(registration: Api) -> None:
    id = await registered(registration)
    content = a_pdf() + b"\n%" + bytes(3 << 20)
    kept = (await sent(registration, id, content)).json()
    assert (kept["size"], kept["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert (await registration.get(f"/registrations/{id}/cv", STAFF)).content == content
    problem(await registration.get(f"/registrations/{id}/cv", STRANGER), 404, "not-found")
    problem(await registration.get(f"/registrations/{id}/cv", EXTERNAL), 404, "not-found")
    problem(await registration.get(f"/registrations/{id}/cv", NOBODY), 401, "unauthenticated")


async def test_while_cvs_replace_each_other_whoever_downloads_gets_one_of_them_whole(
    registration: Api,
) -> None:
    id = await registered(registration)
    versions = [a_pdf(pages) + b"\n%" + bytes([65 + pages]) * (600 << 10) for pages in range(1, 7)]
    assert (await sent(registration, id, versions[0])).status_code == 200
    before = await files_kept(registration)
    done = asyncio.Event()
    seen: list[bytes] = []

    async def download() -> None:
        while not done.is_set():
            answer = await registration.get(f"/registrations/{id}/cv", OWNER)
            assert answer.status_code == 200, answer.text
            seen.append(answer.content)

    readers = [asyncio.create_task(download()) for _ in range(3)]
    try:
        answers = await asyncio.gather(*(sent(registration, id, content) for content in versions[1:]))
    finally:
        done.set()
        await asyncio.gather(*readers)
    assert [answer.status_code for answer in answers] == [200] * 5
    assert set(seen) <= set(versions)
    kept = (await registration.get(f"/registrations/{id}", OWNER)).json()["cv"]
    last = (await registration.get(f"/registrations/{id}/cv", OWNER)).content
    assert kept["sha256"] == hashlib.sha256(last).hexdigest()
    assert await files_kept(registration) == before


async def test_what_grows_over_the_limit_without_saying_so_is_refused_and_not_kept(registration: Api) -> None:
    id = await registered(registration)
    before = await files_kept(registration)

    async def chunks() -> Any:
        yield a_pdf()
        for _ in range(100):
            yield bytes(65_536)

    answer = await registration.call("PUT", f"/registrations/{id}/cv", OWNER, content=chunks())
    problem(answer, 413, "too-large")
    assert await files_kept(registration) == before
