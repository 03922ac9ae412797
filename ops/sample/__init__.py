"""The demo's own sample programme: invented organisations in real places (see README.md here)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ops.sample.awkward import AwkwardMessage, awkward_messages
from ops.sample.programme import SampleRegistration, sample_registrations

SAMPLE_PARTNERSHIPS: Final = Path(__file__).with_name("partnerships.yaml")
"""The partnerships of the demo: HempClub as shipped, and two that do not exist."""

__all__ = [
    "SAMPLE_PARTNERSHIPS",
    "AwkwardMessage",
    "SampleRegistration",
    "awkward_messages",
    "sample_registrations",
]
