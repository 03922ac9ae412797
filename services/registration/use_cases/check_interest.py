"""Registrations that fell silent are asked whether they are still interested, reminded, and let go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from services.registration.domain.interest import InterestPolicy
from services.registration.domain.visit import visit_keys
from services.registration.repositories import RegistrationUnitOfWork


async def check_interest(uow: RegistrationUnitOfWork, ids: Sequence[str], *, policy: InterestPolicy) -> None:
    """Take the step that is due with each of them, if any still is."""
    registrations = await uow.registrations.get_all(ids)
    keys = {one.id: visit_keys(one.id, one.party.identifiers) for one in registrations}
    await uow.visits.get_all(chain.from_iterable(keys.values()))
    for registration in registrations:
        visits = await uow.visits.get_all(keys[registration.id])
        registration.check_interest(
            policy, at=uow.now, visiting=any(visit.is_used_by(registration.id) for visit in visits)
        )
