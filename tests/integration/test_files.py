"""Files in MongoDB: whole or not at all, by either driver."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import NotFound, TooLarge
from shared.storage.driver import close, connect
from shared.storage.files import Files

pytestmark = pytest.mark.integration

MEGABYTE = 1024 * 1024


@pytest.fixture(params=["pymongo", "motor"])
async def files(request: pytest.FixtureRequest) -> AsyncIterator[Files]:
    client = connect(request.getfixturevalue("mongo_url"), request.param)
    yield Files(client[request.getfixturevalue("database")], "papers")
    await close(client)


async def in_pieces(content: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def content_of(files: Files, id: str) -> bytes:
    return b"".join([chunk async for chunk in files.read(id)])


async def test_a_file_comes_back_as_it_was_stored(files: Files) -> None:
    content = bytes(range(256)) * 4096
    stored = await files.put(in_pieces(content), name="paper.pdf", limit=MEGABYTE)
    assert (stored.size, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert await content_of(files, stored.id) == content


async def test_nothing_is_kept_of_a_file_that_is_too_large(files: Files) -> None:
    with pytest.raises(TooLarge, match="1048576 bytes"):
        await files.put(in_pieces(b"x" * (MEGABYTE + 1)), name="paper.pdf", limit=MEGABYTE)
    assert await files.older_than(datetime.now(UTC) + timedelta(hours=1)) == []


async def test_a_deleted_file_is_gone_and_deleting_it_again_is_no_error(files: Files) -> None:
    stored = await files.put(in_pieces(b"paper"), name="paper.pdf", limit=MEGABYTE)
    assert await files.older_than(datetime.now(UTC) + timedelta(hours=1)) == [stored.id]
    assert await files.older_than(datetime.now(UTC) - timedelta(hours=1)) == []
    await files.delete([stored.id, stored.id])
    with pytest.raises(NotFound):
        await content_of(files, stored.id)


async def test_what_a_crash_left_of_a_file_is_deleted_and_whole_files_are_kept(files: Files) -> None:
    whole = await files.put(in_pieces(b"paper"), name="paper.pdf", limit=MEGABYTE)
    # A driver writes chunks before it writes what they are chunks of.
    await files._chunks.insert_one({"files_id": "torn", "n": 0, "data": b"half of a paper"})
    assert await files.delete_torn(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await files.delete_torn(datetime.now(UTC) + timedelta(hours=1)) == 1
    assert await files.delete_torn(datetime.now(UTC) + timedelta(hours=1)) == 0
    assert await content_of(files, whole.id) == b"paper"
