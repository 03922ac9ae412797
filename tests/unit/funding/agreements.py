"""Financial agreements for the tests: of the sample's visitor, signed as far as one likes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.funding.domain.agreement_document import Content, Organisation, SignedAgreement, conditions
from shared.contracts.matching import SigningRole
from shared.signing import Signature
from tests.unit.funding.builders import POLICIES

SIGNERS: list[tuple[SigningRole, str, str]] = [
    ("VO", "office of Tagus", "participant"),
    ("VOP", "officer of HempClub", "staff"),
]


def a_content(**changes: Any) -> Content:
    """EUR 450 for three days in Milan."""
    fields: dict[str, Any] = {
        "number": "A7F9C13FE193",
        "edition": 1,
        "grant_id": "grant-0185ca2f-ac00-7945-a70f-a7f9c13fe193",
        "match_id": "0185ca2f-ac00-7945-a70f-a7f9c13fe193",
        "drawn_up_at": datetime(2023, 1, 24, 15, 45, tzinfo=UTC),
        "visitor": Organisation(name="Tagus Fibre Works (sample)", city="Lisbon", country="PT"),
        "payer": "HempClub",
        "host": Organisation(name="Navigli Textile Tech Centre (sample)", city="Milan", country="IT"),
        "first_day": date(2023, 2, 14),
        "last_day": date(2023, 2, 16),
        "working_days": 3,
        "amount": Decimal("450.00"),
        "in_short": "EUR 450.00 for a stay in Italy of 3 working days: half of the rate.",
        "calculation": ["Italy takes part in the scheme.", "3 working days are fewer than 5."],
        "rule_set": "ClusterXchange pilot, 2014-01-01",
        "conditions": conditions(POLICIES.scheme.in_force_on(date(2023, 2, 14))),
        **changes,
    }
    return Content(**fields)


def a_document(signatures: int = 2, **changes: Any) -> SignedAgreement:
    """A document with the first so many of two signatures."""
    content = a_content(**changes)
    given: list[Signature] = []
    for day, (role, by, acting_as) in enumerate(SIGNERS[:signatures]):
        at = datetime(2023, 1, 25, 9, 12, 7, tzinfo=UTC) + timedelta(days=day)
        given.append(Signature.after(given, content, role=role, by=by, acting_as=acting_as, at=at))
    return SignedAgreement.of(content, given)
