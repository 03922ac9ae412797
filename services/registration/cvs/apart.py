"""Has a PDF opened by a process of its own, with bounds on its memory and time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import Final

from services.registration.cvs.pages import NoPdf, require_beginning

_MEMORY_MB: Final = 512
_CPU_S: Final = 5
_PATIENCE_S: Final = 30.0
"""Longer than it can compute: the machine may be busy."""


async def count_pages(content: bytes) -> int:
    """The number of pages of the PDF; raises `NoPdf`."""
    require_beginning(content)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.registration.cvs.pages", str(_MEMORY_MB), str(_CPU_S)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # Neither settings nor secrets: it reads what a stranger wrote.
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        async with asyncio.timeout(_PATIENCE_S):
            out, _ = await child.communicate(content)
    except TimeoutError:
        out = b""
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if not out:
        raise NoPdf(
            "The PDF cannot be opened within the time and memory there is for one; save it anew, as small "
            "and plain as it can be."
        )
    answer = json.loads(out)
    if "no_pdf" in answer:
        raise NoPdf(answer["no_pdf"])
    pages: int = answer["pages"]
    return pages
