"""Sessions: a cookie that says nothing by itself, and what it stands for in the database, encrypted."""

from __future__ import annotations

from fastapi import Request

from services.console.people import Person
from services.console.settings import ConsoleSettings
from shared.storage.driver import Database


class Sessions:
    """The sessions of all processes of the console."""

    def __init__(self, database: Database, settings: ConsoleSettings) -> None:
        self._database = database
        self._settings = settings

    async def person_of(self, request: Request) -> Person | None:
        """Whoever the request's cookie stands for, with a token that still holds; None without a session."""
        return None
