"""Payments on a real MongoDB, by two processes at once: never paid twice, and no file without its events."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from services.funding.bank_messages import read_bank_message
from services.funding.bootstrap import Funding
from services.funding.chores import CHORES
from services.funding.domain.bank_account import AccountGiven
from services.funding.domain.payment import Payment
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.apply_bank_answers import apply_bank_answers
from services.funding.use_cases.give_bank_account import give_bank_account
from services.funding.use_cases.prepare_payment import prepare_payment
from services.funding.use_cases.release_payment import read_payment_file, release_payment
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.funding.vault import NoBankKey, Vault
from shared.chores import Round
from shared.contracts.envelope import CloudEvent
from shared.contracts.vocabulary import GateState
from shared.errors import RuleBroken
from shared.messaging.outbox import unpack
from shared.security import Caller, CallerRole
from shared.storage.lease import Lease
from tests.integration.apis import running_root, settings_of
from tests.unit.funding.builders import a_match
from tests.unit.funding.paying import (
    A_KEY,
    ANOTHER_KEY,
    GATES,
    PREPARER,
    RELEASER,
    a_notification,
    a_visitor,
    account_facts,
    an_entry,
)

pytestmark = pytest.mark.integration

WOOL_A = Caller("wool-a", CallerRole.STAFF, partnership="woolclub")
WOOL_B = Caller("wool-b", CallerRole.STAFF, partnership="woolclub")
THIRD = Caller("officer-c", CallerRole.STAFF, partnership="hempclub")


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.fixture
async def roots(mongo_url: str, database: str) -> AsyncIterator[list[Funding]]:
    settings = settings_of("funding", mongo_url, bank_keys=[A_KEY])
    async with (
        running_root("funding", settings, database) as one,
        running_root("funding", settings, database) as other,
    ):
        yield [one, other]


async def payable(root: Funding, match_id: str, payer: str = "hempclub") -> str:
    """A grant of EUR 450 that can be paid."""

    async def set_up(uow: FundingUnitOfWork) -> str:
        grant = await reserve_lump_sum(uow, a_match(match_id, full=False, payer=payer))
        for gate in GATES:
            grant.turn_gate(gate, GateState.PASSED, at=uow.now)
        given = AccountGiven.model_validate(account_facts())
        await give_bank_account(uow, grant.id, given, by=a_visitor(match_id), vault=root.vault)
        return grant.id

    return await root.transactions.run(set_up)


async def prepare(root: Funding, *ids: str, by: Caller = PREPARER) -> Payment:
    prepared = await root.transactions.run(
        lambda uow: prepare_payment(uow, ids or None, by=by, debtors=root.debtors, vault=root.vault)
    )
    return prepared.payment


async def release(root: Funding, id: str, *, by: Caller = RELEASER) -> Payment:
    return await root.transactions.run(
        lambda uow: release_payment(uow, id, by=by, on=None, vault=root.vault), attempts=20
    )


async def file(root: Funding, id: str, *, by: Caller = RELEASER) -> bytes:
    return await root.transactions.read(lambda uow: read_payment_file(uow, id, by=by, vault=root.vault))


async def told(root: Funding) -> Counter[str]:
    """How often each kind of event is waiting to be published."""
    rows = await root.database["outbox"].find({}).to_list(None)
    return Counter(CloudEvent.model_validate_json(m.value).type for row in rows for m in unpack(row))


async def tried(*attempts: Any) -> list[Any]:
    """What each came to, at once; broken rules among them."""
    results = await asyncio.gather(*attempts, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, RuleBroken):
            raise result
    return results


async def balances(root: Funding, partnership: str) -> dict[str, Decimal]:
    """The partnership's accounts, added up from the ledger."""
    accounts: Counter[str] = Counter()
    async for entry in root.database["ledger"].find({"partnership": partnership}):
        accounts[entry["debit"]] += Decimal(entry["amount"])  # type: ignore[assignment]
        accounts[entry["credit"]] -= Decimal(entry["amount"])  # type: ignore[assignment]
    return {name: Decimal(accounts[name]) for name in ("reserved", "committed", "paid")}


