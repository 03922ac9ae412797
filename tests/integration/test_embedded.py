"""The embedded servers and the processes around them: they keep what they took, and leave nobody behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import jwt
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo import AsyncMongoClient

from ops.embedded.kafka import KafkaServer
from ops.embedded.mail_sink import MailFile
from ops.embedded.mongo import MongoServer
from ops.issuer import AUDIENCE, issue_token
from ops.platform import AlreadyRunning, Platform, Ports, running
from ops.processes import Child, ProcessFailed, free_port, is_free, started_at
from ops.topics import TopicsNotApplied, apply_topics
from shared.messaging.topics import ServiceName, Topic, all_topics
from tests.conftest import MakeTopic, Servers

pytestmark = pytest.mark.integration

_READY_PAGE = textwrap.dedent("""
    import http.server, sys
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
        def log_message(self, *a): pass
    print("listening", flush=True)
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
""")


class SmallPlatform(Platform):
    """A platform of cheap children: no Kafka, and each service's processes serve one page."""

    def __init__(self, state: Path, services: tuple[ServiceName, ...] = ("registration",)) -> None:
        self.said: list[str] = []
        super().__init__(
            state,
            ports=Ports.any(),
            servers=("mail", "issuer"),
            services=services,
            kafka_bootstrap="127.0.0.1:1",
            mongo_url="mongodb://127.0.0.1:1",
            say=self.said.append,
        )

    def _create_topics(self) -> None: ...

    def _api(self, service: ServiceName) -> Child:
        return self._page(f"{service}-api")

    def _worker(self, service: ServiceName, name: str) -> Child:
        return self._page(name)

    def _page(self, name: str) -> Child:
        port = self.port(name)
        return Child(
            name,
            [sys.executable, "-c", _READY_PAGE, str(port)],
            self.log_directory / f"{name}.log",
            ready_url=f"http://127.0.0.1:{port}/ready",
        )


