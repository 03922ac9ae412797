"""Settings of the notifications service: what all services need, the public address, and the mail server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    DirectoryPath,
    Field,
    FilePath,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode

from services.notifications.chat_rooms import Rooms, read_rooms
from services.notifications.webhooks.addresses import Destinations, Network, networks_of
from shared.contracts.vocabulary import BlankIsNone, Email
from shared.messaging.topics import ServiceName
from shared.partnerships import Partnerships
from shared.settings import ServiceSettings

Port = Annotated[int, Field(ge=1, le=65535)]


def _networks(given: Any) -> Any:
    return networks_of(given) if isinstance(given, str) else given


def _by_commas(given: Any) -> Any:
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


class NotificationsSettings(ServiceSettings):
    """Environment variables `CXC_PUBLIC_URL`, `CXC_MAIL_FROM`, `CXC_SMTP_…` and those of every service."""

    service: ClassVar[ServiceName] = "notifications"

    public_url: str = "http://127.0.0.1:8000"
    """Where people reach the platform; the links in messages start with it."""
    mail_from: str = "ClusterXchange <no-reply@clusterxchange.example>"

    unsubscribe_url: Annotated[str | None, BlankIsNone] = Field(default=None, pattern=r"^https?://[!-~]+$")
    """Where anybody reaches this API's `/unsubscribe`; that of the public address if left out."""
    unsubscribe_mailbox: Annotated[Email | None, BlankIsNone] = None
    """Where mails that unsubscribe may be sent, if somebody hands them to `/bounces`."""
    bounce_mailbox: Annotated[Email | None, BlankIsNone] = None
    """Where reports of what could not be delivered come back to; the sender's if left out."""
    mail_system: Annotated[str | None, BlankIsNone] = None
    """The `sub` of the external system that may hand over such reports."""

    texts: Annotated[DirectoryPath | None, BlankIsNone] = None
    """Partnerships' own texts, `<partnership>/<template>.<language>.txt.j2`; read when a process starts."""

    support_office_email: Annotated[Email | None, BlankIsNone] = None
    """Where the support office is told of payments that are late; left out, it is not."""

    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=1025, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_ca_file: Annotated[FilePath | None, BlankIsNone] = None
    """Certificates to trust instead of the system's, PEM: for a server with one of the house's own."""
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_connections: int = Field(default=4, ge=1, le=64)
    """Mails on their way at the same time in one worker."""
    smtp_timeout_s: float = Field(default=30.0, gt=0)
    """How long the server may take for one answer, in seconds."""

    mails_per_second: float = Field(default=0, ge=0)
    """Mails of the whole installation in a second at the most; 0 for as many as there are."""
    mails_per_hour: int = Field(default=20, ge=1)
    """Mails one person gets in an hour, from each worker; what may wait goes into a digest after that."""
    mails_per_case: int = Field(default=5, ge=1)
    """As many about one case in ten minutes."""
    mail_batch: int = Field(default=200, ge=1, le=2000)
    """Mails a courier takes at once."""
    mail_lease_s: float = Field(default=300.0, gt=0)
    """After this many seconds the mails of a courier that died come due again."""
    mail_first_retry_s: float = Field(default=10.0, gt=0)
    """The wait after the first failed attempt, in seconds; it doubles up to an hour, for four days."""

    chat_targets: Annotated[FilePath | None, BlankIsNone] = None
    """The chat rooms of the partnerships, YAML: partnership, name of the room, Apprise's URL; a secret."""
    chat_timeout_s: float = Field(default=20.0, ge=1, le=60)
    """How long a room's server may take to take a message, in seconds."""

    inbox_streams: int = Field(default=1000, ge=1)
    """Live streams of inboxes one API process serves at the same time."""
    inbox_streams_of_one: int = Field(default=20, ge=1)
    """How many of them may be of the same inbox."""

    webhook_networks: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = ()
    """Networks that webhooks may go to though they are not public, in CIDR notation, separated by commas."""
    webhook_ports: Annotated[frozenset[Port], NoDecode, BeforeValidator(_by_commas)] = frozenset({443, 8443})
    """Ports that webhooks may go to, separated by commas."""
    webhook_plain_http: bool = False
    """Whether webhooks may go to `webhook_networks` without TLS."""
    webhook_ca_file: Annotated[FilePath | None, BlankIsNone] = None
    """Certificates to trust besides the system's, PEM."""
    webhook_connections: int = Field(default=64, ge=1, le=1000)
    """Webhook requests on their way at the same time in one worker."""
    webhook_timeout_s: float = Field(default=15.0, gt=0, le=60)
    """How long an endpoint may take, from the lookup of its name to the end of its answer, in seconds."""
    webhook_kept_days: int = Field(default=30, ge=2)
    """How long events are kept that were sent to webhook endpoints, or wait at disabled ones."""

    kept_days: int = Field(default=730, ge=1)
    """How long it is kept what was said to whom, mails and entries of inboxes alike."""

    @field_validator("bounce_mailbox")
    @classmethod
    def _leaves_room_for_an_id(cls, mailbox: str | None) -> str | None:
        if mailbox is not None and len(mailbox.partition("@")[0]) > 16:
            raise ValueError(
                "it may have 16 characters before its @ at the most: a mail's id comes after them, and mail "
                "servers take 64"
            )
        return mailbox

    @field_validator("chat_targets")
    @classmethod
    def _names_rooms(cls, path: Path | None, given: ValidationInfo) -> Path | None:
        if path is not None and (partnerships := given.data.get("partnerships")):
            read_rooms(path, [one.id for one in Partnerships.load(partnerships)])
        return path

    @property
    def rooms(self) -> Rooms:
        """The chat rooms there are."""
        if self.chat_targets is None:
            return {}
        return read_rooms(self.chat_targets, [one.id for one in Partnerships.load(self.partnerships)])

    @property
    def destinations(self) -> Destinations:
        """Where webhooks may go."""
        return Destinations(self.webhook_networks, self.webhook_ports, self.webhook_plain_http)
