"""Puts the funding service together: settings, database, rules, budgets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog
from pydantic import ValidationError

from services.funding.domain.bank_account import AccountDetails, AccountGiven
from services.funding.domain.budget import BudgetBelowReserved
from services.funding.domain.lump_sum import Policies
from services.funding.evidence_files import BUCKET
from services.funding.forecasts import Forecasts, assumptions_in
from services.funding.remembered import Remembered
from services.funding.repositories import FundingUnitOfWork, make_indexes, put_on_board
from services.funding.rules_on_file import policies_in
from services.funding.settings import FundingSettings
from services.funding.use_cases.open_ledger import open_ledger
from services.funding.use_cases.read_readiness import BoardTotals
from services.funding.use_cases.settle_budget import settle_budget
from services.funding.vault import Vault
from shared.contracts.envelope import now
from shared.partnerships import Partnership, Partnerships
from shared.problems import field_problems, in_words
from shared.storage.driver import Client, Database, close, connect
from shared.storage.files import Files
from shared.storage.store import prepare_database
from shared.storage.transactions import Transactions
from shared.storage.unit_of_work import Clock

_log = structlog.get_logger(__name__)

_AT_ONCE = 500


@dataclass(frozen=True)
class Funding:
    """The composition root of the funding service."""

    settings: FundingSettings
    client: Client
    database: Database
    transactions: Transactions[FundingUnitOfWork]
    partnerships: Partnerships
    policies: Policies
    files: Files
    """What was handed in: kept in GridFS, outside the transactions."""
    clock: Clock
    vault: Vault = field(default_factory=Vault)
    """Opens and closes bank data; without keys of the settings it refuses."""
    debtors: Mapping[str, AccountDetails] = field(default_factory=dict)
    """The accounts partnerships pay from, by the partnership."""
    forecasts: Forecasts = field(default_factory=lambda: Forecasts(assumptions_in()))
    board_totals: Remembered[BoardTotals] = field(default_factory=Remembered)

    async def close(self) -> None:
        """Let the database go."""
        await close(self.client)


async def bootstrap(
    settings: FundingSettings | None = None,
    *,
    client: Client | None = None,
    database: str | None = None,
    clock: Clock = now,
) -> Funding:
    """A working service; reads its files, prepares the database and lets the configured budgets take effect.

    `database` names another database than the service's own.
    """
    settings = settings or FundingSettings.load()
    if settings.days_ahead:
        _log.warning("rehearsal", days_ahead=settings.days_ahead)
        clock = _ahead_of(clock, timedelta(days=settings.days_ahead))
    policies = policies_in(settings.funding_rules)
    partnerships = Partnerships.load(settings.partnerships)
    debtors = debtors_among(partnerships)
    forecasts = Forecasts(assumptions_in(settings.funding_rules))
    # Now, not while the first match waits; in a thread, as it takes a second or two.
    await asyncio.to_thread(policies.places.load)
    client = client or connect(settings.mongo_url.get_secret_value(), settings.mongo_driver)
    store = client[database or settings.database]
    await prepare_database(store)
    await make_indexes(store)
    await put_on_board(store, (partnership.id for partnership in partnerships))
    transactions = Transactions(
        client,
        store,
        lambda open_store: FundingUnitOfWork(
            open_store, policies=policies, partnerships=partnerships, clock=clock
        ),
    )
    await _open_ledgers(transactions)
    for partnership in partnerships:
        await _settle(transactions, partnership)
    return Funding(
        settings=settings,
        client=client,
        database=store,
        transactions=transactions,
        partnerships=partnerships,
        policies=policies,
        files=Files(store, BUCKET),
        clock=clock,
        vault=Vault(settings.bank_keys),
        debtors=debtors,
        forecasts=forecasts,
    )


def _ahead_of(clock: Clock, time: timedelta) -> Clock:
    return lambda: clock() + time


def debtors_among(partnerships: Partnerships) -> dict[str, AccountDetails]:
    """The accounts they pay from; raises `ValueError` naming the partnership whose account is wrong."""
    debtors = {}
    for partnership in partnerships:
        if partnership.account is None:
            continue
        try:
            given = AccountGiven.model_validate(partnership.account.model_dump())
        except ValidationError as error:
            wrong = in_words(field_problems(error.errors()), 5)
            raise ValueError(f"the account of partnership {partnership.id} cannot be used: {wrong}") from None
        debtors[partnership.id] = given.details
    return debtors


async def _open_ledgers(transactions: Transactions[FundingUnitOfWork]) -> None:
    """Budgets from before there was a ledger, those of partnerships that are gone included."""
    for id in await transactions.read(lambda uow: uow.budgets.without_ledger()):
        await transactions.run(partial(open_ledger, partnership=id), attempts=20)
        _log.info("ledger_opened", partnership=id)


async def _settle(transactions: Transactions[FundingUnitOfWork], partnership: Partnership) -> None:
    try:
        while (
            await transactions.run(lambda uow: settle_budget(uow, partnership, at_most=_AT_ONCE), attempts=20)
            == _AT_ONCE
        ):
            pass
    except BudgetBelowReserved as error:
        # The promises made stand; the service goes on with the budget they were made from.
        _log.warning("budget_not_cut", partnership=partnership.id, detail=error.detail)
