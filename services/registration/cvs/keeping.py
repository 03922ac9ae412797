"""Where CVs are kept: looked into before they are stored, and read whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.registration.domain.registration import Cv
from shared.errors import Malformed
from shared.uploads.apart import look_into
from shared.uploads.keeping import Kept, let_go, safe_name
from shared.uploads.looking import Asked, MediaType, NotTaken

BUCKET: Final = "cvs"
ASKED: Final = Asked(what="a CV", types=[MediaType.PDF], max_pages=100)
_AT_ONCE: Final = 2
"""Files opened at the same time in one process: each may take a core and its memory."""


@dataclass(frozen=True)
class Cvs:
    """The CVs of all registrations, of at most `max_bytes` each."""

    files: Kept
    max_bytes: int
    _room: asyncio.Semaphore

    @classmethod
    def in_files(cls, files: Kept, *, max_bytes: int) -> Cvs:
        """Those kept in these files."""
        return cls(files, max_bytes, asyncio.Semaphore(_AT_ONCE))

    async def take_in(self, content: bytes, *, name: str, by: str, at: datetime) -> Cv:
        """Look into it and store it; raises `Malformed` with a sentence for whoever sent it.

        Nothing points to it yet: commit what does, or `let_go` of it.
        """

        async def once() -> AsyncIterator[bytes]:
            yield content

        try:
            async with self._room:
                found = await look_into(once(), ASKED)
        except NotTaken as error:
            raise Malformed(str(error)) from error
        # Without the name it was given: that may be a person's, and this is not where one looks for them.
        stored = await self.files.put(once(), name="cv", limit=self.max_bytes)
        return Cv(
            file_id=stored.id,
            name=safe_name(name, "pdf", otherwise="cv"),
            size=stored.size,
            sha256=stored.sha256,
            pages=found.pages,
            uploaded_at=at,
            by=by,
        )

    async def read(self, cv: Cv) -> bytes:
        """The file whole; raises `NotFound` when it was replaced or removed meanwhile."""
        return b"".join([chunk async for chunk in self.files.read(cv.file_id)])

    async def let_go(self, file_id: str | None) -> None:
        """Delete a file that nothing points to any more; what cannot be done now is left to the sweep."""
        if file_id is not None:
            await let_go(self.files, [file_id])
