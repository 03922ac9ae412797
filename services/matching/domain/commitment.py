"""The Commitment to Quality of an approved match: drawn up, edited, signed by four, void when it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import ClassVar, Final, Literal, Self
from uuid import UUID, uuid5

from services.matching.domain.commitment_document import (
    AgendaItem,
    Content,
    Signatory,
    SignedDocument,
)
from services.matching.domain.errors import (
    AlreadySigned,
    CommitmentChanged,
    CommitmentKept,
    CommitmentNotReady,
    CommitmentVoid,
)
from services.matching.domain.match import Match
from services.matching.domain.words import GOALS, listed
from shared.aggregate import Aggregate
from shared.contracts.common import ERASED, Party, Window
from shared.contracts.matching import (
    CommitmentCompleted,
    CommitmentDrawnUp,
    CommitmentSigned,
    CommitmentVoided,
    SignatureGiven,
    SigningRole,
)
from shared.contracts.registration import Profile
from shared.signing import Signature

LONGEST_TEXT: Final = 4000
"""Characters of the goals, and of the expected results."""
MOST_TOPICS: Final = 8
"""Topics the draft's agenda begins with; the two know better how to go on."""

_NAMESPACE: Final = UUID("2f8d2a57-6c8e-5a53-9d5b-0c7f5f6f1e44")

NameOf = Callable[[str | None], str]
"""The name of the partnership with that id."""

CommitmentState = Literal["open", "complete", "void"]


def commitment_id(match_id: str) -> str:
    """The id of the match's commitment."""
    return str(uuid5(_NAMESPACE, match_id))


