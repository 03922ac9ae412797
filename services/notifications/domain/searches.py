"""What somebody looks for in an inbox or in the delivery log, as conditions the indexes serve."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.notifications.domain.notification import NotificationState, first_id_at
from services.notifications.domain.rules import Channel, Urgency

Conditions = dict[str, Any]

WORDS_LOOKED_FOR: Final = timedelta(days=31)
"""How far back words are looked for where nothing else narrows the search: no index has them."""

GIVEN: Final = {"$gt": ""}
"""Of a field of text: not null. An index of those that have it serves whoever looks for a value."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class InboxSearch:
    """Entries of one inbox."""

    key: str
    unread: bool = False
    read: bool = False
    archived: bool = False
    kinds: Sequence[str] = ()
    """None means of every kind."""
    about: str | None = None
    until: str | None = None
    """The newest entry that is meant."""

    def conditions(self) -> Conditions:
        """What an entry must be like."""
        where: Conditions = {"recipient_key": self.key, "channel": Channel.INBOX.value}
        if self.unread:
            where["read_at"] = None
        elif self.read:
            where["read_at"] = GIVEN
        where["archived_at"] = GIVEN if self.archived else None
        if self.kinds:
            where["kind"] = {"$in": list(self.kinds)}
        if self.about is not None:
            where["about"] = self.about
        if self.until is not None:
            where["_id"] = {"$lte": self.until}
        return where


@dataclass(frozen=True)
class LogSearch:
    """Messages in the delivery log; what is None is not asked for."""

    partnership: str | None = None
    """Whose cases; None for all."""
    state: NotificationState | None = None
    channel: Channel | None = None
    kinds: Sequence[str] = ()
    urgency: Urgency | None = None
    fact_type: str | None = None
    about: str | None = None
    case: str | None = None
    correlation_id: str | None = None
    registration: str | None = None
    """Whom it was for."""
    address: str | None = None
    digest: str | None = None
    since: datetime | None = None
    """When what it tells happened: from then on."""
    before: datetime | None = None
    words: str | None = None
    """In the subject, in any order and case."""

    def bounded(self, now: datetime) -> LogSearch:
        """With a bound in time where words would be looked for in everything there is."""
        narrowed = (
            self.about,
            self.case,
            self.correlation_id,
            self.registration,
            self.address,
            self.digest,
            self.since,
        )
        if self.words is None or any(one is not None for one in narrowed):
            return self
        return replace(self, since=min(now, self.before or now) - WORDS_LOOKED_FOR)

    def conditions(self) -> Conditions:
        """What a message must be like."""
        asked: Conditions = {
            "partnerships": self.partnership,
            "state": self.state,
            "channel": self.channel,
            "urgency": self.urgency,
            "fact_type": self.fact_type,
            "about": self.about,
            "case": self.case,
            "correlation_id": self.correlation_id,
            "recipient_registration": self.registration,
            "address": self.address,
            "digest": self.digest,
        }
        where: Conditions = {field: str(value) for field, value in asked.items() if value is not None}
        if self.kinds:
            where["kind"] = {"$in": list(self.kinds)}
        # Ids begin with the moment of the fact, and every index ends with them.
        if ids := {
            operator: first_id_at(max(moment, _EPOCH))
            for operator, moment in (("$gte", self.since), ("$lt", self.before))
            if moment is not None
        }:
            where["_id"] = ids
        if self.words is not None:
            where["$and"] = [
                {"subject": {"$regex": re.escape(word), "$options": "i"}}
                for word in re.findall(r"[^\s\0]+", self.words)
            ] or [{}]
        return where
