"""The `cxc` command line: what can be called and how. What each command does is in `ops.commands`.

Those modules are imported when their command is called, so that `cxc --help` answers at once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ops.commands import CommandFailed
from shared.messaging import topics as names
from shared.messaging.topics import PUBLISHERS, SERVICES


class _InWords(TyperGroup):
    """Says an expected failure in its own sentence, on standard error, with exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CommandFailed as failure:
            typer.echo(str(failure), err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_InWords,
    help="ClusterXchange: run the platform on this machine, and work on it or on any other.\n\n"
    "Commands find a platform that 'cxc up' started here by themselves. CXC_KAFKA_BOOTSTRAP and "
    "CXC_MONGO_URL (in the environment or a .env file) name another one, and win. "
    "Exit codes: 0 done, 1 not done (one sentence says why), 2 called wrongly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
topics = typer.Typer(help="Create and list the platform's topics.", no_args_is_help=True)
dead_letters = typer.Typer(help="What could not be handled: read it, send it back.", no_args_is_help=True)
eligibility = typer.Typer(help="What the eligibility rules say of a registration.", no_args_is_help=True)
rules = typer.Typer(help="Eligibility rules: on file, and others tried on past cases.", no_args_is_help=True)
feed = typer.Typer(help="The numbered feed of changes.", no_args_is_help=True)
app.add_typer(feed, name="feed")
app.add_typer(topics, name="topics")
app.add_typer(dead_letters, name="dead-letters")
privacy = typer.Typer(help="What is held about an organisation: gather it, erase it.", no_args_is_help=True)
app.add_typer(privacy, name="privacy")
commitment = typer.Typer(help="The Commitment to Quality of a match, as a file.", no_args_is_help=True)
app.add_typer(commitment, name="commitment")
agreement = typer.Typer(help="The financial agreement of a grant, as a file.", no_args_is_help=True)
app.add_typer(agreement, name="agreement")
group_events = typer.Typer(help="Group events: one host, many visitors.", no_args_is_help=True)
app.add_typer(group_events, name="group-events")
app.add_typer(eligibility, name="eligibility")
app.add_typer(rules, name="rules")
lump_sums = typer.Typer(help="What is paid for a stay.", no_args_is_help=True)
app.add_typer(lump_sums, name="lump-sum")
notifications = typer.Typer(help="What is told to whom, and what goes out.", no_args_is_help=True)
app.add_typer(notifications, name="notifications")
texts = typer.Typer(help="Partnerships' own texts.", no_args_is_help=True)
notifications.add_typer(texts, name="texts")
rates = typer.Typer(help="Rate tables: another one tried on the grants of the past.", no_args_is_help=True)
app.add_typer(rates, name="rates")
console = typer.Typer(help="What the console's pages are read from.", no_args_is_help=True)
app.add_typer(console, name="console")

Service = StrEnum("Service", {name.upper(): name for name in SERVICES})  # type: ignore[misc]


class Command(StrEnum):
    """What workers can be told."""

    PAUSE = "pause"
    RESUME = "resume"
    LOG_LEVEL = "log-level"


State = Annotated[
    Path,
    typer.Option(
        "--state", metavar="DIR", envvar="CXC_STATE", help="Where the local platform keeps what it has."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON for programs instead of a table for people.")]
OneService = Annotated[Service, typer.Argument(metavar="SERVICE", help=", ".join(SERVICES) + ".")]
SomeServices = Annotated[
    list[Service] | None, typer.Option("--service", help="Only this service; can be given several times.")
]
DEFAULT_STATE = Path("var")


@app.command()
def up(
    state: State = DEFAULT_STATE,
    partnerships: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The partnerships of this installation (YAML) instead of the shipped."
        ),
    ] = None,
) -> None:
    """Start everything on this machine and wait; Ctrl-C stops it.

    Kafka, MongoDB, a mail sink, a token issuer, and an api and a worker of each service. A second start
    on the same state finds its data again.
    """
    from ops.commands.up import up

    up(state, partnerships)


@app.command()
def demo(
    organisations: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", help="Real organisations, one registration a row, instead of the sample."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many registrations of the sample.")] = 200,
    seed: Annotated[int, typer.Option(help="The sample's seed: the same one makes the same sample.")] = 1,
    keep: Annotated[bool, typer.Option(help="Leave the platform up afterwards.")] = False,
    state: State = DEFAULT_STATE,
) -> None:
    """Run the main job on real servers, from registrations to mails, and show what came of it."""
    from ops.demo import run_demo

    run_demo(state, organisations=organisations, count=count, seed=seed, keep=keep)


