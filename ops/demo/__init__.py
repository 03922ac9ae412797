"""`cxc demo`: the main job on real servers, from registrations sent by an outside system to money booked."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ops.commands import CommandFailed
from ops.commands.up import start, whereabouts
from ops.demo.outside import Letter, letters_from_csv, letters_from_sample, publish
from ops.demo.paying import DAYS_AHEAD, PaidFile, bring_to_payment
from ops.demo.people import People
from ops.demo.story import Story
from ops.demo.summary import show
from ops.embedded import ROOT
from ops.platform import AlreadyRunning, Platform, Ports, running
from ops.processes import ProcessFailed
from ops.sample import SAMPLE_PARTNERSHIPS
from ops.topics import TopicsNotApplied
from shared.contracts.funding import GrantReserved
from shared.contracts.types import EventType
from shared.partnerships import Partnerships

MATCHES = 24
"""How many matches the demo's people bring to approval."""
PAID = 5
"""How many lump sums it takes all the way to the bank, those of the shipped partnership first."""
SHIPPED = "hempclub"
REVIEWED = 120
"""How many registrations that need a review the demo's staff look at, real organisations only."""


def run_demo(state: Path, *, organisations: Path | None, count: int, seed: int, keep: bool) -> None:
    """Start everything on a fresh state, let the main job happen, and say what came of it.

    With `organisations` the registrations are made of the rows of that file, and the staff's reviews
    are played too, since such a file does not say what the rules ask for.
    """
    if organisations is not None and not organisations.is_file():
        raise CommandFailed(f"There is no file {organisations}: --organisations names a CSV file.")
    home = state / "demo"
    if running(home):
        raise CommandFailed(f"A demo runs on {home} already; stop it with Ctrl-C where it was started.")
    shutil.rmtree(home, ignore_errors=True)
    screen = Console(highlight=False, soft_wrap=False)
    began = time.monotonic()
    partnerships = Partnerships.load(SAMPLE_PARTNERSHIPS)
    first_day = first_day_of_sample()
    letters = (
        letters_from_csv(organisations, first_day)
        if organisations
        else letters_from_sample(seed, count, first_day, partnerships)
    )
    try:
        with sample_platform(home, say=screen.print) as platform:
            screen.rule("ClusterXchange: Kafka, MongoDB, five services, a mail sink", align="left")
            with screen.status("Starting…") as spinner:
                start(platform, spinner, screen.print)
            story, paid = asyncio.run(
                play(platform, partnerships, letters, screen, reviewing=organisations is not None)
            )
            asyncio.run(show(screen, story, paid, platform, partnerships, time.monotonic() - began))
            if keep:
                screen.print(whereabouts(platform, home, SAMPLE_PARTNERSHIPS), soft_wrap=True)
                threading.Event().wait()
    except (AlreadyRunning, ProcessFailed, TopicsNotApplied, TimeoutError) as error:
        raise CommandFailed(f"The demo did not get to its end. {error}") from error
    except KeyboardInterrupt:
        screen.print("Stopped.")


def sample_platform(home: Path, *, ports: Ports | None = None, say: Callable[[str], None]) -> Platform:
    """A platform for the sample programme, not started yet."""
    # Of the rates in force since June 2024 only some countries are on file; the sample programme pays
    # the table before, so that amounts can be shown for all.
    environment = {
        "CXC_FUNDING_RULES": str(_cosme_era_rules(home)),
        "CXC_DAYS_AHEAD": str(DAYS_AHEAD),
    }
    return Platform(home, ports=ports, partnerships=SAMPLE_PARTNERSHIPS, environment=environment, say=say)


def first_day_of_sample() -> date:
    """From when on the organisations of the sample have time."""
    return date.today() + timedelta(days=28)  # noqa: DTZ011 - the sample's calendar, no moment


def _cosme_era_rules(home: Path) -> Path:
    """The shipped funding rules without the rate table that followed the COSME era's."""
    shipped = ROOT / "services" / "funding" / "data"
    rules = home / "funding-rules"
    shutil.copytree(shipped, rules)
    (rules / "rates" / "2024-06.yaml").unlink()
    return rules


async def play(
    platform: Platform,
    partnerships: Partnerships,
    letters: list[Letter],
    screen: Console,
    *,
    matches: int = MATCHES,
    pays: int = PAID,
    reviewing: bool = False,
) -> tuple[Story, list[PaidFile]]:
    """Let it all happen, each step with its progress; ends when nothing is left to do."""
    screen.rule("From registrations to money in the bank", align="left")
    bars = Progress(
        TextColumn("  {task.description:<44}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen,
    )
    async with Story(platform.kafka_bootstrap) as story, People(platform) as people:
        with bars:

            async def reach(what: str, goal: int, *types: EventType, within_s: float = 120) -> None:
                bar = bars.add_task(what, total=goal)
                await story.reach(goal, types, within_s, lambda now: bars.update(bar, completed=now))

            sending = bars.add_task("registrations published to Kafka", total=len(letters))
            await publish(platform.kafka_bootstrap, letters, lambda now: bars.update(sending, completed=now))
            await reach(
                "screened with a receipt, or refused in words",
                len(letters),
                EventType.REGISTRATION_SCREENED,
                EventType.REGISTRATION_REFUSED,
                within_s=300,
            )
            chosen = story.waiting_for_staff(partnerships, REVIEWED if reviewing else 0)
            deciding = bars.add_task("accepted by staff, where a person decides", total=len(chosen))
            await people.accept_registrations(chosen, lambda: bars.advance(deciding))
            expected = story.accepted_by_rule(partnerships) + len(chosen)
            await reach("in the pool", expected, EventType.REGISTRATION_ACCEPTED)
            await reach("told of their best fits", expected, EventType.FITS_FOUND)
            await story.settle(EventType.FITS_FOUND, within_s=120)
            matching = bars.add_task("matches proposed, accepted, approved by people", total=matches)
            made = await people.make_matches(story.fits, matches, lambda: bars.advance(matching))
            bars.update(matching, total=made or None)
            await story.settle(EventType.MATCH_APPROVED, within_s=60)
            await reach(
                "lump sums calculated",
                story.count(EventType.MATCH_APPROVED),
                EventType.GRANT_RESERVED,
                EventType.GRANT_AWAITING_BUDGET,
                EventType.GRANT_NEEDS_REVIEW,
                EventType.GRANT_REFUSED,
            )
            due = sorted(story.all(GrantReserved), key=lambda grant: grant.partnership != SHIPPED)[:pays]
            paying = bars.add_task("signed, reported, proven by the visitors", total=len(due))
            paid = await bring_to_payment(people, platform, due, lambda: bars.advance(paying))
            await reach("paid by two officers, booked by the bank", len(due), EventType.GRANT_PAID)
            mailing = bars.add_task("mails taken by the mail server", total=None)
            await story.settle(
                EventType.NOTIFICATION_SENT,
                within_s=300,
                told=lambda now: bars.update(mailing, completed=now),
            )
            bars.update(mailing, total=story.count(EventType.NOTIFICATION_SENT))
    return story, paid
