"""Checking oneself before registering: the rules' verdict for everybody, nothing stored, nobody named."""

from __future__ import annotations

from typing import Any

import pytest

from shared.http import authenticated
from tests.unit.registration.client import Client

SME = {
    "roles": ["visitor"],
    "kind": "sme",
    "country": "PT",
    "membership": "eccp_cluster",
    "ecosystems": ["textile"],
}


@pytest.mark.parametrize(
    ("changes", "verdict", "says"),
    [
        ({}, "eligible", "every rule that concerns you is met"),
        ({"membership": "cluster"}, "ineligible", "not marked as having a profile there."),
        ({"country": "NO"}, "ineligible", "Norway, which does not take part"),
        ({"visit_used": True}, "ineligible", "has used its one visit"),
        ({"identifiable": False}, "needs_review", "o valid VAT number"),
        (
            {"roles": ["visitor", "host"], "visit_used": True},
            "ineligible",
            "as a host only, you would be eligible",
        ),
        (
            {"availability": [{"first_day": "2030-01-05", "last_day": "2030-01-07"}]},
            "needs_review",
            "working days",
        ),
    ],
)
async def test_everybody_may_ask_and_is_told_why(
    api: Client, changes: dict[str, Any], verdict: str, says: str
) -> None:
    del api.app.dependency_overrides[authenticated]
    answer = await api.post("/eligibility/preview", json={**SME, **changes})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["verdict"] == verdict
    assert says in said["receipt"]["sentence"]
    assert said["receipt"]["for_staff"] is None


async def test_the_partnership_is_found_by_ecosystem_and_country_or_is_the_one_chosen(api: Client) -> None:
    answers = [
        (await api.post("/eligibility/preview", json={**SME, **changes})).json()
        for changes in (
            {},
            {"ecosystems": ["aerospace_defence"]},
            {"ecosystems": [], "partnership": "hempclub"},
        )
    ]
    assert [answer["partnership"] for answer in answers] == ["hempclub", None, "hempclub"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [({"country": "ZZ"}, "/country"), ({"roles": []}, "/roles"), ({"email": "a@b.example"}, "/email")],
)
async def test_what_makes_no_sense_is_refused_with_its_place(
    api: Client, changes: dict[str, Any], pointer: str
) -> None:
    answer = await api.post("/eligibility/preview", json={**SME, **changes})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
