"""Erasing a registration: who may, what goes, what stays, and that nothing brings it back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.registration.domain.likeness import features_of, likeness
from services.registration.domain.registration import AlreadyErased, Origin, Registration
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.accept_registration import accept_registration
from services.registration.use_cases.amend_registration import amend_registration
from services.registration.use_cases.erase_registration import (
    erase_by_time,
    erase_registration,
    forget_again,
)
from services.registration.use_cases.note_lookalikes import Found, Looked, note_lookalikes
from services.registration.use_cases.record_visit import record_visit
from services.registration.use_cases.reject_registration import reject_registration
from services.registration.use_cases.release_visit import release_visit
from services.registration.use_cases.submit_registration import submit_registration
from services.registration.use_cases.tell_what_is_held import tell_what_is_held
from services.registration.use_cases.withdraw_registration import withdraw_registration
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import RegistrationState, Verdict
from shared.errors import Forbidden, NotFound
from shared.security import Caller
from shared.storage.store import OUTBOX
from tests.builders import a_submission
from tests.fakes import MemoryTransactions
from tests.unit.registration.client import Client
from tests.unit.registration.pdfs import a_pdf
from tests.unit.registration.service import (
    A_PARTICIPANT,
    A_PORTAL,
    AN_AUDITOR,
    ANOTHER_PARTICIPANT,
    HEMPCLUB_STAFF,
    SUPPORT_OFFICE,
    WOOLCLUB_STAFF,
    published,
    transactions,
)

Store = MemoryTransactions[RegistrationUnitOfWork]

OUTSIDE = Origin(
    by="/sample/crm", source="/sample/crm", reference="REG-1", event_id="e-1", system="/sample/crm"
)
GIVEN = a_submission(
    organisation={
        **a_submission()["organisation"],
        "street": "Rua das Flores 17",
        "vat": "PT501964843",
        "website": "https://tagus-fibre.example",
    },
    partnership="woolclub",
)
GIVEN_AWAY = ["Tagus", "tagus-fibre", "Lisbon", "Rua das Flores", "501964843", "900000001", "hemp fibre"]


async def submitted(store: Store, by: Caller | Origin = A_PARTICIPANT, **changes: Any) -> Registration:
    submission = Submission.model_validate({**GIVEN, **changes})
    return await store.run(lambda uow: submit_registration(uow, submission, by=by))


async def erased(
    store: Store, id: str, by: Caller = HEMPCLUB_STAFF, reason: str = "It asked."
) -> Registration:
    registration, _ = await store.run(lambda uow: erase_registration(uow, id, by=by, reason=reason))
    return registration


async def the(store: Store, id: str) -> Registration:
    return await store.read(lambda uow: uow.registrations.get(id))


def held(store: Store) -> str:
    """All that is stored, but events on their way out."""
    return str({name: stored for name, stored in store.database.collections.items() if name != OUTBOX})


async def with_traces(store: Store) -> Registration:
    """A registration that was amended, rejected, looked alike and is in the audit trail."""
    first = await submitted(store)
    other = await submitted(store, by=ANOTHER_PARTICIPANT)

    async def look(uow: RegistrationUnitOfWork) -> None:
        one, two = await uow.registrations.get_all([first.id, other.id])
        how = likeness(features_of(one.submission), features_of(two.submission))
        found = {two.id: Found(two.party.partnership, how)}
        await note_lookalikes(uow, [Looked(one.id, one.party.partnership, "digest", found)])

    await store.run(look)
    submission = Submission.model_validate({**GIVEN, "motivation": "Anew: to see hemp fibre spun."})
    await store.run(lambda uow: amend_registration(uow, first.id, submission, by=A_PARTICIPANT))
    await store.run(
        lambda uow: reject_registration(uow, first.id, by=WOOLCLUB_STAFF, reason="Tagus has no place here.")
    )
    # What the other one holds is its own; here it would hide what is left of the first.
    await erased(store, other.id, by=WOOLCLUB_STAFF)
    return await the(store, first.id)


async def test_nothing_personal_is_left_in_any_collection() -> None:
    store = transactions()
    registration = await with_traces(store)
    assert [word for word in GIVEN_AWAY if word in held(store)]
    after = await erased(store, registration.id, by=WOOLCLUB_STAFF)
    assert [word for word in GIVEN_AWAY if word in held(store)] == []
    assert (after.state, after.verdict) == (registration.state, registration.verdict)
    assert (after.party.kind, after.party.place.country) == (registration.party.kind, "PT")
    assert [step.at for step in after.history] == [step.at for step in registration.history]
    assert not any(step.by or step.why for step in after.history)


async def test_the_event_is_the_last_one_and_names_nobody() -> None:
    store = transactions()
    registration = await submitted(store)
    await erased(store, registration.id, by=A_PARTICIPANT)
    *_, withdrawn, last = published(store.database)
    assert type(withdrawn).__name__ == "RegistrationWithdrawn"
    assert type(last).__name__ == "RegistrationErased"
    assert [word for word in GIVEN_AWAY if word in last.model_dump_json()] == []
    assert last.model_dump()["on_behalf_of"] == "organisation"


async def test_an_open_registration_is_withdrawn_first_and_a_closed_one_stays_as_it_was_closed() -> None:
    store = transactions()
    one, other = await submitted(store), await submitted(store)
    await store.run(lambda uow: reject_registration(uow, other.id, by=WOOLCLUB_STAFF, reason="Too late."))
    assert (await erased(store, one.id, by=WOOLCLUB_STAFF)).state is RegistrationState.WITHDRAWN
    assert (await erased(store, other.id, by=WOOLCLUB_STAFF)).state is RegistrationState.REJECTED


@pytest.mark.parametrize(
    ("caller", "error"),
    [
        (ANOTHER_PARTICIPANT, NotFound),
        (HEMPCLUB_STAFF, NotFound),
        (SUPPORT_OFFICE, Forbidden),
        (AN_AUDITOR, Forbidden),
    ],
)
async def test_only_the_organisation_and_staff_of_its_partnership_can_have_it_erased(
    caller: Caller, error: type[Exception]
) -> None:
    store = transactions()
    registration = await submitted(store)
    with pytest.raises(error):
        await erased(store, registration.id, by=caller)


async def test_the_system_that_sent_it_cannot_have_it_erased() -> None:
    store = transactions()
    registration = await submitted(store, by=A_PORTAL)
    with pytest.raises(Forbidden):
        await erased(store, registration.id, by=A_PORTAL)


async def test_nothing_can_be_done_with_it_any_more() -> None:
    store = transactions()
    registration = await submitted(store, by=OUTSIDE)
    await erased(store, registration.id, by=WOOLCLUB_STAFF)
    again = Submission.model_validate(GIVEN)
    works: list[Any] = [
        lambda uow: erase_registration(uow, registration.id, by=WOOLCLUB_STAFF, reason="Again."),
        lambda uow: accept_registration(uow, registration.id, by=WOOLCLUB_STAFF, reason="x"),
        lambda uow: amend_registration(uow, registration.id, again, by=OUTSIDE),
        lambda uow: withdraw_registration(uow, registration.id, by=OUTSIDE),
    ]
    for work in works:
        with pytest.raises(AlreadyErased, match="was erased on 16 January 2023"):
            await store.run(work)
    assert "Tagus" not in held(store)


async def test_who_names_it_again_is_told_to_use_another_reference() -> None:
    store = transactions()
    registration = await submitted(store, by=OUTSIDE)
    await erased(store, registration.id, by=WOOLCLUB_STAFF)
    with pytest.raises(AlreadyErased, match=r"'REG-1' was submitted before and erased .* another subject"):
        await submitted(store, by=OUTSIDE)


async def test_a_lapsed_registration_that_was_erased_does_not_come_back_by_an_amendment() -> None:
    store = transactions()
    registration = await submitted(store, by=OUTSIDE)

    async def lapse(uow: RegistrationUnitOfWork) -> None:
        found = await uow.registrations.get(registration.id)
        found.state = RegistrationState.LAPSED
        found._touch()

    await store.run(lapse)
    await erased(store, registration.id, by=WOOLCLUB_STAFF)
    again = Submission.model_validate(GIVEN)
    with pytest.raises(AlreadyErased):
        await store.run(lambda uow: amend_registration(uow, registration.id, again, by=OUTSIDE))


async def test_the_trail_says_who_erased_it_and_why_but_not_which_person_of_the_organisation() -> None:
    store = transactions()
    one, other = await submitted(store), await submitted(store)
    await erased(store, one.id, by=A_PARTICIPANT, reason="We close down.")
    await erased(store, other.id, by=WOOLCLUB_STAFF, reason="It asked us to.")
    await store.run(lambda uow: forget_again(uow, [one.id, other.id]))
    entries = [*store.database["audit"].values()]
    assert [(entry["action"], entry["by"], entry["why"]) for entry in entries] == [
        ("erase", "", "We close down."),
        ("erase", WOOLCLUB_STAFF.subject, "It asked us to."),
    ]
    assert entries[0]["before"] == {"state": one.state}


# ── the one visit ────────────────────────────────────────────────────────────────────────────


async def test_a_visit_that_was_made_counts_after_the_erasure_too() -> None:
    store = transactions()
    registration = await submitted(store)
    await store.run(lambda uow: record_visit(uow, registration.party, match_id="m-1"))
    await erased(store, registration.id, by=WOOLCLUB_STAFF)
    assert (await submitted(store)).verdict is Verdict.INELIGIBLE


async def test_a_match_cancelled_after_the_erasure_gives_the_visit_back_and_leaves_no_number() -> None:
    store = transactions()
    registration = await submitted(store)
    await store.run(lambda uow: record_visit(uow, registration.party, match_id="m-1"))
    after = await erased(store, registration.id, by=WOOLCLUB_STAFF)
    await store.run(lambda uow: release_visit(uow, after.party, match_id="m-1"))
    assert store.database["visits"] == {}
    assert (await submitted(store)).verdict is Verdict.ELIGIBLE


async def test_a_visit_given_back_before_the_erasure_leaves_no_number_either() -> None:
    store = transactions()
    registration = await submitted(store)
    await store.run(lambda uow: record_visit(uow, registration.party, match_id="m-1"))
    await store.run(lambda uow: release_visit(uow, registration.party, match_id="m-1"))
    assert store.database["visits"] == {}


# ── by time ──────────────────────────────────────────────────────────────────────────────────


async def test_time_erases_what_has_been_closed_for_long_and_nothing_else() -> None:
    store = transactions()
    still_open, lately, long_ago = [await submitted(store) for _ in range(3)]
    for one in (long_ago, lately):
        await store.run(lambda uow, one=one: withdraw_registration(uow, one.id, by=A_PARTICIPANT))  # type: ignore[misc]
    closed = (await the(store, long_ago.id)).history[-1].at
    ids = [still_open.id, lately.id, long_ago.id]
    await store.run(lambda uow: erase_by_time(uow, ids, closed_before=closed + timedelta(microseconds=1)))
    assert [(await the(store, id)).erased_at is not None for id in ids] == [False, False, True]
    assert published(store.database)[-1].model_dump()["on_behalf_of"] == "retention"
    assert not store.database["audit"]


async def test_what_was_written_at_the_moment_of_the_erasure_goes_a_moment_later() -> None:
    store = transactions()
    one, other = await submitted(store), await submitted(store)
    how = likeness(features_of(one.submission), features_of(other.submission))
    await erased(store, one.id, by=WOOLCLUB_STAFF)
    looked = Looked(other.id, "woolclub", "digest", {one.id: Found("woolclub", how)})
    await store.run(lambda uow: note_lookalikes(uow, [looked]))
    await store.run(lambda uow: forget_again(uow, [one.id]))
    assert not store.database["duplicates"]


# ── what is held ─────────────────────────────────────────────────────────────────────────────


async def test_the_organisation_its_staff_and_the_support_office_are_told_what_is_held() -> None:
    store = transactions()
    registration = await with_traces(store)
    for caller in (A_PARTICIPANT, WOOLCLUB_STAFF, SUPPORT_OFFICE):
        kinds = await store.read(lambda uow, by=caller: tell_what_is_held(uow, registration.id, by=by))  # type: ignore[misc]
        held = {kind.name: kind.documents for kind in kinds}
        assert held["registration"][0]["submission"]["organisation"]["street"] == "Rua das Flores 17"
        assert len(held["earlier versions"]) == 1
        assert all(kind.what and kind.kept for kind in kinds)


@pytest.mark.parametrize("caller", [ANOTHER_PARTICIPANT, HEMPCLUB_STAFF, A_PORTAL, AN_AUDITOR])
async def test_nobody_else_is_told_whether_anything_is_held(caller: Caller) -> None:
    store = transactions()
    registration = await submitted(store)
    with pytest.raises(NotFound, match="or nothing you may see"):
        await store.read(lambda uow: tell_what_is_held(uow, registration.id, by=caller))


# ── over HTTP ────────────────────────────────────────────────────────────────────────────────


async def test_it_is_erased_over_http_with_its_cv_once_and_with_a_reason(api: Client) -> None:
    id = (await api.post("/registrations", json=GIVEN)).json()["id"]
    (await api.put(f"/registrations/{id}/cv", content=a_pdf())).raise_for_status()
    assert (await api.post(f"/registrations/{id}/erase", json={"reason": " "})).status_code == 422
    assert (await api.get(f"/registrations/{id}/cv")).status_code == 200

    erased = await api.post(f"/registrations/{id}/erase", json={"reason": "We close down."})
    assert erased.status_code == 200
    assert erased.json()["party"]["organisation"] == "(erased)"
    assert [word for word in GIVEN_AWAY if word in erased.text] == []
    assert not api.files.stored

    api.caller = WOOLCLUB_STAFF
    again = await api.post(f"/registrations/{id}/erase", json={"reason": "Again."})
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "erased")
