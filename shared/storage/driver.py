"""The MongoDB driver, behind one door: motor, or PyMongo's own async API, its successor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

from bson import Timestamp
from gridfs.asynchronous import AsyncGridFSBucket
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase, AsyncIOMotorGridFSBucket
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
)

Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]
Session = AsyncClientSession
DriverName = Literal["motor", "pymongo"]

_DUPLICATE_KEY = 11000
_CONFLICT_CODES = frozenset({112, 251})
_PASSING_CODES = frozenset({24, 50, 89, 91, 189, 244, 246, 262, 10107, 11600, 11602, 13435, 13436})


def connect(url: str, driver: DriverName = "pymongo") -> Client:
    """A client; nothing is sent before the first operation. Times out after 5 s without a server."""
    options: dict[str, Any] = {
        "serverSelectionTimeoutMS": 5000,
        "connectTimeoutMS": 5000,
        "socketTimeoutMS": 30000,
        "retryWrites": True,
        "appname": "clusterxchange",
    }
    if driver == "motor":
        # The calls made through this module are the same in both, awaited alike.
        return cast(Client, AsyncIOMotorClient(url, **options))
    return AsyncMongoClient(url, **options)


async def close(client: Client) -> None:
    """Let the connections go; motor's close is not a coroutine."""
    closing: Any = client.close()
    if closing is not None:
        await closing


@asynccontextmanager
async def transaction(client: Client) -> AsyncIterator[Session]:
    """A session with an open transaction: committed at the end, aborted on any exception.

    A commit whose outcome is unknown is asked for again, as the server allows, before the caller
    hears of it.
    """
    opening: Any = client.start_session()
    session: Any = await opening if hasattr(opening, "__await__") else opening
    async with session:
        started: Any = session.start_transaction()
        if hasattr(started, "__await__"):
            await started
        try:
            yield session
        except BaseException:
            if session.in_transaction:
                await session.abort_transaction()
            raise
        await _commit(session)


def bucket_of(database: Database, name: str) -> AsyncGridFSBucket:
    """A GridFS bucket; the calls `shared.storage.files` makes are the same in both drivers."""
    if isinstance(database, AsyncIOMotorDatabase):
        return cast(AsyncGridFSBucket, AsyncIOMotorGridFSBucket(database, bucket_name=name))
    return AsyncGridFSBucket(database, bucket_name=name)


async def watch(
    source: Collection | Database,
    pipeline: list[Document],
    *,
    since: Timestamp | None = None,
    wait_ms: int = 5000,
) -> Any:
    """An open change stream: an async context manager and iterator.

    `since` is an operation time of the server; changes from then on come too. `try_next` waits `wait_ms`
    for one.
    """
    opening: Any = source.watch(pipeline, max_await_time_ms=wait_ms, start_at_operation_time=since)
    return await opening if hasattr(opening, "__await__") else opening


async def _commit(session: Any) -> None:
    for attempt in range(5):
        try:
            await session.commit_transaction()
            return
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult") or attempt == 4:
                raise


def is_conflict(error: BaseException) -> bool:
    """Whether another transaction was faster: run again from a clean start, at once."""
    if isinstance(error, DuplicateKeyError):
        return True
    if isinstance(error, BulkWriteError):
        failures = (error.details or {}).get("writeErrors", [])
        return bool(failures) and all(failure.get("code") == _DUPLICATE_KEY for failure in failures)
    return isinstance(error, OperationFailure) and error.code in _CONFLICT_CODES


def is_of_unknown_outcome(error: BaseException) -> bool:
    """Whether the server fell silent over a commit: what was asked may be done, or not."""
    return isinstance(error, PyMongoError) and error.has_error_label("UnknownTransactionCommitResult")


def is_transient(error: BaseException) -> bool:
    """Whether the database is at fault, not what was asked of it: try again later."""
    if isinstance(error, (AutoReconnect, ConnectionFailure, WaitQueueTimeoutError)):
        return True
    if isinstance(error, PyMongoError) and (
        error.has_error_label("TransientTransactionError")
        or error.has_error_label("UnknownTransactionCommitResult")
    ):
        return True
    return isinstance(error, OperationFailure) and error.code in _PASSING_CODES | _CONFLICT_CODES
