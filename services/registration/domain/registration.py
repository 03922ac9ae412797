"""The registration of one organisation: what it sent, where it stands, and how it came to stand there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any, ClassVar, Final, Literal, Self

from anyascii import anyascii
from pydantic import BaseModel, ConfigDict

from services.registration.domain.eligibility import Screening
from services.registration.domain.identifiers import Identifiers
from services.registration.domain.interest import Interest, InterestPolicy, Step
from services.registration.domain.versions import Sending, SentVersion
from shared.aggregate import Aggregate
from shared.contracts.common import ERASED, Party, Place, Receipt
from shared.contracts.registration import (
    Organisation,
    Participant,
    PreAgreed,
    PreAgreedPartner,
    Profile,
    RegistrationAccepted,
    RegistrationAmended,
    RegistrationAssigned,
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
    Submission,
    id_from_outside,
)
from shared.contracts.vocabulary import RegistrationState, Verdict
from shared.errors import RuleBroken

SCREENED: Final = frozenset(
    {RegistrationState.ELIGIBLE, RegistrationState.INELIGIBLE, RegistrationState.NEEDS_REVIEW}
)
"""States before anyone decided; each is the verdict of the rules."""
OPEN: Final = SCREENED | {RegistrationState.ACCEPTED}
"""States in which a registration can still be withdrawn."""
CLOSED: Final = frozenset(RegistrationState) - OPEN
"""States in which nothing is decided any more."""
AMENDABLE: Final = OPEN | {RegistrationState.LAPSED}
"""A lapsed registration comes back when it is sent again."""


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


class ChangedSince(RuleBroken):
    """The registration has gone on since the decision, which can no longer be undone."""

    code = "changed-since"


class StillOpen(RuleBroken):
    """A registration somebody may still decide is withdrawn before it is erased."""

    code = "still-open"


class AlreadyErased(RuleBroken):
    """Its personal data are gone, and nothing can be done with what is left."""

    code = "erased"


class AlreadyAssigned(RuleBroken):
    """The partnership has the case already."""

    code = "already-assigned"


class AnswerDayPassed(RuleBroken):
    """An answer cannot be waited for until a day that is over."""

    code = "answer-day-passed"


class UnresolvableReference(RuleBroken):
    """A pre-agreed partner is named by a reference that only the sender of events has."""

    code = "unresolvable-reference"


class Origin(BaseModel):
    """Who sent a registration, and by which door.

    by: a token's subject or an event's source. owner: the organisation claim that may act for it,
    None for the registration's own id. source, reference, event_id: the CloudEvent's source, subject
    and id where it came by event. system: the outside system that follows what becomes of it.
    """

    model_config = ConfigDict(frozen=True)

    by: str
    owner: str | None = None
    source: str | None = None
    reference: str | None = None
    event_id: str | None = None
    system: str | None = None


class Question(BaseModel):
    """What staff want to know before they decide; the next amendment answers it."""

    model_config = ConfigDict(frozen=True)

    text: str
    by: str
    at: datetime
    answer_by: date | None = None


class Cv(BaseModel):
    """A file that was sent with it: a PDF, looked into; the file itself is kept elsewhere, as `file_id`."""

    model_config = ConfigDict(frozen=True)

    file_id: str
    name: str
    size: int
    sha256: str
    pages: int
    uploaded_at: datetime
    by: str


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
    decision_id: str | None = None
    """The decision of staff, which was about this registration or many; it can be undone for a time."""


AUTOMATIC: Final = "automatic acceptance"
BY_TIME: Final = "the passing of time"

_UNDOABLE: Final[dict[RegistrationState, Literal["accepted", "rejected"]]] = {
    RegistrationState.ACCEPTED: "accepted",
    RegistrationState.REJECTED: "rejected",
}


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
    assigned: str | None = None
    """The partnership it was given to by hand; holds until the organisation chooses another."""
    question: Question | None = None
    """What staff wait for an answer to."""
    interest: Interest | None = None
    cv: Cv | None = None
    sent: Sending | None = None
    """The last amendment; None while it says what was first sent."""
    borrowed: dict[str, list[str]] = {}
    """Identifiers of registrations found to be of the same organisation, by the finding."""
    erased_at: datetime | None = None

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
            party=_party(submission, id, origin.owner or id, origin.system, assessment),
            state=RegistrationState(assessment.screening.verdict),
            verdict=assessment.screening.verdict,
            receipt=assessment.screening.receipt,
            interest=Interest(since=at),
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
    ) -> SentVersion:
        """Replace the whole registration and screen it anew; answers what staff asked.

        Returns what it said before, to be kept. Raises `WrongState` once it is rejected or withdrawn,
        and `UnresolvableReference`.
        """
        self._require(AMENDABLE, "amended")
        _partner_ids(submission, self.origin.source)
        before = self.as_sent(until=at)
        self.sent = Sending(number=before.number + 1, at=at, by=by)
        self.assigned = self.kept_for(submission)
        self.submission = submission
        own = _party(submission, self.id, self.party.owner, self.origin.system, assessment)
        self.party = own.model_copy(update={"identifiers": self._with_borrowed(own.identifiers)})
        self.question = None
        self.interest = Interest(since=at)
        self._screen(assessment)
        self._move(RegistrationState(self.verdict), by, "amended", at)
        self._record(RegistrationAmended(**self._screened(event_id)))
        self._accept_automatically(assessment, at)
        return before

    def as_sent(self, *, until: datetime | None = None) -> SentVersion:
        """What it says at present, as the version it is."""
        first = self.history[0]
        sending = self.sent or Sending(number=1, at=first.at, by=first.by)
        return SentVersion.of(self.id, sending, self.submission, self.verdict, self.receipt, until=until)

    def withdraw(self, *, by: str, reason: str, at: datetime) -> None:
        """Take it back; raises `WrongState` once it is rejected or withdrawn."""
        self._require(OPEN, "withdrawn")
        self._move(RegistrationState.WITHDRAWN, by, reason or "withdrawn", at)
        self._record(RegistrationWithdrawn(party=self.party, reason=reason))

    def attach_cv(self, cv: Cv, *, at: datetime) -> str | None:
        """Put this CV in the place of the one there is, whose file's id is returned.

        Raises `WrongState` once it is closed.
        """
        self._require(OPEN, "given a CV")
        replaced, self.cv = self.cv, cv
        self.interest = Interest(since=at)
        self._note(cv.by, "CV replaced" if replaced else "CV added", at)
        self._touch()
        return replaced.file_id if replaced else None

    def remove_cv(self, *, by: str, at: datetime) -> str | None:
        """Let go of the CV, in any state; returns the file's id, or None where there is none."""
        if self.cv is None:
            return None
        removed, self.cv = self.cv, None
        self._note(by, "CV removed", at)
        self._touch()
        return removed.file_id

    def confirm_interest(self, *, by: str, at: datetime) -> None:
        """Still interested; raises `WrongState` once it is closed."""
        self._require(OPEN, "confirmed")
        self.interest = Interest(since=at)
        self._note(by, "still interested", at)
        self._record(RegistrationInterestConfirmed(party=self.party))

    # ── what the partnership does ────────────────────────────────────────────────────────────

    def accept(self, *, by: str, reason: str, at: datetime, decision_id: str | None = None) -> None:
        """Take it into the pool; the verdict is advice, but going against it needs a reason.

        Raises `WrongState`, `NoPartnershipYet` and `ReasonNeeded`.
        """
        self._require(SCREENED, "accepted")
        if self.party.partnership is None:
            raise NoPartnershipYet("The registration has no partnership yet; amend it and choose one.")
        if self.verdict is Verdict.INELIGIBLE and not reason.strip():
            raise ReasonNeeded(
                f"The rules find this registration ineligible, so accepting it needs a reason. "
                f"{self.receipt.for_staff or self.receipt.sentence}"
            )
        self._accept(by, reason or "accepted", at, automatic=False, decision_id=decision_id)

    def reject(self, *, by: str, reason: str, at: datetime, decision_id: str | None = None) -> None:
        """Turn it down with a reason; raises `WrongState` and `ReasonNeeded`."""
        self._require(SCREENED, "rejected")
        if not reason.strip():
            raise ReasonNeeded("Rejecting a registration needs a reason; the applicant will read it.")
        self._move(RegistrationState.REJECTED, by, reason, at, decision_id)
        self._record(RegistrationRejected(party=self.party, reason=reason))

    def ask(
        self,
        question: str,
        *,
        answer_by: date | None,
        by: str,
        at: datetime,
        decision_id: str | None = None,
    ) -> None:
        """Ask for more information before deciding; a later question replaces an earlier one.

        Raises `WrongState` and `AnswerDayPassed`.
        """
        self._require(SCREENED, "asked for more information")
        if answer_by is not None and answer_by < at.date():
            raise AnswerDayPassed(f"{answer_by} is over; give today or a later day to answer by.")
        self.question = Question(text=question, by=by, at=at, answer_by=answer_by)
        self._note(by, f"asked: {question}", at, decision_id)
        self._record(RegistrationInformationAsked(party=self.party, question=question, answer_by=answer_by))

    def assign(self, *, assessment: Assessment, by: str, reason: str, at: datetime) -> None:
        """Hand it to the partnership of the assessment, by whose rules it was screened anew.

        Raises `WrongState` and `AlreadyAssigned`.
        """
        self._require(SCREENED, "assigned")
        before = self.party.partnership
        if before == assessment.partnership:
            raise AlreadyAssigned(f"{before} has this registration already.")
        self.assigned = assessment.partnership
        self._screen(assessment)
        self._move(RegistrationState(self.verdict), by, reason or f"assigned to {assessment.partnership}", at)
        self._record(RegistrationAssigned(**self._screened(None), before=before, reason=reason))
        self._accept_automatically(assessment, at)

    def undo_decision(self, decision_id: str, *, version: int, by: str, reason: str, at: datetime) -> None:
        """Take back the acceptance or rejection that led to this version.

        The verdict of the rules stands again. Raises `ChangedSince` when anything has happened to
        the registration since: what was built on the decision is not pulled away unseen.
        """
        if self.version != version or self.state not in _UNDOABLE:
            raise ChangedSince(
                f"Registration {self.id} is {self.state.replace('_', ' ')} and has changed since the "
                "decision, which can no longer be undone; decide anew, or withdraw it."
            )
        undone = _UNDOABLE[self.state]
        self._move(RegistrationState(self.verdict), by, reason or f"{undone} by mistake", at, decision_id)
        self._record(
            RegistrationDecisionUndone(
                party=self.party, undone=undone, state=self.state, decision_id=decision_id, reason=reason
            )
        )

    def merge(
        self,
        same_as: str,
        merge_id: str,
        identifiers: Sequence[str],
        *,
        assessment: Assessment,
        by: str,
        at: datetime,
    ) -> None:
        """Found to be of the same organisation as `same_as`, whose identifiers count for it too."""
        self.borrowed = {**self.borrowed, merge_id: list(identifiers)}
        self._regroup(assessment, by, f"the same organisation as {same_as}", at)
        self._record(RegistrationMerged(**self._screened(None), same_as=same_as, merge_id=merge_id))

    def unmerge(self, same_as: str, merge_id: str, *, assessment: Assessment, by: str, at: datetime) -> None:
        """Found not to be of the same organisation as `same_as` after all."""
        self.borrowed = {id: keys for id, keys in self.borrowed.items() if id != merge_id}
        self._regroup(assessment, by, f"not the same organisation as {same_as} after all", at)
        self._record(RegistrationUnmerged(**self._screened(None), same_as=same_as, merge_id=merge_id))

    # ── what time does ───────────────────────────────────────────────────────────────────────

    def check_interest(self, policy: InterestPolicy, *, at: datetime, visiting: bool = False) -> Step | None:
        """Ask, remind or let go as the policy wants at this moment; returns what was done.

        `visiting`: its own approved match uses its visit, which is a sign of life by itself.
        """
        if self.state not in OPEN or self.interest is None:
            return None
        step = self.interest.due(policy, at)
        if step is not None and visiting:
            self.interest = Interest(since=at)
            self._touch()
            return None
        match step:
            case "ask":
                self.interest = self.interest.model_copy(update={"asked_at": at})
                self._ask_for_interest(policy, at, reminder=False)
            case "remind":
                self.interest = self.interest.model_copy(update={"reminded_at": at})
                self._ask_for_interest(policy, at, reminder=True)
            case "lapse":
                self._move(RegistrationState.LAPSED, BY_TIME, "no answer whether still interested", at)
                self._record(RegistrationLapsed(party=self.party))
        return step

    def erase(
        self, *, on_behalf_of: Literal["organisation", "partnership", "retention"], at: datetime
    ) -> None:
        """Let go of the personal data; what counts (kind, country, state, verdict, moments) stays.

        Raises `StillOpen` while it could still be decided, and `AlreadyErased`.
        """
        self._require_not_erased()
        if self.state in OPEN:
            raise StillOpen(f"Registration {self.id} is still open; withdraw it before it is erased.")
        self.submission = without_personal_data(self.submission)
        self.party = self.party.erased()
        self.receipt = _without_identifiers(self.receipt)
        self.history = [step.model_copy(update={"by": "", "why": ""}) for step in self.history]
        self.cv = None
        self.sent = self.sent and self.sent.model_copy(update={"by": ""})
        self.question, self.interest, self.borrowed, self.sent = None, None, {}, None
        self.origin = Origin(
            by=self.origin.system or "", source=self.origin.source, system=self.origin.system
        )
        self.erased_at = at
        self._record(RegistrationErased(party=self.party, on_behalf_of=on_behalf_of))

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def to_document(self) -> dict[str, object]:
        """The registration as it is stored, with what lists are sorted and searched by."""
        return {**super().to_document(), "listed": self.listed}

    @property
    def listed(self) -> dict[str, str]:
        """What lists are sorted and searched by: `submitted_at`, and `name` as one would look it up."""
        return listed(self.submitted_at, self.party.organisation)

    @property
    def submitted_at(self) -> datetime:
        """When it came in."""
        return self.history[0].at

    @property
    def profile(self) -> Profile:
        """What matching needs to know of it."""
        return profile_of(self.submission, self.origin.source)

    def kept_for(self, submission: Submission) -> str | None:
        """The partnership it was given to by hand, unless this amendment chooses another than before."""
        chosen_anew = submission.partnership not in (None, self.submission.partnership)
        return None if chosen_anew else self.assigned

    def _accept_automatically(self, assessment: Assessment, at: datetime) -> None:
        if assessment.accept_if_eligible and self.verdict is Verdict.ELIGIBLE:
            self._accept(AUTOMATIC, "eligible", at, automatic=True)

    def _accept(
        self, by: str, why: str, at: datetime, *, automatic: bool, decision_id: str | None = None
    ) -> None:
        self._move(RegistrationState.ACCEPTED, by, why, at, decision_id)
        self._record(RegistrationAccepted(party=self.party, profile=self.profile, automatic=automatic))

    def _require_not_erased(self) -> None:
        if self.erased_at is not None:
            raise AlreadyErased(
                f"Registration {self.id} was erased on {self.erased_at:%d %B %Y}; to take part again the "
                "organisation registers anew."
            )

    def _require(self, allowed: frozenset[RegistrationState], what: str) -> None:
        self._require_not_erased()
        if self.state not in allowed:
            raise WrongState(
                f"Registration {self.id} is {self.state.replace('_', ' ')} and cannot be {what}; "
                f"that is possible while it is {' or '.join(sorted(allowed)).replace('_', ' ')}."
            )

    def _move(
        self, state: RegistrationState, by: str, why: str, at: datetime, decision_id: str | None = None
    ) -> None:
        self.state = state
        if state is not RegistrationState(self.verdict):
            self.question = None  # decided, withdrawn or lapsed: nobody waits for the answer any more
        self._note(by, why, at, decision_id)

    def _note(self, by: str, why: str, at: datetime, decision_id: str | None = None) -> None:
        step = Transition(at=at, by=by, state=self.state, why=why, decision_id=decision_id)
        self.history.append(step)

    def _screen(self, assessment: Assessment) -> None:
        self.party = self.party.model_copy(update={"partnership": assessment.partnership})
        self.verdict = assessment.screening.verdict
        self.receipt = assessment.screening.receipt

    def _with_borrowed(self, own: Sequence[str]) -> list[str]:
        return list(dict.fromkeys([*own, *chain.from_iterable(self.borrowed.values())]))

    def _regroup(self, assessment: Assessment, by: str, why: str, at: datetime) -> None:
        """Count other identifiers for it; what is not decided yet follows the new verdict."""
        keys = self._with_borrowed(assessment.identifiers.keys)
        self.party = self.party.model_copy(update={"identifiers": keys})
        undecided = self.state in SCREENED
        self._screen(assessment)
        if undecided:
            self._move(RegistrationState(self.verdict), by, why, at)
        else:
            self._note(by, why, at)

    def _ask_for_interest(self, policy: InterestPolicy, at: datetime, *, reminder: bool) -> None:
        self._note(
            BY_TIME,
            "asked again whether still interested" if reminder else "asked whether still interested",
            at,
        )
        answer_by = policy.answer_by(at, reminder=reminder)
        self._record(RegistrationInterestAsked(party=self.party, answer_by=answer_by, reminder=reminder))

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


