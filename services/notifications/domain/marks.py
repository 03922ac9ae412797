"""What a mail's id goes out with, so that reports about a mail come from those alone who had it in hand.

The id is in the log and in events, and follows from what others may know. Whoever could name a mail in a
forged report would have no more mails sent to its address.
"""

from __future__ import annotations

import hmac
from typing import Final

_PURPOSE: Final = b"cxc mail mark 1"
_BYTES: Final = 5
"""Tried one mail at a time; and an address has only 64 characters before its @."""


class Marks:
    """Marks ids with a secret; the same id has the same mark."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), _PURPOSE, "sha256")

    def mark(self, id: str) -> str:
        """The id as a mail bears it: `<id>.<ten hexadecimal digits>`."""
        return f"{id}.{hmac.digest(self._key, id.encode(), 'sha256')[:_BYTES].hex()}"

    def read(self, marked: str) -> str | None:
        """The id; None where the mark is not ours, or missing."""
        id = marked.partition(".")[0]
        return id if hmac.compare_digest(marked.encode(), self.mark(id).encode()) else None
