"""Drafts on real MongoDB: sent by several at once, and never both a draft and a registration."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.registration.domain.draft import Draft
from services.registration.domain.registration import Registration
from tests.builders import a_submission
from tests.integration.apis import Api, participant

pytestmark = pytest.mark.integration

OWNER = participant("tagus-fibre")


async def begun(api: Api, content: Any) -> str:
    answer = await api.post("/drafts", OWNER, content)
    assert answer.status_code == 201, answer.text
    id: str = answer.json()["id"]
    return id


async def test_a_draft_sent_by_several_at_once_is_one_registration(registration: Api) -> None:
    organisation = {**a_submission()["organisation"], "pic": "900000741"}
    id = await begun(registration, a_submission(organisation=organisation))
    answers = await asyncio.gather(*(registration.post(f"/drafts/{id}/send", OWNER) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] * 11 + [201]
    assert {answer.json()["id"] for answer in answers} == {id}
    database = registration.root.database
    assert await database[Registration.COLLECTION].count_documents({"_id": id}) == 1
    assert (
        await database[Registration.COLLECTION].count_documents({"submission.organisation.pic": "900000741"})
        == 1
    )
    assert await database[Draft.COLLECTION].find_one({"_id": id}) is None
    stored = await registration.stored()
    assert len([row for row in stored["outbox"] if id in str(row)]) == 1


async def test_of_a_save_and_a_sending_at_once_both_hold_or_one_is_refused(registration: Api) -> None:
    for number in range(10):
        organisation = {**a_submission()["organisation"], "pic": str(900000750 + number)}
        content = a_submission(organisation=organisation)
        id = await begun(registration, content)
        saved, sent = await asyncio.gather(
            registration.call("PUT", f"/drafts/{id}", OWNER, params={"version": 1}, json={"goals": []}),
            registration.call("POST", f"/drafts/{id}/send", OWNER, params={"version": 1}),
        )
        # Whichever came first: what was sent is what its sender had seen.
        assert (saved.status_code, sent.status_code) in {(200, 409), (404, 201)}
        assert (await registration.get(f"/drafts/{id}", OWNER)).status_code == saved.status_code
