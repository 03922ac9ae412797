"""The weights of a fit: dated, each with its source; what counts is the set in force on the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.dated import in_force

Component = Literal[
    "ecosystems",
    "topics",
    "texts",
    "goals",
    "languages",
    "countries",
    "length",
    "distance",
    "lump_sum",
    "waiting",
]
COMPONENTS: Final[tuple[Component, ...]] = get_args(Component)


class Weight(BaseModel):
    """The most points a component can earn, and who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    points: Annotated[int, Field(ge=0, le=100)]
    source: Annotated[str, Field(min_length=1)]


_NOT_COUNTED: Final = Weight(points=0, source="This rule set does not count it.")


class Weights(BaseModel):
    """One dated set of weights; the points add up to 100. A component it does not name earns nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule_set: str
    in_force_from: date
    ecosystems: Weight
    topics: Weight
    goals: Weight
    languages: Weight
    countries: Weight
    length: Weight
    texts: Weight = _NOT_COUNTED
    distance: Weight = _NOT_COUNTED
    lump_sum: Weight = _NOT_COUNTED
    waiting: Weight = _NOT_COUNTED
    topics_enough: Annotated[int, Field(ge=1, le=10)]
    usual_working_days: Annotated[int, Field(ge=3, le=23)]
    full_lump_sum_km: Annotated[float, Field(gt=0)]
    full_lump_sum_days: Annotated[int, Field(ge=3, le=23)] = 5
    texts_alike_from: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """The likeness of two texts at which they begin to earn points."""
    texts_alike_enough: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The likeness that earns all of them."""
    waiting_enough: Annotated[int, Field(ge=1, le=1000)] = 90
    """Days of waiting that earn all points of the component."""

    @model_validator(mode="after")
    def _add_up_to_100(self) -> Self:
        total = sum(self.of(component).points for component in COMPONENTS)
        if total != 100:
            raise ValueError(f"the points of {self.rule_set} add up to {total}, not 100")
        if self.texts_alike_from >= self.texts_alike_enough:
            raise ValueError(f"texts_alike_from of {self.rule_set} is not below texts_alike_enough")
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
