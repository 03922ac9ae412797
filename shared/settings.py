"""Settings every service reads from the environment (prefix `CXC_`) or from a `.env` file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.messaging.topics import ServiceName
from shared.partnerships import SHIPPED_PARTNERSHIPS
from shared.storage.driver import DriverName


class KafkaSettings(BaseSettings):
    """How to reach Kafka; everything that speaks to it starts from here."""

    model_config = SettingsConfigDict(env_prefix="CXC_KAFKA_", env_file=".env", extra="ignore")

    bootstrap: str
    """`host:port`, several separated by commas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments for any aiokafka client."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.endswith("SSL"):
            from aiokafka.helpers import create_ssl_context

            options["ssl_context"] = create_ssl_context(cafile=str(self.ca_file) if self.ca_file else None)
        if self.security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password.get_secret_value() if self.password else None
        return options


class ServiceSettings(BaseSettings):
    """What an api or a worker of any service needs; what has no default must be given."""

    model_config = SettingsConfigDict(env_prefix="CXC_", env_file=".env", extra="ignore")
    service: ClassVar[ServiceName]

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo_url: SecretStr
    """Connection string of a replica set; its user may be limited to this service's database."""
    mongo_driver: DriverName = "pymongo"
    issuer: str
    """The `iss` a token must carry."""
    jwks_url: str
    audience: str = "clusterxchange"
    partnerships: Path = SHIPPED_PARTNERSHIPS
    seal_key: Annotated[SecretStr | None, BeforeValidator(lambda given: given or None)] = Field(
        default=None, min_length=32
    )
    """What matching closes and notifications opens, such as the link of an invitation; the same for both."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    batch_size: int = Field(default=1000, ge=1, le=2000)
    """Messages in one transaction at the most."""
    linger_ms: int = Field(default=20, ge=0, le=1000)
    """How long a batch that is not full waits for more, in milliseconds."""
    lanes: int = Field(default=2, ge=1, le=32)
    """Transactions in flight in one worker; a partition always has the same lane."""
    session_timeout_s: float = Field(default=6.0, ge=1)
    """How long the group waits for a worker that fell silent, in seconds."""

    @property
    def database(self) -> str:
        """The service's own database."""
        return f"cxc_{self.service}"

    @classmethod
    def load(cls) -> Self:
        """The settings from the environment; ends the process with a list of what is missing or wrong."""
        try:
            return cls()
        except ValidationError:
            print(f"The {cls.service} service cannot start, its settings are incomplete:", file=sys.stderr)
            for name, why in cls._problems():
                print(f"  {name}: {why}", file=sys.stderr)
            print("Set them in the environment or in a file named .env.", file=sys.stderr)
            raise SystemExit(2) from None

    @classmethod
    def _problems(cls) -> Iterator[tuple[str, str]]:
        """What is missing or wrong, by variable; Kafka's settings fail for themselves and hide the others."""
        models: list[tuple[type[BaseSettings], dict[str, Any]]] = [
            (KafkaSettings, {}),
            (cls, {"kafka": KafkaSettings.model_construct()}),
        ]
        for model, given in models:
            try:
                model(**given)
            except ValidationError as error:
                for problem in error.errors(include_url=False, include_context=False, include_input=False):
                    name = "_".join(str(part) for part in problem["loc"])
                    yield f"{model.model_config['env_prefix']}{name.upper()}", problem["msg"]
