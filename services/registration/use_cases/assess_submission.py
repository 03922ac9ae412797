"""Find out what must be known of a submission: its identifiers, its partnership, and the rules' verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from services.registration.assessment import assess
from services.registration.domain.identifiers import identify
from services.registration.domain.registration import Assessment
from services.registration.repositories import RegistrationUnitOfWork
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import Role


async def assess_submission(
    uow: RegistrationUnitOfWork,
    submission: Submission,
    *,
    registration_id: str,
    current: str | None = None,
    borrowed: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Assessment:
    """Recognise, assign and screen; `current` is the partnership that has the case already.

    `borrowed`: keys of other registrations of the organisation, by merge; they have one visit together.
    Raises `UnknownPartnership`.
    """
    identifiers = identify(submission.organisation)
    keys = dict.fromkeys([*identifiers.keys, *chain.from_iterable(borrowed.values())])
    visits = await uow.visits.get_all(keys) if Role.VISITOR in submission.roles else []
    return assess(
        submission,
        identifiers,
        rules=uow.rules,
        partnerships=uow.partnerships,
        today=uow.now.date(),
        visit_used=any(visit.is_used_by_other_than(registration_id) for visit in visits),
        current=current,
    )
