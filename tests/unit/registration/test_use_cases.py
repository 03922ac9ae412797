"""What the service does with what it is sent, on a database in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.registration.domain.registration import (
    AlreadySubmitted,
    Origin,
    Registration,
    WrongState,
)
from services.registration.domain.spreadsheet_import import source_of
from services.registration.handlers import handlers
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.accept_registration import accept_registration
from services.registration.use_cases.amend_registration import amend_registration
from services.registration.use_cases.reject_registration import reject_registration
from services.registration.use_cases.submit_registration import submit_registration
from services.registration.use_cases.withdraw_registration import withdraw_registration
from shared.contracts.envelope import CloudEvent, Event
from shared.contracts.registration import (
    RegistrationAccepted,
    RegistrationInterestConfirmed,
    RegistrationScreened,
    Submission,
    id_from_outside,
)
from shared.contracts.types import EventType
from shared.contracts.vocabulary import RegistrationState, Verdict
from shared.errors import Forbidden, Malformed, NotFound
from shared.partnerships import UnknownPartnership
from shared.security import Caller
from tests.builders import (
    Data,
    a_cancelled_match,
    a_host_party,
    a_host_submission,
    a_submission,
    an_approved_match,
    an_envelope,
    an_inbox_event,
)
from tests.fakes import MemoryTransactions
from tests.unit.registration.service import (
    A_PARTICIPANT,
    A_PORTAL,
    AN_AUDITOR,
    ANOTHER_PARTICIPANT,
    HEMPCLUB,
    HEMPCLUB_STAFF,
    SOLARCLUB,
    SUPPORT_OFFICE,
    WOOLCLUB,
    WOOLCLUB_STAFF,
    published,
    transactions,
)

Transactions = MemoryTransactions[RegistrationUnitOfWork]

REG_1 = Origin(by="/sample/crm", source="/sample/crm", reference="REG-1", event_id="e-1")
REG_1_ID = id_from_outside("/sample/crm", "REG-1")


async def submit(store: Transactions, by: Caller | Origin = A_PARTICIPANT, **changes: Any) -> Registration:
    submission = Submission.model_validate(a_submission(**changes))
    return await store.run(lambda uow: submit_registration(uow, submission, by=by))


async def amend(
    store: Transactions, id: str, by: Caller | Origin = A_PARTICIPANT, **changes: Any
) -> Registration:
    submission = Submission.model_validate(a_submission(**changes))
    return await store.run(lambda uow: amend_registration(uow, id, submission, by=by))


async def arrive(store: Transactions, *events: Data | CloudEvent) -> None:
    """Let the service's handlers see the events in one batch."""

    async def handle(uow: RegistrationUnitOfWork, envelope: CloudEvent) -> None:
        entry = handlers.get(envelope.type)
        assert entry is not None
        await entry.call(entry.model.model_validate(envelope.data), uow, envelope)

    async def batch(uow: RegistrationUnitOfWork) -> None:
        await asyncio.gather(
            *(
                handle(uow, event if isinstance(event, CloudEvent) else CloudEvent.model_validate(event))
                for event in events
            )
        )

    await store.run(batch)


async def stored(store: Transactions, id: str) -> Registration:
    return await store.read(lambda uow: uow.registrations.get(id))


# ── submitting ───────────────────────────────────────────────────────────────────────────────


async def test_what_a_participant_submits_belongs_to_its_organisation() -> None:
    store = transactions()
    registration = await submit(store)
    assert (await stored(store, registration.id)).party.owner == "tagus-fibre"


async def test_what_others_submit_belongs_to_the_registration_itself() -> None:
    store = transactions()
    for sender in (HEMPCLUB_STAFF, A_PORTAL, REG_1):
        registration = await submit(store, by=sender)
        assert registration.party.owner == registration.id


@pytest.mark.parametrize("caller", [SUPPORT_OFFICE, AN_AUDITOR])
async def test_those_who_read_everything_submit_nothing(caller: Caller) -> None:
    with pytest.raises(Forbidden):
        await submit(transactions(), by=caller)


