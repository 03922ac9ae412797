"""Bank data go when nothing is owed any more, and files of payments when accounts need them no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from services.funding.domain.bank_account import account_id
from services.funding.domain.grant import Grant
from services.funding.repositories import FundingUnitOfWork
from shared.contracts.vocabulary import GrantState

_NOTHING_OWED: Final = frozenset(
    {GrantState.REFUSED, GrantState.CANCELLED, GrantState.PAID, GrantState.RECOVERED}
)


async def erase_bank_account(uow: FundingUnitOfWork, registration_id: str, grants: Sequence[Grant]) -> None:
    """The registration was erased: its account goes now, or as soon as its grants are paid or over."""
    account = await uow.bank_accounts.find(account_id(registration_id))
    if account is None:
        return
    if account.transfers or _owed(registration_id, grants):
        account.erase()
    else:
        uow.bank_accounts.remove(account)


async def forget_bank_accounts(uow: FundingUnitOfWork, ids: Iterable[str], *, before: datetime) -> None:
    """Delete those that are erased, or were used last before that moment, and to which nothing is owed."""
    for account in await uow.bank_accounts.get_all(ids):
        registration_id = account.id.removeprefix(account_id(""))
        due = account.erased or account.used_at < before
        if not due or account.transfers:
            continue
        if not _owed(registration_id, await uow.grants.naming(registration_id)):
            uow.bank_accounts.remove(account)


async def forget_payment_files(uow: FundingUnitOfWork, ids: Iterable[str], *, before: datetime) -> None:
    """Delete the files of payments whose last transfer was answered before that moment."""
    for payment in await uow.payments.get_all(ids):
        if payment.file is not None and payment.settled_at is not None and payment.settled_at < before:
            payment.forget_bank_data()


def _owed(registration_id: str, grants: Iterable[Grant]) -> bool:
    return any(
        grant.visitor.registration_id == registration_id and grant.state not in _NOTHING_OWED
        for grant in grants
    )
