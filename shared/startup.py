"""Starting while the servers a process needs are still on their way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from shared.storage.driver import is_transient

_log = structlog.get_logger(__name__)

R = TypeVar("R")


async def patiently(bootstrap: Callable[[], Awaitable[R]], *, patience_s: float = 120.0) -> R:
    """Call `bootstrap` until the database answers; gives up with its last error after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return await bootstrap()
        except Exception as error:
            if not is_transient(error) or time.monotonic() > deadline:
                raise
            _log.warning("waiting_for_mongodb", error=str(error)[:200])
            await asyncio.sleep(1.0)