async def test_an_eligible_registration_is_accepted_at_once_where_the_partnership_does_so() -> None:
    store = transactions()
    await submit(store, by=REG_1)
    assert [type(event) for event in published(store.database)] == [
        RegistrationScreened,
        RegistrationAccepted,
    ]
    await submit(store, partnership="woolclub")
    assert type(published(store.database)[-1]) is RegistrationScreened


async def test_a_second_submission_of_the_same_reference_is_told_to_amend() -> None:
    store = transactions()
    await arrive(store, an_inbox_event(a_submission()))
    with pytest.raises(AlreadySubmitted, match=r"send cxc\.registration\.amend\.v1"):
        await arrive(store, an_inbox_event(a_submission()))


async def test_two_submissions_of_one_reference_in_the_same_batch_are_one_too_many() -> None:
    store = transactions()
    with pytest.raises(AlreadySubmitted):
        await arrive(store, an_inbox_event(a_submission()), an_inbox_event(a_submission()))


async def test_a_reference_whose_registration_is_over_is_told_to_take_another() -> None:
    store = transactions()
    await submit(store, by=REG_1)
    await store.run(lambda uow: withdraw_registration(uow, REG_1_ID, by=REG_1))
    with pytest.raises(AlreadySubmitted, match="withdrawn; register anew under another subject"):
        await submit(store, by=REG_1)


# ── partnerships ─────────────────────────────────────────────────────────────────────────────


async def test_an_unknown_partnership_is_refused_listing_the_known_ones() -> None:
    with pytest.raises(UnknownPartnership, match=r"'nosuch'.*hempclub, woolclub, solarclub"):
        await submit(transactions(), partnership="nosuch")


@pytest.mark.parametrize(
    ("ecosystems", "country", "assigned"),
    [
        (["textile"], "PT", "hempclub"),  # the first that fits
        (["energy_renewables"], "DE", "solarclub"),
        (["energy_renewables", "textile"], "DE", "hempclub"),
        (["energy_renewables"], "PT", None),
        (["tourism"], "DE", None),
    ],
)
async def test_without_a_choice_the_first_partnership_of_the_ecosystem_and_country_gets_the_case(
    ecosystems: list[str], country: str, assigned: str | None
) -> None:
    organisation = {**a_submission()["organisation"], "country": country}
    registration = await submit(
        transactions(), partnership=None, ecosystems=ecosystems, organisation=organisation
    )
    assert registration.party.partnership == assigned
    if assigned is None:
        assert registration.state is RegistrationState.NEEDS_REVIEW
        assert "no partnership serves these ecosystems" in registration.receipt.sentence


async def test_an_amended_case_stays_with_its_partnership_while_that_fits() -> None:
    store = transactions(HEMPCLUB, WOOLCLUB, SOLARCLUB)
    registration = await submit(store, partnership="woolclub")
    assert (await amend(store, registration.id, partnership=None)).party.partnership == "woolclub"
    organisation = {**a_submission()["organisation"], "country": "DE"}
    moved = await amend(
        store, registration.id, partnership=None, ecosystems=["energy_renewables"], organisation=organisation
    )
    assert moved.party.partnership == "solarclub"


# ── amending and withdrawing by event ────────────────────────────────────────────────────────


async def test_amendment_and_withdrawal_by_event_find_the_registration_by_source_and_subject() -> None:
    store = transactions()
    await arrive(store, an_inbox_event(a_submission()))
    await arrive(
        store,
        an_inbox_event(a_submission(motivation="Better."), type=EventType.AMEND_REGISTRATION, id="e-2"),
    )
    assert (await stored(store, REG_1_ID)).submission.motivation == "Better."
    await arrive(store, an_inbox_event({"reason": "no time"}, type=EventType.WITHDRAW_REGISTRATION))
    registration = await stored(store, REG_1_ID)
    assert registration.state is RegistrationState.WITHDRAWN
    assert registration.history[-1].why == "no time"


async def test_an_outside_system_confirms_by_event_that_the_organisation_is_still_interested() -> None:
    store = transactions()
    await arrive(store, an_inbox_event(a_submission()))
    await arrive(store, an_inbox_event({}, type=EventType.CONFIRM_INTEREST))
    registration = await stored(store, REG_1_ID)
    assert registration.state is RegistrationState.ACCEPTED
    assert (registration.history[-1].by, registration.history[-1].why) == ("/sample/crm", "still interested")
    assert isinstance(published(store.database)[-1], RegistrationInterestConfirmed)


