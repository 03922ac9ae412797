"""Chat rooms: the file that names them, who is told there, and what never gets out of it."""

from __future__ import annotations

import asyncio
import io
import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from services.notifications.chat import AppriseRoom, NoRoom, open_rooms
from services.notifications.chat_rooms import by_desk, read_rooms, without_calls, without_secrets
from services.notifications.domain.notification import Notification
from services.notifications.domain.planning import NO_ROOM, NOT_PRESSING, NotTold, Planned, plan
from services.notifications.domain.recipients import serve
from services.notifications.domain.rules import Channel
from services.notifications.domain.wishes import KindWish, Pace, Wishes
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.notify import notify
from shared.contracts.envelope import Event
from shared.contracts.funding import GrantPaymentFailed
from shared.contracts.matching import MatchAgreed, MatchApproved
from tests.builders import A_MOMENT, an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples
from tests.unit.notifications.serving import settings_with

HEMPCLUB = "partnership:hempclub"
ROOMS = {HEMPCLUB: ("hempclub/board", "hempclub/team")}
FAILED = samples.a_grant(GrantPaymentFailed)
TOKEN = "t0k3n-0f-th3-r00m"


def in_chat(event: Event, wishes: dict[str, Wishes] | None = None) -> list[Planned | NotTold]:
    """What is planned for chat rooms, or left out there."""
    served = serve(event, samples.RULES.rules_for(event.TYPE), samples.DESKS)
    kind = samples.RULES.kind_for(event.TYPE)
    planned = plan(served, kind=kind, wishes=wishes or {}, at=A_MOMENT, chats=ROOMS)
    return [one for one in planned if one.channel is Channel.CHAT and one.recipient.key == HEMPCLUB]


def wish(event: Event, **wished: Any) -> dict[str, Wishes]:
    kind = samples.RULES.kind_for(event.TYPE)
    return {HEMPCLUB: Wishes(id=HEMPCLUB, kinds={kind: KindWish(**wished)})}


def test_what_presses_is_said_in_every_room_of_the_desk_at_once() -> None:
    planned = in_chat(FAILED)
    assert [(one.address, one.seat) for one in planned] == [("hempclub/board", 0), ("hempclub/team", 1)]
    assert all(isinstance(one, Planned) and one.due_at == A_MOMENT for one in planned)


@pytest.mark.parametrize("event", [samples.a_match(MatchAgreed), samples.a_match(MatchApproved)])
def test_what_does_not_press_is_for_the_digest_of_a_desk_that_wishes_one(event: Event) -> None:
    assert {one.because for one in in_chat(event)} == {(NOT_PRESSING,)}
    daily = in_chat(event, wish(event, pace=Pace.DAILY))
    assert all(isinstance(one, Planned) and one.pace is Pace.DAILY for one in daily)
    assert all(isinstance(one, NotTold) for one in in_chat(event, wish(event, pace=Pace.DAILY, channels=())))


def test_a_desk_without_a_room_is_said_not_to_be_told_there() -> None:
    served = serve(FAILED, samples.RULES.rules_for(FAILED.TYPE), samples.DESKS)
    [left_out] = [one for one in plan(served, kind="money", wishes={}, at=A_MOMENT) if one.channel == "chat"]
    assert isinstance(left_out, NotTold)
    assert left_out.because == (NO_ROOM,)


async def test_a_message_for_a_room_waits_to_be_carried_there() -> None:
    transactions = MemoryTransactions(
        lambda store: NotificationsUnitOfWork(
            store,
            rules=samples.RULES,
            deadlines=samples.DEADLINES,
            words=samples.WORDS,
            desks=samples.DESKS,
            chats=ROOMS,
        )
    )
    fact = an_envelope(FAILED, service="funding", subject="g-1")
    made = await transactions.run(lambda uow: notify(uow, fact, FAILED))
    rooms = [one for one in made if one.channel is Channel.CHAT]
    assert [(one.address, one.state) for one in rooms] == [(room, "pending") for room in ROOMS[HEMPCLUB]]
    assert len({one.id for one in made}) == len(made)


# ── the file ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rooms.yaml"
    path.write_text(
        f"hempclub:\n  team: json://mattermost.example/hooks/{TOKEN}\n  board: json://board.example/\n"
    )
    return path


