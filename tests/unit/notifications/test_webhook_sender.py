"""One request to a webhook endpoint: real servers on loopback, in every state they can be in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from services.notifications.webhooks.addresses import Destinations, networks_of
from services.notifications.webhooks.schedule import Answer
from services.notifications.webhooks.sender import Sender
from tests.builders import A_MOMENT
from tests.receivers import Received, Receiver, authority_file

LOOPBACK = networks_of("127.0.0.0/8")
NOT_IN_PUBLIC = "it cannot be looked up, or leads to an address that webhooks do not go to."


class Names(AbstractResolver):
    """Names with the addresses a test gives them, one list after the other; the last one stays."""

    def __init__(self, *found: list[str]) -> None:
        self._found = list(found)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self._found.pop(0) if len(self._found) > 1 else self._found[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def a_sender(
    receiver: Receiver, directory: Path, *, names: AbstractResolver | None = None, allowed: bool = True
) -> AsyncIterator[Sender]:
    """A sender that trusts the tests' authority and may reach the receiver's port."""
    destinations = Destinations(LOOPBACK if allowed else (), frozenset({receiver.port}), plain_http=True)
    sender = Sender(destinations, timeout_s=5, ca_file=authority_file(directory), resolver=names)
    try:
        yield sender
    finally:
        await sender.close()


async def sent(sender: Sender, url: str, body: bytes = b'{"a":1}') -> Answer:
    return await sender.post(url, body, {"webhook-id": "w-1"}, A_MOMENT)


async def test_a_success_is_a_post_of_the_body_with_its_headers(tmp_path: Path) -> None:
    async with Receiver().listening() as receiver, a_sender(receiver, tmp_path) as sender:
        answer = await sent(sender, receiver.url())
    assert (answer.status, answer.why, answer.taken) == (204, None, True)
    [received] = receiver.received
    assert received.body == b'{"a":1}'
    assert received.headers["webhook-id"] == "w-1"
    assert received.headers["content-type"] == "application/cloudevents+json"
    assert "cookie" not in received.headers


async def test_the_beginning_of_an_answer_is_kept_and_no_more_is_read(tmp_path: Path) -> None:
    def endless(_: Received) -> web.Response:
        return web.Response(status=200, body=b"x" * 50_000_000)

    async with Receiver(answers=[endless]).listening() as receiver, a_sender(receiver, tmp_path) as sender:
        answer = await sent(sender, receiver.url())
    assert answer.taken
    assert answer.said == "x" * 512


async def test_what_is_no_text_is_kept_as_text_all_the_same(tmp_path: Path) -> None:
    def bytes_only(_: Received) -> web.Response:
        return web.Response(status=500, body=b"\xff\x00\xfe")

    async with Receiver(answers=[bytes_only]).listening() as receiver, a_sender(receiver, tmp_path) as sender:
        answer = await sent(sender, receiver.url())
    assert answer.why == "It answered 500; 2xx would have been a success."
    assert "�" in answer.said


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    def elsewhere(_: Received) -> web.Response:
        return web.Response(status=307, headers={"Location": "https://127.0.0.1/private"})

    async with Receiver(answers=[elsewhere]).listening() as receiver, a_sender(receiver, tmp_path) as sender:
        answer = await sent(sender, receiver.url())
    assert answer.status == 307
    assert answer.why is not None
    assert "redirects to https://127.0.0.1/private" in answer.why
    assert len(receiver.received) == 1


async def test_a_server_that_hangs_is_given_up_in_time(tmp_path: Path) -> None:
    receiver = Receiver()
    async with receiver.listening():
        receiver.open.clear()
        destinations = Destinations(LOOPBACK, frozenset({receiver.port}))
        sender = Sender(destinations, timeout_s=0.3, ca_file=authority_file(tmp_path))
        answer = await sent(sender, receiver.url())
        await sender.close()
    assert answer.why == "No answer within 0.3 seconds."
    assert answer.status is None
    assert answer.ms >= 300


async def raw(said: bytes) -> tuple[asyncio.Server, int]:
    """A server that says this to whoever connects, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("scheme", "said", "why"),
    [
        ("https", b"HTTP/1.1 200 OK\r\n\r\n", "No TLS connection to 127.0.0.1"),
        ("http", b"SSH-2.0-sample\r\n", "What came back is no HTTP answer."),
        ("http", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "What came back is no HTTP answer."),
        ("http", b"", "The connection broke before the answer was there."),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "The connection broke"),
    ],
)
async def test_what_is_no_answer_is_told_as_that(scheme: str, said: bytes, why: str, tmp_path: Path) -> None:
    server, port = await raw(said)
    async with server, a_sender(Receiver(port), tmp_path) as sender:
        answer = await sent(sender, f"{scheme}://127.0.0.1:{port}/")
    assert answer.why is not None
    assert answer.why.startswith(why)
    assert not answer.taken


