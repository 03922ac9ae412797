"""Somebody looks through the accepted profiles, freely or for the best partners of a registration."""

from __future__ import annotations

from typing import Final, NamedTuple

from services.matching.catalogue import Catalogue, CatalogueOrder, Cursor, key_of
from services.matching.domain import fit as fits
from services.matching.domain.catalogue_filter import CatalogueFilter, CatalogueSide
from services.matching.domain.fit import Prospect
from services.matching.domain.pool import rank
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.matching import Fit, Side
from shared.errors import Forbidden, Malformed, NotFound
from shared.security import Caller, CallerRole

_SEEKER: Final[dict[CatalogueSide, Side]] = {"hosts": "visitor", "visitors": "host"}


class Found(NamedTuple):
    """A profile; for whom somebody looks, how well it fits, or what keeps the two apart."""

    prospect: Prospect
    fit: Fit | None
    obstacles: list[str]


class CataloguePage(NamedTuple):
    """Some of the profiles, and where the next ones begin; None behind the last page."""

    found: list[Found]
    next: Cursor | None


async def browse_catalogue(
    uow: MatchingUnitOfWork,
    catalogue: Catalogue,
    side: CatalogueSide,
    asked: CatalogueFilter,
    *,
    seeker_id: str | None,
    order: CatalogueOrder,
    after: str | None,
    limit: int,
    by: Caller,
) -> CataloguePage:
    """A page of the catalogue; sorted by fit, only those with whom a stay is possible.

    Raises `Forbidden` for who takes no part in the programme, `NotFound` for a seeker the caller
    does not act or decide for, `Malformed` for a cursor of another list.
    """
    require_reader(catalogue, by)
    behind = Cursor.read(after, order) if after else None
    seeker = _seeker(uow, side, seeker_id, by)
    if order is not CatalogueOrder.FIT:
        page = catalogue.page(
            side, asked, order=order, behind=behind.key if behind else None, limit=limit, today=uow.today
        )
        found = [_found(uow, seeker, prospect, side) for prospect in page]
        last = Cursor(order, key_of(page[-1], order)) if len(page) == limit else None
        return CataloguePage(found, last)
    if seeker is None:
        raise Malformed(
            "/for: name the registration to sort by fit for",
            errors=[{"pointer": "/for", "detail": "is missing"}],
        )
    best = uow.pool.best(
        seeker,
        _SEEKER[side],
        limit=limit,
        among=catalogue.filter(side, asked, uow.today),
        behind=behind.key if behind else None,
    )
    found = [
        Found(prospect, fit, [])
        for fit in best.fits
        if (prospect := catalogue.member(fit.partner.registration_id)) is not None
    ]
    if len(best.fits) < limit or not found:
        return CataloguePage(found, None)
    prospect, fit, _ = found[-1]
    assert fit is not None
    return CataloguePage(found, Cursor(order, (-rank(round(fit.score * 100), prospect), prospect.id)))


async def read_profile(
    uow: MatchingUnitOfWork,
    catalogue: Catalogue,
    side: CatalogueSide,
    registration_id: str,
    *,
    seeker_id: str | None,
    by: Caller,
) -> Found:
    """One profile of the catalogue, as `browse_catalogue` finds it; `NotFound` where it is not there."""
    require_reader(catalogue, by)
    seeker = _seeker(uow, side, seeker_id, by)
    prospect = catalogue.member(registration_id)
    if prospect is None or not catalogue.filter(side, CatalogueFilter(), uow.today)(prospect):
        raise NotFound(f"There is no {registration_id} among the {side} of the catalogue.")
    return _found(uow, seeker, prospect, side)


def require_reader(catalogue: Catalogue, caller: Caller) -> None:
    """Raises `Forbidden` for who is neither of an accepted organisation, nor staff, nor of the office."""
    if caller.role is CallerRole.PARTICIPANT and caller.organisation and catalogue.knows(caller.organisation):
        return
    if caller.role is CallerRole.STAFF or caller.sees_everything:
        return
    raise Forbidden("The catalogue is for organisations with an accepted registration and for staff.")


def _seeker(
    uow: MatchingUnitOfWork, side: CatalogueSide, seeker_id: str | None, by: Caller
) -> Prospect | None:
    if seeker_id is None:
        return None
    seeker = uow.pool.member(seeker_id)
    if (
        seeker is None
        or _SEEKER[side] not in seeker.party.roles
        or not _sees(by, seeker.party.owner, seeker.party.partnership)
    ):
        raise NotFound(f"There is no {_SEEKER[side]} {seeker_id} in the pool, or none you may look for.")
    return seeker


def _sees(caller: Caller, owner: str, partnership: str | None) -> bool:
    return caller.sees_everything or caller.is_staff_of(partnership) or caller.acts_for(owner)


def _found(
    uow: MatchingUnitOfWork, seeker: Prospect | None, prospect: Prospect, side: CatalogueSide
) -> Found:
    if seeker is None:
        return Found(prospect, None, [])
    visitor, host = (seeker, prospect) if side == "hosts" else (prospect, seeker)
    obstacles = fits.constraints(visitor, host, uow.today, visit_used=uow.pool.visit_used(visitor))
    if obstacles:
        return Found(prospect, None, obstacles)
    return Found(prospect, fits.fit(visitor, host, uow.weights, uow.today, for_side=_SEEKER[side]), [])
