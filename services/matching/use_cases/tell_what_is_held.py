"""Someone asks what matching holds about a registration."""

from __future__ import annotations

from typing import Any

from services.matching.domain.commitment import Commitment
from services.matching.domain.match import Match
from services.matching.domain.message import Message
from services.matching.domain.planning.job import PlanLine
from services.matching.domain.saved_search import book_id
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.common import ERASED
from shared.contracts.matching import Side
from shared.contracts.vocabulary import MatchState
from shared.erasure import without_data_of, without_words
from shared.held import UNTIL_ERASED, Kind, require_may_know, without_other_side
from shared.security import Caller


async def tell_what_is_held(uow: MatchingUnitOfWork, registration_id: str, *, by: Caller) -> list[Kind]:
    """Its profile in the pool, its matches, their commitments, its visit claim; raises `NotFound`."""
    candidate = await uow.candidates.find(registration_id)
    matches = await uow.matches.naming(registration_id)
    invitations = await uow.invitations.naming(registration_id)
    invitations = await uow.invitations.naming(registration_id)
    commitments = await uow.commitments.of(*(match.id for match in matches))
    parties = [match.party(match.side_of(registration_id)) for match in matches]
    if candidate is not None and candidate.party is not None:
        parties.append(candidate.party)
    require_may_know(by, parties, "matching", registration_id)
    gatherings = await uow.gatherings.get_all(candidate.gatherings if candidate is not None else [])
    messages = await uow.messages.naming(registration_id)
    book = await uow.search_books.find(book_id(registration_id=registration_id, partnership=None))
    postbag = await uow.postbags.find(registration_id)
    lines = await uow.plan_lines.mentioning(registration_id)
    visits = [
        match
        for match in matches
        if match.state is MatchState.APPROVED and match.visitor.registration_id == registration_id
    ]
    used = [claim for match in visits for claim in await uow.claims.used_by(match.id)]
    return [
        Kind(
            name="profile",
            what="What the registration looks for and offers, as accepted into the pool, and the matches "
            "it is in: partners are found by it.",
            kept=UNTIL_ERASED,
            documents=[candidate.model_dump(mode="json")] if candidate is not None else [],
        ),
        Kind(
            name="matches",
            what="Every proposal it made or got and what became of it, with the score and its reasons: both "
            "sides and both partnerships decide by them.",
            kept="Without name, address and words from the erasure on; that there was a match stays, as "
            "grants and statistics rest on it.",
            documents=[_as_seen_by(registration_id, match) for match in matches],
        ),
        Kind(
            name="commitments",
            what="The Commitment to Quality of each match that was approved: what both sides and their "
            "partnerships commit to, and who signed. The document itself: GET /matches/{id}/commitment.pdf.",
            kept="Signed by all four for a match that was not called off, it is a contract and stays as it "
            "was signed. Of any other nothing personal is left after an erasure.",
            documents=[_commitment_as_seen_by(registration_id, commitment) for commitment in commitments],
        ),
        Kind(
            name="invitations",
            what="Invitations it sent by a link to partners it had found, or accepted.",
            kept="The address and the words while an invitation is open; that there was one stays.",
            documents=[one.model_dump(mode="json", exclude={"token_hash"}) for one in invitations],
        ),
        Kind(
            name="plans",
            what="What plans for the whole pool, made by staff, say of it: whom it would meet, and why.",
            kept="As long as the plan, without name and words from the erasure on.",
            documents=[
                _line_as_seen_by(registration_id, line) for line in lines if line.is_about(registration_id)
            ],
        ),
        Kind(
            name="group events",
            what="Its place, or its wait for one, at each group event it signed up for.",
            kept="Without name and address from the erasure on; that somebody came stays on the list.",
            documents=[
                {"group_event_id": gathering.id, "title": gathering.title, **one.model_dump(mode="json")}
                for gathering in gatherings
                if (one := gathering.find(registration_id)) is not None
            ],
        ),
        Kind(
            name="messages",
            what="What it wrote to others through the platform, and that others wrote to it.",
            kept="Without its words from the erasure of either side on; that there was a message stays.",
            documents=[_message_as_seen_by(registration_id, message) for message in messages],
        ),
        Kind(
            name="searches",
            what="The searches it saved to be told of new profiles, and when it wrote messages lately.",
            kept=UNTIL_ERASED,
            documents=[kept.model_dump(mode="json") for kept in (book, postbag) if kept is not None],
        ),
        Kind(
            name="visit",
            what="The identifiers under which its one visit of the scheme is used up.",
            kept="For the life of the scheme, also after an erasure: an organisation visits once, whoever "
            "registers it anew. It goes when the match that uses it is cancelled.",
            documents=[claim.model_dump(mode="json") for claim in used],
        ),
    ]


def _line_as_seen_by(registration_id: str, line: PlanLine) -> dict[str, Any]:
    own: Side = "visitor" if line.visitor.registration_id == registration_id else "host"
    return line.model_dump(
        mode="json", include={own, "plan_id", "score", "reasons", "why_not", "outcome", "match_id"}
    )


def _message_as_seen_by(registration_id: str, message: Message) -> dict[str, Any]:
    wrote = message.sender_id == registration_id
    return message.model_dump(mode="json", exclude={"receiver_id"} if wrote else {"sender_id", "text"})


def _as_seen_by(registration_id: str, match: Match) -> dict[str, Any]:
    own = match.side_of(registration_id)
    other: Side = "host" if own == "visitor" else "visitor"
    names = [name for name in (match.party(other).organisation, match.party(other).email) if name != ERASED]
    document = match.model_dump(mode="json")
    return document | {
        other: without_other_side(match.party(other)),
        "ended_because": match.ended_because and without_words(match.ended_because, filter(None, names)),
    }


def _commitment_as_seen_by(registration_id: str, commitment: Commitment) -> dict[str, Any]:
    other: Side = "host" if commitment.visitor.registration_id == registration_id else "visitor"
    party = commitment.host if other == "host" else commitment.visitor
    document = without_data_of(commitment, [party.registration_id]).model_dump(mode="json")
    content = document["content"]
    content[other] = {name: content[other][name] for name in ("country", "partnership")}
    others_role = "HO" if other == "host" else "VO"
    return document | {
        other: without_other_side(party),
        "signatures": [one for one in document["signatures"] if one["role"] != others_role],
    }
