"""What was said last: state that comes out the same in whatever order, and however often, events are told."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Latest(BaseModel):
    """Fields of one aggregate of another service, each as its latest event that speaks of it says.

    The aggregate's version decides, not the order in which events come: one that was set aside and is
    replayed a month later fills in what nobody has said since, and changes nothing else.
    """

    said_at: dict[str, int] = {}
    """By which version of the aggregate each field was said last."""

    def take(self, version: int, **said: Any) -> bool:
        """Take in what an event of that version says; whether anything was new."""
        news = {name: value for name, value in said.items() if version > self.said_at.get(name, 0)}
        for name, value in news.items():
            setattr(self, name, value)
        if news:
            self.said_at = {**self.said_at, **dict.fromkeys(news, version)}
        return bool(news)

    def knows(self, name: str) -> bool:
        """Whether an event has spoken of that field."""
        return name in self.said_at
