"""Where the read model is kept, and the unit of work that has it."""

from __future__ import annotations

from services.console.signing_in.sessions import prepare_sessions
from shared.contracts.envelope import now
from shared.erasure import Erasures, prepare_erasures
from shared.storage.driver import Database
from shared.storage.store import Store
from shared.storage.unit_of_work import Clock, UnitOfWork


class ConsoleUnitOfWork(UnitOfWork):
    """One transaction of the console."""

    def __init__(self, store: Store, *, clock: Clock = now) -> None:
        super().__init__(store, service="console", clock=clock)
        self.erasures = Erasures(self)


async def prepare_console(database: Database) -> None:
    """Make the indexes of the read model and of sessions; safe to call again and at once."""
    await prepare_erasures(database)
    await prepare_sessions(database)
