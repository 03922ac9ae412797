"""The whole platform as child processes of one: servers, topics, and an api and a worker per service."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Literal, Self

from ops.embedded.kafka import KafkaServer
from ops.embedded.mongo import MongoServer, url_at
from ops.issuer import ensure_key, ensure_secret
from ops.processes import Child, ProcessFailed, completed, free_port, is_free, started_at
from ops.topics import TopicsReport, apply_topics
from shared.messaging.topics import PUBLISHERS, SERVICES, ServiceName

ServerName = Literal["kafka", "mongo", "mail", "issuer"]
SERVERS: Final[tuple[ServerName, ...]] = ("kafka", "mongo", "mail", "issuer")

_MAIL_LIMITS: Final = ("CXC_MAILS_PER_HOUR", "CXC_MAILS_PER_CASE")
_FIRST_BACK_OFF_S: Final = 0.5
_LONGEST_BACK_OFF_S: Final = 30.0
_STEADY_AFTER_S: Final = 30.0
_GIVEN_UP_AFTER: Final = 3


class AlreadyRunning(RuntimeError):
    """Another process runs the platform on the same state directory."""


@dataclass(frozen=True)
class Ports:
    """Where each process listens on 127.0.0.1; apis and workers count up from theirs in service order.

    0 takes any free port. A port that is taken is replaced by a free one, which is said.
    """

    kafka: int = 9092
    mongo: int = 27017
    smtp: int = 1025
    mail: int = 8025
    issuer: int = 8080
    console: int = 8000
    apis: int = 8001
    workers: int = 8101

    @classmethod
    def any(cls) -> Ports:
        """Whatever is free: for tests and benchmarks beside a running platform."""
        return cls(0, 0, 0, 0, 0, 0, 0, 0)


@dataclass
class _Attempts:
    """How often a child has died by itself lately, and when it is tried again (monotonic seconds)."""

    deaths: int = 0
    again_at: float | None = None
    started: float = field(default_factory=time.monotonic)


class Platform:
    """Starts, watches and stops the processes: `with Platform(state) as platform: platform.start()`.

    Leaving the block stops everything in reverse order, also after SIGINT, SIGTERM, or a start that failed
    half way; a second SIGINT while stopping kills what is left. A child that dies by itself is reported
    through `say` with its log's tail, and started again after a back-off.

    `servers` and `services` choose a subset; where Kafka or MongoDB is not among the servers,
    `kafka_bootstrap` or `mongo_url` say where it is. `environment` is added to the services' environment
    (and wins). All paths lie under `state`: data, `log/<name>.log`, and `run.json` while it runs.
    """

    def __init__(
        self,
        state: Path,
        *,
        ports: Ports | None = None,
        servers: Collection[ServerName] = SERVERS,
        services: Collection[ServiceName] = SERVICES,
        kafka_bootstrap: str | None = None,
        mongo_url: str | None = None,
        partnerships: Path | None = None,
        partitions: int = 6,
        environment: Mapping[str, str] | None = None,
        log_level: str = "info",
        kafka_heap: str = "512m",
        mongo_cache_gb: float = 0.5,
        say: Callable[[str], None] = lambda sentence: print(sentence, file=sys.stderr),
    ) -> None:
        self.state = state.resolve()
        self.log_directory = self.state / "log"
        self.services = tuple(name for name in SERVICES if name in services)
        self.children: dict[str, Child] = {}
        self.topics: TopicsReport | None = None
        self._servers = tuple(name for name in SERVERS if name in servers)
        self._ports = ports or Ports()
        self._kafka_bootstrap = kafka_bootstrap
        self._mongo_url = mongo_url
        self._partnerships = partnerships
        self._partitions = partitions
        self._environment = dict(environment or {})
        self._log_level = log_level
        self._kafka_heap = kafka_heap
        self._mongo_cache_gb = mongo_cache_gb
        self._say = say
        self._port_of: dict[str, int] = {}
        self._attempts: dict[str, _Attempts] = {}
        self._ending = threading.Event()
        self._watching: threading.Thread | None = None
        self._former_handler: Any = None
        self._run_lock = threading.Lock()

    # Where things are

    @property
    def kafka_bootstrap(self) -> str:
        """Where Kafka is. Raises LookupError when this platform neither runs nor was given one."""
        if "kafka" in self._servers:
            return f"127.0.0.1:{self.port('kafka')}"
        if self._kafka_bootstrap is None:
            raise LookupError("no Kafka: neither among the servers nor given")
        return self._kafka_bootstrap

    @property
    def mongo_url(self) -> str:
        """Where MongoDB is. Raises LookupError when this platform neither runs nor was given one."""
        if "mongo" in self._servers:
            return url_at(self.port("mongo"))
        if self._mongo_url is None:
            raise LookupError("no MongoDB: neither among the servers nor given")
        return self._mongo_url

    @property
    def issuer_url(self) -> str:
        return f"http://127.0.0.1:{self.port('issuer')}"

    @property
    def mail_url(self) -> str:
        return f"http://127.0.0.1:{self.port('mail')}"

    @property
    def issuer_key(self) -> Path:
        """The key that signs this state's tokens, for `issue_token`."""
        return self.state / "issuer" / "key.pem"

    def api_url(self, service: ServiceName) -> str:
        return f"http://127.0.0.1:{self.port(f'{service}-api')}"

    def port(self, name: str) -> int:
        """The port of kafka, mongo, smtp, mail, issuer, <service>-api or <service>-worker.

        Chosen when first asked for: the planned one, or a free one where that is taken.
        """
        if name not in self._port_of:
            planned = self._planned_port(name)
            taken = set(self._port_of.values())
            port = planned
            while not port or port in taken or not is_free(port):
                port = free_port()
            if planned and port != planned:
                self._say(f"Port {planned} is taken: {name} listens on {port}.")
            self._port_of[name] = port
        return self._port_of[name]

    def service_environment(self) -> dict[str, str]:
        """What a service (or a client like the command line) needs to know, as environment variables."""
        known = {
            "CXC_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "CXC_MONGO_URL": self.mongo_url,
            "CXC_LOG_LEVEL": self._log_level,
            "CXC_SEAL_KEY": ensure_secret(self.state / "seal.key"),
            "CXC_BANK_KEYS": ensure_secret(self.state / "bank.key"),
        }
        if "issuer" in self._servers:
            known |= {"CXC_ISSUER": self.issuer_url, "CXC_JWKS_URL": f"{self.issuer_url}/jwks.json"}
        if "mail" in self._servers:
            known |= {"CXC_SMTP_HOST": "127.0.0.1", "CXC_SMTP_PORT": str(self.port("smtp"))}
            # A demo tells in a minute what takes months elsewhere.
            known |= {name: os.environ.get(name, "10000") for name in _MAIL_LIMITS}
        if "console" in self.services:
            known |= {
                "CXC_PUBLIC_URL": self.api_url("console"),
                "CXC_SESSION_KEY": ensure_secret(self.state / "session.key"),
                "CXC_WORKERS": ",".join(
                    f"{name}=http://127.0.0.1:{self.port(f'{name}-worker')}" for name in self.services
                ),
            }
            known |= {
                f"CXC_{service.upper()}_URL": self.api_url(service)
                for service in PUBLISHERS
                if service in self.services
            }
        if "notifications" in self.services:
            known["CXC_UNSUBSCRIBE_URL"] = f"{self.api_url('notifications')}/unsubscribe"
        if self._partnerships is not None:
            known["CXC_PARTNERSHIPS"] = str(self._partnerships.resolve())
        return known | self._environment

    # Starting and stopping everything

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._former_handler = signal.signal(signal.SIGTERM, _as_interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            if self._former_handler is not None:
                signal.signal(signal.SIGTERM, self._former_handler)

    def start(self, progress: Callable[[str], None] = lambda name: None) -> None:
        """Start the servers, create the topics, then start the services; `progress` gets each name.

        Returns when the servers can be used and the services' processes run (`wait_ready` waits for those).
        Raises AlreadyRunning, ProcessFailed or TopicsNotApplied.
        """
        self._claim_state()
        self._ending.clear()
        for child in self._server_children():
            self.children[child.name] = child
        self._start_together(list(self.children.values()), progress)
        if self.services:
            self._create_topics()
            progress("topics")
            for service in self.services:
                for child in (self._api(service), self._worker(service, f"{service}-worker")):
                    self.children[child.name] = child
                    child.start()
        self._write_run()
        self._watching = threading.Thread(target=self._watch, name="platform-watch", daemon=True)
        self._watching.start()

    def stop(self) -> None:
        """Stop everything in reverse order, services before servers; a KeyboardInterrupt kills the rest."""
        self._ending.set()
        everything = list(self.children.values())[::-1]
        servers = [child for child in everything if child.name in self._servers]
        try:
            for stage in ([child for child in everything if child not in servers], servers):
                for child in stage:
                    child.ask_to_stop()
                for child in stage:
                    child.stop()
        except KeyboardInterrupt:
            for child in everything:
                child.kill()
        if self._watching is not None:
            # It may just be starting one again, and would wait until that is ready.
            while self._watching.is_alive():
                for child in everything:
                    child.ask_to_stop()
                self._watching.join(0.1)
            self._watching = None
        for child in everything:
            child.kill()
        if everything:
            self.run_file.unlink(missing_ok=True)
        self.children.clear()

    def wait_ready(
        self,
        progress: Callable[[list[str], list[str]], None] = lambda ready, waiting: None,
        within_s: float = 90,
    ) -> None:
        """Wait until every process says it is ready; `progress` gets the names ready and waited for.

        Raises ProcessFailed, with the log's tail, when the time is over or one keeps dying.
        """
        deadline = time.monotonic() + within_s
        deaths_before = {name: attempts.deaths for name, attempts in self._attempts.items()}
        while True:
            with ThreadPoolExecutor(max_workers=max(1, len(self.children))) as asking:
                states = dict(
                    zip(self.children, asking.map(lambda c: c.is_ready, self.children.values()), strict=True)
                )
            waiting = [name for name, ready in states.items() if not ready]
            progress([name for name, ready in states.items() if ready], waiting)
            if not waiting:
                return
            for name in waiting:
                attempts = self._attempts.get(name, _Attempts())
                deaths = attempts.deaths - deaths_before.get(name, 0)
                if deaths >= _GIVEN_UP_AFTER:
                    raise ProcessFailed(self.children[name].failure(f"{name} died {deaths} times"))
            if time.monotonic() > deadline:
                logs = "\n".join(self.children[name].failure(f"{name} is not ready") for name in waiting)
                raise ProcessFailed(f"Not ready within {within_s:.0f} s: {', '.join(waiting)}.\n{logs}")
            self._ending.wait(0.25)

    # One process

    def start_one(self, name: str) -> None:
        """Start a process that was stopped or killed; Kafka and MongoDB are ready when this returns."""
        self._attempts.pop(name, None)
        self.children[name].start()
        self._write_run()

    def stop_one(self, name: str) -> None:
        """Stop one process in order; it stays down until `start_one`."""
        self.children[name].stop()
        self._write_run()

    def kill(self, name: str) -> None:
        """SIGKILL one process; it stays down until `start_one`."""
        self.children[name].kill()
        self._write_run()

    def restart(self, name: str) -> None:
        """Stop one process in order and start it again."""
        self.stop_one(name)
        self.start_one(name)

    def start_worker(self, service: ServiceName) -> str:
        """Start one more worker of a service on a port of its own, and return its name."""
        number = 2
        while (name := f"{service}-worker-{number}") in self.children:
            number += 1
        self.children = {**self.children, name: self._worker(service, name)}
        self.start_one(name)
        return name

    # What runs where, for others to find

    @property
    def run_file(self) -> Path:
        return self.state / "run.json"

    def _write_run(self) -> None:
        processes = {
            name: {
                "pid": child.pid,
                "started": started_at(child.pid) if child.pid else None,
                "port": self._port_of.get(name),
                "log": str(child.log),
            }
            for name, child in self.children.items()
            if child.alive
        }
        environment: dict[str, str] = {}
        with contextlib.suppress(LookupError):  # a subset may have no Kafka or no MongoDB
            environment = self.service_environment()
        run = {
            "pid": os.getpid(),
            "started": started_at(os.getpid()),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": environment,
            "issuer_key": str(self.issuer_key) if "issuer" in self._servers else None,
            "urls": dict(self._urls()),
            "processes": processes,
        }
        with self._run_lock:
            unfinished = self.run_file.with_suffix(".json.new")
            unfinished.write_text(json.dumps(run, indent=2))
            unfinished.replace(self.run_file)

    def _urls(self) -> Iterator[tuple[str, str]]:
        if "mail" in self._servers:
            yield "mail", self.mail_url
        if "issuer" in self._servers:
            yield "issuer", self.issuer_url
        for service in self.services:
            yield f"{service}-api", self.api_url(service)
            yield f"{service}-worker", f"http://127.0.0.1:{self.port(f'{service}-worker')}"

    def _claim_state(self) -> None:
        """Refuse a state in use; end what a killed run may have left behind."""
        self.state.mkdir(parents=True, exist_ok=True)
        if run := running(self.state):
            raise AlreadyRunning(
                f"The platform already runs on {self.state} (process {run['pid']}, since {run['since']})."
            )
        for name, left in _recorded(self.state).get("processes", {}).items():
            _await_end(name, left["pid"], left["started"], self._say)
        self.run_file.unlink(missing_ok=True)

    # The children

    def _server_children(self) -> Iterator[Child]:
        logs = self.log_directory
        if "kafka" in self._servers:
            yield KafkaServer(
                self.state / "kafka", self.port("kafka"), heap=self._kafka_heap, log=logs / "kafka.log"
            )
        if "mongo" in self._servers:
            yield MongoServer(
                self.state / "mongo",
                self.port("mongo"),
                cache_gb=self._mongo_cache_gb,
                log=logs / "mongo.log",
            )
        if "mail" in self._servers:
            where = ["--smtp-port", str(self.port("smtp")), "--http-port", str(self.port("mail"))]
            yield Child(
                "mail",
                [*_module("ops.embedded.mail_sink"), *where, "--directory", str(self.state / "mail")],
                logs / "mail.log",
                ready_url=f"{self.mail_url}/readyz",
            )
        if "issuer" in self._servers:
            key = ensure_key(self.issuer_key)
            given = ["--port", str(self.port("issuer")), "--key", str(key), "--issuer", self.issuer_url]
            if self._partnerships is not None:
                given += ["--partnerships", str(self._partnerships.resolve())]
            if "registration" in self.services:
                given += ["--registrations", self.api_url("registration")]
            yield Child(
                "issuer",
                [*_module("ops.issuer"), *given],
                logs / "issuer.log",
                ready_url=f"{self.issuer_url}/jwks.json",
            )

    def _api(self, service: ServiceName) -> Child:
        name = f"{service}-api"
        port = self.port(name)
        app = [f"services.{service}.api:create_app", "--factory"]
        where = [
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--log-level",
            self._log_level,
            "--no-access-log",
            # Whoever waits for the feed to grow asks again elsewhere.
            "--timeout-graceful-shutdown",
            "3",
        ]
        return self._service_child(name, port, [*_module("uvicorn"), *app, *where])

    def _worker(self, service: ServiceName, name: str) -> Child:
        port = self.port(name)
        app = ["-A", f"services.{service}.worker", "-D", str(self.state / "faust" / name), "worker"]
        # The canonical host and the address it binds are two options; both default to all interfaces.
        web = ["--web-host", "127.0.0.1", "--web-bind", "127.0.0.1", "--web-port", str(port)]
        level = {"warning": "warn"}.get(self._log_level, self._log_level)
        command = [*_module("faust"), *app, "--loglevel", level, *web]
        return self._service_child(name, port, command, {"CXC_WORKER_PORT": str(port)})

    def _service_child(
        self, name: str, port: int, command: Sequence[str], more: Mapping[str, str] | None = None
    ) -> Child:
        return Child(
            name,
            command,
            self.log_directory / f"{name}.log",
            environment=self.service_environment() | dict(more or {}),
            ready_url=f"http://127.0.0.1:{port}/ready",
            stop_within_s=15.0,
        )

    def _planned_port(self, name: str) -> int:
        if name == "console-api":
            return self._ports.console
        service, _, part = name.partition("-")
        first = {"api": self._ports.apis, "worker": self._ports.workers}.get(part)
        if first is not None:
            return first and first + SERVICES.index(service)
        # A second worker has no planned port.
        return 0 if part else int(getattr(self._ports, name))

    def _create_topics(self) -> None:
        self.topics = completed(apply_topics(self.kafka_bootstrap, self._partitions))

    def _start_together(self, children: list[Child], progress: Callable[[str], None]) -> None:
        def start(child: Child) -> None:
            child.start()
            child.wait_until(lambda: child.is_ready, within_s=30)
            progress(child.name)

        with ThreadPoolExecutor(max_workers=max(1, len(children))) as starting:
            starts = [starting.submit(start, child) for child in children]
            try:
                for started in starts:
                    started.result()
            except BaseException:
                # Else the pool would first wait until the others are ready, and those about to start too.
                while not all(started.done() for started in starts):
                    for child in children:
                        child.ask_to_stop()
                    time.sleep(0.05)
                raise

    # Watching

    def _watch(self) -> None:
        while not self._ending.wait(0.2):
            for child in list(self.children.values()):
                if child.wanted and not child.alive and not self._ending.is_set():
                    self._revive(child)

    def _revive(self, child: Child) -> None:
        attempts = self._attempts.setdefault(child.name, _Attempts())
        now = time.monotonic()
        if attempts.again_at is None:
            if now - attempts.started > _STEADY_AFTER_S:
                attempts.deaths = 0
            back_off = min(_FIRST_BACK_OFF_S * 2**attempts.deaths, _LONGEST_BACK_OFF_S)
            attempts.deaths += 1
            attempts.again_at = now + back_off
            what = (
                f"{child.name} ended by itself with {child.exit_code}, and is started again in {back_off:g} s"
            )
            self._say(child.failure(what))
        elif now >= attempts.again_at:
            attempts.again_at = None
            attempts.started = now
            try:
                child.start()
            except ProcessFailed as failure:
                self._say(str(failure))
                child.wanted = not self._ending.is_set()
            else:
                self._write_run()


def running(state: Path) -> dict[str, Any] | None:
    """The record of the platform that runs on this state directory, or None.

    `environment` (CXC_* for clients), `issuer_key`, `urls` by name, and `processes` by name, each with pid,
    port and log. The record of a run that was killed is recognised by its process being gone.
    """
    run = _recorded(state)
    return run if run and started_at(run["pid"]) == run["started"] else None


def _recorded(state: Path) -> dict[str, Any]:
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        return dict(json.loads((state / "run.json").read_text()))
    return {}


def _await_end(name: str, pid: int, started: int, say: Callable[[str], None], within_s: float = 20) -> None:
    """Let a process of a killed run end (it got its SIGTERM then), and kill it after a while."""
    deadline = time.monotonic() + within_s
    while started_at(pid) == started:
        if time.monotonic() > deadline:
            say(f"{name} (process {pid}) of a run that was killed does not end: it is killed too.")
            os.kill(pid, signal.SIGKILL)
            deadline += within_s
        time.sleep(0.05)


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
