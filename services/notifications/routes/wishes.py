"""How people want to be told: their wishes, by kind of fact."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from services.notifications.domain.recipients import SUPPORT_OFFICE, Desk, Seat, partnership_key
from services.notifications.domain.rules import Channel, RuleTable
from services.notifications.domain.time_zones import no_time_zone, time_zones
from services.notifications.domain.wishes import DEFAULT_ZONE, KindWish, Pace, QuietHours, Wishes
from services.notifications.languages import LANGUAGES
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.routes.root import Root, change, own_key
from services.notifications.use_cases.state_wishes import state_wishes, withdraw_wishes
from shared.contracts.vocabulary import Language, NotTruth, TimeOfDay
from shared.errors import Forbidden, NotFound
from shared.http import Authenticated, problem_responses
from shared.security import Caller, CallerRole

router = APIRouter(tags=["wishes"])


def _time_zone(value: object) -> object:
    if isinstance(value, str) and value.strip() not in time_zones():
        raise ValueError(no_time_zone(value))
    return value.strip() if isinstance(value, str) else value


TimeZone = Annotated[str, BeforeValidator(_time_zone), Field(examples=[DEFAULT_ZONE])]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class QuietHoursSent(_Sent):
    """When nothing is sent, by the reader's own clock; what is critical comes anyway."""

    begins: TimeOfDay
    """`22:00`; may be later than the end, and then goes over midnight."""
    ends: TimeOfDay
    """`07:00`."""

    @model_validator(mode="after")
    def _hours(self) -> QuietHoursSent:
        self.quiet()
        return self

    def quiet(self) -> QuietHours:
        """As it is kept."""
        return QuietHours(begins=time.fromisoformat(self.begins), ends=time.fromisoformat(self.ends))


class KindWishSent(_Sent):
    """What is wished of one kind of fact."""

    channels: Annotated[list[Literal["email", "chat"]], Field(max_length=2)] = ["email", "chat"]
    """Where messages come beside the inbox, which holds them all; none: only there."""
    pace: Pace = Pace.AT_ONCE
    """At once, or gathered in a digest: every full hour, every day at 8:00, Mondays at 8:00."""

    def wish(self) -> KindWish:
        """As it is kept."""
        return KindWish(channels=tuple(dict.fromkeys(map(Channel, self.channels))), pace=self.pace)


class WishesSent(_Sent):
    """How somebody wants to be told; it takes the place of what was wished before."""

    version: Annotated[int, Field(ge=0), NotTruth]
    """The version that was read: another one by now is refused. 0 where none are on file yet."""
    language: Language | None = None
    """ISO 639-1; left out, the language of the address. Without texts in it, they come in English."""
    time_zone: TimeZone = DEFAULT_ZONE
    """IANA name: by whose clock quiet hours and digests are."""
    quiet: QuietHoursSent | None = None
    kinds: Annotated[dict[str, KindWishSent], Field(max_length=50)] = {}
    """By kind, as `GET /wishes/kinds` has them; one left out is told at once by every channel."""

    def wishes(self, person: str) -> Wishes:
        """As they are kept."""
        return Wishes(
            id=person,
            language=self.language,
            time_zone=self.time_zone,
            quiet=self.quiet.quiet() if self.quiet else None,
            kinds={kind: wish.wish() for kind, wish in self.kinds.items()},
        )


class KindOfFact(BaseModel):
    """A kind of fact that people have wishes about."""

    kind: str
    label: str


class Options(BaseModel):
    """What can be wished."""

    kinds: list[KindOfFact]
    languages: list[str]
    """Those there are texts in, ISO 639-1."""
    paces: list[Pace]


class KindWishView(BaseModel):
    """What holds for one kind of fact."""

    kind: str
    label: str
    channels: list[Channel]
    """Beside the inbox, which holds everything."""
    pace: Pace


class WishesView(BaseModel):
    """What holds for somebody, and where that is from."""

    person: str
    version: int
    """To be sent back with a change."""
    origin: Literal["own", "desk", "none"]
    """Own wishes; for a seat the desk's, where it has none; or none, and the rules hold as they are."""
    language: str | None
    time_zone: str
    quiet: QuietHours | None
    kinds: list[KindWishView]

    @classmethod
    def of(cls, person: str, own: Wishes | None, desk: Wishes | None, rules: RuleTable) -> WishesView:
        """The person's own, else the desk's, else what holds without any."""
        held = own or desk or Wishes(id=person)
        return cls(
            person=person,
            version=own.version if own else 0,
            origin="own" if own else "desk" if desk else "none",
            language=held.language,
            time_zone=held.time_zone,
            quiet=held.quiet,
            kinds=[
                KindWishView(kind=id, label=kind.label, channels=list(wish.channels), pace=wish.pace)
                for id, kind in rules.kinds.items()
                for wish in (held.of_kind(id),)
            ],
        )


class SeatView(BaseModel):
    """One address of a desk."""

    seat: str
    """What it is called in the paths below."""
    address: str
    origin: Literal["own", "desk", "none"]


_READ = problem_responses(401, 403)
_CHANGE = problem_responses(401, 403, 409, 422)


@router.get(
    "/wishes/kinds",
    summary="What can be wished",
    response_description="The kinds of facts, the languages there are texts in, and the paces.",
    responses=problem_responses(401),
)
async def options(caller: Authenticated, notifications: Root) -> Options:
    """For everyone who is signed in."""
    kinds = notifications.rules.kinds
    return Options(
        kinds=[KindOfFact(kind=id, label=kind.label) for id, kind in kinds.items()],
        languages=list(LANGUAGES),
        paces=list(Pace),
    )


