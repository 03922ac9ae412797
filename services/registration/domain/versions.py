"""What a registration said before it was amended, and what changed from one sending to the next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict

from shared.aggregate import Aggregate
from shared.contracts.common import Receipt
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import Verdict


class Sending(BaseModel):
    """By whom and when something was sent, and how manieth sending it was, from 1."""

    model_config = ConfigDict(frozen=True)

    number: int
    at: datetime
    by: str


class SentVersion(Aggregate):
    """What was sent, and what the rules last said of it; in force until the next sending."""

    COLLECTION: ClassVar[str] = "sent_versions"

    registration_id: str
    number: int
    at: datetime
    by: str
    until: datetime | None = None
    """None while it is in force."""
    submission: Submission
    verdict: Verdict
    receipt: Receipt

    @classmethod
    def of(
        cls,
        registration_id: str,
        sending: Sending,
        submission: Submission,
        verdict: Verdict,
        receipt: Receipt,
        *,
        until: datetime | None,
    ) -> Self:
        """That sending of the registration; its id is made of the two."""
        return cls(
            id=version_id(registration_id, sending.number),
            version=1,
            registration_id=registration_id,
            number=sending.number,
            at=sending.at,
            by=sending.by,
            until=until,
            submission=submission,
            verdict=verdict,
            receipt=receipt,
        )


MAX_NUMBER: Final = 999_999_999
"""No registration is sent more often."""


def version_id(registration_id: str, number: int) -> str:
    """Ids of one registration's versions lie together, in the order of their numbers."""
    return f"{registration_id}/{number:09}"


class Change(BaseModel):
    """One thing that was said otherwise before."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    pointer: str
    """Where: a JSON pointer into what was sent."""
    before: Any
    """What stood there; null where nothing did."""
    after: Any
    """What stands there now; null where nothing does."""


def changes(before: Submission, after: Submission) -> list[Change]:
    """What is said otherwise, field by field; a list is one thing."""
    return list(_differences("", before.model_dump(mode="json"), after.model_dump(mode="json")))


def _differences(pointer: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        # Both are dumps of one model: they have the same fields.
        for field in before:
            yield from _differences(f"{pointer}/{field}", before[field], after[field])
    else:
        yield Change(pointer=pointer, before=before, after=after)
