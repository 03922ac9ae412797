"""Leaving a kind of mail without signing in: the head of mails, the link, the page, and what holds then."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.notifications.domain.letter import Letterhead
from services.notifications.domain.marks import Marks
from services.notifications.domain.notification import Notification
from services.notifications.domain.rules import Channel, Urgency
from services.notifications.domain.unsubscription import EVERY_KIND, Leaving, Unsubscriptions
from services.notifications.domain.wishes import KindWish, Pace, Wishes
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.notify import notify
from shared.contracts.matching import MatchApproved
from tests.builders import A_SECRET, an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples
from tests.unit.notifications.serving import served, settings_with

AT = datetime(2023, 1, 16, 9, 30, tzinfo=UTC)
SECRET = A_SECRET.get_secret_value()
URL = "https://api.cxc.example/unsubscribe"
LINKS = Unsubscriptions(SECRET, URL)
ORGANISATION = "organisation:tagus-fibre"
SEAT = "partnership:hempclub/0123456789abcdef"
ONE_CLICK: dict[str, Any] = {
    "content": b"List-Unsubscribe=One-Click",
    "headers": {"Content-Type": "application/x-www-form-urlencoded"},
}


@pytest.fixture
def transactions() -> MemoryTransactions[NotificationsUnitOfWork]:
    return MemoryTransactions(samples.open_unit)


async def a_mail(**changed: Any) -> Notification:
    """The visitor's mail about an approved match."""
    approved = samples.a_match(MatchApproved)
    made = await MemoryTransactions(samples.open_unit).run(
        lambda uow: notify(uow, an_envelope(approved, service="matching", subject="m-1"), approved)
    )
    mail = next(one for one in made if one.address == samples.VISITOR.email)
    return mail.model_copy(update=changed)


def head(mail: Notification, links: Unsubscriptions | None = LINKS, **given: Any) -> EmailMessage:
    letterhead = Letterhead(
        "ClusterXchange <no-reply@cxc.example>", samples.WORDS, unsubscriptions=links, **given
    )
    message = message_from_bytes(letterhead.write(mail, AT), policy=policy.SMTP)
    assert not message.defects
    return message


def wishes(transactions: MemoryTransactions[NotificationsUnitOfWork], person: str = ORGANISATION) -> Wishes:
    return Wishes.from_document(transactions.database[Wishes.COLLECTION][person])


# ── the head ─────────────────────────────────────────────────────────────────────────────────


async def test_a_mail_says_where_its_kind_is_left_by_one_click() -> None:
    message = head(await a_mail())
    [link] = re.findall(r"<([^>]+)>", message["List-Unsubscribe"])
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert LINKS.read(link.removeprefix(URL + "/")) == Leaving(ORGANISATION, "matches")
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        assert link in body.get_content()


async def test_a_mailbox_is_named_where_there_is_one() -> None:
    message = head(await a_mail(), Unsubscriptions(SECRET, URL, "leave@cxc.example"))
    [link, mailbox] = re.findall(r"<([^>]+)>", message["List-Unsubscribe"])
    assert mailbox == f"mailto:leave@cxc.example?subject=unsubscribe%20{link.rpartition('/')[2]}"


@pytest.mark.parametrize(
    "changed", [{"urgency": Urgency.CRITICAL}, {"person": "invitation:i-1"}, {"person": ""}], ids=str
)
async def test_what_comes_whatever_was_wished_offers_no_way_out(changed: dict[str, Any]) -> None:
    message = head(await a_mail(**changed))
    assert message["List-Unsubscribe"] is None
    assert message["List-Unsubscribe-Post"] is None
    assert URL not in message.as_string()


async def test_one_click_is_offered_over_https_alone_and_nothing_without_a_secret() -> None:
    message = head(await a_mail(), Unsubscriptions(SECRET, "http://127.0.0.1:8004/unsubscribe"))
    assert message["List-Unsubscribe"].startswith("<http://127.0.0.1:8004/unsubscribe/")
    assert message["List-Unsubscribe-Post"] is None
    assert head(await a_mail(), None)["List-Unsubscribe"] is None


