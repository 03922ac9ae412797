"""Takes the spreadsheets that were sent, row by row, beside the worker's lanes and never in their way.

Of all workers one does it, one spreadsheet after the other. The rows of a file are taken some at a
time, each time in one short transaction with the note of what became of them: a worker that is killed
leaves off between two such parts, and the one that takes over goes on behind the last.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from services.registration.bootstrap import Registering
from services.registration.domain.spreadsheet_import import (
    UNFINISHED,
    ImportedRows,
    RowOutcome,
    SpreadsheetImport,
)
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.spreadsheets.apart import Spool, read_apart
from services.registration.spreadsheets.cells import Cell, Unreadable, characters_in
from services.registration.spreadsheets.columns import Layout, Said, is_explanation
from services.registration.use_cases.import_rows import (
    NumberedRow,
    Overtaken,
    faulty,
    import_rows,
    note_outcomes,
    outcomes_of,
    running_import,
)
from shared.errors import NotFound
from shared.jobs import LOOK_EVERY_S, Interrupted, JobHolder, work_off
from shared.storage.files import Files
from shared.storage.transactions import worth_another_try

_log = structlog.get_logger(__name__)

BUCKET: Final = "spreadsheets"
ROWS_AT_ONCE: Final = 100
"""Rows in one transaction at the most: so many hold the lanes up for some 20 ms; more are no faster."""
CHARACTERS_AT_ONCE: Final = 1_000_000
"""What is noted of the rows of one transaction is one document, of 16 MB at the most."""
UNDERSTOOD_AT_ONCE: Final = 25
"""Rows understood before the lanes have their turn."""


async def import_spreadsheets(registering: Registering, stopping: asyncio.Event) -> None:
    """The worker's companion: take what is waiting, the oldest first, until told to stop."""
    importer = Importer(registering, stopping)
    await work_off(importer, importer.take_next, stopping)


class Importer(JobHolder):
    """Takes spreadsheets as long as it has the lease."""

    def __init__(self, registering: Registering, stopping: asyncio.Event) -> None:
        super().__init__("imports", registering.database, stopping)
        self._registering = registering
        self._transactions = registering.transactions
        self._files = Files(registering.database, BUCKET)

    async def take_next(self) -> bool:
        """Take the spreadsheet that waits longest, to its end; whether there was one.

        Raises `Interrupted`, and what the database raises while it is away.
        """
        await self._go_on()
        waiting = await self._registering.database[SpreadsheetImport.COLLECTION].find_one(
            {"state": {"$in": list(UNFINISHED)}}, {"_id": 1}, sort=[("_id", 1)]
        )
        if waiting is None:
            return False
        spreadsheet = await self._transactions.read(lambda uow: uow.imports.get(waiting["_id"]))
        with tempfile.TemporaryDirectory(prefix="cxc-import-") as directory:
            try:
                await self._take(spreadsheet, Path(directory))
            except Overtaken:
                return True
            except Exception as error:
                if isinstance(error, Interrupted) or worth_another_try(error):
                    raise
                _log.error("import_failed", id=spreadsheet.id, exc_info=error)
                await self._refuse(spreadsheet.id, _ENDED)
        # Should this not come to pass, `let_go_of_imports` finds the file.
        await self._files.delete([spreadsheet.file])
        return True

    async def _take(self, spreadsheet: SpreadsheetImport, directory: Path) -> None:
        began = time.monotonic()
        try:
            spool = await self._read(spreadsheet, directory)
            layout = Layout(spool.header)
            skipped = 1 if is_explanation(next(spool.read(), (0, []))[1]) else 0
            if spool.rows == skipped:
                raise Unreadable("The file has no rows beneath the names of its columns.")
        except Unreadable as error:
            await self._refuse(spreadsheet.id, str(error))
            return
        await self._start(spreadsheet.id, spool, spool.rows - skipped)
        done = spreadsheet.counts.read
        async for part in _parts(_rows(spool.read(skipped), layout, done)):
            await self._go_on()
            async with self.pace:
                await self._import(spreadsheet, part, done)
                done += len(part)
        _log.info("spreadsheet_imported", id=spreadsheet.id, seconds=round(time.monotonic() - began, 1))

    async def _read(self, spreadsheet: SpreadsheetImport, directory: Path) -> Spool:
        file = directory / "file"
        try:
            with file.open("wb") as out:
                async for chunk in self._files.read(spreadsheet.file):
                    out.write(chunk)
        except NotFound as error:
            raise Unreadable("The file is no longer stored; send it again.") from error
        max_rows = self._registering.settings.import_max_rows
        reading = asyncio.ensure_future(read_apart(file, directory / "rows", max_rows=max_rows))
        try:
            while not (await asyncio.wait({reading}, timeout=LOOK_EVERY_S))[0]:
                await self._go_on()
            return reading.result()
        finally:
            reading.cancel()
            await asyncio.wait({reading})

    async def _start(self, id: str, spool: Spool, rows: int) -> None:
        async def start(uow: RegistrationUnitOfWork) -> None:
            spreadsheet = await uow.imports.get(id)
            spreadsheet.start(format=spool.format, header=spool.header, notes=spool.notes, rows=rows)

        await self._transactions.run(start)

    async def _refuse(self, id: str, why: str) -> None:
        async def refuse(uow: RegistrationUnitOfWork) -> None:
            (await uow.imports.get(id)).refuse(why, at=uow.now)

        await self._transactions.run(refuse)

    async def _import(self, spreadsheet: SpreadsheetImport, rows: Sequence[NumberedRow], after: int) -> None:
        """Take these rows; one that cannot be stored is found by halving, and holds up no other."""
        try:
            if spreadsheet.dry_run:
                outcomes = await self._transactions.read(lambda uow: outcomes_of(uow, spreadsheet, rows))
                await self._note(spreadsheet.id, outcomes, after)
            else:
                await self._transactions.run(lambda uow: import_rows(uow, spreadsheet.id, rows, after=after))
        except Exception as error:
            if isinstance(error, Overtaken) or worth_another_try(error):
                raise
            if len(rows) > 1:
                middle = len(rows) // 2
                await self._import(spreadsheet, rows[:middle], after)
                await self._import(spreadsheet, rows[middle:], after + middle)
                return
            _log.error("row_not_imported", id=spreadsheet.id, row=rows[0].number, exc_info=error)
            await self._note(spreadsheet.id, [faulty(rows[0], _OURS)], after)

    async def _note(self, id: str, outcomes: Sequence[RowOutcome], after: int) -> None:
        async def note(uow: RegistrationUnitOfWork) -> None:
            note_outcomes(uow, await running_import(uow, id, after), outcomes)

        await self._transactions.run(note)


