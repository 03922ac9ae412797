"""Webhooks: endpoints of outside systems, staff and the support office, and what was sent to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, Self

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from services.notifications.bootstrap import Notifications
from services.notifications.handlers import SOURCES
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.routes.root import About, Root, change
from services.notifications.webhooks.access import (
    endpoint_to_change,
    endpoint_to_see,
    endpoint_to_switch,
    scope_of,
)
from services.notifications.webhooks.addresses import NotThere
from services.notifications.webhooks.delivery import Delivery, DeliveryState
from services.notifications.webhooks.endpoint import Disabling, Endpoint, EndpointState, covers
from services.notifications.webhooks.lanes import Lanes
from services.notifications.webhooks.ping import ping
from services.notifications.webhooks.schedule import Answer
from services.notifications.webhooks.sweeps import replay_all, skip_waiting
from services.notifications.webhooks.use_cases.change_endpoint import change_endpoint
from services.notifications.webhooks.use_cases.delete_endpoint import delete_endpoint
from services.notifications.webhooks.use_cases.disable_endpoint import disable_endpoint
from services.notifications.webhooks.use_cases.enable_endpoint import enable_endpoint
from services.notifications.webhooks.use_cases.register_endpoint import register_endpoint
from services.notifications.webhooks.use_cases.replay_delivery import replay_delivery
from services.notifications.webhooks.use_cases.rotate_secret import rotate_secret
from shared.contracts.catalogue import EVENTS
from shared.contracts.vocabulary import Email
from shared.errors import Malformed
from shared.http import After, Authenticated, Limit, next_of, problem_responses

router = APIRouter(tags=["webhooks"])

SENT: Final = tuple(model.TYPE.value for source in SOURCES for model in EVENTS[source])
"""The event types that go out by webhook."""


def _of_some_event(pattern: str) -> str:
    if not any(covers([pattern], wire_type) for wire_type in SENT):
        raise ValueError(
            "no event of registration, matching or funding is of such a type; write one of docs/events.md, "
            "or a pattern such as cxc.match.*"
        )
    return pattern


Pattern = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9_.*]+$", max_length=100),
    AfterValidator(_of_some_event),
]
Patterns = Annotated[list[Pattern], Field(min_length=1, max_length=50, examples=[["cxc.match.*"]])]
Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000),
    Field(examples=["https://hooks.tagus-crm.example/cxc"]),
]
Description = Annotated[
    str,
    StringConstraints(max_length=200),
    # It stands in mails, which are not its owner's to write.
    AfterValidator(lambda text: " ".join("".join(one if one.isprintable() else " " for one in text).split())),
]
Why = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewEndpoint(_Strict):
    """Where events are to be sent, and which."""

    url: Url
    """https; no user name or password in it."""
    events: Patterns
    """Event types, `*` for any part: `cxc.match.*`, `*`."""
    description: Description = ""
    """What you call it."""
    contact: Email | None = None
    """Who is to have a mail when it is disabled since nothing arrives; staff's desk has one anyway."""


class EndpointChange(_Strict):
    """What is to be changed of an endpoint; what is left out stays."""

    url: Url | None = None
    events: Patterns | None = None
    description: Description | None = None
    contact: Email | Literal[""] | None = None
    """Empty for nobody."""
    state: EndpointState | None = None
    why: Why = ""
    """Why it is disabled."""
    missed: Literal["send", "skip"] = "send"
    """Of an endpoint that is enabled: whether it gets what happened while it was disabled."""