@app.command()
def status(services: SomeServices = None, as_json: Json = False, state: State = DEFAULT_STATE) -> None:
    """Processes, messages behind, oldest unpublished outbox row, dead letters.

    Exit code 1 when something is wrong: a process is not ready, a server does not answer, a service has
    no worker, or an outbox row is older than a minute. Being behind and dead letters are not wrong.
    """
    from ops.commands.status import status

    if not status(state, _names(services), as_json):
        raise typer.Exit(1)


@app.command()
def publish(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="CloudEvents or bare registrations as JSON: one, a list, or one a line; - is stdin.",
        ),
    ],
    subject: Annotated[
        str | None,
        typer.Option(help="Your reference of a bare registration; without one its event's id is taken."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Look for mistakes first, and send nothing when there are any.")
    ] = False,
    print_only: Annotated[
        bool, typer.Option("--print", help="Send nothing: print the events, one a line, as kcat takes them.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for what becomes of them; exit code 1 when one is refused.")
    ] = False,
    within: Annotated[float, typer.Option(min=0.1, help="How long --follow waits, in seconds.")] = 30.0,
    state: State = DEFAULT_STATE,
) -> None:
    """Publish registrations to cxc.registration.inbox, as an outside system would.

    A bare registration (as POST /registrations takes it) is wrapped in a CloudEvent of source /cxc/cli.
    The Kafka key is 'source|subject', so that all that is sent about one registration stays in order.
    Nothing is validated unless --check is given: the platform refuses what is wrong.
    """
    from ops.commands.publish import publish

    done = publish(
        state, file, subject=subject, check=check, print_only=print_only, follow=follow, within_s=within
    )
    if not done:
        raise typer.Exit(1)


@app.command()
def tail(
    topic: Annotated[
        list[str] | None, typer.Option("--topic", help="This topic; can be given several times.")
    ] = None,
    services: SomeServices = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with the first event that is kept.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Go on with what comes, or stop at the present end.")
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, with the whole event.")
    ] = False,
    state: State = DEFAULT_STATE,
) -> None:
    """Follow the events of all services: time (UTC), type, subject, gist, correlation."""
    from ops.commands.tail import tail

    chosen = [*(topic or ()), *(names.events(service) for service in services or ())]
    every = [names.events(service) for service in PUBLISHERS]
    tail(state, chosen or every, from_start=from_start, follow=follow, as_json=as_json)


@topics.command("apply")
def topics_apply(
    partitions: Annotated[
        int, typer.Option(min=1, help="Of the topics that services share the work of.")
    ] = 6,
    replication_factor: Annotated[int, typer.Option(min=1, help="Copies of each partition.")] = 1,
    state: State = DEFAULT_STATE,
) -> None:
    """Create the topics that are missing; existing ones are never changed, only compared."""
    from ops.commands.topics import apply

    apply(state, partitions, replication_factor)


@topics.command("list")
def topics_list(as_json: Json = False, state: State = DEFAULT_STATE) -> None:
    """The platform's topics: partitions and messages kept."""
    from ops.commands.topics import show

    show(state, as_json)


@dead_letters.command("list")
def dead_letters_list(
    services: SomeServices = None, as_json: Json = False, state: State = DEFAULT_STATE
) -> None:
    """All dead letters, with reason, detail, source, and whether they were replayed."""
    from ops.commands.dead_letters import show_all

    show_all(state, _names(services), as_json)


Offset = Annotated[int, typer.Argument(metavar="OFFSET", min=0, help="As 'list' shows it.")]


@dead_letters.command("show")
def dead_letters_show(
    service: OneService,
    offset: Offset,
    raw: Annotated[
        bool, typer.Option("--raw", help="The original bytes of the value and nothing else.")
    ] = False,
    state: State = DEFAULT_STATE,
) -> None:
    """One dead letter in full: why, from where, headers, and its value as text made harmless."""
    from ops.commands.dead_letters import show_one

    show_one(state, service, offset, raw)


@dead_letters.command("replay")
def dead_letters_replay(
    service: OneService,
    offsets: Annotated[
        list[int] | None, typer.Argument(metavar="[OFFSET]...", min=0, help="As 'list' shows them.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of the service.")] = False,
    reason: Annotated[str | None, typer.Option(help="All of this reason, such as handler_failed.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also those that were replayed before.")] = False,
    state: State = DEFAULT_STATE,
) -> None:
    """Send dead letters back, as they came, to the one service that could not handle them.

    What fails again becomes a new dead letter. One too large to be kept whole is fetched from where it
    first was, while that is retained.
    """
    from ops.commands.dead_letters import replay

    if not replay(state, service, offsets=offsets or [], every=every, reason=reason, again=again):
        raise typer.Exit(1)


