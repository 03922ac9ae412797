"""Has a file opened by a process of its own, with bounds on its memory and time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterable
from dataclasses import asdict
from typing import Final

from shared.uploads.looking import LONGEST_BEGINNING, Asked, Found, MediaType, NotTaken, beginning

_MEMORY_MB: Final = 512
_CPU_S: Final = 5
_PATIENCE_S: Final = 30.0
"""Longer than it can compute: the machine may be busy."""


async def look_into(content: AsyncIterable[bytes], asked: Asked) -> Found:
    """What the file is; raises `NotTaken`, of what begins like something else without reading on."""
    chunks = aiter(content)
    first = b""
    async for chunk in chunks:
        first += chunk
        if len(first) >= LONGEST_BEGINNING:
            break
    beginning(first, asked)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "shared.uploads.looking", str(_MEMORY_MB), str(_CPU_S), json.dumps(asdict(asked))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # Neither settings nor secrets: it reads what a stranger wrote.
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    out = b""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                child.stdin.write(first)
                async for chunk in chunks:
                    child.stdin.write(chunk)
                    await child.stdin.drain()
                child.stdin.close()
            out = await child.stdout.read()
    except TimeoutError:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if not out:
        raise NotTaken(
            "The file cannot be opened within the time and memory there is for one; save it anew, as small "
            "and plain as it can be."
        )
    answer = json.loads(out)
    if "not_taken" in answer:
        raise NotTaken(answer["not_taken"])
    return Found(MediaType(answer["media_type"]), answer["pages"])
