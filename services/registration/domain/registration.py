"""The registration of one organisation: what it sent, where it stands, and how it came to stand there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Self
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, ConfigDict

from services.registration.domain.eligibility import Screening
from services.registration.domain.identifiers import Identifiers
from shared.aggregate import Aggregate
from shared.contracts.common import Party, Place, Receipt
from shared.contracts.registration import (
    PreAgreed,
    PreAgreedPartner,
    Profile,
    RegistrationAccepted,
    RegistrationAmended,
    RegistrationRejected,
    RegistrationScreened,
    RegistrationWithdrawn,
    Submission,
)
from shared.contracts.vocabulary import RegistrationState, Verdict
from shared.errors import RuleBroken

_NAMESPACE: Final = uuid5(NAMESPACE_URL, "https://clusterxchange.example/registrations")

SCREENED: Final = frozenset(
    {RegistrationState.ELIGIBLE, RegistrationState.INELIGIBLE, RegistrationState.NEEDS_REVIEW}
)
"""States before anyone decided; each is the verdict of the rules."""
OPEN: Final = SCREENED | {RegistrationState.ACCEPTED}
"""States in which a registration can still be amended or withdrawn."""


class AlreadySubmitted(RuleBroken):
    """The sender used this reference for a registration before."""

    code = "already-submitted"


class WrongState(RuleBroken):
    """The registration's state does not allow this."""

    code = "registration-state"


class ReasonNeeded(RuleBroken):
    """A decision against the rules' verdict needs its reason."""

    code = "reason-needed"


class NoPartnershipYet(RuleBroken):
    """Nobody can decide before a partnership has the case."""

    code = "no-partnership"


class UnresolvableReference(RuleBroken):
    """A pre-agreed partner is named by a reference that only the sender of events has."""

    code = "unresolvable-reference"


def id_from_outside(source: str, subject: str) -> str:
    """The id of the registration that `source` calls `subject` (attributes of its CloudEvents).

    The same for every event of that source and subject, so that an amendment, a withdrawal or a
    partner's pre-agreement finds the registration without anything having to be looked up.
    """
    return str(uuid5(_NAMESPACE, f"{source}|{subject}"))


class Origin(BaseModel):
    """Who sent a registration, and by which door.

    by: a token's subject or an event's source. owner: the organisation claim that may act for it,
    None for the registration's own id. source, reference, event_id: the CloudEvent's source, subject
    and id where it came by event.
    """

    model_config = ConfigDict(frozen=True)

    by: str
    owner: str | None = None
    source: str | None = None
    reference: str | None = None
    event_id: str | None = None


@dataclass(frozen=True)
class Assessment:
    """What was found out about a submission before it is stored: recognised, assigned, screened."""

    identifiers: Identifiers
    partnership: str | None
    screening: Screening
    accept_if_eligible: bool
    """The partnership takes eligible registrations without a person's decision."""


