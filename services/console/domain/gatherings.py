"""Group events, plans and payments as the console lists them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import computed_field

from services.console.domain.latest import Latest
from services.console.domain.registration import Side
from services.console.domain.waits import EVERYTHING, Waiting, desk, waiting_keys
from shared.aggregate import Aggregate
from shared.contracts.funding import PaymentEvent, PaymentPrepared, PaymentReleased, PaymentWithdrawn
from shared.contracts.matching import (
    AttendsAs,
    GatheringEvent,
    GatheringOpened,
    PlaceAwaited,
    PlaceEvent,
    PlaceLeft,
    PlaceTaken,
    PlanPublished,
)
from shared.contracts.vocabulary import GatheringState


class Attendance(Latest):
    """One registration on the list of a group event."""

    attends_as: AttendsAs = "visitor"
    standing: Literal["seated", "waiting", "left"] = "waiting"
    match_id: str | None = None


class GroupEvent(Aggregate, Latest):
    """A group event and how many are on its list."""

    COLLECTION: ClassVar[str] = "group_events"

    title: str = ""
    partnership: str = ""
    host: Side | None = None
    city: str = ""
    first_day: date | None = None
    last_day: date | None = None
    state: GatheringState | None = None
    places: int | None = None
    local_places: int | None = None
    sign_up_until: date | None = None
    listed: dict[str, Attendance] = {}
    """By registration."""
    changed_at: datetime | None = None

    def note(self, event: GatheringEvent, version: int, at: datetime) -> None:
        """Take in one of its events."""
        self.take(
            version,
            title=event.title,
            partnership=event.partnership,
            host=Side.of(event.host),
            city=event.place.city,
            first_day=event.days.first_day,
            last_day=event.days.last_day,
            state=event.state,
        )
        if isinstance(event, GatheringOpened):
            self.take(
                version,
                places=event.places,
                local_places=event.local_places,
                sign_up_until=event.sign_up_until,
            )
        if isinstance(event, PlaceEvent):
            self._list(event, version)
        self.changed_at = max(self.changed_at or at, at)
        self._touch()

    def forget_host(self) -> None:
        """Let go of who its host is."""
        self.host = self.host and self.host.erased()
        self._touch()

    def _list(self, event: PlaceEvent, version: int) -> None:
        id = event.party.registration_id
        attendance = self.listed.get(id) or Attendance()
        attendance.take(version, attends_as=event.attends_as)
        match event:
            case PlaceTaken():
                attendance.take(version, standing="seated", match_id=event.match_id)
            case PlaceAwaited():
                attendance.take(version, standing="waiting", match_id=None)
            case PlaceLeft():
                attendance.take(version, standing="left")
        self.listed = {**self.listed, id: attendance}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def seated(self) -> int:
        """How many have a place."""
        return sum(one.standing == "seated" for one in self.listed.values())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return sum(one.standing == "waiting" for one in self.listed.values())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def seen_by(self) -> list[str]:
        """The partnership that holds it."""
        return [desk(self.partnership), EVERYTHING]


class Plan(Aggregate, Latest):
    """A plan that was published, all of it or a part."""

    COLLECTION: ClassVar[str] = "plans"

    suggested: int = 0
    standing: int = 0
    dropped: int = 0
    left: int = 0
    partnerships: list[str] = []
    changed_at: datetime | None = None

    def note(self, event: PlanPublished, version: int, at: datetime) -> None:
        """Take in that it was published."""
        self.take(
            version,
            suggested=event.suggested,
            standing=event.standing,
            dropped=event.dropped,
            left=event.left,
        )
        self.partnerships = sorted({*self.partnerships, *(share.partnership for share in event.partnerships)})
        self.changed_at = max(self.changed_at or at, at)
        self._touch()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def seen_by(self) -> list[str]:
        """The partnerships whose organisations are in it."""
        return [*map(desk, self.partnerships), EVERYTHING]


class Payment(Aggregate, Latest):
    """Transfers of one partnership in one file; what the bank says of each is with its exchange."""

    COLLECTION: ClassVar[str] = "payments"

    partnership: str = ""
    state: Literal["prepared", "released", "withdrawn"] | None = None
    grants: list[str] = []
    """Those it was prepared with."""
    total: Decimal | None = None
    """EUR, as it was prepared or released."""
    left: int | None = None
    """How many grants are in it, after some were taken out."""
    execute_on: date | None = None
    prepared_at: datetime | None = None
    changed_at: datetime | None = None

    def note(self, event: PaymentEvent, version: int, at: datetime) -> None:
        """Take in one of its events."""
        self.take(version, partnership=event.partnership)
        match event:
            case PaymentPrepared():
                self.take(version, grants=event.grants, total=event.total, state="prepared", prepared_at=at)
            case PaymentReleased():
                self.take(
                    version,
                    grants=event.grants,
                    total=event.total,
                    state="released",
                    execute_on=event.execute_on,
                )
            case PaymentWithdrawn():
                self.take(version, left=event.left)
                if not event.left:
                    self.take(version, state="withdrawn")
        self.changed_at = max(self.changed_at or at, at)
        self._touch()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def waits(self) -> list[Waiting]:
        """That another officer releases it."""
        if self.state != "prepared" or self.prepared_at is None:
            return []
        return [Waiting(kind="release", whose=desk(self.partnership), since=self.prepared_at)]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def waits_for(self) -> list[str]:
        """For whom something waits."""
        return waiting_keys(self.waits)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def seen_by(self) -> list[str]:
        """The partnership that pays."""
        return [desk(self.partnership), EVERYTHING]