async def test_a_digest_is_left_for_every_kind() -> None:
    message = head(await a_mail(kind=""))
    token = message["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    assert LINKS.read(token) == Leaving(ORGANISATION, EVERY_KIND)


async def test_mails_of_a_case_answer_the_same_root_and_are_of_their_partnership_s_list() -> None:
    message = head(await a_mail())
    assert message["In-Reply-To"] == message["References"] == "<case-m-1@cxc.example>"
    assert message["List-Id"] == "<hempclub.notifications.cxc.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Precedence"] is None
    assert head(await a_mail(partnership=None))["List-Id"] == "<notifications.cxc.example>"


async def test_the_envelope_names_the_mail_where_reports_come_back_to_a_mailbox_of_their_own() -> None:
    mail = await a_mail()
    plain = Letterhead("ClusterXchange <no-reply@cxc.example>", samples.WORDS)
    own = Letterhead("no-reply@cxc.example", samples.WORDS, bounces="bounces@cxc.example")
    assert plain.envelope_sender(mail) == b"no-reply@cxc.example"
    assert own.envelope_sender(mail) == f"bounces+{mail.id}@cxc.example".encode()


async def test_ids_go_out_with_a_mark_that_nobody_else_can_make_and_that_there_is_room_for() -> None:
    mail, marks = await a_mail(), Marks(SECRET)
    with pytest.raises(ValidationError, match="16 characters"):
        settings_with(bounce_mailbox="undelivered-mails@cxc.example")
    bounces = settings_with(bounce_mailbox="undelivered.mail@cxc.example").bounce_mailbox
    marked = Letterhead("no-reply@cxc.example", samples.WORDS, bounces=bounces, marks=marks)
    assert marked.message_id(mail) == f"<{marks.mark(mail.id)}@cxc.example>"
    mailbox, _, _ = marked.envelope_sender(mail).decode().partition("@")
    assert mailbox == f"undelivered.mail+{marks.mark(mail.id)}"
    assert len(mailbox) == 64
    assert marks.read(marks.mark(mail.id)) == mail.id
    assert Marks("x" * 32).read(marks.mark(mail.id)) is None


# ── the token ────────────────────────────────────────────────────────────────────────────────


@given(
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=80),
    st.sampled_from(["matches", EVERY_KIND]),
)
def test_a_token_stands_for_what_it_was_made_of(person: str, kind: str) -> None:
    token = LINKS.token(Leaving(person, kind))
    assert LINKS.read(token) == Leaving(person, kind)
    assert re.fullmatch(r"[\w-]+\.[\w-]+", token)


@given(st.integers(0, 200), st.sampled_from("Aa0-_.=~/ é"))
def test_a_token_with_another_letter_is_none(place: int, letter: str) -> None:
    token = LINKS.token(Leaving(ORGANISATION, "matches"))
    place %= len(token)
    changed = token[:place] + letter + token[place + 1 :]
    assert LINKS.read(changed) == (Leaving(ORGANISATION, "matches") if changed == token else None)


def test_another_secret_s_token_is_none() -> None:
    assert Unsubscriptions("x" * 32, URL).read(LINKS.token(Leaving(ORGANISATION, "matches"))) is None


# ── the page ─────────────────────────────────────────────────────────────────────────────────


def path(person: str = ORGANISATION, kind: str = "matches") -> str:
    return f"/unsubscribe/{LINKS.token(Leaving(person, kind))}"


