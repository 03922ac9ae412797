"""Signing in to the console at the issuer's process, and what a session, a cookie and a form are worth."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import SecretStr

from services.console.signing_in.provider import ProviderAway, Tokens
from tests.builders import A_SECRET
from tests.integration.apis import As, Issuer, everything, running_api

pytestmark = pytest.mark.integration

CONSOLE = "http://127.0.0.1:8000"
OFFICER = {"role": "staff", "partnership": "hempclub", "seat": "1"}
NOBODY_S_ID = "A" * 43


@dataclass
class Desk:
    """The console's application, and browsers that reach it and the issuer's process."""

    app: FastAPI
    root: Any

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        """A browser with cookies of its own."""
        own = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(base_url=CONSOLE, mounts={CONSOLE: own}, timeout=20) as http:
            yield Browser(http)

    async def sessions(self) -> list[dict[str, Any]]:
        """What is stored of sessions."""
        return await self.root.database.sessions.find({}).to_list(None)  # type: ignore[no-any-return]

    async def change_session(self, **fields: Any) -> None:
        """Let time pass for the one session there is."""
        assert (await self.root.database.sessions.update_many({}, {"$set": fields})).modified_count == 1


@dataclass
class Browser:
    """What a person has before them."""

    http: httpx.AsyncClient

    async def ask(self, to: str = "/messages") -> str:
        """Ask to sign in; the address at the issuer one is led to."""
        answer = await self.http.get("/sign-in", params={"to": to})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def choose(self, asked: str, chosen: dict[str, str] = OFFICER) -> str:
        """Choose whom to be at the issuer; the address one is led back to."""
        answer = await self.http.post(asked, data=chosen)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def sign_in(self, to: str = "/messages", chosen: dict[str, str] = OFFICER) -> httpx.Response:
        """All of it; the last answer of the console, which leads to the page asked for."""
        return await self.http.get(await self.choose(await self.ask(to), chosen))

    async def who(self) -> str | None:
        """Whom a page says one is signed in as."""
        page = await self.http.get("/signed-out")
        assert page.status_code == 200, page.text
        said = re.search(r"Signed in as</span>\s*([^<]+?)\s*<", page.text)
        return said.group(1) if said else None

    async def csrf(self) -> str:
        """What the forms of a page send along."""
        found = re.search(r'X-CSRF-Token": "(\w+)"', (await self.http.get("/signed-out")).text)
        assert found is not None
        return found.group(1)

    @property
    def session(self) -> str | None:
        """The value of the session's cookie."""
        return self.http.cookies.get("cxc-session")


@pytest.fixture
async def desk(mongo_url: str, issuer: Issuer, database: str) -> AsyncIterator[Desk]:
    async with running_console(mongo_url, issuer, database) as running:
        yield running


@asynccontextmanager
async def running_console(mongo_url: str, issuer: Issuer, database: str, **more: Any) -> AsyncIterator[Desk]:
    given = {"public_url": CONSOLE, "session_key": A_SECRET, **more}
    async with running_api("console", mongo_url, issuer, database, **given) as api:
        yield Desk(api.app, api.root)


@pytest.fixture
async def browser(desk: Desk) -> AsyncIterator[Browser]:
    async with desk.browser() as browser:
        yield browser


