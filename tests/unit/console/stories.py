"""Lives of exchanges as the other services tell them, event by event, for tests of the read model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.console.repositories import ConsoleUnitOfWork
from services.console.use_cases.fold_event import fold_event
from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.common import Party, Receipt
from shared.contracts.envelope import Cause, CloudEvent, Event, wrap
from shared.contracts.funding import (
    AgreementDrawnUp,
    AgreementSigned,
    BankAccountGiven,
    EvidenceAccepted,
    EvidenceSubmitted,
    GrantCommitted,
    GrantPaid,
    GrantPayable,
    GrantPrepared,
    GrantReleased,
    GrantReserved,
    PaymentPrepared,
    PaymentReleased,
    ReportReturned,
    ReportSubmitted,
    ReportValidated,
)
from shared.contracts.matching import (
    CommitmentCompleted,
    CommitmentDrawnUp,
    MatchAgreed,
    MatchApproved,
    MatchCountered,
    MatchProposed,
)
from shared.contracts.registration import Profile, RegistrationAccepted, RegistrationScreened
from shared.contracts.vocabulary import RegistrationState, Verdict
from tests.builders import a_host_party, a_party, a_stay
from tests.fakes import MemoryTransactions

BEGIN = datetime(2023, 1, 9, 8, tzinfo=UTC)
VISITOR = a_party("visitor-1", owner="tagus-fibre-works")
HOST = a_host_party("host-1", owner="navigli", partnership="woolclub")
MATCH, GRANT = "match-1", "grant-match-1"
RECEIPT = Receipt(rule_set="2023", sentence="As the rules say.")

Told = tuple[Event, CloudEvent]


class Story:
    """Events in the order they happened, each with the version of its aggregate."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._versions: dict[str, int] = defaultdict(int)

    def tell(self, service: Any, subject: str, event: Event) -> None:
        self._versions[subject] += 1
        at = BEGIN + timedelta(hours=len(self.told))
        envelope = wrap(
            event, service=service, subject=subject, sequence=self._versions[subject], cause=Cause(), at=at
        )
        self.told.append((event, envelope))

    def registers(self, party: Party) -> None:
        screened = {"state": RegistrationState.ELIGIBLE, "verdict": Verdict.ELIGIBLE, "receipt": RECEIPT}
        self.tell("registration", party.registration_id, RegistrationScreened(party=party, **screened))
        profile = Profile(goals=[], ecosystems=[], availability=[])
        accepted = RegistrationAccepted(party=party, profile=profile, automatic=True)
        self.tell("registration", party.registration_id, accepted)


def of_match(**more: Any) -> dict[str, Any]:
    return {"match_id": MATCH, "visitor": VISITOR, "host": HOST, "stay": a_stay(), **more}


def of_grant(**more: Any) -> dict[str, Any]:
    return {**of_match(), "grant_id": GRANT, "partnership": "hempclub", **more}


def an_approved_exchange() -> Story:
    """Two organisations register, find other days, and are approved; their commitment is drawn up."""
    story = Story()
    story.registers(VISITOR)
    story.registers(HOST)
    later = a_stay(date(2023, 2, 21), date(2023, 2, 23))
    first = of_match(proposed_by="visitor", answer_by=date(2023, 1, 30))
    story.tell("matching", MATCH, MatchProposed(**first))
    countered = of_match(countered_by="host", former_stay=later, answer_by=date(2023, 2, 2))
    story.tell("matching", MATCH, MatchCountered(**countered))
    story.tell("matching", MATCH, MatchAgreed(**of_match()))
    story.tell("matching", MATCH, MatchApproved(**of_match(score=82.0)))
    roles = ["HO", "HOP", "VO", "VOP"]
    story.tell("matching", "commitment", CommitmentDrawnUp(**of_match(commitment_id="c", missing=roles)))
    return story


def a_paid_exchange() -> Story:
    """The same to its end: the lump sum is reserved, signed for, reported on, returned once, and paid."""
    story = an_approved_exchange()
    completed = of_match(commitment_id="c", missing=[], document_sha256="0" * 64, signatures=[])
    story.tell("matching", "commitment", CommitmentCompleted(**completed))
    amount = Decimal("450.00")
    story.tell("funding", GRANT, GrantReserved(**of_grant(amount=amount, receipt=RECEIPT)))
    paper = {"agreement_id": "a", "number": "1", "edition": 1, "amount": amount, "document_sha256": "0" * 64}
    story.tell("funding", "a", AgreementDrawnUp(**of_grant(**paper, missing=["VO", "VOP"])))
    story.tell("funding", "b", BankAccountGiven(**of_grant(changed=False)))
    for role, missing in (("VO", ["VOP"]), ("VOP", [])):
        signed = {"signed_as": role, "signed_for": "somebody", "signed_at": BEGIN, "missing": missing}
        story.tell("funding", "a", AgreementSigned(**of_grant(**paper, **signed)))
    story.tell("funding", GRANT, GrantCommitted(**of_grant(amount=amount)))
    story.tell("funding", "r", ReportSubmitted(**of_grant(real_stay=a_stay())))
    story.tell("funding", "r", ReportReturned(**of_grant(reason="No days.", was_validated=False)))
    story.tell("funding", "r", ReportSubmitted(**of_grant(real_stay=a_stay())))
    validated = of_grant(real_stay=a_stay(), amount=amount, difference="None.", counts=True)
    story.tell("funding", "r", ReportValidated(**validated))
    story.tell("funding", "e", EvidenceSubmitted(**of_grant(kinds=[])))
    story.tell("funding", "e", EvidenceAccepted(**of_grant(files=[])))
    due = {"due": date(2023, 3, 2), "strict_due": date(2023, 2, 26)}
    story.tell("funding", GRANT, GrantPayable(**of_grant(amount=amount, **due)))
    payment = {"payment_id": "p", "partnership": "hempclub", "grants": [GRANT], "total": amount}
    story.tell("funding", "p", PaymentPrepared(**payment))
    story.tell("funding", GRANT, GrantPrepared(**of_grant(payment_id="p", amount=amount)))
    released = {"execute_on": date(2023, 2, 27), "file_sha256": "0" * 64}
    story.tell("funding", "p", PaymentReleased(**payment, **released))
    story.tell("funding", GRANT, GrantReleased(**of_grant(payment_id="p", amount=amount)))
    paid = of_grant(payment_id="p", amount=amount, paid_on=date(2023, 2, 28), reference="bank-1")
    story.tell("funding", GRANT, GrantPaid(**paid))
    return story


async def folded(told: Iterable[Told], at_once: int = 1) -> MemoryTransactions[ConsoleUnitOfWork]:
    """A read model into which these events went, in this order, so many in a transaction."""
    transactions: MemoryTransactions[ConsoleUnitOfWork] = MemoryTransactions(ConsoleUnitOfWork)
    await fold(transactions, told, at_once)
    return transactions


async def fold(
    transactions: MemoryTransactions[ConsoleUnitOfWork], told: Iterable[Told], at_once: int = 1
) -> None:
    """Fold these events into it."""
    left = list(told)
    while left:
        batch, left = left[:at_once], left[at_once:]

        async def work(uow: ConsoleUnitOfWork, batch: list[Told] = batch) -> None:
            for event, envelope in batch:
                await fold_event(uow, event, envelope)

        await transactions.once(work)


def as_published(told: Told) -> Told:
    """An event as a service reads it from the wire."""
    read = CloudEvent.model_validate_json(told[1].to_json())
    return EVENT_MODELS[read.type].model_validate(read.data), read
