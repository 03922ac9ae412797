"""When work is run anew: after a conflict, never after a commit that may have taken place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, PyMongoError, ServerSelectionTimeoutError

from shared.storage import transactions
from shared.storage.store import ConcurrentChange
from shared.storage.transactions import Transactions


class Failing(Transactions[Any]):
    """Fails with one error after the other, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)

    async def once(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        if self._errors:
            raise self._errors.pop(0)
        return await work(None)


async def work(uow: Any) -> str:
    return "done"


def a_silent_commit() -> PyMongoError:
    error = AutoReconnect("the server fell silent")
    error._add_error_label("UnknownTransactionCommitResult")
    return error


async def test_work_that_was_outrun_is_run_anew() -> None:
    assert await Failing(ConcurrentChange(), ConcurrentChange()).run(work) == "done"


async def test_work_whose_commit_may_have_taken_place_is_not_run_anew() -> None:
    with pytest.raises(AutoReconnect):
        await Failing(a_silent_commit()).run(work)


async def test_nobody_is_kept_waiting_for_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "PATIENCE_S", 0.0)
    with pytest.raises(ServerSelectionTimeoutError):
        await Failing(ServerSelectionTimeoutError("no server answers")).run(work)
    assert await Failing().run(work) == "done"
