"""What comes due by the passing of time, done by one of the workers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from services.funding.bootstrap import Funding
from shared.chores import Chore, go_round

CHORES: Final[Sequence[Chore[Funding]]] = ()


async def do_chores(root: Funding, stopping: asyncio.Event) -> None:
    """A companion of the worker."""
    await go_round(root, stopping, CHORES)
