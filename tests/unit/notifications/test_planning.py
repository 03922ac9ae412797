"""Who is told by which channel, when and why: the plan, as a table of cases."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest

from services.notifications.domain.digest import Mailbox
from services.notifications.domain.planning import NO_ADDRESS, UNHEARD_OF, NotTold, Planned, persons, plan
from services.notifications.domain.recipients import Desk, serve
from services.notifications.domain.rules import Channel, Rule, Urgency
from services.notifications.domain.wishes import KindWish, Pace, QuietHours, Wishes, seat_key
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.notify import notify
from shared.contracts.matching import MatchAgreed
from tests.builders import an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples

AT = datetime(2023, 2, 13, 22, 10, tzinfo=UTC)
"""A Monday; 23:10 in Rome, 22:10 in Lisbon."""
NIGHT = QuietHours(begins=time(22), ends=time(7))
DESK, STAFF, DEPUTY = "partnership:sampletex", "staff@sampletex.example", "deputy@sampletex.example"
SEAT = seat_key(DESK, DEPUTY)
EVENT = samples.a_match(MatchAgreed, visitor=samples.VISITOR.model_copy(update={"partnership": "sampletex"}))


def a_rule(urgency: str = "normal", channels: Any = ("email", "inbox")) -> Rule:
    fields = {
        "to": "staff",
        "template": "staff_match_agreed",
        "channels": list(channels),
        "why": "You decide.",
    }
    return Rule.model_validate({**fields, "urgency": urgency})


def wishes(person: str, pace: Pace = Pace.AT_ONCE, *, channels: Any = (Channel.EMAIL,), **given: Any) -> Any:
    kinds = {"matches": KindWish(channels=channels, pace=pace)}
    return Wishes(id=person, **{"time_zone": "Europe/Rome", "kinds": kinds, **given})


def planned_for(
    rule: Rule, *held: Wishes, desk: Desk | None = None, **given: Any
) -> dict[str | None, Planned | NotTold]:
    """What is planned for the mails of a desk of two, by address; the inbox by None."""
    desks = {"sampletex": desk or samples.DESKS["sampletex"]}
    found = plan(
        serve(EVENT, [rule], desks),
        kind="matches",
        wishes={one.id: one for one in held},
        at=AT,
        **given,
    )
    return {one.address: one for one in found if one.channel is not Channel.CHAT}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


CASES: list[tuple[str, Rule, list[Wishes], str | None, str]] = [
    # what holds, the rule, the wishes, when the deputy's mail is due (None: no mail), and a word of why
    ("no wishes", a_rule(), [], "2023-02-13T22:10", "No wishes are on file"),
    ("the desk's quiet hours", a_rule(), [wishes(DESK, quiet=NIGHT)], "2023-02-14T06:00", "Quiet hours"),
    (
        "the seat's wishes before the desk's",
        a_rule(),
        [wishes(DESK, quiet=NIGHT), wishes(SEAT)],
        "2023-02-13T22:10",
        "have it go out at once",
    ),
    ("hourly", a_rule(), [wishes(SEAT, Pace.HOURLY)], "2023-02-13T23:00", "hourly digest"),
    ("daily", a_rule(), [wishes(SEAT, Pace.DAILY)], "2023-02-14T07:00", "daily digest, at 08:00"),
    ("weekly", a_rule(), [wishes(SEAT, Pace.WEEKLY)], "2023-02-20T07:00", "weekly digest"),
    (
        "hourly, in quiet hours",
        a_rule(),
        [wishes(SEAT, Pace.HOURLY, quiet=NIGHT)],
        "2023-02-14T06:00",
        "from 22:00 to 07:00 (Europe/Rome)",
    ),
    (
        "by another clock",
        a_rule(),
        [wishes(SEAT, quiet=NIGHT, time_zone="Europe/Lisbon")],
        "2023-02-14T07:00",
        "Europe/Lisbon",
    ),
    (
        "a zone that is gone",
        a_rule(),
        [wishes(SEAT, quiet=NIGHT, time_zone="Europe/Atlantis")],
        "2023-02-14T06:00",
        "'Europe/Atlantis' is no time zone (any more): Europe/Brussels",
    ),
    ("no mails wished", a_rule(), [wishes(SEAT, channels=())], None, "choose not to hear"),
    (
        "another kind is wished otherwise",
        a_rule(),
        [wishes(SEAT, kinds={"money": KindWish(pace=Pace.DAILY)})],
        "2023-02-13T22:10",
        "at once",
    ),
    (
        "critical",
        a_rule("critical"),
        [wishes(SEAT, Pace.WEEKLY, channels=(), quiet=NIGHT)],
        "2023-02-13T22:10",
        "critical",
    ),
    ("good to know", a_rule("digest", ["inbox"]), [], None, "good to know only"),
    ("good to know, at once wished", a_rule("digest", ["inbox"]), [wishes(SEAT)], None, "good to know only"),
    (
        "good to know, digest wished",
        a_rule("digest", ["inbox"]),
        [wishes(SEAT, Pace.DAILY)],
        "2023-02-14T07:00",
        "daily digest",
    ),
    ("only for the inbox", a_rule("normal", ["inbox"]), [wishes(SEAT, Pace.DAILY)], None, ""),
]


@pytest.mark.parametrize(
    ("rule", "held", "due", "why"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_mail_goes_out_as_its_reader_wishes(
    rule: Rule, held: list[Wishes], due: str | None, why: str
) -> None:
    found = planned_for(rule, *held)
    assert None in found, "everything lies in the inbox"
    mail = found.get(DEPUTY)
    if due is None:
        assert mail is None or isinstance(mail, NotTold)
    else:
        assert isinstance(mail, Planned)
        assert mail.due_at == utc(due)
        waits = [one.of_kind("matches").pace for one in held if one.id == SEAT]
        expected = Pace.AT_ONCE if rule.urgency is Urgency.CRITICAL or not waits else waits[0]
        assert mail.pace is expected
    assert why in " ".join(mail.because if mail else ())


LANGUAGES = [
    ([], "ro"),
    ([wishes(DESK, language="fr")], "fr"),
    ([wishes(DESK, language="fr"), wishes(SEAT, language="de")], "de"),
    ([wishes(DESK, language="fr"), wishes(SEAT)], "ro"),
]


@pytest.mark.parametrize(("held", "language"), LANGUAGES)
def test_the_language_is_the_wished_one_else_that_of_the_address(held: list[Wishes], language: str) -> None:
    desk = Desk("sampletex", "SampleTex", (STAFF, DEPUTY), languages={STAFF: "it", DEPUTY: "ro"})
    found = planned_for(a_rule(), *held, desk=desk)
    assert found[DEPUTY].language == language
    assert found[None].language == next((one.language for one in held if one.id == DESK), None) or "it"


def test_an_organisation_reads_its_own_language_and_a_desk_without_one_english() -> None:
    host = samples.HOST.model_copy(update={"language": "it"})
    event = EVENT.model_copy(update={"host": host})
    rules = [a_rule().model_copy(update={"to": audience}) for audience in ("host", "staff")]
    found = plan(serve(event, rules, samples.DESKS), kind="matches", wishes={}, at=AT)
    assert {one.recipient.role: one.language for one in found} == {"host": "it", "staff": "en"}


def test_a_recipient_without_an_address_has_the_inbox_and_the_log_says_why_no_mail() -> None:
    found = planned_for(a_rule(), desk=Desk("sampletex", "SampleTex"))
    left = found[None]  # the mail comes last
    assert isinstance(left, NotTold)
    assert (left.recorded, left.because) == ("skipped", (NO_ADDRESS,))


def test_an_address_that_takes_no_mails_is_left_out_in_whatever_case_it_is_written() -> None:
    desk = Desk("sampletex", "SampleTex", (STAFF.upper(), DEPUTY))
    found = planned_for(a_rule(), desk=desk, suppressed={STAFF: "Mails come back from there."})
    left = found[STAFF.upper()]
    assert isinstance(left, NotTold)
    assert (left.recorded, left.because) == ("skipped", ("Mails come back from there.",))
    assert isinstance(found[DEPUTY], Planned)


def test_who_has_not_heard_of_what_is_undone_is_spared() -> None:
    found = planned_for(a_rule("critical"), spared={Mailbox(SEAT, Channel.EMAIL, DEPUTY): AT})
    left = found[DEPUTY]
    assert isinstance(left, NotTold)
    assert (left.recorded, left.because) == ("cancelled", (UNHEARD_OF,))
    assert isinstance(found[STAFF], Planned)


def test_everybodys_wishes_are_asked_for_once() -> None:
    served = serve(EVENT, [a_rule()], samples.DESKS)
    assert persons([*served, *served]) == [DESK, seat_key(DESK, STAFF), SEAT]


async def test_messages_are_made_as_planned() -> None:
    transactions: MemoryTransactions[NotificationsUnitOfWork] = MemoryTransactions(samples.open_unit)
    daily = wishes(SEAT, Pace.DAILY, language="fr")
    transactions.database[Wishes.COLLECTION][SEAT] = {**daily.to_document(), "version": 1}
    fact = an_envelope(EVENT, service="matching", subject="m-1")
    made = await transactions.run(lambda uow: notify(uow, fact, EVENT))
    mails = {one.address: one for one in made if one.channel is Channel.EMAIL}
    assert (mails[DEPUTY].state, mails[DEPUTY].pace, mails[DEPUTY].language) == ("gathered", "daily", "fr")
    assert (mails[STAFF].state, mails[STAFF].pace, mails[STAFF].language) == ("pending", "at_once", "en")
    assert (mails[DEPUTY].person, mails[DEPUTY].kind, mails[DEPUTY].template) == (
        SEAT,
        "matches",
        "staff_match_agreed",
    )
    assert mails[DEPUTY].fact_key == mails[STAFF].fact_key