@app.command()
def control(
    service: OneService,
    command: Annotated[Command, typer.Argument(metavar="COMMAND", help="pause, resume or log-level.")],
    level: Annotated[
        str | None, typer.Argument(metavar="[LEVEL]", help="For log-level: debug, info, warning or error.")
    ] = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Tell all running workers of a service to pause, to resume, or how much to log.

    Workers that start later do not hear it.
    """
    from ops.commands.control import control

    control(state, service, command, level)


@app.command()
def token(
    role: Annotated[
        str,
        typer.Argument(metavar="ROLE", help="participant, staff, support_office, auditor or external."),
    ],
    partnership: Annotated[str | None, typer.Option(help="The partnership staff work for.")] = None,
    organisation: Annotated[
        str | None, typer.Option(help="The organisation a participant acts for: a case's owner.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Who it stands for: of an external system, the source of its events.")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=720, help="How long it is valid.")] = 1.0,
    state: State = DEFAULT_STATE,
) -> None:
    """Print a token of the embedded platform's issuer, for its APIs."""
    from ops.commands.token import token

    token(state, role, partnership=partnership, organisation=organisation, subject=subject, hours=hours)


@feed.command("rename")
def feed_rename(state: State = DEFAULT_STATE) -> None:
    """Tell the feed's readers to begin anew, after a restore to an older point."""
    from ops.commands.feed import rename

    rename(state)


OnDay = Annotated[
    datetime | None, typer.Option("--on", metavar="DATE", formats=["%Y-%m-%d"], help="This day, not today.")
]
RulesDirectory = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        metavar="DIR",
        help="The rule sets in this directory, and of partnerships in its folder 'partnerships'. "
        "Else those of CXC_ELIGIBILITY_RULES, else the shipped ones.",
    ),
]


@eligibility.command("check")
def eligibility_check(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A registration as POST /registrations takes it, or a CloudEvent around one; - is stdin.",
        ),
    ],
    on: OnDay = None,
    partnership: Annotated[
        str | None, typer.Option(metavar="ID", help="As if the registration had chosen this partnership.")
    ] = None,
    visit_used: Annotated[
        bool, typer.Option("--visit-used", help="As if the organisation had used its one visit.")
    ] = False,
    rules: RulesDirectory = None,
    partnerships: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The partnerships (YAML). Else those of CXC_PARTNERSHIPS, else the shipped ones.",
        ),
    ] = None,
) -> None:
    """Print the receipt of one registration as JSON; needs no platform.

    Exit code 0 whatever the verdict; 1 when it is no registration, with what is wrong as JSON (RFC 9457),
    as the API would answer.
    """
    from ops.commands.eligibility import check

    day = (on or datetime.now(UTC)).date()
    if not check(
        file, on=day, partnership=partnership, visit_used=visit_used, rules=rules, partnerships=partnerships
    ):
        raise typer.Exit(1)


@rules.command("show")
def rules_show(on: OnDay = None, rules: RulesDirectory = None, as_json: Json = False) -> None:
    """The rule sets on file: whose, from when, which are in force."""
    from ops.commands.rules import show

    show((on or datetime.now(UTC)).date(), rules=rules, as_json=as_json)


@rules.command("replay")
def rules_replay(
    candidate: Annotated[
        Path, typer.Argument(metavar="NEW.yaml", help="A rule set of the scheme, or of a partnership.")
    ],
    rules: RulesDirectory = None,
    as_json: Json = False,
    state: State = DEFAULT_STATE,
) -> None:
    """Try a rule set on all past cases: which verdicts would change, by which rules, and how many.

    Each case is screened on its own day, as if the candidate had always been in force. Only reads.
    """
    from ops.commands.replay import replay

    replay(state, candidate, rules=rules, as_json=as_json)


FundingRules = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        metavar="DIR",
        help="The rates and rules in this directory, in its folders 'rates' and 'scheme'. Else those of "
        "CXC_FUNDING_RULES, else the shipped ones.",
    ),
]


@lump_sums.command("preview")
def lump_sum_preview(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A stay as POST /lump-sums/preview takes it; - is stdin."),
    ],
    rules: FundingRules = None,
) -> None:
    """Print what would be paid for one stay as JSON, day by day and with its receipt; needs no platform.

    Exit code 0 whatever the outcome; 1 when it is no stay, or more was agreed than the rate, with what is
    wrong as JSON (RFC 9457), as the API would answer.
    """
    from ops.commands.lump_sum import preview

    if not preview(file, rules=rules):
        raise typer.Exit(1)


