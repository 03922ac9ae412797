"""What the matching service stores, and its unit of work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.matching.access import signs_as
from services.matching.domain.candidate import Candidate
from services.matching.domain.case import Case
from services.matching.domain.commitment import Commitment, commitment_id
from services.matching.domain.deadline import AnswerPolicy
from services.matching.domain.fit import Prospect
from services.matching.domain.gathering import Gathering
from services.matching.domain.invitation import Invitation, InvitationState, fingerprint
from services.matching.domain.match import Match, match_id
from services.matching.domain.message import Message, Postbag
from services.matching.domain.newcomers import Newcomers
from services.matching.domain.planning.job import (
    UNFINISHED,
    Outcome,
    PlanJob,
    PlanLine,
    PlanOutline,
    PlanState,
)
from services.matching.domain.pool import Pool, PoolView, keys_of_visit
from services.matching.domain.saved_search import SearchBook, SearchRound
from services.matching.domain.visit_claim import VisitClaim
from services.matching.domain.weights import WeightHistory
from shared.contracts.common import ERASED, Party
from shared.contracts.envelope import new_id, now
from shared.contracts.vocabulary import Ecosystem, GatheringState, MatchState
from shared.errors import Forbidden, NotFound
from shared.partnerships import Partnerships
from shared.sealed import Seal
from shared.security import Caller, CallerRole
from shared.storage.driver import Database, Document
from shared.storage.store import Store
from shared.storage.unit_of_work import Clock, Repository, UnitOfWork


class Candidates(Repository[Candidate]):
    """All registrations matching has heard of."""

    model = Candidate

    async def named(self, registration_id: str) -> Candidate:
        """The candidate of that registration; one outside the pool when nothing was heard of it yet."""
        candidate = await self.find(registration_id)
        if candidate is None:
            candidate = Candidate(id=registration_id)
            self.add(candidate)
        return candidate


class NewcomerLists(Repository[Newcomers]):
    """The newcomers whose best fits are yet to be told, some of one transaction on each list."""

    model = Newcomers

    def __init__(self, uow: UnitOfWork) -> None:
        super().__init__(uow)
        self._own: Newcomers | None = None

    def welcome(self, candidate: Candidate) -> None:
        """Have its best fits found and told; the rest of the transaction may still change it."""
        if self._own is None or self._own.is_full:
            self._own = Newcomers(id=new_id())
            self.add(self._own)
        self._own.welcome(candidate)

    async def with_(self, candidate: Candidate) -> Newcomers | None:
        """The list it is on, if nobody has been told of its best fits yet."""
        return await self.find(candidate.newcomer_in) if candidate.newcomer_in else None

    async def oldest(self, limit: int) -> list[Newcomers]:
        """The lists that wait longest."""
        return await self._uow.query(Newcomers, {}, sort=[("_id", 1)], limit=limit)


class VisitClaims(Repository[VisitClaim]):
    """The once-only register."""

    model = VisitClaim

    async def of(self, visitor: Party) -> list[VisitClaim]:
        """The claims on the visit of this organisation, one an identifier, free ones included."""
        claims: list[VisitClaim] = []
        keys = keys_of_visit(visitor.registration_id, visitor.identifiers)
        await self.get_all(keys)
        for key in keys:
            # Read already: nobody takes or removes one while another is waited for.
            claim = await self.find(key)
            if claim is None:
                claim = VisitClaim(id=key)
                self.add(claim)
            claims.append(claim)
        return claims

    async def used_by(self, match_id: str) -> list[VisitClaim]:
        """The claims this match holds, whatever its visitor is called by now."""
        stored = await self._uow.query(VisitClaim, {"match_id": match_id})
        held = {claim.id: claim for claim in (*stored, *self._uow.at_hand(VisitClaim))}
        return [claim for claim in held.values() if claim.match_id == match_id]

    async def unused_by(self, visitors: Sequence[Party]) -> list[VisitClaim]:
        """The claims on these visitors' visits that no match holds."""
        keys = {
            key for visitor in visitors for key in keys_of_visit(visitor.registration_id, visitor.identifiers)
        }
        return [claim for claim in await self.get_all(sorted(keys)) if claim.match_id is None]


