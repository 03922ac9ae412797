"""What a forecast assumes as long as a partnership has little past: entries on file, in force from a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from shared.contracts.envelope import StrictContract
from shared.dated import in_force

LONGEST: Final = 730
"""Days any step may take."""

Weight = Annotated[float, Field(gt=0, le=1000)]


class Share(StrictContract):
    """A share of cases, worth as much as `weight` finished ones."""

    share: Annotated[float, Field(gt=0, lt=1)]
    weight: Weight


class Spread(StrictContract):
    """Days something takes: log-normal, by its median and what nine in ten stay below."""

    median: Annotated[float, Field(gt=0, le=LONGEST)]
    nine_in_ten: Annotated[float, Field(gt=0, le=LONGEST)]
    weight: Weight

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.nine_in_ten <= self.median:
            raise ValueError(f"nine_in_ten ({self.nine_in_ten}) must be more than the median ({self.median})")
        return self


class StepAssumption(StrictContract):
    """One step on the way to the money."""

    source: str
    goes_on: Share
    days: Spread


class LeadAssumption(StrictContract):
    """From a reservation to the last day of its stay."""

    source: str
    days: Spread


class AmountAssumption(StrictContract):
    """What an exchange costs, by the rate table."""

    source: str
    halved_share: Annotated[float, Field(ge=0, le=1)]
    weight: Weight


class Assumptions(StrictContract):
    """What a forecast starts from, in force from a day until the next entry begins."""

    name: str
    in_force_from: date
    source: str
    agreement: StepAssumption
    report: StepAssumption
    evidence: StepAssumption
    payment: StepAssumption
    lead: LeadAssumption
    amount: AmountAssumption


def assumptions_on(entries: Iterable[Assumptions], day: date) -> Assumptions:
    """Those in force on the day; the earliest where the day lies before all of them."""
    known = sorted(entries, key=lambda entry: entry.in_force_from)
    return in_force(known, day, begins=lambda entry: entry.in_force_from) or known[0]
