"""Addresses that mails do not reach: what counts against them, who learns of it, and the way back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.notifications.domain.notification import Notification, NotificationState
from services.notifications.domain.replies import Bounce
from services.notifications.domain.rules import Channel
from services.notifications.domain.suppression import (
    SOFT_AT_MOST,
    SOFT_WITHIN,
    AddressState,
    NotSuppressed,
    Suppression,
    address_key,
)
from services.notifications.domain.wishes import Wishes
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.erase_notifications import erase_notifications
from services.notifications.use_cases.note_bounce import note_bounce
from services.notifications.use_cases.notify import notify
from services.notifications.use_cases.restore_addresses import AT_ONCE
from services.notifications.use_cases.tell_what_is_held import tell_what_is_held
from shared.contracts.matching import MatchApproved
from shared.messaging.outbox import unpack
from shared.security import Caller, CallerRole
from shared.storage.store import OUTBOX
from tests.builders import an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples
from tests.unit.notifications.serving import served
from tests.unit.notifications.test_reports import ARF, ID, postfix

AT = datetime(2023, 1, 16, 9, 30, tzinfo=UTC)
HARD, SOFT = Bounce.HARD, Bounce.SOFT
SUPPORT_OFFICE = Caller("support-office", CallerRole.SUPPORT_OFFICE)
STAFF = Caller("staff-of-hempclub", CallerRole.STAFF, partnership="hempclub")
OTHER_STAFF = Caller("s", CallerRole.STAFF, partnership="elsewhere")
AUDITOR = Caller("a", CallerRole.AUDITOR)
PARTICIPANT = Caller("v", CallerRole.PARTICIPANT, organisation="tagus-fibre")
MAIL_SYSTEM = Caller("/mail-system", CallerRole.EXTERNAL)
ADDRESS = samples.VISITOR.email
KEY = address_key(ADDRESS)
Store = MemoryTransactions[NotificationsUnitOfWork]


@pytest.fixture
def transactions() -> Store:
    return MemoryTransactions(samples.open_unit)


async def told(transactions: Store, match: str = "m-1", **changed: Any) -> list[Notification]:
    """All messages about a match that was approved."""
    approved = samples.a_match(MatchApproved, **changed).model_copy(update={"match_id": match})
    fact = an_envelope(approved, service="matching", subject=match)
    return await transactions.run(lambda uow: notify(uow, fact, approved))


async def a_mail(transactions: Store, match: str = "m-1") -> Notification:
    return next(one for one in await told(transactions, match) if one.address == ADDRESS)


async def came_back(transactions: Store, mail: Notification, bounce: Bounce = HARD) -> None:
    said = f"550 5.1.1 <{ADDRESS}>: User unknown"
    await transactions.run(lambda uow: note_bounce(uow, mail, bounce, said))


def stored(transactions: Store) -> Suppression:
    return Suppression.from_document(transactions.database[Suppression.COLLECTION][KEY])


def warnings(transactions: Store) -> list[Notification]:
    messages = map(Notification.from_document, transactions.database[Notification.COLLECTION].values())
    return [one for one in messages if one.fact_type == "cxc.address.suppressed.v1"]


def published(transactions: Store) -> list[dict[str, Any]]:
    rows = transactions.database[OUTBOX].values()
    return [orjson.loads(message.value) for row in rows for message in unpack(row)]


# ── what counts ──────────────────────────────────────────────────────────────────────────────


async def test_nothing_more_is_sent_where_there_is_no_mailbox_and_the_inbox_still_tells(
    transactions: Store,
) -> None:
    await came_back(transactions, await a_mail(transactions))
    messages = {one.channel: one for one in await told(transactions, "m-2") if one.recipient == "visitor"}
    assert messages[Channel.INBOX].state is NotificationState.SENT
    mail = messages[Channel.EMAIL]
    assert (mail.state, mail.due_at) == (NotificationState.SKIPPED, None)
    assert mail.reason is not None
    assert "do not arrive" in mail.reason
    assert "User unknown" in mail.reason


async def test_the_address_itself_is_not_kept_nor_said_in_the_event(transactions: Store) -> None:
    await came_back(transactions, await a_mail(transactions))
    document = orjson.dumps(transactions.database[Suppression.COLLECTION])
    [event] = [one for one in published(transactions) if one["type"] == "cxc.address.suppressed.v1"]
    assert ADDRESS.encode() not in document + orjson.dumps(event)
    assert event["data"]["address"] == "o…@tagus-fibre.example"
    assert event["data"]["partnerships"] == ["hempclub"]


async def test_staff_learn_of_it_once(transactions: Store) -> None:
    for match in ("m-1", "m-2"):
        await came_back(transactions, await a_mail(transactions, match))
    found = warnings(transactions)
    assert {(one.channel, one.recipient_key) for one in found} == {
        (Channel.INBOX, "partnership:hempclub"),
        (Channel.EMAIL, "partnership:hempclub"),
    }
    [event] = [one for one in published(transactions) if one["type"] == "cxc.address.suppressed.v1"]
    assert {one.fact_id for one in found} == {event["id"]}
    assert all("o…@tagus-fibre.example" in one.subject and "User unknown" in one.text for one in found)
    assert all(one.link == f"{samples.PUBLIC_URL}/suppressions/{KEY}" for one in found)


async def test_a_full_mailbox_is_given_some_chances_and_no_more(transactions: Store) -> None:
    for number in range(1, SOFT_AT_MOST + 1):
        mail = await a_mail(transactions, f"m-{number}")
        for _ in range(2):  # a report that is handed over twice counts once
            await came_back(transactions, mail, SOFT)
        assert stored(transactions).suppressed is (number == SOFT_AT_MOST)
    assert warnings(transactions)


async def test_what_came_back_long_ago_counts_no_more(transactions: Store) -> None:
    mails = [await a_mail(transactions, f"m-{number}") for number in range(SOFT_AT_MOST)]
    suppression = Suppression.of(mails[0], "552 5.2.2 Full", AT)
    for mail in mails[:-1]:
        assert suppression.bounce(mail, SOFT, "552 5.2.2 Full", AT) is None
    late = AT + SOFT_WITHIN + timedelta(seconds=1)
    assert suppression.bounce(mails[-1], SOFT, "552 5.2.2 Full", late) is None
    assert not suppression.suppressed
    assert len(suppression.came_back) == 1


async def test_a_corrected_address_works_at_once(transactions: Store) -> None:
    await came_back(transactions, await a_mail(transactions))
    corrected = samples.VISITOR.model_copy(update={"email": "post@tagus-fibre.example"})
    messages = await told(transactions, "m-2", visitor=corrected)
    mail = next(one for one in messages if one.recipient == "visitor" and one.channel is Channel.EMAIL)
    assert (mail.state, mail.address) == (NotificationState.PENDING, "post@tagus-fibre.example")


async def test_the_case_in_which_an_address_is_written_does_not_matter(transactions: Store) -> None:
    await came_back(transactions, await a_mail(transactions))
    shouted = samples.VISITOR.model_copy(update={"email": ADDRESS.upper()})
    messages = await told(transactions, "m-2", visitor=shouted)
    assert NotificationState.SKIPPED in {one.state for one in messages if one.recipient == "visitor"}


# ── who sees it, and the way back ────────────────────────────────────────────────────────────


async def test_staff_have_mails_sent_there_again_and_it_is_written_down_who_did(transactions: Store) -> None:
    old = await a_mail(transactions)
    await came_back(transactions, old)
    async with served(transactions, as_=STAFF) as http:
        [listed] = (await http.get("/suppressions")).json()["items"]
        assert (listed["id"], listed["address"]) == (KEY, "o…@tagus-fibre.example")
        restored = (await http.delete(f"/suppressions/{KEY}")).json()
        assert (await http.get("/suppressions")).json()["items"] == []
        assert (await http.get(f"/suppressions/{KEY}")).json() == restored
        again = await http.delete(f"/suppressions/{KEY}")
    assert [(change["state"], change["by"]) for change in restored["history"]] == [
        ("suppressed", None),
        ("restored", "staff-of-hempclub"),
    ]
    assert again.status_code == 409
    assert again.json()["type"].endswith("/address-not-suppressed")
    assert published(transactions)[-1]["data"]["by"] == "staff-of-hempclub"

    mail = await a_mail(transactions, "m-2")
    assert mail.state is NotificationState.PENDING
    await came_back(transactions, old)
    assert stored(transactions).state is AddressState.RESTORED, "what was sent before says nothing any more"
    await came_back(transactions, await a_mail(transactions, "m-3"))
    assert stored(transactions).suppressed


@pytest.mark.parametrize(
    ("caller", "listing", "one", "restore"),
    [
        (STAFF, 200, 200, 200),
        (SUPPORT_OFFICE, 200, 200, 200),
        (AUDITOR, 200, 200, 403),
        (OTHER_STAFF, 200, 404, 404),
        (PARTICIPANT, 403, 404, 404),
        (MAIL_SYSTEM, 403, 404, 404),
    ],
)
async def test_who_sees_and_restores_an_address(
    transactions: Store, caller: Caller, listing: int, one: int, restore: int
) -> None:
    await came_back(transactions, await a_mail(transactions))
    async with served(transactions, as_=caller) as http:
        listed = await http.get("/suppressions")
        assert listed.status_code == listing
        if listing == 200:
            assert bool(listed.json()["items"]) is (caller is not OTHER_STAFF)
        assert (await http.get(f"/suppressions/{KEY}")).status_code == one
        assert (await http.delete(f"/suppressions/{KEY}")).status_code == restore
    assert stored(transactions).suppressed is (restore != 200)


async def test_the_support_office_takes_back_at_once_what_was_no_address_s_fault(transactions: Store) -> None:
    mail = await a_mail(transactions)
    wanted = {"since": "2023-01-16T00:00:00Z", "reason": "The relay refused everybody."}
    many = [mail.model_copy(update={"address": f"office{n}@sme.example"}) for n in range(2 * AT_ONCE + 1)]

    async def all_come_back(uow: NotificationsUnitOfWork) -> None:
        for one in many:
            await note_bounce(uow, one, HARD, "550 5.1.1 User unknown")

    await transactions.run(all_come_back)
    async with served(transactions, as_=STAFF) as http:
        assert (await http.post("/suppressions/restore", json=wanted)).status_code == 403
    async with served(transactions, as_=SUPPORT_OFFICE) as http:
        assert (
            await http.post("/suppressions/restore", json={**wanted, "since": "2999-01-01T00:00:00Z"})
        ).json() == {"restored": 0}
        assert (await http.post("/suppressions/restore", json=wanted)).json() == {"restored": len(many)}
        assert (await http.get("/suppressions")).json()["items"] == []
        one = (await http.get(f"/suppressions/{address_key('office7@sme.example')}")).json()
    assert one["history"][-1]["reason"] == "The relay refused everybody."


@pytest.mark.parametrize(
    "since", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2023-01-16T00:00:00", "yesterday"]
)
async def test_a_moment_that_cannot_be_meant_is_malformed(transactions: Store, since: str) -> None:
    async with served(transactions, as_=SUPPORT_OFFICE) as http:
        answer = await http.post("/suppressions/restore", json={"since": since, "reason": "The relay."})
    assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (422, ["/since"])


async def test_an_erasure_reaches_what_is_known_of_the_address(transactions: Store) -> None:
    await came_back(transactions, await a_mail(transactions))
    held = await transactions.read(lambda uow: tell_what_is_held(uow, "r-visitor", by=PARTICIPANT))
    [kind] = [one for one in held if one.name == "addresses that mails did not reach"]
    assert [one["id"] for one in kind.documents] == [KEY]
    await transactions.run(lambda uow: erase_notifications(uow, "r-visitor"))
    assert not transactions.database[Suppression.COLLECTION]
    assert not any("tagus-fibre" in one.text + one.subject for one in warnings(transactions))


# ── what the mail system hands over ──────────────────────────────────────────────────────────


def report_of(mail: Notification, raw: bytes) -> bytes:
    return raw.replace(ID.encode(), mail.id.encode()).replace(b"@cxc.example>", b"@clusterxchange.example>")


async def handed_over(transactions: Store, raw: bytes, caller: Caller = MAIL_SYSTEM, **settings: Any) -> Any:
    given = {"mail_system": MAIL_SYSTEM.subject, **settings}
    async with served(transactions, as_=caller, **given) as http:
        return await http.post("/bounces", content=raw, headers={"Content-Type": "message/rfc822"})


async def sent(transactions: Store, match: str = "m-1") -> Notification:
    mail = await a_mail(transactions, match)
    document = transactions.database[Notification.COLLECTION][mail.id]
    document |= {"state": "sent", "due_at": None}
    return mail


async def test_a_report_suppresses_the_address_and_the_log_says_that_the_mail_came_back(
    transactions: Store,
) -> None:
    mail = await sent(transactions)
    raw = report_of(mail, postfix().replace(b"office@navigli-textile.example", ADDRESS.encode()))
    for _ in range(2):
        answer = await handed_over(transactions, raw)
        assert (answer.status_code, answer.json()) == (200, {"outcome": "suppressed"})
    document = transactions.database[Notification.COLLECTION][mail.id]
    assert (document["state"], document["last_reply"][:29]) == ("failed", "550 5.1.1 <the address>: Reci")
    [event] = [one for one in published(transactions) if one["type"] == "cxc.notification.failed.v1"]
    assert event["data"]["notification_id"] == mail.id
    assert event["causationid"] == mail.fact_id
    assert ADDRESS not in orjson.dumps(event).decode()
    assert len(warnings(transactions)) == 2


async def test_a_refusal_of_the_mail_says_nothing_of_the_address(transactions: Store) -> None:
    mail = await sent(transactions)
    spam = report_of(mail, postfix(status="5.7.1", diagnostic="smtp; 550 5.7.1 Refused as spam"))
    assert (await handed_over(transactions, spam)).json() == {"outcome": "noted"}
    assert not transactions.database[Suppression.COLLECTION]


async def test_a_complaint_unsubscribes(transactions: Store) -> None:
    mail = await sent(transactions)
    raw = report_of(mail, ARF.format(feedback="abuse").encode())
    assert (await handed_over(transactions, raw)).json() == {"outcome": "unsubscribed"}
    document = transactions.database[Wishes.COLLECTION]["organisation:tagus-fibre"]
    assert Channel.EMAIL not in Wishes.from_document(document).of_kind("matches").channels


@pytest.mark.parametrize(
    "raw", [postfix(), b"Subject: Out of office\n\nBack on Monday.", b"Subject: unsubscribe a.b\n\n"]
)
async def test_what_is_about_no_mail_on_file_is_ignored(transactions: Store, raw: bytes) -> None:
    await sent(transactions)
    before = str(transactions.database.collections)
    assert (await handed_over(transactions, raw)).json() == {"outcome": "ignored"}
    assert str(transactions.database.collections) == before


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        (MAIL_SYSTEM, 200),
        (SUPPORT_OFFICE, 200),
        (Caller("/another-system", CallerRole.EXTERNAL), 403),
        (STAFF, 403),
        (PARTICIPANT, 403),
    ],
)
async def test_only_the_mail_system_and_the_support_office_hand_reports_over(
    transactions: Store, caller: Caller, status: int
) -> None:
    assert (await handed_over(transactions, postfix(), caller)).status_code == status


async def test_no_external_system_may_where_none_is_named(transactions: Store) -> None:
    assert (await handed_over(transactions, postfix(), mail_system=None)).status_code == 403


async def test_an_empty_body_is_malformed(transactions: Store) -> None:
    assert (await handed_over(transactions, b" \n")).status_code == 422


def test_an_address_that_gets_mails_cannot_be_restored() -> None:
    suppression = Suppression(
        id=KEY,
        address="o…@tagus-fibre.example",
        recipient_key="organisation:tagus-fibre",
        registration_id="r-visitor",
        partnership="hempclub",
        reason="552 5.2.2 Full",
        changed_at=AT,
    )
    with pytest.raises(NotSuppressed, match="Mails are sent to"):
        suppression.restore("staff", "It works", AT)
