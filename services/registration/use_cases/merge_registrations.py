"""Staff find that two registrations are of one organisation, which has one visit of the scheme."""

from __future__ import annotations

from dataclasses import dataclass

from services.registration.access import pair_to_decide
from services.registration.domain.audit import Action
from services.registration.domain.duplicate import Duplicate, Finding
from services.registration.domain.merge import Merge
from services.registration.domain.registration import Registration
from services.registration.domain.visit import visit_keys
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.regroup_registrations import Regrouped, regroup_registrations
from shared.contracts.envelope import new_id
from shared.errors import RuleBroken
from shared.security import Caller


class NothingToMerge(RuleBroken):
    """One of the two was erased."""

    code = "nothing-to-merge"


@dataclass(frozen=True)
class Merged:
    """A merge, and the registrations it changed: both, and others merged with one of them before."""

    merge: Merge
    changed: list[Regrouped]
    warnings: list[str]
    """What staff should know, and nobody undoes by itself."""


async def merge_registrations(
    uow: RegistrationUnitOfWork, duplicate_id: str, *, by: Caller, reason: str
) -> Merged:
    """Let both share one visit.

    Raises `NotFound`, `Forbidden`, `DuplicateDecided` and `NothingToMerge`.
    """
    duplicate = await pair_to_decide(uow, duplicate_id, by)
    merged = await merge_pair(uow, duplicate, Finding(by=by.subject, at=uow.now, reason=reason))
    for registration in await uow.registrations.get_all(duplicate.registrations):
        uow.trail.note(
            by,
            Action.MERGE,
            registration_id=registration.id,
            partnership=registration.party.partnership,
            why=reason,
            after={"duplicate": duplicate.id, "merge": merged.merge.id, "state": registration.state},
        )
    return merged


async def merge_pair(uow: RegistrationUnitOfWork, duplicate: Duplicate, finding: Finding) -> Merged:
    """What a merge does, whoever wants it: also to see what it would do, in work that is not committed."""
    pair = await uow.registrations.get_all(duplicate.registrations)
    if len(pair) < 2 or any(registration.erased_at for registration in pair):
        raise NothingToMerge("One of these two registrations was erased; there is nothing to merge.")
    warnings = await _warnings(uow, pair)
    merge = Merge(
        id=new_id(),
        version=1,
        registrations=duplicate.registrations,
        duplicate_id=duplicate.id,
        finding=finding,
    )
    duplicate.merge(merge.id, finding)
    uow.merges.add(merge)
    changed = await regroup_registrations(uow, duplicate.registrations, by=finding.by, merges=[merge])
    return Merged(merge, changed, warnings)


async def _warnings(uow: RegistrationUnitOfWork, pair: list[Registration]) -> list[str]:
    keys = {key for one in pair for key in visit_keys(one.id, one.party.identifiers)}
    approved = {use.match_id for visit in await uow.visits.get_all(sorted(keys)) for use in visit.uses}
    if len(approved) > 1:
        return [
            f"This organisation has {len(approved)} approved visits then, and one is allowed. The merge "
            "undoes nothing: decide with the other partnership which of them is cancelled."
        ]
    if approved:
        return ["One of the two has an approved visit; the other can no longer visit."]
    return []
