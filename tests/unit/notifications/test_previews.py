"""Who would get what, and who would not: from the shipped rules, over HTTP, with the wishes on file."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from services.notifications.domain.wishes import KindWish, Pace, Wishes
from services.notifications.previews import SEALED, Preview, Previewing, event_in
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.notify import notify
from shared.contracts.catalogue import INBOX
from shared.contracts.common import Window
from shared.contracts.envelope import CloudEvent, Event
from shared.contracts.examples import golden_examples
from shared.contracts.funding import AgreementSigned
from shared.contracts.matching import InvitationSent, MatchApproved, MatchProposed
from shared.contracts.registration import RegistrationErased
from shared.contracts.vocabulary import Verdict
from shared.errors import Malformed
from shared.security import Caller, CallerRole
from tests.builders import an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples
from tests.unit.notifications.serving import served

AT = datetime(2023, 2, 13, 22, 10, tzinfo=UTC)
PREVIEWING = Previewing(samples.RULES, samples.DEADLINES, samples.WORDS, samples.DESKS)
STAFF = Caller("s", CallerRole.STAFF, partnership="hempclub")
OTHER_STAFF = Caller("s", CallerRole.STAFF, partnership="elsewhere")
OFFICE = Caller("o", CallerRole.SUPPORT_OFFICE)
PARTICIPANT = Caller("v", CallerRole.PARTICIPANT, organisation="tagus-fibre")


def preview(event: Event, **wishes: Wishes) -> Preview:
    return PREVIEWING.preview(event, wishes={one.id: one for one in wishes.values()}, at=AT)


def untold(shown: Preview) -> dict[str, list[str]]:
    """Of those who do not hear at all, why not."""
    return {f"{one.recipient} {one.name}": one.because for one in shown.not_told if one.channel is None}


@pytest.mark.parametrize("event", samples.every_event(), ids=lambda event: event.TYPE)
async def test_what_is_shown_is_what_would_be_made(event: Event) -> None:
    transactions: MemoryTransactions[NotificationsUnitOfWork] = MemoryTransactions(samples.open_unit)
    made = await transactions.run(
        lambda uow: notify(uow, an_envelope(event, service="matching", subject="s"), event)
    )
    shown = preview(event)
    assert {(one.channel, one.address, one.subject, one.text) for one in shown.told} == {
        (one.channel, one.address, one.subject, one.text) for one in made if one.state != "skipped"
    }


def test_who_the_event_concerns_and_no_rule_tells_is_named() -> None:
    shown = preview(samples.a_match(MatchProposed, proposed_by="visitor"))
    assert [one.recipient for one in shown.told] == ["host", "host"]
    assert untold(shown) == {
        "visitor Tagus Fibre Works (sample)": ["This event is told to others only."],
        "staff HempClub": ["This event is told to others only."],
        "staff SampleTex": ["This event is told to others only."],
    }


def test_a_condition_that_does_not_hold_is_said_with_what_there_is_instead() -> None:
    shown = preview(samples.a_screening(Verdict.ELIGIBLE))
    assert shown.told == []
    assert untold(shown)["staff HempClub"] == [
        "Told only where 'verdict' is needs_review, and here it is eligible.",
        "Told only where 'verdict' is ineligible, and here it is eligible.",
        "Told only where the partnership decides on eligible ones itself, and here they are taken at once.",
    ]


def test_what_nobody_is_told_of_says_why() -> None:
    erased = RegistrationErased(party=samples.VISITOR.erased(), on_behalf_of="organisation")
    shown = preview(erased)
    assert shown.told == []
    assert shown.notes[0].startswith("Nobody is told of this event. There is no address left")


def test_a_partnership_nobody_configured_is_noted() -> None:
    party = samples.VISITOR.model_copy(update={"partnership": "nowhere"})
    shown = preview(samples.an_acceptance(party=party))
    assert shown.notes == ["No partnership 'nowhere' is configured: it has no staff to tell."]


def test_what_an_event_undoes_is_listed() -> None:
    assert preview(samples.a_decision_undone()).undoes == [
        "cxc.fits.found.v1",
        "cxc.registration.accepted.v1",
        "cxc.registration.rejected.v1",
    ]


def test_what_is_to_be_done_after_it_by_when_is_said_and_what_no_longer_is() -> None:
    days = Window(first_day=date(2023, 2, 18), last_day=date(2023, 2, 20))
    shown = preview(samples.an_agreement(AgreementSigned, stay=days))
    assert [(one.what, one.by, one.to_come) for one in shown.reminders] == [
        ("sign the financial agreement", None, []),
        (
            "sign the financial agreement for the partnership",
            date(2023, 2, 17),
            [datetime(2023, 2, day, 7, tzinfo=UTC) for day in (16, 21)]
            + [datetime(2023, 3, 4, 7, tzinfo=UTC)],
        ),
    ]
    assert preview(samples.a_match(MatchProposed, proposed_by="visitor")).reminders == []


def test_every_example_there_is_of_an_event_can_be_previewed() -> None:
    shown = 0
    for raw in golden_examples().values():
        if raw["type"] not in INBOX:
            preview(event_in(CloudEvent.model_validate(raw)))
            shown += 1
    assert shown > 60


def test_a_moment_at_the_end_of_the_calendar_is_refused() -> None:
    daily = Wishes(id="organisation:tagus-fibre", kinds={"matches": KindWish(pace=Pace.DAILY)})
    last = datetime.max.replace(tzinfo=UTC)
    with pytest.raises(Malformed, match="years 2 to 9998"):
        PREVIEWING.preview(samples.a_match(MatchApproved), wishes={daily.id: daily}, at=last)


def test_the_address_of_an_invitation_stays_sealed() -> None:
    raw = next(raw for raw in golden_examples().values() if raw["type"] == InvitationSent.TYPE)
    event = event_in(CloudEvent.model_validate(raw))
    assert [one.address for one in preview(event).told] == [SEALED]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"type": "cxc.match.aproved.v1"}, "did you mean cxc.match.approved.v1?"),
        ({"type": "weather"}, "docs/events.md lists those there are."),
        ({"type": "cxc.registration.submit.v1"}, "is a command"),
        ({"data": {}}, "/data/match_id: is missing"),
        ({"data": None}, "is not valid"),
    ],
)
def test_what_is_no_event_is_refused_with_what_to_give_instead(change: dict[str, Any], says: str) -> None:
    fact = an_envelope(samples.a_match(MatchApproved), service="matching", subject="m-1")
    with pytest.raises(Malformed) as refused:
        event_in(fact.model_copy(update=change))
    assert says in refused.value.detail


# ── the API ──────────────────────────────────────────────────────────────────────────────────


def asked(event: Event) -> dict[str, Any]:
    fact = an_envelope(event, service="matching", subject="m-1")
    return {"event": orjson.loads(fact.to_json()), "at": AT.isoformat()}


def held(transactions: MemoryTransactions[NotificationsUnitOfWork]) -> str:
    return str({name: found for name, found in transactions.database.collections.items() if found})


async def ask(
    caller: Caller, event: Event, *wishes: Wishes, told: Event | None = None
) -> tuple[int, dict[str, Any]]:
    transactions: MemoryTransactions[NotificationsUnitOfWork] = MemoryTransactions(samples.open_unit)
    for one in wishes:
        transactions.database[Wishes.COLLECTION][one.id] = {**one.to_document(), "version": 1}
    if told is not None:
        fact = an_envelope(told, service="matching", subject="m-0")
        await transactions.run(lambda uow: notify(uow, fact, told))
    before = held(transactions)
    async with served(transactions, as_=caller) as http:
        answer = await http.post("/previews", json=asked(event))
    assert held(transactions) == before, "something was stored"
    return answer.status_code, answer.json()


def daily(person: str) -> Wishes:
    return Wishes(id=person, kinds={"matches": KindWish(pace=Pace.DAILY)}, time_zone="Europe/Rome")


async def test_the_support_office_sees_what_everybody_wishes_and_no_addresses() -> None:
    status, shown = await ask(OFFICE, samples.a_match(MatchApproved), daily("organisation:tagus-fibre"))
    assert status == 200
    mails = {one["recipient"]: one for one in shown["told"] if one["channel"] == "email"}
    assert (mails["visitor"]["pace"], mails["visitor"]["due_at"]) == ("daily", "2023-02-14T07:00:00Z")
    assert mails["host"]["pace"] == "at_once"
    assert mails["visitor"]["address"] == "o…@tagus-fibre.example"


async def test_staff_see_the_wishes_of_organisations_they_have_a_case_with() -> None:
    approved, wishes = samples.a_match(MatchApproved), daily("organisation:tagus-fibre")
    for told, pace in ((None, "at_once"), (samples.an_acceptance(), "daily")):
        status, shown = await ask(STAFF, approved, wishes, told=told)
        assert status == 200
        mails = {one["recipient"]: one["pace"] for one in shown["told"] if one["channel"] == "email"}
        assert mails == {"visitor": pace, "host": "at_once"}


async def test_it_is_for_staff_concerned_and_the_support_office() -> None:
    for caller in (PARTICIPANT, OTHER_STAFF):
        status, problem = await ask(caller, samples.a_match(MatchApproved))
        assert status == 403, problem