@rates.command("replay")
def rates_replay(
    candidate: Annotated[Path, typer.Argument(metavar="NEW.yaml", help="A rate table.")],
    begins: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            metavar="DATE",
            formats=["%Y-%m-%d"],
            help="As if it were in force from this day on, not from its own.",
        ),
    ] = None,
    rules: FundingRules = None,
    as_json: Json = False,
    state: State = DEFAULT_STATE,
) -> None:
    """Try a rate table on all past grants: which amounts it would have changed, why, and by how much.

    It takes the place of the table on file that begins on the same day, if there is one. Only reads.
    """
    from ops.commands.replay_rates import replay

    replay(state, candidate, begins=begins.date() if begins else None, rules=rules, as_json=as_json)


RegistrationId = Annotated[str, typer.Argument(metavar="ID", help="The registration's id.")]
SomeApis = Annotated[
    list[str] | None,
    typer.Option(
        "--api", metavar="SERVICE=URL", help="An API of a platform elsewhere; name all five, and a token."
    ),
]
GivenToken = Annotated[
    str | None,
    typer.Option(
        "--token", envvar="CXC_TOKEN", help="Of that platform's issuer; the local one's signs its own."
    ),
]


@console.command("rebuild")
def console_rebuild(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing: say whether, and where, it would be another one.")
    ] = False,
    api: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The registration service's API, whose feed has every event."),
    ] = None,
    token: GivenToken = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Build the console's read model anew from the events alone, and put it in place of the one in use.

    The console stays readable, and its worker goes on, meanwhile. With --check the exit code is 1 where the
    two differ. The token is one of the support office's, or an auditor's.
    """
    from ops.commands.console import rebuild

    if not rebuild(state, check=check, url=api, token=token):
        raise typer.Exit(1)


@privacy.command("export")
def privacy_export(
    id: RegistrationId,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR|FILE.zip", help="Where to write it; held-ID.zip if not given."),
    ] = None,
    api: SomeApis = None,
    token: GivenToken = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Gather all that the five services hold about a registration, with a readable index.

    The services are asked through their APIs, each for itself, with the rights of the token: the
    organisation's own, its partnership's staff's, or the support office's.
    """
    from ops.commands.privacy import export

    export(state, id, output=output, given=api or [], token=token)


