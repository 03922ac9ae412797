"""What the matching service has to do because nothing happened, and how often it looks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

from services.matching.bootstrap import Matching
from services.matching.domain.gathering import TAKES_SIGN_UPS, TO_COME, Gathering
from services.matching.domain.invitation import Invitation, InvitationState
from services.matching.domain.match import OPEN, Match
from services.matching.plan_maker import forget_old_plans
from services.matching.searches import look_through_searches
from services.matching.use_cases.chase_answers import chase_answers
from services.matching.use_cases.expire_invitations import expire_invitations
from services.matching.use_cases.tend_gatherings import tend_gatherings
from shared.chores import LOOK_EVERY_S, Chore, Round, go_round, ids_of
from shared.contracts.vocabulary import GatheringState, MatchState
from shared.storage.driver import Document


def overdue(today: date) -> Document:
    """The open matches that may be due to be reminded of, or to expire."""
    to_remind = {"state": {"$in": sorted(OPEN)}, "remind_on": {"$lte": str(today)}}
    over = {"state": MatchState.PROPOSED, "answer_by": {"$lt": str(today)}}
    without_a_day = {"state": {"$in": sorted(OPEN)}, "answer_by": None}
    return {"$or": [to_remind, over, without_a_day]}


async def _chase_answers(round: Round[Matching]) -> None:
    async def find(matching: Matching, at: datetime) -> list[str]:
        return await ids_of(matching.database[Match.COLLECTION], overdue(at.date()))

    await round.for_all(find, chase_answers)


async def _expire_invitations(round: Round[Matching]) -> None:
    async def find(matching: Matching, at: datetime) -> list[str]:
        over = {"state": InvitationState.OPEN, "expires_on": {"$lt": str(at.date())}}
        return await ids_of(matching.database[Invitation.COLLECTION], over)

    await round.for_all(find, expire_invitations)


def unsettled(today: date) -> Document:
    """The group events in which who waits may move up, and those whose sign-up, or last day, is over."""
    moves_up = {"has_room_for_waiting": True, "programme.days.first_day": {"$gt": str(today)}}
    to_close = {"state": {"$in": sorted(TAKES_SIGN_UPS)}, "programme.sign_up_until": {"$lt": str(today)}}
    opened = sorted(TO_COME - {GatheringState.PLANNED})
    over = {"state": {"$in": opened}, "programme.days.last_day": {"$lt": str(today)}}
    return {"$or": [moves_up, to_close, over]}


async def _tend_gatherings(round: Round[Matching]) -> None:
    async def find(matching: Matching, at: datetime) -> list[str]:
        return await ids_of(matching.database[Gathering.COLLECTION], unsettled(at.date()))

    await round.for_all(find, tend_gatherings)


async def _forget_old_plans(round: Round[Matching]) -> None:
    await forget_old_plans(round.root, round.now)


CHORES: Final[list[Chore[Matching]]] = [
    Chore("group-events", timedelta(0), _tend_gatherings),  # at every look: somebody waits
    Chore("answers", timedelta(minutes=1), _chase_answers),
    Chore("invitations", timedelta(hours=1), _expire_invitations),
    Chore("plans", timedelta(hours=1), _forget_old_plans),
    Chore("searches", timedelta(minutes=1), look_through_searches),
]


async def do_chores(
    matching: Matching,
    stopping: asyncio.Event,
    *,
    chores: Sequence[Chore[Matching]] = CHORES,
    look_every_s: float = LOOK_EVERY_S,
) -> None:
    """The worker's companion: do each chore when its time has come."""
    await go_round(matching, stopping, chores, look_every_s=look_every_s)
