"""A webhook endpoint: where events are sent for somebody, which of them, signed with which secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import ClassVar, Final, Self

from pydantic import BaseModel

from services.notifications.domain.notification import Moment
from shared.aggregate import Aggregate
from shared.errors import RuleBroken


class EndpointState(StrEnum):
    """Whether anything is sent there."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class AlreadySo(RuleBroken):
    """The endpoint is in that state."""

    code = "already-so"
    title = "The endpoint is in that state already"


class Disabling(BaseModel):
    """Who disabled an endpoint, when and why."""

    by: str
    """A token's subject; `the platform` where nothing arrived."""
    why: str
    at: Moment
    stopped_at: str | None = None
    """The delivery it was given up at: enabled again, it goes on there."""


class SealedSecret(BaseModel):
    """A secret that signs, as it is stored; one that was replaced signs too until `until`."""

    sealed: str
    made_at: Moment
    until: Moment | None = None


THE_PLATFORM = "the platform"
SECRETS_AT_MOST: Final = 5
"""That sign at the same time: each makes the head of every request longer."""


class Endpoint(Aggregate):
    """Where events of a scope are sent; `scope` is its owner's on the feed, and says what it may learn."""

    COLLECTION: ClassVar[str] = "webhook_endpoints"

    scope: str
    url: str
    events: list[str]
    """Patterns of event types: `cxc.match.*`."""
    description: str = ""
    contact: str | None = None
    """Where a notice goes when it is disabled, besides the owner's own desk."""
    state: EndpointState = EndpointState.ENABLED
    disabled: Disabling | None = None
    secrets: list[SealedSecret]
    """The newest first."""
    created_at: Moment
    created_by: str

    @classmethod
    def make(
        cls,
        *,
        id: str,
        scope: str,
        url: str,
        events: Sequence[str],
        description: str,
        contact: str | None,
        sealed: str,
        by: str,
        at: datetime,
    ) -> Self:
        """A new endpoint, enabled from now on."""
        endpoint = cls(
            id=id,
            scope=scope,
            url=url,
            events=list(events),
            description=description,
            contact=contact,
            secrets=[SealedSecret(sealed=sealed, made_at=at)],
            created_at=at,
            created_by=by,
        )
        endpoint._touch()
        return endpoint

    @property
    def enabled(self) -> bool:
        """Whether events are sent there."""
        return self.state is EndpointState.ENABLED

    def describe(
        self,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        description: str | None = None,
        contact: str | None = None,
    ) -> None:
        """Change what is given; an empty contact takes it away."""
        self.url = self.url if url is None else url
        self.events = self.events if events is None else list(events)
        self.description = self.description if description is None else description
        self.contact = self.contact if contact is None else contact or None
        self._touch()

    def disable(self, *, by: str, why: str, at: datetime, stopped_at: str | None = None) -> None:
        """Send nothing more; what happens meanwhile waits. Raises `AlreadySo`."""
        if not self.enabled:
            raise AlreadySo("It is disabled already; enable it to have events sent again.")
        self.state = EndpointState.DISABLED
        self.disabled = Disabling(by=by, why=why, at=at, stopped_at=stopped_at)
        self._touch()

    def enable(self) -> None:
        """Send again; raises `AlreadySo`."""
        if self.enabled:
            raise AlreadySo("It is enabled already; disable it to have events held back.")
        self.state, self.disabled = EndpointState.ENABLED, None
        self._touch()

    def rotate(self, sealed: str, *, at: datetime, overlap: timedelta) -> None:
        """Sign with a new secret, and with the present one too for as long as `overlap`.

        Of more than five that sign, the oldest do no longer.
        """
        before = [
            secret.model_copy(update={"until": secret.until or at + overlap})
            for secret in self.secrets
            if secret.until is None or secret.until > at
        ]
        self.secrets = [SealedSecret(sealed=sealed, made_at=at), *before][:SECRETS_AT_MOST]
        self._touch()

    def secrets_at(self, moment: datetime) -> list[str]:
        """The sealed secrets that sign at that moment, the newest first."""
        return [one.sealed for one in self.secrets if one.until is None or one.until > moment]


def covers(patterns: Sequence[str], wire_type: str) -> bool:
    """Whether one of the patterns fits the type."""
    return any(fnmatchcase(wire_type, pattern) for pattern in patterns)
