"""The form of a registration: its steps and fields, and how they become a submission and show one.

A field's name is the JSON pointer of what it fills in, with dots: `organisation.name`,
`availability.0.first_day`. So what an API says about a pointer is said beside the field. What is typed
wrong is kept as it was typed, for the API to judge and the form to show again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, auto
from hashlib import sha256
from typing import Any, Final

Fields = Mapping[str, Sequence[str]]
"""What a form sent: the values of each of its fields."""
Content = dict[str, Any]
"""A submission, or as much of it as is filled in, right or wrong."""


class Sort(Enum):
    """How a field is filled in."""

    TEXT = auto()
    WHOLE = auto()
    """A whole number."""
    DECIMAL = auto()
    FLAG = auto()
    """Ticked or not."""
    YES_NO = auto()
    """Yes, no, or not said."""
    CHOICES = auto()
    """Any of several."""
    WORDS = auto()
    """Topics, one a line or with commas between."""
    DAY = auto()
    """As a field for days sends and takes it: ISO 8601."""
    REGISTRATION = auto()
    """A registration's id, or the address of its page."""


@dataclass(frozen=True)
class Field:
    """One field, or in a row that can be repeated the last part of one."""

    name: str
    sort: Sort = Sort.TEXT
    required: bool = False


@dataclass(frozen=True)
class Rows:
    """Fields that can be filled in several times; a row with nothing in it is none."""

    name: str
    columns: tuple[Field, ...]
    most: int
    required: bool = False
    """One row at least."""


@dataclass(frozen=True)
class Step:
    """A part of the form that is filled in and saved at once."""

    name: str
    fields: tuple[Field, ...]
    rows: tuple[Rows, ...] = ()

    @property
    def required(self) -> frozenset[str]:
        """What has to be filled in; a row only has to be where it is begun."""
        of_rows = {f"{rows.name}.{one.name}" for rows in self.rows for one in rows.columns if one.required}
        return frozenset({one.name for one in self._parts if one.required} | of_rows)

    @property
    def names(self) -> tuple[str, ...]:
        """All that is filled in here, repeated rows by their common name."""
        return tuple(one.name for one in self._parts)

    @property
    def _parts(self) -> tuple[Field | Rows, ...]:
        return (*self.fields, *self.rows)


_DAYS: Final = (Field("first_day", Sort.DAY, required=True), Field("last_day", Sort.DAY, required=True))

STEPS: Final = (
    Step(
        "who",
        (
            Field("organisation.name", required=True),
            Field("organisation.kind", required=True),
            Field("organisation.website"),
            Field("organisation.vat"),
            Field("organisation.euid"),
            Field("organisation.pic"),
        ),
        (
            Rows(
                "organisation.memberships",
                (Field("name", required=True), Field("kind"), Field("on_eccp", Sort.FLAG)),
                20,
            ),
        ),
    ),
    Step(
        "where",
        (
            Field("organisation.country", required=True),
            Field("organisation.city", required=True),
            Field("organisation.postcode"),
            Field("organisation.street"),
            Field("organisation.region"),
            Field("organisation.also_registered_in", Sort.CHOICES),
            Field("organisation.lat", Sort.DECIMAL),
            Field("organisation.lon", Sort.DECIMAL),
            Field("participant.based_in"),
            Field("participant.third_country_national", Sort.FLAG),
            Field("participant.residence_days", Sort.WHOLE),
            Field("participant.residence_permit", Sort.YES_NO),
            Field("participant.business_in_scheme", Sort.YES_NO),
        ),
    ),
    Step(
        "what",
        (
            Field("roles", Sort.CHOICES, required=True),
            Field("goals", Sort.CHOICES, required=True),
            Field("ecosystems", Sort.CHOICES, required=True),
            Field("needs", Sort.WORDS),
            Field("offers", Sort.WORDS),
            Field("motivation"),
            Field("host_places", Sort.WHOLE),
        ),
    ),
    Step(
        "when",
        (Field("preferences.working_days", Sort.WHOLE), Field("preferences.countries", Sort.CHOICES)),
        (
            Rows("availability", _DAYS, 12, required=True),
            Rows(
                "pre_agreed",
                (Field("registration_id", Sort.REGISTRATION, required=True), Field("reference"), *_DAYS),
                20,
            ),
        ),
    ),
    Step(
        "how",
        (
            Field("participant.email", required=True),
            Field("participant.language"),
            Field("languages", Sort.CHOICES, required=True),
            Field("partnership"),
        ),
    ),
)
"""In the order in which they are asked; what comes after them is the look at all of it."""

