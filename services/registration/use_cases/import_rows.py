"""The next rows of a spreadsheet are taken."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.registration.access import Sender
from services.registration.domain.registration import OPEN, Registration
from services.registration.domain.spreadsheet_import import (
    ImportState,
    Outcome,
    RowOutcome,
    SpreadsheetImport,
)
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.spreadsheets.cells import Cell, as_text
from services.registration.spreadsheets.columns import Said, row_of
from services.registration.use_cases.amend_registration import amend_registration
from services.registration.use_cases.submit_registration import submit_registration
from shared.contracts.envelope import Cause
from shared.contracts.registration import Submission, id_from_outside
from shared.errors import CxcError, NotFound
from shared.security import Caller, CallerRole
from shared.storage.unit_of_work import because_of

_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Overtaken(Exception):
    """Another worker took these rows, or the import is no longer running."""


class LeftHalfDone(Exception):
    """A row was refused after it had changed something: only without it can the others be trusted."""


@dataclass(frozen=True)
class NumberedRow:
    """A row of a file: its number, its cells, and what they say."""

    number: int
    cells: Sequence[Cell]
    said: Said


async def import_rows(
    uow: RegistrationUnitOfWork, import_id: str, rows: Sequence[NumberedRow], *, after: int
) -> None:
    """Submit, amend or leave as it is what the rows say, and note what became of each.

    `after` is how many rows of the file came before these, whose keys must all be different. Raises
    `Overtaken` where another worker was faster, and `LeftHalfDone`.
    """
    spreadsheet = await running_import(uow, import_id, after)
    note_outcomes(uow, spreadsheet, await outcomes_of(uow, spreadsheet, rows))


async def running_import(uow: RegistrationUnitOfWork, import_id: str, after: int) -> SpreadsheetImport:
    """The import, of which so many rows are done; raises `Overtaken`."""
    spreadsheet = await uow.imports.get(import_id)
    if spreadsheet.state is not ImportState.RUNNING or spreadsheet.counts.read != after:
        raise Overtaken(f"import {import_id} is {spreadsheet.state} after {spreadsheet.counts.read} rows")
    return spreadsheet


def note_outcomes(
    uow: RegistrationUnitOfWork, spreadsheet: SpreadsheetImport, outcomes: Sequence[RowOutcome]
) -> None:
    """Count the rows and keep what became of them."""
    uow.imported_rows.add(spreadsheet.take(outcomes, at=uow.now))


async def outcomes_of(
    uow: RegistrationUnitOfWork, spreadsheet: SpreadsheetImport, rows: Sequence[NumberedRow]
) -> list[RowOutcome]:
    """Do with each row what is to be done, in this unit of work; never committed, it is a dry run."""
    # Together, so that what they look up meets in a few queries.
    found = await asyncio.gather(*(_take(uow, spreadsheet, row) for row in rows), return_exceptions=True)
    outcomes: list[RowOutcome] = []
    for one in found:
        if isinstance(one, BaseException):
            raise one
        outcomes.append(one)
    return outcomes


def faulty(row: NumberedRow, *faults: str) -> RowOutcome:
    """A row nothing was done with."""
    return RowOutcome(
        row=row.number,
        key=row.said.key,
        outcome=Outcome.FAULTY,
        cells=[_kept(cell) for cell in row.cells],
        faults=list(faults),
    )


def _kept(cell: Cell) -> str | int | float:
    return cell if isinstance(cell, (int, float)) and not isinstance(cell, bool) else as_text(cell)


async def _take(uow: RegistrationUnitOfWork, spreadsheet: SpreadsheetImport, row: NumberedRow) -> RowOutcome:
    if row.said.submission is None:
        return faulty(row, *row.said.faults)
    with because_of(Cause(correlation_id=spreadsheet.id)) as scope:
        try:
            outcome, registration = await _register(uow, spreadsheet, row.said.key, row.said.submission)
        except CxcError as error:
            if scope.touched:
                raise LeftHalfDone(error.detail) from error
            return faulty(row, error.detail)
    return RowOutcome(
        row=row.number,
        key=row.said.key,
        outcome=outcome,
        registration_id=registration.id,
        state=registration.state,
        verdict=registration.verdict,
        why=registration.receipt.sentence,
    )


async def _register(
    uow: RegistrationUnitOfWork, spreadsheet: SpreadsheetImport, key: str, submission: Submission
) -> tuple[Outcome, Registration]:
    by: Sender = spreadsheet.origin_of(key)
    earlier = await uow.registrations.find(id_from_outside(spreadsheet.source, key))
    if earlier is None and _ID.fullmatch(key):
        # What was exported without a key of the sender's own has the registration's id for one.
        caller = Caller(spreadsheet.by, CallerRole(spreadsheet.role), partnership=spreadsheet.partnership)
        with contextlib.suppress(NotFound):
            earlier = await uow.registrations.get_visible_to(caller, key)
            by = caller
    if earlier is None:
        return Outcome.SUBMITTED, await submit_registration(uow, submission, by=by)
    if earlier.state in OPEN and _says_the_same(earlier.submission, submission):
        return Outcome.UNCHANGED, earlier
    return Outcome.AMENDED, await amend_registration(uow, earlier.id, submission, by=by)


def _says_the_same(stored: Submission, sent: Submission) -> bool:
    # What a spreadsheet cannot tell apart, such as no street and an empty one, is no difference.
    return stored == sent or row_of(stored) == row_of(sent)