@pytest.mark.parametrize(
    ("type", "data"),
    [
        (EventType.AMEND_REGISTRATION, a_submission()),
        (EventType.WITHDRAW_REGISTRATION, {}),
        (EventType.CONFIRM_INTEREST, {}),
    ],
)
async def test_another_source_never_reaches_a_registration_by_the_same_subject(type: str, data: Data) -> None:
    store = transactions()
    await arrive(store, an_inbox_event(a_submission()))
    with pytest.raises(NotFound, match="'REG-1' from /sample/erp"):
        await arrive(store, an_inbox_event(data, type=type, source="/sample/erp"))


every_command = pytest.mark.parametrize(
    ("type", "data"),
    [
        (EventType.SUBMIT_REGISTRATION, a_submission()),
        (EventType.AMEND_REGISTRATION, a_submission()),
        (EventType.WITHDRAW_REGISTRATION, {}),
        (EventType.CONFIRM_INTEREST, {}),
    ],
)


@every_command
async def test_an_event_cannot_speak_for_what_came_in_a_spreadsheet(type: str, data: Data) -> None:
    with pytest.raises(Malformed, match="cannot begin with /cxc/import/"):
        await arrive(transactions(), an_inbox_event(data, type=type, source=source_of("", "hempclub")))


@every_command
async def test_an_event_without_subject_is_refused_in_words(type: str, data: Data) -> None:
    with pytest.raises(Malformed, match="no subject; set it to your own reference"):
        await arrive(transactions(), an_inbox_event(data, type=type, subject=None))


# ── once only ────────────────────────────────────────────────────────────────────────────────


def matched(registration: Registration, match_id: str = "m-1") -> tuple[CloudEvent, CloudEvent]:
    """The registration's visit approved, and cancelled."""
    approved = an_approved_match(match_id, visitor=registration.party)
    return (
        an_envelope(approved, service="matching", subject=match_id),
        an_envelope(a_cancelled_match(approved), service="matching", subject=match_id, sequence=2),
    )


async def test_after_an_approved_visit_the_organisation_is_ineligible_through_any_partnership() -> None:
    store = transactions()
    approved, _ = matched(await submit(store))
    await arrive(store, approved)
    again = await submit(store, partnership="woolclub")
    assert again.verdict is Verdict.INELIGIBLE
    assert "has used its one visit" in again.receipt.sentence


async def test_it_is_recognised_by_any_of_its_identifiers() -> None:
    store = transactions()
    organisation = {**a_submission()["organisation"], "vat": "PT501964843"}
    approved, _ = matched(await submit(store, organisation=organisation))
    await arrive(store, approved)
    other = {**organisation, "name": "Another name", "vat": "501 964 843", "pic": None}
    assert (await submit(store, organisation=other)).verdict is Verdict.INELIGIBLE


async def test_a_cancelled_visit_is_given_back() -> None:
    store = transactions()
    approved, cancelled = matched(await submit(store))
    await arrive(store, approved)
    await arrive(store, cancelled)
    assert (await submit(store)).verdict is Verdict.ELIGIBLE


async def test_a_match_cancelled_before_approval_gives_nothing_back() -> None:
    store = transactions()
    approved, _ = matched(await submit(store))
    await arrive(store, approved)
    never_approved = an_approved_match("m-2", visitor=(await submit(store)).party)
    cancelled = a_cancelled_match(never_approved).model_copy(update={"was_approved": False})
    await arrive(store, an_envelope(cancelled, service="matching", subject="m-2"))
    assert (await submit(store)).verdict is Verdict.INELIGIBLE


