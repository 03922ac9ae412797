"""The visiting organisation says which account its grant is to be paid to."""

from __future__ import annotations

from services.funding.domain.bank_account import AccountDetails, AccountGiven, BankAccount, account_id
from services.funding.repositories import FundingUnitOfWork
from services.funding.vault import Vault
from shared.contracts.vocabulary import GrantState
from shared.errors import Forbidden, NotFound, RuleBroken
from shared.security import Caller

_OVER = (GrantState.REFUSED, GrantState.CANCELLED, GrantState.RECOVERED)


class NothingToPay(RuleBroken):
    """The grant is over: nothing will be paid, and no bank data are taken."""

    code = "nothing-to-pay"


async def give_bank_account(
    uow: FundingUnitOfWork, grant_id: str, given: AccountGiven, *, by: Caller, vault: Vault
) -> BankAccount:
    """The account, for this grant and any other of the visitor; the same one again changes nothing.

    Raises `NotFound`, `Forbidden` for all but the organisation itself, `AccountInUse`, `NoBankKey`.
    """
    grant = await uow.grants.get_visible_to(by, grant_id)
    by.require_acts_for(grant.visitor.owner)
    if grant.state in _OVER:
        raise NothingToPay(f"Grant {grant_id} is {grant.state.value}: nothing will be paid for it.")
    id, details = account_id(grant.visitor.registration_id), given.details
    account = await uow.bank_accounts.find(id)
    if account is not None and open_account(account, vault) == details:
        return account

    sealed = vault.close(details.model_dump_json().encode(), of=id)
    if account is None:
        account = BankAccount.give(grant, sealed, details.masked, by=by.subject, at=uow.now)
        uow.bank_accounts.add(account)
    else:
        account.change(grant, sealed, details.masked, by=by.subject, at=uow.now)
    return account


async def read_bank_account(uow: FundingUnitOfWork, grant_id: str, *, by: Caller) -> BankAccount:
    """The account a grant is paid to; raises `NotFound`, and `Forbidden` for the host's partnership."""
    grant = await uow.grants.get_visible_to(by, grant_id)
    if not (by.sees_everything or by.acts_for(grant.visitor.owner) or by.is_staff_of(grant.partnership)):
        raise Forbidden("The account is for the visiting organisation and the partnership that pays.")
    account = await uow.bank_accounts.find(account_id(grant.visitor.registration_id))
    if account is None:
        raise NotFound(
            f"No account was given for grant {grant_id} yet; the visiting organisation gives it at "
            f"PUT /grants/{grant_id}/bank-account."
        )
    return account


def open_account(account: BankAccount, vault: Vault) -> AccountDetails:
    """What the account is; raises `NoBankKey`."""
    return AccountDetails.model_validate_json(vault.open(account.sealed, of=account.id))
