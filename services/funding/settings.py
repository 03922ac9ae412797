"""Settings of the funding service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from services.funding.domain.report import ReminderPolicy
from services.funding.rules_on_file import SHIPPED
from shared.messaging.topics import ServiceName
from shared.settings import ServiceSettings


def _by_commas(given: object) -> object:
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


class FundingSettings(ServiceSettings):
    """What this service needs beyond the common settings."""

    service: ClassVar[ServiceName] = "funding"

    funding_rules: Path = SHIPPED
    """Directory of the dated rules: `rates/*.yaml` and `scheme/*.yaml`."""

    bank_keys: Annotated[
        list[Annotated[SecretStr, Field(min_length=32)]], NoDecode, BeforeValidator(_by_commas)
    ] = []
    """Secrets that bank data are closed with: the first closes, all open."""
    bank_data_days: int = Field(default=1826, ge=90)
    """How long the file of a payment is kept after the bank has answered for all of it: five years."""

    report_remind_days: int = Field(default=7, ge=1, le=365)
    """A report that has not come so many days after the stay is asked for."""
    report_remind_every_days: int = Field(default=7, ge=1, le=365)
    """From one of these reminders to the next."""
    report_reminders: int = Field(default=3, ge=0, le=20)
    """So many at the most."""
    evidence_max_bytes: int = Field(default=10 * 1024 * 1024, ge=1024, le=50 * 1024 * 1024)
    """Size a file of evidence may have."""
    evidence_max_files: int = Field(default=40, ge=1, le=500)
    """Files of evidence a stay may have."""

    days_ahead: int = Field(default=0, ge=0, le=3650)
    """For rehearsals: the service lives so many days ahead of the calendar. Never where money is real."""

    lanes: int = Field(default=1, ge=1, le=32)
    """One transaction at a time: they all meet in the partnerships' budgets, more would only collide."""

    @property
    def reminders(self) -> ReminderPolicy:
        """When reports are asked for."""
        return ReminderPolicy(self.report_remind_days, self.report_remind_every_days, self.report_reminders)
