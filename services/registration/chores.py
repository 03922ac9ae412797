"""What the registration service has to do because nothing happened, and how often it looks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from services.registration.bootstrap import Registering
from services.registration.cvs.keeping import BUCKET
from services.registration.domain.draft import Draft
from services.registration.domain.interest import InterestPolicy
from services.registration.domain.registration import CLOSED, OPEN, Registration
from services.registration.importer import let_go_of_imports
from services.registration.use_cases.check_interest import check_interest
from services.registration.use_cases.discard_draft import discard_forgotten_drafts
from services.registration.use_cases.erase_registration import erase_by_time, forget_again
from shared.chores import LOOK_EVERY_S, Chore, Round, go_round, ids_of, stored
from shared.storage.driver import Document
from shared.uploads.keeping import sweep

_ERASED_LATELY: Final = timedelta(minutes=10)
"""What ran at the moment of an erasure, unseen by it, has ended long before that."""
_ERASED_IN_A_ROUND: Final = 500
"""Each is an event with work in every service: few at a time, so that the event flow hardly feels it."""


def silent(policy: InterestPolicy, at: datetime) -> Document:
    """The open registrations that may be due to be asked, reminded or let go; the index has them together."""
    not_asked = {"interest.asked_at": None}
    not_reminded = {
        "interest.reminded_at": None,
        "interest.asked_at": {"$lte": stored(at - policy.remind_after)},
    }
    reminded = {"interest.reminded_at": {"$lte": stored(at - policy.lapse_after + policy.remind_after)}}
    return {
        "state": {"$in": sorted(OPEN)},
        "interest.since": {"$lte": stored(at - policy.ask_after)},
        "$or": [not_asked, not_reminded, reminded],
    }


async def _check_interest(round: Round[Registering]) -> None:
    policy = round.root.settings.interest

    async def find(registering: Registering, at: datetime) -> list[str]:
        return await ids_of(registering.database[Registration.COLLECTION], silent(policy, at))

    await round.for_all(find, lambda uow, ids: check_interest(uow, ids, policy=policy))


async def _erase_closed(round: Round[Registering]) -> None:
    closed_before = round.now - timedelta(days=round.root.settings.closed_days)

    async def closed(registering: Registering, at: datetime) -> list[str]:
        untouched = {"$not": {"$elemMatch": {"at": {"$gte": stored(closed_before)}}}}
        due = {"state": {"$in": sorted(CLOSED)}, "erased_at": None, "history": untouched}
        return (await ids_of(registering.database[Registration.COLLECTION], due))[:_ERASED_IN_A_ROUND]

    await round.for_all(closed, lambda uow, ids: erase_by_time(uow, ids, closed_before=closed_before))


async def _forget_again(round: Round[Registering]) -> None:
    async def lately(registering: Registering, at: datetime) -> list[str]:
        since = {"$type": "string", "$gte": stored(at - _ERASED_LATELY)}
        return await ids_of(registering.database[Registration.COLLECTION], {"erased_at": since})

    await round.for_all(lately, forget_again)


async def _discard_drafts(round: Round[Registering]) -> None:
    before = round.now - timedelta(days=round.root.settings.draft_days)

    async def forgotten(registering: Registering, at: datetime) -> list[str]:
        drafts = registering.database[Draft.COLLECTION]
        return await ids_of(drafts, {"saved_at": {"$lt": stored(before)}})

    await round.for_all(forgotten, lambda uow, ids: discard_forgotten_drafts(uow, ids, saved_before=before))


async def _let_go_of_imports(round: Round[Registering]) -> None:
    await let_go_of_imports(round.root, round.now)


async def _sweep_cvs(round: Round[Registering]) -> None:
    await sweep(round, BUCKET, round.root.database[Registration.COLLECTION], "cv.file_id")


CHORES: Final[list[Chore[Registering]]] = [
    Chore("imports", timedelta(hours=1), _let_go_of_imports),
    Chore("interest", timedelta(minutes=1), _check_interest),
    Chore("drafts", timedelta(minutes=10), _discard_drafts),
    Chore("cvs", timedelta(hours=1), _sweep_cvs),
    Chore("erase closed", timedelta(minutes=10), _erase_closed),
    Chore("forget again", timedelta(minutes=4), _forget_again),
]


async def do_chores(
    registering: Registering,
    stopping: asyncio.Event,
    *,
    chores: Sequence[Chore[Registering]] = CHORES,
    look_every_s: float = LOOK_EVERY_S,
) -> None:
    """The worker's companion: do each chore when its time has come."""
    await go_round(registering, stopping, chores, look_every_s=look_every_s)
