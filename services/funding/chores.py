"""What comes due by the passing of time, done by one of the workers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

import structlog
from prometheus_client import Gauge

from services.funding.bootstrap import Funding
from services.funding.domain.bank_account import BankAccount
from services.funding.domain.budget import Budget
from services.funding.domain.evidence import Evidence
from services.funding.domain.grant import UNPAID, Grant
from services.funding.domain.payment import Payment
from services.funding.domain.report import AWAITING_REPORT, ReminderPolicy
from services.funding.evidence_files import BUCKET
from services.funding.use_cases.check_ledger import check_ledger
from services.funding.use_cases.forget_bank_data import forget_bank_accounts, forget_payment_files
from services.funding.use_cases.read_forecast_facts import read_forecast_facts
from services.funding.use_cases.recompute_doubtful import recompute_doubtful, waiting_for_a_rate
from services.funding.use_cases.remind_of_reports import remind_of_reports
from services.funding.use_cases.reseal_bank_data import reseal_bank_accounts, reseal_payments
from services.funding.use_cases.tell_overdue import tell_overdue
from services.funding.use_cases.warn_early import warn_early
from shared.chores import Chore, Round, go_round, ids_of, stored
from shared.contracts.vocabulary import GateState
from shared.storage.driver import Document
from shared.uploads.keeping import sweep

_log = structlog.get_logger(__name__)

DIFFERENCES: Final = Gauge(
    "cxc_ledger_differences",
    "Accounts of a partnership on which budget, ledger and grants disagree, and entries that are missing",
    ["partnership"],
)
OVERDUE: Final = Gauge(
    "cxc_overdue_grants", "Grants of a partnership that should have been paid by now", ["partnership"]
)
WARNINGS: Final = Gauge("cxc_forecast_warnings", "What the forecast says is out of reach", ["partnership"])
UNDER_OLD_KEYS: Final = Gauge(
    "cxc_bank_data_under_old_keys", "Accounts and payments not closed with the first of CXC_BANK_KEYS yet"
)


async def _check_ledgers(round: Round[Funding]) -> None:
    """One after the other, each in a transaction of its own: it writes nothing that others write."""
    for partnership in await ids_of(round.root.database[Budget.COLLECTION], {}):
        if not await round.goes_on():
            return
        check = await round.root.transactions.run(partial(check_ledger, partnership=partnership))
        DIFFERENCES.labels(partnership).set(len(check.differences) + len(check.missing))
        if not check.adds_up:
            found = [difference.model_dump(mode="json") for difference in check.differences]
            _log.error("ledger_differs", partnership=partnership, found=found, missing=check.missing)


async def _reseal_bank_data(round: Round[Funding]) -> None:
    """Close with the first key what another one closed; the figure says when the others can go."""
    vault = round.root.vault
    if not vault.has_keys:
        return
    other = {"$nin": [vault.current, None]}
    accounts: Document = {"sealed.key": other}
    payments: Document = {"$or": [{"instruction.key": other}, {"file.key": other}]}

    async def find_accounts(funding: Funding, at: datetime) -> list[str]:
        return await ids_of(funding.database[BankAccount.COLLECTION], accounts)

    async def find_payments(funding: Funding, at: datetime) -> list[str]:
        return await ids_of(funding.database[Payment.COLLECTION], payments)

    await round.for_all(find_accounts, partial(reseal_bank_accounts, vault=vault))
    await round.for_all(find_payments, partial(reseal_payments, vault=vault))
    database = round.root.database
    UNDER_OLD_KEYS.set(
        await database[BankAccount.COLLECTION].count_documents(accounts)
        + await database[Payment.COLLECTION].count_documents(payments)
    )


async def _forget_bank_data(round: Round[Funding]) -> None:
    before = round.now - timedelta(days=round.root.settings.bank_data_days)

    async def find_accounts(funding: Funding, at: datetime) -> list[str]:
        due = {"transfers": [], "$or": [{"erased": True}, {"used_at": {"$lt": stored(before)}}]}
        return await ids_of(funding.database[BankAccount.COLLECTION], due)

    async def find_payments(funding: Funding, at: datetime) -> list[str]:
        due = {"settled_at": {"$lt": stored(before)}, "file": {"$ne": None}}
        return await ids_of(funding.database[Payment.COLLECTION], due)

    await round.for_all(find_accounts, partial(forget_bank_accounts, before=before))
    await round.for_all(find_payments, partial(forget_payment_files, before=before))


async def _remind_of_reports(round: Round[Funding]) -> None:
    policy = round.root.settings.reminders

    async def find(funding: Funding, at: datetime) -> list[str]:
        return await ids_of(funding.database[Grant.COLLECTION], without_report(policy, at.date()))

    await round.for_all(find, partial(remind_of_reports, policy=policy))


def without_report(policy: ReminderPolicy, today: date) -> Document:
    """The grants whose stay ended as long ago as reports are asked for, and whose report has not come."""
    first, last = policy.window(today)
    return {
        "gates.report.state": GateState.WAITS_FOR_VISITOR.value,
        "stay.last_day": {"$gte": first.isoformat(), "$lte": last.isoformat()},
        "state": {"$in": sorted(AWAITING_REPORT)},
    }


async def _recompute_doubtful(round: Round[Funding]) -> None:
    """Tables are read at the start: after one was put on file, whoever waited for its rates is found here."""
    due = waiting_for_a_rate(round.root.policies.rates)

    async def find(funding: Funding, at: datetime) -> list[str]:
        return await ids_of(funding.database[Grant.COLLECTION], due)

    await round.for_all(find, recompute_doubtful)


def overdue(today: date) -> Document:
    """The grants that should have been paid by now."""
    return {"state": {"$in": sorted(UNPAID)}, "due": {"$lt": today.isoformat()}}


async def _tell_overdue(round: Round[Funding]) -> None:
    async def find(funding: Funding, at: datetime) -> list[str]:
        untold = {**overdue(at.date()), "$expr": {"$ne": ["$due", "$overdue_told"]}}
        return await ids_of(funding.database[Grant.COLLECTION], untold)

    await round.for_all(find, tell_overdue)
    grants = round.root.database[Grant.COLLECTION]
    for partnership in round.root.partnerships:
        late = {"partnership": partnership.id, **overdue(round.now.date())}
        OVERDUE.labels(partnership.id).set(await grants.count_documents(late))


async def _sweep_evidence(round: Round[Funding]) -> None:
    await sweep(round, BUCKET, round.root.database[Evidence.COLLECTION], "files.id")


async def _warn_early(round: Round[Funding]) -> None:
    """Compute each partnership's forecast beside the event flow, and tell of what changed."""
    root = round.root
    for partnership in root.partnerships:
        if not await round.goes_on():
            return
        facts = await root.transactions.read(partial(read_forecast_facts, partnership=partnership, by=None))
        answer = await root.forecasts.of(facts)
        WARNINGS.labels(partnership.id).set(len(answer.warnings))
        await root.transactions.run(partial(warn_early, partnership=partnership.id, forecast=answer))


CHORES: Final[Sequence[Chore[Funding]]] = (
    Chore("check_ledgers", timedelta(minutes=10), _check_ledgers),
    Chore("forecasts", timedelta(hours=1), _warn_early),
    Chore("reseal_bank_data", timedelta(hours=1), _reseal_bank_data),
    Chore("reports", timedelta(hours=1), _remind_of_reports),
    Chore("overdue", timedelta(minutes=10), _tell_overdue),
    Chore("missing_rates", timedelta(hours=1), _recompute_doubtful),
    Chore("evidence", timedelta(hours=1), _sweep_evidence),
    Chore("forget_bank_data", timedelta(hours=24), _forget_bank_data),
)


async def do_chores(root: Funding, stopping: asyncio.Event) -> None:
    """A companion of the worker."""
    await go_round(root, stopping, CHORES)