class Transition(BaseModel):
    """One step in a registration's life: who took it, when, and why."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    by: str
    state: RegistrationState
    why: str


AUTOMATIC: Final = "automatic acceptance"


class Registration(Aggregate):
    """Submitted and screened, then accepted or rejected by its partnership, or withdrawn.

    Amending sends the whole registration again: a decision taken on other facts does not stand, so
    it goes back to the verdict of the rules, and is accepted anew by person or automatically.
    """

    COLLECTION: ClassVar[str] = "registrations"

    origin: Origin
    submission: Submission
    party: Party
    state: RegistrationState
    verdict: Verdict
    receipt: Receipt
    history: list[Transition] = []

    # ── what the organisation does ───────────────────────────────────────────────────────────

    @classmethod
    def submit(
        cls, submission: Submission, *, id: str, origin: Origin, assessment: Assessment, at: datetime
    ) -> Self:
        """A new registration, screened; accepted at once where its partnership does so.

        Raises `UnresolvableReference`.
        """
        _partner_ids(submission, origin.source)
        registration = cls(
            id=id,
            origin=origin,
            submission=submission,
            party=_party(submission, id, origin.owner or id, assessment),
            state=RegistrationState(assessment.screening.verdict),
            verdict=assessment.screening.verdict,
            receipt=assessment.screening.receipt,
        )
        registration._move(registration.state, origin.by, "submitted", at)
        registration._record(RegistrationScreened(**registration._screened(origin.event_id)))
        registration._accept_automatically(assessment, at)
        return registration

    def amend(
        self,
        submission: Submission,
        *,
        by: str,
        assessment: Assessment,
        at: datetime,
        event_id: str | None = None,
    ) -> None:
        """Replace the whole registration and screen it anew.

        Raises `WrongState` once it is rejected or withdrawn, and `UnresolvableReference`.
        """
        self._require(OPEN, "amended")
        _partner_ids(submission, self.origin.source)
        self.submission = submission
        self.party = _party(submission, self.id, self.party.owner, assessment)
        self.verdict = assessment.screening.verdict
        self.receipt = assessment.screening.receipt
        self._move(RegistrationState(self.verdict), by, "amended", at)
        self._record(RegistrationAmended(**self._screened(event_id)))
        self._accept_automatically(assessment, at)

    def withdraw(self, *, by: str, reason: str, at: datetime) -> None:
        """Take it back; raises `WrongState` once it is rejected or withdrawn."""
        self._require(OPEN, "withdrawn")
        self._move(RegistrationState.WITHDRAWN, by, reason or "withdrawn", at)
        self._record(RegistrationWithdrawn(party=self.party, reason=reason))

    # ── what the partnership does ────────────────────────────────────────────────────────────

    def accept(self, *, by: str, reason: str, at: datetime) -> None:
        """Take it into the pool; the verdict is advice, but going against it needs a reason.

        Raises `WrongState`, `NoPartnershipYet` and `ReasonNeeded`.
        """
        self._require(SCREENED, "accepted")
        if self.party.partnership is None:
            raise NoPartnershipYet("The registration has no partnership yet; amend it and choose one.")
        if self.verdict is Verdict.INELIGIBLE and not reason.strip():
            raise ReasonNeeded(
                f"The rules find this registration ineligible, so accepting it needs a reason. "
                f"{self.receipt.sentence}"
            )
        self._accept(by, reason or "accepted", at, automatic=False)

    def reject(self, *, by: str, reason: str, at: datetime) -> None:
        """Turn it down with a reason; raises `WrongState` and `ReasonNeeded`."""
        self._require(SCREENED, "rejected")
        if not reason.strip():
            raise ReasonNeeded("Rejecting a registration needs a reason; the applicant will read it.")
        self._move(RegistrationState.REJECTED, by, reason, at)
        self._record(RegistrationRejected(party=self.party, reason=reason))

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    @property
    def profile(self) -> Profile:
        """What matching needs to know of it."""
        return profile_of(self.submission, self.origin.source)

    def _accept_automatically(self, assessment: Assessment, at: datetime) -> None:
        if assessment.accept_if_eligible and self.verdict is Verdict.ELIGIBLE:
            self._accept(AUTOMATIC, "eligible", at, automatic=True)

    def _accept(self, by: str, why: str, at: datetime, *, automatic: bool) -> None:
        self._move(RegistrationState.ACCEPTED, by, why, at)
        self._record(RegistrationAccepted(party=self.party, profile=self.profile, automatic=automatic))

    def _require(self, allowed: frozenset[RegistrationState], what: str) -> None:
        if self.state not in allowed:
            raise WrongState(
                f"Registration {self.id} is {self.state.replace('_', ' ')} and cannot be {what}; "
                f"that is possible while it is {' or '.join(sorted(allowed)).replace('_', ' ')}."
            )

    def _move(self, state: RegistrationState, by: str, why: str, at: datetime) -> None:
        self.state = state
        self.history.append(Transition(at=at, by=by, state=state, why=why))

    def _screened(self, event_id: str | None) -> dict[str, Any]:
        return {
            "party": self.party,
            "state": self.state,
            "verdict": self.verdict,
            "receipt": self.receipt,
            "reference": self.origin.reference,
            "inbox_event_id": event_id,
        }


def profile_of(submission: Submission, source: str | None) -> Profile:
    """A submission as matching needs it; `source` is the one whose references name partners.

    Raises `UnresolvableReference` when a partner is named by reference and there is no source.
    """
    return Profile(
        goals=submission.goals,
        ecosystems=submission.ecosystems,
        offers=submission.offers,
        needs=submission.needs,
        languages=submission.languages,
        availability=submission.availability,
        preferred_countries=submission.preferences.countries,
        preferred_working_days=submission.preferences.working_days,
        host_places=submission.host_places,
        motivation=submission.motivation,
        pre_agreed=[
            PreAgreed(registration_id=partner_id, first_day=partner.first_day, last_day=partner.last_day)
            for partner, partner_id in zip(
                submission.pre_agreed, _partner_ids(submission, source), strict=True
            )
        ],
    )


def _partner_ids(submission: Submission, source: str | None) -> list[str]:
    return [_partner_id(partner, source) for partner in submission.pre_agreed]


def _partner_id(partner: PreAgreedPartner, source: str | None) -> str:
    if partner.registration_id is not None:
        return partner.registration_id
    if source is None or partner.reference is None:
        raise UnresolvableReference(
            f"The pre-agreed partner '{partner.reference}' is named by reference, which only registrations "
            "sent as events of one source have; name the partner by registration_id."
        )
    return id_from_outside(source, partner.reference)


def _party(submission: Submission, id: str, owner: str, assessment: Assessment) -> Party:
    organisation = submission.organisation
    country = deciding_country(submission)
    return Party(
        registration_id=id,
        organisation=organisation.name,
        kind=organisation.kind,
        place=Place(
            country=country,
            city=organisation.city,
            region=organisation.region if country == organisation.country else None,
            lat=organisation.lat,
            lon=organisation.lon,
        ),
        email=submission.participant.email,
        language=submission.participant.language,
        partnership=assessment.partnership,
        roles=list(dict.fromkeys(submission.roles)),
        owner=owner,
        identifiers=list(assessment.identifiers.keys),
    )


def deciding_country(submission: Submission) -> str:
    """The country the organisation takes part for: of several, where the participant is based."""
    organisation, based_in = submission.organisation, submission.participant.based_in
    if based_in is not None and based_in in organisation.also_registered_in:
        return based_in
    return organisation.country
