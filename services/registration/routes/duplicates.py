"""Registrations that may be of one organisation: side by side, to be merged or found to be two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.registration.domain.duplicate import Duplicate, DuplicateState, Finding
from services.registration.domain.identifiers import identify
from services.registration.domain.likeness import Likeness
from services.registration.domain.merge import Merge
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.routes.root import Root, change
from services.registration.use_cases.call_distinct import call_distinct
from services.registration.use_cases.merge_registrations import Merged, merge_pair, merge_registrations
from services.registration.use_cases.regroup_registrations import Regrouped
from services.registration.use_cases.undo_merge import undo_merge
from shared.contracts.vocabulary import OrganisationKind, PartnershipId, RegistrationState
from shared.errors import Forbidden, Malformed, RuleBroken
from shared.http import After, Authenticated, Limit, problem_responses
from shared.security import Caller, CallerRole

router = APIRouter(tags=["duplicates"])


class Side(BaseModel):
    """One registration of a pair: what is needed to judge it, and no more."""

    registration_id: str
    partnership: str | None
    state: RegistrationState
    organisation: str
    kind: OrganisationKind
    country: str
    city: str
    street: str | None
    postcode: str | None
    website: str | None
    identifiers: list[str]
    """What it gave itself, checked and normalised: `vat:…`, `euid:…`, `pic:…`."""

    @classmethod
    def of(cls, registration: Registration) -> Self:
        """The side for this registration."""
        organisation, party = registration.submission.organisation, registration.party
        return cls(
            registration_id=registration.id,
            partnership=party.partnership,
            state=registration.state,
            organisation=organisation.name,
            kind=organisation.kind,
            country=party.place.country,
            city=organisation.city,
            street=organisation.street,
            postcode=organisation.postcode,
            website=organisation.website,
            identifiers=list(identify(organisation).keys),
        )


class DuplicateView(BaseModel):
    """Two registrations side by side, how alike they are and why, and what staff found them to be."""

    id: str
    state: DuplicateState
    score: int
    """From 0 to 100; 100 where they share an identifier."""
    likeness: Likeness
    sides: list[Side]
    finding: Finding | None
    """Who said what they are, when, and why; while the pair is open, nobody has."""
    merge_id: str | None

    @classmethod
    def of(cls, pair: Duplicate, registrations: Mapping[str, Registration]) -> Self:
        """The pair as those who may see it see it."""
        return cls(**_facts(pair, registrations))


class Effect(BaseModel):
    """What a merge changes for one registration."""

    registration_id: str
    state_before: RegistrationState
    state: RegistrationState
    shares: list[str]
    """Identifiers of the others that count for it from then on."""

    @classmethod
    def of(cls, regrouped: Regrouped) -> Self:
        """The effect on this registration."""
        registration = regrouped.registration
        gained = set(registration.party.identifiers) - set(regrouped.keys_before)
        return cls(
            registration_id=registration.id,
            state_before=regrouped.state_before,
            state=registration.state,
            shares=sorted(key for key in gained if not key.startswith(("merge:", "registration:"))),
        )


class IfMerged(BaseModel):
    """What would be changed by merging the pair now."""

    effects: list[Effect]
    warnings: list[str]


class DuplicateInFull(DuplicateView):
    """A pair with a preview of its merge."""

    if_merged: IfMerged | None
    """Only while it is not merged, and a merge is possible."""


class DuplicatePage(BaseModel):
    """A page of pairs, the most alike first; `next` is `after` of the following page."""

    items: list[DuplicateView]
    next: str | None


class MergeView(BaseModel):
    """A merge: two registrations that share one visit of the scheme."""

    id: str
    duplicate_id: str
    registrations: list[str]
    finding: Finding
    undone: Finding | None
    effects: list[Effect]
    """What it changed just now."""
    warnings: list[str]
    """What staff should look at; nothing of it is undone by itself."""

    @classmethod
    def of(cls, merge: Merge, changed: Sequence[Regrouped], warnings: Sequence[str] = ()) -> Self:
        """The merge as those who may see it see it."""
        return cls(
            id=merge.id,
            duplicate_id=merge.duplicate_id,
            registrations=merge.registrations,
            finding=merge.finding,
            undone=merge.undone,
            effects=[Effect.of(one) for one in changed],
            warnings=list(warnings),
        )


class Why(BaseModel):
    """Why somebody finds what he or she finds; it is kept in the audit trail."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]


def _facts(pair: Duplicate, registrations: Mapping[str, Registration]) -> dict[str, object]:
    return {
        "id": pair.id,
        "state": pair.state,
        "score": pair.score,
        "likeness": pair.likeness,
        "sides": [Side.of(registrations[id]) for id in pair.registrations if id in registrations],
        "finding": pair.finding,
        "merge_id": pair.merge_id,
    }


async def _sides_of(uow: RegistrationUnitOfWork, *pairs: Duplicate) -> dict[str, Registration]:
    ids = dict.fromkeys(id for pair in pairs for id in pair.registrations)
    return {registration.id: registration for registration in await uow.registrations.get_all(ids)}


def _require_judge(caller: Caller) -> None:
    if caller.role is not CallerRole.STAFF and not caller.sees_everything:
        raise Forbidden("Lookalikes are shown to staff, the support office and auditors.")