_ROW_DEFAULTS: Final = {"organisation.memberships": {"kind": "cluster"}}
"""What a row says before anybody fills it in: with no more than that, it is empty."""
_STEP_OF: Final = {name: step for step in STEPS for name in step.names}


def step_named(name: str) -> Step | None:
    """The step of that name."""
    return next((step for step in STEPS if step.name == name), None)


def filled_in(content: Content, step: Step, fields: Fields) -> Content:
    """The content with what was filled in at this step in the place of what it said there."""
    after = deepcopy(content)
    for one in step.fields:
        values = fields.get(one.name, ())
        if one.sort is not Sort.WORDS or "\n".join(_lines(values)) != _shown(
            one.sort, _at(content, one.name)
        ):
            # Topics that were not touched stay whole: one of another system may have a comma in it.
            _put(after, one.name.split("."), _read(one.sort, values))
    for rows in step.rows:
        _put(after, rows.name.split("."), _read_rows(rows, fields))
    return after


def values_of(content: Content, step: Step) -> dict[str, Any]:
    """What the fields of this step show: text, a list of chosen values, or a list of rows, by name."""
    shown: dict[str, Any] = {one.name: _shown(one.sort, _at(content, one.name)) for one in step.fields}
    for rows in step.rows:
        held = _at(content, rows.name)
        shown[rows.name] = [
            {column.name: _shown(column.sort, row.get(column.name)) for column in rows.columns}
            for row in (held if isinstance(held, list) else [])
            if isinstance(row, dict)
        ]
    return shown


