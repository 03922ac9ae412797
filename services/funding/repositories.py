"""What the funding service stores, and its unit of work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from services.funding.agreements import keep_agreements
from services.funding.bookkeeping import keep_books
from services.funding.documents import let_go_of_documents
from services.funding.domain.agreement import Agreement
from services.funding.domain.bank_account import BankAccount, account_id
from services.funding.domain.bank_answer import Answer
from services.funding.domain.budget import Budget
from services.funding.domain.evidence import Evidence, evidence_id
from services.funding.domain.grant import Grant
from services.funding.domain.ledger import ZERO, Account, LedgerEntry
from services.funding.domain.ledger_check import LedgerCheck
from services.funding.domain.lump_sum import Policies
from services.funding.domain.outlook import Outlook
from services.funding.domain.payment import Payment, PaymentState
from services.funding.domain.progress import Tally
from services.funding.domain.readiness import ON_BOARD
from services.funding.domain.report import Report, report_id
from shared.contracts.envelope import now
from shared.contracts.vocabulary import GrantState
from shared.erasure import Erasures, prepare_erasures
from shared.errors import NotFound
from shared.partnerships import Partnership, Partnerships
from shared.security import Caller, CallerRole
from shared.storage.driver import Database, Document
from shared.storage.store import Store
from shared.storage.unit_of_work import Clock, Repository, UnitOfWork

_QUEUE_PAGE = 50


class Grants(Repository[Grant]):
    """All grants."""

    model = Grant

    async def waiting(self, partnership: str, *, after: int) -> list[Grant]:
        """The next of a partnership's queue behind a place in it, in order; empty at its end.

        One that was served or cancelled in this unit of work may be among them.
        """
        stored = await self._uow.query(
            Grant,
            {
                "partnership": partnership,
                "state": GrantState.AWAITING_BUDGET.value,
                "position": {"$gt": after},
            },
            sort=[("position", 1)],
            limit=_QUEUE_PAGE,
        )
        if len(stored) == _QUEUE_PAGE:
            return stored
        # Those queued in this very unit of work are not in the database yet, and behind all that are.
        last = stored[-1].position or 0 if stored else after
        queued_here = [
            grant
            for grant in self._uow.at_hand(Grant)
            if grant.partnership == partnership
            and grant.state is GrantState.AWAITING_BUDGET
            and (grant.position or 0) > last
        ]
        return stored + sorted(queued_here, key=lambda grant: grant.position or 0)

    async def naming(self, registration_id: str) -> list[Grant]:
        """Every grant of a match of that registration, on either side; new ones of this unit of work too."""
        stored = await self._uow.query(
            Grant,
            {
                "$or": [
                    {"visitor.registration_id": registration_id},
                    {"host.registration_id": registration_id},
                ]
            },
        )
        named = {
            grant.id: grant for grant in (*stored, *self._uow.at_hand(Grant)) if grant.names(registration_id)
        }
        return list(named.values())

    async def get_visible_to(self, caller: Caller, id: str) -> Grant:
        """The grant; raises `NotFound` also when the caller may not see it."""
        grant = await self.find(id)
        if grant is None or not _sees(caller, grant):
            raise NotFound(f"There is no grant {id}, or none you may see.")
        return grant

    async def visitors_of(self, ids: Sequence[str]) -> dict[str, str]:
        """The names of those to whom these grants are paid, by the grant."""
        rows = await self._uow.rows(Grant, {"_id": {"$in": list(ids)}}, ["visitor.organisation"])
        return {row["_id"]: row["visitor"]["organisation"] for row in rows}

    async def payable(self, partnership: str, *, limit: int) -> list[Grant]:
        """Those a partnership can pay now, the most urgent first."""
        return await self._uow.query(
            Grant,
            {"partnership": partnership, "state": GrantState.PAYABLE.value},
            sort=[("due", 1), ("_id", 1)],
            limit=limit,
        )

    async def page(
        self,
        visible_to: Caller,
        *,
        state: GrantState | None = None,
        partnership: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[Grant]:
        """Those the caller may see and the filters leave, in the order of their ids, from after `after`."""
        return await self._page(
            _visible_to(visible_to),
            {"state": state.value} if state else {},
            {"partnership": partnership} if partnership else {},
            after=after,
            limit=limit,
        )


def _visible_to(caller: Caller) -> Document:
    match caller.role:
        case CallerRole.SUPPORT_OFFICE | CallerRole.AUDITOR:
            return {}
        case CallerRole.STAFF:
            return {"$or": [{"partnership": caller.partnership}, {"host.partnership": caller.partnership}]}
        case CallerRole.PARTICIPANT:
            return {"visitor.owner": caller.organisation}
        case CallerRole.EXTERNAL:
            return {"_id": None}


def _sees(caller: Caller, grant: Grant) -> bool:
    return (
        caller.sees_everything
        or caller.is_staff_of(grant.partnership, grant.host.partnership)
        or caller.acts_for(grant.visitor.owner)
    )


class Budgets(Repository[Budget]):
    """One budget a partnership."""

    model = Budget

    async def of(self, partnership: Partnership) -> Budget:
        """The partnership's budget, opened with the configured amount at its first use."""
        budget = await self.find(partnership.id)
        if budget is None:
            budget = Budget.open(partnership.id, partnership.budget, at=self._uow.now)
            self.add(budget)
        return budget

    async def without_ledger(self) -> list[str]:
        """Partnerships whose budget is from before there was a ledger."""
        rows = await self._uow.rows(Budget, {"entries": {"$exists": False}}, ["_id"])
        return [row["_id"] for row in rows]


