"""Which registrations are of one organisation has changed: each has the keys of all of its group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from services.registration.domain.identifiers import identify
from services.registration.domain.merge import Merge, borrowed_by, groups_of
from services.registration.domain.registration import Registration
from services.registration.domain.visit import visit_keys
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.assess_submission import assess_submission
from shared.contracts.vocabulary import RegistrationState


@dataclass(frozen=True)
class Regrouped:
    """A registration that has other keys now, and what it was before."""

    registration: Registration
    state_before: RegistrationState
    keys_before: list[str]


async def regroup_registrations(
    uow: RegistrationUnitOfWork, ids: Sequence[str], *, by: str, merges: Sequence[Merge] = ()
) -> list[Regrouped]:
    """Give each registration that belongs together with these what the others' visit is registered under.

    `merges`: what was just made or undone, and no registration may know of yet. Returns those that
    changed, each screened anew with its event. A registration that was erased stays as it is, and so
    does what others have of it: what it visited is used.
    """
    members, known = await _group_of(uow, ids, merges)
    keys_of = {
        id: visit_keys(id, identify(registration.submission.organisation).keys)
        for id, registration in members.items()
    }
    changes: list[tuple[Registration, dict[str, list[str]]]] = []
    for group, binding in groups_of(members, known):
        for id in sorted(group):
            registration = members[id]
            lent = borrowed_by(id, binding, keys_of)
            for merge in binding:
                if any(members[end].erased_at for end in merge.registrations):
                    lent[merge.id] = registration.borrowed.get(merge.id, [merge.key])
            if registration.borrowed != lent and registration.erased_at is None:
                changes.append((registration, lent))
    for registration, lent in changes:
        borrowed = chain(*registration.borrowed.values(), *lent.values())
        await uow.visits.get_all({*keys_of[registration.id], *borrowed})

    # All of it is loaded: nothing below waits, so nobody else changes anything in between.
    for registration, lent in changes:
        before = {*chain.from_iterable(registration.borrowed.values())}
        lost = before - {*keys_of[registration.id], *chain.from_iterable(lent.values())}
        for visit in await uow.visits.get_all(sorted(lost)):
            visit.leave(registration.id)
    ends = {merge.id: merge.registrations for merge in known}
    regrouped = [Regrouped(one, one.state, one.party.identifiers) for one, _ in changes]
    for registration, lent in changes:
        await _lend(uow, registration, lent, ends, by)
    return regrouped


async def _lend(
    uow: RegistrationUnitOfWork,
    registration: Registration,
    lent: dict[str, list[str]],
    ends: dict[str, list[str]],
    by: str,
) -> None:
    submission = registration.submission.model_copy(update={"partnership": registration.party.partnership})
    assessment = await assess_submission(uow, submission, registration_id=registration.id, borrowed=lent)
    for merge_id in [id for id in registration.borrowed if id not in lent]:
        same_as = _other(ends[merge_id], registration.id)
        registration.unmerge(same_as, merge_id, assessment=assessment, by=by, at=uow.now)
    for merge_id, keys in lent.items():
        if registration.borrowed.get(merge_id) != keys:
            same_as = _other(ends[merge_id], registration.id)
            registration.merge(same_as, merge_id, keys, assessment=assessment, by=by, at=uow.now)


async def _group_of(
    uow: RegistrationUnitOfWork, ids: Sequence[str], merges: Sequence[Merge]
) -> tuple[dict[str, Registration], list[Merge]]:
    """All registrations that merges connect with these, and these merges."""
    known = {merge.id: merge for merge in merges}
    members: dict[str, Registration] = {}
    wanted = {*ids, *chain.from_iterable(merge.registrations for merge in merges)}
    while wanted:
        found = await uow.registrations.get_all(sorted(wanted))
        members.update((registration.id, registration) for registration in found)
        named = {id for registration in found for id in registration.borrowed} - known.keys()
        loaded = await uow.merges.get_all(sorted(named))
        known.update((merge.id, merge) for merge in loaded)
        wanted = {*chain.from_iterable(merge.registrations for merge in loaded)} - members.keys()
    return members, list(known.values())


def _other(pair: Sequence[str], id: str) -> str:
    """The other one of the pair; of a pair of others in the group, the first."""
    return next(one for one in pair if one != id)
