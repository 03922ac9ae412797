"""Settings of the registration service."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from services.registration.rules_on_file import SHIPPED
from shared.messaging.topics import ServiceName
from shared.settings import ServiceSettings


class RegistrationSettings(ServiceSettings):
    """What this service needs beyond the common settings."""

    service: ClassVar[ServiceName] = "registration"

    eligibility_rules: Path = SHIPPED
    """Directory of the scheme's dated rule sets (`*.yaml`) and the partnerships' (`partnerships/*.yaml`)."""
