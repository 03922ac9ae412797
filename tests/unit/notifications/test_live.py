"""Live inboxes: positions, what is told once, and what happens when the database or a reader gives up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from bson import Timestamp
from pymongo.errors import OperationFailure
from sse_starlette import ServerSentEvent

from services.notifications.live import (
    Change,
    Live,
    Lost,
    NoStreamNow,
    Position,
    Quiet,
    TooManyStreams,
    each_once,
)
from services.notifications.routes.stream import Stream
from shared.storage.driver import Database

ID = "0185b9ea-05c0-865d-9a76-5cc0c5b097ec"
NOW = Timestamp(0x1000, 7)


@pytest.mark.parametrize("position", [Position(Timestamp(1, 2)), Position(Timestamp(2**32 - 1, 9), ID)])
def test_a_position_is_read_back_from_an_id(position: Position) -> None:
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text", ["", "1", "1.", f"1.2.{ID}x", "4294967296.1", "-1.2", "1.2.3", "\u0661.2", "1.2\n"]
)
def test_what_is_no_position_is_none(text: str) -> None:
    assert Position.parse(text) is None


def change(id: str, at: int, *, new: bool = False) -> Change:
    return Change("organisation:o", Position(Timestamp(at, 1), id), id, new)


def test_an_entry_that_came_and_changed_is_told_as_new_and_one_that_changed_twice_once() -> None:
    told = [change("old", 1), change("a", 2, new=True), change("a", 3), change("old", 4), change("b", 5)]
    assert each_once(told) == [told[1], told[3], told[4]]


class Forgetful:
    """A database whose log of changes does not go back to where anybody was."""

    alive = True
    resume_token = {"_data": f"82{NOW.time:08X}{NOW.inc:08X}"}

    def __getitem__(self, collection: str) -> Any:
        return self

    @property
    def database(self) -> Any:
        return self

    client = admin = database

    async def command(self, name: str) -> dict[str, Any]:
        return {"operationTime": NOW}

    async def watch(self, pipeline: Any, *, start_at_operation_time: Any, **how: Any) -> Any:
        if start_at_operation_time is not None:
            raise OperationFailure("the resume point may no longer be in the oplog", 286)
        return self

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def try_next(self) -> None:
        await asyncio.sleep(0.01)


async def test_what_the_database_has_forgotten_is_lost_and_the_stream_goes_on() -> None:
    live = Live(cast(Database, Forgetful()), streams=1, streams_of_one=1)
    told = []
    async for news in live.follow("organisation:o", Position(Timestamp(0x1000, 1), ID), until=0.0):
        told.append(news)
    await live.close()
    after = Position(Timestamp(NOW.time, NOW.inc + 1))
    assert told == [Lost(after), Quiet(after)]


class Endless(Forgetful):
    """A database that never comes to the end of its log of changes."""

    def __init__(self) -> None:
        self.looked_for: list[str] = []

    async def watch(self, pipeline: Any, *, start_at_operation_time: Any, **how: Any) -> Any:
        if start_at_operation_time is not None:
            self.looked_for.append(pipeline[0]["$match"]["fullDocument.recipient_key"])
            await asyncio.Event().wait()
        return self


async def test_who_comes_back_with_many_streams_at_once_keeps_nobody_else_from_catching_up() -> None:
    database = Endless()
    live = Live(cast(Database, database), streams=100, streams_of_one=20)

    async def follow(key: str) -> None:
        async for _ in live.follow(key, Position(Timestamp(0x1000, 1))):
            pass

    readers = [asyncio.ensure_future(follow(key)) for key in ["a"] * 20 + ["b"]]
    async with asyncio.timeout(5):
        while "b" not in database.looked_for:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert sorted(database.looked_for) == ["a", "b"]
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    await live.close()


async def test_there_is_room_for_so_many_streams_and_it_is_free_again_after_them() -> None:
    live = Live(cast(Database, Forgetful()), streams=3, streams_of_one=2)
    with live.place("a"), live.place("a"):
        with pytest.raises(TooManyStreams), live.place("a"):
            pass
        with live.place("b"), pytest.raises(NoStreamNow), live.place("c"):
            pass
    with live.place("a"), live.place("c"), live.place("c"):
        pass


async def test_a_reader_that_takes_nothing_is_let_go_without_a_fuss() -> None:
    ended = asyncio.Event()

    async def events() -> AsyncIterator[ServerSentEvent]:
        try:
            yield ServerSentEvent("{}")
            raise AssertionError("it took something")
        finally:
            ended.set()

    async def never(*message: Any) -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await never()

    scope = {"type": "http", "method": "GET"}
    await Stream(events(), ping=0, send_timeout=0.01)(scope, never, send)
    assert ended.is_set()
