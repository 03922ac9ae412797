"""What a registration said before is kept, and compared with what it says."""

from __future__ import annotations

from functools import partial

import pytest

from services.registration.domain.registration import Origin
from services.registration.domain.versions import Change, SentVersion, changes
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.amend_registration import amend_registration
from services.registration.use_cases.confirm_interest import confirm_interest
from services.registration.use_cases.read_versions import read_version, read_versions
from services.registration.use_cases.submit_registration import submit_registration
from services.registration.use_cases.withdraw_registration import withdraw_registration
from shared.contracts.registration import Submission, id_from_outside
from shared.contracts.vocabulary import Verdict
from shared.errors import NotFound, RuleBroken
from tests.builders import a_submission
from tests.unit.registration.service import (
    A_PARTICIPANT,
    ANOTHER_PARTICIPANT,
    HEMPCLUB_STAFF,
    SUPPORT_OFFICE,
    transactions,
)


def submission(**changed: object) -> Submission:
    return Submission.model_validate(a_submission(**changed))


def test_what_changed_is_named_field_by_field_with_before_and_after() -> None:
    organisation = {**a_submission()["organisation"], "city": "Porto", "memberships": []}
    after = submission(organisation=organisation, needs=["spinning"], host_places=2)
    assert changes(submission(), after) == [
        Change(pointer="/organisation/city", before="Lisbon", after="Porto"),
        Change(
            pointer="/organisation/memberships",
            before=[{"name": "Sample Textile Cluster", "kind": "cluster", "on_eccp": True}],
            after=[],
        ),
        Change(pointer="/needs", before=["hemp fibre", "spinning"], after=["spinning"]),
        Change(pointer="/host_places", before=1, after=2),
    ]
    assert changes(after, after) == []


async def test_each_sending_is_kept_with_its_receipt_and_who_sent_it_when() -> None:
    store = transactions()
    id = (await store.run(lambda uow: submit_registration(uow, submission(), by=A_PARTICIPANT))).id
    organisation = {**a_submission()["organisation"], "country": "NO"}
    for sent in (submission(organisation=organisation), submission(host_places=3)):
        await store.run(partial(amend_registration, id=id, submission=sent, by=A_PARTICIPANT))

    found = await store.read(lambda uow: read_versions(uow, id, by=SUPPORT_OFFICE))
    assert [compared.version.number for compared in found] == [1, 2, 3]
    assert [compared.version.verdict for compared in found] == [
        Verdict.ELIGIBLE,
        Verdict.INELIGIBLE,
        Verdict.ELIGIBLE,
    ]
    assert "Norway" in found[1].version.receipt.sentence
    assert [[change.pointer for change in compared.changes] for compared in found] == [
        [],
        ["/organisation/country"],
        ["/organisation/country", "/host_places"],
    ]
    first, second, third = (compared.version for compared in found)
    assert (first.until, second.until, third.until) == (second.at, third.at, None)
    assert {version.by for version in (first, second, third)} == {"office"}
    assert first.submission == submission()

    again = await store.read(lambda uow: read_version(uow, id, 2, by=A_PARTICIPANT))
    assert again == found[1]
    page = await store.read(lambda uow: read_versions(uow, id, by=A_PARTICIPANT, after=1, limit=1))
    assert page == [found[1]]
    assert await store.read(lambda uow: read_versions(uow, id, by=A_PARTICIPANT, after=3)) == []


async def test_versions_are_for_those_who_may_see_the_registration() -> None:
    store = transactions()
    id = (await store.run(lambda uow: submit_registration(uow, submission(), by=A_PARTICIPANT))).id
    with pytest.raises(NotFound):
        await store.read(lambda uow: read_versions(uow, id, by=ANOTHER_PARTICIPANT))
    with pytest.raises(NotFound, match="no version 2"):
        await store.read(lambda uow: read_version(uow, id, 2, by=A_PARTICIPANT))


async def test_amendments_by_event_are_kept_alike_even_two_in_one_transaction() -> None:
    store = transactions()
    origin = Origin(by="/sample/crm", source="/sample/crm", reference="REG-1", event_id="e-1")
    id = id_from_outside("/sample/crm", "REG-1")

    async def three_messages(uow: RegistrationUnitOfWork) -> None:
        await submit_registration(uow, submission(), by=origin)
        await amend_registration(uow, id, submission(host_places=2), by=origin)
        await amend_registration(uow, id, submission(host_places=3), by=origin)

    await store.run(three_messages)
    found = await store.read(lambda uow: read_versions(uow, id, by=SUPPORT_OFFICE))
    assert [compared.version.submission.host_places for compared in found] == [1, 2, 3]


async def test_an_amendment_that_is_refused_leaves_no_version() -> None:
    store = transactions()
    id = (await store.run(lambda uow: submit_registration(uow, submission(), by=A_PARTICIPANT))).id
    await store.run(lambda uow: withdraw_registration(uow, id, by=A_PARTICIPANT))
    with pytest.raises(RuleBroken):
        await store.run(lambda uow: amend_registration(uow, id, submission(), by=A_PARTICIPANT))
    assert store.database[SentVersion.COLLECTION] == {}


async def test_what_staff_do_for_an_organisation_is_in_the_audit_trail() -> None:
    store = transactions()
    for by, actions in ((A_PARTICIPANT, []), (HEMPCLUB_STAFF, ["register", "amend", "confirm_interest"])):
        id = (await store.run(partial(submit_registration, submission=submission(), by=by))).id
        await store.run(partial(amend_registration, id=id, submission=submission(host_places=2), by=by))
        await store.run(partial(confirm_interest, id=id, by=by))
        entries = [entry for entry in store.database["audit"].values() if entry["registration_id"] == id]
        assert [entry["action"] for entry in entries] == actions
