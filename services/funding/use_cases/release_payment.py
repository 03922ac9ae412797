"""Another officer releases a prepared payment: the file for the bank is made, once and for good."""

from __future__ import annotations

import hashlib
from datetime import date

from services.funding.domain.payment import Instruction, Payment
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.prepare_payment import FILE, INSTRUCTION
from services.funding.vault import Vault
from shared.errors import Forbidden, RuleBroken
from shared.security import Caller


class NotReleased(RuleBroken):
    """There is no file before another officer has released the payment."""

    code = "not-released"


class FileGivenUp(RuleBroken):
    """A file the bank did not take is not handed over later."""

    code = "file-given-up"


class FileForgotten(RuleBroken):
    """The file is kept for as long as accounts must be, and no longer."""

    code = "file-forgotten"


async def release_payment(
    uow: FundingUnitOfWork, id: str, *, by: Caller, on: date | None, vault: Vault
) -> Payment:
    """The payment with its file, in the same transaction as the grants it releases.

    `on` is the day the bank is asked to carry it out, today unless it is given. Raises `NotFound`,
    `Forbidden`, `SameOfficer`, `PaymentStateForbids`, `DayNotPossible`, `MatchEnded`, `NoBankKey`.
    """
    payment = await uow.payments.get_visible_to(by, id)
    by.require_staff_of(payment.partnership)
    grants = await uow.grants.get_all([transfer.grant_id for transfer in payment.transfers])
    today = uow.now.date()
    on = on or today
    payment.require_releasable(by.subject, on, today)
    for grant in grants:
        grant.release()
    assert payment.instruction is not None
    opened = vault.open(payment.instruction, of=f"{id}/{INSTRUCTION}")
    file = payment.written(Instruction.model_validate_json(opened), on=on, at=uow.now)
    payment.release(
        by=by.subject,
        at=uow.now,
        on=on,
        file=vault.close(file, of=f"{id}/{FILE}"),
        sha256=hashlib.sha256(file).hexdigest(),
    )
    return payment


async def read_payment_file(uow: FundingUnitOfWork, id: str, *, by: Caller, vault: Vault) -> bytes:
    """The file for the bank, with account numbers: for staff of the partnership alone.

    Raises `NotFound`, `Forbidden`, `NotReleased`, `FileGivenUp`, `FileForgotten`, `NoBankKey`.
    """
    payment = await uow.payments.get_visible_to(by, id)
    if not by.is_staff_of(payment.partnership):
        raise Forbidden("The file holds account numbers: only staff of the partnership can have it.")
    if payment.released_at is None:
        raise NotReleased(f"Payment {id} is {payment.state.value}; its file is made when it is released.")
    if payment.given_up_at is not None:
        raise FileGivenUp(
            f"It was said that the bank did not take the file of payment {id}, and its grants can be in "
            "another one: it must not be handed over any more."
        )
    if payment.file is None:
        raise FileForgotten(f"The file of payment {id} was deleted when accounts needed it no more.")
    return vault.open(payment.file, of=f"{id}/{FILE}")
