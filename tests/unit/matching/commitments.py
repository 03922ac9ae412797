"""Commitments to Quality for the tests: of the sample's visitor and host, signed as far as one likes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.matching.domain.commitment_document import (
    AgendaItem,
    Content,
    Signatory,
    SignedDocument,
)
from shared.contracts.matching import SigningRole
from shared.signing import Signature

SIGNERS: list[tuple[SigningRole, str, str]] = [
    ("VO", "office of Tagus", "participant"),
    ("HO", "office of Navigli", "participant"),
    ("VOP", "officer of HempClub", "staff"),
    ("HOP", "officer of Sample Fashion", "staff"),
]


def a_content(**changes: Any) -> Content:
    """Three days in Milan."""
    fields: dict[str, Any] = {
        "match_id": "0185ca2f-ac00-7945-a70f-a7f9c13fe193",
        "drawn_up_at": datetime(2023, 1, 24, 15, 45, tzinfo=UTC),
        "visitor": Signatory(
            organisation="Tagus Fibre Works (sample)", city="Lisbon", country="PT", partnership="HempClub"
        ),
        "host": Signatory(
            organisation="Navigli Textile Tech Centre (sample)",
            city="Milan",
            country="IT",
            partnership="Sample Fashion",
        ),
        "first_day": date(2023, 2, 14),
        "last_day": date(2023, 2, 16),
        "goals": "The visit is for adopting technology.",
        "agenda": [
            AgendaItem(
                day=date(2023, 2, 14),
                begins="09:30",
                ends="11:00",
                title="A walk along the spinning line",
                responsible="Host organisation",
            ),
            AgendaItem(day=date(2023, 2, 16), title="Next steps", responsible="Both organisations"),
        ],
        "expected_results": "A trial batch of hemp yarn.",
        **changes,
    }
    return Content(**fields)


def a_document(signatures: int = 4, **changes: Any) -> SignedDocument:
    """A document with the first so many of four signatures."""
    content = a_content(**changes)
    given: list[Signature] = []
    for day, (role, by, acting_as) in enumerate(SIGNERS[:signatures]):
        at = datetime(2023, 1, 25, 9, 12, 7, tzinfo=UTC) + timedelta(days=day)
        given.append(Signature.after(given, content, role=role, by=by, acting_as=acting_as, at=at))
    return SignedDocument(content=content, document_sha256=content.sha256, signatures=given)
