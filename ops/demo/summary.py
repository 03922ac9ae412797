"""The closing summary of the demo: what came of it, for a person to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ops.demo.paying import PaidFile
from ops.demo.story import Story
from ops.platform import Platform
from shared.contracts.common import Party
from shared.contracts.funding import (
    GrantAwaitingBudget,
    GrantNeedsReview,
    GrantPaid,
    GrantRefused,
    GrantReserved,
)
from shared.contracts.matching import (
    FitsFound,
    MatchAgreed,
    MatchApproved,
    MatchCancelled,
    MatchDeclined,
    MatchEvent,
    MatchProposed,
    MatchRefused,
)
from shared.contracts.notifications import NotificationSent
from shared.contracts.registration import (
    RegistrationAccepted,
    RegistrationRefused,
    RegistrationScreened,
)
from shared.contracts.vocabulary import COUNTRIES
from shared.partnerships import Partnerships

SHOWN = 5


async def show(
    screen: Console,
    story: Story,
    paid: Sequence[PaidFile],
    platform: Platform,
    partnerships: Partnerships,
    took_s: float,
) -> None:
    """Print the summary."""
    screen.print()
    screen.rule("What came of it", align="left")
    _counts(screen, story)
    _refusals(screen, story)
    _matches(screen, story)
    _amounts(screen, story)
    _payments(screen, paid, partnerships)
    async with httpx.AsyncClient(timeout=20) as client:
        await _mails(screen, client, story, platform)
        await _progress(screen, client, platform, partnerships)
    screen.rule("Where to look next", align="left")
    screen.print(
        "  make run                  the same platform, left up\n"
        "  cxc demo --keep           this demo, left up to look around in\n"
        "  cxc demo --organisations FILE.csv   the same with a file of real organisations\n"
        "  docs/integrating.md       publish from Python, Node, kcat; follow the feed\n"
        "  docs/operating.md         deploy, scale, watch, replay\n"
    )
    screen.print(f"Done in {took_s:.0f} s, from nothing to the money and the last mail.", style="bold")


def _counts(screen: Console, story: Story) -> None:
    verdicts = Counter(event.verdict.value for event in story.all(RegistrationScreened))
    grid = Table.grid(padding=(0, 3))
    for title, counts in (
        (
            "Registrations",
            [
                *verdicts.most_common(),
                ("accepted", len(story.all(RegistrationAccepted))),
                ("refused messages", len(story.all(RegistrationRefused))),
            ],
        ),
        ("Matches", _last_states(story)),
        (
            "Lump sums",
            [
                ("reserved", len(story.all(GrantReserved))),
                ("awaiting budget", len(story.all(GrantAwaitingBudget))),
                ("needs review", len(story.all(GrantNeedsReview))),
                ("not eligible", len(story.all(GrantRefused))),
                ("paid", len(story.all(GrantPaid))),
            ],
        ),
    ):
        said = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts if number)
        grid.add_row(f"  [bold]{title}[/bold]", said or "none")
    fits = story.all(FitsFound)
    compared = sum(event.considered for event in fits)
    grid.add_row("  [bold]Best fits[/bold]", f"{len(fits)} lists out of {compared:,} pairs compared")
    screen.print(grid)


def _last_states(story: Story) -> list[tuple[str, int]]:
    states: dict[str, str] = {}
    progress: tuple[tuple[type[MatchEvent], str], ...] = (
        (MatchProposed, "proposed"),
        (MatchAgreed, "agreed"),
        (MatchApproved, "approved"),
        (MatchDeclined, "declined"),
        (MatchRefused, "refused"),
        (MatchCancelled, "cancelled"),
    )
    for model, state in progress:
        for event in story.all(model):
            states[event.match_id] = state
    return Counter(states.values()).most_common()


def _refusals(screen: Console, story: Story) -> None:
    refused = story.all(RegistrationRefused)
    if not refused:
        return
    kinds = Counter(event.errors[0].detail if event.errors else event.title for event in refused)
    _heading(screen, f"{len(refused)} messages refused, in words for their sender")
    one_of_each = {event.errors[0].detail if event.errors else event.title: event for event in refused}
    table = _table("times", "refused because", "reference")
    for kind, number in kinds.most_common(9):
        event = one_of_each[kind]
        table.add_row(str(number), Text(_short(event.detail, 150)), event.refused_subject or "none given")
    screen.print(table)


def _matches(screen: Console, story: Story) -> None:
    _heading(screen, "Five matches and why")
    for match in _varied(story.all(MatchApproved)):
        score = f"score {match.score:.0f}" if match.score is not None else "brought along"
        screen.print(
            f"  [bold]{_who(match.visitor)}[/bold] visits [bold]{_who(match.host)}[/bold], "
            f"{match.stay.first_day:%-d %b %Y} to {match.stay.last_day:%-d %b %Y} ({score})",
            soft_wrap=True,
        )
        for reason in [reason for reason in match.reasons if reason.points > 0][:3]:
            screen.print(f"      {reason.points:>5.1f}  {escape(reason.sentence)}", soft_wrap=True)


def _amounts(screen: Console, story: Story) -> None:
    _heading(screen, "Five amounts and how they come about")
    held = story.all(GrantAwaitingBudget)[:1]
    reserved = story.all(GrantReserved)[: SHOWN - len(held)]
    amounts: list[GrantReserved | GrantAwaitingBudget] = [*reserved, *held]
    for grant in amounts:
        waits = "  [yellow]awaiting budget[/yellow]" if isinstance(grant, GrantAwaitingBudget) else ""
        screen.print(
            f"  [bold]EUR {grant.amount:>7}[/bold]  {escape(grant.receipt.sentence)}{waits}", soft_wrap=True
        )


def _payments(screen: Console, paid: Sequence[PaidFile], partnerships: Partnerships) -> None:
    if not paid:
        return
    _heading(screen, "Paid, as agreement, report and evidence are there; funding lives two years ahead")
    for file in paid:
        name, total = partnerships.require(file.partnership).name, Decimal(file.total)
        screen.print(
            f"  {name}: EUR {total:,.2f} in {file.grants} transfers, SEPA file {file.message_id}; "
            f"the bank's camt.054: {file.answer}",
            soft_wrap=True,
        )


async def _mails(screen: Console, client: httpx.AsyncClient, story: Story, platform: Platform) -> None:
    answer = (await client.get(f"{platform.mail_url}/api/v1/messages", params={"limit": 2000})).json()
    _heading(screen, f"{answer['total']:,} mails in the mail sink, one of each kind")
    kind_of = {sent.notification_id: (sent.fact_type, sent.recipient) for sent in story.all(NotificationSent)}
    shown: set[tuple[str, str]] = set()
    table = _table("to", "subject")
    for message in reversed(answer["messages"]):
        kind = kind_of.get(message["MessageID"].partition("@")[0].partition(".")[0])
        if kind and kind not in shown:
            shown.add(kind)
            table.add_row(message["To"][0]["Address"], Text(_short(message["Subject"], 95)))
    screen.print(table)


async def _progress(
    screen: Console, client: httpx.AsyncClient, platform: Platform, partnerships: Partnerships
) -> None:
    _heading(screen, "Partnerships, as their public page says")
    for partnership in partnerships:
        url = f"{platform.api_url('funding')}/partnerships/{partnership.id}/progress"
        progress: dict[str, Any] = (await client.get(url)).json()
        screen.print(f"  {partnership.name}: {progress['sentence']}")


def _varied(matches: list[MatchApproved]) -> Iterable[MatchApproved]:
    """The best of each pair of countries first."""
    seen: set[tuple[str, str]] = set()
    ranked = sorted(matches, key=lambda match: -(match.score or 0))
    for match in ranked:
        pair = (match.visitor.place.country, match.host.place.country)
        if pair not in seen and len(seen) < SHOWN:
            seen.add(pair)
            yield match


def _who(party: Party) -> str:
    return f"{escape(party.organisation)}, {COUNTRIES[party.place.country]}"


def _heading(screen: Console, words: str) -> None:
    screen.print()
    screen.print(words, style="bold underline")


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2), pad_edge=True)
    for column in columns:
        table.add_column(column, style=None, header_style="dim", overflow="fold")
    return table


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
