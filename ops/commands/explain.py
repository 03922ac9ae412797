"""`cxc notifications explain`: who would get what of an event, and who would not, without a platform."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo

import typer
import yaml
from babel import Locale
from pydantic import ValidationError
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ops.commands import CommandFailed
from ops.commands.gist import gist
from ops.commands.given import content_of, malformed
from ops.commands.rules import partnerships_in_use
from ops.commands.shown import console, printable
from services.notifications.bootstrap import desks_of, load_deadlines, load_rules
from services.notifications.domain.recipients import SUPPORT_OFFICE, Desk
from services.notifications.domain.rules import Channel, Urgency
from services.notifications.domain.wishes import DEFAULT_ZONE, Pace, Wishes, zone_of
from services.notifications.languages import language_for
from services.notifications.previews import Preview, Previewing, Told, event_in
from services.notifications.routes.wishes import WishesSent
from services.notifications.words import Words
from shared.contracts.envelope import NotACloudEvent, now, parse
from shared.errors import CxcError
from shared.messaging.topics import MAX_EVENT_BYTES

_PUBLIC_URL: Final = "https://cxc.example"
_SUPPORT_OFFICE: Final = "support-office@cxc.example"
_BY: Final = {Channel.EMAIL: "mail", Channel.INBOX: "inbox", Channel.CHAT: "chat"}


class WishesOnFile(WishesSent):
    """Wishes as a file has them."""

    version: int = 0


def explain(
    file: str, *, wishes: Path | None, at: str | None, partnerships: Path | None, as_json: bool
) -> None:
    """Print who would be told and who would not; what makes no sense ends the command with exit code 2."""
    desks = desks_of(partnerships_in_use(partnerships), _SUPPORT_OFFICE)
    previewing = Previewing(load_rules(), load_deadlines(), Words(desks, _PUBLIC_URL), desks)
    try:
        fact = parse(content_of(file, at_most=MAX_EVENT_BYTES))
        event = event_in(fact)
        moment = _moment(at)
        held = {} if wishes is None else wishes_in(wishes, previewing)
        shown = previewing.preview(event, wishes=held, at=moment)
    except (NotACloudEvent, ValueError, CommandFailed) as error:
        _refuse(str(error))
    except CxcError as error:
        _refuse(error.detail)
    if as_json:
        typer.echo(shown.model_dump_json(indent=2))
    else:
        _show(shown, gist(fact), held)


def wishes_in(file: Path, previewing: Previewing) -> dict[str, Wishes]:
    """The wishes of a YAML file by person; an address stands for its seat at a desk.

    Raises ValueError and `CxcError` with what to write instead.
    """
    try:
        content = yaml.safe_load(content_of(str(file), at_most=1_000_000))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is no YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{file} holds no wishes: write 'partnership:hempclub:' and what it wishes below it."
        )
    seats = {seat.address.lower(): seat.person for desk in previewing.desks.values() for seat in desk.seats}
    found: dict[str, Wishes] = {}
    for name, wished in content.items():
        person = seats.get(str(name).lower(), str(name))
        _require_known(person, previewing.desks, seats)
        try:
            sent = WishesOnFile.model_validate(wished or {})
        except ValidationError as error:
            raise malformed(error, [str(name)]) from error
        if unknown := sorted(sent.kinds.keys() - previewing.rules.kinds.keys()):
            known = ", ".join(previewing.rules.kinds)
            raise ValueError(f"{name}: there is no kind '{unknown[0]}'; there are: {known}.")
        found[person] = sent.wishes(person)
    return found


def _require_known(person: str, desks: Mapping[str, Desk], seats: Mapping[str, str]) -> None:
    kind, _, whose = person.partition(":")
    if kind == "organisation" and whose:
        return
    if kind == "partnership" and (whose in desks or person in seats.values()):
        return
    raise ValueError(
        f"'{person}' is nobody with wishes: write organisation:<owner>, partnership:<id> of one of "
        f"{', '.join(id for id in desks if id != SUPPORT_OFFICE) or 'none'}, or an address of its staff."
    )


def _moment(text: str | None) -> datetime:
    if text is None:
        return now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"'{text}' is no moment; write it like 2023-02-13T23:10+01:00.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(DEFAULT_ZONE))


def _refuse(sentence: str) -> NoReturn:
    typer.echo(printable(sentence), err=True)
    raise typer.Exit(2)


# ── for people ───────────────────────────────────────────────────────────────────────────────


def _show(shown: Preview, said: str, wishes: Mapping[str, Wishes]) -> None:
    out = console()
    heard = shown.at.astimezone(ZoneInfo(DEFAULT_ZONE))
    out.print(Text(printable(f"{shown.type}, about {shown.about}"), style="bold"))
    out.print(printable(said))
    out.print(f"If it came at {_clock(heard)} ({DEFAULT_ZONE}).")
    for note in shown.notes:
        out.print(printable(note))
    if shown.undoes:
        earlier = ", ".join(" ".join(one.split(".")[1:3]).replace("_", " ") for one in shown.undoes)
        out.print(f"Nothing more is sent of what it undoes or overtakes in this case: {earlier}.")
        out.print("Whoever was to have a mail about something undone, and had none, has none of this either.")
    for due in shown.reminders:
        if due.by is None:
            out.print(f"Nobody is reminded any more to {due.what}.")
        else:
            days = ", ".join(_day(moment.astimezone(ZoneInfo(DEFAULT_ZONE))) for moment in due.to_come)
            out.print(f"To {due.what} by {_day(due.by)}: who has not, is reminded on {days or 'no day'}.")

    _heading(f"Who is told ({_counted(shown.told)})")
    for messages in _by_words(shown.told):
        first = messages[0]
        out.print(Text(f"\n{_who(first.recipient, first.name)}", style="bold"), f"— {printable(first.why)}")
        table = Table.grid(padding=(0, 2))
        for one in messages:
            reasons = " ".join(one.because)
            table.add_row(
                Text(_BY[one.channel], style="cyan"),
                Text(printable(one.address or "")),
                Text(_when(one, wishes), style="bold" if one.urgency is Urgency.CRITICAL else ""),
                Text(printable(reasons), style="dim"),
            )
        _inside(table, 2)
        words = Text(printable(first.subject), style="italic")
        words.append(f"\n{printable(first.text, keep=chr(10))}\n{printable(first.link)}", style="not italic")
        out.print(f"\n    In {_language(first.language)}:")
        _inside(words, 4)
    if not shown.told:
        out.print("  Nobody.")

    _heading("Who is not told, and why")
    for left in shown.not_told:
        by = f", by {_BY[left.channel]}" if left.channel else ""
        to = f" to {left.address}" if left.address else ""
        why_not = left.because if len(left.because) == 1 else [f"\n- {reason}" for reason in left.because]
        whose = f"{_who(left.recipient, left.name)}{by}{to}: "
        _inside(Text(printable(whose + "".join(why_not), keep="\n")), 2)
    if not shown.not_told:
        out.print("  Everybody the event concerns is told, by every channel.")


def _inside(what: Text | Table, columns: int) -> None:
    console().print(Padding(what, (0, 0, 0, columns), expand=False))


def _heading(text: str) -> None:
    console().print(Text(f"\n{text}", style="bold underline"))


def _counted(told: Iterable[Told]) -> str:
    by = [one.channel for one in told]
    mails, entries, chats = (by.count(channel) for channel in (Channel.EMAIL, Channel.INBOX, Channel.CHAT))
    parts = [f"{mails} {'mail' if mails == 1 else 'mails'}", f"{entries} in inboxes"]
    return ", ".join([*parts, f"{chats} in chats"] if chats else parts)


def _by_words(told: Iterable[Told]) -> list[list[Told]]:
    """Those to one recipient that say the same, together."""
    groups: dict[tuple[Any, ...], list[Told]] = {}
    for one in told:
        groups.setdefault((one.recipient, one.name, one.subject, one.text), []).append(one)
    return list(groups.values())


def _language(code: str) -> str:
    """What it is called, of the language that whoever reads this one is written to in."""
    return str(Locale.parse(language_for(code).code).get_language_name("en"))


def _who(role: str, name: str) -> str:
    if role == "staff":
        return f"Staff of {name}"
    return name if role == "invited" else f"{name}, as {role}"


def _when(one: Told, wishes: Mapping[str, Wishes]) -> str:
    if one.due_at is None or one.channel is Channel.INBOX:
        return "at once"
    held = wishes.get(one.person) or wishes.get(one.person.partition("/")[0])
    zone = (zone_of(held.time_zone) if held else None) or ZoneInfo(DEFAULT_ZONE)
    if one.pace is not Pace.AT_ONCE:
        return f"in the {one.pace} digest, {_clock(one.due_at.astimezone(zone))}"
    if one.because and "waits" in one.because[-1]:
        return _clock(one.due_at.astimezone(zone))
    return "at once"


def _clock(local: datetime) -> str:
    return f"{local:%H:%M} on {_day(local)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
