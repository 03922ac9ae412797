"""How the mail server is reached: encrypted and logged in as the settings say, or not at all."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException

if TYPE_CHECKING:
    from services.notifications.settings import NotificationsSettings


class Away(StrEnum):
    """What keeps us from using the mail server."""

    UNREACHABLE = "unreachable"
    NO_TLS = "no_tls"
    CERTIFICATE = "certificate"
    LOGIN = "login"
    REFUSED = "refused"
    """It takes no mail from our sender's address."""


class ServerAway(Exception):
    """The mail server cannot be reached, or takes no mail from us at all: no mail's fault."""

    def __init__(self, why: Away, reason: str) -> None:
        super().__init__(reason)
        self.why = why


def smtp_of(settings: NotificationsSettings) -> Callable[[], Awaitable[SMTP]]:
    """Opens connections to the configured server that are ready for mails; each raises `ServerAway`.

    What the settings ask for is what there is: a server that offers no encryption gets neither the
    password nor a mail.
    """
    tls = settings.smtp_security
    context = None
    if tls != "none":
        context = ssl.create_default_context(cafile=settings.smtp_ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""

    async def connect() -> SMTP:
        smtp = SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            use_tls=tls == "tls",
            start_tls=False,
            tls_context=context,
            timeout=settings.smtp_timeout_s,
        )
        try:
            await smtp.connect()
            await smtp.ehlo()
            if tls == "starttls":
                await _start_tls(smtp)
            if settings.smtp_user is not None:
                await _log_in(smtp, settings.smtp_user, password)
        except ServerAway:
            smtp.close()
            raise
        except (SMTPException, OSError) as error:
            smtp.close()
            raise ServerAway(*_why(error)) from error
        return smtp

    return connect


async def _start_tls(smtp: SMTP) -> None:
    if not smtp.supports_extension("starttls"):
        raise ServerAway(
            Away.NO_TLS,
            "the mail server offers no STARTTLS; mails wait until it does, or until CXC_SMTP_SECURITY says "
            "how it can be reached",
        )
    await smtp.starttls()
    await smtp.ehlo()


async def _log_in(smtp: SMTP, user: str, password: str) -> None:
    if not smtp.supports_extension("auth"):
        raise ServerAway(
            Away.LOGIN,
            "the mail server offers no login; leave CXC_SMTP_USER out, or see whether CXC_SMTP_SECURITY "
            "and CXC_SMTP_PORT are those for sending with a login",
        )
    try:
        await smtp.login(user, password)
    except SMTPAuthenticationError as error:
        raise ServerAway(
            Away.LOGIN,
            f"the mail server refuses the login ({error.code} {error.message}); see CXC_SMTP_USER and "
            "CXC_SMTP_PASSWORD",
        ) from error


def _why(error: Exception) -> tuple[Away, str]:
    beneath = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(beneath, ssl.SSLCertVerificationError):
        return Away.CERTIFICATE, (
            f"the mail server's certificate does not hold ({beneath.verify_message}); see CXC_SMTP_HOST and "
            "CXC_SMTP_CA_FILE"
        )
    if isinstance(beneath, ssl.SSLError):
        return Away.NO_TLS, f"the mail server does not speak TLS there ({beneath.reason or beneath})"
    return Away.UNREACHABLE, str(error)
