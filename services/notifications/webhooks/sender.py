"""Makes the requests, each to an address that was checked when it was connected to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult

from services.notifications.webhooks.addresses import Destinations, NotThere, host_of
from services.notifications.webhooks.schedule import Answer, why_not_taken
from shared.contracts.envelope import STRUCTURED

_log = structlog.get_logger(__name__)

_KEPT_BYTES: Final = 512
"""Of an answer, for the log."""
_IDLE_S: Final = 2.0
"""Connections are kept for so long: less than servers do, so that none is closed under a request."""
_LOOKUPS: Final = 64
"""Names looked up at the same time; one that nobody answers for holds a thread for a while."""
_HEADERS: Final = {
    "Content-Type": STRUCTURED,
    "User-Agent": "ClusterXchange-Webhooks/1",
    # The answer's beginning is kept as it comes; what is packed could be larger than it looks.
    "Accept-Encoding": "identity",
}


_NOT_IN_PUBLIC: Final = "it cannot be looked up, or leads to an address that webhooks do not go to"
"""The same for both: nobody learns here which names there are inside, and where they lead."""


class _NotConnectedTo(OSError):
    """The address is none that webhooks go to."""


class Posts(Protocol):
    """What makes one request and says what came of it; it raises nothing."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], at: datetime) -> Answer: ...


class Sender:
    """Posts over connections of its own; made inside a running loop, and to be closed there."""

    def __init__(
        self,
        destinations: Destinations,
        *,
        timeout_s: float,
        ca_file: Path | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._destinations = destinations
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="webhook-names")
        trusted = ssl.create_default_context()
        if ca_file is not None:
            trusted.load_verify_locations(ca_file)
        # Two, since a socket is opened before anything says whether TLS follows.
        self._sessions = {
            scheme: aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=trusted,
                    limit=0,
                    use_dns_cache=False,
                    keepalive_timeout=_IDLE_S,
                    resolver=resolver or _Names(self._threads),
                    socket_factory=self._open_plain if scheme == "http" else self._open,
                ),
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
            for scheme in ("https", "http")
        }

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], at: datetime) -> Answer:
        """One attempt; whatever happens is in the answer."""
        started = time.monotonic()
        status, said, why, retry_after = None, "", None, None
        try:
            # What was right when it was given may be no longer, by the settings.
            self._destinations.check_url(url)
            session = self._sessions[url[: url.index(":")].lower()]
            async with session.post(
                url, data=body, headers={**_HEADERS, **headers}, allow_redirects=False
            ) as response:
                status = response.status
                said = (await _beginning(response)).decode("utf-8", "replace")
                why = why_not_taken(status, _said_in(response, "Location"))
                retry_after = _said_in(response, "Retry-After")[:100] or None
        except Exception as error:  # noqa: BLE001 - whatever a stranger's server does is an answer
            why = self._reason(error, url)
        took = int((time.monotonic() - started) * 1000)
        return Answer(at=at, ms=took, status=status, said=said, why=why, retry_after=retry_after)

    async def close(self) -> None:
        """Let the connections go."""
        for session in self._sessions.values():
            await session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _open(self, target: Any) -> socket.socket:
        return self._checked(target, plain=False)

    def _open_plain(self, target: Any) -> socket.socket:
        return self._checked(target, plain=True)

    def _checked(self, target: Any, *, plain: bool) -> socket.socket:
        """A socket for the address that is about to be connected to: nothing is looked up after this."""
        family, kind, protocol, _, (host, port, *_) = target
        try:
            self._destinations.check(ip_address(str(host).partition("%")[0]), port, plain=plain)
        except NotThere as error:
            _log.info("webhook_not_connected", reason=str(error))
            raise _NotConnectedTo(_NOT_IN_PUBLIC) from None
        return socket.socket(family, kind, protocol)

    def _reason(self, error: Exception, url: str) -> str:
        host = host_of(url)
        match error:
            case TimeoutError():
                return f"No answer within {self._timeout_s:g} seconds."
            case NotThere():
                return f"Not sent: {error}."
            case aiohttp.ClientConnectorCertificateError():
                return f"The certificate of {host} does not hold: {error.certificate_error}."
            case aiohttp.ClientConnectorDNSError():
                return f"Not sent to {host}: {_NOT_IN_PUBLIC}."
            case aiohttp.ClientSSLError():
                return f"No TLS connection to {host}: {error.os_error}."
            case aiohttp.ClientConnectorError():
                refused = isinstance(error.os_error, _NotConnectedTo)
                return f"{'Not sent' if refused else 'No connection'} to {host}: {error.os_error}."
            case aiohttp.ClientResponseError():
                return "What came back is no HTTP answer."
            case aiohttp.ClientError():
                return "The connection broke before the answer was there."
            case _:
                return f"Not sent: {type(error).__name__}."


class _Names(AbstractResolver):
    """Looks names up in threads of its own: slow ones must not hold up what else runs in threads here."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        )
        return [
            ResolveResult(
                hostname=host, host=str(place[0]), port=int(place[1]), family=of, proto=proto, flags=0
            )
            for of, _, proto, _, place in found
        ]

    async def close(self) -> None:
        """Nothing to let go of: the threads are the sender's."""


def _said_in(response: aiohttp.ClientResponse, header: str) -> str:
    # Bytes that are no text come as halves of characters, which cannot be stored.
    return response.headers.get(header, "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first bytes of the body; what else there is goes with the connection."""
    kept = b""
    while len(kept) < _KEPT_BYTES and (chunk := await response.content.read(_KEPT_BYTES - len(kept))):
        kept += chunk
    if not response.content.at_eof():
        response.close()
    return kept
