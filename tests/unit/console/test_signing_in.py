"""Where signing in may lead, what forms and cookies are worth; the flow itself is tried in integration."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from starlette.datastructures import FormData

from services.console.forms import SentForm
from services.console.pages.inbox import path_of
from services.console.pages.signing_in import own_path
from services.console.pages.wishes import sent_wishes
from services.console.signing_in.cookies import Cookies
from services.console.signing_in.csrf import token_for


@pytest.mark.parametrize(
    "to", ["/", "/matches/7", "/registrations?state=accepted&after=x#top", "/a/%2F/b?c=//d"]
)
def test_own_pages_are_led_to(to: str) -> None:
    assert own_path(to) == to


@pytest.mark.parametrize(
    "to",
    [
        "",
        "matches",
        "//elsewhere.example",
        "///elsewhere.example",
        "/\\elsewhere.example",
        "\\/elsewhere.example",
        "https://elsewhere.example/",
        "javascript:alert(1)",
        "/a b",
        "/a\r\nLocation: x",
        "/\u2044elsewhere",
        "/sign-out",
        "/sign-in?to=/",
        "/signed-in?code=x",
        "/" + "x" * 2000,
    ],
)
def test_anything_else_leads_to_the_first_page(to: str) -> None:
    assert own_path(to) == "/"


def test_a_mail_s_link_leads_to_its_page_wherever_the_console_is() -> None:
    assert path_of("https://console.example/grants/7/report?x=1") == "/grants/7/report?x=1"
    assert path_of("https://elsewhere.example//evil.example/") == "/"


def test_each_session_has_a_token_of_its_own_that_needs_the_key() -> None:
    key, other = SecretStr("k" * 32), SecretStr("o" * 32)
    tokens = {token_for(key, "a"), token_for(key, "b"), token_for(other, "a")}
    assert len(tokens) == 3
    assert token_for(key, "a") in tokens


def test_cookies_belong_to_the_host_alone_where_there_is_tls() -> None:
    assert Cookies("https://console.example").name("session") == "__Host-cxc-session"
    assert Cookies("http://127.0.0.1:8000").name("session") == "cxc-session"


def test_a_form_is_read_by_field() -> None:
    form = SentForm(FormData([("why", " because "), ("ids", "1"), ("ids", ""), ("ids", "2"), ("none", "")]))
    assert form.text("why") == "because"
    assert form.list("ids") == ["1", "2"]
    assert (form.text("none", "default"), form.text("absent")) == ("default", "")
    assert form.file("why") is None
    assert dict(form) == {"why": "because", "ids": "2", "none": ""}


def test_wishes_are_sent_as_they_were_ticked() -> None:
    form = SentForm(
        FormData(
            [
                ("version", "3"),
                ("time_zone", "Europe/Rome"),
                ("language", ""),
                ("begins", "22:00"),
                ("ends", ""),
                ("channels-money", "email"),
                ("pace-money", "daily"),
                ("pace-matches", "at_once"),
            ]
        )
    )
    assert sent_wishes(form, ["money", "matches"]) == {
        "version": 3,
        "language": None,
        "time_zone": "Europe/Rome",
        "quiet": {"begins": "22:00", "ends": ""},  # the API says that an end is missing
        "kinds": {
            "money": {"channels": ["email"], "pace": "daily"},
            "matches": {"channels": [], "pace": "at_once"},
        },
    }