class Ledger(Repository[LedgerEntry]):
    """The entries of all partnerships; what is new comes from the budgets, at the commit."""

    model = LedgerEntry

    async def page(
        self,
        partnership: str,
        *,
        grant: str | None = None,
        account: Account | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
        newest_first: bool = False,
        after: str | None = None,
        limit: int = 50,
    ) -> list[LedgerEntry]:
        """A partnership's entries that the filters leave, in the order of their numbers or the other way."""
        beyond = "$lt" if newest_first else "$gt"
        conditions: list[Document] = [
            {"partnership": partnership},
            {"grant": grant} if grant else {},
            {"$or": [{"debit": account.value}, {"credit": account.value}]} if account else {},
            {"at": {"$gte": first_day.isoformat()}} if first_day else {},
            # A moment of the day is a longer text than the day: "~" comes after all of them.
            {"at": {"$lte": f"{last_day.isoformat()}~"}} if last_day else {},
            {"_id": {beyond: after}} if after else {},
        ]
        return await self._uow.query(
            LedgerEntry,
            {"$and": [condition for condition in conditions if condition]},
            sort=[("_id", -1 if newest_first else 1)],
            limit=limit,
        )

    async def balances_before(self, partnership: str, number: int) -> dict[Account, Decimal]:
        """What each account held before the entry of that number, EUR: all earlier ones added up."""
        sums = await self._uow.totals(
            LedgerEntry,
            {"partnership": partnership, "number": {"$lt": number}},
            of="amount",
            by=("debit", "credit"),
        )
        balances = dict.fromkeys(Account, ZERO)
        for (debit, credit), amount in sums.items():
            balances[Account(debit)] += amount
            balances[Account(credit)] -= amount
        return balances


class LedgerChecks(Repository[LedgerCheck]):
    """What came of the latest comparison of each partnership's books."""

    model = LedgerCheck

    async def of(self, partnership: str) -> LedgerCheck:
        """The partnership's, made at its first."""
        check = await self.find(partnership)
        if check is None:
            check = LedgerCheck(id=partnership)
            self.add(check)
        return check


class BankAccounts(Repository[BankAccount]):
    """One account a visitor."""

    model = BankAccount

    async def of(self, *grants: Grant) -> dict[str, BankAccount]:
        """The accounts these grants are paid to, by the grant; none where none was given."""
        ids = {grant.id: account_id(grant.visitor.registration_id) for grant in grants}
        found = {account.id: account for account in await self.get_all(ids.values())}
        return {grant: found[id] for grant, id in ids.items() if id in found}


