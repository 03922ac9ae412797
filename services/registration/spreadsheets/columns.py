"""The columns of a spreadsheet of registrations, and what a row of them says.

The columns follow from `Submission`, so that a spreadsheet can say what the API can, and no more.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from services.registration.spreadsheets.cells import Cell, Faulty, Unreadable, as_text, is_empty
from shared.contracts.registration import (
    Availability,
    ClusterMembership,
    PreAgreedPartner,
    Submission,
)
from shared.contracts.vocabulary import Country, Language
from shared.problems import field_problems

MAX_KEY: Final = 200
"""Characters of a key: a `Reference` has no more."""


@dataclass(frozen=True)
class Form:
    """How one kind of value is written in a cell.

    expected: says so to people. read: the value as `Submission` takes it; raises `ValueError` with
    what is wrong. write: the cell for a value of a submission.
    """

    expected: str
    read: Callable[[Cell], Any]
    write: Callable[[Any], Cell]


@dataclass(frozen=True)
class Column:
    """One column: its name, the field of `Submission` it is, and what may stand in it."""

    name: str
    path: tuple[str, ...]
    required: bool
    meaning: str
    form: Form
    values: tuple[str, ...] = ()

    @property
    def explanation(self) -> str:
        """One line for the template."""
        said = f"{self.meaning} {self.form.expected}"
        listed = f" One of: {', '.join(self.values)}." if self.values else ""
        return ("Required. " if self.required else "") + said.strip() + listed


# ── forms ────────────────────────────────────────────────────────────────────────────────────

_SHORTENED: Final = re.compile(r"\d+(?:[.,]\d+)?E\+?\d+", re.IGNORECASE)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_YES: Final = {"yes", "y", "true", "1"}
_NO: Final = {"no", "n", "false", "0"}


def _read_text(cell: Cell) -> str:
    match cell:
        case Faulty(why=why):
            raise ValueError(why)
        case datetime():
            raise ValueError(
                f"the spreadsheet program has made a date of it ({as_text(cell)}); format the column as text "
                "and write it again"
            )
        case bool():
            raise ValueError("holds TRUE or FALSE; write a text")
        case float() if abs(cell) >= 1e15:
            raise ValueError(
                "is a number of more than 15 digits, of which the spreadsheet program keeps no more; format "
                "the column as text and write it again"
            )
        case _:
            return as_text(cell)


def _read_code(cell: Cell) -> str:
    """A text of digits that programs like to take for a number."""
    text = _read_text(cell)
    if _SHORTENED.fullmatch(text.strip()):
        raise ValueError(
            f"the spreadsheet program has shortened it to {text.strip()}; format the column as text and "
            "write it again"
        )
    whole = re.fullmatch(r"\s*(\d+)\.0+\s*", text)
    return whole[1] if whole else text


def _read_name(cell: Cell) -> str:
    """A word of a list of words, however it is capitalised and spaced."""
    return _normal(_read_text(cell))


def _read_number(cell: Cell) -> Any:
    match cell:
        case bool() | datetime() | Faulty():
            return _read_text(cell)
        case str():
            text = cell.strip()
            # A comma can only be a decimal one: no number here reaches a thousand and has decimals.
            return text.replace(",", ".") if re.fullmatch(r"[+-]?\d{1,3},\d+", text) else text
        case _:
            return cell


def _read_yes_or_no(cell: Cell) -> bool:
    if isinstance(cell, bool):
        return cell
    said = _read_text(cell).strip().lower()
    if said in _YES | _NO:
        return said in _YES
    raise ValueError(f"'{said}' is neither yes nor no")


def _read_day(cell: Cell) -> str:
    if isinstance(cell, datetime):
        said = as_text(cell)
    elif isinstance(cell, (int, float)):
        raise ValueError(f"{as_text(cell)} is a number, not a day")
    else:
        said = _read_text(cell).strip()
    if not _DAY.fullmatch(said):
        raise ValueError(f"'{said}' is not a day with its year first")
    return said


def _read_window(text: str) -> dict[str, str]:
    days = [part.strip() for part in text.split("/")]
    if len(days) != 2 or not all(_DAY.fullmatch(day) for day in days):
        raise ValueError(f"'{text.strip()}' is not two days, first and last")
    return {"first_day": days[0], "last_day": days[1]}


def _write_window(window: Availability) -> str:
    return f"{window.first_day}/{window.last_day}"


def _read_membership(text: str) -> dict[str, Any]:
    name, *rest = _split(text, "|")
    words = [_normal(word) for word in rest]
    if unknown := [word for word in words if word not in ("cluster", "business_network", "eccp")]:
        raise ValueError(f"'{unknown[0]}' after the name is not cluster, business_network or eccp")
    kind = "business_network" if "business_network" in words else "cluster"
    if kind != "cluster" and "cluster" in words:
        raise ValueError(f"'{_plain(name)}' is either a cluster or a business_network")
    return {"name": _plain(name), "kind": kind, "on_eccp": "eccp" in words}


def _write_membership(membership: ClusterMembership) -> str:
    words = [_escaped(membership.name), membership.kind, *(["eccp"] if membership.on_eccp else [])]
    return " | ".join(words)


def _read_partner(text: str) -> dict[str, Any]:
    named, *days = _split(text, "|")
    if len(days) != 1:
        raise ValueError(f"'{text.strip()}' does not name a partner and the days of the stay")
    if named.strip().startswith("id:"):
        partner = {"registration_id": _plain(named.strip().removeprefix("id:"))}
    else:
        partner = {"reference": _plain(named.strip().removeprefix("key:"))}
    return {**partner, **_read_window(days[0])}


def _write_partner(partner: PreAgreedPartner) -> str:
    if partner.registration_id is not None:
        named = f"id:{_escaped(partner.registration_id)}"
    else:
        reference = _escaped(partner.reference or "")
        named = f"key:{reference}" if reference.startswith(("id:", "key:")) else reference
    return f"{named} | {_write_window(partner)}"


def _as_it_is(value: Any) -> Any:
    return value


_TEXT: Final = Form("", _read_text, str)
_CODE: Final = Form("", _read_code, str)
_NAME: Final = Form("", _read_name, str)
_WHOLE: Final = Form("A whole number.", _read_number, _as_it_is)
_NUMBER: Final = Form("A number.", _read_number, _as_it_is)
_YES_OR_NO: Final = Form("Write yes or no.", _read_yes_or_no, lambda value: "yes" if value else "no")
_DAY_FORM: Final = Form("A date, or text such as 2027-01-31.", _read_day, str)
_ITEMS: Final[dict[object, tuple[str, Callable[[str], Any], Callable[[Any], str]]]] = {
    Availability: (
        "Days as 2027-01-11/2027-03-31, several separated by semicolons.",
        _read_window,
        _write_window,
    ),
    ClusterMembership: (
        "Name | cluster or business_network | eccp where it is profiled there; several separated by "
        "semicolons, such as: Sample Cluster | cluster | eccp; Sample Network | business_network.",
        _read_membership,
        _write_membership,
    ),
    PreAgreedPartner: (
        "The partner's key and the days of the stay, such as REG-2 | 2027-02-01/2027-02-05, or "
        "id:… with its registration id; several separated by semicolons.",
        _read_partner,
        _write_partner,
    ),
}


def _list_of(expected: str, read: Callable[[str], Any], write: Callable[[Any], str], separators: str) -> Form:
    def read_items(cell: Cell) -> list[Any]:
        return [read(item) for item in _split(_read_text(cell), separators) if item.strip()]

    def write_items(values: Sequence[Any]) -> str:
        return "; ".join(write(value) for value in values)

    return Form(expected, read_items, write_items)


def _split(text: str, separators: str) -> list[str]:
    """The parts between separators that have no backslash before them; escapes stay in."""
    return re.findall(rf"((?:\\.|[^{separators}])*)(?:[{separators}]|$)", text, re.DOTALL)[:-1] or [text]


def _plain(part: str) -> str:
    return re.sub(r"\\([;|\\])", r"\1", part.strip())


def _escaped(text: str) -> str:
    return re.sub(r"([;|\\])", r"\\\1", text)


def _normal(text: str) -> str:
    """Capitals, blanks, hyphens and underscores are all the same."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", "_", folded).strip("_")