async def test_two_officers_and_two_partnerships_pay_each_grant_once(roots: list[Funding]) -> None:
    one, other = roots
    hemp = [await payable(one, f"m{number}") for number in range(4)]
    wool = [await payable(one, f"w{number}", "woolclub") for number in range(2)]

    # The same grants in four payments at once, all at once in both processes: each is in one of them.
    prepared = await tried(
        prepare(one, *hemp),
        prepare(other, *hemp, by=THIRD),
        prepare(other),
        prepare(one, hemp[2], hemp[3], by=THIRD),
        prepare(one, by=WOOL_A),
        prepare(other, *wool, by=WOOL_B),
    )
    payments = [result for result in prepared if isinstance(result, Payment)]
    held = [transfer.grant_id for payment in payments for transfer in payment.transfers]
    assert sorted(held) == sorted(hemp + wool)

    # One dies on the way; then all that may release do so, twice, in both processes.
    async def dies(uow: FundingUnitOfWork) -> None:
        await release_payment(uow, payments[0].id, by=RELEASER, on=None, vault=one.vault)
        await uow.store.write(uow.changes())
        raise Killed

    with pytest.raises(Killed):
        await one.transactions.once(dies)
    assert (await told(one))["cxc.payment.released.v1"] == 0
    assert await one.database["payments"].count_documents({"state": "released"}) == 0

    officers = [PREPARER, RELEASER, THIRD, WOOL_A, WOOL_B]
    releases = await tried(
        *(
            release(root, payment.id, by=officer)
            for payment in payments
            for officer in officers
            if officer.partnership == payment.partnership
            for root in roots
        )
    )
    assert sum(isinstance(result, Payment) for result in releases) == len(payments)
    events = await told(one)
    assert events["cxc.payment.released.v1"] == len(payments)
    assert events["cxc.grant.released.v1"] == len(hemp + wool)
    names: list[str] = []
    for payment in payments:
        by = WOOL_B if payment.partnership == "woolclub" else RELEASER
        content = await file(one, payment.id, by=by)
        assert content == await file(other, payment.id, by=by)
        names += [transfer.end_to_end_id for transfer in payment.transfers]
        assert all(content.count(transfer.end_to_end_id.encode()) == 1 for transfer in payment.transfers)
    assert len(names) == len(set(names)) == len(hemp + wool)

    # The bank's notice arrives in both processes, twice: paid once, and each at its own partnership.
    answers = read_bank_message(a_notification(*(an_entry(name) for name in names)))
    taken = await asyncio.gather(
        *(
            root.transactions.run(lambda uow, by=by: apply_bank_answers(uow, answers, by=by), attempts=20)  # type: ignore[misc]
            for root in roots
            for by in (PREPARER, WOOL_A, RELEASER)
        )
    )
    outcomes = Counter(one.outcome.value for report in taken for one in report)
    assert outcomes["applied"] == len(names)
    assert outcomes["already_known"] == 3 * len(hemp) + len(wool)
    assert outcomes["not_ours"] == 4 * len(wool) + 2 * len(hemp)
    assert await balances(one, "hempclub") == {"reserved": 0, "committed": 0, "paid": 450 * len(hemp)}
    assert await balances(one, "woolclub") == {"reserved": 0, "committed": 0, "paid": 450 * len(wool)}
    assert (await told(one))["cxc.grant.paid.v1"] == len(names)


async def test_a_worker_closes_bank_data_with_the_new_key(
    roots: list[Funding], mongo_url: str, database: str
) -> None:
    root = roots[0]
    payment = await prepare(root, await payable(root, "m1"))
    await release(root, payment.id)
    content = await file(root, payment.id)
    rotating = settings_of("funding", mongo_url, bank_keys=[ANOTHER_KEY, A_KEY])
    async with running_root("funding", rotating, database) as with_both:
        [chore] = [chore for chore in CHORES if chore.name == "reseal_bank_data"]
        lease = Lease("chores", with_both.database)
        await chore.do_round(Round(chore.name, with_both, lease, asyncio.Event()))
        await lease.let_go()
    new = settings_of("funding", mongo_url, bank_keys=[SecretStr(ANOTHER_KEY.get_secret_value())])
    async with running_root("funding", new, database) as with_new:
        assert await file(with_new, payment.id) == content
    with pytest.raises(NoBankKey, match=Vault([ANOTHER_KEY]).current):
        await file(root, payment.id)