_OURS: Final = (
    "The row could not be stored, by an error of ours, which is in the service's log; nothing was changed by "
    "it. Send it again once that is mended."
)


_ENDED: Final = (
    "The import was ended by an error of ours, which is in the service's log. The rows before it are taken; "
    "send the file again once that is mended."
)


def _understood(layout: Layout, cells: Sequence[Cell]) -> Said:
    try:
        return layout.understand(cells)
    except Exception as error:  # noqa: BLE001 - no row may keep the others from being taken
        _log.error("row_not_understood", exc_info=error)
        return Said(layout.key_of(cells), None, (_OURS,))


async def _rows(
    rows: Iterable[tuple[int, list[Cell]]], layout: Layout, done: int
) -> AsyncIterator[NumberedRow]:
    """What the rows say, those behind the first `done`; a key counts once in the whole file."""
    seen: dict[str, int] = {}
    for index, (number, cells) in enumerate(rows):
        if index % UNDERSTOOD_AT_ONCE == 0:
            await asyncio.sleep(0)
        if index < done:
            seen.setdefault(layout.key_of(cells), number)
            continue
        said = _understood(layout, cells)
        if said.key and seen.setdefault(said.key, number) != number:
            twice = (
                f"key: row {seen[said.key]} has the same key '{said.key}'; give each row one of its own, or "
            )
            said = replace(said, submission=None, faults=(*said.faults, twice + "leave one of the two out"))
        yield NumberedRow(number, cells, said)


async def _parts(rows: AsyncIterator[NumberedRow]) -> AsyncIterator[list[NumberedRow]]:
    part: list[NumberedRow] = []
    characters = 0
    async for row in rows:
        part.append(row)
        characters += characters_in(row.cells)
        if len(part) == ROWS_AT_ONCE or characters > CHARACTERS_AT_ONCE:
            yield part
            part, characters = [], 0
    if part:
        yield part


async def let_go_of_imports(registering: Registering, at: datetime) -> None:
    """Forget imports that were finished long before that moment, and files nothing waits for."""
    database, files = registering.database, Files(registering.database, BUCKET)
    imports = database[SpreadsheetImport.COLLECTION]
    long_ago = (at - timedelta(days=registering.settings.import_days)).isoformat()
    old = await imports.distinct("_id", {"finished_at": {"$lt": long_ago}})
    for id in old:
        await database[ImportedRows.COLLECTION].delete_many({"import_id": id})
        await imports.delete_one({"_id": id})
    # A file is stored before its import is.
    lately = at - timedelta(hours=1)
    wanted = set(await imports.distinct("file", {"state": {"$in": list(UNFINISHED)}}))
    await files.delete(set(await files.older_than(lately)) - wanted)
    await files.delete_torn(lately)
