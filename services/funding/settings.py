"""Settings of the funding service."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from services.funding.rules_on_file import SHIPPED
from shared.messaging.topics import ServiceName
from shared.settings import ServiceSettings


class FundingSettings(ServiceSettings):
    """What this service needs beyond the common settings."""

    service: ClassVar[ServiceName] = "funding"

    funding_rules: Path = SHIPPED
    """Directory of the dated rules: `rates/*.yaml` and `scheme/*.yaml`."""

    lanes: int = Field(default=1, ge=1, le=32)
    """One transaction at a time: they all meet in the partnerships' budgets, more would only collide."""
