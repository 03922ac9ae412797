"""Tokens of forms, as compressed pages have them."""

from __future__ import annotations

from pydantic import SecretStr

from services.console.signing_in.csrf import masked, token_for, unmasked

TOKEN = token_for(SecretStr("k" * 32), "a-session")


def test_a_page_has_the_token_otherwise_each_time_and_it_is_the_same_token() -> None:
    first, second = masked(TOKEN), masked(TOKEN)
    assert TOKEN not in first
    assert first[:64] != second[:64]
    assert unmasked(first) == unmasked(second) == TOKEN


def test_what_is_no_token_is_nothing_that_could_fit() -> None:
    for sent in ("", "made up", "ab", TOKEN, masked(TOKEN)[:-2], "é" * 64):
        assert unmasked(sent) != TOKEN
