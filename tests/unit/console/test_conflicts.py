"""What stands beside a match that is to be decided."""

from __future__ import annotations

from typing import Any

import pytest

from services.console.domain.conflicts import conflicts


def a_match(
    visitor: str = "v",
    host: str = "h",
    state: str = "agreed",
    first: str = "2027-03-01",
    last: str = "2027-03-05",
) -> dict[str, Any]:
    return {
        "visitor": {"registration_id": visitor},
        "host": {"registration_id": host},
        "state": state,
        "stay": {"first_day": first, "last_day": last},
    }


#   the other match                                                   places  conflicts
CASES: list[tuple[dict[str, Any], int | None, list[str]]] = [
    (a_match(host="other", state="approved"), 1, ["visit_used"]),
    (a_match(host="other", state="proposed"), 1, ["other_open"]),
    (a_match(host="other", state="declined"), 1, []),
    (a_match(visitor="other", state="approved"), 1, ["places"]),
    (a_match(visitor="other", state="approved"), 3, ["same_days"]),
    (a_match(visitor="other", state="approved"), None, ["same_days"]),
    (a_match(visitor="other", state="agreed"), 1, []),
    (a_match(visitor="other", state="approved", first="2027-03-05", last="2027-03-09"), 1, ["places"]),
    (a_match(visitor="other", state="approved", first="2027-03-06", last="2027-03-10"), 1, []),
    (a_match(visitor="other", host="another", state="approved"), 1, []),
]


@pytest.mark.parametrize(("other", "places", "expected"), CASES)
def test_what_conflicts_with_a_match(other: dict[str, Any], places: int | None, expected: list[str]) -> None:
    assert [one.kind for one in conflicts(a_match(), [other], places=places)] == expected


def test_the_gravest_comes_first() -> None:
    others = [
        a_match(host="another", state="proposed"),
        a_match(visitor="other", state="approved"),
        a_match(host="a third", state="approved"),
    ]
    kinds = [one.kind for one in conflicts(a_match(), others, places=1)]
    assert kinds == ["visit_used", "places", "other_open"]