@router.get(
    "/duplicates",
    summary="List registrations that may be of one organisation",
    response_description="A page of pairs, the most alike first.",
    responses=problem_responses(401, 403, 422, 503),
)
async def page(
    caller: Authenticated,
    registering: Root,
    state: Annotated[DuplicateState | None, Query(description="Open: nobody has judged it yet.")] = None,
    min_score: Annotated[int, Query(ge=0, le=100, description="At least this much alike.")] = 0,
    partnership: Annotated[PartnershipId | None, Query(description="Has one of the two.")] = None,
    limit: Limit = 50,
    after: After = None,
) -> DuplicatePage:
    """Pairs found by identifier, name and place, across all partnerships.

    Staff see the pairs one side of which is their partnership's, with what is needed of the other side
    to judge; the support office and auditors all. New registrations turn up here within a minute or so.
    Withdrawn, rejected and erased ones are not looked for.
    """
    _require_judge(caller)
    behind = _place_in_list(after) if after is not None else None

    async def read(uow: RegistrationUnitOfWork) -> DuplicatePage:
        found = await uow.duplicates.page(
            caller, state=state, least=min_score, partnership=partnership, behind=behind, limit=limit
        )
        registrations = await _sides_of(uow, *found)
        return DuplicatePage(
            items=[DuplicateView.of(pair, registrations) for pair in found],
            next=f"{found[-1].score}.{found[-1].id}" if len(found) == limit else None,
        )

    return await registering.transactions.read(read)


def _place_in_list(after: str) -> tuple[int, str]:
    score, dot, id = after.partition(".")
    if not dot or not (score.isascii() and score.isdigit() and len(score) <= 3):
        why = "it is not the `next` of a page; begin again without it"
        raise Malformed(f"/after: {why}", errors=[{"pointer": "/after", "detail": why}])
    return int(score), id


@router.get(
    "/registrations/{id}/duplicates",
    summary="List what may be the same organisation as a registration",
    response_description="Its pairs, the most alike first; 200 at the most.",
    responses=problem_responses(401, 403, 404, 422, 503),
)
async def of_registration(id: str, caller: Authenticated, registering: Root) -> list[DuplicateView]:
    """The pairs this registration is one side of, whatever was found; for staff who may see it."""
    _require_judge(caller)

    async def read(uow: RegistrationUnitOfWork) -> list[DuplicateView]:
        await uow.registrations.get_visible_to(caller, id)
        found = await uow.duplicates.of(id, limit=200)
        registrations = await _sides_of(uow, *found)
        return [DuplicateView.of(pair, registrations) for pair in found]

    return await registering.transactions.read(read)


@router.get(
    "/duplicates/{id}",
    summary="See two registrations side by side",
    response_description="The pair, and what a merge would change.",
    responses=problem_responses(401, 404, 422, 503),
)
async def read(id: str, caller: Authenticated, registering: Root) -> DuplicateInFull:
    """What both wrote, what is alike and what differs, and the verdicts they would have if merged."""

    async def both(uow: RegistrationUnitOfWork) -> DuplicateInFull:
        pair = await uow.duplicates.get_visible_to(caller, id)
        view = _facts(pair, await _sides_of(uow, pair))
        try:
            # A read commits nothing: what is merged here stays as it is.
            merged = await merge_pair(uow, pair, Finding(by=caller.subject, at=uow.now, reason="a preview"))
        except RuleBroken:
            return DuplicateInFull(**view, if_merged=None)
        effects = [Effect.of(one) for one in merged.changed]
        return DuplicateInFull(**view, if_merged=IfMerged(effects=effects, warnings=merged.warnings))

    return await registering.transactions.read(both)


@router.post(
    "/duplicates/{id}/merge",
    summary="Say that two registrations are of one organisation",
    response_description="The merge, with what it changed and what to look at.",
    responses=problem_responses(401, 403, 404, 409, 413, 422, 503),
)
async def merge(id: str, why: Why, caller: Authenticated, registering: Root, request: Request) -> MergeView:
    """From now on both have one visit of the scheme together; for staff of either side.

    Each registration stays with its partnership and is screened anew with what the other one's visit is
    registered under. What was accepted or rejected stays so. A visit that both have already is named in
    `warnings`. It can be undone: `POST /merges/{id}/undo`.
    """
    merged: Merged = await change(
        registering, request, lambda uow: merge_registrations(uow, id, by=caller, reason=why.reason)
    )
    return MergeView.of(merged.merge, merged.changed, merged.warnings)


@router.post(
    "/duplicates/{id}/distinct",
    summary="Say that two registrations are of two organisations",
    response_description="The pair, judged.",
    responses=problem_responses(401, 403, 404, 409, 413, 422, 503),
)
async def distinct(
    id: str, why: Why, caller: Authenticated, registering: Root, request: Request
) -> DuplicateView:
    """Take the pair off the list of open ones; for staff of either side.

    It is asked again only if both turn out to have an identifier in common.
    """

    async def work(uow: RegistrationUnitOfWork) -> DuplicateView:
        pair = await call_distinct(uow, id, by=caller, reason=why.reason)
        return DuplicateView.of(pair, await _sides_of(uow, pair))

    return await change(registering, request, work)


@router.post(
    "/merges/{id}/undo",
    summary="Undo a merge",
    response_description="The merge, undone.",
    responses=problem_responses(401, 403, 404, 409, 413, 422, 503),
)
async def undo(id: str, why: Why, caller: Authenticated, registering: Root, request: Request) -> MergeView:
    """Each registration has its own visit again, and both are screened anew; for staff of either side.

    A visit that was approved meanwhile belongs to the one that made it. The pair is open again.
    """
    undone = await change(registering, request, lambda uow: undo_merge(uow, id, by=caller, reason=why.reason))
    return MergeView.of(*undone)