class Matches(Repository[Match]):
    """All matches, ended ones included."""

    model = Match

    async def next_id(self, visitor_id: str, host_id: str) -> tuple[str, Match | None]:
        """The id of the pair's next match, and the latest one they had."""
        attempt, latest = 1, None
        while (match := await self.find(match_id(visitor_id, host_id, attempt))) is not None:
            attempt, latest = attempt + 1, match
        return match_id(visitor_id, host_id, attempt), latest

    async def naming(self, registration_id: str) -> list[Match]:
        """Every match of that registration, on either side; new ones of this unit of work too."""
        stored = await self._uow.query(Match, _either("registration_id", registration_id))
        named = {match.id: match for match in (*stored, *self._uow.at_hand(Match))}
        return [match for match in named.values() if match.names(registration_id)]

    async def get_visible_to(self, caller: Caller, id: str) -> Match:
        """The match; raises `NotFound` also when the caller may not see it."""
        match = await self.find(id)
        if match is None or not _sees(caller, match):
            raise NotFound(f"There is no match {id}, or none you may see.")
        return match

    async def page(
        self,
        visible_to: Caller,
        *,
        state: MatchState | None = None,
        partnership: str | None = None,
        registration: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[Match]:
        """Those the caller may see and the filters leave, in the order of their ids, from after `after`."""
        return await self._page(
            _visible_to(visible_to),
            {"state": state} if state is not None else {},
            _either("partnership", partnership) if partnership is not None else {},
            _either("registration_id", registration) if registration is not None else {},
            after=after,
            limit=limit,
        )


class Commitments(Repository[Commitment]):
    """The Commitments to Quality of all matches that were ever approved."""

    model = Commitment

    async def of(self, *match_ids: str) -> list[Commitment]:
        """Those of these matches, in their order; a match that was never approved has none."""
        return await self.get_all(commitment_id(id) for id in match_ids)

    async def get_visible_to(self, caller: Caller, match_id: str) -> Commitment:
        """The match's commitment; raises `NotFound` also when the caller may not see it."""
        commitments, match = await asyncio.gather(self.of(match_id), self._uow.find(Match, match_id))
        if match is not None and (_sees(caller, match) or any(signs_as(caller, c) for c in commitments)):
            for commitment in commitments:
                return commitment
            raise NotFound(
                f"Match {match_id} has no commitment: it is drawn up with the last approval of a match."
            )
        raise NotFound(f"There is no match {match_id}, or none you may see.")


class Plans(Repository[PlanJob]):
    """The plans that were asked for, until they are old."""

    model = PlanJob

    async def get_visible_to(self, caller: Caller, id: str) -> PlanJob:
        """The plan; raises `Forbidden` for those who read no plans, `NotFound` also for others' plans."""
        visible = _plans_visible_to(caller)
        job = await self.find(id)
        if job is None or (visible and caller.partnership not in job.asked.partnerships):
            raise NotFound(f"There is no plan {id}, or none you may see.")
        return job

    async def page(self, visible_to: Caller, *, after: str | None, limit: int) -> list[PlanJob]:
        """Those the caller may see, the newest first, from before `after`; raises `Forbidden`."""
        before: Document = {"_id": {"$lt": after}} if after else {}
        where = {**_plans_visible_to(visible_to), **before}
        return await self._uow.query(PlanJob, where, sort=[("_id", -1)], limit=limit)

    async def count_unfinished(self, by: Caller) -> int:
        """How many the caller asked for that are not made yet."""
        return await self._uow.count(
            PlanJob, {"state": {"$in": list(UNFINISHED)}, "by.subject": by.subject, "by.role": by.role}
        )

    async def ready_for(self, partnerships: Sequence[str]) -> list[PlanJob]:
        """Those that could be published for one of these partnerships."""
        where = {"state": PlanState.READY, "asked.partnerships": {"$in": list(partnerships)}}
        return await self._uow.query(PlanJob, where)


class PlanLines(Repository[PlanLine]):
    """What plans say of each visitor."""

    model = PlanLine

    async def page(
        self,
        job: PlanJob,
        visible_to: Caller,
        *,
        matched: bool,
        registration: str | None = None,
        outcome: Outcome | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[PlanLine]:
        """Those with a host, or without one, that the caller may see and the filters leave."""
        return await self._page(
            _lines_of(job),
            {"host": {"$ne": None}} if matched else {"host": None},
            {} if visible_to.sees_everything else {"partnerships": visible_to.partnership},
            _of_either([registration]) if registration is not None else {},
            {"outcome": outcome} if outcome is not None else {},
            after=after,
            limit=limit,
        )

    async def about(self, job: PlanJob, registration: str, visible_to: Caller) -> list[PlanLine]:
        """Those in which it is the visitor or the host."""
        return await self._page(
            _lines_of(job),
            _of_either([registration]),
            {} if visible_to.sees_everything else {"partnerships": visible_to.partnership},
            after=None,
            limit=0,
        )

    async def to_publish(self, job: PlanJob, limit: int) -> list[PlanLine]:
        """The next pairs of the publication that nothing has come of yet."""
        return await self._page(_unpublished(job), self._in_publication(job), after=None, limit=limit)

    async def to_settle(self, job: PlanJob, limit: int) -> list[PlanLine]:
        """The next ones of the publication whose broken proposals have not been seen to."""
        return await self._page(
            _lines_of(job),
            {"broken_settled": False, "broken.0": {"$exists": True}},
            self._in_publication(job),
            after=None,
            limit=limit,
        )

    async def count_unpublished(self, job: PlanJob, registrations: Sequence[str] | None = None) -> int:
        """How many pairs nothing has come of yet, of those in which one of these registrations is."""
        named = _of_either(registrations) if registrations is not None else {}
        where: Document = {"$and": [_unpublished(job), *([named] if named else [])]}
        return await self._uow.count(PlanLine, where)

    async def mentioning(self, registration_id: str) -> list[PlanLine]:
        """Every line of any plan that names the registration's organisation."""
        return await self._uow.query(PlanLine, {"mentions": registration_id})

    def _in_publication(self, job: PlanJob) -> Document:
        named = job.publication.registrations if job.publication else None
        return _of_either(named) if named is not None else {}


class PlanOutlines(Repository[PlanOutline]):
    """Plans in few bytes."""

    model = PlanOutline

    async def of(self, job: PlanJob) -> list[PlanOutline]:
        """All parts of the plan."""
        return await self._page(_lines_of(job), after=None, limit=0)


def _lines_of(job: PlanJob) -> Document:
    return {"plan_id": job.id, "attempt": job.attempt}


def _unpublished(job: PlanJob) -> Document:
    return {**_lines_of(job), "host": {"$ne": None}, "outcome": None}


def _of_either(registrations: Sequence[str]) -> Document:
    named = {"$in": list(registrations)}
    return {"$or": [{"visitor.registration_id": named}, {"host.registration_id": named}]}


def _plans_visible_to(caller: Caller) -> Document:
    if caller.sees_everything:
        return {}
    if caller.role is CallerRole.STAFF:
        return {"asked.partnerships": caller.partnership}
    raise Forbidden("Plans are made and read by staff of the partnerships, the support office and auditors.")


class Invitations(Repository[Invitation]):
    """Invitations by link, those that are over included."""

    model = Invitation

    async def by_token(self, token: str) -> Invitation:
        """The one this token is for; raises `NotFound`."""
        for invitation in await self._uow.query(Invitation, {"token_hash": fingerprint(token)}):
            return invitation
        raise NotFound("There is no such invitation. Check that the link is whole, or ask for a new one.")

    async def open_of(self, registration_id: str) -> list[Invitation]:
        """Those the registration sent that are open; new ones of this unit of work too."""
        stored = await self._uow.query(Invitation, {"inviter_id": registration_id})
        sent = {one.id: one for one in (*stored, *self._uow.at_hand(Invitation))}.values()
        return [
            one for one in sent if one.inviter_id == registration_id and one.state is InvitationState.OPEN
        ]

    async def naming(self, registration_id: str) -> list[Invitation]:
        """Those the registration sent, and those it accepted."""
        return await self._uow.query(
            Invitation, {"$or": [{"inviter_id": registration_id}, {"accepted_by": registration_id}]}
        )


class Gatherings(Repository[Gathering]):
    """All group events."""

    model = Gathering

    async def get_visible_to(self, caller: Caller | None, id: str) -> Gathering:
        """The group event; raises `NotFound` also when the caller may not see it."""
        gathering = await self.find(id)
        planned = gathering is not None and gathering.state is GatheringState.PLANNED
        if gathering is None or (planned and not _plans_gathering(caller, gathering)):
            raise NotFound(f"There is no group event {id}, or none you may see.")
        return gathering

    async def page(
        self,
        visible_to: Caller | None,
        *,
        state: GatheringState | None = None,
        partnership: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[Gathering]:
        """Those the caller may see and the filters leave, in the order of their ids, from after `after`."""
        public: Document = {"state": {"$ne": GatheringState.PLANNED}}
        visible = public
        if visible_to is not None and visible_to.sees_everything:
            visible = {}
        elif visible_to is not None and visible_to.role is CallerRole.STAFF:
            visible = {"$or": [public, {"partnership": visible_to.partnership}]}
        return await self._page(
            visible,
            {"state": state} if state is not None else {},
            {"partnership": partnership} if partnership is not None else {},
            after=after,
            limit=limit,
        )


def _plans_gathering(caller: Caller | None, gathering: Gathering) -> bool:
    return caller is not None and (caller.sees_everything or caller.is_staff_of(gathering.partnership))


class Messages(Repository[Message]):
    """What organisations wrote to each other."""

    model = Message

    async def naming(self, registration_id: str) -> list[Message]:
        """Every message that registration wrote or got."""
        either = [{"sender_id": registration_id}, {"receiver_id": registration_id}]
        return await self._uow.query(Message, {"$or": either})


class Postbags(Repository[Postbag]):
    """How much each registration wrote lately."""

    model = Postbag

    async def of(self, registration_id: str) -> Postbag:
        """The postbag of that registration, an empty one at first."""
        postbag = await self.find(registration_id)
        if postbag is None:
            postbag = Postbag(id=registration_id)
            self.add(postbag)
        return postbag


class SearchBooks(Repository[SearchBook]):
    """The saved searches, a book for each registration or partnership."""

    model = SearchBook


class SearchRounds(Repository[SearchRound]):
    """How far the saved searches have looked."""

    model = SearchRound


def _either(field: str, wanted: str | None) -> Document:
    return {"$or": [{f"visitor.{field}": wanted}, {f"host.{field}": wanted}]}


def _visible_to(caller: Caller) -> Document:
    match caller.role:
        case CallerRole.SUPPORT_OFFICE | CallerRole.AUDITOR:
            return {}
        case CallerRole.STAFF:
            return _either("partnership", caller.partnership)
        case CallerRole.PARTICIPANT:
            return _either("owner", caller.organisation)
        case CallerRole.EXTERNAL:
            return {"_id": None}


def _sees(caller: Caller, match: Match) -> bool:
    return (
        caller.sees_everything
        or caller.is_staff_of(*match.partnerships)
        or caller.acts_for(match.visitor.owner)
        or caller.acts_for(match.host.owner)
    )


class MatchingUnitOfWork(UnitOfWork):
    """One transaction of the matching service, with its policies and the pool as this transaction sees it."""

    def __init__(
        self,
        store: Store,
        *,
        partnerships: Partnerships,
        weights: WeightHistory,
        pool: Pool,
        answers: AnswerPolicy | None = None,
        invitation_days: int = 14,
        seal: Seal | None = None,
        clock: Clock = now,
    ) -> None:
        super().__init__(store, service="matching", clock=clock)
        self.today = self.now.date()
        self.partnerships = partnerships
        self.answers = answers or AnswerPolicy()
        self.invitation_days = invitation_days
        self.seal = seal or Seal(None)
        self.weights = weights.on(self.today)
        self.pool = PoolView(pool, self.weights, self.today)
        self.candidates = Candidates(self)
        self.newcomers = NewcomerLists(self)
        self.claims = VisitClaims(self)
        self.matches = Matches(self)
        self.messages = Messages(self)
        self.postbags = Postbags(self)
        self.search_books = SearchBooks(self)
        self.search_rounds = SearchRounds(self)
        self.invitations = Invitations(self)
        self.commitments = Commitments(self)
        self.gatherings = Gatherings(self)
        self.plans = Plans(self)
        self.plan_lines = PlanLines(self)
        self.plan_outlines = PlanOutlines(self)

    async def case_of(self, match: Match) -> Case:
        """The match with both candidates, the visitor's claims and the commitment, ready for a step."""
        approved = match.state is MatchState.APPROVED
        visitor, host, commitments, gathering = await asyncio.gather(
            self.candidates.get(match.visitor.registration_id),
            self.candidates.get(match.host.registration_id),
            self.commitments.of(*([match.id] if approved else [])),
            self.gathering_of(match),
        )
        commitment = next(iter(commitments), None)
        # An approved match holds the claims it was approved with, whatever the registration says now.
        if approved and match.visitor.organisation == ERASED:
            return Case(match, visitor, host, await self.claims.used_by(match.id), commitment, gathering)
        party = match.visitor if approved or visitor.party is None else visitor.party
        return Case(match, visitor, host, await self.claims.of(party), commitment, gathering)

    async def rivals_of(self, match_id: str, visitor: Candidate) -> list[Case]:
        """The visitor's other open matches, to be ended; does not wait once all of them are loaded."""
        rivals: list[Case] = []
        for id in visitor.open_visits:
            if id != match_id:
                match = await self.matches.get(id)
                host = await self.candidates.get(match.host.registration_id)
                gathering = await self.gathering_of(match)
                # Only an approved match holds claims.
                rivals.append(Case(match, visitor, host, claims=[], gathering=gathering))
        return rivals

    async def gathering_of(self, match: Match) -> Gathering | None:
        """The group event the match is a visit to, if it is one."""
        return await self.gatherings.get(match.group_event_id) if match.group_event_id else None

    def partnership_name(self, id: str | None) -> str:
        """What the partnership is called; its id where it is configured no longer."""
        partnership = self.partnerships.get(id) if id else None
        return partnership.name if partnership else id or ""

    def prospect(self, candidate: Candidate) -> Prospect:
        """What a member of the pool is compared by; raises `NotInPool`."""
        return prospect_of(candidate, self.partnerships)


def prospect_of(candidate: Candidate, partnerships: Partnerships) -> Prospect:
    """What a member of the pool is compared by; raises `NotInPool`."""
    party, profile = candidate.require_in_pool()
    assert candidate.since is not None
    partnership = partnerships.get(party.partnership) if party.partnership else None
    served: list[Ecosystem] = partnership.ecosystems if partnership else []
    return Prospect.of(
        party,
        profile,
        served=served,
        since=candidate.since,
        stays=candidate.stays,
        partners=candidate.partners,
        heard=candidate.heard,
    )


async def make_indexes(database: Database) -> None:
    """The indexes of this service's lists; safe to call again and at once."""
    matches = database[Match.COLLECTION]
    for side in ("visitor", "host"):
        await matches.create_index([(f"{side}.partnership", 1), ("_id", 1)])
        await matches.create_index([(f"{side}.owner", 1), ("_id", 1)])
        await matches.create_index([(f"{side}.registration_id", 1), ("_id", 1)])
    for day in ("remind_on", "answer_by"):
        await matches.create_index([("state", 1), (day, 1)])
    invitations = database[Invitation.COLLECTION]
    await invitations.create_index("token_hash", unique=True)
    await invitations.create_index([("state", 1), ("expires_on", 1)])
    for registration in ("inviter_id", "accepted_by"):
        await invitations.create_index(registration)
    gatherings = database[Gathering.COLLECTION]
    await gatherings.create_index("state")
    await gatherings.create_index(
        "has_room_for_waiting", partialFilterExpression={"has_room_for_waiting": True}
    )
    await database[VisitClaim.COLLECTION].create_index("match_id")
    for side in ("sender_id", "receiver_id"):
        await database[Message.COLLECTION].create_index(side)
    await database[SearchBook.COLLECTION].create_index("waiting", partialFilterExpression={"waiting": True})
    await database[PlanJob.COLLECTION].create_index([("state", 1), ("_id", 1)])
    await database[PlanJob.COLLECTION].create_index([("asked.partnerships", 1), ("_id", -1)])
    lines = database[PlanLine.COLLECTION]
    for keys in ("visitor.registration_id", "host.registration_id"):
        await lines.create_index([("plan_id", 1), (keys, 1)])
    await lines.create_index([("plan_id", 1), ("attempt", 1), ("_id", 1)])
    await lines.create_index([("plan_id", 1), ("attempt", 1), ("outcome", 1), ("_id", 1)])
    await lines.create_index("mentions")
    await database[PlanOutline.COLLECTION].create_index([("plan_id", 1), ("attempt", 1), ("_id", 1)])
