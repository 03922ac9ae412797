"""The embedded issuer: whom one may be, who gets a code for it, and what a code is good for."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import jwt
import pytest

from ops.issuer import AUDIENCE, ensure_key, web_app

ISSUER = "http://127.0.0.1:8080"
CONSOLE = "http://127.0.0.1:8000/signed-in"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-0"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "response_type": "code",
    "client_id": "console",
    "redirect_uri": CONSOLE,
    "scope": "openid profile",
    "state": "a-state",
    "nonce": "a-nonce",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
OFFICER = {"role": "staff", "partnership": "hempclub", "seat": "2"}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_key(tmp_path_factory.mktemp("issuer") / "key.pem")


@pytest.fixture
async def browser(key: Path) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(web_app(key, ISSUER))
    async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as client:
        yield client


async def choose(
    browser: httpx.AsyncClient, chosen: dict[str, str], headers: dict[str, str] | None = None, **asked: Any
) -> httpx.Response:
    query = {name: value for name, value in {**ASKED, **asked}.items() if value is not None}
    return await browser.post("/authorize", params=query, data=chosen, headers=headers)


async def code_for(browser: httpx.AsyncClient, chosen: dict[str, str]) -> str:
    answer = await choose(browser, chosen)
    assert answer.status_code == 303, answer.text
    led_to = urlsplit(answer.headers["location"])
    assert f"{led_to.scheme}://{led_to.netloc}{led_to.path}" == CONSOLE
    back = dict(parse_qsl(led_to.query))
    assert (back["state"], back["iss"]) == ("a-state", ISSUER)
    return back["code"]


async def redeem(browser: httpx.AsyncClient, code: str, /, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": "console",
        "redirect_uri": CONSOLE,
        "code_verifier": VERIFIER,
    }
    return await browser.post("/token", data={**form, **changes})


async def claims_of(browser: httpx.AsyncClient, token: str, audience: str = AUDIENCE) -> dict[str, Any]:
    published = (await browser.get("/jwks.json")).json()["keys"][0]
    return jwt.decode(token, jwt.PyJWK(published), audience=audience, issuer=ISSUER)


async def test_the_configuration_names_what_there_is(browser: httpx.AsyncClient) -> None:
    configuration = (await browser.get("/.well-known/openid-configuration")).json()
    assert configuration["issuer"] == ISSUER
    assert configuration["code_challenge_methods_supported"] == ["S256"]
    for name in ("authorization_endpoint", "token_endpoint", "end_session_endpoint", "jwks_uri"):
        path = configuration[name].removeprefix(ISSUER)
        assert (await browser.get(path)).status_code != 404


async def test_the_page_offers_every_partnership_and_leads_nowhere_else(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/authorize", params={**ASKED, "login_hint": 'a"><script>'})
    assert page.status_code == 200
    assert '<option value="hempclub">HempClub</option>' in page.text
    assert "<script>" not in page.text
    assert "a&quot;&gt;&lt;script&gt;" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8000;" in policy + ";"
    assert "style=" not in page.text
    assert (await browser.get("/style.css")).headers["content-type"].startswith("text/css")


CHOICES: list[tuple[dict[str, str], dict[str, Any], str]] = [
    (
        {"role": "participant", "organisation": " green-fibre "},
        {"cxc_role": "participant", "cxc_organisation": "green-fibre", "sub": "participant@green-fibre"},
        "green-fibre",
    ),
    (
        OFFICER,
        {"cxc_role": "staff", "cxc_partnership": "hempclub", "sub": "officer-2@hempclub"},
        "Officer 2, HempClub",
    ),
    ({"role": "support_office"}, {"cxc_role": "support_office"}, "Support office"),
    ({"role": "auditor"}, {"cxc_role": "auditor"}, "Auditor"),
    ({"role": "external", "system": "/sample/crm"}, {"cxc_role": "external", "sub": "/sample/crm"},
     "/sample/crm"),
]  # fmt: skip


@pytest.mark.parametrize(("chosen", "says", "name"), CHOICES, ids=[row[0]["role"] for row in CHOICES])
async def test_one_is_whom_one_chose(
    browser: httpx.AsyncClient, chosen: dict[str, str], says: dict[str, Any], name: str
) -> None:
    answer = await redeem(browser, await code_for(browser, chosen))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    claims = await claims_of(browser, tokens["access_token"])
    assert says.items() <= claims.items()
    who = await claims_of(browser, tokens["id_token"], audience="console")
    assert (who["name"], who["nonce"], who["sub"]) == (name, "a-nonce", claims["sub"])


async def test_two_officers_of_a_partnership_are_two_people(browser: httpx.AsyncClient) -> None:
    seats = []
    for seat in ("1", "2"):
        tokens = (await redeem(browser, await code_for(browser, {**OFFICER, "seat": seat}))).json()
        seats.append((await claims_of(browser, tokens["access_token"]))["sub"])
    assert seats == ["officer-1@hempclub", "officer-2@hempclub"]


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"role": "administrator"},
        {"role": "staff", "partnership": "nobody"},
        {"role": "staff", "partnership": "hempclub", "seat": "4"},
        {"role": "participant", "organisation": "  "},
        {"role": "participant", "organisation": "x" * 101},
        {"role": "participant", "organisation": "two\nlines"},
        {"role": "external"},
    ],
)
async def test_nobody_can_be_what_there_is_not(browser: httpx.AsyncClient, chosen: dict[str, str]) -> None:
    assert (await choose(browser, chosen)).status_code == 400


@pytest.mark.parametrize(
    "redirect_uri",
    [
        None,
        "",
        "https://elsewhere.example/signed-in",
        "http://127.0.0.1.elsewhere.example/",
        "http://127.0.0.1@elsewhere.example/",
        "http://elsewhere.example#@127.0.0.1/",
        "http://127.0.0.1:8000/#fragment",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1/ two",
        "javascript:alert(1)//127.0.0.1",
        "//127.0.0.1/",
    ],
)
async def test_a_code_goes_to_this_machine_alone(
    browser: httpx.AsyncClient, redirect_uri: str | None
) -> None:
    query = {**ASKED, "redirect_uri": redirect_uri or ""}
    assert (await browser.get("/authorize", params=query)).status_code == 400
    answer = await choose(browser, OFFICER, redirect_uri=redirect_uri)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("own", ["http://localhost:8052/signed-in", "http://[::1]:9/x", "http://127.0.0.1/"])
async def test_any_port_of_this_machine_will_do(browser: httpx.AsyncClient, own: str) -> None:
    assert (await choose(browser, OFFICER, redirect_uri=own)).headers["location"].startswith(own)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
    ],
)
async def test_a_client_that_asks_wrongly_is_told_so(
    browser: httpx.AsyncClient, asked: dict[str, Any], error: str
) -> None:
    answer = await choose(browser, OFFICER, **asked)
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["error"] == [error]
    assert "code" not in back


async def test_another_site_cannot_choose_for_somebody(browser: httpx.AsyncClient) -> None:
    answer = await choose(browser, OFFICER, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


async def test_a_code_is_good_once(browser: httpx.AsyncClient) -> None:
    code = await code_for(browser, OFFICER)
    assert (await redeem(browser, code)).status_code == 200
    again = await redeem(browser, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "another"},
        {"client_id": "another"},
        {"redirect_uri": "http://127.0.0.1:8001/signed-in"},
        {"code_verifier": VERIFIER[::-1]},
        {"code_verifier": ""},
        {"code_verifier": CHALLENGE},
    ],
)
async def test_a_code_is_good_for_whoever_asked_for_it(
    browser: httpx.AsyncClient, changes: dict[str, str]
) -> None:
    answer = await redeem(browser, await code_for(browser, OFFICER), **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_a_code_is_good_for_a_minute(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await code_for(browser, OFFICER)
    later = time.time() + 61
    monkeypatch.setattr("ops.issuer.time.time", lambda: later)
    assert (await redeem(browser, code)).status_code == 400


async def test_a_refresh_token_gives_the_same_person_again(browser: httpx.AsyncClient) -> None:
    first = (await redeem(browser, await code_for(browser, OFFICER))).json()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "client_id": "console"}
    again = (await browser.post("/token", data=form)).json()
    before, after = [await claims_of(browser, tokens["access_token"]) for tokens in (first, again)]
    assert {**after, "iat": 0, "exp": 0} == {**before, "iat": 0, "exp": 0}
    with pytest.raises(jwt.InvalidAudienceError):
        await claims_of(browser, first["refresh_token"])  # it opens no API
    for wrong in ({"client_id": "another"}, {"refresh_token": first["access_token"]}, {"refresh_token": "x"}):
        assert (await browser.post("/token", data={**form, **wrong})).json()["error"] == "invalid_grant"
    refused = await browser.post("/token", data={"grant_type": "password", "username": "x"})
    assert refused.json()["error"] == "unsupported_grant_type"


async def test_signing_out_leads_back_to_this_machine_alone(browser: httpx.AsyncClient) -> None:
    back = {"post_logout_redirect_uri": "http://127.0.0.1:8000/signed-out", "state": "a b"}
    led = await browser.get("/end-session", params=back)
    assert led.headers["location"] == "http://127.0.0.1:8000/signed-out?state=a+b"
    elsewhere = await browser.get("/end-session", params={"post_logout_redirect_uri": "https://x.example/"})
    assert elsewhere.status_code == 200
    assert re.search("signed out", elsewhere.text)