# ── columns ──────────────────────────────────────────────────────────────────────────────────

_NAMES: Final[dict[tuple[str, ...], str]] = {
    ("organisation", "name"): "organisation",
    ("preferences", "countries"): "preferred_countries",
    ("preferences", "working_days"): "preferred_working_days",
}
_DIGITS: Final = {"vat", "pic", "postcode"}


def _columns_of(
    model: type[BaseModel], path: tuple[str, ...] = (), required: bool = True
) -> Iterator[Column]:
    for name, field in model.model_fields.items():
        inner = _bare(field.annotation)
        here = (*path, name)
        needed = required and field.is_required()
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _columns_of(inner, here, needed)
        else:
            form, values = _form_of(name, inner, field)
            yield Column(_NAMES.get(here, name), here, needed, field.description or "", form, values)


def _form_of(name: str, kind: Any, field: FieldInfo) -> tuple[Form, tuple[str, ...]]:
    if get_origin(kind) is list:
        item = get_args(kind)[0]
        if item in _ITEMS:
            return _list_of(*_ITEMS[item], ";"), ()
        words = _words_of(_bare(item))
        if words:
            form = _list_of("Several separated by semicolons.", lambda text: _normal(_plain(text)), str, ";,")
            return form, words
        is_code = item in (Country, Language)
        return _list_of("Several separated by semicolons.", _plain, _escaped, ";," if is_code else ";"), ()
    if words := _words_of(kind):
        return _NAME, words
    forms = {bool: _YES_OR_NO, int: _WHOLE, float: _NUMBER, str: _CODE if name in _DIGITS else _TEXT}
    if kind not in forms:
        raise TypeError(f"no form is known for '{name}', a {kind}: give it one here")
    return forms[kind], ()


