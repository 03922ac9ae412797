"""Best fits from the pool, for a visitor and for a host."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.matching.bootstrap import Matching
from services.matching.domain.pool import Best
from services.matching.routes.root import Root
from services.matching.routes.shown import PartnerView
from services.matching.use_cases.suggest_partners import suggest_partners
from shared.contracts.common import Window
from shared.contracts.matching import Drawback, Fit, Reason, Side
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["suggestions"])


class Suggestion(BaseModel):
    """A possible partner: score of 100, what speaks for it and against it, and when both are free."""

    partner: PartnerView
    score: float
    reasons: list[Reason]
    """Strongest first; their points add up to the score."""
    against: list[Drawback]
    """What counts against it, the heaviest first."""
    window: Window

    @classmethod
    def of(cls, fit: Fit) -> Self:
        """The fit as its seeker sees it."""
        return cls(
            partner=PartnerView.of(fit.partner),
            score=fit.score,
            reasons=fit.reasons,
            against=fit.against,
            window=fit.window,
        )


class Suggestions(BaseModel):
    """The best partners, best first, and out of how many."""

    items: list[Suggestion]
    considered: int

    @classmethod
    def of(cls, best: Best) -> Self:
        """The answer of the pool as its seeker sees it."""
        return cls(items=[Suggestion.of(fit) for fit in best.fits], considered=best.considered)


HowMany = Annotated[int, Query(ge=1, le=50, description="How many at the most.")]


async def _suggest(matching: Matching, id: str, side: Side, caller: Authenticated, limit: int) -> Suggestions:
    return Suggestions.of(
        await matching.transactions.read(lambda uow: suggest_partners(uow, id, side, by=caller, limit=limit))
    )


@router.get(
    "/visitors/{id}/suggestions",
    summary="Best hosts for a visitor",
    response_description="Hosts, best first, with reasons.",
    responses=problem_responses(401, 404, 422),
)
async def suggestions_for_visitor(
    id: str, caller: Authenticated, matching: Root, limit: HowMany = 5
) -> Suggestions:
    """From the pool as it is now, without partners of a match that has not ended.

    For the organisation itself, staff of its partnership, the support office and auditors.
    """
    return await _suggest(matching, id, "visitor", caller, limit)


@router.get(
    "/hosts/{id}/suggestions",
    summary="Best visitors for a host",
    response_description="Visitors, best first, with reasons.",
    responses=problem_responses(401, 404, 422),
)
async def suggestions_for_host(
    id: str, caller: Authenticated, matching: Root, limit: HowMany = 5
) -> Suggestions:
    """From the pool as it is now, without partners of a match that has not ended.

    For the organisation itself, staff of its partnership, the support office and auditors.
    """
    return await _suggest(matching, id, "host", caller, limit)
