"""Finds texts by the beginnings of their words, whatever their case and accents: SQLite's FTS5, in memory."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Final

_WORD: Final = re.compile(r"\w+")


class TextIndex:
    """Texts by id, kept current one by one."""

    def __init__(self) -> None:
        # One process, one event loop; tests may run it in another thread than they made it in.
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.execute(
            "CREATE VIRTUAL TABLE texts USING fts5(text, tokenize = 'unicode61 remove_diacritics 2')"
        )
        self._rows: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self._next_row = 1

    def put(self, texts: Mapping[str, str]) -> None:
        """Take texts in, or replace those of these ids; many at once cost less than each alone."""
        rows = [(self._row_of(id), text) for id, text in texts.items()]
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO texts (rowid, text) VALUES (?, ?)", rows)
        self._db.execute("COMMIT")

    def _row_of(self, id: str) -> int:
        row = self._rows.get(id)
        if row is None:
            row = self._rows[id] = self._next_row
            self._ids[row] = id
            self._next_row += 1
        return row

    def remove(self, id: str) -> None:
        """Let a text go; nothing happens when it is not here."""
        row = self._rows.pop(id, None)
        if row is not None:
            del self._ids[row]
            self._db.execute("DELETE FROM texts WHERE rowid = ?", (row,))

    def find(self, asked: str) -> set[str]:
        """The ids of the texts that have a word beginning with each word asked for; none for no word."""
        words = _WORD.findall(asked)
        if not words:
            return set()
        wanted = " ".join(f'"{word}"*' for word in words)
        found = self._db.execute("SELECT rowid FROM texts WHERE texts MATCH ?", (wanted,))
        return {self._ids[row] for (row,) in found}