@privacy.command("erase")
def privacy_erase(
    id: RegistrationId,
    reason: Annotated[str, typer.Option(help="Why; it stays in the audit trail, so name no person.")],
    api: SomeApis = None,
    token: GivenToken = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Erase a registration's personal data in all services; it cannot be undone.

    One that is open is withdrawn first. The facts of accounting and the register of visits stay.
    """
    from ops.commands.privacy import erase

    erase(state, id, reason=reason, given=api or [], token=token)


SignedFile = Annotated[
    str,
    typer.Argument(metavar="FILE", help="The PDF, or the JSON that is attached to it; - is stdin."),
]
WithRecord = Annotated[
    bool, typer.Option("--record", help="Compare with the record of the platform running here, too.")
]


@commitment.command("verify")
def commitment_verify(
    file: SignedFile,
    record: WithRecord = False,
    api: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Compare with the record of this matching API, too."),
    ] = None,
    token: GivenToken = None,
    as_json: Json = False,
    state: State = DEFAULT_STATE,
) -> None:
    """Say what holds of a Commitment to Quality and what does not; needs no platform.

    Looks at the content's SHA-256, the chain of signatures, whether all four have signed, and whether the
    pages show exactly that. Exit code 0 when all of it holds, else 1. Whoever writes a whole new document
    can make one that holds: only the record tells it from the one that was signed.
    """
    from ops.commands.verify import COMMITMENT, verify

    if not verify(COMMITMENT, file, state=state, record=record, api=api, token=token, as_json=as_json):
        raise typer.Exit(1)


@agreement.command("verify")
def agreement_verify(
    file: SignedFile,
    record: WithRecord = False,
    api: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Compare with the record of this funding API, too."),
    ] = None,
    token: GivenToken = None,
    as_json: Json = False,
    state: State = DEFAULT_STATE,
) -> None:
    """Say what holds of a financial agreement and what does not; needs no platform.

    Looks at the content's SHA-256, the chain of signatures, whether both have signed, and whether the pages
    show exactly that. Exit code 0 when all of it holds, else 1. Whoever writes a whole new document can
    make one that holds: only the record tells it from the one that was signed.
    """
    from ops.commands.verify import AGREEMENT, verify

    if not verify(AGREEMENT, file, state=state, record=record, api=api, token=token, as_json=as_json):
        raise typer.Exit(1)


@group_events.command("plan")
def group_events_plan(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE.yaml", help="Group events; the two of HempClub's where left out."),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="REGISTRATION", help="Hold them at this host instead of the file's."),
    ] = None,
    open_them: Annotated[bool, typer.Option("--open", help="Open them for sign-ups, too.")] = False,
    api: Annotated[
        str | None, typer.Option(metavar="URL", help="The matching API, if not of the platform running here.")
    ] = None,
    token: GivenToken = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Plan the group events of a file, as staff of the partnership it names.

    Their hosts must be accepted: those of HempClub's are in ops/sample/group-event-hosts.json.
    """
    from ops.commands.group_events import SAMPLE_EVENTS, plan

    if not plan(file or SAMPLE_EVENTS, state=state, host=host, open_them=open_them, api=api, token=token):
        raise typer.Exit(1)


NotificationsApi = Annotated[
    str | None,
    typer.Option("--api", metavar="URL", help="The notifications API, if not of the platform running here."),
]


class OutgoingChannel(StrEnum):
    """The channels that lead out of the platform."""

    EMAIL = "email"
    CHAT = "chat"
    WEBHOOKS = "webhooks"


OutgoingChannels = Annotated[
    list[OutgoingChannel] | None,
    typer.Option("--channel", help="Only this channel; can be given several times. All of them if not."),
]


@notifications.command("explain")
def notifications_explain(
    event: Annotated[str, typer.Argument(metavar="EVENT.json|-", help="A CloudEvent; - is standard input.")],
    wishes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Wishes in YAML, by organisation:…, partnership:… or address."),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="When it comes, such as 2023-02-13T23:10+01:00.")
    ] = None,
    partnerships: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Partnerships, if not those of the settings.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Who would get what of an event, by which channel, when and why; and who would not. Sends nothing.

    By the rules and texts of this version, without a running platform.
    """
    from ops.commands.explain import explain

    explain(event, wishes=wishes, at=at, partnerships=partnerships, as_json=as_json)


@notifications.command("hold")
def notifications_hold(
    reason: Annotated[str, typer.Option(help="Why; whoever asks is shown it.")],
    channels: OutgoingChannels = None,
    api: NotificationsApi = None,
    token: GivenToken = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Let nothing more out: mails, chat and webhooks wait until they are released.

    Every worker stops within a second; messages on their way arrive. Inboxes go on.
    """
    from ops.commands.notifications import switch

    switch(True, channels or (), reason, state=state, api=api, token=token)


@notifications.command("release")
def notifications_release(
    reason: Annotated[str, typer.Option(help="Why.")] = "Released.",
    channels: OutgoingChannels = None,
    api: NotificationsApi = None,
    token: GivenToken = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Let go what was held, the most urgent and the oldest first, at the channel's rate."""
    from ops.commands.notifications import switch

    switch(False, channels or (), reason, state=state, api=api, token=token)


@notifications.command("bounces")
def notifications_bounces(
    file: Annotated[str, typer.Argument(metavar="FILE", help="One mail as it came; - is stdin.")],
    api: NotificationsApi = None,
    token: GivenToken = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Hand over a mail that came back: a report of what was not delivered, a complaint, an unsubscription.

    For the mail system, as the command that mails to the bounce mailbox are piped to.
    """
    from ops.commands.notifications import bounces

    bounces(file, state=state, api=api, token=token)


@notifications.command("status")
def notifications_status(
    as_json: Json = False,
    api: NotificationsApi = None,
    token: GivenToken = None,
    state: State = DEFAULT_STATE,
) -> None:
    """What is held, since when, by whom and why; and what waits to go out."""
    from ops.commands.notifications import status

    status(state=state, api=api, token=token, as_json=as_json)


@texts.command("check")
def texts_check(
    folder: Annotated[Path, typer.Argument(help="What CXC_TEXTS names or is to name.")],
    partnerships: Annotated[
        Path | None, typer.Option(help="The partnerships there are; those of CXC_PARTNERSHIPS if not given.")
    ] = None,
) -> None:
    """Try partnerships' own texts on examples, and name what is broken with file and line."""
    from ops.commands.texts import check

    if not check(folder, partnerships=partnerships):
        raise typer.Exit(1)


def _names(services: list[Service] | None) -> list[str]:
    return [str(service) for service in services or SERVICES]


def main() -> None:
    """Run `cxc`."""
    app(prog_name="cxc")
