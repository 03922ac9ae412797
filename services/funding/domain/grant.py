"""The grant of an approved match: its lump sum, and where that stands."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any, ClassVar, Final, Self

from services.funding.domain.lump_sum import NOTHING, LumpSum
from shared.aggregate import Aggregate
from shared.contracts.common import ERASED, Party, Window
from shared.contracts.funding import (
    GrantAwaitingBudget,
    GrantCancelled,
    GrantNeedsReview,
    GrantRefused,
    GrantReserved,
)
from shared.contracts.matching import MatchEvent
from shared.contracts.vocabulary import GrantState
from shared.errors import RuleBroken

OWED: Final = frozenset({GrantState.RESERVED, GrantState.AWAITING_BUDGET, GrantState.NEEDS_REVIEW})
"""States in which money is set aside for the visitor, or may yet be."""


class GrantExists(RuleBroken):
    """A match has one grant; approving it again with other facts changes nothing."""

    code = "grant-exists"


class GrantStateForbids(RuleBroken):
    """The grant is in a state in which this cannot be done."""

    code = "grant-state-forbids"


def grant_id(match_id: str) -> str:
    """The id of a match's only grant: however often an approval arrives, it is the same."""
    return f"grant-{match_id}"


class Grant(Aggregate):
    """One match's money; `partnership` manages the visitor, decides and pays.

    `lump_sum` is None only when the match was cancelled before its approval was seen. `erased`, where a
    grant is made, are registrations whose data were erased before the match was heard of.
    """

    COLLECTION: ClassVar[str] = "grants"

    match_id: str
    partnership: str
    visitor: Party
    host: Party
    stay: Window
    state: GrantState
    lump_sum: LumpSum | None
    position: int | None = None
    """Its place in the partnership's queue, while or after it waited for budget."""
    reason: str | None = None
    """Why it was cancelled."""
    erased: list[str] = []
    """Registrations of the two whose personal data are gone, or go with the money."""

    @classmethod
    def reserved(
        cls, match: MatchEvent, partnership: str, lump_sum: LumpSum, erased: Collection[str] = ()
    ) -> Self:
        """The amount is set aside."""
        grant = cls._of(match, partnership, GrantState.RESERVED, lump_sum, erased)
        grant._record(GrantReserved(**grant._facts(), amount=grant.amount, receipt=lump_sum.receipt))
        return grant

    @classmethod
    def awaiting_budget(
        cls,
        match: MatchEvent,
        partnership: str,
        lump_sum: LumpSum,
        erased: Collection[str] = (),
        *,
        position: int,
    ) -> Self:
        """The budget is short; the grant waits at this place in the queue."""
        grant = cls._of(match, partnership, GrantState.AWAITING_BUDGET, lump_sum, erased)
        grant.position = position
        grant._record(GrantAwaitingBudget(**grant._facts(), amount=grant.amount, receipt=lump_sum.receipt))
        return grant

    @classmethod
    def needs_review(
        cls, match: MatchEvent, partnership: str, lump_sum: LumpSum, erased: Collection[str] = ()
    ) -> Self:
        """A person must decide; no money is set aside."""
        grant = cls._of(match, partnership, GrantState.NEEDS_REVIEW, lump_sum, erased)
        grant._record(GrantNeedsReview(**grant._facts(), receipt=lump_sum.receipt))
        return grant

    @classmethod
    def refused(
        cls, match: MatchEvent, partnership: str, lump_sum: LumpSum, erased: Collection[str] = ()
    ) -> Self:
        """The scheme pays nothing for this stay."""
        grant = cls._of(match, partnership, GrantState.REFUSED, lump_sum, erased)
        grant._record(GrantRefused(**grant._facts(), receipt=lump_sum.receipt))
        return grant

    @classmethod
    def cancelled_unseen(
        cls, match: MatchEvent, partnership: str, reason: str, erased: Collection[str] = ()
    ) -> Self:
        """The match ended before its approval arrived here: should that come yet, it finds this grant.

        Nobody was promised anything, so nobody is told.
        """
        grant = cls._of(match, partnership, GrantState.CANCELLED, None, erased)
        grant.reason = ERASED if grant.erased else reason
        grant._touch()
        return grant

    @classmethod
    def _of(
        cls,
        match: MatchEvent,
        partnership: str,
        state: GrantState,
        lump_sum: LumpSum | None,
        erased: Collection[str],
    ) -> Self:
        grant = cls(
            id=grant_id(match.match_id),
            match_id=match.match_id,
            partnership=partnership,
            visitor=match.visitor,
            host=match.host,
            stay=match.stay,
            state=state,
            lump_sum=lump_sum,
            erased=sorted(erased),
        )
        grant._blank()
        return grant

    @property
    def amount(self) -> Decimal:
        """EUR; 0.00 where none is due, or none is certain."""
        return (self.lump_sum.amount if self.lump_sum else None) or NOTHING

    def names(self, registration_id: str) -> bool:
        """Whether the registration is one of the two."""
        return registration_id in (self.visitor.registration_id, self.host.registration_id)

    def require_same(self, match: MatchEvent) -> None:
        """Raises `GrantExists` unless the match is the very one this grant was made for."""
        if self.state is GrantState.CANCELLED:
            raise GrantExists(
                f"Match {self.match_id} was cancelled; approving it again does not bring its grant back."
            )
        same_parties = (self.visitor.registration_id, self.host.registration_id) == (
            match.visitor.registration_id,
            match.host.registration_id,
        )
        if self.stay != match.stay or not same_parties:
            raise GrantExists(
                f"Match {self.match_id} has a grant for {self.stay.first_day} to {self.stay.last_day}; "
                f"approving it again for {match.stay.first_day} to {match.stay.last_day} changes nothing. "
                "Cancel it first."
            )

    def take_reserved(self) -> None:
        """The amount it waited for has been set aside."""
        self._require(GrantState.AWAITING_BUDGET)
        assert self.lump_sum is not None
        self.state = GrantState.RESERVED
        self._record(GrantReserved(**self._facts(), amount=self.amount, receipt=self.lump_sum.receipt))

    def cancel(self, reason: str) -> None:
        """The match ended; the event says how much is free again."""
        self._require(
            GrantState.RESERVED, GrantState.AWAITING_BUDGET, GrantState.NEEDS_REVIEW, GrantState.REFUSED
        )
        freed = self.amount if self.state is GrantState.RESERVED else NOTHING
        self.state = GrantState.CANCELLED
        self.reason = ERASED if self.erased else reason
        self._blank()
        self._record(GrantCancelled(**self._facts(), freed=freed, reason=reason))

    def erase(self, registration_id: str) -> None:
        """Let go of one side's personal data; amounts, days, countries and the receipt stay.

        The visitor's name stays as long as money is, or may yet be, set aside for it: accounts say whom
        an amount is for. It goes when the grant is refused or cancelled.
        """
        if registration_id in self.erased:
            return
        self.erased = [*self.erased, registration_id]
        if self.reason is not None:
            self.reason = ERASED  # in words of theirs, which may name anybody
        self._blank()
        self._touch()

    def _blank(self) -> None:
        if self.visitor.registration_id in self.erased:
            named = self.state in OWED
            kept = {"organisation": self.visitor.organisation} if named else {}
            self.visitor = self.visitor.erased().model_copy(update=kept)
        if self.host.registration_id in self.erased:
            self.host = self.host.erased()

    def _require(self, *states: GrantState) -> None:
        if self.state not in states:
            raise GrantStateForbids(f"Grant {self.id} is {self.state.value.replace('_', ' ')} already.")

    def _facts(self) -> dict[str, Any]:
        return {
            "grant_id": self.id,
            "match_id": self.match_id,
            "partnership": self.partnership,
            "visitor": self.visitor,
            "host": self.host,
            "stay": self.stay,
        }
