"""What is to be done by when, over HTTP: who sees what of it."""

from __future__ import annotations

import pytest

from services.notifications.use_cases.schedule_reminders import schedule_reminders
from shared.contracts.envelope import Cause, Event, wrap
from shared.contracts.funding import GrantClaimedBack, GrantPayable
from shared.contracts.matching import CommitmentSigned
from shared.contracts.types import EventType
from tests.builders import A_MOMENT
from tests.unit.notifications import samples
from tests.unit.notifications.test_api import (  # noqa: F401 - the fixture
    AUDITOR,
    EXTERNAL,
    HOST_STAFF,
    OTHER_STAFF,
    STAFF,
    STRANGER,
    VISITOR,
    Api,
    api,
)

COMMITMENT, PAYMENT, RETURN = "commitment_to_sign", "payment_to_make", "amount_to_return"


@pytest.fixture
async def asked(api: Api) -> Api:  # noqa: F811
    """The visitor has signed the commitment; a payment is due, and an earlier one is claimed back."""
    events: list[tuple[Event, str]] = [
        (samples.a_commitment(CommitmentSigned), "c-1"),
        (samples.a_grant(GrantPayable), "g-1"),
        (samples.a_grant(GrantClaimedBack), "g-1"),
    ]
    for number, (event, of) in enumerate(events, start=1):
        fact = wrap(event, service="funding", subject=of, sequence=number, cause=Cause(), at=A_MOMENT)
        await api.app.state.root.transactions.run(
            lambda uow, fact=fact, event=event: schedule_reminders(uow, fact, event)
        )
    return api


async def names(api: Api, caller: object, **params: object) -> list[str]:  # noqa: F811
    page = (await api.get("/reminders", as_=caller, **params)).json()  # type: ignore[arg-type]
    return [item["name"] for item in page["items"]]


async def test_organisations_see_what_they_are_to_do_and_staff_all_of_their_cases(asked: Api) -> None:
    assert await names(asked, VISITOR) == [RETURN]
    assert await names(asked, STAFF) == [COMMITMENT, PAYMENT, RETURN]
    assert await names(asked, HOST_STAFF) == [COMMITMENT, PAYMENT, RETURN]
    assert await names(asked, AUDITOR) == [COMMITMENT, PAYMENT, RETURN]
    assert await names(asked, STRANGER) == await names(asked, OTHER_STAFF) == []
    assert (await asked.get("/reminders", as_=EXTERNAL)).status_code == 403


async def test_it_is_said_what_is_to_be_done_by_whom_until_when_and_when_it_is_said(asked: Api) -> None:
    [first, *_] = (await asked.get("/reminders", as_=STAFF)).json()["items"]
    assert first == {
        "id": "commitment_to_sign:m-1",
        "name": COMMITMENT,
        "label": "sign the Commitment to Quality",
        "about": "m-1",
        "case": "m-1",
        "deadline": "2023-02-13",
        "over": True,
        "awaits": [
            {"role": "host", "partnership": "sampletex"},
            {"role": "staff", "partnership": "hempclub"},
            {"role": "staff", "partnership": "sampletex"},
        ],
        "to_come": ["2023-02-07T07:00:00Z", "2023-02-12T07:00:00Z", "2023-02-14T07:00:00Z"],
        "told": 0,
        "told_at": None,
        "path": "/matches/m-1",
    }


@pytest.mark.parametrize(
    ("about", "found"),
    [
        ("m-1", [COMMITMENT, PAYMENT, RETURN]),
        ("r-visitor", [COMMITMENT, PAYMENT, RETURN]),
        ("g-1", [PAYMENT, RETURN]),
        ("m-2", []),
    ],
)
async def test_it_is_found_by_match_registration_and_grant(asked: Api, about: str, found: list[str]) -> None:
    assert await names(asked, STAFF, about=about) == found


async def test_pages_follow_each_other_the_soonest_first(asked: Api) -> None:
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await asked.get("/reminders", as_=STAFF, limit=1, **after)).json()
        seen += [item["deadline"] for item in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == ["2023-02-13", "2023-03-02", "2023-04-05"]


async def test_what_is_done_is_not_among_it(asked: Api) -> None:
    paid = next(event for event in samples.every_event() if event.TYPE == EventType.GRANT_CANCELLED)
    fact = wrap(paid, service="funding", subject="g-1", sequence=9, cause=Cause(), at=A_MOMENT)
    await asked.app.state.root.transactions.run(lambda uow: schedule_reminders(uow, fact, paid))
    assert PAYMENT not in await names(asked, STAFF)
