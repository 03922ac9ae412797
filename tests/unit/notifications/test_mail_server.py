"""How the mail server is reached, with a real one to reach: encrypted and logged in, or not at all."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr

from services.notifications.conversation import Conversation
from services.notifications.mail_server import Away, ServerAway, smtp_of
from tests.unit.notifications.certificates import Certificates, certificates_in
from tests.unit.notifications.serving import settings_with

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

LETTER = b"Subject: Hello\r\n\r\nHello.\r\n"


class Sink:
    """Keeps what it accepts."""

    def __init__(self) -> None:
        self.accepted: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.accepted.append(envelope.content)
        return "250 OK"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates_in(tmp_path_factory.mktemp("certificates"))


def only_known(server: SMTP, session: Session, envelope: Envelope, mechanism: str, sent: Any) -> AuthResult:
    known = isinstance(sent, LoginPassword) and (sent.login, sent.password) == (b"cxc", b"right")
    return AuthResult(success=known, handled=False, message=None if known else "535 5.7.8 Not you")


@asynccontextmanager
async def listening(
    sink: Sink, certificate: Path | None, *, tls: str, login: bool = False
) -> AsyncIterator[int]:
    """A mail server with this certificate: `tls` from the first byte, or `starttls`, or `none`."""
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    offered: dict[str, Any] = {}
    if tls == "starttls":
        offered = {"tls_context": context, "require_starttls": True}
    if login:
        offered |= {"authenticator": only_known, "auth_required": True, "auth_require_tls": tls == "starttls"}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(sink, hostname="mail.example", loop=loop, **offered),
        "127.0.0.1",
        0,
        ssl=context if tls == "tls" else None,
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def send(port: int, certificates: Certificates | None = None, **given: Any) -> None:
    settings = settings_with(
        smtp_port=port,
        smtp_timeout_s=5.0,
        smtp_ca_file=certificates.authority if certificates else None,
        **given,
    )
    conversation = Conversation.over(await smtp_of(settings)())
    try:
        reply = await conversation.hand_over(b"no-reply@cxc.example", b"office@sme.example", LETTER)
    finally:
        conversation.close()
    assert reply.taken, reply


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_a_mail_goes_encrypted_and_logged_in(certificates: Certificates, tls: str) -> None:
    sink = Sink()
    async with listening(sink, certificates.server, tls=tls, login=True) as port:
        await send(port, certificates, smtp_security=tls, smtp_user="cxc", smtp_password=SecretStr("right"))
    assert len(sink.accepted) == 1


@pytest.mark.parametrize("tls", ["tls", "starttls"])
@pytest.mark.parametrize("wrong", ["an authority nobody trusts", "expired", "another host"])
async def test_a_certificate_that_does_not_hold_gets_no_mail(
    certificates: Certificates, tmp_path: Path, tls: str, wrong: str
) -> None:
    sink = Sink()
    shown = {
        "expired": certificates.expired,
        "another host": certificates.server,
        "an authority nobody trusts": certificates_in(tmp_path).server,
    }[wrong]
    host = "localhost" if wrong == "another host" else "127.0.0.1"
    async with listening(sink, shown, tls=tls) as port:
        with pytest.raises(ServerAway, match=r"certificate does not hold.*CXC_SMTP_CA_FILE") as away:
            await send(port, certificates, smtp_security=tls, smtp_host=host)
    assert away.value.why is Away.CERTIFICATE
    assert sink.accepted == []


async def test_a_server_that_offers_no_encryption_gets_neither_password_nor_mail(
    certificates: Certificates,
) -> None:
    sink = Sink()
    for tls in ("starttls", "tls"):
        async with listening(sink, None, tls="none") as port:
            with pytest.raises(ServerAway) as away:
                await send(
                    port, certificates, smtp_security=tls, smtp_user="cxc", smtp_password=SecretStr("right")
                )
        assert away.value.why is Away.NO_TLS, tls
    assert sink.accepted == []


@pytest.mark.parametrize(
    ("offered", "password", "said"),
    [
        (True, "wrong", "refuses the login \\(535 5.7.8 .*CXC_SMTP_PASSWORD"),
        (False, "right", "offers no login; leave CXC_SMTP_USER out"),
    ],
)
async def test_a_login_that_does_not_work_is_said_in_words(
    certificates: Certificates, offered: bool, password: str, said: str
) -> None:
    sink = Sink()
    async with listening(sink, certificates.server, tls="tls", login=offered) as port:
        with pytest.raises(ServerAway, match=said) as away:
            await send(
                port, certificates, smtp_security="tls", smtp_user="cxc", smtp_password=SecretStr(password)
            )
    assert away.value.why is Away.LOGIN
    assert sink.accepted == []


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with listening(Sink(), None, tls="none") as port:
        pass
    with pytest.raises(ServerAway) as away:
        await send(port)
    assert away.value.why is Away.UNREACHABLE