async def test_what_an_answer_s_head_says_can_be_stored_whatever_its_bytes(tmp_path: Path) -> None:
    server, port = await raw(
        b"HTTP/1.1 302 Go\r\nLocation: /\xff\x01\r\nRetry-After: \xff\r\nContent-Length: 0\r\n\r\n"
    )
    async with server, a_sender(Receiver(port), tmp_path) as sender:
        answer = await sent(sender, f"http://127.0.0.1:{port}/")
    assert not answer.taken
    assert orjson.loads(orjson.dumps(answer.model_dump(mode="json"))) == answer.model_dump(mode="json")


async def test_nobody_listening_is_told_as_that(tmp_path: Path) -> None:
    server, port = await raw(b"")
    server.close()
    await server.wait_closed()
    async with a_sender(Receiver(port), tmp_path) as sender:
        answer = await sent(sender, f"https://127.0.0.1:{port}/")
    assert answer.why is not None
    assert answer.why.startswith(f"No connection to 127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("authority", "names"),
    [(trustme.CA(), ("127.0.0.1",)), (None, ("another.example",))],
    ids=["of an unknown authority", "for another name"],
)
async def test_a_certificate_that_does_not_hold_gets_nothing(
    authority: trustme.CA | None, names: tuple[str, ...], tmp_path: Path
) -> None:
    receiver = Receiver()
    given = {"authority": authority} if authority else {}
    async with receiver.listening(**given, names=names), a_sender(receiver, tmp_path) as sender:
        answer = await sent(sender, receiver.url())
    assert answer.why is not None
    assert answer.why.startswith(f"The certificate of 127.0.0.1:{receiver.port} does not hold")
    assert receiver.received == []


# ── where it connects to ─────────────────────────────────────────────────────────────────────


async def test_a_name_is_sent_to_by_its_address_under_its_own_name(tmp_path: Path) -> None:
    async with (
        Receiver().listening(names=("crm.example",)) as receiver,
        a_sender(receiver, tmp_path, names=Names(["127.0.0.1"])) as sender,
    ):
        answer = await sent(sender, receiver.url("crm.example"))
    assert answer.taken
    assert receiver.received[0].headers["host"] == f"crm.example:{receiver.port}"


@pytest.mark.parametrize(
    "found",
    [["127.0.0.1"], ["::ffff:127.0.0.1"], ["::1"], ["0.0.0.0"], ["127.0.0.1", "::1"], ["169.254.169.254"]],
    ids=str,
)
async def test_a_name_that_leads_inside_gets_no_connection(found: list[str], tmp_path: Path) -> None:
    async with (
        Receiver().listening() as receiver,
        a_sender(receiver, tmp_path, names=Names(found), allowed=False) as sender,
    ):
        answer = await sent(sender, receiver.url("crm.example"))
    assert answer.why == f"Not sent to crm.example:{receiver.port}: {NOT_IN_PUBLIC}"
    assert receiver.received == []


async def test_a_name_that_changes_its_address_is_looked_at_each_time(tmp_path: Path) -> None:
    # The first address is allowed, and nobody listens there; the second leads inside: DNS rebinding.
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    async with Receiver().listening() as receiver:
        destinations = Destinations(networks_of("127.0.0.2/32"), frozenset({receiver.port}))
        sender = Sender(destinations, timeout_s=5, ca_file=authority_file(tmp_path), resolver=names)
        first = await sent(sender, receiver.url("crm.example"))
        second = await sent(sender, receiver.url("crm.example"))
        await sender.close()
    assert first.why is not None
    assert first.why.startswith("No connection")
    assert second.why == f"Not sent to crm.example:{receiver.port}: {NOT_IN_PUBLIC}"
    assert receiver.received == []


@pytest.mark.parametrize(
    "written",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
    ],
)
async def test_loopback_is_not_reached_however_it_is_written(written: str, tmp_path: Path) -> None:
    async with Receiver().listening() as receiver, a_sender(receiver, tmp_path, allowed=False) as sender:
        answer = await sent(sender, receiver.url(written))
    assert not answer.taken
    assert receiver.received == []


async def test_http_goes_to_allowed_networks_alone(tmp_path: Path) -> None:
    async with Receiver().listening(authority=None) as receiver:
        async with a_sender(receiver, tmp_path) as sender:
            assert (await sent(sender, receiver.url(scheme="http"))).taken
        async with a_sender(receiver, tmp_path, allowed=False, names=Names(["127.0.0.1"])) as sender:
            answer = await sent(sender, receiver.url("crm.example", "http"))
    assert answer.why == f"Not sent to crm.example:{receiver.port}: {NOT_IN_PUBLIC}"
    assert len(receiver.received) == 1


async def test_a_name_that_nobody_knows_is_told_no_other_than_one_that_leads_inside(tmp_path: Path) -> None:
    class Nobody(Names):
        async def resolve(self, *given: object, **more: object) -> list[ResolveResult]:
            raise OSError("no such name")

    async with a_sender(Receiver(443), tmp_path, names=Nobody([])) as sender:
        answer = await sent(sender, "https://nowhere.example/")
    assert answer.why == f"Not sent to nowhere.example: {NOT_IN_PUBLIC}"


async def test_a_proxy_of_the_environment_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    async with Receiver().listening() as receiver, a_sender(receiver, tmp_path) as sender:
        assert (await sent(sender, receiver.url())).taken
