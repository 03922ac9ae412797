"""What makes the difference between two lump sums of one stay, in words."""

from __future__ import annotations

from services.funding.domain.lump_sum import HalvedBecause, LumpSum, Outcome

_HALVED: dict[HalvedBecause, str] = {
    HalvedBecause.FEW_WORKING_DAYS: "too few working days for the full rate",
    HalvedBecause.SHORT_DISTANCE: "too short a distance for the full rate",
}


def explain_difference(before: LumpSum | None, after: LumpSum) -> str:
    """One or two sentences: by how much the amount changed, and which facts changed it."""
    if after.outcome is not Outcome.PAYABLE or after.amount is None:
        return after.receipt.sentence
    if before is None or before.amount is None or before.outcome is not Outcome.PAYABLE:
        return f"EUR {after.amount:.2f}, where no amount was certain or due before."
    by = after.amount - before.amount
    if by:
        said = f"EUR {after.amount:.2f} instead of EUR {before.amount:.2f}, EUR {abs(by):.2f} "
        said += "more" if by > 0 else "less"
    else:
        said = f"EUR {after.amount:.2f} as before"
    facts = _changed_facts(before, after)
    if facts:
        return f"{said}: {'; '.join(facts)}."
    return f"{said}; all that it is computed from is the same." if not by else f"{said}: settled by a person."


def _changed_facts(before: LumpSum, after: LumpSum) -> list[str]:
    facts = []
    if after.working_days != before.working_days:
        facts.append(f"{after.working_days} working days instead of {before.working_days}")
    if after.distance_km != before.distance_km:
        facts.append(f"{_km(after.distance_km)} between the two places instead of {_km(before.distance_km)}")
    for key, what in (("full_rate", "a full rate"), ("agreed_amount", "an agreed amount")):
        old, new = _fact(before, key), _fact(after, key)
        if old != new:
            facts.append(f"{what} of {_euros(new)} instead of {_euros(old)}")
    for halved, words in _HALVED.items():
        if (halved in after.halved_because) is not (halved in before.halved_because):
            facts.append(words if halved in after.halved_because else f"no longer {words}")
    return facts


def _fact(lump_sum: LumpSum, key: str) -> object:
    facts = lump_sum.receipt.facts
    return facts.get(key) or facts.get("stay", {}).get(key)


def _euros(amount: object) -> str:
    return f"EUR {amount}" if amount else "none"


def _km(distance: float | None) -> str:
    return "an unknown distance" if distance is None else f"{distance:,.1f} km"