def says(answer: httpx.Response, status: int, sentence: str) -> None:
    """Whether a page says so, in the console's own look."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert sentence in answer.text


# The way in


async def test_one_signs_in_and_comes_back_to_the_page_one_was_at(browser: Browser) -> None:
    asked = await browser.ask("/messages?kind=payment")
    query = parse_qs(urlsplit(asked).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == [f"{CONSOLE}/signed-in"]
    assert all(len(query[name][0]) >= 20 for name in ("state", "nonce", "code_challenge"))
    back = await browser.http.get(await browser.choose(asked))
    assert (back.status_code, back.headers["location"]) == (303, "/messages?kind=payment")
    assert await browser.who() == "Officer 1, HempClub"


async def test_a_session_s_cookie_is_for_this_site_and_no_script(browser: Browser) -> None:
    back = await browser.sign_in()
    cookie = next(value for value in back.headers.get_list("set-cookie") if "cxc-session=" in value)
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"httponly", "path=/", "samesite=lax"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", browser.session or "")


async def test_over_https_the_cookie_is_the_host_s_alone(
    mongo_url: str, issuer: Issuer, database: str
) -> None:
    async with (
        running_console(mongo_url, issuer, database, public_url="https://console.example") as desk,
        desk.browser() as browser,
    ):
        page = await browser.http.get("/")
        cookie = page.headers["set-cookie"]
        assert cookie.startswith("__Host-cxc-browser=")
        assert "secure" in cookie.lower()
        assert "max-age=31536000" in page.headers["strict-transport-security"]


async def test_the_database_has_neither_token_nor_anything_to_make_a_cookie_of(
    desk: Desk, browser: Browser
) -> None:
    asked = await browser.ask()
    state = parse_qs(urlsplit(asked).query)["state"][0]
    before = str(await everything(desk.root.database))
    assert state not in before
    await browser.http.get(await browser.choose(asked))
    session = browser.session
    assert session is not None
    person_s = await desk.root.sessions.person_of(_request(session))
    stored = str(await everything(desk.root.database))
    assert session not in stored
    for part in person_s.token.split("."):
        assert part not in stored
    assert "officer-1" not in stored
    assert "Officer 1" not in stored


async def test_an_id_somebody_planted_before_is_not_what_one_is_known_by(
    desk: Desk, browser: Browser
) -> None:
    browser.http.cookies.set("cxc-session", NOBODY_S_ID, domain="127.0.0.1", path="/")
    await browser.sign_in()
    assert browser.session not in (None, NOBODY_S_ID)
    first = browser.session
    await browser.sign_in(chosen={"role": "auditor"})
    assert browser.session != first
    assert len(await desk.sessions()) == 1, "the session before is over"


@pytest.mark.parametrize(
    "to",
    [
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "/\\elsewhere.example/",
        "/\t/elsewhere.example",
        "\\\\elsewhere.example",
        "javascript:alert(1)",
        "messages",
        "/sign-out",
        "/x\r\nSet-Cookie: a=b",
        "",
    ],
)
async def test_nobody_is_led_off_the_console(browser: Browser, to: str) -> None:
    assert (await browser.sign_in(to)).headers["location"] == "/"


# Ways in that do not lead in


async def test_an_answer_nobody_here_asked_for_signs_nobody_in(desk: Desk, browser: Browser) -> None:
    back = await browser.choose(await browser.ask())
    wrong = re.sub(r"state=[^&]+", "state=another", back)
    says(await browser.http.get(wrong), 400, "This sign-in was interrupted")
    async with desk.browser() as another:
        says(await another.http.get(back), 400, "This sign-in was interrupted")  # somebody else's link
        await another.ask()
        says(await another.http.get(back), 400, "This sign-in was interrupted")
    assert await desk.sessions() == []
    assert (await browser.http.get(back)).status_code == 303, "who asked still can"


async def test_an_answer_counts_once_and_for_a_quarter_of_an_hour(desk: Desk, browser: Browser) -> None:
    back = await browser.choose(await browser.ask())
    assert (await browser.http.get(back)).status_code == 303
    await browser.ask()  # gives the browser an id as a stranger's again
    says(await browser.http.get(back), 400, "This sign-in was interrupted")
    late = await browser.choose(await browser.ask())
    past = datetime.now(UTC) - timedelta(seconds=1)
    await desk.root.database.sign_ins.update_many({}, {"$set": {"until": past}})
    says(await browser.http.get(late), 400, "This sign-in was interrupted")
    assert len(await desk.sessions()) == 1


@pytest.mark.parametrize("changed", ["nonce", "code_verifier"])
async def test_what_the_issuer_answers_has_to_fit_the_attempt(
    desk: Desk, browser: Browser, changed: str
) -> None:
    back = await browser.choose(await browser.ask())
    attempts, seal = desk.root.database.sign_ins, desk.root.sessions.seal
    [kept] = await attempts.find({}).to_list(None)
    other = seal.close(**{**seal.open(kept["sealed"]), changed: "a" * 48})
    await attempts.update_one({"_id": kept["_id"]}, {"$set": {"sealed": other}})
    says(await browser.http.get(back), 403, "You were not signed in")
    assert await desk.sessions() == []


async def test_whoever_turns_back_at_the_issuer_is_told_so(desk: Desk, browser: Browser) -> None:
    for answer in (
        "error=access_denied&error_description=Turned+<b>back",
        "iss=https%3A%2F%2Fx.example&code=x",
        "",
    ):
        state = parse_qs(urlsplit(await browser.ask()).query)["state"][0]
        page = await browser.http.get(f"/signed-in?state={state}&{answer}")
        says(page, 403, "You were not signed in")
        assert "<b>" not in page.text
    assert await desk.sessions() == []


async def test_who_may_nothing_here_is_told_whom_to_ask(
    desk: Desk, browser: Browser, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def without_a_partnership(*_: Any, **__: Any) -> Tokens:
        return Tokens(issuer.token(As("staff")), "Somebody")

    monkeypatch.setattr(desk.root.sessions.provider, "finish", without_a_partnership)
    page = await browser.sign_in()
    says(page, 403, "You have no access here yet")
    assert "must name its cxc_partnership" in page.text


async def test_while_the_issuer_is_away_a_page_says_so(
    mongo_url: str, own_issuer: Issuer, database: str
) -> None:
    async with running_console(mongo_url, own_issuer, database) as desk, desk.browser() as browser:
        away = "Signing in is not possible at the moment"
        says(await browser.http.get("/sign-in"), 503, away)
        await asyncio.to_thread(own_issuer.start)
        back = await browser.choose(await browser.ask())
        await asyncio.to_thread(own_issuer.stop)
        says(await browser.http.get(back), 503, away)
        await asyncio.to_thread(own_issuer.start)
        assert (await browser.sign_in()).status_code == 303


async def test_an_issuer_of_another_name_is_not_asked_for_anybody(
    mongo_url: str, issuer: Issuer, own_issuer: Issuer, database: str
) -> None:
    async with (
        running_console(mongo_url, own_issuer, database, oidc_url=issuer.url) as desk,
        desk.browser() as browser,
    ):
        page = await browser.http.get("/sign-in")
        says(page, 503, "Signing in is not possible at the moment")
        assert "CXC_OIDC_URL" in page.text


# While a session lasts


async def test_a_session_ends_when_it_is_idle_and_in_any_case(
    mongo_url: str, issuer: Issuer, database: str
) -> None:
    hours = {"session_hours": 2, "session_idle_minutes": 90}
    async with running_console(mongo_url, issuer, database, **hours) as desk, desk.browser() as browser:
        await browser.sign_in()
        [session] = await desk.sessions()
        assert session["until"] - session["began_at"] == timedelta(minutes=90)
        began = datetime.now(UTC) - timedelta(minutes=80)
        await desk.change_session(began_at=began, seen_at=began)
        assert await browser.who() is not None
        [session] = await desk.sessions()
        assert session["until"] - session["began_at"] == timedelta(hours=2), "not longer than in any case"
        await desk.change_session(until=datetime.now(UTC))
        assert await browser.who() is None


async def test_the_database_forgets_sessions_and_attempts_that_are_over(desk: Desk) -> None:
    for name in ("sessions", "sign_ins"):
        indexes = await desk.root.database[name].index_information()
        assert indexes["until_1"]["expireAfterSeconds"] == 0


async def test_a_new_access_token_is_had_before_the_old_one_runs_out_and_once(
    desk: Desk, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.sign_in()
    renew, asked = desk.root.sessions.provider.renew, []

    async def counted(tokens: Tokens) -> Tokens:
        asked.append(tokens)
        await asyncio.sleep(0.2)
        renewed: Tokens = await renew(tokens)
        return renewed

    monkeypatch.setattr(desk.root.sessions.provider, "renew", counted)
    [before] = await desk.sessions()
    await desk.change_session(renew_at=datetime.now(UTC) - timedelta(hours=1))  # it ran out long ago
    assert set(await asyncio.gather(*(browser.who() for _ in range(4)))) == {"Officer 1, HempClub"}
    [after] = await desk.sessions()
    assert len(asked) == 1
    assert after["sealed"] != before["sealed"]
    assert after["renew_at"] > datetime.now(UTC).replace(tzinfo=None)
    assert await browser.who() == "Officer 1, HempClub"


async def test_while_no_new_token_can_be_had_the_old_one_does_as_long_as_it_holds(
    desk: Desk, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(tokens: Tokens) -> Tokens:
        raise ProviderAway("The sign-in service does not answer.")

    await browser.sign_in()
    monkeypatch.setattr(desk.root.sessions.provider, "renew", away)
    await desk.change_session(renew_at=datetime.now(UTC) - timedelta(seconds=30))
    assert await browser.who() is not None
    await desk.root.database.sessions.update_many({}, {"$unset": {"renewing": ""}})
    await desk.change_session(renew_at=datetime.now(UTC) - timedelta(seconds=61))
    assert await browser.who() is None
    assert len(await desk.sessions()) == 1, "it goes on when the service is back"


async def test_a_refresh_token_that_is_refused_ends_the_session(desk: Desk, browser: Browser) -> None:
    await browser.sign_in()
    [kept] = await desk.sessions()
    seal = desk.root.sessions.seal
    other = seal.close(**{**seal.open(kept["sealed"]), "refresh": "x.y.z"})
    await desk.change_session(sealed=other, renew_at=datetime.now(UTC) - timedelta(seconds=30))
    assert await browser.who() is None
    assert await desk.sessions() == []


async def test_without_a_refresh_token_one_signs_in_anew_when_it_is_over(
    desk: Desk, browser: Browser
) -> None:
    await browser.sign_in()
    [kept] = await desk.sessions()
    seal = desk.root.sessions.seal
    other = seal.close(**{**seal.open(kept["sealed"]), "refresh": ""})
    await desk.change_session(sealed=other, renew_at=datetime.now(UTC) - timedelta(seconds=61))
    answer = await browser.http.get("/inbox?archived=true")
    assert answer.headers["location"] == "/sign-in?to=%2Finbox%3Farchived%3Dtrue"


async def test_sessions_of_another_key_are_nobody_s(mongo_url: str, issuer: Issuer, database: str) -> None:
    async with running_console(mongo_url, issuer, database) as desk, desk.browser() as browser:
        await browser.sign_in()
        cookie = browser.session
        another = SecretStr("another secret of more than thirty-two characters")
        async with running_api(
            "console", mongo_url, issuer, database, public_url=CONSOLE, session_key=another
        ) as api:
            assert await api.root.sessions.person_of(_request(cookie)) is None


async def test_signing_out_ends_the_session_here_and_at_the_issuer(
    desk: Desk, browser: Browser, issuer: Issuer
) -> None:
    await browser.sign_in()
    session = browser.session
    page = await browser.http.post("/sign-out", data={"csrf": await browser.csrf()})
    says(page, 200, "You are signed out")
    leads_to = page.headers["refresh"].partition("url=")[2]
    assert leads_to.startswith(f"{issuer.url}/end-session?id_token_hint=")
    back = await browser.http.get(leads_to)
    assert back.headers["location"].startswith(f"{CONSOLE}/signed-out")
    says(await browser.http.get(back.headers["location"]), 200, "You are signed out")
    assert browser.session is None
    assert await desk.sessions() == []
    assert await desk.root.sessions.person_of(_request(session)) is None, "nor by a copy of the cookie"


# What other sites, and other people's pages, can do


async def test_a_page_for_people_who_signed_in_leads_there_and_back(browser: Browser) -> None:
    answer = await browser.http.get("/inbox?archived=true")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/sign-in?to=%2Finbox%3Farchived%3Dtrue",
    )
    part = await browser.http.get(
        "/inbox", headers={"HX-Request": "true", "HX-Current-URL": f"{CONSOLE}/grants?page=2"}
    )
    assert part.headers["hx-redirect"] == "/sign-in?to=%2Fgrants%3Fpage%3D2"
    await browser.sign_in()
    browser.http.cookies.set("cxc-session", NOBODY_S_ID, domain="127.0.0.1", path="/")
    action = await browser.http.post("/sign-out", headers={"Referer": f"{CONSOLE}/grants/7"})
    assert action.headers["location"] == "/sign-in?to=%2Fgrants%2F7", "the session was over"


def unsafe_routes(routes: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Every way to change something, with any parameters."""
    for route in routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from unsafe_routes(included.routes)
        for method in set(getattr(route, "methods", None) or ()) - {"GET", "HEAD", "OPTIONS"}:
            yield method, re.sub(r"\{[^}]+\}", "x", route.path)