def test_a_file_names_the_rooms_of_each_desk(file: Path) -> None:
    rooms = read_rooms(file, ["hempclub"])
    assert list(rooms) == ["hempclub/team", "hempclub/board"]
    assert by_desk(rooms) == {HEMPCLUB: ("hempclub/team", "hempclub/board")}
    assert TOKEN not in str(rooms)
    assert settings_with(chat_targets=file).rooms == rooms
    assert settings_with(chat_targets="").rooms == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"hempclb: {{team: 'json://x.example/{TOKEN}'}}", "there is no partnership hempclb"),
        (f"hempclub: 'json://x.example/{TOKEN}'", "/hempclub"),
        (f"- 'json://x.example/{TOKEN}'", "is not a JSON object"),
        (f"hempclub: {{Team Room: 'json://x.example/{TOKEN}'}}", "/hempclub"),
        (f"hempclub: {{team: json://x.example/{TOKEN}", "cannot be read as YAML"),
        ("hempclub: {team: null}", "/hempclub/team"),
    ],
)
def test_a_file_that_is_wrong_keeps_the_service_from_starting_and_its_secrets_to_itself(
    file: Path,
    content: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file.write_text(content)
    monkeypatch.setenv("CXC_CHAT_TARGETS", str(file))
    with pytest.raises(SystemExit):
        NotificationsSettings.load()
    complaint = capsys.readouterr().err
    assert "CXC_CHAT_TARGETS: " in complaint
    assert said in complaint
    assert TOKEN not in complaint


def test_a_file_that_is_not_there_is_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CXC_CHAT_TARGETS", "/nowhere/rooms.yaml")
    with pytest.raises(SystemExit):
        NotificationsSettings.load()
    assert "CXC_CHAT_TARGETS: Path does not point to a file" in capsys.readouterr().err


@pytest.mark.parametrize("url", [f"nonsense://{TOKEN}", TOKEN, f"slack://{TOKEN}", ""])
def test_a_url_apprise_makes_nothing_of_keeps_the_courier_from_starting(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(logged)])
    with pytest.raises(NoRoom, match="chat room hempclub/team") as complaint:
        open_rooms({"hempclub/team": SecretStr(url)}, within_s=1)
    assert TOKEN not in str(complaint.value) + logged.getvalue()


def test_what_a_server_says_is_repeated_without_the_secrets_of_the_url() -> None:
    url = SecretStr(f"mmosts://bot@mattermost.example:8443/{TOKEN}?channel=funding")
    said = f"mattermost.example refused {TOKEN} for funding"
    assert without_secrets(said, url) == "mattermost.example refused … for …"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("<!channel> Works", "<\u200b!channel> Works"),
        ("@everyone (sample)", "@\u200beveryone (sample)"),
        ("<https://elsewhere.example|Sign here>", "<\u200bhttps://elsewhere.example|Sign here>"),
        ("[Sign here](https://elsewhere.example)", "[Sign here]\u200b(https://elsewhere.example)"),
        ("Write to desk@tagus.example: 3 < 4", "Write to desk@tagus.example: 3 < 4"),
    ],
)
def test_a_name_calls_nobody_and_hides_no_link(name: str, said: str) -> None:
    assert without_calls(name) == said


async def test_a_room_nobody_answers_at_says_so_without_secrets() -> None:
    url = SecretStr(f"json://127.0.0.1:9/{TOKEN}?password=s3cr3t-w0rd")
    wrong = await AppriseRoom("hempclub/team", url, within_s=5).say(a_message())
    assert wrong is not None
    assert "127.0.0.1" in wrong
    assert TOKEN not in wrong


async def test_a_room_is_called_by_nobody_s_name_and_its_secrets_stay_out_of_the_log_at_any_level(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logged = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(logged)])
    caplog.set_level(logging.DEBUG)
    took: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        took.append(await reader.readuntil(b"}"))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        room = AppriseRoom("hempclub/team", SecretStr(f"json://127.0.0.1:{port}/{TOKEN}"), within_s=5)
        assert await room.say(a_message().model_copy(update={"subject": "<!channel>"})) is None
    assert b"!channel" in took[0]
    assert b"<!channel" not in took[0]
    assert TOKEN not in logged.getvalue()


def a_message() -> Notification:
    """Something to say."""
    return Notification(
        id="n-1",
        fact_id="f-1",
        fact_type=FAILED.TYPE,
        about="g-1",
        case="m-1",
        correlation_id="c-1",
        recipient="staff",
        recipient_key=HEMPCLUB,
        partnerships=["hempclub"],
        channel=Channel.CHAT,
        address="hempclub/team",
        subject="A payment failed",
        text="The account is closed.",
        link="https://cxc.example/grants/g-1",
        link_label="See the lump sum",
        why="Your partnership pays.",
        state="pending",
        created_at=A_MOMENT,
    )
