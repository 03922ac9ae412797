"""The candidate: an accepted registration in the pool, and the matches it is engaged in."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict

from services.matching.domain.errors import NotInPool, TooManyInvitations, TooManyOpenProposals
from services.matching.domain.stay import require_place
from shared.aggregate import Aggregate
from shared.contracts.common import Party, Window
from shared.contracts.matching import Side
from shared.contracts.registration import PreAgreed, Profile

MOST_OPEN_PROPOSALS: Final = 5
"""Of one visitor, as in the sister programme Erasmus for Young Entrepreneurs."""


class Engagement(BaseModel):
    """A match of this candidate that has not ended; `approved` ones hold a place of the host."""

    model_config = ConfigDict(frozen=True)

    match_id: str
    side: Side
    stay: Window
    approved: bool = False
    partner: str = ""
    """The other one's registration."""
    suggested: bool = False
    """The programme suggested it, and neither side has taken it up: no proposal of anybody's yet."""
    group_event_id: str | None = None
    """The group event it is a visit to: by a place of the event, and not one of the host's own."""


class Agreement(PreAgreed):
    """A partner found by an invitation, whichever of the two sent it."""

    side: Side
    """What this candidate would be."""
    said_by: str
    """The organisation that said so; it holds for a registration of that one alone."""


class SentInvitation(BaseModel):
    """An invitation that is out."""

    model_config = ConfigDict(frozen=True)

    id: str
    until: date
    """Its last day."""


MOST_INVITATIONS: Final = 5
"""Of one registration, out at a time."""


