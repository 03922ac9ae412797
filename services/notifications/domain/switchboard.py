"""The switches of what goes out: each channel out of the platform can be held for a while, and let go."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from pydantic import BaseModel

from shared.aggregate import Aggregate
from shared.contracts.notifications import OutgoingHeld, OutgoingReleased

THE_ONLY: Final = "outgoing"


class Outlet(StrEnum):
    """A channel that leads out of the platform; inboxes do not."""

    EMAIL = "email"
    CHAT = "chat"
    WEBHOOKS = "webhooks"


class Hold(BaseModel):
    """Who holds an outlet, since when and why."""

    by: str
    since: datetime
    reason: str


class Switchboard(Aggregate):
    """What is held now; there is one in an installation."""

    COLLECTION: ClassVar[str] = "switchboard"

    held: dict[Outlet, Hold] = {}

    def hold(self, outlets: Collection[Outlet], *, by: str, reason: str, at: datetime) -> None:
        """Let nothing more out there; one that is held already stays as it is."""
        new = sorted(set(outlets) - self.held.keys())
        if new:
            self.held |= {outlet: Hold(by=by, since=at, reason=reason) for outlet in new}
            self._record(OutgoingHeld(channels=[outlet.value for outlet in new], by=by, reason=reason))

    def release(self, outlets: Collection[Outlet], *, by: str, reason: str) -> None:
        """Let go what waits there; one that is not held stays as it is."""
        freed = sorted(set(outlets) & self.held.keys())
        if freed:
            self.held = {outlet: hold for outlet, hold in self.held.items() if outlet not in freed}
            self._record(OutgoingReleased(channels=[outlet.value for outlet in freed], by=by, reason=reason))