@router.get(
    "/wishes",
    summary="Read one's own wishes",
    response_description="What holds, whether it was wished or not.",
    responses=_READ,
)
async def read(caller: Authenticated, notifications: Root) -> WishesView:
    """The organisation's; for staff those of their partnership's desk, for the support office its own."""

    async def work(uow: NotificationsUnitOfWork) -> WishesView:
        person = _person(caller, uow)
        return WishesView.of(person, await uow.wishes.find(person), None, uow.rules)

    return await notifications.transactions.read(work)


@router.put(
    "/wishes",
    summary="Say how one wants to be told",
    response_description="The wishes as they now are.",
    responses=_CHANGE,
)
async def write(sent: WishesSent, caller: Authenticated, notifications: Root, request: Request) -> WishesView:
    """For all that is told from now on; what was gathered before waits for its digest as before.

    What is critical comes at once whatever is wished: money or a place is about to be lost.
    """
    return await change(notifications, request, lambda uow: _state(uow, _person(caller, uow), sent))


@router.delete(
    "/wishes",
    status_code=204,
    summary="Take one's wishes back",
    response_description="There are none any more: everything is told as the rules say.",
    responses=problem_responses(401, 403, 404),
)
async def withdraw(caller: Authenticated, notifications: Root, request: Request) -> None:
    """Everything is told at once again, by every channel its rule names."""
    await change(notifications, request, lambda uow: withdraw_wishes(uow, _person(caller, uow)))


@router.get(
    "/wishes/seats",
    summary="The addresses of one's desk",
    response_description="Each address of the desk, and whose wishes hold for it.",
    responses=_READ,
)
async def seats(caller: Authenticated, notifications: Root) -> list[SeatView]:
    """For staff and the support office: every address may have wishes of its own, else the desk's hold."""

    async def work(uow: NotificationsUnitOfWork) -> list[SeatView]:
        desk = _desk(caller, uow)
        key = partnership_key(desk.id)
        held = await uow.wishes.of([key, *(seat.person for seat in desk.seats)])
        return [
            SeatView(
                seat=_name(seat),
                address=seat.address,
                origin="own" if seat.person in held else "desk" if key in held else "none",
            )
            for seat in desk.seats
        ]

    return await notifications.transactions.read(work)


@router.get(
    "/wishes/seats/{seat}",
    summary="Read the wishes of one address",
    response_description="What holds for it: its own wishes, else the desk's.",
    responses=problem_responses(401, 403, 404),
)
async def read_seat(seat: str, caller: Authenticated, notifications: Root) -> WishesView:
    """For staff of that desk."""

    async def work(uow: NotificationsUnitOfWork) -> WishesView:
        desk = _desk(caller, uow)
        person, key = _seat(desk, seat).person, partnership_key(desk.id)
        held = await uow.wishes.of([person, key])
        return WishesView.of(person, held.get(person), held.get(key), uow.rules)

    return await notifications.transactions.read(work)


@router.put(
    "/wishes/seats/{seat}",
    summary="Say how one address is to be written to",
    response_description="Its wishes as they now are.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def write_seat(
    seat: str, sent: WishesSent, caller: Authenticated, notifications: Root, request: Request
) -> WishesView:
    """They take the place of the desk's for this address."""
    return await change(
        notifications, request, lambda uow: _state(uow, _seat(_desk(caller, uow), seat).person, sent)
    )


@router.delete(
    "/wishes/seats/{seat}",
    status_code=204,
    summary="Take the wishes of one address back",
    response_description="It has none of its own any more: the desk's hold for it.",
    responses=problem_responses(401, 403, 404),
)
async def withdraw_seat(seat: str, caller: Authenticated, notifications: Root, request: Request) -> None:
    """The desk's hold for it again."""
    await change(
        notifications,
        request,
        lambda uow: withdraw_wishes(uow, _seat(_desk(caller, uow), seat).person),
    )


async def _state(uow: NotificationsUnitOfWork, person: str, sent: WishesSent) -> WishesView:
    wishes = await state_wishes(
        uow,
        person,
        language=sent.language,
        time_zone=sent.time_zone,
        quiet=sent.quiet.quiet() if sent.quiet else None,
        kinds={kind: wish.wish() for kind, wish in sent.kinds.items()},
        seen_version=sent.version,
    )
    return WishesView.of(person, wishes, None, uow.rules)


def _person(caller: Caller, uow: NotificationsUnitOfWork) -> str:
    if caller.role is CallerRole.PARTICIPANT and (key := own_key(caller)):
        return key
    return partnership_key(_desk(caller, uow).id)


def _desk(caller: Caller, uow: NotificationsUnitOfWork) -> Desk:
    id = SUPPORT_OFFICE if caller.role is CallerRole.SUPPORT_OFFICE else None
    if caller.role is CallerRole.STAFF:
        id = caller.partnership
    desk = uow.desks.get(id or "")
    if desk is None:
        raise Forbidden(
            "Wishes are those of organisations, of partnerships' staff, and of the support office where it "
            "has an address."
        )
    return desk


def _seat(desk: Desk, name: str) -> Seat:
    found = next((seat for seat in desk.seats if _name(seat) == name), None)
    if found is None:
        raise NotFound(f"There is no seat {name[:40]} at your desk; GET /wishes/seats lists them.")
    return found


def _name(seat: Seat) -> str:
    return seat.person.rpartition("/")[2]
