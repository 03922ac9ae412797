"""Bank data that an older key closed are closed anew with the present one."""

from __future__ import annotations

from collections.abc import Iterable

from services.funding.domain.sealed import Sealed
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.prepare_payment import FILE, INSTRUCTION
from services.funding.vault import Vault


async def reseal_bank_accounts(uow: FundingUnitOfWork, ids: Iterable[str], *, vault: Vault) -> None:
    """Close these accounts with the present key; raises `NoBankKey` where the one of before is missing."""
    for account in await uow.bank_accounts.get_all(ids):
        if account.sealed.key != vault.current:
            account.reseal(vault.reclose(account.sealed, of=account.id))


async def reseal_payments(uow: FundingUnitOfWork, ids: Iterable[str], *, vault: Vault) -> None:
    """Likewise what payments are made of, and their files, which stay the same byte for byte."""

    def anew(sealed: Sealed | None, of: str) -> Sealed | None:
        return vault.reclose(sealed, of=of) if sealed is not None else None

    for payment in await uow.payments.get_all(ids):
        sealed = (payment.instruction, payment.file)
        if any(one is not None and one.key != vault.current for one in sealed):
            payment.reseal(
                instruction=anew(payment.instruction, f"{payment.id}/{INSTRUCTION}"),
                file=anew(payment.file, f"{payment.id}/{FILE}"),
            )
