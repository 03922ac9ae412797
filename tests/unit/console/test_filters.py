"""Filters in addresses."""

from __future__ import annotations

from starlette.datastructures import QueryParams

from services.console.filters import address, chosen

NAMES = ("text", "country")


def test_what_a_form_sent_blank_is_no_filter() -> None:
    assert chosen(QueryParams("text=++&country=PT"), NAMES) == {"country": "PT"}


def test_only_what_is_named_is_a_filter() -> None:
    assert chosen(QueryParams("country=PT&after=abc&colour=green"), NAMES) == {"country": "PT"}


def test_of_many_each_counts_once() -> None:
    query = QueryParams("state=eligible&state=&state=needs_review&state=eligible")
    assert chosen(query, NAMES, many=("state",)) == {"state": ["eligible", "needs_review"]}


def test_an_address_has_what_was_given_last_and_nothing_blank() -> None:
    assert address("/matches", {"step": "agreed", "after": "x"}, after=None) == "/matches?step=agreed"
    assert address("/matches", {"state": ["a", "b"]}) == "/matches?state=a&state=b"
    assert address("/matches") == "/matches"