class Payments(Repository[Payment]):
    """All payments."""

    model = Payment

    async def get_visible_to(self, caller: Caller, id: str) -> Payment:
        """The payment; raises `NotFound` for all but its partnership's staff and those who see everything."""
        payment = await self.find(id)
        if payment is None or not (caller.sees_everything or caller.is_staff_of(payment.partnership)):
            raise NotFound(f"There is no payment {id}, or none you may see.")
        return payment

    async def page(
        self,
        visible_to: Caller,
        *,
        state: PaymentState | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[Payment]:
        """Those the caller may see, in the order of their ids, which is that of time, from after `after`."""
        return await self._page(
            _payments_visible_to(visible_to),
            {"state": state.value} if state else {},
            after=after,
            limit=limit,
        )

    async def named_in(self, answers: Sequence[Answer], *, partnership: str) -> list[Payment]:
        """The partnership's payments that a bank speaks of."""
        transfers = [answer.end_to_end_id for answer in answers if answer.end_to_end_id]
        files = [answer.message_id for answer in answers if answer.message_id]
        named = [{"transfers.end_to_end_id": {"$in": transfers}}, {"message_id": {"$in": files}}]
        return await self._uow.query(Payment, {"partnership": partnership, "$or": named})

    async def to(self, registration_id: str) -> list[Payment]:
        """Those that had a transfer to that visitor."""
        return await self._uow.query(Payment, {"transfers.registration_id": registration_id})


def _payments_visible_to(caller: Caller) -> Document:
    if caller.sees_everything:
        return {}
    return {"partnership": caller.partnership} if caller.role is CallerRole.STAFF else {"_id": None}


class Agreements(Repository[Agreement]):
    """The financial agreements, one a grant from when somebody first asks for it."""

    model = Agreement


class Reports(Repository[Report]):
    """The visitors' reports, one a grant from when it is begun, or asked for."""

    model = Report

    async def of(self, grant: Grant) -> Report:
        """The grant's, begun where there is none."""
        report = await self.find(report_id(grant.match_id))
        if report is None:
            report = Report.begin(grant)
            self.add(report)
        return report


class EvidenceOfGrants(Repository[Evidence]):
    """The evidence of all stays, one list of files a grant from the first of them on."""

    model = Evidence

    async def of(self, grant: Grant) -> Evidence:
        """The grant's, begun where there is none."""
        evidence = await self.find(evidence_id(grant.match_id))
        if evidence is None:
            evidence = Evidence.begin(grant)
            self.add(evidence)
        return evidence

    async def sharing_files_with(self, evidence: Evidence) -> list[Evidence]:
        """Those of other grants that have a file with the same content."""
        hashes = sorted(file.sha256 for file in evidence.files)
        same = {"files.sha256": {"$in": hashes}, "_id": {"$ne": evidence.id}}
        return await self._uow.query(Evidence, same, sort=[("_id", 1)]) if hashes else []


class Tallies(Repository[Tally]):
    """How many exchanges each partnership brought to their end."""

    model = Tally

    async def of(self, partnership: str) -> Tally:
        """The partnership's, begun where there is none."""
        tally = await self.find(partnership)
        if tally is None:
            tally = Tally.begin(partnership)
            self.add(tally)
        return tally


class Outlooks(Repository[Outlook]):
    """One a partnership that was warned."""

    model = Outlook


class FundingUnitOfWork(UnitOfWork):
    """One transaction of the funding service, with the policies that decide in it.

    Whatever it does with grants, their money moves with them: `commit` sees to it.
    """

    def __init__(
        self, store: Store, *, policies: Policies, partnerships: Partnerships, clock: Clock = now
    ) -> None:
        super().__init__(store, service="funding", clock=clock)
        self.policies = policies
        self.partnerships = partnerships
        self.grants = Grants(self)
        self.budgets = Budgets(self)
        self.ledger = Ledger(self)
        self.outlooks = Outlooks(self)
        self.ledger_checks = LedgerChecks(self)
        self.bank_accounts = BankAccounts(self)
        self.payments = Payments(self)
        self.agreements = Agreements(self)
        self.reports = Reports(self)
        self.evidence = EvidenceOfGrants(self)
        self.tallies = Tallies(self)
        self.erasures = Erasures(self)

    async def commit(self) -> None:
        """Let agreements and money follow what changed, and write all of it in the open transaction."""
        await keep_agreements(self)
        await keep_books(self)
        await let_go_of_documents(self)
        await super().commit()


async def put_on_board(database: Database, partnerships: Iterable[str]) -> None:
    """Note the board's places of cases under way from before there was a board; safe to call again."""
    grants = database[Grant.COLLECTION]
    without_place = {
        "partnership": {"$in": list(partnerships)},
        "state": {"$in": [state.value for state in ON_BOARD]},
        "board.clock": None,
    }
    async for document in grants.find(without_place):
        place = Grant.from_document(document).board
        if place is not None:
            unless_noted = {"_id": document["_id"], "board.clock": None}
            await grants.update_one(unless_noted, {"$set": {"board": place.model_dump(mode="json")}})


async def make_indexes(database: Database) -> None:
    """The indexes of this service's lists and queues; safe to call again and at once."""
    grants = database[Grant.COLLECTION]
    await grants.create_index([("partnership", 1), ("state", 1), ("position", 1)])
    await grants.create_index([("partnership", 1), ("_id", 1)])
    await grants.create_index([("host.partnership", 1), ("_id", 1)])
    await grants.create_index([("visitor.owner", 1), ("_id", 1)])
    await grants.create_index([("state", 1), ("_id", 1)])
    await grants.create_index([("state", 1), ("due", 1)])
    for in_period in ("stay.first_day", "real_stay.first_day", "paid_on", "gates.report.since"):
        await grants.create_index([("partnership", 1), (in_period, 1)])
    for found_by in ("state", "board.waits_for", "board.gates"):
        await grants.create_index([("partnership", 1), (found_by, 1), ("board.clock", 1)])
    await grants.create_index([("partnership", 1), ("board.clock", 1)])
    await grants.create_index([("partnership", 1), ("board.due", 1)])
    await grants.create_index([("partnership", 1), ("board.stands", 1)])
    await grants.create_index("visitor.registration_id")
    await grants.create_index("host.registration_id")
    await database[LedgerEntry.COLLECTION].create_index([("partnership", 1), ("_id", 1)])
    await database[LedgerEntry.COLLECTION].create_index("grant")
    payments = database[Payment.COLLECTION]
    await payments.create_index([("partnership", 1), ("_id", 1)])
    await payments.create_index("settled_at")
    await payments.create_index("transfers.end_to_end_id", unique=True)
    await payments.create_index("transfers.registration_id")
    await payments.create_index("message_id", unique=True)
    await grants.create_index([("gates.report.state", 1), ("stay.last_day", 1)])
    await database[Evidence.COLLECTION].create_index("files.id")
    await database[Evidence.COLLECTION].create_index("files.sha256")
    await prepare_erasures(database)
