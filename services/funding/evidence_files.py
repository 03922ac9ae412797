"""Where evidence is kept: stored as it comes in, looked into then, and pointed to last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime
from typing import Final

from services.funding.domain.evidence import EvidenceFile
from shared.contracts.vocabulary import EvidenceKind
from shared.errors import Malformed
from shared.uploads.apart import look_into
from shared.uploads.keeping import Kept, let_go, safe_name
from shared.uploads.looking import LONGEST_BEGINNING, Asked, MediaType, NotTaken, beginning

BUCKET: Final = "files"
ASKED: Final = Asked(what="a file of evidence", types=list(MediaType), max_pages=100, one_thing_only=True)
_ENDINGS: Final = {MediaType.PDF: ["pdf"], MediaType.JPEG: ["jpg", "jpeg"], MediaType.PNG: ["png"]}
_ROOM: Final = asyncio.Semaphore(2)
"""Files opened at the same time in one process: each may take a core and its memory."""


async def take_in(
    files: Kept,
    content: AsyncIterable[bytes],
    *,
    kind: EvidenceKind,
    name: str,
    note: str,
    max_bytes: int,
    at: datetime,
) -> EvidenceFile:
    """Store the file, which is never whole in memory here, and look into it.

    Nothing points to it yet: commit what does, or let go of it. Raises `Malformed` with a sentence for
    whoever sent it, and `TooLarge`; nothing is kept then.
    """
    try:
        # Without the name it was given: that may be a person's, and this is not where one looks for them.
        stored = await files.put(_begun(content), name="evidence", limit=max_bytes)
        try:
            async with _ROOM:
                found = await look_into(files.read(stored.id), ASKED)
        except BaseException:
            await let_go(files, [stored.id])
            raise
    except NotTaken as error:
        raise Malformed(str(error)) from error
    ending, *also = _ENDINGS[found.media_type]
    return EvidenceFile(
        id=stored.id,
        kind=kind,
        note=note,
        name=safe_name(name, ending, otherwise=kind.value.replace("_", "-"), also=also),
        media_type=found.media_type,
        size=stored.size,
        sha256=stored.sha256,
        pages=found.pages,
        uploaded_at=at,
    )


async def _begun(content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same, once it is seen to begin like what is asked for; raises `NotTaken`."""
    first: bytes | None = b""
    async for chunk in content:
        if first is not None:
            first += chunk
            if len(first) < LONGEST_BEGINNING:
                continue
            beginning(first, ASKED)
            chunk, first = first, None
        yield chunk
    if first is not None:
        beginning(first, ASKED)
        yield first