async def test_nothing_is_changed_without_the_token_of_the_session(desk: Desk, browser: Browser) -> None:
    await browser.sign_in()
    async with desk.browser() as another:
        await another.sign_in(chosen={"role": "auditor"})
        stranger_s = await another.csrf()
        assert stranger_s != await browser.csrf()
    unsafe = sorted(unsafe_routes(desk.app.routes))
    unsafe.remove(("POST", "/unsubscribe/x"))  # its link is what it is worth; no session has a part in it
    assert ("POST", "/sign-out") in unsafe
    ways: list[dict[str, Any]]
    for method, path in unsafe:
        own = await browser.csrf()
        ways = [
            {},
            {"data": {"csrf": ""}},
            {"data": {"csrf": "wrong"}},
            {"data": {"csrf": stranger_s}},
            {"headers": {"X-CSRF-Token": stranger_s}},
            {"json": {"csrf": own}},
            {"params": {"csrf": own}},
            {"data": {"csrf": own}, "headers": {"Sec-Fetch-Site": "cross-site"}},
            {"data": {"csrf": own}, "headers": {"Sec-Fetch-Site": "same-site"}},
            {"data": {"csrf": own}, "headers": {"Origin": "https://elsewhere.example"}},
            {"data": {"csrf": own}, "headers": {"Origin": "null"}},
        ]
        for sent in ways:
            answer = await browser.http.request(method, path, **sent)
            assert answer.status_code == 403, (method, path, sent)
    assert await browser.who() is not None


