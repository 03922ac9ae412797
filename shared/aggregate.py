"""Aggregates: state that changes by intention methods, each change recorded as an event."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Self, cast

from pydantic import BaseModel, ConfigDict, PrivateAttr

from shared.contracts.envelope import Cause, Event
from shared.contracts.vocabulary import STORED


@dataclass
class Scope:
    """What is going on: why the changes made now happen, and whether any was made."""

    cause: Cause = field(default_factory=Cause)
    touched: bool = False


SCOPE: ContextVar[Scope | None] = ContextVar("scope", default=None)


class Recorded(NamedTuple):
    """An event an aggregate recorded, the version it led to, and why."""

    event: Event
    version: int
    cause: Cause


class Aggregate(BaseModel):
    """State with an identity and a version that counts its changes.

    Subclasses change only through methods that check the transition and call `_record` (or
    `_touch`, where a change is nobody else's concern).
    """

    model_config = ConfigDict(extra="ignore")
    COLLECTION: ClassVar[str]
    WITHOUT_NONE: ClassVar[bool] = False
    """Whether what is None is left out of its document, where all that read it are content with that."""

    id: str
    version: int = 0

    _stored_version: int = PrivateAttr(default=0)
    _recorded: list[Recorded] = PrivateAttr(default_factory=list)

    @classmethod
    def from_document(cls, document: dict[str, object]) -> Self:
        """The aggregate as it was stored."""
        aggregate = cls.model_validate({**document, "id": document["_id"]}, context=STORED)
        aggregate._stored_version = aggregate.version
        return aggregate

    def to_document(self) -> dict[str, object]:
        """JSON types only: days and moments as ISO 8601 text, amounts as decimal text."""
        document = self.model_dump(mode="json", exclude={"id"}, exclude_none=self.WITHOUT_NONE)
        document["_id"] = self.id
        return document

    @property
    def stored_version(self) -> int:
        """The version in the database; 0 when it is not stored yet."""
        return cast(int, self._private("_stored_version"))

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return self.version != self.stored_version

    def _touch(self) -> None:
        self.version += 1
        scope = SCOPE.get()
        if scope is not None:
            scope.touched = True

    def _record(self, event: Event) -> None:
        self._touch()
        scope = SCOPE.get()
        self._recorded.append(Recorded(event, self.version, scope.cause if scope else Cause()))

    def recorded(self) -> list[Recorded]:
        """The events recorded since the aggregate was loaded or made, oldest first."""
        return list(cast("list[Recorded]", self._private("_recorded")))

    def _private(self, name: str) -> object:
        """A private attribute: pydantic's own way takes ten times as long, for all that a batch holds."""
        assert self.__pydantic_private__ is not None
        return self.__pydantic_private__[name]
