"""What would be paid for a stay: the calculation alone, nothing is stored and no server is needed."""

from __future__ import annotations

from services.funding.domain.lump_sum import LumpSum, Policies, lump_sum
from services.funding.domain.stay import Stay
from services.funding.rules_on_file import policies_in


def preview_lump_sum(stay: Stay, policies: Policies | None = None) -> LumpSum:
    """The lump sum by the rules and rates on file; raises `AgreedAmountOverRate`."""
    return lump_sum(stay, policies or policies_in())