def wait_for(condition: Callable[[], bool], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


async def published(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send_and_wait(topic, value)


async def first_value(bootstrap: str, topic: str) -> bytes | None:
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(30):
            value: bytes | None = (await consumer.getone()).value
            return value


async def test_kafka_keeps_its_messages_over_a_kill_and_on_another_port(tmp_path: Path) -> None:
    kafka = KafkaServer(tmp_path)
    try:
        await asyncio.to_thread(kafka.start)
        await apply_topics(kafka.bootstrap, topics=[Topic("kept", 1)])
        await published(kafka.bootstrap, "kept", b"still here")
        await asyncio.to_thread(kafka.kill)
        await asyncio.to_thread(kafka.start)
        assert await first_value(kafka.bootstrap, "kept") == b"still here"
        await asyncio.to_thread(kafka.stop)
        kafka = KafkaServer(tmp_path)
        await asyncio.to_thread(kafka.start)
        assert await first_value(kafka.bootstrap, "kept") == b"still here"
    finally:
        kafka.kill()


async def test_mongodb_keeps_its_documents_over_a_kill_and_on_another_port(tmp_path: Path) -> None:
    mongo = MongoServer(tmp_path)
    try:
        await asyncio.to_thread(mongo.start)
        async with (
            AsyncMongoClient[dict[str, object]](mongo.url) as client,
            client.start_session() as session,
        ):
            async with await session.start_transaction():
                await client.kept.things.insert_one({"_id": 1}, session=session)
            await asyncio.to_thread(mongo.kill)
            await asyncio.to_thread(mongo.start)
            # The same client: its pool has to find the server again.
            assert await client.kept.things.find_one() == {"_id": 1}
        await asyncio.to_thread(mongo.stop)
        mongo = MongoServer(tmp_path)
        await asyncio.to_thread(mongo.start)
        async with AsyncMongoClient[dict[str, object]](mongo.url) as client:
            await client.kept.things.insert_one({"_id": 2})
            assert await client.kept.things.count_documents({}) == 2
            limit = await client.admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
            assert limit["transactionLifetimeLimitSeconds"] == 15
    finally:
        mongo.kill()


async def test_the_session_s_servers_are_at_the_same_address_after_a_kill(
    servers: Servers, make_topic: MakeTopic, database: str
) -> None:
    topic = await make_topic("survives")
    await published(servers.kafka_bootstrap, topic, b"1")
    async with AsyncMongoClient[dict[str, object]](servers.mongo_url) as client:
        await client[database].things.insert_one({"_id": 1})
        for name in ("kafka", "mongo"):
            await asyncio.to_thread(servers.kill, name)
            await asyncio.to_thread(servers.start, name)
        assert await client[database].things.find_one() == {"_id": 1}
    assert await first_value(servers.kafka_bootstrap, topic) == b"1"


async def test_a_server_that_cannot_start_says_why_and_where_its_log_is(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        mongo = MongoServer(tmp_path, holder.getsockname()[1])
        with pytest.raises(
            ProcessFailed, match=r"ended with .* while starting; its log .*mongo\.log"
        ) as failed:
            await asyncio.to_thread(mongo.start)
    assert "Address already in use" in str(failed.value)


async def test_topics_are_created_once_and_differences_are_said(
    kafka_bootstrap: str, unique: Callable[[str], str]
) -> None:
    kept, other = Topic(unique("kept"), config={"retention.ms": "1000"}), Topic(unique("other"), partitions=1)
    first = await apply_topics(kafka_bootstrap, 3, topics=[kept, other])
    assert (first.created, first.present, first.differing) == ([kept.name, other.name], [], {})
    second = await apply_topics(kafka_bootstrap, 3, topics=[kept, other])
    assert (second.created, second.present) == ([], [kept.name, other.name])
    changed = Topic(kept.name, config={"retention.ms": "2000"})
    third = await apply_topics(kafka_bootstrap, 6, topics=[changed])
    assert third.differing == {
        kept.name: ["has 3 partitions instead of 6", "has retention.ms=1000 instead of 2000"]
    }


async def test_a_cluster_takes_the_platform_s_topics_and_says_what_it_refuses(kafka_bootstrap: str) -> None:
    await apply_topics(kafka_bootstrap)
    assert len((await apply_topics(kafka_bootstrap)).present) == len(list(all_topics()))
    with pytest.raises(TopicsNotApplied, match="no blanks"):
        await apply_topics(kafka_bootstrap, topics=[Topic("no blanks")])


@pytest.fixture
def mail_sink(tmp_path: Path) -> Iterator[tuple[Child, int, httpx.Client]]:
    smtp, web = free_port(), free_port()
    where = ["--smtp-port", str(smtp), "--http-port", str(web), "--directory", str(tmp_path)]
    sink = Child(
        "mail",
        [sys.executable, "-m", "ops.embedded.mail_sink", *where],
        tmp_path / "mail.log",
        ready_url=f"http://127.0.0.1:{web}/readyz",
    )
    sink.start()
    try:
        sink.wait_until(lambda: sink.is_ready, within_s=30)
        with httpx.Client(base_url=f"http://127.0.0.1:{web}") as client:
            yield sink, smtp, client
    finally:
        sink.kill()


def a_mail(to: str, subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ClusterXchange <no-reply@cxc.example>", to, subject
    mail["Message-ID"] = f"<{subject.encode().hex()}@cxc.example>"
    mail.set_content(f"Good day,\n\n{subject}\n.\nwith a line of one dot, žluťoučký\n")
    mail.add_alternative(f"<p>{subject}</p><script>alert(1)</script>", subtype="html")
    return mail


async def test_mails_are_read_as_mailpit_gives_them_and_found_again_after_a_kill(
    mail_sink: tuple[Child, int, httpx.Client],
) -> None:
    sink, port, web = mail_sink
    sent = [a_mail(f"desk@organisation-{number}.example", f"Accepted <b>{number}</b>") for number in (1, 2)]
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as smtp:
        for mail in sent:
            await smtp.send_message(mail)
    await asyncio.to_thread(sink.kill)
    sink.start()
    await asyncio.to_thread(sink.wait_until, lambda: sink.is_ready, 30)

    listed = web.get("/api/v1/messages", params={"start": 1, "limit": 10}).json()
    assert (listed["total"], len(listed["messages"])) == (2, 1)
    older = listed["messages"][0]
    assert older["Subject"] == "Accepted <b>1</b>"
    assert older["To"] == [{"Name": "", "Address": "desk@organisation-1.example"}]
    assert older["From"] == {"Name": "ClusterXchange", "Address": "no-reply@cxc.example"}
    assert f"<{older['MessageID']}>" == sent[0]["Message-ID"]

    read = web.get(f"/api/v1/message/{older['ID']}").json()
    assert "\r\n.\r\nwith a line of one dot, žluťoučký" in read["Text"]
    assert "<script>" in read["HTML"]
    assert b"Subject: Accepted <b>1</b>" in web.get(f"/api/v1/message/{older['ID']}/raw").content
    found = web.get("/api/v1/search", params={"query": "to:desk@organisation-2.example"}).json()
    assert [mail["Subject"] for mail in found["messages"]] == ["Accepted <b>2</b>"]

    page, view = web.get("/").text, web.get(f"/view/{older['ID']}").text
    assert "Accepted &lt;b&gt;1&lt;/b&gt;" in page
    assert "<script>" not in page + view
    assert "<iframe sandbox" in view

    assert web.get("/api/v1/message/unknown").status_code == 404
    assert web.delete("/api/v1/messages").status_code == 200
    assert web.get("/api/v1/messages").json()["total"] == 0


def test_a_mail_cut_off_by_a_crash_is_dropped_and_the_ones_before_it_stay(tmp_path: Path) -> None:
    path = tmp_path / "mails"
    MailFile(path).append("a@cxc.example", ["b@cxc.example"], b"Subject: whole\r\n\r\n")
    whole = path.read_bytes()
    MailFile(path).append("a@cxc.example", ["b@cxc.example"], b"Subject: cut\r\n\r\n")
    for length in range(len(whole), path.stat().st_size):
        path.write_bytes(path.read_bytes()[:length] if length > len(whole) else whole)
        reopened = MailFile(path)
        assert [reopened.parsed(mail)["Subject"] for mail in reopened.newest_first()] == ["whole"]


def test_a_token_is_verified_with_the_keys_the_issuer_serves(tmp_path: Path) -> None:
    with SmallPlatform(tmp_path, services=()) as platform:
        platform.start()
        token = issue_token(
            platform.issuer_key, issuer=platform.issuer_url, role="staff", partnership="hempclub"
        )
        configuration = httpx.get(f"{platform.issuer_url}/.well-known/openid-configuration").json()
        key = jwt.PyJWKClient(configuration["jwks_uri"]).get_signing_key_from_jwt(token)
        claims = jwt.decode(
            token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=configuration["issuer"]
        )
        assert (claims["cxc_role"], claims["cxc_partnership"]) == ("staff", "hempclub")
        assert "cxc_organisation" not in claims
        assert stat.S_IMODE(platform.issuer_key.stat().st_mode) == 0o600


def test_a_platform_starts_says_where_it_is_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with SmallPlatform(tmp_path, services=("registration", "funding")) as platform:
        platform.start()
        platform.wait_ready()
        names = ["mail", "issuer"]
        names += [
            f"{service}-{part}" for service in ("registration", "funding") for part in ("api", "worker")
        ]
        run = running(tmp_path)
        assert run is not None
        assert sorted(run["processes"]) == sorted(names)
        assert run["environment"]["CXC_ISSUER"] == platform.issuer_url
        with pytest.raises(AlreadyRunning, match=f"already runs on .* \\(process {os.getpid()},"):
            SmallPlatform(tmp_path).start()
        second = platform.start_worker("funding")
        platform.wait_ready()
        run = running(tmp_path)
        assert run is not None
        assert run["processes"][second]["port"] not in (
            run["processes"]["funding-worker"]["port"],
            run["processes"]["registration-worker"]["port"],
        )
    assert running(tmp_path) is None
    assert [p["pid"] for p in run["processes"].values() if started_at(p["pid"]) == p["started"]] == []
    assert not platform.run_file.exists()


def test_a_child_that_dies_is_reported_and_started_again_and_one_that_was_killed_on_purpose_is_not(
    tmp_path: Path,
) -> None:
    with SmallPlatform(tmp_path) as platform:
        platform.start()
        platform.wait_ready()
        platform.kill("registration-api")
        worker = platform.children["registration-worker"]
        first = worker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: worker.alive and worker.pid != first)
        assert "registration-worker ended by itself with -9" in platform.said[0]
        assert "listening" in platform.said[0]
        assert not platform.children["registration-api"].alive
        platform.start_one("registration-api")
        platform.wait_ready()


def test_a_platform_whose_child_keeps_dying_says_so_with_its_log(tmp_path: Path) -> None:
    class Broken(SmallPlatform):
        def _api(self, service: ServiceName) -> Child:
            says = [sys.executable, "-c", "import sys; sys.exit('no such setting')"]
            log = self.log_directory / "registration-api.log"
            return Child("registration-api", says, log, ready_url=f"http://127.0.0.1:{free_port()}")

    with Broken(tmp_path) as platform:
        platform.start()
        with pytest.raises(ProcessFailed, match="no such setting"):
            platform.wait_ready(within_s=30)


def test_a_start_that_fails_half_way_stops_what_had_started(tmp_path: Path) -> None:
    class HalfBroken(SmallPlatform):
        def _server_children(self) -> Iterator[Child]:
            yield from super()._server_children()
            yield Child(
                "broken",
                [sys.executable, "-c", "import sys; sys.exit('broken disk')"],
                tmp_path / "broken.log",
                ready_url=f"http://127.0.0.1:{free_port()}",
            )

    platform = HalfBroken(tmp_path)
    with pytest.raises(ProcessFailed, match="broken disk"), platform:
        platform.start()
    assert is_free(platform.port("mail"))
    assert running(tmp_path) is None


def test_a_taken_port_is_replaced_and_said(tmp_path: Path) -> None:
    taken = free_port()
    holder = Child("holder", [sys.executable, "-c", _READY_PAGE, str(taken)], tmp_path / "holder.log")
    holder.ready_url = f"http://127.0.0.1:{taken}/"
    holder.start()
    try:
        holder.wait_until(lambda: holder.is_ready, within_s=30)
        said: list[str] = []
        platform = Platform(tmp_path, ports=Ports(mail=taken), say=said.append)
        assert platform.port("mail") != taken
        assert said == [f"Port {taken} is taken: mail listens on {platform.port('mail')}."]
    finally:
        holder.kill()


_RUN = """
import sys, threading
from pathlib import Path
from tests.integration.test_embedded import SmallPlatform
with SmallPlatform(Path(sys.argv[1])) as platform:
    platform.start()
    threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_children_end_with_their_parent_however_it_ends_and_the_state_can_be_used_again(
    tmp_path: Path, number: signal.Signals
) -> None:
    parent = subprocess.Popen([sys.executable, "-c", _RUN, str(tmp_path)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: running(tmp_path) is not None)
        run = json.loads((tmp_path / "run.json").read_text())
        assert {"mail", "issuer", "registration-api", "registration-worker"} == set(run["processes"])
        parent.send_signal(number)
        parent.wait(30)
        for child in run["processes"].values():
            wait_for(lambda child=child: started_at(child["pid"]) != child["started"])  # type: ignore[misc]
        assert running(tmp_path) is None
        with SmallPlatform(tmp_path) as platform:
            platform.start()
            platform.wait_ready()
    finally:
        parent.kill()
        parent.wait()