class EndpointView(BaseModel):
    """A webhook endpoint as its owner sees it."""

    id: str
    scope: str
    """Whose it is, and so what may be sent to it: the scope of the same name on the feed."""
    url: str
    events: list[str]
    description: str
    contact: str | None
    state: EndpointState
    disabled: Disabling | None
    """By whom, when and why; absent while it is enabled."""
    created_at: datetime
    created_by: str
    old_secret_until: datetime | None
    """Until then requests are signed with the secret before as well."""

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Without its secrets."""
        replaced = [secret.until for secret in endpoint.secrets if secret.until is not None]
        known = endpoint.model_dump(include=set(cls.model_fields))
        return cls.model_validate({**known, "old_secret_until": max(replaced, default=None)})


class EndpointInFull(EndpointView):
    """An endpoint, and how it is doing."""

    waiting: int
    """Events that wait for it."""
    failing_since: datetime | None
    """When the first attempt failed of those that all failed since; absent while all is well."""
    next_attempt_at: datetime | None
    """When it is tried again."""


class EndpointWithSecret(EndpointView):
    """An endpoint and its new secret, shown this once."""

    secret: str = Field(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])


class EndpointPage(BaseModel):
    """Endpoints in the order they were made; `next` is `after` of the following page."""

    items: list[EndpointView]
    next: str | None


class Rotation(_Strict):
    """How a secret is replaced."""

    overlap_hours: int = Field(default=24, ge=0, le=168)
    """So long requests are signed with both, for you to change over."""


class DeliveryView(BaseModel):
    """An event for an endpoint, and where it stands."""

    id: str
    """The `webhook-id` of each attempt."""
    event_id: str
    event_type: str
    subject: str
    state: DeliveryState
    created_at: datetime
    settled_at: datetime | None
    attempts: int
    last: Answer | None
    """What the last attempt came to."""

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """The delivery without its body."""
        return cls.model_validate(_facts_of(delivery, set(cls.model_fields)))


class DeliveryInFull(BaseModel):
    """A delivery with every attempt and the event as it is sent."""

    id: str
    event_id: str
    event_type: str
    subject: str
    state: DeliveryState
    created_at: datetime
    settled_at: datetime | None
    attempts: list[Answer]
    """The last twenty, the latest last."""
    event: dict[str, Any]

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """All of it."""
        known = delivery.model_dump(include=set(cls.model_fields))
        return cls.model_validate({**known, "event": orjson.loads(delivery.body)})


class DeliveryPage(BaseModel):
    """Deliveries, those of the latest events first; `next` is `after` of the following page."""

    items: list[DeliveryView]
    next: str | None


class ReplayWanted(_Strict):
    """What is to be sent once more."""

    since: AwareDatetime
    """Everything that happened from this moment on."""
    only: Literal["failed", "all"] = "failed"
    """Whether only what never arrived, or all of it."""


class Replayed(BaseModel):
    """How much waits again."""

    deliveries: int


def _facts_of(delivery: Delivery, names: set[str]) -> dict[str, Any]:
    known = delivery.model_dump(include=names - {"attempts"})
    last = delivery.attempts[-1] if delivery.attempts else None
    return {**known, "attempts": len(delivery.attempts), "last": last}


def _checked(notifications: Notifications, url: str) -> str:
    try:
        return notifications.destinations.check_url(url)
    except NotThere as error:
        why = f"Webhooks cannot go there: {error}"
        raise Malformed(f"{why}.", errors=[{"pointer": "/url", "detail": why}]) from None


@router.post(
    "/webhooks",
    status_code=HTTPStatus.CREATED,
    summary="Have events sent to a URL",
    response_description="The endpoint with its secret, which is not shown again.",
    responses=problem_responses(401, 403, 409, 422, 503),
)
async def register(
    wanted: NewEndpoint, caller: Authenticated, notifications: Root, request: Request, response: Response
) -> EndpointWithSecret:
    """For external systems, staff and the support office; each gets what it may read on the feed.

    Every event of those types from now on is sent to the URL, as a POST with the CloudEvent as its body,
    signed as Standard Webhooks says. A 2xx within 15 seconds is a success; anything else is tried again
    for more than a day. Events of one subject arrive in their order. At most 20 endpoints an owner.
    """
    url = _checked(notifications, wanted.url)
    endpoint, secret = await change(
        notifications,
        request,
        lambda uow: register_endpoint(
            uow,
            url=url,
            events=wanted.events,
            description=wanted.description,
            contact=wanted.contact,
            by=caller,
        ),
    )
    response.headers["Location"] = f"/webhooks/{endpoint.id}"
    return EndpointWithSecret(**EndpointView.of(endpoint).model_dump(), secret=secret)


@router.get(
    "/webhooks",
    summary="The caller's endpoints",
    response_description="A page of them, without their secrets.",
    responses=problem_responses(401, 403, 422),
)
async def endpoints(
    caller: Authenticated, notifications: Root, limit: Limit = 50, after: After = None
) -> EndpointPage:
    """One's own; the support office and auditors see everybody's."""
    scope = scope_of(caller)
    found = await notifications.transactions.read(
        lambda uow: uow.endpoints.of(None if caller.sees_everything else scope, after=after, limit=limit)
    )
    return EndpointPage(items=[EndpointView.of(one) for one in found], next=next_of(found, limit))


@router.get(
    "/webhooks/{id}",
    summary="One endpoint, and how it is doing",
    response_description="The endpoint, without its secret.",
    responses=problem_responses(401, 403, 404),
)
async def endpoint(id: str, caller: Authenticated, notifications: Root) -> EndpointInFull:
    """How many events wait for it, and whether it is failing."""
    found = await notifications.transactions.read(lambda uow: endpoint_to_see(uow, id, caller))
    waiting = await notifications.transactions.read(lambda uow: uow.deliveries.waiting(id))
    trouble = await Lanes(notifications.database).trouble(id) if found.enabled else None
    return EndpointInFull(
        **EndpointView.of(found).model_dump(),
        waiting=waiting,
        failing_since=trouble.since if trouble else None,
        next_attempt_at=trouble.due_at if trouble else None,
    )


@router.patch(
    "/webhooks/{id}",
    summary="Change an endpoint, disable it, or enable it",
    response_description="The endpoint as it is now.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def patch(
    id: str, wanted: EndpointChange, caller: Authenticated, notifications: Root, request: Request
) -> EndpointView:
    """What is left out stays as it is; the support office may disable and enable everybody's.

    What happens while an endpoint is disabled waits for it as long as deliveries are kept. Enabled again,
    it gets that first, beginning with the event at which it was given up; `missed: skip` leaves it out.
    An endpoint that was failing is tried again at once after any change.
    """
    url = _checked(notifications, wanted.url) if wanted.url is not None else None
    described = wanted.model_dump(include={"events", "description", "contact"}, exclude_none=True)
    enables = wanted.state is EndpointState.ENABLED
    if enables and wanted.missed == "skip":
        # Who may not do all of it must not have skipped anything.
        may = endpoint_to_change if url is not None or described else endpoint_to_switch
        before = await notifications.transactions.read(lambda uow: may(uow, id, caller))
        if not before.enabled:
            await skip_waiting(notifications.database, id, notifications.clock())

    async def work(uow: NotificationsUnitOfWork) -> Endpoint:
        if url is not None or described:
            await change_endpoint(uow, id, url=url, **described, by=caller)
        if enables:
            return await enable_endpoint(uow, id, missed=wanted.missed == "send", by=caller)
        if wanted.state is EndpointState.DISABLED:
            return await disable_endpoint(uow, id, why=wanted.why, by=caller)
        return await endpoint_to_change(uow, id, caller)

    return EndpointView.of(await change(notifications, request, work))


@router.delete(
    "/webhooks/{id}",
    status_code=HTTPStatus.NO_CONTENT,
    summary="Delete an endpoint",
    response_description="It is gone; nothing more is sent to it.",
    responses=problem_responses(401, 403, 404),
)
async def delete(id: str, caller: Authenticated, notifications: Root, request: Request) -> None:
    """What waits for it is not sent; its log goes with it."""
    await change(notifications, request, lambda uow: delete_endpoint(uow, id, by=caller))


@router.post(
    "/webhooks/{id}/secret",
    summary="Replace an endpoint's secret",
    response_description="The endpoint with its new secret, which is not shown again.",
    responses=problem_responses(401, 403, 404, 422, 503),
)
async def rotate(
    id: str, wanted: Rotation, caller: Authenticated, notifications: Root, request: Request
) -> EndpointWithSecret:
    """Requests carry the signatures of both, the new one first, until the overlap is over."""
    overlap = timedelta(hours=wanted.overlap_hours)
    changed, secret = await change(
        notifications, request, lambda uow: rotate_secret(uow, id, overlap=overlap, by=caller)
    )
    return EndpointWithSecret(**EndpointView.of(changed).model_dump(), secret=secret)


@router.post(
    "/webhooks/{id}/test",
    summary="Send a ping",
    response_description="What came of it.",
    responses=problem_responses(401, 403, 404, 409),
)
async def ping_endpoint(id: str, caller: Authenticated, notifications: Root) -> Answer:
    """One signed `cxc.endpoint.ping.v1`, sent at once, also to an endpoint that is disabled.

    If it arrives, an endpoint that was failing is not kept waiting for its next attempt.
    """
    found = await notifications.transactions.read(lambda uow: endpoint_to_change(uow, id, caller))
    return await ping(notifications, found)


@router.get(
    "/webhooks/{id}/deliveries",
    summary="What was sent to an endpoint, or is to be",
    response_description="A page of deliveries, without their bodies.",
    responses=problem_responses(401, 403, 404, 422),
)
async def deliveries(
    id: str,
    caller: Authenticated,
    notifications: Root,
    state: DeliveryState | None = None,
    event_type: Annotated[str | None, Query(max_length=100, description="Only this event type.")] = None,
    about: About = None,
    since: Annotated[
        AwareDatetime | None, Query(description="Only what happened from this moment on, with its offset.")
    ] = None,
    limit: Limit = 50,
    after: After = None,
) -> DeliveryPage:
    """Those of the latest events first; kept as long as the installation keeps them."""

    async def work(uow: NotificationsUnitOfWork) -> list[Delivery]:
        await endpoint_to_see(uow, id, caller)
        return await uow.deliveries.log(
            id, state=state, event_type=event_type, about=about, since=since, after=after, limit=limit
        )

    found = await notifications.transactions.read(work)
    return DeliveryPage(items=[DeliveryView.of(one) for one in found], next=next_of(found, limit))


@router.get(
    "/webhooks/{id}/deliveries/{delivery}",
    summary="One delivery with its attempts",
    response_description="The delivery, each attempt, and the event as it is sent.",
    responses=problem_responses(401, 403, 404),
)
async def delivery(id: str, delivery: str, caller: Authenticated, notifications: Root) -> DeliveryInFull:
    """When it was tried, how long that took, and how the answer began."""

    async def work(uow: NotificationsUnitOfWork) -> Delivery:
        await endpoint_to_see(uow, id, caller)
        return await uow.deliveries.of(id, delivery)

    return DeliveryInFull.of(await notifications.transactions.read(work))


@router.post(
    "/webhooks/{id}/deliveries/{delivery}/replay",
    summary="Send one event once more",
    response_description="The delivery; it waits.",
    responses=problem_responses(401, 403, 404),
)
async def replay(
    id: str, delivery: str, caller: Authenticated, notifications: Root, request: Request
) -> DeliveryView:
    """Under the same `webhook-id`, before what is newer; one that waits already is left alone."""
    again = await change(notifications, request, lambda uow: replay_delivery(uow, id, delivery, by=caller))
    return DeliveryView.of(again)


@router.post(
    "/webhooks/{id}/replay",
    summary="Send many events once more",
    response_description="How many wait again.",
    responses=problem_responses(401, 403, 404, 422),
)
async def replay_many(id: str, wanted: ReplayWanted, caller: Authenticated, notifications: Root) -> Replayed:
    """Everything from a moment on, or of that what never arrived, in its order and under the same ids."""
    await notifications.transactions.read(lambda uow: endpoint_to_change(uow, id, caller))
    count = await replay_all(
        notifications.database, id, since=wanted.since, only_failed=wanted.only == "failed"
    )
    return Replayed(deliveries=count)
