"""Settings of the registration service."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from services.registration.domain.interest import InterestPolicy
from services.registration.rules_on_file import SHIPPED
from shared.messaging.topics import ServiceName
from shared.settings import ServiceSettings


class RegistrationSettings(ServiceSettings):
    """What this service needs beyond the common settings."""

    service: ClassVar[ServiceName] = "registration"

    eligibility_rules: Path = SHIPPED
    """Directory of the scheme's dated rule sets (`*.yaml`) and the partnerships' (`partnerships/*.yaml`)."""

    interest_ask_days: int = Field(default=180, ge=1)
    """An open registration not heard of for so long is asked whether it is still interested."""
    interest_remind_days: int = Field(default=14, ge=1)
    """From the question to the reminder."""
    interest_lapse_days: int = Field(default=28, ge=2, validate_default=True)
    """From the question to the last day for an answer; more than until the reminder."""
    lookalike_score: int = Field(default=75, ge=50, le=100)
    """From here on, of 100, staff are shown two registrations that may be of one organisation."""
    closed_days: int = Field(default=1095, ge=1)
    """A registration that is withdrawn, rejected or lapsed is erased so long after."""
    draft_days: int = Field(default=90, ge=1)
    """How long a draft is kept after it was last saved."""
    cv_max_bytes: int = Field(default=5 * 1024 * 1024, ge=1024, le=50 * 1024 * 1024)
    """Size a CV may have."""
    undo_minutes: int = Field(default=60, ge=1, le=10_080)
    """How long an acceptance or a rejection can be undone."""
    import_max_bytes: int = Field(default=20 * 1024 * 1024, ge=1024, le=100 * 1024 * 1024)
    """Size a spreadsheet may have."""
    import_max_rows: int = Field(default=50_000, ge=1, le=1_000_000)
    """Rows a spreadsheet may have."""
    import_days: int = Field(default=30, ge=1)
    """How long it is kept what became of a spreadsheet's rows."""

    @field_validator("interest_lapse_days")
    @classmethod
    def _after_the_reminder(cls, days: int, given: ValidationInfo) -> int:
        if days <= given.data.get("interest_remind_days", 0):
            raise ValueError("must be more than CXC_INTEREST_REMIND_DAYS")
        return days

    @property
    def interest(self) -> InterestPolicy:
        """When to ask, to remind and to let go."""
        return InterestPolicy(
            ask_after=timedelta(days=self.interest_ask_days),
            remind_after=timedelta(days=self.interest_remind_days),
            lapse_after=timedelta(days=self.interest_lapse_days),
        )
