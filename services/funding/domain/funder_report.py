"""What a partnership tells its funder about a period: exchanges, countries, money, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple, TypeVar

from services.funding.domain.ledger import Account
from services.funding.domain.progress import Progress
from shared.contracts.vocabulary import GrantState

NOTHING: Final = Decimal("0.00")

ACCOUNTS: Final = (Account.AVAILABLE, Account.RESERVED, Account.COMMITTED, Account.PAID)
"""Where the money of a budget is, in its order."""

_OVER: Final = (GrantState.REFUSED, GrantState.CANCELLED)
STATES: Final = (
    GrantState.NEEDS_REVIEW,
    GrantState.AWAITING_BUDGET,
    GrantState.RESERVED,
    GrantState.COMMITTED,
    GrantState.PAYABLE,
    GrantState.PREPARED,
    GrantState.RELEASED,
    GrantState.PAID,
    GrantState.RECOVERED,
    *_OVER,
)
"""All of them, in the order of the way."""

K = TypeVar("K")


class Exchange(NamedTuple):
    """One exchange whose stay begins in the period; `amount` in EUR, None where none is certain."""

    match_id: str
    visitor: str
    visitor_country: str
    host: str
    host_country: str
    first_day: date
    last_day: date
    working_days: int | None
    state: GrantState
    amount: Decimal | None
    report_on: date | None
    """When its report was validated."""


class PaidOut(NamedTuple):
    """One payment the bank booked in the period, EUR; what came back of it since beside it."""

    paid_on: date
    match_id: str
    visitor: str
    visitor_country: str
    amount: Decimal
    recovered: Decimal
    payment_id: str
    reference: str


class Sum(NamedTuple):
    """How many exchanges, and what they come to, EUR."""

    exchanges: int
    amount: Decimal


class Balance(NamedTuple):
    """One account at the beginning of the first day and at the end of the last, EUR."""

    account: Account
    before: Decimal
    after: Decimal


@dataclass(frozen=True)
class FunderReport:
    """The report; `at` is the moment as which states and progress are told."""

    partnership: str
    name: str
    first_day: date
    last_day: date
    at: datetime
    exchanges: Sequence[Exchange]
    payments: Sequence[PaidOut]
    reported: int
    """Exchanges whose report was validated in the period: what counts for the objective."""
    progress: Progress
    """Until now, from the beginning."""
    balances: Sequence[Balance]

    @property
    def by_state(self) -> list[tuple[GrantState, Sum]]:
        """The exchanges of the period by where each stands now, in the order of the way."""
        sums = _sums(self.exchanges, lambda one: one.state)
        return [(state, sums[state]) for state in sorted(sums, key=STATES.index)]

    @property
    def by_host_country(self) -> list[tuple[str, Sum]]:
        """Those that take place, or may, by where they go; the most frequent first."""
        return _by_number(_sums(self.alive, lambda one: one.host_country))

    @property
    def by_visitor_country(self) -> list[tuple[str, Sum]]:
        """Those that take place, or may, by where they come from; the most frequent first."""
        return _by_number(_sums(self.alive, lambda one: one.visitor_country))

    @property
    def alive(self) -> list[Exchange]:
        """The exchanges that are neither refused nor cancelled."""
        return [one for one in self.exchanges if one.state not in _OVER]

    @property
    def paid(self) -> Decimal:
        """What the bank booked in the period, EUR."""
        return sum((one.amount for one in self.payments), NOTHING)

    @property
    def recovered(self) -> Decimal:
        """What came back of these payments until now, EUR."""
        return sum((one.recovered for one in self.payments), NOTHING)


def balances(
    before: Mapping[tuple[str, str], Decimal], until: Mapping[tuple[str, str], Decimal]
) -> list[Balance]:
    """The accounts by what was moved into each (debit) and out of it (credit), before and until the end.

    Keys are debit and credit of the ledger's entries, values what was moved from one to the other in all.
    """
    return [Balance(account, _balance(account, before), _balance(account, until)) for account in ACCOUNTS]


def _balance(account: Account, moved: Mapping[tuple[str, str], Decimal]) -> Decimal:
    came = sum((amount for (debit, _), amount in moved.items() if debit == account), NOTHING)
    went = sum((amount for (_, credit), amount in moved.items() if credit == account), NOTHING)
    return came - went


def _sums(exchanges: Iterable[Exchange], key: Callable[[Exchange], K]) -> dict[K, Sum]:
    sums: dict[K, Sum] = {}
    for one in exchanges:
        known = sums.get(key(one), Sum(0, NOTHING))
        sums[key(one)] = Sum(known.exchanges + 1, known.amount + (one.amount or NOTHING))
    return sums


def _by_number(sums: Mapping[str, Sum]) -> list[tuple[str, Sum]]:
    return sorted(sums.items(), key=lambda pair: (-pair[1].exchanges, pair[0]))
