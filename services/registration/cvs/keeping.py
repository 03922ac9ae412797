"""Where CVs are kept: looked into before they are stored, and read whole."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog
from pymongo.errors import PyMongoError

from services.registration.cvs.apart import count_pages
from services.registration.cvs.pages import NoPdf
from services.registration.domain.registration import Cv
from shared.errors import Malformed
from shared.storage.files import StoredFile

_log = structlog.get_logger(__name__)

BUCKET: Final = "cvs"
_AT_ONCE: Final = 2
"""Files opened at the same time in one process: each may take a core and its memory."""


class Kept(Protocol):
    """What `shared.storage.files.Files` offers, and a fake in its place."""

    async def put(self, content: AsyncIterator[bytes], *, name: str, limit: int) -> StoredFile: ...
    def read(self, id: str) -> AsyncIterator[bytes]: ...
    async def delete(self, ids: Iterable[str]) -> None: ...


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
        try:
            async with self._room:
                pages = await count_pages(content)
        except NoPdf as error:
            raise Malformed(str(error)) from error

        async def once() -> AsyncIterator[bytes]:
            yield content

        # Without the name it was given: that may be a person's, and this is not where one looks for them.
        stored = await self.files.put(once(), name="cv", limit=self.max_bytes)
        return Cv(
            file_id=stored.id,
            name=safe_name(name),
            size=stored.size,
            sha256=stored.sha256,
            pages=pages,
            uploaded_at=at,
            by=by,
        )

    async def read(self, cv: Cv) -> bytes:
        """The file whole; raises `NotFound` when it was replaced or removed meanwhile."""
        return b"".join([chunk async for chunk in self.files.read(cv.file_id)])

    async def let_go(self, file_id: str | None) -> None:
        """Delete a file that nothing points to any more; what cannot be done now is left to the sweep."""
        if file_id is None:
            return
        try:
            await self.files.delete([file_id])
        except PyMongoError as error:
            _log.warning("cv_left_to_the_sweep", error=repr(error))


def safe_name(name: str) -> str:
    """A file name any system can store: no folders, no characters with a meaning, and the right ending."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    plain = "".join(
        "_" if character in '<>:"|?*' else character for character in last if character.isprintable()
    )
    stem = re.sub(r"\.pdf$", "", plain.strip(), flags=re.IGNORECASE).strip(" .")
    return f"{stem[:100] or 'cv'}.pdf"
