"""The audit trail: what a person decided, when, why, and what it changed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from shared.aggregate import Aggregate


class Action(StrEnum):
    """What a person can do that others will ask about later."""

    REGISTER = "register"
    AMEND = "amend"
    CONFIRM_INTEREST = "confirm_interest"
    ATTACH_CV = "attach_cv"
    REMOVE_CV = "remove_cv"
    ACCEPT = "accept"
    REJECT = "reject"
    ASK = "ask"
    ASSIGN = "assign"
    WITHDRAW = "withdraw"
    UNDO = "undo"
    MERGE = "merge"
    UNMERGE = "unmerge"
    DISTINCT = "distinct"
    IMPORT = "import"
    EXPORT = "export"
    ERASE = "erase"


class AuditEntry(Aggregate):
    """One action of one person; written in the transaction that does it, and never changed.

    Its id is a UUIDv7, so that entries lie in the order of time. What the platform does by itself
    has no entry: the history of each registration has it.
    """

    COLLECTION: ClassVar[str] = "audit"

    at: datetime
    by: str
    """The token's subject."""
    role: str
    """The token's role."""
    partnership: str | None
    """The one the person works for."""
    action: Action
    registration_id: str | None = None
    decision_id: str | None = None
    why: str = ""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    seen_by: list[str] = []
    """The partnerships whose staff may read it."""

    def forget(self) -> None:
        """The registration was erased: words that may speak of a person go, what was done stays.

        So does why it was erased.
        """
        own = self.role == "participant"
        if self.action is not Action.ERASE and (self.why or (own and self.by)):
            self.why = ""
            self.by = "" if own else self.by
            self._touch()
