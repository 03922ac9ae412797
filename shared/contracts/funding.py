"""Funding's contracts: the lump sum of an approved match and its hold on the budget."""

from __future__ import annotations

from shared.contracts.common import Euros, Party, Receipt, Window
from shared.contracts.envelope import Event
from shared.contracts.types import EventType


class GrantEvent(Event):
    """What every event of a grant carries."""

    grant_id: str
    """The id of the grant."""
    match_id: str
    """The match it is for."""
    partnership: str
    """The one that manages the visitor, and pays."""
    visitor: Party
    """Who travels and is paid."""
    host: Party
    """Who receives the visitor; its country sets the rate."""
    stay: Window
    """The planned days at the host."""


class GrantReserved(GrantEvent):
    """The lump sum is computed and set aside in the partnership's budget."""

    TYPE = EventType.GRANT_RESERVED

    amount: Euros
    """The lump sum in EUR."""
    receipt: Receipt
    """How it was computed."""


class GrantAwaitingBudget(GrantEvent):
    """The lump sum is computed, the budget is short; it goes on by itself when money is freed."""

    TYPE = EventType.GRANT_AWAITING_BUDGET

    amount: Euros
    """The lump sum in EUR."""
    receipt: Receipt
    """How it was computed."""


class GrantNeedsReview(GrantEvent):
    """The lump sum cannot be computed without a person; the receipt says what is missing."""

    TYPE = EventType.GRANT_NEEDS_REVIEW

    receipt: Receipt
    """What is known, and what is missing."""


class GrantRefused(GrantEvent):
    """The scheme pays nothing for this stay; the receipt says why."""

    TYPE = EventType.GRANT_REFUSED

    receipt: Receipt
    """Which rule forbids it."""


class GrantCancelled(GrantEvent):
    """The match ended; what was reserved is free again."""

    TYPE = EventType.GRANT_CANCELLED

    freed: Euros
    """What goes back to the budget, in EUR; 0 where nothing was reserved."""
    reason: str
    """Why the match ended, in plain words."""