async def test_hosting_uses_nothing_up_and_a_visitor_may_host_afterwards() -> None:
    store = transactions()
    visitor = await submit(store)
    host = await store.run(
        lambda uow: submit_registration(
            uow, Submission.model_validate(a_host_submission()), by=ANOTHER_PARTICIPANT
        )
    )
    approved = an_approved_match("m-1", visitor=visitor.party, host=host.party)
    await arrive(store, an_envelope(approved, service="matching", subject="m-1"))
    as_visitor = {**a_host_submission()["organisation"]}
    assert (await submit(store, organisation=as_visitor)).verdict is Verdict.ELIGIBLE
    assert (await submit(store, roles=["host"])).verdict is Verdict.ELIGIBLE


async def test_an_approved_visitor_may_still_amend_its_own_registration() -> None:
    store = transactions()
    registration = await submit(store)
    await arrive(store, matched(registration)[0])
    assert (await amend(store, registration.id, motivation="New.")).verdict is Verdict.ELIGIBLE


async def test_two_approvals_of_one_visitor_in_the_same_batch_are_both_remembered() -> None:
    store = transactions()
    first, second = await submit(store), await submit(store)
    (one, one_cancelled), (two, _) = matched(first, "m-1"), matched(second, "m-2")
    await arrive(store, one, two)
    await arrive(store, one_cancelled)
    assert (await submit(store)).verdict is Verdict.INELIGIBLE


async def test_the_visit_of_a_visitor_without_identifiers_is_known_by_its_registration() -> None:
    store = transactions()
    approved: Event = an_approved_match(visitor=a_host_party("r-1", identifiers=[]))
    await arrive(store, an_envelope(approved, service="matching", subject="m-1"))
    assert list(store.database["visits"]) == ["registration:r-1"]


# ── who may do what ──────────────────────────────────────────────────────────────────────────

SEEN = "seen"
ACCESS: list[tuple[Caller, type[Exception] | str, type[Exception] | str, type[Exception] | str]] = [
    # caller, reading, changing, deciding
    (A_PARTICIPANT, SEEN, SEEN, Forbidden),
    (ANOTHER_PARTICIPANT, NotFound, NotFound, NotFound),
    (WOOLCLUB_STAFF, SEEN, SEEN, SEEN),
    (HEMPCLUB_STAFF, NotFound, NotFound, NotFound),
    (SUPPORT_OFFICE, SEEN, Forbidden, Forbidden),
    (AN_AUDITOR, SEEN, Forbidden, Forbidden),
    (A_PORTAL, NotFound, NotFound, NotFound),
]


@pytest.mark.parametrize(("caller", "reading", "changing", "deciding"), ACCESS)
async def test_everyone_reaches_what_is_theirs_and_nothing_else(
    caller: Caller,
    reading: type[Exception] | str,
    changing: type[Exception] | str,
    deciding: type[Exception] | str,
) -> None:
    store = transactions()
    id = (await submit(store, partnership="woolclub")).id
    submission = Submission.model_validate(a_submission(partnership="woolclub"))
    attempts = [
        (reading, store.read, lambda uow: uow.registrations.get_visible_to(caller, id)),
        (changing, store.run, lambda uow: amend_registration(uow, id, submission, by=caller)),
        (deciding, store.run, lambda uow: reject_registration(uow, id, by=caller, reason="no")),
    ]
    for expected, run, work in attempts:
        if isinstance(expected, str):
            await run(work)
        else:
            with pytest.raises(expected):
                await run(work)
    listed = await store.read(lambda uow: uow.registrations.page(caller))
    assert [found.id for found in listed] == ([id] if reading == SEEN else [])


async def test_an_external_system_reaches_what_it_submitted_itself() -> None:
    store = transactions()
    id = (await submit(store, by=A_PORTAL)).id
    assert (await store.read(lambda uow: uow.registrations.get_visible_to(A_PORTAL, id))).id == id
    withdrawn = await store.run(lambda uow: withdraw_registration(uow, id, by=A_PORTAL))
    assert withdrawn.state is RegistrationState.WITHDRAWN


async def test_a_decision_is_taken_once() -> None:
    store = transactions()
    id = (await submit(store, partnership="woolclub")).id
    await store.run(lambda uow: accept_registration(uow, id, by=WOOLCLUB_STAFF))
    with pytest.raises(WrongState, match="is accepted and cannot be rejected"):
        await store.run(lambda uow: reject_registration(uow, id, by=WOOLCLUB_STAFF, reason="no"))
