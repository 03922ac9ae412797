"""Decisions of staff about one registration or many: foreseen, taken, undone; questions and assignments."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from services.registration.domain.audit import AuditEntry
from services.registration.domain.decision import (
    AlreadyUndone,
    Basis,
    Decision,
    DecisionKind,
    NotAsPreviewed,
    NothingToDecide,
    NotUndoable,
    Outlook,
    Proposal,
    TooManyToDecide,
)
from services.registration.domain.duplicate import Duplicate
from services.registration.domain.likeness import Likeness
from services.registration.domain.registration import (
    AlreadyAssigned,
    AnswerDayPassed,
    ChangedSince,
    ReasonNeeded,
    Registration,
    WrongState,
)
from services.registration.filters import RegistrationFilter
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.accept_registration import accept_registration
from services.registration.use_cases.amend_registration import amend_registration
from services.registration.use_cases.ask_applicant import ask_applicant
from services.registration.use_cases.assign_registration import assign_registration
from services.registration.use_cases.decide_registrations import (
    Choice,
    decide_registrations,
    preview_decision,
)
from services.registration.use_cases.record_visit import record_visit
from services.registration.use_cases.reject_registration import reject_registration
from services.registration.use_cases.submit_registration import submit_registration
from services.registration.use_cases.undo_decision import undo_decision
from services.registration.use_cases.withdraw_registration import withdraw_registration
from shared.contracts.registration import (
    RegistrationAccepted,
    RegistrationAssigned,
    RegistrationDecisionUndone,
    RegistrationInformationAsked,
    RegistrationRejected,
    Submission,
)
from shared.contracts.vocabulary import RegistrationState
from shared.errors import Forbidden, Malformed, NotFound
from shared.partnerships import UnknownPartnership
from shared.security import Caller
from tests.builders import a_party, a_submission
from tests.fakes import MemoryTransactions
from tests.unit.registration.service import (
    A_PARTICIPANT,
    AN_AUDITOR,
    HEMPCLUB,
    HEMPCLUB_STAFF,
    SOLARCLUB,
    SUPPORT_OFFICE,
    WOOLCLUB,
    WOOLCLUB_STAFF,
    published,
    transactions,
)

Store = MemoryTransactions[RegistrationUnitOfWork]

ACCEPT = Proposal(decision=DecisionKind.ACCEPT)
REJECT = Proposal(decision=DecisionKind.REJECT, reason="No room this year.")
ASK = Proposal(decision=DecisionKind.ASK, question="Which line?")

NO_CLUSTER = {**a_submission()["organisation"], "memberships": []}
NO_NUMBER = {**a_submission()["organisation"], "pic": None}


@pytest.fixture
def store() -> Store:
    return transactions(HEMPCLUB, WOOLCLUB, SOLARCLUB)


async def submitted(store: Store, **changes: Any) -> str:
    """The id of a registration that waits for woolclub, eligible unless told otherwise."""
    sent = Submission.model_validate(a_submission(**{"partnership": "woolclub", **changes}))
    return (await store.run(lambda uow: submit_registration(uow, sent, by=A_PARTICIPANT))).id


async def preview(
    store: Store, proposal: Proposal, choice: Choice, by: Caller = WOOLCLUB_STAFF
) -> tuple[dict[str, Outlook], Basis]:
    outlooks, basis = await store.read(
        lambda uow: preview_decision(uow, proposal, choice, by=by, request="r")
    )
    return {outlook.registration_id: outlook for outlook in outlooks}, basis


async def decided(store: Store, proposal: Proposal, choice: Choice, by: Caller = WOOLCLUB_STAFF) -> Decision:
    _, basis = await preview(store, proposal, choice, by)
    return await store.run(lambda uow: decide_registrations(uow, proposal, basis, by=by, request="r"))


async def undone(store: Store, id: str, by: Caller = WOOLCLUB_STAFF) -> tuple[Decision, dict[str, str]]:
    return await store.run(lambda uow: undo_decision(uow, id, by=by, reason="The wrong list."))


async def get(store: Store, id: str) -> Registration:
    return await store.read(lambda uow: uow.registrations.get(id))


async def state_of(store: Store, id: str) -> RegistrationState:
    return (await get(store, id)).state


async def trail(store: Store, **wanted: Any) -> list[AuditEntry]:
    return await store.read(lambda uow: uow.trail.page(SUPPORT_OFFICE, **wanted))


# ── preview ──────────────────────────────────────────────────────────────────────────────────


async def test_a_preview_says_what_will_happen_to_each_and_changes_nothing(store: Store) -> None:
    fine = await submitted(store)
    against = await submitted(store, organisation=NO_CLUSTER)
    open_question = await submitted(store, organisation=NO_NUMBER)
    elsewhere = await submitted(store, partnership="hempclub")
    gone = await submitted(store)
    await store.run(lambda uow: withdraw_registration(uow, gone, by=A_PARTICIPANT))
    before = dict(store.database.collections["registrations"])
    seen, _ = await preview(store, ACCEPT, [fine, against, open_question, elsewhere, gone, "nosuch"])
    assert store.database.collections["registrations"] == before
    assert (seen[fine].before, seen[fine].after, seen[fine].warnings) == ("eligible", "accepted", ())
    assert seen[fine].sentence == "Tagus Fibre Works (sample) is taken into the pool and told so."
    assert seen[against].after is None
    assert "accepting it needs a reason" in seen[against].sentence
    assert seen[open_question].after == "accepted"
    assert seen[open_question].warnings[0].startswith("The rules leave a question open. ")
    assert seen[gone].after is None
    assert "is withdrawn and cannot be accepted" in seen[gone].sentence
    for id in (elsewhere, "nosuch"):
        assert (seen[id].after, seen[id].organisation) == (None, None)
        assert seen[id].sentence == f"There is no registration {id}, or none you may see."


async def test_a_preview_warns_of_what_only_others_know(store: Store) -> None:
    one, twin = await submitted(store), await submitted(store)
    party = a_party("other", identifiers=["pic:900000001"])

    async def meanwhile(uow: RegistrationUnitOfWork) -> None:
        await record_visit(uow, party, match_id="m-1")
        likeness = Likeness(
            score=91,
            same_identifier=False,
            name=91,
            city=100,
            street=None,
            same_postcode=None,
            same_country=True,
            same_domain=None,
        )
        ids = sorted((one, twin))
        uow.duplicates.add(Duplicate.suspect(ids, ["woolclub", "woolclub"], likeness))

    await store.run(meanwhile)
    seen, _ = await preview(store, ACCEPT, [one])
    assert seen[one].warnings == (
        "Its organisation has used its one visit of the scheme since it was screened.",
        f"It is 91 % like registration {twin}, and nobody has said yet whether both are of one organisation.",
    )


@pytest.mark.parametrize(("proposal", "warning"), [
    (ACCEPT, "It was asked “Which line?” and has not answered yet."),
    (ASK, "It was asked “Which line?” and has not answered yet, which this replaces."),
    (REJECT, "The rules find it eligible."),
])  # fmt: skip
async def test_a_preview_warns_of_what_is_easily_overlooked(
    store: Store, proposal: Proposal, warning: str
) -> None:
    id = await submitted(store)
    await store.run(lambda uow: ask_applicant(uow, id, by=WOOLCLUB_STAFF, question="Which line?"))
    seen, _ = await preview(store, proposal, [id])
    assert warning in seen[id].warnings


@pytest.mark.parametrize("caller", [A_PARTICIPANT, SUPPORT_OFFICE, AN_AUDITOR])
async def test_only_staff_decide(store: Store, caller: Caller) -> None:
    id = await submitted(store)
    with pytest.raises(Forbidden, match="Only staff"):
        await preview(store, ACCEPT, [id], caller)
    _, basis = await preview(store, ACCEPT, [id])
    with pytest.raises(Forbidden, match="Only staff"):
        await store.run(lambda uow: decide_registrations(uow, ACCEPT, basis, by=caller, request="r"))


async def test_a_filter_of_more_than_a_thousand_is_too_many(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registration.use_cases.decide_registrations.MOST", 2)
    for _ in range(3):
        await submitted(store)
    with pytest.raises(TooManyToDecide, match="narrow the filter"):
        await preview(store, ACCEPT, RegistrationFilter())


# ── decide ───────────────────────────────────────────────────────────────────────────────────


async def test_a_decision_takes_all_it_may_and_reports_the_others(store: Store) -> None:
    fine, against = await submitted(store), await submitted(store, organisation=NO_CLUSTER)
    decision = await decided(store, ACCEPT, [fine, against])
    assert [(item.registration_id, item.before, item.after) for item in decision.items] == [
        (fine, "eligible", "accepted")
    ]
    assert [(one.registration_id, one.code) for one in decision.left_out] == [(against, "reason-needed")]
    assert await state_of(store, against) is RegistrationState.INELIGIBLE
    step = (await get(store, fine)).history[-1]
    assert (step.by, step.decision_id) == ("officer-w", decision.id)
    stored = await store.read(lambda uow: uow.decisions.get_visible_to(AN_AUDITOR, decision.id))
    assert stored.model_dump() == decision.model_dump()


async def test_what_meets_a_filter_is_what_did_so_in_the_preview(store: Store) -> None:
    first = await submitted(store)
    eligible = RegistrationFilter(state=[RegistrationState.ELIGIBLE])
    _, basis = await preview(store, REJECT, eligible)
    later = await submitted(store)
    decision = await store.run(
        lambda uow: decide_registrations(uow, REJECT, basis, by=WOOLCLUB_STAFF, request="r")
    )
    assert [item.registration_id for item in decision.items] == [first]
    assert await state_of(store, later) is RegistrationState.ELIGIBLE


async def test_nothing_is_decided_when_something_has_changed_and_the_problem_lists_it(store: Store) -> None:
    one, other, third = [await submitted(store) for _ in range(3)]
    _, basis = await preview(store, ACCEPT, [one, other, third])
    await store.run(lambda uow: reject_registration(uow, other, by=WOOLCLUB_STAFF, reason="Too late."))
    with pytest.raises(NotAsPreviewed, match="1 of the 3 registrations have changed") as raised:
        await store.run(lambda uow: decide_registrations(uow, ACCEPT, basis, by=WOOLCLUB_STAFF, request="r"))
    [listed] = raised.value.errors
    assert listed["detail"].startswith(
        f"Registration {other} is rejected now; the last to change it was officer-w"
    )
    assert await state_of(store, one) is RegistrationState.ELIGIBLE


async def test_a_basis_is_good_for_what_was_previewed_alone(store: Store) -> None:
    id = await submitted(store)
    _, basis = await preview(store, ACCEPT, [id])
    assert Basis.read(str(basis)) == basis
    with pytest.raises(NotAsPreviewed, match="another decision"):
        await store.run(
            lambda uow: decide_registrations(uow, REJECT, basis, by=WOOLCLUB_STAFF, request="other")
        )


@pytest.mark.parametrize("text", ["", "x", "é", "eJyrVgIAAMUAdg==", "eJwDAAAAAAE=", "\x00"])
def test_what_no_preview_gave_is_no_basis(text: str) -> None:
    with pytest.raises(Malformed, match="is not the `basis` of a preview"):
        Basis.read(text)


async def test_a_decision_about_none_is_refused(store: Store) -> None:
    ids = [await submitted(store, organisation=NO_CLUSTER) for _ in range(2)]
    with pytest.raises(NothingToDecide):
        await decided(store, ACCEPT, ids)
    with pytest.raises(NothingToDecide):
        await decided(store, ACCEPT, RegistrationFilter(country="DE"))
    with pytest.raises(ReasonNeeded):
        await decided(store, ACCEPT, ids[:1])


async def test_each_registration_of_a_decision_is_in_the_audit_trail(store: Store) -> None:
    ids = [await submitted(store) for _ in range(3)]
    decision = await decided(store, REJECT, ids)
    entries = await trail(store, decision=decision.id)
    assert {entry.registration_id for entry in entries} == set(ids)
    assert {(entry.by, entry.action, entry.why) for entry in entries} == {
        ("officer-w", "reject", "No room this year.")
    }
    assert entries[0].before == {"state": "eligible"}
    assert entries[0].after == {"state": "rejected"}


# ── undo ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("proposal", "event"), [
    (ACCEPT, RegistrationAccepted), (REJECT, RegistrationRejected),
])  # fmt: skip
async def test_a_decision_undone_is_as_if_it_had_not_been_taken_and_everyone_hears(
    store: Store, proposal: Proposal, event: Any
) -> None:
    ids = [await submitted(store), await submitted(store, organisation=NO_NUMBER)]
    decision = await decided(store, proposal, ids)
    again, kept = await undone(store, decision.id)
    assert kept == {}
    assert again.undone is not None
    assert sorted(again.undone.registrations) == sorted(ids)
    assert [await state_of(store, id) for id in ids] == ["eligible", "needs_review"]
    told = [one for one in published(store.database) if isinstance(one, RegistrationDecisionUndone)]
    assert {(one.party.registration_id, one.undone, one.decision_id) for one in told} == {
        (id, "accepted" if event is RegistrationAccepted else "rejected", decision.id) for id in ids
    }
    assert {one.reason for one in told} == {"The wrong list."}
    assert {entry.action for entry in await trail(store, decision=decision.id)} == {proposal.decision, "undo"}
    redone = await decided(store, ACCEPT, ids)
    assert len(redone.items) == 2


async def test_what_has_changed_since_stays_and_is_reported(store: Store) -> None:
    one, other = await submitted(store), await submitted(store)
    decision = await decided(store, ACCEPT, [one, other])
    await store.run(lambda uow: withdraw_registration(uow, other, by=A_PARTICIPANT))
    _, kept = await undone(store, decision.id)
    assert list(kept) == [other]
    assert "is withdrawn and has changed since" in kept[other]
    assert (await state_of(store, one), await state_of(store, other)) == ("eligible", "withdrawn")


async def test_when_all_have_changed_nothing_is_undone(store: Store) -> None:
    id = await submitted(store)
    decision = await decided(store, ACCEPT, [id])
    await store.run(lambda uow: withdraw_registration(uow, id, by=A_PARTICIPANT))
    with pytest.raises(ChangedSince):
        await undone(store, decision.id)
    assert (await store.read(lambda uow: uow.decisions.get(decision.id))).undone is None


async def test_a_decision_is_undone_once(store: Store) -> None:
    decision = await decided(store, ACCEPT, [await submitted(store)])
    await undone(store, decision.id)
    with pytest.raises(AlreadyUndone, match="undone by officer-w"):
        await undone(store, decision.id)


async def test_a_decision_can_be_undone_until_its_time_is_over(store: Store) -> None:
    id = await submitted(store)
    decision = await decided(store, ACCEPT, [id])
    assert decision.undoable_until == decision.at + timedelta(hours=1)
    late = decision.undoable_until + timedelta(seconds=1)
    with pytest.raises(NotUndoable, match="could be undone until"):
        decision.require_undoable(late)
    decision.require_undoable(decision.undoable_until)


async def test_a_question_cannot_be_taken_back(store: Store) -> None:
    decision = await decided(store, ASK, [await submitted(store)])
    with pytest.raises(NotUndoable, match="question"):
        await undone(store, decision.id)


async def test_only_staff_of_the_same_partnership_undo(store: Store) -> None:
    decision = await decided(store, ACCEPT, [await submitted(store)])
    with pytest.raises(NotFound):
        await undone(store, decision.id, HEMPCLUB_STAFF)
    with pytest.raises(Forbidden):
        await undone(store, decision.id, SUPPORT_OFFICE)


async def test_a_single_decision_can_be_undone_too(store: Store) -> None:
    id = await submitted(store)
    accepted = await store.run(lambda uow: accept_registration(uow, id, by=WOOLCLUB_STAFF))
    decision_id = accepted.history[-1].decision_id
    assert decision_id is not None
    await undone(store, decision_id)
    assert await state_of(store, id) is RegistrationState.ELIGIBLE


# ── questions ────────────────────────────────────────────────────────────────────────────────


async def test_a_question_waits_for_the_applicant_until_it_amends(store: Store) -> None:
    id = await submitted(store)
    day = date(2023, 2, 1)
    asked = await store.run(
        lambda uow: ask_applicant(uow, id, by=WOOLCLUB_STAFF, question="Which line?", answer_by=day)
    )
    assert asked.state is RegistrationState.ELIGIBLE
    event = published(store.database)[-1]
    assert isinstance(event, RegistrationInformationAsked)
    assert (event.question, event.answer_by) == ("Which line?", day)
    waiting = RegistrationFilter(waiting_for="applicant")
    assert len(await store.read(lambda uow: uow.registrations.page(WOOLCLUB_STAFF, waiting))) == 1
    sent = Submission.model_validate(a_submission(partnership="woolclub", motivation="The second line."))
    await store.run(lambda uow: amend_registration(uow, id, sent, by=A_PARTICIPANT))
    assert await store.read(lambda uow: uow.registrations.page(WOOLCLUB_STAFF, waiting)) == []
    [entry] = await trail(store, registration=id)
    assert (entry.action, entry.why) == ("ask", "Which line?")


async def test_a_day_that_is_over_cannot_be_answered_by(store: Store) -> None:
    id = await submitted(store)
    with pytest.raises(AnswerDayPassed, match="2023-01-15 is over"):
        await store.run(
            lambda uow: ask_applicant(
                uow, id, by=WOOLCLUB_STAFF, question="Which?", answer_by=date(2023, 1, 15)
            )
        )


# ── assignments ──────────────────────────────────────────────────────────────────────────────


async def assigned(store: Store, id: str, partnership: str, by: Caller = SUPPORT_OFFICE) -> Registration:
    return await store.run(
        lambda uow: assign_registration(uow, id, partnership, by=by, reason="It is their field.")
    )


async def amended(store: Store, id: str, **changes: Any) -> Registration:
    sent = Submission.model_validate(a_submission(**changes))
    return await store.run(lambda uow: amend_registration(uow, id, sent, by=A_PARTICIPANT))


async def test_the_support_office_assigns_what_nobody_serves(store: Store) -> None:
    id = await submitted(store, partnership=None, ecosystems=["tourism"])
    assert (await get(store, id)).party.partnership is None
    moved = await assigned(store, id, "woolclub")
    assert (moved.party.partnership, moved.state) == ("woolclub", RegistrationState.ELIGIBLE)
    event = published(store.database)[-1]
    assert isinstance(event, RegistrationAssigned)
    assert (event.before, event.reason, event.verdict) == (None, "It is their field.", "eligible")
    [entry] = await trail(store, registration=id)
    assert entry.before == {"state": "needs_review", "partnership": None}
    assert entry.after == {"state": "eligible", "partnership": "woolclub"}
    await store.run(lambda uow: accept_registration(uow, id, by=WOOLCLUB_STAFF))


async def test_staff_hand_their_own_over_and_see_it_no_more(store: Store) -> None:
    id = await submitted(store)
    await assigned(store, id, "solarclub", WOOLCLUB_STAFF)
    with pytest.raises(NotFound):
        await assigned(store, id, "hempclub", WOOLCLUB_STAFF)
    with pytest.raises(NotFound):
        await assigned(store, id, "hempclub", HEMPCLUB_STAFF)
    seen = await store.read(lambda uow: uow.trail.page(WOOLCLUB_STAFF, registration=id))
    assert [entry.action for entry in seen] == ["assign"]


@pytest.mark.parametrize("caller", [A_PARTICIPANT, AN_AUDITOR])
async def test_nobody_else_assigns(store: Store, caller: Caller) -> None:
    id = await submitted(store)
    with pytest.raises(Forbidden, match="support office assigns"):
        await assigned(store, id, "hempclub", caller)


async def test_what_is_decided_or_there_already_is_not_assigned(store: Store) -> None:
    id = await submitted(store)
    with pytest.raises(AlreadyAssigned, match="woolclub has this registration already"):
        await assigned(store, id, "woolclub")
    with pytest.raises(UnknownPartnership):
        await assigned(store, id, "nosuch")
    await store.run(lambda uow: reject_registration(uow, id, by=WOOLCLUB_STAFF, reason="No."))
    with pytest.raises(WrongState, match="cannot be assigned"):
        await assigned(store, id, "hempclub")


async def test_a_partnership_that_accepts_automatically_does_so_when_it_is_assigned(store: Store) -> None:
    id = await submitted(store)
    moved = await assigned(store, id, "hempclub")
    assert moved.state is RegistrationState.ACCEPTED
    assert isinstance(published(store.database)[-1], RegistrationAccepted)


@pytest.mark.parametrize(("chosen_first", "chosen_then", "has_it"), [
    ("woolclub", "woolclub", "solarclub"),
    ("woolclub", None, "solarclub"),
    ("woolclub", "hempclub", "hempclub"),
    (None, None, "solarclub"),
    (None, "woolclub", "woolclub"),
])  # fmt: skip
async def test_an_assignment_holds_unless_another_partnership_is_chosen(
    store: Store, chosen_first: str | None, chosen_then: str | None, has_it: str
) -> None:
    energy = {"ecosystems": ["tourism"]} if chosen_first is None else {}
    id = await submitted(store, partnership=chosen_first, **energy)
    await assigned(store, id, "solarclub")
    assert (await amended(store, id, partnership=chosen_then)).party.partnership == has_it
    assert (await amended(store, id, partnership=chosen_then)).party.partnership == has_it


async def test_a_partnership_that_is_no_more_loses_what_was_assigned_to_it(store: Store) -> None:
    id = await submitted(store)
    await assigned(store, id, "solarclub")
    smaller = transactions(HEMPCLUB, WOOLCLUB)
    smaller.database = store.database
    assert (await amended(smaller, id, partnership=None)).party.partnership == "hempclub"