class Commitment(Aggregate):
    """What two organisations and their partnerships commit to, and their signatures on it.

    A signature is for the content as it is: whatever changes the content voids all of them.
    """

    COLLECTION: ClassVar[str] = "commitments"

    match_id: str
    visitor: Party
    host: Party
    content: Content
    signatures: list[Signature] = []
    void_because: str | None = None

    @classmethod
    def draw_up(
        cls,
        match: Match,
        visiting: Profile,
        hosting: Profile,
        *,
        partnership_names: NameOf,
        at: datetime,
        agenda: Sequence[AgendaItem] = (),
    ) -> Self:
        """A draft of what both registrations and the stay say; with the agenda of a group event, if given."""
        visitor, host = match.visitor, match.host
        sides = _signatories(visitor, host, partnership_names)
        topics = _in_common(visiting.needs, hosting.offers)
        returns = _in_common(hosting.needs, visiting.offers)
        commitment = cls(
            id=commitment_id(match.id),
            match_id=match.id,
            visitor=visitor,
            host=host,
            content=Content(
                match_id=match.id,
                drawn_up_at=at,
                **sides,
                first_day=match.stay.first_day,
                last_day=match.stay.last_day,
                goals=_goals(visitor, host, visiting, topics, returns),
                agenda=list(agenda) or _agenda(match.stay, topics, returns),
                expected_results=_expected_results(visitor, host, topics, returns),
            ),
        )
        commitment._record(CommitmentDrawnUp(**commitment._facts()))
        return commitment

    # ── where it stands ──────────────────────────────────────────────────────────────────────

    @property
    def state(self) -> CommitmentState:
        """Open until all four have signed; void once the exchange has ended."""
        if self.void_because is not None:
            return "void"
        return "open" if self.missing else "complete"

    @property
    def missing(self) -> list[SigningRole]:
        """The roles whose signature is missing; none of one that is void."""
        return [] if self.void_because is not None else self.document.missing

    @property
    def document(self) -> SignedDocument:
        """Content and signatures as they are printed."""
        return SignedDocument.of(self.content, self.signatures, self.void_because)

    def signer(self, role: SigningRole) -> str | None:
        """Who signs in that role: the owner of the organisation's registration, or the partnership's id."""
        if role in ("HO", "VO"):
            return (self.host if role == "HO" else self.visitor).owner
        visitors, hosts = _partnerships(self.visitor, self.host)
        return hosts if role == "HOP" else visitors

    # ── what is done with it ─────────────────────────────────────────────────────────────────

    def edit(
        self,
        *,
        goals: str,
        agenda: Iterable[AgendaItem],
        expected_results: str,
        seen_version: int,
        by: str,
        today: date,
    ) -> None:
        """Write down what is agreed; the same content again changes nothing.

        `by`: the organisation or partnership that does. Raises `CommitmentChanged` when the caller saw
        another version, and what forbids a change.
        """
        self._require_not_void("changed")
        if self._is_kept(today):
            raise CommitmentKept(
                "All four have signed, and the stay is over or one of the two is erased: the commitment "
                "stays as it is."
            )
        if seen_version != self.version:
            raise CommitmentChanged(
                f"You saw version {seen_version}, and the commitment is at version {self.version}: it was "
                "changed or signed in between. Read it again, and send what you want with that version."
            )
        items = sorted(agenda, key=lambda item: (item.day, item.begins or ""))
        if outside := self._outside(items):
            raise CommitmentNotReady(f"{outside} Give each item a day of the stay.")
        changes = {"goals": goals, "agenda": items, "expected_results": expected_results}
        self._rewrite(self.content.model_copy(update=changes), f"{by} changed the content.")

    def sign(
        self,
        roles: Sequence[SigningRole],
        *,
        by: str,
        acting_as: Literal["participant", "staff"],
        seen_sha256: str,
        at: datetime,
    ) -> None:
        """Sign in these roles, those that have signed before left out; raises what forbids it."""
        self._require_not_void("signed")
        document = self.content.sha256
        if seen_sha256 != document:
            raise CommitmentChanged(
                f"The document is another one by now, with SHA-256 {document}: read it again, and sign that."
            )
        open_roles = [role for role in roles if role in self.missing]
        if not open_roles:
            names = listed(dict.fromkeys(self.content.name_of(role) for role in roles))
            raise AlreadySigned(f"This content is signed for {names} already; nothing is left to do for it.")
        self._require_ready()
        for role in open_roles:
            signature = Signature.after(
                self.signatures, self.content, role=role, by=by, acting_as=acting_as, at=at
            )
            self.signatures = [*self.signatures, signature]
            self._record(
                CommitmentSigned(
                    **self._facts(),
                    signed_as=role,
                    signed_for=signature.signed_for,
                    signed_at=at,
                    document_sha256=document,
                )
            )
        if not self.missing:
            self._record(
                CommitmentCompleted(
                    **self._facts(),
                    document_sha256=document,
                    signatures=[
                        SignatureGiven(role=one.role, signed_for=one.signed_for, at=one.at)
                        for one in self.signatures
                    ],
                )
            )

    def follow(
        self,
        visitor: Party,
        host: Party,
        stay: Window,
        *,
        partnership_names: NameOf,
        reason: str,
        today: date,
    ) -> None:
        """Go on with what registrations and dates are now; what the document says of them changes with it."""
        if self.void_because is not None or self._is_kept(today):
            return
        if (visitor, host, stay) == (self.visitor, self.host, self.content.stay):
            return
        self.visitor, self.host = visitor, host
        content = self.content.model_copy(
            update={
                **_signatories(visitor, host, partnership_names),
                "first_day": stay.first_day,
                "last_day": stay.last_day,
            }
        )
        if content == self.content:
            self._touch()  # an address, say: who is told changes, and not what is signed
        else:
            self._rewrite(content, reason)

    def void(self, reason: str) -> None:
        """The exchange has ended: there is nothing to sign any more."""
        if self.void_because is None:
            self._void(reason, final=True)

    def erase(self, registration_id: str) -> None:
        """Let go of one side's personal data.

        What all four have signed for an exchange that was not called off is a contract, and stays as it
        was signed. Of anything else the words go, as they may name anybody; it cannot be signed any more.
        """
        if self.visitor.registration_id == registration_id:
            self.visitor = self.visitor.erased()
        if self.host.registration_id == registration_id:
            self.host = self.host.erased()
        if self.state == "complete":
            self._touch()
            return
        nobody = {"organisation": ERASED, "city": ERASED}
        blank: dict[str, object] = {"goals": ERASED, "agenda": [], "expected_results": ERASED}
        for side, party in (("visitor", self.visitor), ("host", self.host)):
            if party.registration_id == registration_id:
                blank[side] = getattr(self.content, side).model_copy(update=nobody)
        self.content = self.content.model_copy(update=blank)
        if self.void_because is None:
            self._void("The registration was erased.", final=True)
        self.signatures, self.void_because = [], ERASED
        self._touch()

    # ── rules ────────────────────────────────────────────────────────────────────────────────

    def _require_not_void(self, action: str) -> None:
        if self.void_because is not None:
            raise CommitmentVoid(f"The commitment is void and cannot be {action}: {self.void_because}")

    def _require_ready(self) -> None:
        if not self.content.goals.strip():
            raise CommitmentNotReady("The commitment has no goals yet; write them down before it is signed.")
        if not self.content.agenda:
            raise CommitmentNotReady("The agenda is empty; write it down before the commitment is signed.")
        if outside := self._outside(self.content.agenda):
            raise CommitmentNotReady(f"{outside} Move it into the stay before the commitment is signed.")

    def _outside(self, agenda: Iterable[AgendaItem]) -> str | None:
        stay = self.content.stay
        for item in agenda:
            if not stay.first_day <= item.day <= stay.last_day:
                days = f"from {stay.first_day} to {stay.last_day}"
                return f"“{item.title}” is on {item.day}, and the stay is {days}."
        return None

    def _is_kept(self, today: date) -> bool:
        erased = ERASED in (self.visitor.organisation, self.host.organisation)
        return self.state == "complete" and (erased or self.content.last_day < today)

    def _rewrite(self, content: Content, reason: str) -> None:
        if content == self.content:
            return
        self.content = content
        if self.signatures:
            self._void(reason, final=False)
        else:
            self._touch()

    def _void(self, reason: str, *, final: bool) -> None:
        voided, was_complete = [signature.role for signature in self.signatures], self.state == "complete"
        if final:
            self.void_because = reason
        else:
            self.signatures = []
        self._record(
            CommitmentVoided(
                **self._facts(), reason=reason, voided=voided, was_complete=was_complete, final=final
            )
        )

    def _facts(self) -> dict[str, object]:
        return {
            "match_id": self.match_id,
            "visitor": self.visitor,
            "host": self.host,
            "stay": self.content.stay,
            "commitment_id": self.id,
            "missing": self.missing,
        }


