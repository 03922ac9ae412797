"""Funding's contracts: the lump sum of an approved match and its hold on the budget."""

from __future__ import annotations

from decimal import Decimal

from shared.contracts.common import Party, Receipt, Window
from shared.contracts.envelope import Event
from shared.contracts.types import EventType


class GrantEvent(Event):
    """What every event of a grant carries; `partnership` manages the visitor and pays."""

    grant_id: str
    match_id: str
    partnership: str
    visitor: Party
    host: Party
    stay: Window


class GrantReserved(GrantEvent):
    """The lump sum is computed and set aside in the partnership's budget; `amount` in EUR."""

    TYPE = EventType.GRANT_RESERVED

    amount: Decimal
    receipt: Receipt


class GrantAwaitingBudget(GrantEvent):
    """The lump sum is computed, the budget is short; it goes on by itself when money is freed."""

    TYPE = EventType.GRANT_AWAITING_BUDGET

    amount: Decimal
    receipt: Receipt


class GrantNeedsReview(GrantEvent):
    """The lump sum cannot be computed without a person; the receipt says what is missing."""

    TYPE = EventType.GRANT_NEEDS_REVIEW

    receipt: Receipt


class GrantRefused(GrantEvent):
    """The scheme pays nothing for this stay; the receipt says why."""

    TYPE = EventType.GRANT_REFUSED

    receipt: Receipt


class GrantCancelled(GrantEvent):
    """The match ended; what was reserved is free again (`freed`, EUR)."""

    TYPE = EventType.GRANT_CANCELLED

    freed: Decimal
    reason: str