async def test_the_token_opens_its_own_forms(browser: Browser) -> None:
    own = {"Sec-Fetch-Site": "same-origin", "Origin": CONSOLE}
    ways: list[dict[str, Any]] = [
        {"headers": own},
        {"headers": {"Origin": CONSOLE}},
        {"files": {"one": b"a file"}},
    ]
    for sent in ways:
        await browser.sign_in()
        answer = await browser.http.post("/sign-out", data={"csrf": await browser.csrf()}, **sent)
        assert answer.status_code == 200
    await browser.sign_in()
    by_htmx = {**own, "X-CSRF-Token": await browser.csrf()}
    assert (await browser.http.post("/sign-out", headers=by_htmx)).status_code == 200


async def test_strangers_forms_have_a_token_of_their_browser_s(desk: Desk, browser: Browser) -> None:
    refused = await browser.http.post("/sign-out", data={"csrf": "x"})
    assert refused.status_code == 403
    async with desk.browser() as another:
        assert await another.csrf() != await browser.csrf()
        borrowed = {"csrf": await another.csrf()}
        assert (await browser.http.post("/sign-out", data=borrowed)).status_code == 403
    own = {"csrf": await browser.csrf()}
    assert (await browser.http.post("/sign-out", data=own)).status_code == 303


async def test_every_answer_tells_the_browser_what_to_refuse(
    desk: Desk, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.sign_in()
    monkeypatch.setattr(desk.root.sessions, "end", None)  # an error of ours
    answers = [
        await browser.http.get("/signed-out"),
        await browser.http.get("/signed-in"),
        await browser.http.get("/there-is-no-such-page"),
        await browser.http.get("/ready"),
        await browser.http.post("/sign-out"),
        await browser.http.post("/sign-out", data={"csrf": await browser.csrf()}),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 404, 200, 403, 500]
    for answer in answers:
        policy = answer.headers["content-security-policy"].split("; ")
        expected = ("default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'")
        assert {*expected, "frame-ancestors 'self'", "base-uri 'none'"} <= set(policy)
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "geolocation=()" in answer.headers["permissions-policy"]
    for page in (answers[0], *answers[4:]):
        assert page.headers["cache-control"] == "no-store"


async def test_a_page_has_nothing_that_its_policy_forbids(browser: Browser) -> None:
    await browser.sign_in()
    for path in ("/signed-in", "/signed-out"):
        html = (await browser.http.get(path)).text
        assert not re.search(r"<[^>]+\s(style|on\w+)=", html), path
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|hx-on", html), path


def _request(session: str | None) -> Any:
    """A request with only the cookie of a session."""
    cookie = f"cxc-session={session}".encode()
    return Request({"type": "http", "headers": [(b"cookie", cookie)], "app": None})
