"""Does a partnership's money add up? Its budget, its ledger and its grants are reckoned and compared."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Final

from services.funding.domain.grant import ACCOUNTS_BY_STATE, Grant
from services.funding.domain.ledger import ZERO, Account, LedgerEntry
from services.funding.domain.ledger_check import LedgerCheck, compare, numbers_missing
from services.funding.repositories import FundingUnitOfWork
from shared.contracts.vocabulary import GrantState

_SUMS: Final = (("lump_sum.amount", 1), ("recovered", -1))
"""The amounts of a grant that make up what it holds, and with which sign."""


async def check_ledger(uow: FundingUnitOfWork, partnership: str) -> LedgerCheck:
    """The partnership's check, with what was found; raises `NotFound` where it has no budget.

    All of it is read in one transaction, so what is booked meanwhile makes no difference.
    """
    budget = await uow.budgets.get(partnership)
    of_partnership = {"partnership": partnership}
    sums = await uow.totals(LedgerEntry, of_partnership, of="amount", by=("debit", "credit"))
    entered = {(Account(debit), Account(credit)): amount for (debit, credit), amount in sums.items()}
    held: dict[Account, Decimal] = defaultdict(lambda: ZERO)
    for field, sign in _SUMS:
        by_state = await uow.totals(Grant, of_partnership, of=field, by=("state",))
        for (state,), amount in by_state.items():
            if account := ACCOUNTS_BY_STATE.get(GrantState(state)):
                held[account] += sign * amount
    missing: list[int] = []
    if await uow.count(LedgerEntry, of_partnership) != budget.entries:
        rows = await uow.rows(LedgerEntry, of_partnership, ["number"])
        missing = numbers_missing([row["number"] for row in rows], budget.entries)
    check = await uow.ledger_checks.of(partnership)

    check.note(compare(budget, entered, held), missing, at=uow.now)
    return check
