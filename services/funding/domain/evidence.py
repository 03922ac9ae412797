"""The evidence of a stay: files the visitor sends, and its partnership accepts or returns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

from services.funding.domain.grant import Grant
from shared.aggregate import Aggregate
from shared.contracts.funding import (
    EvidenceAccepted,
    EvidenceReturned,
    EvidenceSubmitted,
    FileAccepted,
    FileReturned,
)
from shared.contracts.vocabulary import EvidenceKind, GateState
from shared.errors import NotFound, RuleBroken


class EvidenceState(StrEnum):
    """Whose turn it is: the visitor's while it is open or returned, its partnership's once submitted."""

    OPEN = "open"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    ACCEPTED = "accepted"


class EvidenceStateForbids(RuleBroken):
    """The evidence is in a state in which this cannot be done."""

    code = "evidence-state-forbids"


class EvidenceChanged(RuleBroken):
    """Somebody added or removed a file since the list was read."""

    code = "evidence-changed"


class SentBefore(RuleBroken):
    """The very same file is there already."""

    code = "evidence-sent-before"


class TooManyFiles(RuleBroken):
    """No more files are taken for this stay."""

    code = "too-many-files"


class EvidenceNotReady(RuleBroken):
    """There is nothing to be looked at, or something that was returned already."""

    code = "evidence-not-ready"


class EvidenceFile(BaseModel):
    """One file: what it was found to be, and what the visitor says it is; its content is kept elsewhere."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: EvidenceKind
    note: str
    name: str
    media_type: str
    size: int
    """Bytes."""
    sha256: str
    pages: int
    uploaded_at: datetime
    returned_because: str | None = None
    """Why the partnership did not take it."""


def evidence_id(match_id: str) -> str:
    """The id of the evidence of a match's stay."""
    return f"evidence-{match_id}"


