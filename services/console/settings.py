"""Settings of the console: what all services need, where the others are, and how people sign in."""

from __future__ import annotations

import secrets
from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator, Field, SecretStr

from shared.contracts.vocabulary import BlankIsNone
from shared.messaging.topics import PUBLISHERS, SERVICES, ServiceName
from shared.settings import ServiceSettings

Url = Annotated[
    str, Field(pattern=r"^https?://[!-~]+$"), BeforeValidator(lambda given: str(given).rstrip("/"))
]


_WORKER: Final = f"({'|'.join(SERVICES)})=https?://[!-+\\--~]+"
_WORKERS: Final = f"^({_WORKER}(,{_WORKER})*)?$"


def _random() -> str:
    return secrets.token_urlsafe(32)


class ConsoleSettings(ServiceSettings):
    """`CXC_PUBLIC_URL`, `CXC_REGISTRATION_URL` …, `CXC_OIDC_…` and what every service needs."""

    service: ClassVar[ServiceName] = "console"

    public_url: Url = "http://127.0.0.1:8000"
    """Where people reach the console."""
    registration_url: Url = "http://127.0.0.1:8001"
    """Where the console reaches the API of the registration service; the others alike."""
    matching_url: Url = "http://127.0.0.1:8002"
    funding_url: Url = "http://127.0.0.1:8003"
    notifications_url: Url = "http://127.0.0.1:8004"
    api_timeout_s: float = Field(default=10.0, gt=0, le=120)
    """How long an API may take for one answer, in seconds."""
    cv_max_bytes: int = Field(default=5 * 1024 * 1024, ge=1024, le=50 * 1024 * 1024)
    """The largest CV, as the registration service takes it."""
    import_max_bytes: int = Field(default=20 * 1024 * 1024, ge=1024, le=100 * 1024 * 1024)
    """The largest spreadsheet, as the registration service takes it."""

    oidc_url: Annotated[Url | None, BlankIsNone] = None
    """Where the console itself reaches the issuer, if not at `CXC_ISSUER`."""
    oidc_client_id: str = "clusterxchange-console"
    oidc_client_secret: Annotated[SecretStr | None, BlankIsNone] = None
    """Left out for a public client, which PKCE protects alone."""
    oidc_scope: str = "openid profile"
    """What the provider is asked for; some give refresh tokens for `offline_access` only."""
    session_key: Annotated[SecretStr, BeforeValidator(lambda given: given or _random())] = Field(
        default_factory=lambda: SecretStr(_random()), min_length=32
    )
    """What the tokens of sessions are encrypted with; the same for all api processes of the console. Left
    out, it is a random one, and sessions end with the process."""
    session_hours: float = Field(default=10.0, gt=0, le=24)
    """How long a session lasts without a new sign-in, in hours."""
    session_idle_minutes: float = Field(default=60.0, gt=0, le=1440)
    """How long a session lasts in which nothing is done, in minutes."""

    evidence_max_bytes: int = Field(default=10 * 1024 * 1024, ge=1024, le=50 * 1024 * 1024)
    """Size a file of evidence may have, as the funding service takes it: it is told before one is sent."""
    evidence_max_files: int = Field(default=40, ge=1, le=500)
    """Files of evidence a stay may have, as the funding service takes them."""

    streams: int = Field(default=1000, ge=1, le=100_000)
    """Open pages that one process tells of changes as they happen."""
    streams_of_one: int = Field(default=12, ge=1, le=1000)
    """The same, of one browser."""

    workers: Annotated[str | None, Field(pattern=_WORKERS), BlankIsNone] = None
    """Where the health pages of workers are, for those who look after the installation:
    `registration=http://127.0.0.1:8101,matching=…`; of several workers of one service, each."""

    @property
    def worker_urls(self) -> list[tuple[ServiceName, str]]:
        """The workers that are known, with the service of each."""
        pairs = (one.partition("=") for one in (self.workers or "").split(",") if one)
        return [(service, url.rstrip("/")) for service, _, url in pairs if service in SERVICES]

    @property
    def api_urls(self) -> dict[ServiceName, str]:
        """Where each of the other services' APIs is."""
        return {service: getattr(self, f"{service}_url") for service in PUBLISHERS}
