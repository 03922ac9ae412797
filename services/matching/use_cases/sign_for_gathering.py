"""The host of a group event, or its partnership, signs the commitments of all its visitors in one round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from services.matching.access import signs_as
from services.matching.domain.commitment import Commitment
from services.matching.domain.errors import CommitmentNotReady
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.matching import SigningRole
from shared.errors import Forbidden, RuleBroken
from shared.security import Caller, CallerRole


class Signed(NamedTuple):
    """A commitment of the round, and why it was not signed in it, if it was not."""

    commitment: Commitment
    why_not: str | None


def signs_for_host(by: Caller, commitment: Commitment) -> list[SigningRole]:
    """Which of the host's side's roles the caller signs in."""
    return [role for role in signs_as(by, commitment) if role in ("HO", "HOP")]


async def commitments_at(uow: MatchingUnitOfWork, gathering_id: str, *, by: Caller) -> list[Commitment]:
    """The commitments of its approved visitors, in the order of the list; for the host's side.

    Raises `Forbidden` for anyone but the host, staff of its partnership, and who reads everything.
    """
    gathering = await uow.gatherings.get_visible_to(by, gathering_id)
    is_host = by.acts_for(gathering.host.owner) or by.is_staff_of(gathering.partnership)
    if not (is_host or by.sees_everything):
        raise Forbidden("The host of the group event and staff of its partnership sign for it.")
    return await uow.commitments.of(*(one.match_id for one in gathering.seated if one.match_id))


async def sign_for_gathering(
    uow: MatchingUnitOfWork, gathering_id: str, seen: Mapping[str, str], *, by: Caller
) -> list[Signed]:
    """Sign each commitment that reads as the caller has seen it; `seen` has its SHA-256 by match.

    One that cannot be signed does not keep the others from it. The visitor's side signs each for itself.
    Raises `CommitmentNotReady` where none of these matches has a commitment here.
    """
    found = await commitments_at(uow, gathering_id, by=by)
    commitments = [commitment for commitment in found if commitment.match_id in seen]
    if not commitments:
        raise CommitmentNotReady("None of these is an approved match of a visitor to this group event.")
    round: list[Signed] = []
    for commitment in commitments:
        roles = signs_for_host(by, commitment)
        if not roles:
            raise Forbidden("The host of the group event and staff of its partnership sign for it.")
        try:
            commitment.sign(
                roles,
                by=by.subject,
                acting_as="staff" if by.role is CallerRole.STAFF else "participant",
                seen_sha256=seen[commitment.match_id],
                at=uow.now,
            )
        except RuleBroken as broken:
            round.append(Signed(commitment, broken.detail))
        else:
            round.append(Signed(commitment, None))
    return round
