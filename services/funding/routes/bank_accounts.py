"""The account a grant is paid to: given by the visiting organisation, shown masked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Self

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, Field

from services.funding.domain.bank_account import AccountDetails, AccountGiven, Address, BankAccount
from services.funding.routes.root import Root, change
from services.funding.use_cases.give_bank_account import give_bank_account, open_account, read_bank_account
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["bank accounts"])

_TAGUS: Final = {
    "holder": "Tagus Fibre Works (sample)",
    "address": {
        "street": "Rua do Exemplo",
        "building_number": "12",
        "post_code": "1100-001",
        "town": "Lisboa",
        "country": "PT",
    },
    "iban": "PT50 0002 0123 1234 5678 9015 4",
}
Sent = Annotated[
    AccountGiven,
    Body(openapi_examples={"in Portugal": {"summary": "The IBAN is enough inside the EEA", "value": _TAGUS}}),
]


class BankAccountView(BaseModel):
    """An account, without its number."""

    holder: str
    address: Address
    account: str = Field(examples=["PT50 •••• … 0154"])
    """The IBAN: country, check digits, the last four characters."""
    bank: str | None
    """Its bank's name, where the lists of banks have it: is it the right one?"""
    given_at: datetime
    in_use: bool
    """A payment to it is prepared or on its way: it cannot be changed now."""

    @classmethod
    def of(cls, account: BankAccount, details: AccountDetails) -> Self:
        """The account as those who may see it see it."""
        return cls(
            holder=details.holder,
            address=details.address,
            account=account.shown,
            bank=details.bank,
            given_at=account.given_at,
            in_use=bool(account.transfers),
        )


@router.put(
    "/grants/{id}/bank-account",
    summary="Say where the grant is to be paid",
    response_description="The account as it is kept and shown.",
    responses=problem_responses(401, 403, 404, 409, 422, 503),
)
async def give(
    id: str, sent: Sent, caller: Authenticated, funding: Root, request: Request
) -> BankAccountView:
    """Holder, address and IBAN of the account; for the visiting organisation alone.

    What is wrong with an IBAN is said in `errors`. It is stored encrypted, and shown to nobody again as
    a whole. It can be given and changed until it is in a payment; both partnerships' staff are not
    told the number, and the organisation is told by mail that there is a new one.
    """
    account = await change(
        funding, request, lambda uow: give_bank_account(uow, id, sent, by=caller, vault=funding.vault)
    )
    return BankAccountView.of(account, open_account(account, funding.vault))


@router.get(
    "/grants/{id}/bank-account",
    summary="See where the grant is to be paid",
    response_description="The account, masked.",
    responses=problem_responses(401, 403, 404, 503),
)
async def read(id: str, caller: Authenticated, funding: Root) -> BankAccountView:
    """For the visiting organisation, staff of the partnership that pays, the support office and auditors."""
    account = await funding.transactions.read(lambda uow: read_bank_account(uow, id, by=caller))
    return BankAccountView.of(account, open_account(account, funding.vault))
