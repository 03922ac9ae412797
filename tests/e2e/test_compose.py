"""The images and the compose file, for real: built, started, used from outside, and gone without a trace.

Takes minutes, so it runs only where it is asked for:
`CXC_TEST_COMPOSE=1 make test ARGS=tests/e2e/test_compose.py`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import pytest

from ops.processes import free_port
from shared.messaging.topics import SERVICES
from tests.containers import why_not_had
from tests.e2e.outside import OutsideSystem

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        os.environ.get("CXC_TEST_COMPOSE") != "1",
        reason="builds images and takes minutes: set CXC_TEST_COMPOSE=1 where a Docker engine is",
    ),
]

T = TypeVar("T")

ROOT: Final = Path(__file__).resolve().parents[2]
PORTS: Final = ("kafka", "mongo", "mail", "issuer", *SERVICES)
SERVERS: Final = ("kafka", "mongo", "mailpit", "issuer")
WORKERS: Final = tuple(f"{service}-worker" for service in SERVICES)
APIS: Final = tuple(f"{service}-api" for service in SERVICES)
WITHIN_S: Final = 300.0


@dataclass
class Stack:
    """One compose project of its own: its name, ports and image tag are nobody else's."""

    project: str = field(default_factory=lambda: f"cxc-test-{uuid.uuid4().hex[:8]}")
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in PORTS})

    @property
    def environment(self) -> dict[str, str]:
        ports = {f"CXC_PORT_{name.upper()}": str(port) for name, port in self.ports.items()}
        return {**os.environ, **ports, "CXC_TAG": self.project}

    def compose(self, *arguments: str, checked: bool = True) -> str:
        """`docker compose …` on this project; its standard output."""
        command = ["docker", "compose", "--project-directory", str(ROOT), "--project-name", self.project]
        return run([*command, *arguments], self.environment, checked=checked)

    def cxc(self, *arguments: str, given: str = "", checked: bool = True) -> str:
        """`cxc …` on this machine, told by its settings where the stack's servers are."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CXC_")}
        environment["CXC_KAFKA_BOOTSTRAP"] = f"localhost:{self.ports['kafka']}"
        environment["CXC_MONGO_URL"] = f"mongodb://localhost:{self.ports['mongo']}/?directConnection=true"
        command = [str(Path(sys.executable).with_name("cxc")), *arguments]
        return run(command, environment, given=given, checked=checked)

    def publish(self, outside: OutsideSystem, references: Iterable[str]) -> None:
        """Publish one eligible visitor of HempClub a reference."""
        events = [
            outside.event(reference, outside.visitor(reference, partnership="hempclub")).value.decode()
            for reference in references
        ]
        self.cxc("publish", "-", given="\n".join(events))

    def drained(self) -> bool:
        """Whether every service works and all that was published has had its effect."""
        status = json.loads(self.cxc("status", "--json", checked=False))
        behind = sum(sum(group["behind"].values()) for group in status["consumption"].values())
        unpublished = sum(outbox["rows"] for outbox in status["outboxes"].values())
        return bool(status["ready"]) and not behind and not unpublished

    def mails_to(self, domain: str) -> Counter[str]:
        """How many mails each address below this domain got."""
        found: Counter[str] = Counter()
        while True:
            page = self.get("mail", f"/api/v1/messages?limit=500&start={found.total()}").json()
            if not page["messages"]:
                return Counter({address: n for address, n in found.items() if address.endswith(domain)})
            found.update(mail["To"][0]["Address"] for mail in page["messages"])

    def get(self, name: str, path: str, token: str | None = None) -> httpx.Response:
        """What the published port answers."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.get(f"http://localhost:{self.ports[name]}{path}", headers=headers, timeout=30)

    def token(self, *role: str) -> str:
        """A token of the stack's issuer, as its operator gets one."""
        return self.compose("exec", "-T", "issuer", "cxc", "token", *role).strip()

    def containers(self, *services: str) -> dict[str, dict[str, Any]]:
        """The services' containers by their ids, stopped ones too, as `docker inspect` shows them."""
        ids = self.compose("ps", "--all", "--quiet", *services).split()
        return {one["Id"]: one for one in json.loads(run(["docker", "inspect", *ids]))} if ids else {}

    def healthy(self, *services: str) -> bool:
        found = self.containers(*services).values()
        return all(one["State"].get("Health", {}).get("Status") == "healthy" for one in found)


def run(
    command: list[str], environment: dict[str, str] | None = None, *, given: str = "", checked: bool = True
) -> str:
    done = subprocess.run(command, input=given, env=environment, capture_output=True, text=True, check=False)
    assert not checked or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def eventually(what: str, condition: Callable[[], T]) -> T:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + WITHIN_S
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {WITHIN_S:.0f} s: {what}; at last {answer!r}"
        time.sleep(0.5)
    return answer


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The whole platform in containers, healthy."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], check=False).returncode
    ):
        pytest.skip("there is no `docker compose` on this machine")
    named = re.findall(r"^ +image: (\S+)$", (ROOT / "docker-compose.yml").read_text(), re.MULTILINE)
    public = {image for image in named if not image.startswith("clusterxchange/")}
    if missing := why_not_had("python:3.12-slim-bookworm", *public):
        pytest.skip(missing)
    stack = Stack()
    try:
        stack.compose("up", "--build", "--detach", "--wait")
        yield stack
    finally:
        images = set(stack.compose("config", "--images", checked=False).split()) - public
        stack.compose("down", "--volumes", "--remove-orphans", checked=False)
        run(["docker", "image", "rm", *images], checked=False)
    ours = ["--quiet", "--filter", f"label=com.docker.compose.project={stack.project}"]
    for kind in (["container", "ls", "--all"], ["volume", "ls"], ["network", "ls"]):
        assert not run(["docker", *kind, *ours]), f"left behind: {kind[0]}s of {stack.project}"


