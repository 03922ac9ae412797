"""What the rules say of a submission, given what the register knows: no database, no clock."""

from __future__ import annotations

from datetime import date

from services.registration.domain.eligibility import facts_of, screen
from services.registration.domain.identifiers import Identifiers
from services.registration.domain.registration import Assessment, deciding_country
from services.registration.domain.rule_sets import RuleSets
from shared.contracts.registration import Submission
from shared.partnerships import Partnership, Partnerships


def assess(
    submission: Submission,
    identifiers: Identifiers,
    *,
    rules: RuleSets,
    partnerships: Partnerships,
    today: date,
    visit_used: bool,
    current: str | None = None,
) -> Assessment:
    """Assign it to a partnership and screen it by that partnership's rules.

    `visit_used`: the one visit belongs to another registration of the organisation. `current`: the
    partnership that has the case already. Raises `UnknownPartnership` and `NoRulesInForce`.
    """
    partnership = _partnership_of(submission, partnerships, current)
    id = partnership.id if partnership else None
    facts = facts_of(submission, identifiers, visit_used=visit_used, partnership=id)
    return Assessment(
        identifiers=identifiers,
        partnership=id,
        screening=screen(facts, rules.on(today, id), today),
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
