"""Lookalikes of a registration were searched for: the pairs are noted for staff to judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.registration.domain.duplicate import Duplicate, DuplicateState, Search, pair_id
from services.registration.domain.likeness import Likeness
from services.registration.repositories import RegistrationUnitOfWork


@dataclass(frozen=True)
class Found:
    """A registration like the one that was searched for, and the partnership that has it."""

    partnership: str | None
    likeness: Likeness


@dataclass(frozen=True)
class Looked:
    """What a search found for a registration, by id; `looked_for` is a digest of what it looked at."""

    registration_id: str
    partnership: str | None
    looked_for: str
    found: Mapping[str, Found]


async def note_lookalikes(uow: RegistrationUnitOfWork, looked: list[Looked]) -> None:
    """Add pairs that are new, bring known ones up to date, let go of open ones that are alike no more.

    Doing it again changes nothing. What a person decided stays decided.
    """
    known = {pair.id: pair for pair in await uow.duplicates.of(*(one.registration_id for one in looked))}
    searches = {one.id: one for one in await uow.searches.get_all(one.registration_id for one in looked)}
    for one in looked:
        partnership_of = {one.registration_id: one.partnership}
        partnership_of |= {other: found.partnership for other, found in one.found.items()}
        alike = set()
        for other, found in one.found.items():
            both = sorted((one.registration_id, other))
            partnerships = [partnership_of[id] for id in both]
            pair = known.get(pair_id(*both))
            if pair is None:
                pair = known[pair_id(*both)] = Duplicate.suspect(both, partnerships, found.likeness)
                uow.duplicates.add(pair)
            pair.look_again(partnerships, found.likeness)
            alike.add(pair.id)
        for pair in list(known.values()):
            if (
                one.registration_id in pair.registrations
                and pair.id not in alike
                and pair.state is DuplicateState.OPEN
            ):
                uow.duplicates.remove(known.pop(pair.id))
        search = searches.get(one.registration_id)
        if search is None:
            search = Search(id=one.registration_id)
            uow.searches.add(search)
        search.done(one.looked_for)