class Evidence(Aggregate):
    """All files of one stay; `edition` counts what changes in their list."""

    COLLECTION: ClassVar[str] = "evidence"

    grant_id: str
    state: EvidenceState = EvidenceState.OPEN
    files: list[EvidenceFile] = []
    edition: int = 0
    submitted_at: datetime | None = None
    returned_because: str | None = None
    """What is missing or wrong, beside what is said of each file."""
    accepted_at: datetime | None = None
    accepted_by: str | None = None
    """The subject of the officer's token."""

    @classmethod
    def begin(cls, grant: Grant) -> Self:
        """Without a file yet."""
        evidence = cls(id=evidence_id(grant.match_id), grant_id=grant.id)
        evidence._touch()
        return evidence

    def file(self, id: str) -> EvidenceFile:
        """One of them; raises `NotFound`."""
        for file in self.files:
            if file.id == id:
                return file
        raise NotFound(f"There is no file {id} among the evidence of {self.grant_id}.")

    # ── what the visitor does ────────────────────────────────────────────────────────────────

    def add(self, grant: Grant, file: EvidenceFile, *, most: int, at: datetime) -> None:
        """One more file; what was submitted has to be submitted again.

        Raises `SentBefore`, `TooManyFiles` and `EvidenceStateForbids`.
        """
        self.require_room(grant, most, at=at)
        for other in self.files:
            if other.sha256 == file.sha256:
                raise SentBefore(
                    f"The same file is there already: {other.name}, sent on {other.uploaded_at:%Y-%m-%d}. "
                    "Nothing was added."
                )
        self.files = [*self.files, file]
        self._take_back()

    def remove(self, grant: Grant, id: str, *, at: datetime) -> None:
        """Without this file, whose content is to be let go of after the commit; raises `NotFound`."""
        self._require_not_accepted("removed")
        removed = self.file(id)
        self._stay_with_visitor(grant, at)
        self.files = [file for file in self.files if file is not removed]
        self._take_back()

    def require_room(self, grant: Grant, most: int, *, at: datetime) -> None:
        """Raises unless one more file can be taken."""
        self._require_not_accepted("added")
        self._stay_with_visitor(grant, at)
        if len(self.files) >= most:
            raise TooManyFiles(
                f"There are {len(self.files)} files, and {most} are the most; delete one, or put several "
                "pages into one PDF."
            )

    def submit(self, grant: Grant, *, at: datetime) -> None:
        """That is all: hand it to the partnership; raises `EvidenceNotReady`."""
        if self.state not in (EvidenceState.OPEN, EvidenceState.RETURNED):
            raise EvidenceStateForbids(f"The evidence is {self.state} already.")
        if not self.files:
            raise EvidenceNotReady("There is no file yet: send boarding passes, invoices or the like first.")
        if returned := [file.name for file in self.files if file.returned_because]:
            raise EvidenceNotReady(
                f"{', '.join(returned)}: returned by your partnership. Delete what was returned, and send "
                "what takes its place."
            )
        grant.turn_gate("evidence", GateState.WAITS_FOR_PARTNERSHIP, at=at)
        self.state, self.submitted_at, self.returned_because = EvidenceState.SUBMITTED, at, None
        self._record(EvidenceSubmitted(**grant.facts(), kinds=[file.kind for file in self.files]))

    # ── what its partnership does ────────────────────────────────────────────────────────────

    def accept(self, grant: Grant, *, edition: int, by: str, at: datetime) -> None:
        """All of it shows that the stay took place; raises `EvidenceChanged` and `EvidenceStateForbids`."""
        if self.state is not EvidenceState.SUBMITTED:
            raise EvidenceStateForbids(
                "The evidence is accepted already."
                if self.state is EvidenceState.ACCEPTED
                else "The evidence waits for the visitor, who has not submitted it."
            )
        if edition != self.edition:
            raise EvidenceChanged(
                f"You saw edition {edition}, and the evidence is at edition {self.edition}: files were added "
                "or deleted in between. Look at it again."
            )
        grant.turn_gate("evidence", GateState.PASSED, at=at)
        self.state, self.accepted_at, self.accepted_by = EvidenceState.ACCEPTED, at, by
        files = [FileAccepted(kind=file.kind, sha256=file.sha256) for file in self.files]
        self._record(EvidenceAccepted(**grant.facts(), files=files))

    def send_back(
        self, grant: Grant, reasons: Mapping[str, str], *, reason: str | None, at: datetime
    ) -> None:
        """These files, by id, will not do, or something is missing; raises `NotFound`.

        Also evidence that was accepted, until the payment is prepared.
        """
        if self.state not in (EvidenceState.SUBMITTED, EvidenceState.ACCEPTED):
            raise EvidenceStateForbids("The evidence waits for the visitor, who has not submitted it.")
        returned = [(self.file(id), why) for id, why in reasons.items()]
        in_words = reason or "; ".join(f"{file.name}: {why}" for file, why in returned)
        grant.turn_gate("evidence", GateState.WAITS_FOR_VISITOR, at=at, reason=in_words)
        was_accepted = self.state is EvidenceState.ACCEPTED
        self.state, self.returned_because = EvidenceState.RETURNED, reason
        self.accepted_at, self.accepted_by = None, None
        self.files = [
            file.model_copy(update={"returned_because": reasons[file.id]}) if file.id in reasons else file
            for file in self.files
        ]
        self._record(
            EvidenceReturned(
                **grant.facts(),
                reason=reason,
                files=[FileReturned(name=file.name, kind=file.kind, reason=why) for file, why in returned],
                was_accepted=was_accepted,
            )
        )

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing of it."""
        return not self.files and self.returned_because is None

    def let_go(self) -> None:
        """Nothing is paid for the stay, or was: no file is needed any more."""
        self.files, self.state, self.returned_because = [], EvidenceState.OPEN, None
        self.accepted_at, self.accepted_by = None, None
        self._touch()

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _stay_with_visitor(self, grant: Grant, at: datetime) -> None:
        # The gate refuses where there is no stay to prove, or its money is in a payment already.
        grant.turn_gate("evidence", GateState.WAITS_FOR_VISITOR, at=at)

    def _take_back(self) -> None:
        if self.state is EvidenceState.SUBMITTED:
            self.state = EvidenceState.OPEN
        self.edition += 1
        self._touch()

    def _require_not_accepted(self, what: str) -> None:
        if self.state is EvidenceState.ACCEPTED:
            raise EvidenceStateForbids(
                f"The evidence is accepted: no file can be {what} any more, unless your partnership "
                "returns it."
            )
