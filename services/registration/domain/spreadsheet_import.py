"""The import of one spreadsheet: what was sent, how far it is, and what became of each row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from services.registration.domain.registration import Origin
from shared.aggregate import Aggregate
from shared.contracts.vocabulary import RegistrationState, Verdict

Format = Literal["csv", "xlsx"]


class ImportState(StrEnum):
    """Where an import stands; a refused one has changed nothing."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"


IMPORTED: Final = "/cxc/import/"
"""Sources that begin so are of spreadsheets; an event of such a source would speak in another's name."""

UNFINISHED: Final = (ImportState.WAITING, ImportState.RUNNING)


class Outcome(StrEnum):
    """What became of a row; of a dry run, what would."""

    SUBMITTED = "submitted"
    AMENDED = "amended"
    UNCHANGED = "unchanged"
    FAULTY = "faulty"


class RowOutcome(BaseModel):
    """One row: its number in the file, what became of it, and of a faulty one what it held and why."""

    model_config = ConfigDict(frozen=True)

    row: int
    key: str
    outcome: Outcome
    registration_id: str | None = None
    state: RegistrationState | None = None
    verdict: Verdict | None = None
    why: str = ""
    """Why the rules say so."""
    cells: list[str | int | float] = []
    faults: list[str] = []


class Counts(BaseModel):
    """Rows by what became of them."""

    submitted: int = 0
    amended: int = 0
    unchanged: int = 0
    faulty: int = 0

    @property
    def read(self) -> int:
        """All of them."""
        return self.submitted + self.amended + self.unchanged + self.faulty


def source_of(sender: str, partnership: str | None) -> str:
    """Whose the keys in a file are: the partnership's, whoever of its staff sends it, or a system's own."""
    kind, whose = ("system", sender) if partnership is None else ("partnership", partnership)
    return f"{IMPORTED}{kind}/{quote(whose, safe='')}"


class SpreadsheetImport(Aggregate):
    """A file on its way in: refused as a whole, or taken row by row, some rows a transaction."""

    COLLECTION: ClassVar[str] = "imports"

    by: str
    role: Literal["staff", "external"]
    partnership: str | None
    """Of staff."""
    file_name: str
    file: str
    """The stored file, which is deleted when the import is over."""
    size: int
    dry_run: bool
    state: ImportState = ImportState.WAITING
    created_at: datetime
    finished_at: datetime | None = None
    format: Format | None = None
    header: list[str] = []
    notes: list[str] = []
    refusal: str | None = None
    rows: int | None = None
    """How many rows there are, once the file has been read."""
    counts: Counts = Counts()
    verdicts: dict[Verdict, int] = {}

    @classmethod
    def request(cls, **given: Any) -> Self:
        """A new import with these fields, waiting for a worker."""
        requested = cls(**given)
        requested._touch()
        return requested

    @property
    def source(self) -> str:
        """Whose the keys are."""
        return source_of(self.by, self.partnership)

    def origin_of(self, key: str) -> Origin:
        """Where the registration of a row with this key comes from."""
        return Origin(
            by=self.by,
            source=self.source,
            reference=key,
            system=self.by if self.role == "external" else None,
        )

    def start(self, *, format: Format, header: Sequence[str], notes: Sequence[str], rows: int) -> None:
        """The file could be read; a worker that takes over reads it again, and finds the same."""
        if self.state is ImportState.WAITING:
            self.state, self.format, self.rows = ImportState.RUNNING, format, rows
            self.header, self.notes = list(header), list(notes)
            self._touch()

    def refuse(self, why: str, *, at: datetime) -> None:
        """The file as a whole cannot be taken."""
        self.state, self.refusal, self.finished_at = ImportState.REFUSED, why, at
        self._touch()

    def take(self, outcomes: Sequence[RowOutcome], *, at: datetime) -> ImportedRows:
        """Count the next rows; returns the note of what became of them."""
        first = self.counts.read
        self.counts = self.counts.model_copy()
        for one in outcomes:
            setattr(self.counts, one.outcome, getattr(self.counts, one.outcome) + 1)
            if one.verdict is not None:
                self.verdicts = {**self.verdicts, one.verdict: self.verdicts.get(one.verdict, 0) + 1}
        if self.counts.read == self.rows:
            self.state, self.finished_at = ImportState.DONE, at
        self._touch()
        return ImportedRows.note(self, first, outcomes)


class ImportedRows(Aggregate):
    """What became of some rows of an import, written with whatever changed by them."""

    COLLECTION: ClassVar[str] = "imported_rows"

    import_id: str
    source: str
    """Whose the keys are."""
    has_faulty: bool
    outcomes: list[RowOutcome]

    @classmethod
    def note(cls, spreadsheet: SpreadsheetImport, after: int, outcomes: Sequence[RowOutcome]) -> Self:
        """The note of the rows behind the first `after`; a second one of the same rows cannot be stored."""
        noted = cls(
            id=f"{spreadsheet.id}:{after:07}",
            import_id=spreadsheet.id,
            source=spreadsheet.source,
            has_faulty=any(one.outcome is Outcome.FAULTY for one in outcomes),
            outcomes=list(outcomes),
        )
        noted._touch()
        return noted

    def forget(self, registration_id: str, origin: Origin) -> None:
        """The registration was erased: what was said in its rows goes, that there were rows stays."""
        gone = self.about(registration_id, origin)
        self.outcomes = [
            one.model_copy(update={"why": "", "cells": [], "faults": []}) if one in gone else one
            for one in self.outcomes
        ]
        self._touch()

    def about(self, registration_id: str, origin: Origin) -> list[RowOutcome]:
        """The rows by which that registration was sent, faulty ones included."""
        keys = {registration_id, *([origin.reference] if origin.source == self.source else [])}
        return [one for one in self.outcomes if one.registration_id == registration_id or one.key in keys]
