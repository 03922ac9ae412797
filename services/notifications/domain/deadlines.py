"""The table of the deadlines that are reminded of: what sets them, when and whom to remind, what ends it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from types import NoneType
from typing import Annotated, Any, Final, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model, model_validator

from services.notifications.domain.rules import Condition, Rule, holds
from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.envelope import Event

ZONE: Final = ZoneInfo("Europe/Brussels")
"""Days of the scheme begin and end there; the wishes of each recipient still decide when a mail goes out."""
MORNING: Final = time(8)
LATE: Final = timedelta(days=2)
"""Nobody is reminded later than this, after the moment for it has come and the deadline is over."""
ASKED: Final = "asked"
"""In place of a field: the day on which the event happened."""
_OF_THE_DEADLINE: Final = {"deadline", "over"}
_DAYS_FROM: Final = re.compile(r"(?P<field>[a-z_.]+)(?: (?P<days>[+-] \d{1,3}) days?)?")

Expression = Annotated[str, StringConstraints(pattern=rf"^{_DAYS_FROM.pattern}$")]
Days = Annotated[list[Annotated[int, Field(ge=1, le=365)]], Field(max_length=5)]


class Ask(BaseModel):
    """An event that asks for something: by a field of it, or so many days from one, or after the event."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Expression
    when: dict[str, Condition] = Field(default_factory=dict)

    def deadline(self, event: Event, at: datetime) -> date | None:
        """The last day; None where the event names none."""
        field, days = self.parts
        value: Any = at.astimezone(ZONE).date()
        if field != ASKED:
            value = event
            for name in field.split("."):
                value = getattr(value, name)
        return value + timedelta(days=days) if isinstance(value, date) else None

    @property
    def parts(self) -> tuple[str, int]:
        """The field, and how many days after it, or before it where they are less than none."""
        parts = _DAYS_FROM.fullmatch(self.by)
        assert parts is not None
        return parts["field"], int((parts["days"] or "0").replace(" ", ""))


class End(BaseModel):
    """An event after which nothing is to be done any more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: dict[str, Condition] = Field(default_factory=dict)


class Deadline(BaseModel):
    """One deadline: `asks` and `ends` by event type, and what is said `before` and `after`, in days."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    """What there is to do, after "next: "."""
    tells: str
    """The contract whose fields are kept of the event that asks, and are known to the words."""
    link: str
    """Where messages lead, of the links of the rule table."""
    asks: Annotated[dict[str, Ask], Field(min_length=1)]
    ends: Annotated[dict[str, End], Field(min_length=1)]
    before: Days
    after: Days = Field(default_factory=list)
    rules: Annotated[list[Rule], Field(min_length=1)]
    why: str

    @cached_property
    def told_as(self) -> type[Event]:
        """What a reminder's words are made of: the contract it tells, with the deadline."""
        return with_deadline(EVENT_MODELS[self.tells])

    def told(self, event: Event, by: date) -> Event:
        """The event as a reminder before the deadline tells it."""
        model = self.told_as
        kept = {name: getattr(event, name) for name in model.model_fields if name not in _OF_THE_DEADLINE}
        return model.model_construct(**kept, deadline=by, over=False)

    def facts_of(self, told: Event) -> str:
        """What is kept of it, as JSON."""
        return told.__pydantic_serializer__.to_json(
            told, exclude=_OF_THE_DEADLINE, exclude_none=True
        ).decode()

    def told_again(self, facts: str, by: date, *, over: bool) -> Event:
        """The same, from what was kept."""
        return self.told_as.model_validate({**json.loads(facts), "deadline": by, "over": over})

    def asked_by(self, event: Event) -> Ask | None:
        """How this event asks for it, if it does."""
        ask = self.asks.get(event.TYPE)
        return ask if ask is not None and _applies(ask.when, event) else None

    def ended_by(self, event: Event) -> bool:
        """Whether there is nothing to do after this event."""
        end = self.ends.get(event.TYPE)
        return end is not None and _applies(end.when, event)

    @cached_property
    def _offsets(self) -> list[int]:
        return [*sorted(-days for days in self.before), *sorted(self.after)]

    def moments(self, deadline: date) -> list[datetime]:
        """When there is something to be said, in UTC: on those days in the morning."""
        return [_morning_of(deadline + timedelta(days=offset)) for offset in self._offsets]


def _applies(when: Mapping[str, Condition], event: Event) -> bool:
    return all(holds(condition, getattr(event, field)) for field, condition in when.items())


@lru_cache(4096)
def _morning_of(day: date) -> datetime:
    return datetime.combine(day, MORNING, ZONE).astimezone(UTC)


