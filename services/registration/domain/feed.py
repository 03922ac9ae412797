"""The feed's own entry: what it says where events were lost before they could be numbered."""

from __future__ import annotations

from typing import Final

from shared.contracts.envelope import Contract

GAP: Final = "cxc.feed.gap.v1"
"""The type of the feed's own entry about what it cannot show; on no topic."""


class FeedGap(Contract):
    """Events were gone from their topic before the feed had read them: their numbers are missing here.

    Whoever needs them asks the APIs for the present state of their cases.
    """

    topic: str
    """The topic that lost them."""
    partition: int
    """The partition of it."""
    first_offset: int
    """The offset of the first event that the feed did not see."""
    next_offset: int
    """The offset at which it goes on; not beyond the first where the topic was made anew."""
