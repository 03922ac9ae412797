"""The Faust glue: a worker is a Faust app whose lanes are agents on in-process channels."""

from __future__ import annotations

import asyncio
import gc
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

import faust
import orjson
import structlog
import uvloop
from faust.types import StreamT
from faust.web import Request, Response, View
from mode import Service
from mode.utils.queues import FlowControlEvent, ThrowableQueue
from prometheus_client import generate_latest

from shared.contracts.envelope import new_id
from shared.messaging import topics
from shared.messaging.consumer import BatchConsumer
from shared.messaging.handlers import Handlers
from shared.messaging.intake import Intake, Lane
from shared.messaging.relay import Relay
from shared.observability import configure_logging
from shared.settings import ServiceSettings
from shared.startup import patiently
from shared.storage.driver import Client, Database
from shared.storage.transactions import Transactions
from shared.storage.unit_of_work import UnitOfWork

_log = structlog.get_logger(__name__)

U = TypeVar("U", bound=UnitOfWork)

UNREADY_AFTER_S = 15.0
"""How long something may be wrong before the worker says that it is not ready."""
STALLED_AFTER_S = 120.0
"""How long nothing may move while there is lag before the worker ends itself, to be started anew."""


class Root(Protocol[U]):
    """What a service's composition root offers its worker."""

    @property
    def settings(self) -> ServiceSettings: ...
    @property
    def client(self) -> Client: ...
    @property
    def database(self) -> Database: ...
    @property
    def transactions(self) -> Transactions[U]: ...
    async def close(self) -> None: ...


Companion = Callable[[Any, asyncio.Event], Awaitable[None]]
"""A long-running task beside the lanes: `async def run(root, stopping)`."""


class _LaneChannel(faust.Channel[Any]):
    """A channel with a queue of its own.

    Faust's default queue is emptied whenever its own consumer (here, of the control topic) is
    assigned anew, and would lose a batch that waits in it.
    """

    @property
    def queue(self) -> Any:
        if self._queue is None:
            never_suspended = FlowControlEvent(initially_suspended=False)
            self._queue = ThrowableQueue(maxsize=self.maxsize or 1, flow_control=never_suspended)
        return self._queue


