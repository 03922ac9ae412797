"""Settings of the matching service."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from services.matching.weights_on_file import SHIPPED
from shared.messaging.topics import ServiceName
from shared.settings import ServiceSettings


class MatchingSettings(ServiceSettings):
    """What this service needs beyond the common settings."""

    service: ClassVar[ServiceName] = "matching"

    fit_weights: Path = SHIPPED
    """Directory of the dated weights of a fit, one YAML file each."""
