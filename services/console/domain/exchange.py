"""An exchange as the console lists it: a match with its commitment, lump sum, agreement, report, evidence."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import ClassVar, Final, Literal

from pydantic import computed_field

from services.console.domain.latest import Latest
from services.console.domain.registration import Side
from services.console.domain.searching import words_of
from services.console.domain.waits import EVERYTHING, Waiting, WaitKind, desk, owner, waiting_keys
from shared.aggregate import Aggregate
from shared.contracts.common import ERASED, Party
from shared.contracts.envelope import Event
from shared.contracts.funding import (
    AgreementDrawnUp,
    AgreementEvent,
    AgreementSigned,
    AgreementVoided,
    BankAccountGiven,
    EvidenceAccepted,
    EvidenceReturned,
    EvidenceSubmitted,
    GrantAwaitingBudget,
    GrantCancelled,
    GrantClaimedBack,
    GrantCommitted,
    GrantEvent,
    GrantMatchEnded,
    GrantNeedsReview,
    GrantPaid,
    GrantPayable,
    GrantPaymentFailed,
    GrantPrepared,
    GrantRecalculated,
    GrantRecovered,
    GrantRefused,
    GrantReleased,
    GrantReopened,
    GrantReserved,
    GrantUnprepared,
    ReportReturned,
    ReportSubmitted,
    ReportValidated,
)
from shared.contracts.matching import (
    CommitmentEvent,
    CommitmentVoided,
    MatchAgreed,
    MatchApproved,
    MatchCancelled,
    MatchCountered,
    MatchDeclined,
    MatchEndorsed,
    MatchEvent,
    MatchExpired,
    MatchProposed,
    MatchRefused,
    MatchReminded,
    MatchSuggested,
    MatchWithdrawn,
    SigningRole,
)
from shared.contracts.matching import Side as SideName
from shared.contracts.vocabulary import GrantState, MatchState

PaperState = Literal["open", "complete", "void"]

_ENDED: Final[dict[type[MatchEvent], MatchState]] = {
    MatchDeclined: MatchState.DECLINED,
    MatchRefused: MatchState.REFUSED,
    MatchCancelled: MatchState.CANCELLED,
    MatchExpired: MatchState.EXPIRED,
    MatchWithdrawn: MatchState.WITHDRAWN,
}
_NO_EXCHANGE: Final = (GrantState.REFUSED, GrantState.CANCELLED, GrantState.RECOVERED)
_WITH_GATES: Final = (
    GrantState.RESERVED,
    GrantState.COMMITTED,
    GrantState.AWAITING_BUDGET,
    GrantState.NEEDS_REVIEW,
)
_WITH_AMOUNT: Final = (
    GrantReserved,
    GrantAwaitingBudget,
    GrantRecalculated,
    GrantCommitted,
    GrantPayable,
    GrantPaid,
)
_IN_PAYMENT: Final = (GrantState.PREPARED, GrantState.RELEASED, GrantState.PAID)


class MatchPart(Latest):
    """The match itself."""

    state: MatchState | None = None
    since: datetime | None = None
    first_day: date | None = None
    last_day: date | None = None
    proposed_by: SideName | None = None
    answer_by: date | None = None
    score: float | None = None
    group_event_id: str | None = None
    plan_id: str | None = None
    endorsed_by: list[str] = []

    def note(self, event: MatchEvent, version: int, at: datetime) -> None:
        """Take in one of its events."""
        self.take(
            version,
            first_day=event.stay.first_day,
            last_day=event.stay.last_day,
            group_event_id=event.group_event_id,
        )
        match event:
            case MatchSuggested():
                self.take(
                    version,
                    state=MatchState.PROPOSED,
                    since=at,
                    proposed_by=None,
                    answer_by=event.answer_by,
                    score=event.score,
                    plan_id=event.plan_id,
                )
            case MatchProposed():
                self._proposed(event.proposed_by, event.answer_by, version, at)
            case MatchCountered():
                self._proposed(event.countered_by, event.answer_by, version, at)
            case MatchAgreed():
                self.take(version, state=MatchState.AGREED, since=at, answer_by=None)
            case MatchEndorsed():
                self.endorsed_by = sorted({*self.endorsed_by, event.endorsed_by})
            case MatchApproved():
                self.take(version, state=MatchState.APPROVED, since=at, score=event.score)
            case MatchReminded():
                self.take(version, answer_by=event.answer_by)
            case _ if type(event) in _ENDED:
                self.take(version, state=_ENDED[type(event)], since=at, answer_by=None)

    def _proposed(self, by: SideName, answer_by: date | None, version: int, at: datetime) -> None:
        self.take(version, state=MatchState.PROPOSED, since=at, proposed_by=by, answer_by=answer_by)

    @property
    def asked(self) -> list[SideName]:
        """Whose answer is open."""
        if self.state is not MatchState.PROPOSED:
            return []
        sides: list[SideName] = ["visitor", "host"]
        return [side for side in sides if side != self.proposed_by]


class CommitmentPart(Latest):
    """Its Commitment to Quality."""

    state: PaperState | None = None
    since: datetime | None = None
    missing: list[SigningRole] = []

    def note(self, event: CommitmentEvent, version: int, at: datetime) -> None:
        """Take in one of its events."""
        void = isinstance(event, CommitmentVoided) and event.final
        state: PaperState = "void" if void else "open" if event.missing else "complete"
        self.take(version, state=state, since=at, missing=[] if void else event.missing)


class GrantPart(Latest):
    """Its lump sum; amounts in EUR."""

    id: str | None = None
    partnership: str | None = None
    state: GrantState | None = None
    since: datetime | None = None
    amount: Decimal | None = None
    due: date | None = None
    payment_id: str | None = None
    paid_on: date | None = None
    match_ended: bool = False
    claimed: Decimal | None = None
    return_by: date | None = None
    left: Decimal | None = None
    """What the visitor keeps, or has still to return, once something came back."""

    def note(self, event: GrantEvent, version: int, at: datetime) -> None:
        """Take in one of its events."""
        self.take(version, id=event.grant_id, partnership=event.partnership)
        if isinstance(event, _WITH_AMOUNT):
            self.take(version, amount=event.amount)
        match event:
            case GrantReserved():
                self._stands(GrantState.RESERVED, version, at, due=None)
            case GrantAwaitingBudget():
                self._stands(GrantState.AWAITING_BUDGET, version, at)
            case GrantNeedsReview():
                self._stands(GrantState.NEEDS_REVIEW, version, at, amount=None)
            case GrantRefused():
                self._stands(GrantState.REFUSED, version, at, amount=None, due=None)
            case GrantCancelled():
                self._stands(GrantState.CANCELLED, version, at, due=None, payment_id=None)
            case GrantCommitted():
                self._stands(GrantState.COMMITTED, version, at)
            case GrantPayable():
                self._stands(GrantState.PAYABLE, version, at, due=event.due)
            case GrantReopened():
                self._stands(event.state, version, at, due=None)
            case GrantPrepared():
                self._stands(GrantState.PREPARED, version, at, payment_id=event.payment_id)
            case GrantUnprepared() | GrantPaymentFailed():
                self._stands(GrantState.PAYABLE, version, at, payment_id=None, paid_on=None, claimed=None)
            case GrantReleased():
                self._stands(GrantState.RELEASED, version, at, payment_id=event.payment_id)
            case GrantPaid():
                paid = {"payment_id": event.payment_id, "paid_on": event.paid_on}
                self._stands(GrantState.PAID, version, at, **paid)
            case GrantMatchEnded():
                self.take(version, match_ended=True)
            case GrantClaimedBack():
                self.take(version, claimed=event.amount, return_by=event.return_by)
            case GrantRecovered():
                self.take(version, left=event.left)
                if not event.left:
                    self._stands(GrantState.RECOVERED, version, at)

    def _stands(self, state: GrantState, version: int, at: datetime, **more: object) -> None:
        self.take(version, state=state, since=at, **more)

    @property
    def to_return(self) -> bool:
        """Whether something that was claimed back has not come."""
        if self.claimed is None or self.state is not GrantState.PAID or self.amount is None:
            return False
        return self.left is None or self.left > self.amount - self.claimed


class AgreementPart(Latest):
    """The financial agreement of its lump sum."""

    state: PaperState | None = None
    since: datetime | None = None
    missing: list[SigningRole] = []

    def note(self, event: AgreementEvent, version: int, at: datetime) -> None:
        """Take in one of its events."""
        match event:
            case AgreementVoided():
                state: PaperState = "void" if event.final else "open"
                self.take(version, state=state, since=at, missing=[] if event.final else ["VO", "VOP"])
            case AgreementDrawnUp() | AgreementSigned():
                state = "open" if event.missing else "complete"
                self.take(version, state=state, since=at, missing=event.missing)


class PaperPart(Latest):
    """What the visitor hands in and its partnership looks at: the report, and the evidence."""

    state: Literal["submitted", "returned", "validated", "accepted"] | None = None
    since: datetime | None = None

    def note(self, event: Event, version: int, at: datetime) -> None:
        """Take in one of its events."""
        match event:
            case ReportSubmitted() | EvidenceSubmitted():
                self.take(version, state="submitted", since=at)
            case ReportReturned() | EvidenceReturned():
                self.take(version, state="returned", since=at)
            case ReportValidated():
                self.take(version, state="validated", since=at)
            case EvidenceAccepted():
                self.take(version, state="accepted", since=at)

    @property
    def done(self) -> bool:
        """Whether the partnership stands by it."""
        return self.state in ("validated", "accepted")


class Exchange(Aggregate):
    """One match, from the proposal to the payment; its id is the match's."""

    COLLECTION: ClassVar[str] = "exchanges"

    visitor: Side | None = None
    host: Side | None = None
    match: MatchPart = MatchPart()
    commitment: CommitmentPart = CommitmentPart()
    grant: GrantPart = GrantPart()
    agreement: AgreementPart = AgreementPart()
    report: PaperPart = PaperPart()
    evidence: PaperPart = PaperPart()
    account: bool = False
    """Whether the visitor gave an account to be paid to."""
    changed_at: datetime | None = None

    # ── folding ──────────────────────────────────────────────────────────────────────────────

    def note(self, event: MatchEvent | GrantEvent, version: int, at: datetime) -> None:
        """Take in an event of the match, or of anything that belongs to it."""
        match event:
            case CommitmentEvent():
                self.commitment.note(event, version, at)
            case MatchEvent():
                self.match.note(event, version, at)
            case AgreementEvent():
                self.agreement.note(event, version, at)
            case ReportSubmitted() | ReportReturned() | ReportValidated():
                self.report.note(event, version, at)
            case EvidenceSubmitted() | EvidenceReturned() | EvidenceAccepted():
                self.evidence.note(event, version, at)
            case BankAccountGiven():
                self.account = True
            case GrantEvent():
                self.grant.note(event, version, at)
        self.changed_at = max(self.changed_at or at, at)
        self._touch()

    def follow(self, name: SideName, side: Side) -> None:
        """Go on with what is known of one side now: the word of its registration, the latest one, counts."""
        known: Side | None = getattr(self, name)
        if known is None or side.version > known.version:
            setattr(self, name, side)
            self._touch()

    def erase(self, registration_id: str) -> None:
        """Let go of who one of its sides is."""
        if self.visitor and self.visitor.registration_id == registration_id:
            self.visitor = self.visitor.erased()
        if self.host and self.host.registration_id == registration_id:
            self.host = self.host.erased()
        self._touch()

    def side_of(self, registration_id: str) -> SideName:
        """The side on which one of its two registrations is."""
        return "visitor" if self.visitor and self.visitor.registration_id == registration_id else "host"

    # ── as it is listed ──────────────────────────────────────────────────────────────────────

    @computed_field  # type: ignore[prop-decorator]
    @property
    def step(self) -> str | None:
        """How far it is: where the match stands, and the lump sum from when there is one."""
        if self.match.state is MatchState.APPROVED and self.grant.state is not None:
            return self.grant.state.value
        return self.match.state.value if self.match.state else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def seen_by(self) -> list[str]:
        """Who sees it: the two organisations, their partnerships, and the one that pays."""
        if self.match.state is None or self.visitor is None or self.host is None:
            return []
        payer = [desk(self.grant.partnership)] if self.grant.partnership else []
        return list(dict.fromkeys([*self.visitor.seen_by, *self.host.seen_by, *payer, EVERYTHING]))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def words(self) -> list[str]:
        """What it is found by."""
        sides = [side for side in (self.visitor, self.host) if side is not None and side.name != ERASED]
        return words_of(*(side.name for side in sides), *(side.city for side in sides))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def counted_for(self) -> str | None:
        """The partnership whose exchange it counts as: its report is validated, and money goes with it."""
        money = self.grant.state not in (None, *_NO_EXCHANGE) and bool(self.grant.amount)
        return self.grant.partnership if money and self.report.state == "validated" else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def flow(self) -> str | None:
        """From which country to which, once it is approved: `PT>IT`."""
        if self.match.state is not MatchState.APPROVED or self.visitor is None or self.host is None:
            return None
        return f"{self.visitor.country}>{self.host.country}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def run_by(self) -> str | None:
        """The partnership whose exchange it is: the one that pays, or will."""
        return self.grant.partnership or (self.visitor.partnership if self.visitor else None)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def waits(self) -> list[Waiting]:
        """What waits for one of the organisations or partnerships."""
        if self.visitor is None or self.host is None or self.match.since is None:
            return []
        return _Waits(self, self.visitor, self.host, self.match.since).found

    @computed_field  # type: ignore[prop-decorator]
    @property
    def waits_for(self) -> list[str]:
        """For whom something waits."""
        return waiting_keys(self.waits)