async def test_the_page_says_what_would_be_switched_off_and_changes_nothing(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    async with served(transactions, seal_key=A_SECRET) as http:
        answer = await http.get(path())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Matches, invitations and plans" in answer.text
    assert '<button name="mails" value="off">' in answer.text
    assert not transactions.database[Wishes.COLLECTION]


async def test_nothing_on_the_page_can_run_and_its_one_style_is_known(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    async with served(transactions, seal_key=A_SECRET) as http:
        answer = await http.get(path())
    said = answer.headers["content-security-policy"]
    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in said
    assert said.startswith("default-src 'none'; ")
    assert "unsafe" not in said
    assert "<script" not in answer.text
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")


@pytest.mark.parametrize(
    "request_",
    [
        ONE_CLICK,
        {"data": {"mails": "off"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
    ],
    ids=["one click", "the button", "one click as multipart"],
)
async def test_one_click_and_the_button_switch_the_mails_of_that_kind_off_and_nothing_else(
    transactions: MemoryTransactions[NotificationsUnitOfWork], request_: dict[str, Any]
) -> None:
    async with served(transactions, seal_key=A_SECRET) as http:
        first = await http.post(path(), **request_)
        stored = wishes(transactions)
        again = await http.post(path(), **request_)
        page = await http.get(path())
    assert first.status_code == again.status_code == page.status_code == 200
    assert '<button name="mails" value="on">' in first.text
    assert '<button name="mails" value="on">' in page.text
    assert stored.of_kind("matches").channels == (Channel.CHAT,)
    assert stored.of_kind("money") == KindWish()
    assert wishes(transactions) == stored, "the second time changed something"


async def test_who_left_gets_no_mail_and_finds_it_in_the_inbox_until_the_way_back_is_taken(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    async def told(match: str) -> set[Channel]:
        approved = samples.a_match(MatchApproved).model_copy(update={"match_id": match})
        fact = an_envelope(approved, service="matching", subject=match)
        made = await transactions.run(lambda uow: notify(uow, fact, approved))
        return {one.channel for one in made if one.recipient_key == ORGANISATION}

    async with served(transactions, seal_key=A_SECRET) as http:
        await http.post(path(), **ONE_CLICK)
        assert await told("m-1") == {Channel.INBOX}
        back = await http.post(path(), data={"mails": "on"})
        assert "again" in back.text
        assert await told("m-2") == {Channel.INBOX, Channel.EMAIL}


async def test_a_seat_that_leaves_keeps_what_its_desk_wishes_otherwise(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    desk = Wishes(id="partnership:hempclub")
    daily = KindWish(pace=Pace.DAILY)
    desk.change(language="it", time_zone="Europe/Rome", quiet=None, kinds={"money": daily}, at=AT)
    await transactions.run(_storing(desk))
    async with served(transactions, seal_key=A_SECRET) as http:
        answer = await http.post(path(SEAT), **ONE_CLICK)
    own = wishes(transactions, SEAT)
    assert (own.language, own.time_zone, own.of_kind("money")) == ("it", "Europe/Rome", daily)
    assert Channel.EMAIL not in own.of_kind("matches").channels
    assert wishes(transactions, desk.id).model_dump() == desk.model_dump()
    assert '<html lang="it">' in answer.text


def _storing(one: Wishes) -> Any:
    async def store(uow: NotificationsUnitOfWork) -> None:
        uow.add(one)

    return store


async def test_every_kind_is_left_by_the_link_of_a_digest(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    async with served(transactions, seal_key=A_SECRET) as http:
        await http.post(path(kind=EVERY_KIND), **ONE_CLICK)
        assert '<button name="mails" value="on">' in (await http.get(path(kind=EVERY_KIND))).text
    stored = wishes(transactions)
    assert set(stored.kinds) == set(samples.RULES.kinds)
    assert not any(Channel.EMAIL in wish.channels for wish in stored.kinds.values())


@pytest.mark.parametrize("wrong", ["x", "a.b", LINKS.token(Leaving(ORGANISATION, "no-such-kind")), "é.é"])
async def test_a_link_that_is_none_of_ours_is_a_page_that_says_so(
    transactions: MemoryTransactions[NotificationsUnitOfWork], wrong: str
) -> None:
    async with served(transactions, seal_key=A_SECRET) as http:
        for answer in (
            await http.get(f"/unsubscribe/{wrong}"),
            await http.post(f"/unsubscribe/{wrong}", **ONE_CLICK),
        ):
            assert answer.status_code == 404
            assert "This link leads nowhere" in answer.text
            assert "<form" not in answer.text
    assert not transactions.database[Wishes.COLLECTION]


@pytest.mark.parametrize("body", [b"", b"mails=perhaps", b"mails=on&mails=off", b"\xff\x00"])
async def test_a_post_that_asks_for_nothing_changes_nothing(
    transactions: MemoryTransactions[NotificationsUnitOfWork], body: bytes
) -> None:
    async with served(transactions, seal_key=A_SECRET) as http:
        assert (await http.post(path(), content=body)).status_code == 422
    assert not transactions.database[Wishes.COLLECTION]


async def test_without_a_secret_no_link_is_ours(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    async with served(transactions) as http:
        assert (await http.get(path())).status_code == 404


def test_a_page_s_address_without_its_scheme_keeps_the_service_from_starting() -> None:
    with pytest.raises(ValidationError, match="unsubscribe_url"):
        settings_with(unsubscribe_url="api.cxc.example/unsubscribe")
    assert settings_with(unsubscribe_url="").unsubscribe_url is None
