"""Where files that people send are kept, and under which names they are offered."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from datetime import timedelta
from typing import Any, Final, Protocol
from urllib.parse import quote

import structlog
from pymongo.errors import PyMongoError

from shared.chores import Round
from shared.storage.driver import Collection
from shared.storage.files import Files, StoredFile

_log = structlog.get_logger(__name__)

_UPLOADED_LATELY: Final = timedelta(days=1)
"""A file younger than that may belong to a request that is not committed yet."""


class Kept(Protocol):
    """What `shared.storage.files.Files` offers, and a fake in its place."""

    async def put(self, content: AsyncIterable[bytes], *, name: str, limit: int) -> StoredFile: ...
    def read(self, id: str) -> AsyncIterator[bytes]: ...
    async def delete(self, ids: Iterable[str]) -> None: ...


async def let_go(files: Kept, file_ids: Iterable[str]) -> None:
    """Delete files that nothing points to any more; what cannot be done now is left to the sweep."""
    try:
        await files.delete(file_ids)
    except PyMongoError as error:
        _log.warning("file_left_to_the_sweep", error=repr(error))


async def sweep(round: Round[Any], bucket: str, collection: Collection, path: str) -> None:
    """A round of a chore: delete the bucket's files to which no document's `path` points, torn ones too."""
    files = Files(round.root.database, bucket)
    before = round.now - _UPLOADED_LATELY
    old = await files.older_than(before)
    for start in range(0, len(old), 1000):
        if not await round.goes_on():
            return
        some = old[start : start + 1000]
        pointed_to = set(await collection.distinct(path, {path: {"$in": some}}))
        await files.delete(id for id in some if id not in pointed_to)
    await files.delete_torn(before)


def safe_name(name: str, ending: str, *, otherwise: str, also: Iterable[str] = ()) -> str:
    """A file name any system can store: no folders, no characters with a meaning, and the right ending.

    `also`: endings that say the same, and are replaced by it.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    plain = "".join(
        "_" if character in '<>:"|?*' else character for character in last if character.isprintable()
    )
    endings = "|".join(map(re.escape, (ending, *also)))
    stem = re.sub(rf"\.({endings})$", "", plain.strip(), flags=re.IGNORECASE).strip(" .")
    return f"{stem[:100] or otherwise}.{ending}"


def to_be_saved(name: str, *, otherwise: str) -> dict[str, str]:
    """Headers with which a browser saves what a stranger sent, under this name, and never shows it."""
    return {
        "Content-Disposition": f"attachment; filename=\"{otherwise}\"; filename*=UTF-8''{quote(name, '')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-store",
    }