class _Waits:
    """What waits in an exchange, and for whom."""

    def __init__(self, exchange: Exchange, visitor: Side, host: Side, since: datetime) -> None:
        self.found: list[Waiting] = []
        self._exchange = exchange
        self._visitor = owner(visitor.owner)
        self._payer = desk(exchange.grant.partnership or visitor.partnership)
        match exchange.match.state:
            case MatchState.PROPOSED:
                sides = {"visitor": visitor, "host": host}
                for name in exchange.match.asked:
                    self._add("proposal", owner(sides[name].owner), since, until=exchange.match.answer_by)
            case MatchState.AGREED:
                for partnership in dict.fromkeys((visitor.partnership, host.partnership)):
                    if partnership and partnership not in exchange.match.endorsed_by:
                        self._add("match", desk(partnership), since, until=exchange.match.answer_by)
            case MatchState.APPROVED:
                self._commitment(visitor, host)
        self._money()

    def _commitment(self, visitor: Side, host: Side) -> None:
        commitment = self._exchange.commitment
        if commitment.state != "open" or commitment.since is None:
            return
        signers: dict[SigningRole, str] = {
            "VO": owner(visitor.owner),
            "HO": owner(host.owner),
            "VOP": desk(visitor.partnership),
            "HOP": desk(host.partnership),
        }
        begun = len(commitment.missing) < len(signers)
        for whose in dict.fromkeys(
            signers[role] for role in commitment.missing if begun or role in ("VO", "HO")
        ):
            # Staff sign when one of the two organisations has.
            self._add("commitment", whose, commitment.since)

    def _money(self) -> None:
        exchange, grant = self._exchange, self._exchange.grant
        if grant.since is None:
            return
        if grant.match_ended and grant.state in _IN_PAYMENT:
            self._add("match_ended", self._payer, grant.since)
        match grant.state:
            case GrantState.NEEDS_REVIEW:
                self._add("lump_sum", self._payer, grant.since)
            case GrantState.AWAITING_BUDGET:
                self._add("budget", self._payer, grant.since)
            case GrantState.PAYABLE:
                self._add("payment", self._payer, grant.since, until=grant.due)
                self._account(grant.since)
            case GrantState.RESERVED:
                self._agreement(grant.since)
                self._account(grant.since)
            case GrantState.COMMITTED:
                self._account(grant.since)
        if grant.to_return:
            self._add("return", self._visitor, grant.since, until=grant.return_by)
        if grant.state in _WITH_GATES and exchange.match.state is MatchState.APPROVED:
            self._paper("report", exchange.report, grant.since)
            self._paper("evidence", exchange.evidence, grant.since)

    def _agreement(self, since: datetime) -> None:
        agreement = self._exchange.agreement
        if agreement.missing == ["VOP"]:
            self._add("agreement", self._payer, agreement.since or since)
        elif agreement.state != "complete":
            self._add("agreement", self._visitor, max(agreement.since or since, since))

    def _account(self, since: datetime) -> None:
        if not self._exchange.account:
            self._add("account", self._visitor, since)

    def _paper(self, kind: Literal["report", "evidence"], paper: PaperPart, since: datetime) -> None:
        if paper.state == "submitted" and paper.since is not None:
            self._add(kind, self._payer, paper.since)
        elif not paper.done:
            ends = self._exchange.match.last_day
            after_stay = datetime.combine(ends, time(), UTC) if ends else since
            self._add(kind, self._visitor, paper.since or max(since, after_stay), begins=ends)

    def _add(
        self,
        kind: WaitKind,
        whose: str,
        since: datetime,
        *,
        begins: date | None = None,
        until: date | None = None,
    ) -> None:
        self.found.append(Waiting(kind=kind, whose=whose, since=since, begins=begins, until=until))


def parties_of(event: MatchEvent | GrantEvent) -> dict[SideName, Party]:
    """The two organisations an event of an exchange names."""
    return {"visitor": event.visitor, "host": event.host}
