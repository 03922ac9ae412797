"""A draft: as much of a registration as somebody has filled in so far."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, ClassVar, Final, Self

from shared.aggregate import Aggregate
from shared.errors import Malformed, RuleBroken

DEEPEST: Final = 20
"""The form is four levels deep; what is nested much deeper is no part of it, and hard on whoever reads it."""


class DraftChanged(RuleBroken):
    """Somebody, perhaps in another window, saved the draft meanwhile."""

    code = "draft-changed"


class DraftIncomplete(RuleBroken):
    """The draft lacks something a registration needs; `errors` says what."""

    code = "draft-incomplete"


class Draft(Aggregate):
    """Content that need be neither complete nor right; sent, it becomes the registration of the same id."""

    COLLECTION: ClassVar[str] = "drafts"

    by: str
    """Who began it: the subject of a token."""
    owner: str | None
    """The organisation claim of those who may go on with it; None where only `by` may."""
    text: str
    """The content as JSON text: what people write need not be what a database takes for a document."""
    saved_at: datetime

    @classmethod
    def begin(cls, content: dict[str, Any], *, id: str, by: str, owner: str | None, at: datetime) -> Self:
        """A new draft; raises `Malformed` for what cannot be kept."""
        draft = cls(id=id, by=by, owner=owner, text=_text_of(content), saved_at=at)
        draft._touch()
        return draft

    def save(self, content: dict[str, Any], *, version: int, at: datetime) -> None:
        """Replace the content of that version; raises `DraftChanged` and `Malformed`."""
        self.require(version)
        self.text = _text_of(content)
        self.saved_at = at
        self._touch()

    def require(self, version: int) -> None:
        """Raises `DraftChanged` unless this is the version at hand."""
        if version != self.version:
            raise DraftChanged(
                f"The draft is at version {self.version}, not {version}: it was saved meanwhile, perhaps in "
                "another window. Read it again, and save what you want to keep."
            )

    @property
    def content(self) -> dict[str, Any]:
        """What was saved."""
        content: dict[str, Any] = json.loads(self.text)
        return content


def _text_of(content: dict[str, Any]) -> str:
    if _is_deeper_than(DEEPEST, content):
        raise Malformed(f"The draft is nested more than {DEEPEST} levels deep, which no registration is.")
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError as error:
        raise Malformed(
            "The draft holds what JSON in UTF-8 cannot say: NaN, an infinite number, or half of a character."
        ) from error
    return text


def _is_deeper_than(levels: int, value: Any) -> bool:
    if not isinstance(value, dict | list):
        return False
    inside = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper_than(levels - 1, one) for one in inside)
