"""Payments and bank accounts over HTTP: what is answered to whom, and that no number is ever told back."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from services.funding.api import create_app
from services.funding.bootstrap import Funding
from services.funding.settings import FundingSettings
from services.funding.vault import Vault
from shared.contracts.envelope import now
from shared.http import authenticated
from shared.security import Caller
from shared.settings import KafkaSettings
from tests.unit.funding.builders import POLICIES
from tests.unit.funding.paying import (
    AUDITOR,
    IBAN,
    PREPARER,
    RELEASER,
    Desk,
    a_notification,
    a_visitor,
    account_facts,
    an_entry,
)


class Api:
    """A client of the API that can be anyone, beside the desk whose database it has."""

    def __init__(self, app: FastAPI, http: httpx.AsyncClient, desk: Desk) -> None:
        self.app, self.http, self.desk = app, http, desk

    async def call(self, method: str, path: str, caller: Caller, **request: Any) -> httpx.Response:
        self.app.dependency_overrides = {authenticated: lambda: caller}
        return await self.http.request(method, path, **request)

    async def prepared(self, *ids: str) -> str:
        answer = await self.call("POST", "/payments", PREPARER, json={"grants": list(ids)})
        assert answer.status_code == 201, answer.text
        return cast(str, answer.json()["id"])

    async def released(self, *ids: str) -> str:
        id = await self.prepared(*ids)
        answer = await self.call("POST", f"/payments/{id}/release", RELEASER)
        assert answer.status_code == 200, answer.text
        return id

    async def answers(self, content: bytes) -> httpx.Response:
        return await self.call("POST", "/payments/bank-answers", PREPARER, content=content)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    desk = Desk()
    settings = FundingSettings(
        kafka=KafkaSettings(bootstrap="127.0.0.1:1"),
        mongo_url="mongodb://127.0.0.1:1",
        issuer="https://issuer.example",
        jwks_url="https://issuer.example/keys",
    )
    app = create_app(settings)
    app.state.root = root_of(desk, settings, desk.vault)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://funding") as http:
        yield Api(app, http, desk)


def root_of(desk: Desk, settings: FundingSettings, vault: Vault) -> Funding:
    return Funding(
        settings=settings,
        client=cast(Any, None),
        database=cast(Any, None),
        transactions=cast(Any, desk.transactions),
        partnerships=desk.partnerships,
        policies=POLICIES,
        files=cast(Any, None),
        clock=now,
        vault=vault,
        debtors=desk.debtors,
    )


async def test_from_an_account_to_the_banks_answer(api: Api) -> None:
    grant = await api.desk.grant("m1", account=False)
    given = await api.call("PUT", f"/grants/{grant}/bank-account", a_visitor("m1"), json=account_facts())
    assert given.json() | {"given_at": ""} == {
        "holder": "Tagus Fibre Works (sample)",
        "address": account_facts()["address"],
        "account": "PT50 •••• … 0154",
        "bank": None,
        "given_at": "",
        "in_use": False,
    }
    id = await api.released(grant)
    file = await api.call("GET", f"/payments/{id}/pain.001.xml", PREPARER)
    assert file.headers["content-type"] == "application/xml"
    assert file.headers["cache-control"] == "private, no-store"
    assert IBAN in file.text
    payment = (await api.call("GET", f"/payments/{id}", AUDITOR)).json()
    [transfer] = payment["transfers"]
    assert transfer["visitor"] == (await api.desk.grants())[grant].visitor.organisation
    assert (transfer["account"], transfer["amount"], transfer["state"]) == (
        "PT50 •••• … 0154",
        "450.00",
        "pending",
    )
    notice = a_notification(an_entry(transfer["end_to_end_id"]), an_entry("OTHER", "12.00"))
    said = (await api.answers(notice)).json()
    assert said["sentence"] == "2 answers: 1 applied and 1 not ours."
    assert [line["sentence"] for line in said["answers"]] == ["paid", "no payment of your partnership has it"]
    again = (await api.answers(notice)).json()
    assert again["sentence"] == "2 answers: 1 already known and 1 not ours. Nothing was changed."
    page = (await api.call("GET", "/payments?state=settled", PREPARER)).json()
    assert [line["id"] for line in page["items"]] == [id]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"grants": []}, 422, "malformed"),
        ({"grants": ["grant-m9"]}, 404, "not-found"),
        ({"grants": ["grant-m2"]}, 409, "gates-open"),
        ({"grants": ["grant-m1", "grant-m2", "grant-m3"]}, 409, "not-payable"),
    ],
)
async def test_what_cannot_be_prepared_says_why(api: Api, sent: Any, status: int, code: str) -> None:
    await api.desk.grant("m1")
    await api.desk.grant("m2", passed=["report"])
    await api.desk.grant("m3", account=False)
    answer = await api.call("POST", "/payments", PREPARER, json=sent)
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (status, code)


async def test_who_prepared_a_payment_is_told_that_another_must_release_it(api: Api) -> None:
    id = await api.prepared(await api.desk.grant("m1"))
    answer = await api.call("POST", f"/payments/{id}/release", PREPARER, json={})
    assert answer.status_code == 409
    assert "another officer" in answer.json()["detail"]
    answer = await api.call("POST", f"/payments/{id}/release", RELEASER, json={"execute_on": "2023-02-19"})
    assert answer.json()["type"].endswith("day-not-possible")
    withdrawn = await api.call("POST", f"/payments/{id}/withdraw", PREPARER, json={"reason": "Wrong day."})
    assert (withdrawn.json()["state"], withdrawn.json()["reason"]) == ("withdrawn", "Wrong day.")
    answer = await api.call("GET", f"/payments/{id}/pain.001.xml", RELEASER)
    assert answer.json()["type"].endswith("not-released")


async def test_a_typo_is_told_by_field_and_the_number_neither_told_back_nor_logged(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    grant = await api.desk.grant("m1", account=False)
    typo = IBAN[:-1] + "5"
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        sent = account_facts(iban=typo, holder="")
        answer = await api.call("PUT", f"/grants/{grant}/bank-account", a_visitor("m1"), json=sent)
    assert answer.status_code == 422
    errors = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    assert set(errors) == {"/holder", "/iban"}
    assert "check digits" in errors["/iban"]
    for text in (answer.text, repr(logs), caplog.text):
        assert typo[4:] not in text


async def test_without_a_key_the_answer_is_that_the_platform_is_not_set_up_for_it(api: Api) -> None:
    grant = await api.desk.grant("m1")
    api.app.state.root = root_of(api.desk, api.app.state.root.settings, Vault())
    put = await api.call("PUT", f"/grants/{grant}/bank-account", a_visitor("m1"), json=account_facts())
    prepare = await api.call("POST", "/payments", PREPARER, json={})
    for answer in (put, prepare):
        assert answer.status_code == 503
        assert "CXC_BANK_KEYS" in answer.json()["detail"]
    assert (await api.desk.states())[grant] == "payable"


@pytest.mark.parametrize(
    ("content", "status"), [(b"not xml", 422), (b"", 422), (b"<a>" * (4 * 2**20), 413), (b"<a>" * 2**20, 422)]
)
async def test_a_file_no_bank_sends_is_refused(api: Api, content: bytes, status: int) -> None:
    assert (await api.answers(content)).status_code == status
