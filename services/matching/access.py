"""In whose name a caller acts on a match it can see."""

from __future__ import annotations

from services.matching.domain.match import Match
from shared.contracts.matching import Side
from shared.errors import Forbidden
from shared.security import Caller


def side_of(caller: Caller, match: Match) -> Side:
    """The side whose organisation the caller acts for; raises `Forbidden` for anyone else."""
    if caller.acts_for(match.visitor.owner):
        return "visitor"
    if caller.acts_for(match.host.owner):
        return "host"
    raise Forbidden("Only the organisations themselves can answer a proposal.")


def partnership_of(caller: Caller, match: Match) -> str:
    """The partnership the caller decides for; raises `Forbidden` for anyone but staff of the two."""
    caller.require_staff_of(*match.partnerships)
    assert caller.partnership is not None
    return caller.partnership


def require_party_to(caller: Caller, match: Match) -> None:
    """Raises `Forbidden` unless the caller is one of the two organisations or staff of their partnerships."""
    if not caller.is_staff_of(*match.partnerships):
        side_of(caller, match)
