"""Files of a service: kept in its own database (GridFS), in chunks, never whole in memory."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId
from gridfs.errors import CorruptGridFile, NoFile

from shared.contracts.envelope import new_id
from shared.errors import NotFound, TooLarge
from shared.storage.driver import Database, bucket_of


@dataclass(frozen=True)
class StoredFile:
    """A file that is stored: its id, its size in bytes, and the SHA-256 of its content in hexadecimal."""

    id: str
    size: int
    sha256: str


class Files:
    """The files of one bucket.

    They are outside any transaction: store the file, then commit what points to it; what a crash
    left behind is found by `older_than`, when nothing points to it, and by `delete_torn`.
    """

    def __init__(self, database: Database, bucket: str) -> None:
        self._bucket = bucket_of(database, bucket)
        self._chunks = database[f"{bucket}.chunks"]

    async def put(self, content: AsyncIterable[bytes], *, name: str, limit: int) -> StoredFile:
        """Store a file of at most `limit` bytes; raises `TooLarge` and keeps nothing of a larger one."""
        id = new_id()
        sha256, size = hashlib.sha256(), 0
        writing = self._bucket.open_upload_stream_with_id(id, name)
        try:
            async for chunk in content:
                size += len(chunk)
                if size > limit:
                    raise TooLarge(f"The file is over the limit of {limit} bytes.")
                sha256.update(chunk)
                await writing.write(chunk)
        except BaseException:
            await writing.abort()
            raise
        await writing.close()
        return StoredFile(id, size, sha256.hexdigest())

    async def read(self, id: str) -> AsyncIterator[bytes]:
        """The file's content, chunk by chunk; raises `NotFound` when it is not there, or no longer."""
        try:
            reading = await self._bucket.open_download_stream(id)
        except NoFile:
            raise NotFound(f"There is no file {id}.") from None
        try:
            while chunk := await reading.readchunk():
                yield chunk
        except CorruptGridFile:
            raise NotFound(f"File {id} was deleted while it was read.") from None

    async def delete(self, ids: Iterable[str]) -> None:
        """Delete files; one that is gone already is no error."""
        for id in ids:
            try:
                await self._bucket.delete(id)
            except NoFile:
                continue

    async def older_than(self, moment: datetime) -> list[str]:
        """The ids of the files stored before that moment."""
        found = self._bucket.find({"uploadDate": {"$lt": moment}})
        return [str(file._id) async for file in found]

    async def delete_torn(self, moment: datetime) -> int:
        """Delete what was stored before that moment of files that were never finished; returns how many."""
        stored = await self._chunks.distinct("files_id", {"_id": {"$lt": ObjectId.from_datetime(moment)}})
        whole = {file._id async for file in self._bucket.find({"_id": {"$in": stored}})}
        torn = [id for id in stored if id not in whole]
        await self._chunks.delete_many({"files_id": {"$in": torn}})
        return len(torn)
