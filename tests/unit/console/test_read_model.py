"""The read model comes out the same in whatever order, and however often, the events come."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from services.console.domain.exchange import Exchange
from services.console.domain.registration import Registration
from services.console.repositories import READ_MODEL, ConsoleUnitOfWork
from services.console.timelines import TITLES
from services.console.use_cases.fold_event import fold_event
from services.console.use_cases.tell_what_is_held import tell_what_is_held
from shared.contracts import examples
from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.common import ERASED
from shared.contracts.envelope import CloudEvent
from shared.contracts.funding import GrantCancelled, GrantRecovered
from shared.contracts.matching import MatchCancelled, MatchProposed
from shared.contracts.registration import (
    RegistrationAmended,
    RegistrationErased,
    RegistrationInformationAsked,
)
from shared.contracts.vocabulary import RegistrationState, Verdict
from shared.errors import NotFound
from shared.security import Caller, CallerRole
from tests.fakes import MemoryTransactions
from tests.unit.console.stories import (
    GRANT,
    HOST,
    MATCH,
    RECEIPT,
    VISITOR,
    Story,
    a_paid_exchange,
    an_approved_exchange,
    as_published,
    fold,
    folded,
    of_grant,
    of_match,
)

ReadModel = MemoryTransactions[ConsoleUnitOfWork]

EXAMPLES = [
    pytest.param(path.read_bytes(), id=path.stem)
    for path in sorted(Path(examples.__file__).parent.glob("*.json"))
    if path.stem.partition("--")[0] in EVENT_MODELS
]


def documents(model: ReadModel) -> dict[str, dict[str, Any]]:
    """All of it, apart from how often each was written."""
    return {
        kind.COLLECTION: {
            id: {name: value for name, value in document.items() if name != "version"}
            for id, document in sorted(model.database[kind.COLLECTION].items())
        }
        for kind in READ_MODEL
    }


async def the_exchange(model: ReadModel) -> Exchange:
    return await model.read(lambda uow: uow.exchanges.get(MATCH))


async def the_registration(model: ReadModel, id: str = "visitor-1") -> Registration:
    return await model.read(lambda uow: uow.registrations.get(id))


def waiting(case: Exchange | Registration) -> set[tuple[str, str]]:
    return {(one.kind, one.whose) for one in case.waits}


@pytest.mark.parametrize("seed", range(12))
async def test_any_order_of_the_events_leads_to_the_same(seed: int) -> None:
    told = a_paid_exchange().told
    in_order = await folded(told)
    shuffled = list(told)
    random.Random(seed).shuffle(shuffled)
    assert documents(await folded(shuffled, at_once=1 + seed % 5)) == documents(in_order)


async def test_everything_told_again_changes_nothing() -> None:
    told = a_paid_exchange().told
    model = await folded(told)
    before = documents(model)
    versions = {id: one["version"] for id, one in model.database["exchanges"].items()}
    await fold(model, reversed(told), at_once=7)
    assert documents(model) == before
    assert {id: one["version"] for id, one in model.database["exchanges"].items()} == versions


async def test_events_as_they_are_read_from_the_wire_lead_to_the_same() -> None:
    told = a_paid_exchange().told
    assert documents(await folded(map(as_published, told))) == documents(await folded(told))


async def test_a_paid_exchange_is_counted_and_waits_for_nobody() -> None:
    exchange = await the_exchange(await folded(a_paid_exchange().told))
    assert (exchange.step, exchange.counted_for, exchange.flow) == ("paid", "hempclub", "PT>IT")
    assert exchange.waits == []
    assert exchange.seen_by == [
        *("desk:hempclub", "owner:tagus-fibre-works", "desk:woolclub", "owner:navigli", "all")
    ]


async def test_money_that_came_back_in_full_counts_no_more() -> None:
    story = a_paid_exchange()
    story.tell("funding", GRANT, GrantRecovered(**of_grant(amount=450, left=0, reason="No stay.")))
    exchange = await the_exchange(await folded(story.told))
    assert (exchange.step, exchange.counted_for) == ("recovered", None)


async def test_an_exchange_that_was_called_off_shows_so_whatever_its_money_did() -> None:
    story = an_approved_exchange()
    story.tell("matching", MATCH, MatchCancelled(**of_match(reason="Ill.", was_approved=True)))
    story.tell("funding", GRANT, GrantCancelled(**of_grant(freed=450, reason="Ill.")))
    exchange = await the_exchange(await folded(story.told))
    assert (exchange.step, exchange.flow, exchange.counted_for) == ("cancelled", None, None)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (5, {("proposal", "owner:navigli")}),
        (6, {("proposal", "owner:tagus-fibre-works")}),
        (7, {("match", "desk:hempclub"), ("match", "desk:woolclub")}),
        (9, {("commitment", "owner:tagus-fibre-works"), ("commitment", "owner:navigli")}),
        (
            11,
            {
                ("agreement", "owner:tagus-fibre-works"),
                ("account", "owner:tagus-fibre-works"),
                ("report", "owner:tagus-fibre-works"),
                ("evidence", "owner:tagus-fibre-works"),
            },
        ),
        (
            14,
            {
                ("agreement", "desk:hempclub"),
                ("report", "owner:tagus-fibre-works"),
                ("evidence", "owner:tagus-fibre-works"),
            },
        ),
        (17, {("report", "desk:hempclub"), ("evidence", "owner:tagus-fibre-works")}),
        (18, {("report", "owner:tagus-fibre-works"), ("evidence", "owner:tagus-fibre-works")}),
        (23, {("payment", "desk:hempclub")}),
        (25, set()),
    ],
)
async def test_at_every_step_it_is_said_who_acts_next(events: int, expected: set[tuple[str, str]]) -> None:
    assert waiting(await the_exchange(await folded(a_paid_exchange().told[:events]))) == expected


async def test_a_payment_waits_for_the_second_officer_until_it_is_released() -> None:
    story = a_paid_exchange().told
    payments = [await folded(story[:count]) for count in (24, 26)]
    [prepared, released] = [await one.read(lambda uow: uow.payments.get("p")) for one in payments]
    assert [(one.kind, one.whose) for one in prepared.waits] == [("release", "desk:hempclub")]
    assert released.waits == []


async def test_a_proposal_from_a_plan_waits_for_both_until_one_takes_it_up() -> None:
    story = Story()
    story.tell("matching", MATCH, MatchProposed(**of_match(proposed_by="host")))
    assert waiting(await the_exchange(await folded(story.told))) == {("proposal", "owner:tagus-fibre-works")}


async def test_a_question_waits_for_the_organisation_and_its_answer_for_staff_again() -> None:
    story = Story()
    story.registers(VISITOR)
    asked = RegistrationInformationAsked(party=VISITOR, question="Which cluster?")
    screened = {"state": RegistrationState.NEEDS_REVIEW, "verdict": Verdict.NEEDS_REVIEW, "receipt": RECEIPT}
    story.tell("registration", "visitor-1", RegistrationAmended(party=VISITOR, **screened))
    story.tell("registration", "visitor-1", asked)
    model = await folded(story.told)
    assert waiting(await the_registration(model)) == {("question", "owner:tagus-fibre-works")}
    story.tell("registration", "visitor-1", RegistrationAmended(party=VISITOR, **screened))
    await fold(model, story.told[-1:])
    assert waiting(await the_registration(model)) == {("registration", "desk:hempclub")}


async def test_an_exchange_goes_with_its_registration_and_stays_with_who_pays() -> None:
    story = a_paid_exchange()
    moved = VISITOR.model_copy(
        update={"partnership": "solarclub", "organisation": "Tagus Fibre Group (sample)"}
    )
    screened = {"state": RegistrationState.ACCEPTED, "verdict": Verdict.ELIGIBLE, "receipt": RECEIPT}
    story.tell("registration", "visitor-1", RegistrationAmended(party=moved, **screened))
    for told in (story.told, story.told[::-1]):
        exchange = await the_exchange(await folded(told))
        assert exchange.visitor is not None
        assert exchange.visitor.name == "Tagus Fibre Group (sample)"
        assert {"desk:solarclub", "desk:hempclub", "desk:woolclub"} < set(exchange.seen_by)
        assert exchange.counted_for == "hempclub"


# ── erasure ──────────────────────────────────────────────────────────────────────────────────


def an_erased_story() -> Story:
    story = a_paid_exchange()
    erased = RegistrationErased(party=VISITOR.erased(), on_behalf_of="organisation")
    story.tell("registration", "visitor-1", erased)
    return story


@pytest.mark.parametrize("seed", range(6))
async def test_after_an_erasure_nothing_says_who_it_was_in_whatever_order_it_came(seed: int) -> None:
    told = an_erased_story().told
    shuffled = list(told)
    random.Random(seed).shuffle(shuffled)
    model = await folded(shuffled)
    assert documents(model) == documents(await folded(told))
    stored = json.dumps(documents(model))
    assert not [word for word in ("Tagus", "tagus", "Lisbon", "No days.") if word in stored]
    exchange = await the_exchange(model)
    assert exchange.visitor is not None
    assert (exchange.visitor.name, exchange.visitor.country) == (ERASED, "PT")
    assert (exchange.step, exchange.counted_for) == ("paid", "hempclub")
    assert exchange.host is not None
    assert exchange.host.name == HOST.organisation


# ── what is held ─────────────────────────────────────────────────────────────────────────────


async def test_each_side_is_told_what_is_held_of_it_and_not_what_is_the_others() -> None:
    model = await folded(a_paid_exchange().told)
    host = Caller("desk", CallerRole.PARTICIPANT, organisation="navigli")
    told = await model.read(lambda uow: tell_what_is_held(uow, "host-1", by=host))
    raw = json.dumps([kind.model_dump(mode="json") for kind in told])
    assert "Navigli" in raw
    assert not [private for private in ("Tagus", "450.00", "tagus-fibre") if private in raw]
    with pytest.raises(NotFound):
        await model.read(lambda uow: tell_what_is_held(uow, "visitor-1", by=host))


# ── every event ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("example", EXAMPLES)
async def test_every_event_there_is_leaves_a_trace_that_has_words(example: bytes) -> None:
    envelope = CloudEvent.model_validate_json(example)
    event = EVENT_MODELS[envelope.type].model_validate(envelope.data)
    model: ReadModel = MemoryTransactions(ConsoleUnitOfWork)
    await model.once(lambda uow: fold_event(uow, event, envelope))
    [happening] = model.database["happenings"].values()
    assert happening["seen_by"][-1] == "all"
    assert envelope.type in TITLES