class _Work(Service):
    """Everything a worker runs, supervised by Faust."""

    def __init__(
        self,
        *,
        settings: ServiceSettings,
        handlers: Handlers[Any],
        bootstrap: Callable[[], Awaitable[Root[Any]]],
        sources: Sequence[str],
        lanes: Sequence[Lane],
        companions: Sequence[Companion],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._settings = settings
        self._handlers = handlers
        self._bootstrap = bootstrap
        self._sources = sources
        self._lanes = lanes
        self._companions = companions
        self._stopping = asyncio.Event()
        self._running: list[asyncio.Future[Any]] = []
        self.root: Root[Any] | None = None
        self.consumer: BatchConsumer[Any] | None = None
        self.relay: Relay | None = None
        self.intake: Intake | None = None

    @Service.task
    async def _run(self) -> None:
        root = self.root = await patiently(self._bootstrap)
        service = self._settings.service
        relay = self.relay = Relay(service, root.database, self._settings.kafka)
        wake_companions: Callable[[], None] = getattr(root, "wake", lambda: None)

        def after_commit() -> None:
            relay.wake()
            wake_companions()

        self.consumer = BatchConsumer(self._handlers, root.transactions, after_commit=after_commit)
        intake = self.intake = Intake(
            service, self._settings, self._sources, self._lanes, self.consumer.consume
        )
        self._running = [
            asyncio.ensure_future(relay.run(self._stopping)),
            *(asyncio.ensure_future(companion(root, self._stopping)) for companion in self._companions),
        ]
        # What lives as long as the worker need not be looked through again, and a batch makes many
        # objects at once: with Python's defaults a third of the time went into collecting.
        gc.freeze()
        gc.set_threshold(1_000_000, 20, 100)
        await intake.start()
        _log.info("worker_started", topics=list(self._sources), types=self._handlers.types)
        watched = [asyncio.ensure_future(self._watch_for_stalls()), intake.failed, *self._running]
        self._running.append(watched[0])
        done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        if not self._stopping.is_set():
            for ended in done:
                error = ended.exception() if not ended.cancelled() else None
                raise error or RuntimeError("a part of the worker ended; it is started anew")

    async def on_stop(self) -> None:
        self._stopping.set()
        if self.intake is not None:
            await self.intake.stop()
        if self.relay is not None:
            self.relay.wake()
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=5.0)
        if self.root is not None:
            await self.root.close()

    async def _watch_for_stalls(self) -> None:
        while True:
            await asyncio.sleep(5.0)
            if self.stalled:
                raise RuntimeError(f"no message was handled for {STALLED_AFTER_S} s though there are some")

    @property
    def stalled(self) -> bool:
        """Lag, nothing in flight, no progress: the consumer has stopped fetching without an error."""
        intake = self.intake
        if intake is None or intake.paused or intake.busy:
            return False
        idle = time.monotonic() - intake.progressed_at
        return idle > STALLED_AFTER_S and sum(intake.lag().values()) > 0

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether work gets done, and what keeps it from being done."""
        wrong: dict[str, Any] = {}
        if self.intake is None or not self.intake.joined:
            wrong["group"] = "the worker has not joined its consumer group yet"
        if self.consumer is not None and _since(self.consumer.struggling_since) > UNREADY_AFTER_S:
            wrong["database"] = "a batch cannot be committed"
        if self.relay is not None and _since(self.relay.failing_since) > UNREADY_AFTER_S:
            wrong["outbox"] = "nothing can be published"
        if self.stalled:
            wrong["intake"] = "no message is handled though there are some"
        return not wrong, {
            "status": "not ready" if wrong else "ready",
            "lag": sum(self.intake.lag().values()) if self.intake else None,
            "paused": bool(self.intake and self.intake.paused),
            **getattr(self.root, "remarks", {}),
            **wrong,
        }


def create_worker(
    settings: ServiceSettings,
    handlers: Handlers[U],
    bootstrap: Callable[[], Awaitable[Root[U]]],
    *,
    sources: Sequence[str],
    companions: Sequence[Companion] = (),
) -> faust.App:
    """The Faust app of a service: lanes, relay, control topic, health and metrics pages.

    `sources` are the topics of other services and of outside systems; the service's replay topic
    comes with them.
    """
    service = settings.service
    # Faust asks asyncio for its loop; it is made after this module has been read.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    log_handler = configure_logging(f"{service}-worker", settings.log_level, settings.log_format)
    app = faust.App(
        # Every replica listens to the control topic for itself, hence an id of its own.
        f"cxc-{service}-control-{new_id()}",
        broker=[f"aiokafka://{server}" for server in settings.kafka.bootstrap.split(",")],
        broker_credentials=_credentials(settings),
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 4,
        broker_commit_interval=30.0,
        consumer_auto_offset_reset="latest",
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=1,
        store="memory://",
        datadir=tempfile.gettempdir(),
        worker_redirect_stdouts=False,
        # Faust sets up logging anew when it starts: give it what is set up already.
        logging_config={
            "version": 1,
            "disable_existing_loggers": False,
            "loggers": {"faust": {"level": "WARNING"}, "mode": {"level": "WARNING"}},
            "root": {"level": settings.log_level.upper()},
        },
        loghandlers=[log_handler],
        web_stats_enabled=False,
        web_graph_enabled=False,
        web_router_enabled=False,
        web_tables_enabled=False,
        web_metrics_enabled=False,
        autodiscover=False,
    )
    lanes = [Lane(number, _LaneChannel(app, maxsize=1)) for number in range(settings.lanes)]
    holder: list[_Work] = []

    @app.service
    class Work(_Work):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(
                settings=settings,
                handlers=handlers,
                bootstrap=bootstrap,
                sources=[*sources, topics.replays(service)],
                lanes=lanes,
                companions=companions,
                **kwargs,
            )
            holder.append(self)

    for lane in lanes:
        _add_lane_agent(app, lane, holder)
    _add_control_agent(app, service, holder)
    _add_pages(app, holder)
    return app


def _add_lane_agent(app: faust.App, lane: Lane, holder: list[_Work]) -> None:
    async def handle(batches: StreamT[Any]) -> None:
        lane.agent_ready.set()
        async for batch in batches:
            intake = holder[0].intake
            assert intake is not None
            await intake.settle(batch)

    app.agent(lane.channel, name=f"lane-{lane.number}")(handle)


def _add_control_agent(app: faust.App, service: topics.ServiceName, holder: list[_Work]) -> None:
    """Commands to every replica, as JSON: `{"command": "pause" | "resume" | "log_level", "level": …}`."""
    topic = app.topic(topics.control(service), value_serializer="raw", internal=True)

    async def obey(commands: StreamT[Any]) -> None:
        async for raw in commands:
            try:
                command = orjson.loads(raw)
                _obey(command, holder[0])
            except Exception as error:  # noqa: BLE001 - a bad command must not end the agent
                _log.warning("control_command_ignored", error=repr(error))

    app.agent(topic, name="control")(obey)


def _obey(command: dict[str, Any], work: _Work) -> None:
    match command["command"]:
        case "pause":
            assert work.intake is not None
            work.intake.pause()
        case "resume":
            assert work.intake is not None
            work.intake.resume()
        case "log_level":
            logging.getLogger().setLevel(str(command["level"]).upper())
        case unknown:
            raise ValueError(f"unknown command {unknown!r}")
    # As one value: its own `level` would be taken for this line's.
    _log.info("control_command_obeyed", said=command)


def _add_pages(app: faust.App, holder: list[_Work]) -> None:
    @app.page("/live")
    async def live(view: View, request: Request) -> Response:
        return view.json({"status": "live"})

    @app.page("/ready")
    async def ready(view: View, request: Request) -> Response:
        healthy, details = holder[0].health() if holder else (False, {"status": "starting"})
        return view.json(details, status=200 if healthy else 503)

    @app.page("/metrics")
    async def metrics(view: View, request: Request) -> Response:
        return view.bytes(generate_latest(), content_type="text/plain")


def _credentials(settings: ServiceSettings) -> Any:
    kafka = settings.kafka
    if kafka.security_protocol == "PLAINTEXT":
        return None
    options = kafka.client_options()
    if kafka.security_protocol == "SSL":
        return faust.SSLCredentials(context=options["ssl_context"])
    return faust.SASLCredentials(
        username=kafka.username,
        password=kafka.password.get_secret_value() if kafka.password else None,
        ssl_context=options.get("ssl_context"),
        mechanism=kafka.sasl_mechanism,
    )


def _since(moment: float | None) -> float:
    return time.monotonic() - moment if moment is not None else 0.0
