"""What the top of a page offers."""

from __future__ import annotations

from services.console import navigation
from services.console.api import PAGES
from services.console.navigation import OPERATIONS, PARTICIPANT, PUBLIC, STAFF, current
from services.console.rendering import TEMPLATES

PATHS = {route.path for router in PAGES for route in router.routes}  # type: ignore[attr-defined]


def test_every_entry_leads_to_a_page() -> None:
    entries = (*PUBLIC, *PARTICIPANT, *STAFF, OPERATIONS)
    assert {entry.href for entry in entries} <= PATHS
    assert 'href="/map"' in (TEMPLATES / "layout.html").read_text(encoding="utf-8")


def test_a_page_belongs_to_the_entry_it_is_below() -> None:
    for path, label in {
        "/": "The programme",
        "/map": "Map",
        "/group-events/abc": "Events",
        "/programmes/hempclub": "The programme",
    }.items():
        found = current(PUBLIC, path)
        assert found is not None, path
        assert found.label == label
    found = current(STAFF, "/grants/grant-1/report")
    assert found is not None
    assert found.label == "Money"
    assert current(STAFF, "/nowhere") is None
    assert navigation.entries_for(None) == PUBLIC
