"""What pages load."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from services.console import assets
from services.console.assets import Assets, AssetsMissing


def test_an_address_names_the_content_and_answers_for_ever() -> None:
    held = Assets({"look.css": b"p { color: red; }" * 50})
    address = held.address("look.css")
    packed, plain = held.answer(address, compressed=True), held.answer(address, compressed=False)
    assert packed is not None
    assert plain is not None
    assert gzip.decompress(bytes(packed.body)) == plain.body == b"p { color: red; }" * 50
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["content-type"] == "text/css; charset=utf-8"
    assert Assets({"look.css": b"p { color: blue; }"}).address("look.css") != address


def test_a_page_of_another_version_gets_the_file_as_it_is_here_and_does_not_keep_it() -> None:
    newer, older = Assets({"look.css": b"p { color: blue; }"}), Assets({"look.css": b"p { color: red; }"})
    answer = older.answer(newer.address("look.css"), compressed=False)
    assert answer is not None
    assert answer.body == b"p { color: red; }"
    assert answer.headers["cache-control"] == "no-store"


def test_nothing_is_served_that_is_not_on_the_list() -> None:
    held = Assets({"look.css": b"p {}"})
    assert held.answer("/static/look.css", compressed=False) is None
    assert held.answer("/static/../settings.0123456789ab.py", compressed=False) is None
    assert held.answer("/static/package.0123456789ab.json", compressed=False) is None
    with pytest.raises(KeyError):
        held.address("package.json")


def test_what_is_not_installed_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(assets, "PACKAGES", tmp_path)
    with pytest.raises(AssetsMissing, match=r"is not installed \(.*\): run 'make setup'"):
        Assets.load()


def test_a_first_visit_is_light() -> None:
    held = Assets.load()
    loaded = ["start.js", "bootstrap.css", "console.css", "htmx.js", "live.js", "console.js", "icons.svg"]
    answers = [held.answer(held.address(name), compressed=True) for name in loaded]
    assert sum(len(bytes(answer.body)) for answer in answers if answer) < 100_000
