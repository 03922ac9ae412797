"""Random histories with redelivery, races and crashes: budget, ledger and grants add up at every moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, cast, get_args

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from services.funding.domain.budget import Budget, BudgetBelowReserved
from services.funding.domain.grant import Grant, grant_id
from services.funding.domain.ledger import ZERO, Account, LedgerEntry
from services.funding.domain.ledger_check import ACCOUNTS
from services.funding.handlers import handlers
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.check_ledger import check_ledger
from services.funding.use_cases.erase_grants import erase_grants
from services.funding.use_cases.recalculate_grant import recalculate_grant
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.funding.use_cases.settle_budget import settle_budget
from shared.contracts.common import Window
from shared.contracts.matching import MatchApproved, MatchCancelled
from shared.contracts.types import EventType
from shared.contracts.vocabulary import GateName, GateState, GrantState
from shared.errors import RuleBroken
from shared.messaging.consumer import BatchConsumer
from shared.messaging.message import Message
from shared.messaging.outbox import unpack
from shared.messaging.topics import events
from shared.partnerships import Partnerships
from shared.storage.store import OUTBOX, Changes, ConcurrentChange, Store
from shared.storage.transactions import Transactions
from tests.builders import a_cancelled_match, a_message, an_envelope
from tests.fakes import MemoryDatabase, MemoryStore, MemoryTransactions
from tests.unit.funding.builders import (
    POLICIES,
    a_lump_sum,
    a_match,
    a_partnership,
    hosted_in,
)

Work = Callable[[FundingUnitOfWork], Awaitable[Any]]

AT: Final = datetime(2023, 2, 20, 12, tzinfo=UTC)
GATES: Final[tuple[GateName, ...]] = get_args(GateName)
LUMP_SUMS: Final = {
    "full": a_lump_sum(),
    "half": a_lump_sum(last_day="2023-02-15"),
    "agreed": a_lump_sum(agreed_amount="123.45"),
    "none": a_lump_sum(last_day="2023-02-14"),
    "uncertain": hosted_in("DE", "Neustadt"),
}


HEARD: Final = ["full"] * 5 + ["half"] * 3 + ["refused", "uncertain", "cancel"]


class Crash(BaseException):
    """The process is gone, in the middle of whatever it did."""


@dataclass
class Weather:
    """When the process crashes next: before that many more accesses to the database, or after a commit."""

    accesses: int | None = None
    after_write: bool = False

    def access(self) -> None:
        if self.accesses is not None:
            self.accesses -= 1
            if self.accesses < 0:
                raise Crash


class FrailStore(MemoryStore):
    """A store whose process may crash at any access; it sees what there was when it was opened."""

    def __init__(self, database: MemoryDatabase, weather: Weather) -> None:
        snapshot = MemoryDatabase()
        snapshot.collections = {name: dict(stored) for name, stored in database.collections.items()}
        super().__init__(snapshot)
        self._present = MemoryStore(database)
        self._weather = weather

    async def load(self, *args: Any, **how: Any) -> Any:
        self._weather.access()
        return await super().load(*args, **how)

    async def query(self, *args: Any, **how: Any) -> Any:
        self._weather.access()
        return await super().query(*args, **how)

    async def write(self, changes: Changes) -> None:
        self._weather.access()
        await self._present.write(changes)
        if self._weather.after_write:
            raise Crash


class FrailTransactions(MemoryTransactions[FundingUnitOfWork]):
    """Transactions of a process that may crash; what was not committed then never happened."""

    def __init__(self, open_unit: Callable[[Store], FundingUnitOfWork]) -> None:
        super().__init__(open_unit)
        self.weather = Weather()

    def open(self) -> FundingUnitOfWork:
        return self._open_unit(FrailStore(self.database, self.weather))

    async def once(self, work: Callable[[FundingUnitOfWork], Awaitable[Any]]) -> Any:
        uow = self.open()
        result = await work(uow)
        await uow.commit()
        return result

    run = once


matches = st.integers(0, 9)
some_matches = st.lists(matches, min_size=3, max_size=10, unique=True)
payers = st.sampled_from(["hempclub", "hempclub", "other"])
crashes = st.sampled_from([None, None, None, None, 0, 1, 2, 3, 4, 5, "after the commit"])


class Histories(RuleBasedStateMachine):
    """Two partnerships on small budgets, a few matches, everything that can happen to their money."""

    told = Bundle("told")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.partnerships = Partnerships(
            [a_partnership(budget="0.00"), a_partnership("other", budget="0.00")]
        )
        self.funding = FrailTransactions(
            lambda store: FundingUnitOfWork(
                store, policies=POLICIES, partnerships=self.partnerships, clock=lambda: AT
            )
        )
        self.consumer = BatchConsumer(handlers, cast("Transactions[FundingUnitOfWork]", self.funding))
        self.offset = 0
        self.payers: dict[int, str] = {}
        self.paid: set[str] = set()

    def teardown(self) -> None:
        self.loop.close()

    def do(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(cast(Any, work))

    def attempt(self, work: Awaitable[Any], crash: int | str | None = None) -> None:
        """Do it, perhaps with a crash on the way; a broken rule changes nothing."""
        weather = self.funding.weather
        weather.accesses = crash if isinstance(crash, int) else None
        weather.after_write = isinstance(crash, str)
        with suppress(RuleBroken, Crash):
            self.do(work)
        weather.accesses, weather.after_write = None, False

    # ── what happens ─────────────────────────────────────────────────────────────────────────

    @initialize(
        target=told,
        one=st.integers(1000, 6000),
        other=st.integers(0, 2000),
        approved=st.lists(st.tuples(matches, payers, st.sampled_from(["full", "half"])), max_size=10),
    )
    def begin(self, one: int, other: int, approved: list[tuple[int, str, str]]) -> Any:
        self.set_budget("hempclub", one)
        self.set_budget("other", other)
        return self.hear_of(approved, None)

    @rule(payer=payers, total=st.integers(0, 9000), crash=crashes)
    def settle(self, payer: str, total: int, crash: int | str | None) -> None:
        self.set_budget(payer, total, crash)

    def set_budget(self, payer: str, total: int, crash: int | str | None = None) -> None:
        wanted = a_partnership(payer, budget=f"{total}.00")
        with suppress(BudgetBelowReserved):
            self.attempt(self.funding.run(lambda uow: settle_budget(uow, wanted)), crash)

    @rule(
        target=told,
        steps=st.lists(
            st.tuples(matches, payers, st.sampled_from(HEARD)),
            min_size=1,
            max_size=6,
        ),
        crash=crashes,
    )
    def hear(self, steps: list[tuple[int, str, str]], crash: int | str | None) -> Any:
        return self.hear_of(steps, crash)

    def hear_of(self, steps: list[tuple[int, str, str]], crash: int | str | None) -> Any:
        messages = [self.message(*step) for step in steps]
        self.attempt(self.consumer.consume(messages), crash)
        return multiple(*messages)

    @rule(again=st.lists(told, min_size=1, max_size=6))
    def hear_again(self, again: list[Message]) -> None:
        self.attempt(self.consumer.consume(again))

    @rule(match=matches, name=st.sampled_from(GATES), state=st.sampled_from(GateState), crash=crashes)
    def turn_gate(self, match: int, name: GateName, state: GateState, crash: int | str | None) -> None:
        self.with_grant(match, lambda grant: grant.turn_gate(name, state, at=AT), crash)

    @rule(some=some_matches, crash=crashes, times=st.integers(1, 4))
    def go_on(self, some: list[int], crash: int | str | None, times: int) -> None:
        """The next steps of each, as it should be."""

        async def work(uow: FundingUnitOfWork) -> None:
            for grant in await uow.grants.get_all(grant_id(f"m{match}") for match in some):
                if step := NEXT.get(grant.state):
                    step(grant)

        for _ in range(times):
            self.attempt(self.funding.run(work), crash)

    @rule(match=matches, to=st.sampled_from(sorted(LUMP_SUMS)), real=st.booleans(), crash=crashes)
    def recalculate(self, match: int, to: str, real: bool, crash: int | str | None) -> None:
        stay = Window(first_day=date(2023, 2, 13), last_day=date(2023, 2, 16)) if real else None

        async def work(uow: FundingUnitOfWork) -> None:
            if grant := await uow.grants.find(grant_id(f"m{match}")):
                await recalculate_grant(uow, grant, LUMP_SUMS[to], real_stay=stay, reason="It is so.")

        self.attempt(self.funding.run(work), crash)

    @rule(
        some=some_matches,
        step=st.sampled_from(["prepare", "unprepare", "release", "paid", "failed"]),
        crash=crashes,
    )
    def pay(self, some: list[int], step: str, crash: int | str | None) -> None:
        async def work(uow: FundingUnitOfWork) -> None:
            for grant in await uow.grants.get_all(grant_id(f"m{match}") for match in some):
                with suppress(RuleBroken):
                    PAYING[step](grant)

        self.attempt(self.funding.run(work), crash)

    @rule(match=matches, cents=st.integers(1, 90_000), claimed=st.booleans(), crash=crashes)
    def recover(self, match: int, cents: int, claimed: bool, crash: int | str | None) -> None:
        amount = Decimal(cents) / 100

        def steps(grant: Grant) -> None:
            if claimed:
                grant.claim_back(amount, "No visit.", return_by=date(2023, 4, 1))
            grant.recover(amount, "No visit.")

        self.with_grant(match, steps, crash)

    @rule(match=matches)
    def recover_all(self, match: int) -> None:
        self.with_grant(match, lambda grant: grant.recover(grant.amount - grant.recovered, "No visit."))

    @rule(match=matches, side=st.sampled_from(["visitor", "host"]))
    def erase(self, match: int, side: str) -> None:
        self.attempt(self.funding.run(lambda uow: erase_grants(uow, f"{side}-m{match}")))

    @rule(
        one=matches,
        other=matches,
        steps=st.tuples(*[st.sampled_from(["approve", "turn", "approve", "turn", "cancel"])] * 2),
    )
    def race(self, one: int, other: int, steps: tuple[str, str]) -> None:
        """Two processes at once: whoever commits second runs again when the first was in its way."""
        units = [self.funding.open(), self.funding.open()]
        works = [self.work(step, match) for step, match in zip(steps, (one, other), strict=True)]
        failed = []
        for uow, work in zip(units, works, strict=True):
            try:
                self.do(work(uow))
            except RuleBroken:
                failed.append(uow)
        for uow, work in zip(units, works, strict=True):
            if uow in failed:
                continue
            try:
                self.do(uow.commit())
            except ConcurrentChange:
                self.attempt(self.funding.run(work))

    # ── with what ────────────────────────────────────────────────────────────────────────────

    def match(self, number: int, payer: str = "hempclub", how: str = "full") -> MatchApproved:
        payer = self.payers.setdefault(number, payer)
        where = {"refused": ("NO", "Oslo"), "uncertain": ("DE", "Neustadt")}
        country, city = where.get(how, ("IT", "Milan"))
        return a_match(f"m{number}", full=how != "half", payer=payer, country=country, city=city)

    def message(self, number: int, payer: str, how: str) -> Message:
        self.offset += 1
        approved = self.match(number, payer, how)
        event: MatchApproved | MatchCancelled = a_cancelled_match(approved) if how == "cancel" else approved
        envelope = an_envelope(event, service="matching", subject=event.match_id)
        return a_message(envelope, topic=events("matching"), offset=self.offset)

    def work(self, step: str, number: int) -> Work:
        match = self.match(number)

        async def turn(uow: FundingUnitOfWork) -> None:
            if grant := await uow.grants.find(grant_id(match.match_id)):
                grant.turn_gate("agreement", GateState.PASSED, at=AT)

        match step:
            case "approve":
                return partial(reserve_lump_sum, match=match)
            case "cancel":
                return partial(cancel_grant, match=a_cancelled_match(match))
            case _:
                return turn

    def with_grant(self, match: int, steps: Callable[[Grant], None], crash: int | str | None = None) -> None:
        async def work(uow: FundingUnitOfWork) -> None:
            if grant := await uow.grants.find(grant_id(f"m{match}")):
                steps(grant)

        self.attempt(self.funding.run(work), crash)

    # ── what always holds ────────────────────────────────────────────────────────────────────

    @invariant()
    def everything_adds_up(self) -> None:
        stored = self.funding.database
        grants = [Grant.from_document(document) for document in stored[Grant.COLLECTION].values()]
        entries = [
            LedgerEntry.from_document(document) for document in stored[LedgerEntry.COLLECTION].values()
        ]
        for document in stored[Budget.COLLECTION].values():
            budget = Budget.from_document(document)
            check_budget(
                budget,
                [grant for grant in grants if grant.partnership == budget.id],
                [entry for entry in entries if entry.partnership == budget.id],
            )
            check = self.do(self.funding.read(partial(check_ledger, partnership=budget.id)))
            assert check.adds_up, check

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        outbox = self.funding.database[OUTBOX]
        rows = sorted(outbox.values(), key=lambda row: row["position"])
        outbox.clear()
        for message in (message for row in rows for message in unpack(row)):
            event = orjson.loads(message.value)
            if event["type"] == EventType.GRANT_PAID:
                assert event["subject"] not in self.paid, "paid twice"
                self.paid.add(event["subject"])
            elif event["type"] == EventType.GRANT_PAYMENT_FAILED:
                self.paid.discard(event["subject"])


def pass_all_gates(grant: Grant) -> None:
    for name in GATES:
        grant.turn_gate(name, GateState.PASSED, at=AT)


PAYING: Final[dict[str, Callable[[Grant], None]]] = {
    "prepare": lambda grant: grant.prepare("p-1"),
    "unprepare": lambda grant: grant.unprepare("Wrong account."),
    "release": lambda grant: grant.release(),
    "paid": lambda grant: grant.mark_paid(date(2023, 2, 23), "CXC-1"),
    "failed": lambda grant: grant.mark_failed("Account closed."),
}
NEXT: Final[dict[GrantState, Callable[[Grant], None]]] = {
    GrantState.RESERVED: pass_all_gates,
    GrantState.COMMITTED: pass_all_gates,
    GrantState.PAYABLE: PAYING["prepare"],
    GrantState.PREPARED: PAYING["release"],
    GrantState.RELEASED: PAYING["paid"],
}


def check_budget(budget: Budget, grants: Sequence[Grant], entries: Sequence[LedgerEntry]) -> None:
    """One partnership's money, reckoned from its entries and from its grants."""
    said = {
        Account.BUDGET: -budget.total,
        Account.AVAILABLE: budget.available,
        Account.RESERVED: budget.reserved,
        Account.COMMITTED: budget.committed,
        Account.PAID: budget.paid,
    }
    assert sum(said.values()) == 0
    assert all(said[account] >= 0 for account in ACCOUNTS), said
    assert sorted(entry.number for entry in entries) == list(range(1, budget.entries + 1))

    entered = dict.fromkeys(Account, ZERO)
    of_grants: dict[tuple[str, Account], Decimal] = Counter()  # type: ignore[assignment]
    for entry in entries:
        assert entry.amount > 0
        for account, amount in ((entry.debit, entry.amount), (entry.credit, -entry.amount)):
            entered[account] += amount
            if entry.grant and account is not Account.AVAILABLE:
                of_grants[entry.grant, account] += amount
    assert entered == said

    held = dict.fromkeys(Account, ZERO)
    for grant in grants:
        where, amount, _ = grant.holding
        assert {key: left for key, left in of_grants.items() if key[0] == grant.id and left} == (
            {(grant.id, where): amount} if where and amount else {}
        )
        if where:
            held[where] += amount
    assert all(held[account] == said[account] for account in ACCOUNTS if account is not Account.AVAILABLE)

    waiting = sorted(
        (grant for grant in grants if grant.state is GrantState.AWAITING_BUDGET),
        key=lambda grant: grant.position or 0,
    )
    assert budget.awaiting == len(waiting)
    assert budget.awaiting_amount == sum((grant.amount for grant in waiting), ZERO)
    assert len({grant.position for grant in waiting}) == len(waiting)
    if waiting:
        assert waiting[0].amount > budget.available, "the head of the queue fits, and was not served"


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=25, stateful_step_count=25)
