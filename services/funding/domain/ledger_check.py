"""The books of a partnership, added up three ways: by its budget, by its ledger and by its grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Final

from services.funding.domain.budget import Budget
from services.funding.domain.ledger import ZERO, Account
from shared.aggregate import Aggregate
from shared.contracts.funding import LedgerDiffered, LedgerDifference

Balances = Mapping[Account, Decimal]

ACCOUNTS: Final = (Account.AVAILABLE, Account.RESERVED, Account.COMMITTED, Account.PAID)
"""Those that make up the budget."""


class LedgerCheck(Aggregate):
    """What came of the latest comparison; its id is the partnership's."""

    COLLECTION: ClassVar[str] = "ledger_checks"

    checked_at: datetime | None = None
    differences: list[LedgerDifference] = []
    missing: list[int] = []

    @property
    def adds_up(self) -> bool:
        """Whether nothing differs and no entry is missing."""
        return not self.differences and not self.missing

    def note(self, differences: list[LedgerDifference], missing: list[int], *, at: datetime) -> None:
        """Remember what was found; told once, and again when it is something else."""
        known = (self.differences, self.missing)
        self.checked_at, self.differences, self.missing = at, differences, missing
        if not self.adds_up and known != (differences, missing):
            self._record(LedgerDiffered(partnership=self.id, differences=differences, missing=missing))
        else:
            self._touch()


def compare(
    budget: Budget,
    entered: Mapping[tuple[Account, Account], Decimal],
    held: Balances,
) -> list[LedgerDifference]:
    """The accounts on which the three disagree.

    `entered`: sums of the ledger's entries, EUR, by the account debited and the one credited. `held`:
    what the grants hold, EUR, by account.
    """
    said = {
        Account.AVAILABLE: budget.available,
        Account.RESERVED: budget.reserved,
        Account.COMMITTED: budget.committed,
        Account.PAID: budget.paid,
    }
    ledger = balances(entered)
    left = budget.total - sum(held.values(), ZERO)
    differences = []
    for account in ACCOUNTS:
        grants = left if account is Account.AVAILABLE else held.get(account, ZERO)
        if not said[account] == ledger[account] == grants:
            differences.append(
                LedgerDifference(account=account, budget=said[account], ledger=ledger[account], grants=grants)
            )
    return differences


def balances(entered: Mapping[tuple[Account, Account], Decimal]) -> dict[Account, Decimal]:
    """What is in each account after these sums of entries, EUR."""
    found = dict.fromkeys(Account, ZERO)
    for (debit, credit), amount in entered.items():
        found[debit] += amount
        found[credit] -= amount
    return found


def numbers_missing(numbers: Sequence[int], last: int, *, at_most: int = 10) -> list[int]:
    """The first numbers up to the last that are not among them."""
    there = set(numbers)
    missing: list[int] = []
    for number in range(1, last + 1):
        if len(missing) == at_most:
            break
        if number not in there:
            missing.append(number)
    return missing