# ── the draft ────────────────────────────────────────────────────────────────────────────────


def _partnerships(visitor: Party, host: Party) -> tuple[str | None, str | None]:
    """The visitor's and the host's; one that manages one side alone signs for both."""
    return visitor.partnership or host.partnership, host.partnership or visitor.partnership


def _signatories(visitor: Party, host: Party, names: NameOf) -> dict[str, Signatory]:
    visitors, hosts = _partnerships(visitor, host)
    return {"visitor": _signatory(visitor, names(visitors)), "host": _signatory(host, names(hosts))}


def _signatory(party: Party, partnership: str) -> Signatory:
    return Signatory(
        organisation=party.organisation,
        city=party.place.city,
        country=party.place.country,
        partnership=partnership,
    )


def _in_common(wanted: Iterable[str], offered: Iterable[str]) -> list[str]:
    on_offer = set(offered)
    return [topic for topic in wanted if topic in on_offer][:MOST_TOPICS]


def _goals(visitor: Party, host: Party, visiting: Profile, topics: list[str], returns: list[str]) -> str:
    written = [f"The visit is for {listed(GOALS[goal] for goal in visiting.goals)}."]
    if topics:
        written.append(f"{visitor.organisation} learns about {listed(topics)} from {host.organisation}.")
    if returns:
        written.append(f"{host.organisation} learns about {listed(returns)} from its visitor.")
    if visiting.motivation:
        written.append(f"In the words of {visitor.organisation}: {visiting.motivation}")
    return "\n".join(written)[:LONGEST_TEXT]


def _expected_results(visitor: Party, host: Party, topics: list[str], returns: list[str]) -> str:
    learnt = f" about {listed(topics)}" if topics else ""
    written = [f"{visitor.organisation} reports what it learnt{learnt} and what it will put to use."]
    if returns:
        written.append(f"{host.organisation} knows more about {listed(returns)}.")
    written.append("Both name a contact and the next step they take together.")
    return "\n".join(written)[:LONGEST_TEXT]


def _agenda(stay: Window, topics: list[str], returns: list[str]) -> list[AgendaItem]:
    days = [stay.first_day + timedelta(days=n) for n in range((stay.last_day - stay.first_day).days + 1)]
    working = [day for day in days if day.weekday() < 5] or days
    sessions = [(f"On site: {topic}", "Host organisation") for topic in topics]
    sessions += [(f"The visitor presents: {topic}", "Visiting organisation") for topic in returns]
    first = AgendaItem(
        day=working[0],
        title="Welcome, and both organisations introduce themselves",
        responsible="Host organisation",
    )
    last = AgendaItem(
        day=working[-1], title="What was learnt, and the next steps", responsible="Both organisations"
    )
    # Spread evenly, in their order.
    held = [
        AgendaItem(day=working[number * len(working) // len(sessions)], title=title, responsible=responsible)
        for number, (title, responsible) in enumerate(sessions)
    ]
    return [first, *held, last]
