"""Evidence and reports on real MongoDB: files whole or not at all, and each exchange counted once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from services.funding.chores import CHORES
from services.funding.evidence_files import BUCKET, take_in
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from shared.chores import Round
from shared.contracts.vocabulary import EvidenceKind
from shared.errors import Malformed, TooLarge
from shared.storage.lease import Lease
from tests.builders import a_host_party, a_party, an_approved_match
from tests.integration.apis import OTHER_STAFF, STAFF, WOOL_STAFF, Api, participant, problem
from tests.unit.funding.reporting import a_form
from tests.unit.registration.pdfs import a_pdf
from tests.unit.shared.pictures import a_noisy_jpeg, a_png

pytestmark = pytest.mark.integration

VISITOR = participant("visitor")
NUMBERS = count(1)


async def a_grant(api: Api) -> str:
    """A stay in February 2023 of which HempClub manages the visitor and WoolClub the host."""
    number = next(NUMBERS)
    match = an_approved_match(
        f"m-{number}",
        visitor=a_party(f"v-{number}", owner="visitor"),
        host=a_host_party(f"h-{number}", partnership="woolclub"),
    )
    grant = await api.root.transactions.run(lambda uow: reserve_lump_sum(uow, match))
    id: str = grant.id
    return id


async def send(api: Api, grant: str, content: bytes, by: Any = VISITOR) -> Any:
    path = f"/grants/{grant}/evidence"
    return await api.call("POST", path, by, content=content, params={"kind": "invoice"})


async def stored(api: Api) -> tuple[set[str], set[str]]:
    """The ids of the files there are, and of those there are pieces of."""
    files = await api.root.database[f"{BUCKET}.files"].distinct("_id")
    pieces = await api.root.database[f"{BUCKET}.chunks"].distinct("files_id")
    return set(files), set(pieces)


async def test_a_file_of_several_pieces_comes_back_byte_by_byte_to_those_who_may_have_it(
    funding: Api,
) -> None:
    grant = await a_grant(funding)
    content = a_noisy_jpeg(1600, 1200)
    assert len(content) > 3 * 255 * 1024
    file = (await send(funding, grant, content)).json()["files"][0]
    assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    path = f"/grants/{grant}/evidence/{file['id']}"
    assert (await funding.get(path, STAFF)).content == content
    problem(await funding.get(path, WOOL_STAFF), 403, "forbidden")
    problem(await funding.get(path, OTHER_STAFF), 404, "not-found")


async def test_of_what_is_refused_or_breaks_off_nothing_is_kept(funding: Api) -> None:
    before = await stored(funding)

    async def taken(*chunks: bytes, limit: int = 1 << 20, breaks: bool = False) -> None:
        async def content() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk
            if breaks:
                raise ConnectionError("the client went away")

        await take_in(
            funding.root.files,
            content(),
            kind=EvidenceKind.OTHER,
            name="",
            note="",
            max_bytes=limit,
            at=datetime(2023, 2, 17, tzinfo=UTC),
        )

    with pytest.raises(ConnectionError):
        await taken(a_png(), bytes(600 << 10), breaks=True)
    with pytest.raises(TooLarge):
        await taken(a_png(), bytes(600 << 10), bytes(600 << 10))
    with pytest.raises(Malformed, match="something else"):
        await taken(a_png(), b"<html>")
    with pytest.raises(Malformed, match="neither"):
        await taken(b"<html>", bytes(600 << 10))
    assert await stored(funding) == before


async def test_the_same_file_sent_three_times_at_once_is_kept_once(funding: Api) -> None:
    grant, before = await a_grant(funding), await stored(funding)
    answers = await asyncio.gather(*(send(funding, grant, a_pdf(2)) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    files, pieces = await stored(funding)
    assert len(files - before[0]) == len(pieces - before[1]) == 1


async def test_a_file_left_by_a_crash_is_swept_after_a_day_and_one_in_use_is_kept(funding: Api) -> None:
    grant = await a_grant(funding)
    used = (await send(funding, grant, a_pdf(3))).json()["files"][0]["id"]

    async def once(content: bytes) -> AsyncIterator[bytes]:
        yield content

    # Stored, and then the process was killed before it could commit what points to it.
    left = await funding.root.files.put(once(a_pdf(4)), name="evidence", limit=1 << 20)
    torn = {"files_id": "torn", "n": 0, "data": b"a piece of a file that was never finished"}
    await funding.root.database[f"{BUCKET}.chunks"].insert_one(torn)

    async def sweep(later: timedelta) -> None:
        class Root:
            database = funding.root.database
            clock = staticmethod(lambda: datetime.now(UTC) + later)

        [chore] = [one for one in CHORES if one.name == "evidence"]
        lease = Lease("sweeping", funding.root.database)
        await chore.do_round(Round(chore.name, Root(), lease, asyncio.Event()))  # type: ignore[arg-type]

    await sweep(timedelta(hours=23))
    assert {used, left.id} <= (await stored(funding))[0]
    await sweep(timedelta(hours=25))
    files, pieces = await stored(funding)
    assert used in files
    assert left.id not in files
    assert pieces == files


async def test_two_officers_who_validate_at_once_count_the_exchange_once(funding: Api) -> None:
    grants = [await a_grant(funding) for _ in range(4)]
    before = (await funding.get("/partnerships/hempclub/progress", None)).json()["done"]
    editions = {}
    for grant in grants:
        saved = await funding.call("PUT", f"/grants/{grant}/report", VISITOR, json=a_form())
        assert saved.status_code == 200, saved.text
        submitted = await funding.post(f"/grants/{grant}/report/submission", VISITOR)
        editions[grant] = submitted.json()["edition"]
    answers = await asyncio.gather(
        *(
            funding.post(f"/grants/{grant}/report/validation", STAFF, {"edition": editions[grant]})
            for grant in grants * 2
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [409] * 4
    after = (await funding.get("/partnerships/hempclub/progress", None)).json()["done"]
    assert after == before + 4
    counted = await funding.root.database["grants"].count_documents({"counted": True})
    assert after == counted + before
