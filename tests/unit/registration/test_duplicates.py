"""Lookalikes judged by staff: merged registrations share one visit, and a merge is undone exactly."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.domain.duplicate import DuplicateDecided, DuplicateState, Finding, pair_id
from services.registration.domain.likeness import features_of, likeness
from services.registration.domain.merge import Merge, MergeUndone, borrowed_by, groups_of
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.amend_registration import amend_registration
from services.registration.use_cases.call_distinct import call_distinct
from services.registration.use_cases.merge_registrations import Merged, NothingToMerge, merge_registrations
from services.registration.use_cases.note_lookalikes import Found, Looked, note_lookalikes
from services.registration.use_cases.record_visit import record_visit
from services.registration.use_cases.release_visit import release_visit
from services.registration.use_cases.submit_registration import submit_registration
from services.registration.use_cases.undo_merge import undo_merge
from services.registration.use_cases.withdraw_registration import withdraw_registration
from shared.contracts.registration import RegistrationMerged, RegistrationUnmerged, Submission
from shared.contracts.vocabulary import RegistrationState
from shared.errors import Forbidden, NotFound
from shared.security import Caller, CallerRole
from tests.builders import A_MOMENT, a_submission
from tests.fakes import MemoryTransactions
from tests.unit.registration.service import (
    A_PARTICIPANT,
    HEMPCLUB_STAFF,
    SUPPORT_OFFICE,
    WOOLCLUB_STAFF,
    published,
    transactions,
)

Store = MemoryTransactions[RegistrationUnitOfWork]

SOLARCLUB_STAFF = Caller("officer-s", CallerRole.STAFF, partnership="solarclub")
WHY = "Same people, same door: asked on the phone."


def an_organisation(**changes: Any) -> dict[str, Any]:
    return {**a_submission()["organisation"], "pic": None, **changes}


def of_hempclub(**organisation: Any) -> Submission:
    return Submission.model_validate(a_submission(organisation=an_organisation(**organisation)))


def of_woolclub(**organisation: Any) -> Submission:
    written = {"name": "TAGUS FIBRE WORKS LDA (sample)", **organisation}
    return Submission.model_validate(
        a_submission(organisation=an_organisation(**written), partnership="woolclub")
    )


async def registered(store: Store, submission: Submission) -> str:
    registration = await store.run(lambda uow: submit_registration(uow, submission, by=A_PARTICIPANT))
    return registration.id


async def suspected(store: Store, one: str, *others: str) -> None:
    """What the search for lookalikes does for one registration."""

    async def work(uow: RegistrationUnitOfWork) -> None:
        both = {each.id: each for each in await uow.registrations.get_all((one, *others))}
        features = {id: features_of(each.submission) for id, each in both.items()}
        found = {
            other: Found(both[other].party.partnership, likeness(features[one], features[other]))
            for other in others
        }
        await note_lookalikes(uow, [Looked(one, both[one].party.partnership, "digest", found)])

    await store.run(work)


async def merged(store: Store, one: str, other: str, by: Caller = HEMPCLUB_STAFF) -> Merged:
    await suspected(store, one, other)
    return await store.run(lambda uow: merge_registrations(uow, pair_id(one, other), by=by, reason=WHY))


async def undone(store: Store, merge_id: str, by: Caller = HEMPCLUB_STAFF) -> None:
    await store.run(lambda uow: undo_merge(uow, merge_id, by=by, reason="Two floors of one house."))


async def visited(store: Store, id: str, match_id: str) -> None:
    async def work(uow: RegistrationUnitOfWork) -> None:
        registration = await uow.registrations.get(id)
        await record_visit(uow, registration.party, match_id=match_id)

    await store.run(work)


async def get(store: Store, id: str) -> Registration:
    return await store.read(lambda uow: uow.registrations.get(id))


async def keys_of(store: Store, id: str) -> set[str]:
    return set((await get(store, id)).party.identifiers)


# ── what a merge does ────────────────────────────────────────────────────────────────────────


async def test_merged_registrations_share_their_identifiers_and_a_key_of_their_own() -> None:
    store = transactions()
    one = await registered(store, of_hempclub(pic="900000001"))
    other = await registered(store, of_woolclub(vat="PT501964843"))
    found = await merged(store, one, other)
    shared = {"pic:900000001", "vat:PT501964843", f"merge:{found.merge.id}"}
    assert await keys_of(store, one) == await keys_of(store, other) == shared
    events = [event for event in published(store.database) if isinstance(event, RegistrationMerged)]
    assert {(event.party.registration_id, event.same_as) for event in events} == {(one, other), (other, one)}
    assert {event.merge_id for event in events} == {found.merge.id}
    assert all(set(event.party.identifiers) == shared for event in events)


async def test_organisations_without_identifiers_share_a_visit_once_merged() -> None:
    store = transactions()
    one, other = await registered(store, of_hempclub()), await registered(store, of_woolclub())
    await merged(store, one, other)
    assert await keys_of(store, one) & await keys_of(store, other)


async def test_a_visit_of_one_makes_the_other_ineligible_until_the_merge_is_undone() -> None:
    store = transactions()
    one = await registered(store, of_hempclub(pic="900000001"))
    other = await registered(store, of_woolclub(pic="900000002"))
    await visited(store, one, "match-1")
    before = await get(store, other)
    assert before.state is RegistrationState.ELIGIBLE

    found = await merged(store, one, other)
    assert (await get(store, other)).state is RegistrationState.INELIGIBLE
    assert (await get(store, one)).state is RegistrationState.ACCEPTED  # what was decided stays decided
    assert found.warnings == ["One of the two has an approved visit; the other can no longer visit."]

    await undone(store, found.merge.id)
    after = await get(store, other)
    untouched = {"party", "state", "verdict", "borrowed", "submission", "receipt"}
    assert after.model_dump(include=untouched) == before.model_dump(include=untouched)
    assert [type(event) for event in published(store.database)][-2:] == [RegistrationUnmerged] * 2


async def test_a_visit_recorded_before_counts_even_where_the_visitor_has_no_identifier() -> None:
    store = transactions()
    one, other = await registered(store, of_hempclub()), await registered(store, of_woolclub(pic="900000002"))
    await visited(store, one, "match-1")
    await merged(store, one, other)
    assert (await get(store, other)).state is RegistrationState.INELIGIBLE


async def test_where_both_have_visited_the_merge_says_so_and_undoes_nothing() -> None:
    store = transactions()
    one = await registered(store, of_hempclub(pic="900000001"))
    other = await registered(store, of_woolclub(pic="900000002"))
    await visited(store, one, "match-1")
    await visited(store, other, "match-2")
    found = await merged(store, one, other)
    [warning] = found.warnings
    assert warning.startswith("This organisation has 2 approved visits then, and one is allowed.")
    assert len(store.database["visits"]) == 2


async def test_a_visit_approved_while_merged_belongs_to_its_visitor_alone_after_the_undoing() -> None:
    store = transactions()
    one = await registered(store, of_hempclub(pic="900000001"))
    other = await registered(store, of_woolclub(pic="900000002"))
    found = await merged(store, one, other)
    as_approved = (await get(store, one)).party
    await store.run(lambda uow: record_visit(uow, as_approved, match_id="match-1"))
    assert await verdict_on_resending(store, other, of_woolclub(pic="900000002")) == "ineligible"

    await undone(store, found.merge.id)
    assert (await get(store, other)).verdict == "eligible"
    # A message about an approval of before the undoing, delivered after it.
    await store.run(lambda uow: record_visit(uow, as_approved, match_id="match-2"))
    assert await verdict_on_resending(store, other, of_woolclub(pic="900000002")) == "eligible"
    await store.run(lambda uow: release_visit(uow, as_approved, match_id="match-1"))
    await store.run(lambda uow: release_visit(uow, as_approved, match_id="match-2"))
    assert not any(visit["uses"] for visit in store.database["visits"].values())


async def verdict_on_resending(store: Store, id: str, submission: Submission) -> str:
    amended = await store.run(lambda uow: amend_registration(uow, id, submission, by=WOOLCLUB_STAFF))
    return amended.verdict


async def test_an_identifier_amended_later_counts_for_the_other_too() -> None:
    store = transactions()
    one = await registered(store, of_hempclub(pic="900000001"))
    other = await registered(store, of_woolclub())
    found = await merged(store, one, other)
    await verdict_on_resending(store, other, of_woolclub(vat="PT501964843"))
    shared = {"pic:900000001", "vat:PT501964843", f"merge:{found.merge.id}"}
    assert await keys_of(store, one) == await keys_of(store, other) == shared


async def test_a_merged_registration_stays_with_the_partnership_that_has_it() -> None:
    store = transactions()
    one, other = await registered(store, of_hempclub()), await registered(store, of_woolclub())
    await merged(store, one, other)
    assert [(await get(store, id)).party.partnership for id in (one, other)] == ["hempclub", "woolclub"]


# ── more than two ────────────────────────────────────────────────────────────────────────────


async def test_who_is_the_same_as_the_same_is_the_same_until_the_link_is_undone() -> None:
    store = transactions()
    one = await registered(store, of_hempclub(pic="900000001"))
    middle = await registered(store, of_hempclub())
    last = await registered(store, of_woolclub(pic="900000003"))
    as_before = [await keys_of(store, id) for id in (one, middle, last)]
    first = await merged(store, one, middle)
    second = await merged(store, middle, last)
    assert await keys_of(store, one) == await keys_of(store, last)
    assert {"pic:900000001", "pic:900000003"} <= await keys_of(store, middle)

    await undone(store, first.merge.id)
    assert await keys_of(store, one) == as_before[0]
    assert "pic:900000001" not in await keys_of(store, middle) | await keys_of(store, last)
    assert await keys_of(store, middle) & await keys_of(store, last)

    await undone(store, second.merge.id)
    assert [await keys_of(store, id) for id in (one, middle, last)] == as_before
    assert [(await get(store, id)).borrowed for id in (one, middle, last)] == [{}] * 3


async def test_a_ring_of_merges_holds_when_one_of_them_is_undone() -> None:
    store = transactions()
    ids = [await registered(store, of_hempclub(pic=f"90000000{n}")) for n in range(3)]
    merges = [await merged(store, one, other) for one, other in [ids[:2], ids[1:], ids[::2]]]
    await undone(store, merges[0].merge.id)
    [shared] = {frozenset(await keys_of(store, id)) for id in ids}
    assert {f"pic:90000000{n}" for n in range(3)} <= shared


MEMBERS = [f"r{n}" for n in range(6)]
PAIRS = [(one, other) for one in MEMBERS for other in MEMBERS if one < other]


@given(
    st.lists(st.tuples(st.sampled_from(PAIRS), st.booleans()), max_size=8),
    st.lists(st.booleans(), min_size=len(MEMBERS), max_size=len(MEMBERS)),
)
def test_two_registrations_share_a_key_exactly_where_standing_merges_connect_them(
    found: list[tuple[tuple[str, str], bool]], identified: list[bool]
) -> None:
    finding = Finding(by="officer", at=A_MOMENT, reason="")
    merges = [
        Merge(
            id=f"m{n}",
            registrations=list(pair),
            duplicate_id=pair_id(*pair),
            finding=finding,
            undone=finding if undone else None,
        )
        for n, (pair, undone) in enumerate(found)
    ]
    keys_of = {
        id: [f"pic:{id}"] if has else [f"registration:{id}"]
        for id, has in zip(MEMBERS, identified, strict=True)
    }
    groups = groups_of(MEMBERS, merges)
    assert sorted(id for group, _ in groups for id in group) == MEMBERS
    group_of = {id: sorted(group) for group, _ in groups for id in group}
    keys: dict[str, set[str]] = {}
    for group, binding in groups:
        for id in group:
            borrowed = borrowed_by(id, binding, keys_of)
            assert set(borrowed) == {merge.id for merge in binding}
            keys[id] = {*keys_of[id], *chain.from_iterable(borrowed.values())}
    for one, other in PAIRS:
        assert bool(keys[one] & keys[other]) is (group_of[one] == group_of[other])
    for (one, other), undone in found:
        assert undone or group_of[one] == group_of[other]


# ── who decides, and how often ───────────────────────────────────────────────────────────────


async def test_only_staff_of_either_side_decide() -> None:
    store = transactions()
    one, other = await registered(store, of_hempclub()), await registered(store, of_woolclub())
    await suspected(store, one, other)
    for caller, refusal in [
        (SOLARCLUB_STAFF, NotFound),
        (A_PARTICIPANT, NotFound),
        (SUPPORT_OFFICE, Forbidden),
    ]:
        for decide in (merge_registrations, call_distinct):
            with pytest.raises(refusal):
                await store.run(partial(decide, duplicate_id=pair_id(one, other), by=caller, reason=WHY))
    found = await merged(store, one, other, by=WOOLCLUB_STAFF)
    with pytest.raises(NotFound):
        await undone(store, found.merge.id, by=SOLARCLUB_STAFF)
    with pytest.raises(Forbidden):
        await undone(store, found.merge.id, by=SUPPORT_OFFICE)
    await undone(store, found.merge.id, by=HEMPCLUB_STAFF)


async def test_every_finding_is_in_the_audit_trail_of_both_sides() -> None:
    store = transactions()
    one, other = await registered(store, of_hempclub()), await registered(store, of_woolclub())
    found = await merged(store, one, other)
    await undone(store, found.merge.id)
    await store.run(lambda uow: call_distinct(uow, pair_id(one, other), by=WOOLCLUB_STAFF, reason=WHY))
    entries = list(store.database["audit"].values())
    assert [(entry["action"], entry["by"]) for entry in entries] == [
        *[("merge", "officer-h")] * 2,
        *[("unmerge", "officer-h")] * 2,
        *[("distinct", "officer-w")] * 2,
    ]
    assert {entry["registration_id"] for entry in entries[:2]} == {one, other}


async def test_what_was_decided_is_not_decided_again() -> None:
    store = transactions()
    one, other = await registered(store, of_hempclub()), await registered(store, of_woolclub())
    found = await merged(store, one, other)
    for decide in (merge_registrations, call_distinct):
        with pytest.raises(DuplicateDecided):
            await store.run(
                partial(decide, duplicate_id=found.merge.duplicate_id, by=HEMPCLUB_STAFF, reason=WHY)
            )
    await undone(store, found.merge.id)
    with pytest.raises(MergeUndone):
        await undone(store, found.merge.id)
    assert (await pair(store, one, other))["state"] == DuplicateState.OPEN


async def pair(store: Store, one: str, other: str) -> dict[str, Any]:
    return store.database["duplicates"][pair_id(one, other)]


async def test_an_erased_registration_is_not_merged() -> None:
    store = transactions()
    one, other = await registered(store, of_hempclub()), await registered(store, of_woolclub())
    await suspected(store, one, other)
    await store.run(lambda uow: withdraw_registration(uow, other, by=WOOLCLUB_STAFF))

    async def erase(uow: RegistrationUnitOfWork) -> None:
        (await uow.registrations.get(other)).erase(on_behalf_of="organisation", at=uow.now)

    await store.run(erase)
    with pytest.raises(NothingToMerge):
        await merged(store, one, other)


# ── what the search notes ────────────────────────────────────────────────────────────────────


async def test_noting_the_same_lookalikes_again_changes_nothing() -> None:
    store = transactions()
    one, other = await registered(store, of_hempclub()), await registered(store, of_woolclub())
    await suspected(store, one, other)
    noted = dict(await pair(store, one, other))
    await suspected(store, other, one)
    assert await pair(store, one, other) == noted
    assert noted["partnerships"] == [(await get(store, id)).party.partnership for id in sorted((one, other))]


async def test_an_open_pair_goes_when_the_two_are_alike_no_more_and_a_decided_one_stays() -> None:
    store = transactions()
    one = await registered(store, of_hempclub())
    others = [await registered(store, of_woolclub()) for _ in range(2)]
    await suspected(store, one, *others)
    await store.run(lambda uow: call_distinct(uow, pair_id(one, others[0]), by=HEMPCLUB_STAFF, reason=WHY))
    await suspected(store, one)
    assert [found["state"] for found in store.database["duplicates"].values()] == ["distinct"]


async def test_an_identifier_in_common_reopens_what_was_found_distinct_without_it() -> None:
    store = transactions()
    one = await registered(store, of_hempclub(pic="900000001"))
    other = await registered(store, of_woolclub())
    await suspected(store, one, other)
    await store.run(lambda uow: call_distinct(uow, pair_id(one, other), by=HEMPCLUB_STAFF, reason=WHY))
    await suspected(store, one, other)
    assert (await pair(store, one, other))["state"] == "distinct"
    await verdict_on_resending(store, other, of_woolclub(pic="900000001"))
    await suspected(store, other, one)
    found = await pair(store, one, other)
    assert (found["state"], found["score"]) == ("open", 100)
