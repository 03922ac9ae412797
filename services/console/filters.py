"""Filters that live in the address: read from it, and written into the links of a page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

Chosen = dict[str, str | list[str]]
"""What is filtered by, under the names an API gives it."""

PLACE: Final = "after"
"""Where a page of a list begins; another filter begins anew."""


def chosen(query: QueryParams, names: Collection[str], *, many: Collection[str] = ()) -> Chosen:
    """What the address filters by; what a form sent blank, and what is not named, is left out."""
    found: Chosen = {name: value for name in names if (value := query.get(name, "").strip())}
    for name in many:
        if values := [value.strip() for value in query.getlist(name) if value.strip()]:
            found[name] = list(dict.fromkeys(values))
    return found


def address(path: str, *given: Mapping[str, object], **more: object) -> str:
    """The path with a query: of what is given twice the later counts, and what is blank is left out."""
    merged: dict[str, object] = {}
    for one in (*given, more):
        merged.update(one)
    query = urlencode({name: value for name, value in merged.items() if value}, doseq=True)
    return f"{path}?{query}" if query else path
