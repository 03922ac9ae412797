"""How well lookalikes are found among real organisations, by a list of true pairs given from outside.

`CXC_NEAR_DUPLICATES` names a CSV file of pairs that are one organisation, written differently
(name_a, street_a, city_a, country_a and the same for b); `CXC_TEST_ORGANISATIONS` one of organisations
that are all different (id, name, street, postcode, city, country, vat).
"""

from __future__ import annotations

import csv
import os
import time
from pathlib import Path

import pytest

from services.registration.domain.likeness import Features, features_of, likeness
from services.registration.domain.lookalikes import Lookalikes
from services.registration.settings import RegistrationSettings
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import STORED
from tests.builders import a_submission

LEAST = RegistrationSettings.model_fields["lookalike_score"].default

Row = dict[str, str]


def rows_of(variable: str) -> list[Row]:
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"{variable} names no file to measure with")
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def features(row: Row, side: str = "") -> Features:
    """What an organisation wrote; its address alone tells who it is, not its mailbox."""
    written = {
        field: row.get(f"{field}{side}") or None for field in ("name", "street", "postcode", "city", "vat")
    }
    organisation = {
        "kind": "sme",
        **written,
        "city": written["city"] or "?",
        "country": row[f"country{side}"],
    }
    participant = {"email": "office@gmail.com", "language": "en"}
    registration = a_submission(organisation=organisation, participant=participant)
    return features_of(Submission.model_validate(registration, context=STORED))


def test_true_pairs_are_found_among_real_organisations_and_hardly_any_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pairs, others = rows_of("CXC_NEAR_DUPLICATES"), rows_of("CXC_TEST_ORGANISATIONS")
    register = Lookalikes()
    began = time.process_time()
    for row in others:
        register.put(row["id"], features(row))
    taken_in = time.process_time() - began
    found: set[tuple[str, str]] = set()
    began = time.process_time()
    for row in others:
        for id in register.like(row["id"], least=LEAST, most=10):
            found.add((min(row["id"], id), max(row["id"], id)))
    searched = time.process_time() - began

    missed: list[Row] = []
    alike = 0
    for row in pairs:
        one, other = features(row, "_a"), features(row, "_b")
        alike += likeness(one, other).score >= LEAST
        register.put("one", one)
        register.put("other", other)
        if "other" not in register.like("one", least=LEAST, most=10):
            missed.append(row)
    spelt = [row for row in missed if row.get("name_differs") == "0"]
    recall = 1 - len(missed) / len(pairs)
    with capsys.disabled():
        print(
            f"\n{len(pairs)} true pairs at {LEAST}: {recall:.1%} found, {alike / len(pairs):.1%} by score; "
            f"{len(spelt)} of the missed have the same name. {len(found)} pairs among {len(others)} others. "
            f"An organisation: {taken_in / len(others) * 1e3:.2f} ms to take in, "
            f"{searched / len(others) * 1e3:.2f} ms to search."
        )
    assert recall > 0.8
    assert spelt == []
    assert len(found) < len(others) / 50
