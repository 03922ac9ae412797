"""In whose name a caller acts."""

from __future__ import annotations

from services.matching.domain.commitment import Commitment
from services.matching.domain.match import Match
from services.matching.domain.planning.job import Actor
from services.matching.domain.words import listed
from shared.contracts.matching import Side, SigningRole
from shared.errors import Forbidden
from shared.security import Caller, CallerRole


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


def signs_as(caller: Caller, commitment: Commitment) -> list[SigningRole]:
    """The roles in which the caller signs now; two for a partnership that manages both sides."""
    match caller.role:
        case CallerRole.PARTICIPANT:
            mine: tuple[SigningRole, ...] = ("HO", "VO")
            return [role for role in mine if commitment.signer(role) == caller.organisation]
        case CallerRole.STAFF:
            ours: tuple[SigningRole, ...] = ("HOP", "VOP")
            return [role for role in ours if commitment.signer(role) == caller.partnership]
        case _:
            return []


def require_signs(caller: Caller, commitment: Commitment) -> list[SigningRole]:
    """The roles in which the caller signs; raises `Forbidden` with the reason for anyone else."""
    if roles := signs_as(caller, commitment):
        return roles
    content = commitment.content
    match caller.role:
        case CallerRole.PARTICIPANT:
            parties = listed([content.visitor.organisation, content.host.organisation])
            raise Forbidden(
                "Your organisation is not, or no longer, one of the two of this exchange. "
                f"{parties} sign for themselves."
            )
        case CallerRole.STAFF:
            parties = listed(dict.fromkeys([content.visitor.partnership, content.host.partnership]))
            raise Forbidden(
                f"Your partnership, {caller.partnership}, has neither side of this exchange, or no longer. "
                f"Staff of {parties} sign."
            )
        case _:
            raise Forbidden(
                "The support office and auditors read commitments; the two organisations and their "
                "partnerships write and sign them."
            )


def actor(caller: Caller) -> Actor:
    """The caller, as it is remembered with a plan."""
    return Actor(subject=caller.subject, role=caller.role, partnership=caller.partnership)


def in_the_name_of(actor: Actor) -> Caller:
    """Whoever asked for a plan, or for its publication, to go on in that person's name."""
    return Caller(actor.subject, CallerRole(actor.role), partnership=actor.partnership)
