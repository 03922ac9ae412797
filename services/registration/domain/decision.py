"""A decision of staff about one registration or many: foreseen, taken, and undone within a time."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Final, Self

import orjson
from pydantic import BaseModel, ConfigDict

from services.registration.domain.audit import Action
from services.registration.domain.registration import Registration
from shared.aggregate import Aggregate
from shared.contracts.vocabulary import RegistrationState, Verdict
from shared.errors import Malformed, RuleBroken

MOST: Final = 1000
"""Registrations one decision may be about."""


class NothingToDecide(RuleBroken):
    """The decision can be taken about none of the registrations."""

    code = "nothing-to-decide"


class TooManyToDecide(RuleBroken):
    """More registrations than one decision may be about."""

    code = "too-many"


class NotAsPreviewed(RuleBroken):
    """The decision is another than was previewed, or what it is about has changed since."""

    code = "not-as-previewed"


class NotUndoable(RuleBroken):
    """The decision is of a kind that cannot be taken back, or it is too late."""

    code = "not-undoable"


class AlreadyUndone(RuleBroken):
    """The decision was taken back before."""

    code = "already-undone"


class DecisionKind(StrEnum):
    """What can be decided about many at once."""

    ACCEPT = "accept"
    REJECT = "reject"
    ASK = "ask"

    @property
    def action(self) -> Action:
        """How the audit trail calls it."""
        return Action(self.value)


class Proposal(BaseModel):
    """What staff mean to do with each registration.

    `reason` of a rejection, and the question, are read by the applicant.
    """

    model_config = ConfigDict(frozen=True)

    decision: DecisionKind
    reason: str = ""
    question: str = ""
    answer_by: date | None = None

    def carry_out(self, registration: Registration, *, by: str, at: datetime, decision_id: str) -> None:
        """Do it to this one; raises the `RuleBroken` that forbids it, and changes nothing then."""
        match self.decision:
            case DecisionKind.ACCEPT:
                registration.accept(by=by, reason=self.reason, at=at, decision_id=decision_id)
            case DecisionKind.REJECT:
                registration.reject(by=by, reason=self.reason, at=at, decision_id=decision_id)
            case DecisionKind.ASK:
                registration.ask(
                    self.question, answer_by=self.answer_by, by=by, at=at, decision_id=decision_id
                )


# ── before it is taken ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Outlook:
    """What a decision would do to one registration.

    `after` is the state it would have; None where the decision cannot be taken, and `sentence` says why.
    """

    registration_id: str
    version: int
    organisation: str | None
    before: RegistrationState | None
    after: RegistrationState | None
    sentence: str
    warnings: tuple[str, ...] = ()


def foresee(
    registration: Registration, proposal: Proposal, *, at: datetime, warnings: Sequence[str] = ()
) -> Outlook:
    """What the proposal would do to the registration at this moment, which it leaves as it is.

    `warnings` are those that only others know.
    """
    trial = registration.model_copy(deep=True)
    organisation = registration.party.organisation
    after: RegistrationState | None = None
    try:
        proposal.carry_out(trial, by="", at=at, decision_id="")
        after = trial.state
        sentence = _WILL_BE[proposal.decision].format(organisation=organisation)
        warnings = (*_warnings(registration, proposal), *warnings)
    except RuleBroken as broken:
        sentence, warnings = broken.detail, ()
    return Outlook(
        registration_id=registration.id,
        version=registration.version,
        organisation=organisation,
        before=registration.state,
        after=after,
        sentence=sentence,
        warnings=tuple(warnings),
    )


_WILL_BE: Final = {
    DecisionKind.ACCEPT: "{organisation} is taken into the pool and told so.",
    DecisionKind.REJECT: "{organisation} is turned down and reads the reason.",
    DecisionKind.ASK: "{organisation} is asked and stays undecided.",
}


def _warnings(registration: Registration, proposal: Proposal) -> list[str]:
    found = []
    why = registration.receipt.for_staff or registration.receipt.sentence
    match proposal.decision, registration.verdict:
        case DecisionKind.ACCEPT, Verdict.INELIGIBLE:
            found.append(f"The rules find it ineligible. {why}")
        case DecisionKind.ACCEPT, Verdict.NEEDS_REVIEW:
            found.append(f"The rules leave a question open. {why}")
        case DecisionKind.REJECT, Verdict.ELIGIBLE:
            found.append("The rules find it eligible.")
    if registration.question is not None:
        asked = f"It was asked “{registration.question.text}” and has not answered yet"
        replaced = ", which this replaces." if proposal.decision is DecisionKind.ASK else "."
        found.append(asked + replaced)
    return found


class Basis(BaseModel):
    """What a preview was about: the request, and each registration with its version, 0 for none.

    It travels as an opaque text, so that a decision is about exactly what was shown and nothing has to
    be kept for previews nobody acts on.
    """

    model_config = ConfigDict(frozen=True)

    request: str
    versions: dict[str, int]

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(zlib.compress(self.model_dump_json().encode())).decode()

    @classmethod
    def read(cls, text: str) -> Self:
        """The basis in a request; raises `Malformed` unless a preview gave it."""
        try:
            inflating = zlib.decompressobj()
            packed = base64.b64decode(text.encode(), b"-_", validate=True)
            raw = inflating.decompress(packed, _MOST_BYTES)
            basis = cls.model_validate(orjson.loads(raw), strict=True)
        except (ValueError, binascii.Error, zlib.error):
            why = "is not the `basis` of a preview"
            raise Malformed(f"/basis: {why}", errors=[{"pointer": "/basis", "detail": why}]) from None
        return basis

    def require_same_request(self, request: str) -> None:
        """Raises `NotAsPreviewed` when something else was asked for in the preview."""
        if request != self.request:
            raise NotAsPreviewed(
                "The basis belongs to another decision than this one; send exactly what was previewed, "
                "or preview it anew."
            )

    def require_unchanged(self, registrations: Mapping[str, Registration]) -> None:
        """Raises `NotAsPreviewed`, which lists them, when registrations have changed since the preview."""
        changed = [
            _now(id, registrations.get(id))
            for id, version in self.versions.items()
            if version != (registrations[id].version if id in registrations else 0)
        ]
        if changed:
            raise NotAsPreviewed(
                f"{len(changed)} of the {len(self.versions)} registrations have changed since the preview, "
                "and nothing was decided; preview it anew.",
                errors=[{"pointer": "/basis", "detail": sentence} for sentence in changed],
            )


_MOST_BYTES: Final = 200_000


def _now(id: str, registration: Registration | None) -> str:
    if registration is None:
        return f"Registration {id} is not there any more, or not yours to see."
    last = registration.history[-1]
    return (
        f"Registration {id} is {registration.state.replace('_', ' ')} now; "
        f"the last to change it was {last.by or 'somebody'}, at {last.at:%Y-%m-%d %H:%M:%S} UTC."
    )


# ── once it is taken ─────────────────────────────────────────────────────────────────────────


class DecisionItem(BaseModel):
    """What the decision did to one registration; it can be undone while that is at `version`."""

    model_config = ConfigDict(frozen=True)

    registration_id: str
    before: RegistrationState
    after: RegistrationState
    version: int


class LeftOut(BaseModel):
    """A registration that the decision could not be taken about; `code` is that of the broken rule."""

    model_config = ConfigDict(frozen=True)

    registration_id: str
    code: str


class Undoing(BaseModel):
    """When and why a decision was taken back, and about which registrations; others had changed since."""

    model_config = ConfigDict(frozen=True)

    by: str
    at: datetime
    reason: str
    registrations: list[str]


class Decision(Aggregate):
    """What an officer decided about one registration or many, in one transaction."""

    COLLECTION: ClassVar[str] = "decisions"

    kind: DecisionKind
    by: str
    partnership: str
    at: datetime
    reason: str
    """Why, or the question that was asked."""
    answer_by: date | None = None
    items: list[DecisionItem]
    left_out: list[LeftOut] = []
    undoable_until: datetime | None = None
    """None: not at all."""
    undone: Undoing | None = None

    @classmethod
    def take(
        cls,
        id: str,
        proposal: Proposal,
        registrations: Sequence[Registration],
        *,
        by: str,
        partnership: str,
        at: datetime,
        undoable_until: datetime,
    ) -> Self:
        """Decide about each of them that rules allow it for; those of others are left out.

        Raises the `RuleBroken` of the only one, or `NothingToDecide` when it is allowed for none.
        """
        items, left_out = [], []
        for registration in registrations:
            before = registration.state
            try:
                proposal.carry_out(registration, by=by, at=at, decision_id=id)
            except RuleBroken as broken:
                if len(registrations) == 1:
                    raise
                left_out.append(LeftOut(registration_id=registration.id, code=broken.code))
                continue
            items.append(
                DecisionItem(
                    registration_id=registration.id,
                    before=before,
                    after=registration.state,
                    version=registration.version,
                )
            )
        if not items:
            raise NothingToDecide(
                "None of these registrations can be decided like this; the preview says why of each."
            )
        decision = cls(
            id=id,
            kind=proposal.decision,
            by=by,
            partnership=partnership,
            at=at,
            reason=proposal.question or proposal.reason,
            answer_by=proposal.answer_by,
            items=items,
            left_out=left_out,
            undoable_until=undoable_until if proposal.decision is not DecisionKind.ASK else None,
        )
        decision._touch()
        return decision

    def require_undoable(self, at: datetime) -> None:
        """Raises `AlreadyUndone`, or `NotUndoable` for a question and once the time is over."""
        if self.undone is not None:
            raise AlreadyUndone(
                f"The decision was undone by {self.undone.by} at {self.undone.at:%Y-%m-%d %H:%M} UTC."
            )
        if self.undoable_until is None:
            raise NotUndoable("A question cannot be taken back once it is asked; decide, or ask anew.")
        if at > self.undoable_until:
            raise NotUndoable(
                f"The decision could be undone until {self.undoable_until:%Y-%m-%d %H:%M} UTC; "
                "decide about each registration anew."
            )

    def forget(self) -> None:
        """A registration it is about was erased: words for that one alone go, those for many are of none."""
        if len(self.items) == 1 and (self.reason or (self.undone and self.undone.reason)):
            self.reason = ""
            self.undone = self.undone and self.undone.model_copy(update={"reason": ""})
            self._touch()

    def undo(self, registrations: Sequence[str], *, by: str, reason: str, at: datetime) -> None:
        """It holds no longer for these registrations, which are as they were before it."""
        self.require_undoable(at)
        self.undone = Undoing(by=by, at=at, reason=reason, registrations=list(registrations))
        self._touch()
