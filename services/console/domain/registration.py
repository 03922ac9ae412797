"""A registration as the console lists it: folded from the registration service's events alone."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Final

from pydantic import BaseModel, computed_field

from services.console.domain.latest import Latest
from services.console.domain.searching import plain, words_of
from services.console.domain.waits import EVERYTHING, SUPPORT, Waiting, desk, owner, waiting_keys
from shared.aggregate import Aggregate
from shared.contracts.common import ERASED, Party
from shared.contracts.envelope import Event
from shared.contracts.registration import (
    RegistrationAccepted,
    RegistrationAmended,
    RegistrationDecisionUndone,
    RegistrationErased,
    RegistrationInformationAsked,
    RegistrationInterestAsked,
    RegistrationInterestConfirmed,
    RegistrationLapsed,
    RegistrationMerged,
    RegistrationRejected,
    RegistrationScreened,
    RegistrationUnmerged,
    RegistrationWithdrawn,
)
from shared.contracts.vocabulary import OrganisationKind, RegistrationState, Role, Verdict

UNDECIDED: Final = (
    RegistrationState.ELIGIBLE,
    RegistrationState.INELIGIBLE,
    RegistrationState.NEEDS_REVIEW,
)
_OPEN: Final = (*UNDECIDED, RegistrationState.ACCEPTED)


class Side(BaseModel):
    """An organisation as lists show it, and whose it is."""

    registration_id: str
    name: str
    kind: OrganisationKind
    country: str
    city: str
    partnership: str | None
    owner: str
    version: int = 0
    """The registration's version that says so; 0 where only another service's event has."""

    @classmethod
    def of(cls, party: Party, version: int = 0) -> Side:
        """What of the party is listed."""
        return cls(
            registration_id=party.registration_id,
            name=party.organisation,
            kind=party.kind,
            country=party.place.country,
            city=party.place.city,
            partnership=party.partnership,
            owner=party.owner,
            version=version,
        )

    @property
    def seen_by(self) -> list[str]:
        """Who has to do with it."""
        return [desk(self.partnership), owner(self.owner)]

    def erased(self) -> Side:
        """Without what tells who it is."""
        gone = {"name": ERASED, "city": ERASED, "owner": self.registration_id}
        return self.model_copy(update=gone)


class Finding(BaseModel):
    """That another registration is of the same organisation."""

    same_as: str
    undone: bool = False


class Registration(Aggregate, Latest):
    """One registration; without a state while only others have spoken of it."""

    COLLECTION: ClassVar[str] = "registrations"

    party: Side | None = None
    roles: list[Role] = []
    state: RegistrationState | None = None
    since: datetime | None = None
    """Since when it waits for a decision, or is decided."""
    verdict: Verdict | None = None
    reference: str | None = None
    submitted_at: datetime | None = None
    automatic: bool = False
    question: str | None = None
    question_at: datetime | None = None
    question_by: date | None = None
    interest_at: datetime | None = None
    interest_by: date | None = None
    erased: bool = False
    findings: dict[str, Finding] = {}
    exchanges: list[str] = []
    """Its matches, in the order of their ids."""
    changed_at: datetime | None = None

    # ── folding ──────────────────────────────────────────────────────────────────────────────

    def note(self, event: Event, version: int, at: datetime) -> None:
        """Take in one of its events; a second time, or late, changes nothing that was said since."""
        party: Party = event.party  # type: ignore[attr-defined]
        self.take(version, party=Side.of(party, version), roles=party.roles)
        match event:
            case RegistrationMerged() | RegistrationUnmerged():
                self._find(event, undone=isinstance(event, RegistrationUnmerged))
                self.take(version, state=event.state, verdict=event.verdict)
            case RegistrationAmended():
                self._screened(event, version, at)
                self.take(version, question=None, question_by=None, interest_by=None)
            case RegistrationScreened():
                self._screened(event, version, at)
                if type(event) is RegistrationScreened:
                    self.take(version, submitted_at=at)
            case RegistrationAccepted():
                self._decided(RegistrationState.ACCEPTED, version, at)
                self.take(version, automatic=event.automatic)
            case RegistrationRejected():
                self._decided(RegistrationState.REJECTED, version, at)
            case RegistrationWithdrawn():
                self._decided(RegistrationState.WITHDRAWN, version, at)
            case RegistrationLapsed():
                self._decided(RegistrationState.LAPSED, version, at)
            case RegistrationDecisionUndone():
                self.take(version, state=event.state, since=at)
            case RegistrationInformationAsked():
                self.take(version, question=event.question, question_at=at, question_by=event.answer_by)
            case RegistrationInterestAsked():
                self.take(version, interest_at=at, interest_by=event.answer_by)
            case RegistrationInterestConfirmed():
                self.take(version, interest_by=None)
            case RegistrationErased():
                self.take(version, erased=True)
        if self.erased:
            self.erase()
        self._changed(at)

    def heard_of(self, party: Party) -> None:
        """Another service's event names it: that is all that is known until its own event comes."""
        if self.party is None:
            self.party = Side.of(party)
            self._touch()

    def add_exchange(self, match_id: str) -> None:
        """It is one side of that match."""
        if match_id not in self.exchanges:
            self.exchanges = sorted({*self.exchanges, match_id})
            self._touch()

    def erase(self) -> None:
        """Let go of who it is, and of what was said in anybody's own words."""
        self.erased, self.reference = True, None
        self.party = self.party and self.party.erased()
        if self.question is not None:
            self.question = ERASED
        self._touch()

    def _screened(self, event: RegistrationScreened, version: int, at: datetime) -> None:
        self.take(
            version,
            state=event.state,
            since=at,
            verdict=event.verdict,
            reference=event.reference,
            automatic=False,
        )

    def _decided(self, state: RegistrationState, version: int, at: datetime) -> None:
        self.take(version, state=state, since=at, question=None, question_by=None)
        if state is not RegistrationState.ACCEPTED:
            self.take(version, interest_by=None)

    def _find(self, event: RegistrationMerged | RegistrationUnmerged, *, undone: bool) -> None:
        known = self.findings.get(event.merge_id)
        finding = Finding(same_as=event.same_as, undone=undone or bool(known and known.undone))
        self.findings = {**self.findings, event.merge_id: finding}

    def _changed(self, at: datetime) -> None:
        self.changed_at = max(self.changed_at or at, at)
        self._touch()

    # ── as it is listed ──────────────────────────────────────────────────────────────────────

    @computed_field  # type: ignore[prop-decorator]
    @property
    def seen_by(self) -> list[str]:
        """Who sees it; nobody while only others have spoken of it."""
        return [*self.party.seen_by, EVERYTHING] if self.party and self.state else []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def name_key(self) -> str:
        """What lists by name are sorted by."""
        return plain(self.party.name) if self.party else ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def same_as(self) -> list[str]:
        """Registrations found to be of the same organisation."""
        return sorted({one.same_as for one in self.findings.values() if not one.undone})

    @computed_field  # type: ignore[prop-decorator]
    @property
    def words(self) -> list[str]:
        """What it is found by."""
        if self.party is None or self.erased:
            return []
        return words_of(self.party.name, self.party.city, self.reference or "")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def waits(self) -> list[Waiting]:
        """What waits for staff, or for the organisation."""
        if self.party is None or self.state not in _OPEN or self.since is None:
            return []
        found = []
        if self.question is not None:
            found.append(
                Waiting(
                    kind="question",
                    whose=owner(self.party.owner),
                    since=self.question_at or self.since,
                    until=self.question_by,
                )
            )
        elif self.state in UNDECIDED:
            whose = desk(self.party.partnership) if self.party.partnership else SUPPORT
            found.append(Waiting(kind="registration", whose=whose, since=self.since))
        if self.interest_by is not None:
            found.append(
                Waiting(
                    kind="interest",
                    whose=owner(self.party.owner),
                    since=self.interest_at or self.since,
                    until=self.interest_by,
                )
            )
        return found

    @computed_field  # type: ignore[prop-decorator]
    @property
    def waits_for(self) -> list[str]:
        """For whom something waits."""
        return waiting_keys(self.waits)
