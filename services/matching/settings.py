"""Settings of the matching service."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from services.matching.domain.deadline import AnswerPolicy
from services.matching.weights_on_file import SHIPPED
from shared.messaging.topics import ServiceName
from shared.settings import ServiceSettings


class MatchingSettings(ServiceSettings):
    """What this service needs beyond the common settings."""

    service: ClassVar[ServiceName] = "matching"

    fit_weights: Path = SHIPPED
    """Directory of the dated weights of a fit, one YAML file each."""
    proposal_days: int = Field(default=14, ge=2)
    """A proposal nobody answers expires so many days after it was made, or on the eve of the stay."""
    proposal_remind_days: int = Field(default=4, ge=1, validate_default=True)
    """So many days before, who was asked is reminded; fewer than there are for an answer."""
    plan_days: int = Field(default=365, ge=1)
    """How long a plan for the whole pool is kept after it was made."""

    invitation_days: int = Field(default=14, ge=1)
    """How long the link of an invitation works, at most until the eve of the stay."""

    @field_validator("proposal_remind_days")
    @classmethod
    def _within_the_time(cls, days: int, given: ValidationInfo) -> int:
        if days >= given.data.get("proposal_days", days + 1):
            raise ValueError("must be less than CXC_PROPOSAL_DAYS")
        return days

    @property
    def answers(self) -> AnswerPolicy:
        """Until when an answer is waited for, and when to remind of it."""
        return AnswerPolicy(self.proposal_days, self.proposal_remind_days)
