"""The ledger of a partnership: every euro that moved, from which account to which, never changed again."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final, NamedTuple, Self

from shared.aggregate import Aggregate

ZERO: Final = Decimal("0.00")


class Account(StrEnum):
    """Where a partnership's money can be.

    `budget` is where all of it comes from: its balance is the total with a minus sign, so that all five
    add up to nothing.
    """

    BUDGET = "budget"
    AVAILABLE = "available"
    RESERVED = "reserved"
    COMMITTED = "committed"
    PAID = "paid"


class Why(StrEnum):
    """What moved the money; the event of the grant at that version says the rest."""

    BUDGET_SET = "budget_set"
    BROUGHT_FORWARD = "brought_forward"
    """It was so when the ledger began."""
    RESERVED = "reserved"
    COMMITTED = "committed"
    REOPENED = "reopened"
    RECALCULATED = "recalculated"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    PAID = "paid"
    RETURNED = "returned"
    RECOVERED = "recovered"


class Holding(NamedTuple):
    """What a grant holds: an amount in one account (EUR), or the amount it waits for."""

    account: Account | None = None
    amount: Decimal = ZERO
    awaits: Decimal | None = None


class LedgerEntry(Aggregate):
    """One movement, EUR, more than nothing: out of the account it credits, into the one it debits.

    Entries of a partnership are numbered without a gap, and their ids sort by the number. Nothing
    changes or deletes one: a correction is another entry. They name no one, so an erasure leaves them.
    """

    COLLECTION: ClassVar[str] = "ledger"

    partnership: str
    number: int
    at: datetime
    debit: Account
    credit: Account
    amount: Decimal
    why: Why
    grant: str | None = None
    grant_version: int | None = None
    """The `sequence` of the event that tells of it."""

    @classmethod
    def of(
        cls,
        partnership: str,
        number: int,
        *,
        at: datetime,
        debit: Account,
        credit: Account,
        amount: Decimal,
        why: Why,
        grant: str | None = None,
        grant_version: int | None = None,
    ) -> Self:
        """A new entry at the end of the partnership's ledger."""
        entry = cls(
            id=f"{partnership}:{number:09}",
            partnership=partnership,
            number=number,
            at=at,
            debit=debit,
            credit=credit,
            amount=amount,
            why=why,
            grant=grant,
            grant_version=grant_version,
        )
        entry._touch()
        return entry
