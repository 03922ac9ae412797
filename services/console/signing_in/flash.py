"""What the next page says once: that something was done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from services.console.bootstrap import Console

FlashKind = Literal["success", "info", "warning", "danger"]
_MOST: Final = 4
_LONGEST: Final = 300  # characters; a cookie holds 4 kB


class Flash(BaseModel):
    """One sentence for the next page."""

    text: str
    kind: FlashKind = "success"


def flash(request: Request, text: str, kind: FlashKind = "success") -> None:
    """Have the next page say this: the one rendered by this request, or the one it leads to."""
    _pending(request).append(Flash(text=text[:_LONGEST], kind=kind))


def flashes(request: Request) -> list[Flash]:
    """What this page has to say; said once."""
    console: Console = request.app.state.root
    said = _kept(request, console) + _pending(request)
    _pending(request).clear()
    request.state.flashes_said = True
    return said


def carry(request: Request, answer: Response) -> None:
    """Keep what was not said yet in a cookie that nobody else can write, or take that cookie back."""
    console: Console = request.app.state.root
    pending = _pending(request)
    if pending:
        texts = json.dumps([one.model_dump() for one in pending[-_MOST:]], ensure_ascii=False)
        console.sessions.cookies.set(answer, "flash", console.sessions.seal.close(flashes=texts))
    elif getattr(request.state, "flashes_said", False) and _cookie(request, console):
        console.sessions.cookies.delete(answer, "flash")


def _pending(request: Request) -> list[Flash]:
    if not hasattr(request.state, "flashes"):
        request.state.flashes = []
    pending: list[Flash] = request.state.flashes
    return pending


def _cookie(request: Request, console: Console) -> str | None:
    return request.cookies.get(console.sessions.cookies.name("flash"))


def _kept(request: Request, console: Console) -> list[Flash]:
    sealed = _cookie(request, console)
    if sealed is None:
        return []
    try:
        texts = json.loads(console.sessions.seal.open(sealed)["flashes"])
        return [Flash.model_validate(one) for one in texts]
    except (ValueError, KeyError, ValidationError):
        return []  # of another key, or of somebody's own making
