"""The inbox and the delivery log over HTTP: who sees what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from pydantic import SecretStr

from services.notifications.api import create_app
from services.notifications.domain.suppression import masked
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.notify import notify
from services.notifications.words import Words
from shared.contracts.matching import MatchApproved
from shared.http import authenticated
from shared.security import Caller, CallerRole
from shared.settings import KafkaSettings
from tests.builders import an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples

VISITOR = Caller("v", CallerRole.PARTICIPANT, organisation="tagus-fibre")
STRANGER = Caller("x", CallerRole.PARTICIPANT, organisation="another")
STAFF = Caller("s", CallerRole.STAFF, partnership="hempclub")
HOST_STAFF = Caller("s", CallerRole.STAFF, partnership="sampletex")
OTHER_STAFF = Caller("s", CallerRole.STAFF, partnership="elsewhere")
AUDITOR = Caller("a", CallerRole.AUDITOR)
EXTERNAL = Caller("e", CallerRole.EXTERNAL)


@dataclass
class Root:
    transactions: MemoryTransactions[NotificationsUnitOfWork]
    words: Words = samples.WORDS


@dataclass
class Api:
    """The API with one approved match told to everyone; `as_` names the caller."""

    app: FastAPI
    http: httpx.AsyncClient

    async def get(self, path: str, *, as_: Caller, **params: Any) -> httpx.Response:
        self.app.dependency_overrides[authenticated] = lambda: as_
        return await self.http.get(path, params=params)

    async def post(self, path: str, *, as_: Caller) -> httpx.Response:
        self.app.dependency_overrides[authenticated] = lambda: as_
        return await self.http.post(path)


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    settings = NotificationsSettings(
        kafka=KafkaSettings(bootstrap="127.0.0.1:1"),
        mongo_url=SecretStr("mongodb://127.0.0.1:1"),
        issuer="https://issuer.example",
        jwks_url="https://issuer.example/keys",
    )
    app = create_app(settings)
    transactions = MemoryTransactions(samples.open_unit)
    app.state.root = Root(transactions)
    approved = samples.a_match(MatchApproved)
    fact = an_envelope(approved, service="matching", subject="m-1")
    await transactions.run(lambda uow: notify(uow, fact, approved))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="https://api.example"
    ) as http:
        yield Api(app, http)


async def test_everyone_has_their_own_inbox(api: Api) -> None:
    for caller, recipient in ((VISITOR, "visitor"), (STAFF, "staff"), (HOST_STAFF, "staff")):
        [entry] = (await api.get("/inbox", as_=caller)).json()["items"]
        assert (entry["recipient"], entry["about"], entry["read_at"]) == (recipient, "m-1", None)
    assert (await api.get("/inbox", as_=STRANGER)).json() == {"items": [], "next": None}


@pytest.mark.parametrize("caller", [AUDITOR, EXTERNAL])
async def test_who_is_no_recipient_has_no_inbox(api: Api, caller: Caller) -> None:
    assert (await api.get("/inbox", as_=caller)).status_code == 403


async def test_an_entry_read_is_no_longer_unread(api: Api) -> None:
    [entry] = (await api.get("/inbox", as_=VISITOR, unread=True)).json()["items"]
    assert (await api.post(f"/inbox/{entry['id']}/read", as_=STRANGER)).status_code == 404
    assert (await api.post(f"/inbox/{entry['id']}/read", as_=STAFF)).status_code == 404
    assert (await api.post(f"/inbox/{entry['id']}/read", as_=VISITOR)).json()["read_at"]
    assert (await api.get("/inbox", as_=VISITOR, unread=True)).json()["items"] == []
    assert len((await api.get("/inbox", as_=VISITOR, about="m-1")).json()["items"]) == 1
    assert (await api.get("/inbox", as_=VISITOR, about="m-2")).json()["items"] == []


async def test_the_log_shows_staff_their_cases_and_auditors_all(api: Api) -> None:
    for caller, number in ((STAFF, 6), (HOST_STAFF, 6), (OTHER_STAFF, 0), (AUDITOR, 6)):
        log = (await api.get("/notifications", as_=caller, about="m-1")).json()
        assert len(log["items"]) == number
    assert (await api.get("/notifications", as_=VISITOR)).status_code == 403
    pending = (await api.get("/notifications", as_=AUDITOR, state="pending")).json()["items"]
    assert {entry["channel"] for entry in pending} == {"email"}
    assert {entry["address"] for entry in pending} == {"o…@tagus-fibre.example", "o…@navigli-textile.example"}


async def test_pages_of_the_log_follow_each_other(api: Api) -> None:
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await api.get("/notifications", as_=AUDITOR, limit=4, **after)).json()
        seen += [entry["id"] for entry in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert len(seen) == len(set(seen)) == 6


async def test_an_address_is_whole_only_for_its_owner(api: Api) -> None:
    pending = (await api.get("/notifications", as_=AUDITOR, state="pending")).json()["items"]
    [mail] = [entry for entry in pending if entry["recipient"] == "visitor"]
    path = f"/notifications/{mail['id']}"
    assert (await api.get(path, as_=VISITOR)).json()["address"] == "office@tagus-fibre.example"
    for caller in (STAFF, HOST_STAFF, AUDITOR):
        seen = (await api.get(path, as_=caller)).json()
        assert seen["address"] == "o…@tagus-fibre.example"
        assert "is approved" in seen["text"]
    for caller in (STRANGER, OTHER_STAFF, EXTERNAL):
        assert (await api.get(path, as_=caller)).status_code == 404


async def test_a_mail_is_shown_as_it_looked_without_the_way_to_leave(api: Api) -> None:
    entries = (await api.get("/notifications", as_=AUDITOR)).json()["items"]
    [mail] = [one for one in entries if (one["channel"], one["recipient"]) == ("email", "visitor")]
    for caller in (VISITOR, STAFF, HOST_STAFF, AUDITOR):
        shown = await api.get(f"/notifications/{mail['id']}/mail", as_=caller)
        assert shown.headers["content-type"] == "text/html; charset=utf-8"
        assert mail["why"] in shown.text
        assert "is approved" in shown.text
        assert "/unsubscribe/" not in shown.text
    for caller in (STRANGER, OTHER_STAFF, EXTERNAL):
        assert (await api.get(f"/notifications/{mail['id']}/mail", as_=caller)).status_code == 404


async def test_only_mails_are_shown_as_mails(api: Api) -> None:
    entries = (await api.get("/notifications", as_=AUDITOR)).json()["items"]
    [entry] = [one for one in entries if (one["channel"], one["recipient"]) == ("inbox", "visitor")]
    refused = await api.get(f"/notifications/{entry['id']}/mail", as_=AUDITOR)
    assert (refused.status_code, refused.json()["detail"]) == (404, f"Notification {entry['id']} is no mail.")


async def test_a_state_that_does_not_exist_is_malformed(api: Api) -> None:
    assert (await api.get("/notifications", as_=AUDITOR, state="lost")).status_code == 422


def test_a_masked_address_keeps_its_domain() -> None:
    assert masked("office@sme.example") == "o…@sme.example"