class Candidate(Aggregate):
    """A registration as matching knows it; its id is the registration's.

    One that is only named by a partner, or that left before it was ever accepted, exists outside
    the pool: whoever changes the pair writes this document, so that nobody misses the other.
    """

    COLLECTION: ClassVar[str] = "candidates"

    party: Party | None = None
    profile: Profile | None = None
    in_pool: bool = False
    since: datetime | None = None
    """When it first joined the pool: who has waited longer goes first among equals."""
    heard: int = 0
    """The registration's version this is based on; older news is no news."""
    newcomer_in: str | None = None
    """The list of newcomers it was put on when it was last accepted."""
    named_by: list[str] = []
    """Registrations that named this one as their pre-agreed partner before it was in the pool."""
    agreements: list[Agreement] = []
    """Partners found by an invitation; one may be accepted before this registration was heard of."""
    invitations: list[SentInvitation] = []
    """The latest it sent that nobody accepted."""
    engagements: list[Engagement] = []
    gatherings: list[str] = []
    """The group events it hosts or is on the list of: whoever changes a list writes this document too."""
    brought: list[Engagement] = []
    """What it was engaged in already when it was last accepted: it had been accepted before, and changed."""

    # ── the pool ─────────────────────────────────────────────────────────────────────────────

    def is_news(self, version: int) -> bool:
        """Whether this version of the registration comes after all that was heard of it."""
        return version > self.heard

    def join(self, party: Party, profile: Profile, *, version: int, at: datetime) -> None:
        """The partnership accepted the registration, or accepted it anew after a change."""
        self.party = party
        self.profile = profile
        self.in_pool = True
        self.since = self.since or at
        self.brought = self.engagements
        self.heard = version
        self._touch()

    def leave(self, party: Party, *, version: int) -> None:
        """The registration is no longer accepted; its matches are ended, or kept, by who says so."""
        self.party = party
        self.in_pool = False
        self.heard = version
        self._touch()

    def share_visit(self, party: Party, *, version: int) -> None:
        """Staff found of which organisation it is: its visit is that of all registrations of it."""
        self.party = party
        self.heard = version
        self._touch()

    @property
    def engaged_since(self) -> list[Engagement]:
        """What rests on its last acceptance: matches it was not engaged in, or not approved in, before."""
        before = {(engagement.match_id, engagement.approved) for engagement in self.brought}
        return [e for e in self.engagements if (e.match_id, e.approved) not in before]

    def erase(self, party: Party, *, version: int) -> None:
        """The registration's personal data are gone; `party` is what is left of it.

        The version stays: what is heard of the registration later is no news, and brings nothing back.
        """
        self.party = party
        self.profile = None
        self.in_pool = False
        self.named_by = []
        self.agreements = []
        self.invitations = []
        self.heard = version
        self._touch()

    def be_newcomer(self, in_list: str) -> int:
        """Wait to be told of its best fits; returns the version that those for its first role are told by."""
        assert self.party is not None
        self.newcomer_in = in_list
        first = self.version + 1
        for _ in self.party.roles:
            self._touch()
        return first

    def require_in_pool(self) -> tuple[Party, Profile]:
        """Its party and profile; raises `NotInPool` when the registration is not accepted at present."""
        if not self.in_pool or self.party is None or self.profile is None:
            name = self.party.organisation if self.party else self.id
            raise NotInPool(f"The registration of {name} is not accepted at present.")
        return self.party, self.profile

    # ── partners found already ───────────────────────────────────────────────────────────────

    def be_named_by(self, registration_id: str) -> None:
        """Remember who named this one as partner; a change even when known, so that both sides meet."""
        if registration_id not in self.named_by:
            self.named_by = [*self.named_by, registration_id]
        self._touch()

    def agree(self, agreement: Agreement) -> None:
        """It found a partner by an invitation; the last word about one partner counts."""
        others = [a for a in self.agreements if a.registration_id != agreement.registration_id]
        self.agreements = [*others, agreement]
        self._touch()

    @property
    def pre_agreed(self) -> list[PreAgreed]:
        """The partners it found beforehand: by an invitation, or named in its registration."""
        own = [a for a in self.agreements if self.party is not None and a.said_by == self.party.owner]
        return [*own, *(self.profile.pre_agreed if self.profile else [])]

    def names(self, registration_id: str) -> PreAgreed | None:
        """The stay agreed with that registration beforehand, if this one says there is one."""
        return next((named for named in self.pre_agreed if named.registration_id == registration_id), None)

    def send_invitation(self, id: str, until: date, today: date) -> None:
        """Take note of an invitation; raises `TooManyInvitations` while as many as may be are out.

        One that was withdrawn counts until its last day: its mail has gone out.
        """
        out = [sent for sent in self.invitations if sent.until >= today]
        if len(out) >= MOST_INVITATIONS:
            raise TooManyInvitations(
                f"{len(out)} invitations are out; {MOST_INVITATIONS} are the most. Another is possible once "
                f"one of them is accepted, or after {min(sent.until for sent in out)}."
            )
        self.invitations = [*out, SentInvitation(id=id, until=until)]
        self._touch()

    def settle_invitation(self, id: str) -> None:
        """An invitation was accepted."""
        self.invitations = [sent for sent in self.invitations if sent.id != id]
        self._touch()

    # ── matches ──────────────────────────────────────────────────────────────────────────────

    def require_room_for_proposal(self) -> None:
        """Raises `TooManyOpenProposals` when this visitor has five matches nobody has decided yet."""
        still_open = sum(
            e.side == "visitor" and not (e.approved or e.suggested or e.group_event_id)
            for e in self.engagements
        )
        if still_open >= MOST_OPEN_PROPOSALS:
            raise TooManyOpenProposals(
                f"The visitor has {still_open} open proposals; {MOST_OPEN_PROPOSALS} are the most. "
                "Another is possible once one of them has ended."
            )

    def require_place(self, stay: Window, *, besides: str | None = None) -> None:
        """Raises `HostFull` unless this host has a place in all of the stay, match `besides` left out."""
        party, profile = self.require_in_pool()
        require_place(party.organisation, stay, self._stays(besides), profile.host_places)

    @property
    def open_visits(self) -> list[str]:
        """The matches in which it would visit that are not approved."""
        return [e.match_id for e in self.engagements if e.side == "visitor" and not e.approved]

    @property
    def partners(self) -> set[str]:
        """The registrations it has a match with that has not ended."""
        return {e.partner for e in self.engagements}

    def engage(
        self,
        match_id: str,
        side: Side,
        stay: Window,
        *,
        partner: str,
        suggested: bool = False,
        group_event_id: str | None = None,
    ) -> None:
        """Take part in a match."""
        engagement = Engagement(
            match_id=match_id,
            side=side,
            stay=stay,
            partner=partner,
            suggested=suggested,
            group_event_id=group_event_id,
        )
        self.engagements = [*self.engagements, engagement]
        self._touch()

    def go_on(self, match_id: str, stay: Window) -> None:
        """The match is somebody's proposal for these days: one suggested was taken up, or others named."""
        self._change(match_id, suggested=False, stay=stay)

    def confirm(self, match_id: str) -> None:
        """The match is approved: it is no open proposal any more, and a host's place is taken."""
        self._change(match_id, approved=True)

    def release(self, match_id: str) -> None:
        """The match has ended."""
        self.engagements = [e for e in self.engagements if e.match_id != match_id]
        self._touch()

    def _change(self, match_id: str, **changes: object) -> None:
        self.engagements = [
            e.model_copy(update=changes) if e.match_id == match_id else e for e in self.engagements
        ]
        self._touch()

    @property
    def stays(self) -> list[Window]:
        """The approved stays at this host, those of group events left out."""
        return self._stays()

    def _stays(self, besides: str | None = None) -> list[Window]:
        return [
            e.stay
            for e in self.engagements
            if e.side == "host" and e.approved and e.match_id != besides and e.group_event_id is None
        ]

    # ── group events ─────────────────────────────────────────────────────────────────────────

    def attend(self, gathering_id: str) -> None:
        """Be on the list of a group event, or its host."""
        if gathering_id not in self.gatherings:
            self.gatherings = [*self.gatherings, gathering_id]
        self._touch()

    def stay_away(self, gathering_id: str) -> None:
        """Be on its list no longer."""
        self.gatherings = [id for id in self.gatherings if id != gathering_id]
        self._touch()