def _bare(annotation: Any) -> Any:
    """The type without `Annotated` and without None."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        [one] = [kind for kind in get_args(annotation) if kind is not NoneType]
        return _bare(one)
    return annotation


def _words_of(kind: Any) -> tuple[str, ...]:
    if get_origin(kind) is Literal:
        return tuple(get_args(kind))
    return tuple(kind) if isinstance(kind, type) and issubclass(kind, StrEnum) else ()


def _key(cell: Cell) -> str:
    return _read_text(cell).strip()


KEY: Final = Column(
    "key",
    ("key",),
    True,
    "Your own name for this row; the same key later means the same registration.",
    Form("", _key, str),
)
FROM: Final = Column(
    "available_from", ("availability",), False, "Instead of availability: the first day.", _DAY_FORM
)
TO: Final = Column(
    "available_to", ("availability",), False, "Instead of availability: the last day.", _DAY_FORM
)
OF_SUBMISSION: Final = tuple(_columns_of(Submission))
COLUMNS: Final = (KEY, *OF_SUBMISSION, FROM, TO)
"""What is read, in the order in which it is written."""

READ_ONLY: Final = (
    "id",
    "reference",
    "state",
    "verdict",
    "why",
    "assigned_to",
    "submitted_at",
    "changed_at",
)
"""Columns an export has besides; an import ignores them."""
REPORTED: Final = ("row", "error")
"""Columns the report of faulty rows has before the sender's own; an import ignores them."""


# ── rows ─────────────────────────────────────────────────────────────────────────────────────


def is_explanation(cells: Sequence[Cell]) -> bool:
    """Whether this is the second row of the template, left in."""
    return any(cell == KEY.explanation for cell in cells)


def row_of(submission: Submission) -> dict[str, Cell]:
    """The cells of a submission by column, without its key."""
    row: dict[str, Cell] = {}
    for column in OF_SUBMISSION:
        value: Any = submission
        for name in column.path:
            value = getattr(value, name)
        row[column.name] = None if value is None else column.form.write(value)
    return row


@dataclass(frozen=True)
class Said:
    """What a row says: its key, and a submission, or else sentences about what is wrong with it."""

    key: str
    submission: Submission | None
    faults: tuple[str, ...] = ()


def is_reported(title: str) -> bool:
    """Whether this is a column of an earlier report."""
    return _normal(title) in REPORTED


