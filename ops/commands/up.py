"""`cxc up`: starts the whole platform on this machine, says where everything is, and waits."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from aiokafka.errors import KafkaError
from rich.status import Status

from ops.commands import CommandFailed
from ops.commands.shown import console
from ops.embedded import ROOT
from ops.platform import SERVERS, AlreadyRunning, Platform
from ops.processes import ProcessFailed
from ops.topics import TopicsNotApplied
from shared.messaging.topics import PUBLISHERS, REGISTRATION_INBOX
from shared.partnerships import SHIPPED_PARTNERSHIPS, Partnerships

_SAMPLE = ROOT / "ops" / "sample" / "a-registration.json"


def up(state: Path, partnerships: Path | None) -> None:
    """Start everything and wait; Ctrl-C or SIGTERM stops everything in order."""
    if partnerships is not None and not partnerships.is_file():
        raise CommandFailed(f"There is no file {partnerships}: --partnerships names a YAML file.")
    screen = console()
    try:
        with Platform(state, partnerships=partnerships, say=screen.print) as platform:
            try:
                with screen.status("Starting…") as spinner:
                    start(platform, spinner, screen.print)
                screen.print(whereabouts(platform, state, partnerships), soft_wrap=True)
                threading.Event().wait()
            except KeyboardInterrupt:
                screen.print("Stopping; Ctrl-C once more kills what is left.")
    except (AlreadyRunning, ProcessFailed, TopicsNotApplied, KafkaError) as error:
        raise CommandFailed(f"The platform did not start. {error}") from error
    except KeyboardInterrupt:
        screen.print("What was left is killed.")
    screen.print(f"Stopped. The data stay in {state}; the next 'cxc up' finds them again.")


def start(platform: Platform, spinner: Status, say: Callable[[str], object]) -> None:
    """Start the platform and wait until all is ready, with a line for each part that is.

    Raises what `Platform.start` and `Platform.wait_ready` raise.
    """
    servers = list(SERVERS)

    def started(name: str) -> None:
        say(f"  ✓ {name}")
        if name in servers:
            servers.remove(name)
        spinner.update(f"Starting {', '.join(servers) or 'the services'}…")

    told: set[str] = set(SERVERS)

    def progressed(ready: list[str], waiting: list[str]) -> None:
        for name in ready:
            if name not in told:
                told.add(name)
                say(f"  ✓ {name}")
        spinner.update(f"Waiting for {', '.join(waiting)}…")

    spinner.update("Starting kafka, mongo, mail, issuer… (the first start fetches Kafka, 44 MB)")
    platform.start(started)
    for name, differences in (platform.topics.differing if platform.topics else {}).items():
        say(f"Topic {name} is left as it is, though it {', '.join(differences)}.")
    platform.wait_ready(progressed)


def whereabouts(platform: Platform, state: Path, partnerships: Path | None) -> str:
    """Where everything is, and commands that can be pasted as they stand."""
    cxc = "cxc" if shutil.which("cxc") else _shown(Path(sys.argv[0]))
    at = "" if state == Path("var") else f" --state {state}"
    sample = _shown(_SAMPLE)
    staffed = next(iter(Partnerships.load(partnerships or SHIPPED_PARTNERSHIPS))).id
    token = f"$({cxc} token staff --partnership {staffed}{at})"
    registrations = f"{platform.api_url('registration')}/registrations"
    lines = ["", "ClusterXchange runs. Ctrl-C stops it.", ""]
    lines += [f"  {'console':<18} {platform.api_url('console')}"]
    lines += [f"  {service + ' API':<18} {platform.api_url(service)}/docs" for service in PUBLISHERS]
    lines += [
        f"  {'mails':<18} {platform.mail_url}",
        f"  {'Kafka':<18} {platform.kafka_bootstrap}",
        f"  {'MongoDB':<18} {platform.mongo_url}",
        f"  {'logs':<18} {_shown(platform.log_directory)}",
        "",
        "Publish a registration and hear what becomes of it:",
        f"  {cxc} publish {sample} --follow{at}",
        "The same with kcat:",
        f"  {cxc} publish {sample} --print | kcat -P -b {platform.kafka_bootstrap} -t {REGISTRATION_INBOX}",
        "Follow all events:",
        f"  {cxc} tail{at}",
        "Ask an API with a token:",
        f'  curl -H "Authorization: Bearer {token}" {registrations}',
        "See how things stand:",
        f"  {cxc} status{at}",
    ]
    return "\n".join(lines)


def _shown(path: Path) -> str:
    """The path as one would type it here."""
    with contextlib.suppress(ValueError):
        return str(path.absolute().relative_to(Path.cwd()))
    return str(path)
