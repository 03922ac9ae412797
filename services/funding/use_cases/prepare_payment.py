"""An officer prepares a payment: grants that are payable, the accounts they go to, fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from services.funding.domain.bank_account import AccountDetails, BankAccount
from services.funding.domain.credit_transfer import remittance
from services.funding.domain.grant import Grant
from services.funding.domain.payment import (
    MOST_TRANSFERS,
    Creditor,
    Instruction,
    Payment,
    Transfer,
    end_to_end_id,
)
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.give_bank_account import open_account
from services.funding.vault import Vault
from shared.contracts.envelope import new_id
from shared.errors import Forbidden, NotFound, RuleBroken
from shared.security import Caller, CallerRole

INSTRUCTION: Final = "instruction"
FILE: Final = "file"


class NoBankAccount(RuleBroken):
    """The visitor has not said yet where its grant is to be paid."""

    code = "no-bank-account"


class NoPayingAccount(RuleBroken):
    """It is not known from which account the partnership pays."""

    code = "no-paying-account"


class NotPayable(RuleBroken):
    """Grants cannot be put into a payment, for several reasons."""

    code = "not-payable"


class NothingPayable(RuleBroken):
    """No grant of the partnership can be paid now."""

    code = "nothing-payable"


class Prepared(NamedTuple):
    """A payment, and the payable grants it leaves out."""

    payment: Payment
    left_out: list[Grant]
    """Those whose visitors have given no account yet."""


async def prepare_payment(
    uow: FundingUnitOfWork,
    ids: Sequence[str] | None,
    *,
    by: Caller,
    debtors: Mapping[str, AccountDetails],
    vault: Vault,
) -> Prepared:
    """A payment of these grants, all or none; or of all that the officer's partnership can pay now.

    Raises `Forbidden`, `NotFound`, and what forbids it for any of the grants: with `errors` that say of
    which, and why.
    """
    if by.role is not CallerRole.STAFF or by.partnership is None:
        raise Forbidden("Only staff of a partnership prepare its payments.")
    debtor = debtors.get(by.partnership)
    if debtor is None:
        raise NoPayingAccount(
            f"It is not known which account {by.partnership} pays from: whoever runs the platform adds "
            "`account` to it in the file of the partnerships."
        )
    if ids is None:
        payable = await uow.grants.payable(by.partnership, limit=MOST_TRANSFERS)
        grants = [grant for grant in payable if grant.booked_before is None]
    else:
        grants = await _named(uow, list(dict.fromkeys(ids)), by.partnership)
    accounts = await uow.bank_accounts.of(*grants)
    left_out: list[Grant] = []
    if ids is None:
        left_out = [grant for grant in grants if grant.id not in accounts]
        grants = [grant for grant in grants if grant.id in accounts]
        if not grants:
            without = f" {len(left_out)} lack the visitor's bank account." if left_out else ""
            raise NothingPayable(f"{by.partnership} has no grant that can be paid now.{without}")

    payment_id = new_id()
    _put_into(payment_id, grants, accounts)
    creditors = {
        grant.id: Creditor(
            account=open_account(accounts[grant.id], vault),
            remittance=remittance(grant.host.place.city, grant.days, grant.match_id),
        )
        for grant in grants
    }
    transfers = [
        Transfer(
            grant_id=grant.id,
            match_id=grant.match_id,
            registration_id=grant.visitor.registration_id,
            end_to_end_id=end_to_end_id(payment_id, grant.id),
            amount=grant.amount,
            account=accounts[grant.id].shown,
        )
        for grant in grants
    ]
    for transfer in transfers:
        accounts[transfer.grant_id].hold(transfer.end_to_end_id, at=uow.now)
    instruction = Instruction(debtor=debtor, creditors=creditors).model_dump_json().encode()
    payment = Payment.prepare(
        payment_id,
        by.partnership,
        transfers,
        vault.close(instruction, of=f"{payment_id}/{INSTRUCTION}"),
        by=by.subject,
        at=uow.now,
    )
    uow.payments.add(payment)
    return Prepared(payment, left_out)


async def _named(uow: FundingUnitOfWork, ids: Sequence[str], partnership: str) -> list[Grant]:
    grants = [grant for grant in await uow.grants.get_all(ids) if grant.partnership == partnership]
    if strangers := set(ids) - {grant.id for grant in grants}:
        raise NotFound(f"There is no grant {min(strangers)}, or none that {partnership} pays.")
    return grants


def _put_into(payment_id: str, grants: Sequence[Grant], accounts: Mapping[str, BankAccount]) -> None:
    """Raises what forbids it for any of them; nothing of that is stored then."""
    refusals: list[tuple[int, RuleBroken]] = []
    for place, grant in enumerate(grants):
        try:
            grant.prepare(payment_id)
            if grant.id not in accounts:
                raise NoBankAccount(
                    f"Grant {grant.id} has no account to be paid to: the visiting organisation gives it at "
                    f"PUT /grants/{grant.id}/bank-account."
                )
        except RuleBroken as refusal:
            refusals.append((place, refusal))
    if not refusals:
        return
    kinds = {type(refusal) for _, refusal in refusals}
    kind = kinds.pop() if len(kinds) == 1 else NotPayable
    raise kind(
        " ".join(refusal.detail for _, refusal in refusals[:5]),
        errors=[{"pointer": f"/grants/{place}", "detail": refusal.detail} for place, refusal in refusals],
    )