class Layout:
    """Which column of a file is which."""

    def __init__(self, header: Sequence[str]) -> None:
        """Raises `Unreadable`, with everything that is wrong with the header."""
        known = {column.name: column for column in COLUMNS}
        ignored = {*READ_ONLY, *REPORTED}
        self._columns: dict[int, Column] = {}
        self._nameless: list[int] = []
        self._width = len(header)
        wrong: list[str] = []
        found: dict[str, str] = {}
        for index, title in enumerate(header):
            name = _normal(title)
            if not name:
                self._nameless.append(index)
            elif name in found:
                wrong.append(f"the column '{title}' is there twice; remove one")
            elif name in known:
                self._columns[index] = known[name]
            elif name not in ignored:
                wrong.append(_unknown(title, name, known))
            found.setdefault(name, title)
        if not self._columns:
            raise Unreadable(
                f"The first row must hold the names of the columns, but none of them is known: "
                f"{', '.join(repr(title[:40]) for title in header[:5])}. Start from the template."
            )
        missing = [column.name for column in COLUMNS if column.required and column.name not in found]
        if found.keys() >= {FROM.name, TO.name}:
            missing = [name for name in missing if name != "availability"]
        if missing:
            wrong.append(f"these columns are missing and needed: {', '.join(missing)}")
        if wrong:
            raise Unreadable(_sentence("; ".join(wrong)))

    def key_of(self, cells: Sequence[Cell]) -> str:
        """The row's key; empty where it has none that could be one."""
        index = next(index for index, column in self._columns.items() if column is KEY)
        try:
            return str(KEY.form.read(cells[index])) if index < len(cells) else ""
        except ValueError:
            return ""

    def understand(self, cells: Sequence[Cell]) -> Said:
        """What the row says."""
        faults = list(self._stray(cells))
        faulty: set[tuple[str, ...]] = set()
        read: dict[str, Any] = {}
        for index, column in self._columns.items():
            cell = cells[index] if index < len(cells) else None
            if is_empty(cell):
                continue
            try:
                read[column.name] = column.form.read(cell)
            except ValueError as error:
                faults.append(_about(column, str(error)))
                faulty.add(column.path)
        key = read.pop(KEY.name, "")
        if KEY.path not in faulty:
            faults.extend(_about(KEY, why) for why in _wrong_with(key))
        first, last = read.pop(FROM.name, None), read.pop(TO.name, None)
        if first and last and "availability" not in read:
            read["availability"] = [{"first_day": first, "last_day": last}]
        elif (first or last) and FROM.path not in faulty:
            faults.append(
                "available_from: give it together with available_to and without availability, or give "
                "availability alone"
            )
            faulty.add(FROM.path)
        values: dict[str, Any] = {}
        for column in OF_SUBMISSION:
            if column.name in read:
                _place(values, column.path, read[column.name])
        try:
            submission = Submission.model_validate(values)
        except ValidationError as error:
            faults.extend(_faults_of(error, faulty))
            return Said(key, None, tuple(faults))
        return Said(key, None if faults else submission, tuple(faults))

    def _stray(self, cells: Sequence[Cell]) -> Iterator[str]:
        beyond = [*self._nameless, *range(self._width, len(cells))]
        stray = [index for index in beyond if index < len(cells) and not is_empty(cells[index])]
        if stray:
            yield (
                f"column {stray[0] + 1} has no name, but here it holds '{as_text(cells[stray[0]])[:60]}'; "
                "name it or empty it, and look for a separator within a text that has no quotation marks"
            )


def _wrong_with(key: str) -> Iterator[str]:
    if not key:
        yield "is empty"
    elif len(key) > MAX_KEY:
        yield f"has {len(key)} characters; at most {MAX_KEY} are taken"


def _place(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        values = values.setdefault(name, {})
    values[path[-1]] = value


def _faults_of(error: ValidationError, faulty: set[tuple[str, ...]]) -> Iterator[str]:
    by_path = {column.path: column for column in OF_SUBMISSION}
    for problem in field_problems(error.errors(include_url=False)):
        parts = tuple(problem.pointer.split("/")[1:])
        if any(parts[: len(path)] == path or path[: len(parts)] == parts for path in faulty):
            continue  # it was said already
        if problem.detail == "is missing":
            # A part of which no cell at all was filled is missing as a whole.
            for path, column in by_path.items():
                if path[: len(parts)] == parts and column.required:
                    yield _about(column, "is empty")
            continue
        own = next((column for path, column in by_path.items() if parts[: len(path)] == path), None)
        if own is None:
            yield problem.detail
        else:
            item = [part for part in parts[len(own.path) :] if part.isdigit()]
            which = f"no. {int(item[0]) + 1}: " if item else ""
            yield _about(own, which + problem.detail)


def _about(column: Column, detail: str) -> str:
    said = f"{column.name}: {detail}."
    if not column.values:
        return f"{said} Expected: {column.meaning} {column.form.expected}".strip()
    return said if column.values[0] in detail else f"{said} Write one of: {', '.join(column.values)}."


def _unknown(title: str, name: str, known: Mapping[str, Column]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else "remove it, or see the template for the names"
    return f"the column '{title[:60]}' is not known; {hint}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}" + ("" if text.endswith("?") else ".")
