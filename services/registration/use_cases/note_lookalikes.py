"""Lookalikes of a registration were searched for: the pairs are noted for staff to judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.registration.domain.duplicate import Duplicate, DuplicateState, Search, pair_id
from services.registration.domain.likeness import Likeness
from services.registration.repositories import RegistrationUnitOfWork


@dataclass(frozen=True)
class Looked:
    """What a search found: `like` by registration; `looked_for` is a digest of what it looked at."""

    registration_id: str
    looked_for: str
    like: Mapping[str, Likeness]


async def note_lookalikes(uow: RegistrationUnitOfWork, looked: list[Looked]) -> None:
    """Add pairs that are new, bring known ones up to date, let go of open ones that are alike no more.

    Doing it again changes nothing. What a person decided stays decided.
    """
    for one in looked:
        known = {pair.id: pair for pair in await uow.duplicates.of(one.registration_id)}
        found = {pair_id(one.registration_id, other): other for other in one.like}
        ids = {one.registration_id, *one.like}
        registrations = {each.id: each for each in await uow.registrations.get_all(sorted(ids))}
        for id, other in found.items():
            pair = known.get(id) or await uow.duplicates.find(id)
            if not {one.registration_id, other} <= registrations.keys():
                continue
            both = sorted((one.registration_id, other))
            partnerships = [registrations[each].party.partnership for each in both]
            if pair is None:
                uow.duplicates.add(Duplicate.suspect(both, partnerships, one.like[other]))
            else:
                pair.look_again(partnerships, one.like[other])
        for id, pair in known.items():
            if id not in found and pair.state is DuplicateState.OPEN:
                uow.duplicates.remove(pair)
        search = await uow.searches.find(one.registration_id)
        if search is None:
            search = Search(id=one.registration_id)
            uow.searches.add(search)
        search.done(one.looked_for)
