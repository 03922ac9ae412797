"""What a list of registrations can be asked for, in which order, and where a page goes on."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.registration.domain.registration import SCREENED, Registration, folded
from shared.contracts.vocabulary import (
    Country,
    Ecosystem,
    OrganisationKind,
    PartnershipId,
    RegistrationState,
    Role,
    Verdict,
)
from shared.errors import Malformed
from shared.storage.driver import Document

NO_PARTNERSHIP: Final = "none"

SearchText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=2, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"),
]
RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")]


class RegistrationFilter(BaseModel):
    """Which registrations are meant; all that is given must hold.

    A list, an export and a decision about many take the same one. A name that is none of these is
    refused: a misspelt filter would choose more than was meant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Annotated[
        list[RegistrationState],
        Field(max_length=len(RegistrationState), description="In one of these states."),
    ] = []
    verdict: Annotated[Verdict | None, Field(description="What the rules advise.")] = None
    partnership: Annotated[
        PartnershipId | None,
        Field(description=f"The partnership that has it; `{NO_PARTNERSHIP}`: nobody has it yet."),
    ] = None
    role: Annotated[Role | None, Field(description="Registered as visitor, or as host.")] = None
    country: Annotated[Country | None, Field(description="Two-letter ISO 3166 code.")] = None
    kind: Annotated[OrganisationKind | None, Field(description="The kind of organisation.")] = None
    ecosystem: Annotated[Ecosystem | None, Field(description="One of the ecosystems it works in.")] = None
    waiting_for: Annotated[
        Literal["staff", "applicant"] | None,
        Field(description="`staff`: to be decided now; `applicant`: was asked for more information."),
    ] = None
    rule: Annotated[
        RuleId | None,
        Field(description="A rule it failed or that leaves a question open, such as `visitor-once-only`."),
    ] = None
    submitted_from: Annotated[date | None, Field(description="Submitted on this day (UTC) or later.")] = None
    submitted_to: Annotated[date | None, Field(description="Submitted on this day (UTC) or before.")] = None
    text: Annotated[
        SearchText | None,
        Field(description="Part of the organisation's name or of the sender's reference, in any spelling."),
    ] = None

    def where(self) -> list[Document]:
        """The conditions of a query, all of which must hold."""
        asked: list[Document] = []
        if self.state:
            asked.append({"state": {"$in": list(self.state)} if len(self.state) > 1 else self.state[0]})
        if self.partnership is not None:
            wanted = None if self.partnership == NO_PARTNERSHIP else self.partnership
            asked.append({"party.partnership": wanted})
        if self.waiting_for == "applicant":
            asked.append({"question": {"$ne": None}})
        elif self.waiting_for == "staff":
            asked.append({"state": {"$in": sorted(SCREENED)}, "question": None})
        if self.rule is not None:
            unmet = {"rule": self.rule, "outcome": {"$in": ["failed", "needs_review"]}}
            asked.append({"receipt.outcomes": {"$elemMatch": unmet}})
        if self.submitted_from is not None:
            asked.append({"listed.submitted_at": {"$gte": self.submitted_from.isoformat()}})
        if self.submitted_to is not None:
            asked.append({"listed.submitted_at": {"$lt": day_after(self.submitted_to)}})
        if self.text is not None:
            asked.append(_says(self.text))
        equal: dict[str, Any] = {
            "verdict": self.verdict,
            "party.roles": self.role,
            "party.place.country": self.country,
            "party.kind": self.kind,
            "submission.ecosystems": self.ecosystem,
        }
        asked.extend({field: value} for field, value in equal.items() if value is not None)
        return asked


def day_after(day: date) -> str:
    """What the text of a moment must come before to be of that day (UTC) or an earlier one."""
    return (day + timedelta(1)).isoformat() if day < date.max else "a"


def _says(text: str) -> Document:
    by_reference: Document = {"origin.reference": {"$regex": re.escape(text), "$options": "i"}}
    if not (name := folded(text)):
        return by_reference
    return {"$or": [{"listed.name": {"$regex": re.escape(name)}}, by_reference]}


ALL: Final = RegistrationFilter()


class Order(StrEnum):
    """What a list can be sorted by."""

    ID = "id"
    OLDEST = "submitted_at"
    NEWEST = "-submitted_at"
    ORGANISATION = "organisation"
    ANSWER_BY = "answer_by"

    @property
    def field(self) -> str:
        """Where a document has what it is sorted by."""
        return _FIELDS[self]

    @property
    def direction(self) -> Literal[1, -1]:
        """As MongoDB says it."""
        return -1 if self is Order.NEWEST else 1

    @property
    def sort(self) -> list[tuple[str, int]]:
        """The order as a query takes it; the id decides between equals."""
        by_id = ("_id", self.direction)
        return [by_id] if self is Order.ID else [(self.field, self.direction), by_id]

    def where(self) -> list[Document]:
        """Those that can be in this order at all."""
        return [{self.field: {"$gt": ""}}] if self is Order.ANSWER_BY else []


_FIELDS: Final = {
    Order.ID: "_id",
    Order.OLDEST: "listed.submitted_at",
    Order.NEWEST: "listed.submitted_at",
    Order.ORGANISATION: "listed.name",
    Order.ANSWER_BY: "question.answer_by",
}
_VALUES: Final[dict[Order, Callable[[Registration], str]]] = {
    Order.ID: lambda registration: registration.id,
    Order.OLDEST: lambda registration: registration.listed["submitted_at"],
    Order.NEWEST: lambda registration: registration.listed["submitted_at"],
    Order.ORGANISATION: lambda registration: registration.listed["name"],
    Order.ANSWER_BY: lambda registration: str(registration.question and registration.question.answer_by),
}


class Cursor(NamedTuple):
    """The last line of a page: the next page begins behind it, whatever was added or decided meanwhile."""

    order: Order
    value: str
    id: str

    @classmethod
    def behind(cls, registration: Registration, order: Order) -> Self:
        """The place behind this registration."""
        return cls(order, _VALUES[order](registration), registration.id)

    @classmethod
    def read(cls, text: str, order: Order) -> Self:
        """The cursor in a request; raises `Malformed` unless it is one of a list in this order."""
        try:
            named, value, id = orjson.loads(base64.b64decode(text.encode(), b"-_", validate=True))
            cursor = cls(Order(named), value, id)
            if not (isinstance(value, str) and isinstance(id, str)):
                raise TypeError("a cursor is made of texts")
        except (ValueError, TypeError, binascii.Error):
            raise _unusable("it is not the `next` of a page; begin again without it") from None
        if cursor.order is not order:
            raise _unusable(
                f"it belongs to a list sorted by {cursor.order}, not by {order}; begin again without it"
            )
        return cursor

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps([self.order, self.value, self.id])).decode()

    def where(self) -> Document:
        """The condition of what comes behind it."""
        beyond = "$gt" if self.order.direction > 0 else "$lt"
        if self.order is Order.ID:
            return {"_id": {beyond: self.id}}
        field = self.order.field
        # Both halves are inside the first condition, which alone an index can be entered by.
        return {
            field: {f"{beyond}e": self.value},
            "$or": [{field: {beyond: self.value}}, {"_id": {beyond: self.id}}],
        }


def _unusable(why: str) -> Malformed:
    return Malformed(f"/after: {why}", errors=[{"pointer": "/after", "detail": why}])