def test_a_registration_published_from_outside_becomes_a_mail_and_shows_in_the_api(stack: Stack) -> None:
    outside = OutsideSystem("", "compose")
    event = outside.event("one", outside.visitor("one", partnership="hempclub"))
    said = stack.cxc("publish", "-", "--follow", "--within", str(WITHIN_S), given=event.value.decode())
    assert "eligible" in said

    token = stack.compose(
        "exec", "-T", "issuer", "cxc", "token", "staff", "--partnership", "hempclub"
    ).strip()
    path = f"/registrations/{outside.registration_id('one')}"
    assert stack.get("registration", path).status_code == 401
    registration = stack.get("registration", path, token).json()
    assert registration["state"] == "accepted", registration

    mails = eventually("a mail", lambda: stack.mails_to(f"{outside.name}.example"))
    assert mails == {outside.address("one"): 1}


def test_every_service_answers_on_its_port_and_takes_the_issuer_s_tokens(stack: Stack) -> None:
    token = stack.token("auditor")
    for service in SERVICES:
        assert stack.get(service, "/ready").status_code == 200
        assert stack.get(service, "/docs").status_code == 200
    assert stack.get("matching", "/matches").status_code == 401
    assert stack.get("matching", "/matches", token).status_code == 200


def test_the_command_line_finds_everything_ready_inside_and_outside(stack: Stack) -> None:
    assert "Everything is ready." in stack.compose("exec", "-T", "issuer", "cxc", "status")
    status = json.loads(stack.cxc("status", "--json"))
    assert status["ready"], status["wrong"]
    assert {service: group["workers"] for service, group in status["consumption"].items()} == dict.fromkeys(
        SERVICES, 1
    )


def test_creating_the_topics_again_changes_nothing(stack: Stack) -> None:
    assert "0 created" in stack.compose("run", "--rm", "-T", "topics")


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_its_own_service_only_and_does_not_run_as_root(stack: Stack, service: str) -> None:
    found = stack.compose(
        "exec", "-T", f"{service}-api", "sh", "-c", "id -u; ls services; ls; touch x || echo no"
    )
    user, *rest = found.split()
    assert user != "0"
    assert rest == ["__init__.py", service, "services", "shared", "no"]


def test_workers_are_added_and_killed_and_nothing_is_lost_or_doubled(stack: Stack) -> None:
    two = ("--scale", "registration-worker=2")
    stack.compose("up", "--detach", "--no-deps", "--no-recreate", *two, "registration-worker")
    eventually("two workers", lambda: stack.healthy("registration-worker"))

    outside = OutsideSystem("", "crowd")
    references = [f"r{number}" for number in range(300)]
    stack.publish(outside, references)
    killed = ("registration-worker", "matching-worker", "funding-worker")
    for worker in killed:
        # The kernel lets nobody inside kill a container's first process; that one only waits for this one.
        kill = "kill -9 $(cat /proc/1/task/1/children)"
        stack.compose("exec", "-T", worker, "sh", "-c", kill, checked=False)

    expected = dict.fromkeys(map(outside.address, references), 1)
    eventually("all mails", lambda: len(stack.mails_to(f"{outside.name}.example")) == len(expected))
    eventually("nothing left to do", stack.drained)
    assert stack.mails_to(f"{outside.name}.example") == expected
    eventually("all workers healthy again", lambda: stack.healthy(*WORKERS))
    assert sum(one["RestartCount"] for one in stack.containers(*killed).values()) == len(killed)


def test_one_service_is_replaced_alone_and_the_others_do_not_notice(stack: Stack) -> None:
    funding = ("funding-worker", "funding-api")
    others = [name for name in (*SERVERS, *APIS, *WORKERS) if name not in funding]
    before, replaced = stack.containers(*others), stack.containers(*funding)
    stack.compose("stop", *funding)
    outside = OutsideSystem("", "meanwhile")
    stack.publish(outside, ["one"])
    eventually("a mail without funding", lambda: stack.mails_to(f"{outside.name}.example"))

    stack.compose(
        "up", "--detach", "--no-deps", "--build", "--force-recreate", "funding-worker", "funding-api"
    )
    eventually("funding healthy", lambda: stack.healthy(*funding))
    after = stack.containers(*others)
    assert not replaced.keys() & stack.containers(*funding).keys()
    assert {id: one["State"]["StartedAt"] for id, one in after.items()} == {
        id: one["State"]["StartedAt"] for id, one in before.items()
    }


def test_all_processes_end_in_order_within_their_time_and_find_their_data_again(stack: Stack) -> None:
    stack.compose("stop")
    ended = {one["Name"]: one["State"] for one in stack.containers().values()}
    assert not [name for name, state in ended.items() if state["ExitCode"] == 137 or state["OOMKilled"]], (
        ended
    )

    stack.compose("down", "--remove-orphans")
    stack.compose("up", "--detach", "--wait")
    token = stack.token("auditor")
    found = stack.get("registration", "/registrations", token).json()["items"]
    assert found
