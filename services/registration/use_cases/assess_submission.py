"""Find out what must be known of a submission: its identifiers, its partnership, and the rules' verdict."""

from __future__ import annotations

from services.registration.domain.eligibility import facts_of, screen
from services.registration.domain.identifiers import identify
from services.registration.domain.registration import Assessment, deciding_country
from services.registration.repositories import RegistrationUnitOfWork
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import Role
from shared.partnerships import Partnership, Partnerships


async def assess_submission(
    uow: RegistrationUnitOfWork, submission: Submission, *, registration_id: str, current: str | None = None
) -> Assessment:
    """Recognise, assign and screen; `current` is the partnership that has the case already.

    Raises `UnknownPartnership`.
    """
    partnership = _partnership_of(submission, uow.partnerships, current)
    identifiers = identify(submission.organisation)
    visits = await uow.visits.get_all(identifiers.keys) if Role.VISITOR in submission.roles else []
    today = uow.now.date()
    facts = facts_of(
        submission,
        identifiers,
        visit_used=any(visit.is_used_by_other_than(registration_id) for visit in visits),
        partnership=partnership.id if partnership else None,
    )
    return Assessment(
        identifiers=identifiers,
        partnership=partnership.id if partnership else None,
        screening=screen(facts, uow.rules.on(today), today),
        accept_if_eligible=partnership is not None and partnership.auto_accept,
    )


def _partnership_of(
    submission: Submission, partnerships: Partnerships, current: str | None
) -> Partnership | None:
    """The one chosen, else the one in charge while it still fits, else the first that fits."""
    if submission.partnership is not None:
        return partnerships.require(submission.partnership)
    country = deciding_country(submission)
    fitting = [one for one in partnerships if one.fits(submission.ecosystems, country)]
    return next((one for one in fitting if one.id == current), fitting[0] if fitting else None)
