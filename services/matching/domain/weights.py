"""The weights of a fit: dated, each with its source; what counts is the set in force on the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.dated import in_force

Component = Literal["ecosystems", "topics", "goals", "languages", "countries", "length", "distance"]
COMPONENTS: Final[tuple[Component, ...]] = get_args(Component)


class Weight(BaseModel):
    """The most points a component can earn, and who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    points: Annotated[int, Field(ge=0, le=100)]
    source: Annotated[str, Field(min_length=1)]


class Weights(BaseModel):
    """One dated set of weights; the points add up to 100."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule_set: str
    in_force_from: date
    ecosystems: Weight
    topics: Weight
    goals: Weight
    languages: Weight
    countries: Weight
    length: Weight
    distance: Weight
    topics_enough: Annotated[int, Field(ge=1, le=10)]
    usual_working_days: Annotated[int, Field(ge=3, le=23)]
    full_lump_sum_km: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _add_up_to_100(self) -> Self:
        total = sum(self.of(component).points for component in COMPONENTS)
        if total != 100:
            raise ValueError(f"the points of {self.rule_set} add up to {total}, not 100")
        return self

    def of(self, component: Component) -> Weight:
        """The weight of one component."""
        weight: Weight = getattr(self, component)
        return weight


class WeightHistory:
    """All sets of weights ever in force."""

    def __init__(self, sets: Sequence[Weights]) -> None:
        if not sets:
            raise ValueError("there are no weights")
        self._sets = sorted(sets, key=lambda weights: weights.in_force_from)

    def on(self, day: date) -> Weights:
        """The set in force on that day; before the first one began, the first."""
        begun = in_force(reversed(self._sets), day, begins=lambda weights: weights.in_force_from)
        return begun or self._sets[0]