def _party(submission: Submission, id: str, owner: str, source: str | None, assessment: Assessment) -> Party:
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
        source=source,
        identifiers=list(assessment.identifiers.keys),
    )


def without_personal_data(submission: Submission) -> Submission:
    """What a registration said of what, not of who: kind, country, roles, goals, ecosystems, days."""
    organisation, participant = submission.organisation, submission.participant
    return submission.model_copy(
        update={
            "organisation": Organisation(
                name=ERASED,
                kind=organisation.kind,
                country=organisation.country,
                also_registered_in=organisation.also_registered_in,
                city=ERASED,
            ),
            "participant": Participant(email="erased@erased.invalid", language=participant.language),
            "motivation": "",
            "offers": [],
            "needs": [],
            "pre_agreed": [],
        }
    )


def _without_identifiers(receipt: Receipt) -> Receipt:
    """The receipt without numbers and clusters that tell the organisation; the outcome of each rule stays."""
    named = [
        *receipt.facts.get("faulty_identifiers", []),
        *(f"“{name}”" for name in receipt.facts.get("member_of", [])),
    ]

    def blanked(sentence: str) -> str:
        for name in named:
            sentence = sentence.replace(name, ERASED)
        return sentence

    return receipt.model_copy(
        update={
            "facts": {
                name: fact
                for name, fact in receipt.facts.items()
                if name not in ("identifiers", "faulty_identifiers", "member_of")
            },
            "outcomes": [
                outcome.model_copy(update={"sentence": blanked(outcome.sentence)})
                for outcome in receipt.outcomes
            ],
            "sentence": blanked(receipt.sentence),
            "for_staff": receipt.for_staff and blanked(receipt.for_staff),
        }
    )


def listed(submitted_at: datetime, organisation: str) -> dict[str, str]:
    """What a registration is sorted and searched by in lists."""
    return {"submitted_at": _moment(submitted_at), "name": folded(organisation)}


def folded(name: str) -> str:
    """A name as lists sort and search it: ASCII letters, lower case, at most 100 characters."""
    plain = name if name.isascii() else anyascii(name)
    return " ".join(plain.lower().split())[:100]


def _moment(at: datetime) -> str:
    """With its microseconds also where there are none: as text, moments are then in the order of time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def deciding_country(submission: Submission) -> str:
    """The country the organisation takes part for: of several, where the participant is based."""
    organisation, based_in = submission.organisation, submission.participant.based_in
    if based_in is not None and based_in in organisation.also_registered_in:
        return based_in
    return organisation.country