def end_of(deadline: date) -> datetime:
    """When the day is over."""
    return datetime.combine(deadline + timedelta(days=1), time.min, ZONE)


def is_over(deadline: date, at: datetime) -> bool:
    """Whether it is."""
    return at >= end_of(deadline)


def is_too_late(moment: datetime, deadline: date, at: datetime) -> bool:
    """Whether what was to be said at that moment helps nobody any more."""
    return at - max(moment, end_of(deadline)) > LATE


class DeadlineTable(BaseModel):
    """All deadlines by name, and the event types whose days somebody else reminds of, or nobody, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    deadlines: dict[str, Deadline]
    elsewhere: dict[str, str]

    @model_validator(mode="after")
    def _in_one_place(self) -> Self:
        own = {wire_type for one in self.deadlines.values() for wire_type in one.asks}
        if both := own & self.elsewhere.keys():
            raise ValueError(f"reminded of here and elsewhere: {', '.join(sorted(both))}")
        return self

    @cached_property
    def by_type(self) -> dict[str, list[tuple[str, Deadline]]]:
        """The deadlines that an event type sets, moves or ends, with their names."""
        found: dict[str, list[tuple[str, Deadline]]] = {}
        for name, deadline in self.deadlines.items():
            for wire_type in deadline.asks | deadline.ends:
                found.setdefault(wire_type, []).append((name, deadline))
        return found

    def templates(self) -> set[str]:
        """The names of all templates the table uses."""
        return {rule.template for one in self.deadlines.values() for rule in one.rules}

    def problems(
        self, events: Mapping[str, type[Event]], templates: Iterable[str], links: Iterable[str]
    ) -> list[str]:
        """What does not fit the contracts, templates and links there are; empty when all is well.

        An event with a day in it that is in neither part of the table is among them.
        """
        found = [f"template {name} does not exist" for name in sorted(self.templates() - set(templates))]
        found += [f"{wire_type} is no contract" for wire_type in sorted(self.elsewhere.keys() - events)]
        decided = self.elsewhere.keys() | {one for each in self.deadlines.values() for one in each.asks}
        found += [
            f"{wire_type} names a day, and nothing says who reminds of it"
            for wire_type, model in sorted(events.items())
            if wire_type not in decided and any(is_day(model, name) for name in model.model_fields)
        ]
        for name, deadline in self.deadlines.items():
            if deadline.link not in set(links):
                found.append(f"{name}: there is no link {deadline.link}")
            found += [f"{name}: {problem}" for problem in _problems_of(deadline, events)]
        return found


def _problems_of(deadline: Deadline, events: Mapping[str, type[Event]]) -> Iterable[str]:
    unknown = {deadline.tells, *deadline.asks, *deadline.ends} - events.keys()
    if unknown:
        yield f"{', '.join(sorted(unknown))} is no contract"
        return
    needed = {name for name, field in events[deadline.tells].model_fields.items() if field.is_required()}
    for wire_type, ask in deadline.asks.items():
        fields = events[wire_type].model_fields.keys()
        if missing := needed - fields:
            yield f"{wire_type} has no {', '.join(sorted(missing))}, which {deadline.tells} has"
        field, _ = ask.parts
        if field != ASKED and not is_day(events[wire_type], field):
            yield f"{wire_type} has no day {field}"
    conditions = [(wire_type, ask.when) for wire_type, ask in deadline.asks.items()]
    conditions += [(wire_type, end.when) for wire_type, end in deadline.ends.items()]
    for wire_type, when in conditions:
        for unknown_field in sorted(when.keys() - events[wire_type].model_fields.keys()):
            yield f"{wire_type} has no field {unknown_field}"
    told = with_deadline(events[deadline.tells]).model_fields.keys()
    for rule in deadline.rules:
        for unknown_field in sorted(rule.when.keys() - told):
            yield f"{deadline.tells} has no field {unknown_field}"


def is_day(model: type[BaseModel], path: str) -> bool:
    """Whether this field of the contract, dotted for one within another, is a day, or may be one."""
    kinds: set[Any] = {model}
    for name in path.split("."):
        [*holders] = (one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel))
        if not holders or name not in holders[0].model_fields:
            return False
        annotation = holders[0].model_fields[name].annotation
        kinds = set(get_args(annotation) or (annotation,)) - {NoneType}
    return kinds == {date}


def with_deadline(model: type[Event]) -> type[Event]:
    """The contract with what words about a deadline know besides: the day, and whether it is over."""
    return create_model(f"{model.__name__}Due", __base__=model, deadline=(date, ...), over=(bool, ...))
