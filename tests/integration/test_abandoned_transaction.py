"""A transaction whose process was killed holds its documents no longer than the server's limit."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from pymongo.errors import PyMongoError

from ops.embedded import ROOT
from shared.storage.driver import Database, close, connect
from shared.storage.store import prepare_database
from shared.storage.transactions import Transactions, is_outrun
from tests.builders import an_approved_match
from tests.tally import Tally, TallyUnitOfWork

pytestmark = pytest.mark.integration

HOST = "a-host"

#: The server's limit is 15 s, it looks twice as often, and the machine may be busy. Its default is 60 s.
FREE_WITHIN_S = 45.0

_HOLD = """
import asyncio, sys
from shared.storage.driver import connect, transaction
from tests.tally import Tally

async def hold(url, database, host):
    client = connect(url)
    async with transaction(client) as session:
        tallies = client[database][Tally.COLLECTION]
        await tallies.update_one({"_id": host}, {"$inc": {"version": 1}}, session=session)
        print("held", flush=True)
        await asyncio.Event().wait()

asyncio.run(hold(*sys.argv[1:]))
"""


@pytest.fixture
async def store(mongo_url: str, database: str) -> AsyncIterator[Database]:
    client = connect(mongo_url)
    await prepare_database(client[database])
    yield client[database]
    await close(client)


@pytest.fixture
def holding(mongo_url: str, database: str) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a process that writes the tally in a transaction, says `held`, and waits for ever."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _HOLD, mongo_url, database, HOST]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


async def count_one_more(uow: TallyUnitOfWork) -> None:
    tally = await uow.tallies.find(HOST)
    if tally is None:
        tally = Tally(id=HOST)
        uow.tallies.add(tally)
    tally.count(an_approved_match())


async def test_a_killed_process_leaves_its_document_to_the_next_writer(
    store: Database, holding: Callable[[], subprocess.Popen[str]]
) -> None:
    transactions = Transactions(store.client, store, TallyUnitOfWork)
    await transactions.run(count_one_more)
    holder = holding()
    assert holder.stdout is not None
    assert await asyncio.to_thread(holder.stdout.readline) == "held\n"
    holder.kill()
    holder.wait()

    with pytest.raises(PyMongoError) as held:
        await transactions.once(count_one_more)
    assert is_outrun(held.value)
    deadline = time.monotonic() + FREE_WITHIN_S
    while not await goes_through(transactions):
        assert time.monotonic() < deadline, f"the document is still held after {FREE_WITHIN_S} s"
        await asyncio.sleep(0.1)

    tally = await transactions.read(lambda uow: uow.tallies.get(HOST))
    assert len(tally.matches) == tally.version == 2, "what the killed process wrote is gone"


async def goes_through(transactions: Transactions[TallyUnitOfWork]) -> bool:
    try:
        await transactions.once(count_one_more)
    except PyMongoError as error:
        if not is_outrun(error):
            raise
        return False
    return True