def fingerprint(content: Content, step: Step) -> str:
    """Of what a step says: another one means that somebody saved other things there."""
    return sha256(json.dumps(values_of(content, step), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Faults:
    """What an API found wrong, where the reader looks for it."""

    beside: dict[str, list[str]] = field(default_factory=dict)
    """By the name of the field."""
    others: list[str] = field(default_factory=list)
    """What belongs to no field of the step."""

    def __bool__(self) -> bool:
        return bool(self.beside or self.others)

    @property
    def errors(self) -> dict[str, str]:
        """One text for each field, by "/" and its name: what the macros of fields look for."""
        return {f"/{name}": " ".join(texts) for name, texts in self.beside.items()}


def faults_of(problems: Iterable[Mapping[str, Any]], content: Content, step: Step | None = None) -> Faults:
    """Problems by JSON pointer, as faults beside the fields of one step, or of all."""
    faults = Faults()
    for problem in problems:
        pointer, said = str(problem.get("pointer", "")), str(problem.get("detail", ""))
        name, owner = field_of(pointer, said)
        detail = in_plain_words(said)
        if owner is None:
            if step is None or not pointer:
                faults.others.append(detail)
        elif step is None or owner is step:
            item = _at(content, pointer[1:].replace("/", "."))
            several = name in owner.names and pointer.count("/") > name.count(".") + 1
            text = f"“{item}”: {detail}" if several and isinstance(item, str) else detail
            faults.beside.setdefault(name, []).append(text)
    return faults


def field_of(pointer: str, detail: str = "") -> tuple[str, Step | None]:
    """The name of the field that a JSON pointer is about, and the step it is in.

    An item of a field of several is of that field. A part of the form as a whole, such as
    `/organisation`, is of the field in it that the detail names, else of the first that has to be
    filled in; what is in no step has none.
    """
    parts = pointer.split("/")[1:]
    for end in range(len(parts), 0, -1):
        name = ".".join(parts[:end])
        if (step := _STEP_OF.get(name)) is None:
            continue
        row = next((rows for rows in step.rows if rows.name == name), None)
        if row is None or len(parts) == end:
            return name, step
        known = any(column.name == parts[-1] for column in row.columns)
        return ".".join(parts if known else [*parts[: end + 1], row.columns[0].name]), step
    inside = [name for name in _STEP_OF if parts and name.startswith(".".join(parts) + ".")]
    named = [name for name in inside if re.search(rf"\b{name.rsplit('.', 1)[-1]}\b", detail)]
    needed = [name for name in inside if name in _STEP_OF[name].required]
    found = next(iter((*named, *needed, *inside)), "")
    return found, _STEP_OF.get(found)


def steps_lacking(problems: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The fields with something wrong, by the name of their step, in the order of the form."""
    found: dict[str, list[str]] = {step.name: [] for step in STEPS}
    for problem in problems:
        name, step = field_of(str(problem.get("pointer", "")), str(problem.get("detail", "")))
        if step is not None and name not in found[step.name]:
            found[step.name].append(name)
    return {step: names for step, names in found.items() if names}


def column_of(name: str) -> str:
    """A field's name without the numbers of rows: `availability.first_day`; what its label goes by."""
    return re.sub(r"\.\d+(?=\.|$)", "", name)


_SPOKEN: Final = {
    "first_day": "the first day",
    "last_day": "the last day",
    "lat": "the latitude",
    "lon": "the longitude",
}
_PREDICATE: Final = re.compile(r"(is|are|must|needs|can|has|holds|says|goes)\b")


def in_plain_words(detail: str) -> str:
    """What an API says of a field as a sentence that stands beside it."""
    if detail in ("is missing", "is empty"):
        return "Please fill this in."
    if detail == "needs at least 1 item, and has 0":
        return "Please choose at least one."
    detail = re.sub(rf"\b({'|'.join(_SPOKEN)})\b", lambda name: _SPOKEN[name[0]], detail)
    text = f"This {detail}" if _PREDICATE.match(detail) else detail[:1].upper() + detail[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _read(sort: Sort, values: Sequence[str]) -> Any:
    if sort is Sort.CHOICES:
        return list(values)
    if sort is Sort.FLAG:
        return bool(values)
    if sort is Sort.WORDS:
        return [word for line in _lines(values) for part in re.split("[,;]", line) if (word := part.strip())]
    text = values[0].strip() if values else ""
    if not text:
        return None
    if sort is Sort.WHOLE and re.fullmatch(r"-?\d{1,9}", text):
        return int(text)
    if sort is Sort.DECIMAL and re.fullmatch(r"-?\d{1,3}([.,]\d{1,12})?", text):
        return float(text.replace(",", "."))
    if sort is Sort.YES_NO:
        return {"yes": True, "no": False}.get(text)
    if sort is Sort.REGISTRATION:
        return text.split("?")[0].split("#")[0].rstrip("/").rsplit("/", 1)[-1]
    return text


def _lines(values: Sequence[str]) -> list[str]:
    return [line.strip() for value in values for line in value.splitlines() if line.strip()]


def _read_rows(rows: Rows, fields: Fields) -> list[Content]:
    of_a_row = re.compile(rf"{re.escape(rows.name)}\.(\d{{1,3}})\.")
    numbers = sorted({int(found[1]) for name in fields if (found := of_a_row.match(name))})
    empty = _ROW_DEFAULTS.get(rows.name, {})
    read = []
    for number in numbers[: rows.most + 1]:
        row = {
            column.name: value
            for column in rows.columns
            if (value := _read(column.sort, fields.get(f"{rows.name}.{number}.{column.name}", ())))
            is not None
        }
        if any(value and value != empty.get(name) for name, value in row.items()):
            read.append(row)
    return read


def _shown(sort: Sort, value: Any) -> Any:
    if sort is Sort.CHOICES:
        return [str(one) for one in value] if isinstance(value, list) else []
    if sort is Sort.FLAG:
        return value is True
    if sort is Sort.WORDS:
        return "\n".join(str(one) for one in value) if isinstance(value, list) else ""
    if sort is Sort.YES_NO:
        return {True: "yes", False: "no"}.get(value, "") if isinstance(value, bool) else ""
    if sort is Sort.DAY:
        return value if isinstance(value, str) and _is_day(value) else ""
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2027-02-08")


def _at(content: Any, name: str) -> Any:
    for part in name.split("."):
        if isinstance(content, dict):
            content = content.get(part)
        elif isinstance(content, list) and part.isdecimal() and int(part) < len(content):
            content = content[int(part)]
        else:
            return None
    return content


def _put(content: Content, path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        inside = content.get(part)
        if not isinstance(inside, dict):
            inside = content[part] = {}
        content = inside
    if value is None:
        content.pop(path[-1], None)
    else:
        content[path[-1]] = value
