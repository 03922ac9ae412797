"""Someone asks what funding holds about a registration."""

from __future__ import annotations

from typing import Any, Final

from services.funding.domain.agreement import Agreement, agreement_id
from services.funding.domain.bank_account import account_id
from services.funding.domain.evidence import evidence_id
from services.funding.domain.grant import Grant
from services.funding.domain.report import report_id
from services.funding.repositories import FundingUnitOfWork
from shared.contracts.common import ERASED
from shared.erasure import without_words
from shared.held import Kind, require_may_know, without_other_side
from shared.security import Caller

_WITH_THE_MONEY: Final = (
    "Where money was paid for the stay, or may yet be, for as long as public accounts must be kept, also "
    "after an erasure: what is paid is paid for that. Of a grant that was cancelled or refused it goes with "
    "the erasure."
)


_OF_THE_VISITOR: Final = {
    "lump_sum",
    "position",
    "board",
    "due",
    "strict_due",
    "payment_id",
    "paid_on",
    "reference",
    "booked_before",
    "claimed",
    "recovered",
    "returns",
}
"""What of a grant is not its host's."""


async def tell_what_is_held(uow: FundingUnitOfWork, registration_id: str, *, by: Caller) -> list[Kind]:
    """The grants of its matches, and what belongs to them; raises `NotFound`."""
    grants = await uow.grants.naming(registration_id)
    sides = [
        grant.visitor if grant.visitor.registration_id == registration_id else grant.host for grant in grants
    ]
    require_may_know(by, sides, "funding", registration_id)
    visits = [grant.match_id for grant in grants if grant.visitor.registration_id == registration_id]
    reports = await uow.reports.get_all(map(report_id, visits))
    evidence = await uow.evidence.get_all(map(evidence_id, visits))
    agreements = await uow.agreements.get_all(agreement_id(grant.match_id) for grant in grants)
    accounts = await uow.bank_accounts.get_all([account_id(registration_id)])
    payments = await uow.payments.to(registration_id)
    return [
        Kind(
            name="grants",
            what="The lump sum of each of its approved matches, with the calculation and its receipt, and "
            "its hold on the budget of the partnership that pays. Of a visit it hosts, the money is the "
            "visitor's.",
            kept="Amounts, days, countries and receipts for as long as public accounts must be kept, also "
            "after an erasure. The name goes with the erasure, that of a visitor only where no money is, "
            "may yet be, or was its own.",
            documents=[_as_seen_by(registration_id, grant) for grant in grants],
        ),
        Kind(
            name="agreements",
            what="The financial agreement of each grant that somebody has asked for: what it promises, on "
            "which conditions, and who signed. The document itself: GET /grants/{id}/agreement.pdf. Of a "
            "visit it hosts, it is the visitor's.",
            kept="Signed by both for a grant that was neither cancelled nor refused, it is a contract and "
            "stays as it was signed. Of any other the name is gone after an erasure.",
            documents=[_agreement_as_seen_by(registration_id, agreement) for agreement in agreements],
        ),
        Kind(
            name="reports",
            what="What it says of each stay of its own: the days as they were, goals, activities, results, "
            "and how satisfied it is. Its partnership validates it, and that of the host reads it.",
            kept=_WITH_THE_MONEY,
            documents=[report.model_dump(mode="json") for report in reports],
        ),
        Kind(
            name="evidence",
            what="The files by which it shows that each stay of its own took place, and what became of them. "
            "Each file: GET /grants/{id}/evidence/{file}. Its partnership sees them, the host's does not.",
            kept=_WITH_THE_MONEY,
            documents=[one.model_dump(mode="json") for one in evidence],
        ),
        Kind(
            name="bank_accounts",
            what="The account its grants are paid to. It is stored encrypted, and its number is shown to "
            "nobody; holder and address: GET /grants/{id}/bank-account.",
            kept="While a grant is to be paid to it, and for some years after its last use. With an erasure "
            "it goes as soon as nothing is owed to it.",
            documents=[account.model_dump(mode="json", exclude={"sealed"}) for account in accounts],
        ),
        Kind(
            name="payments",
            what="What was paid to it, or is about to be, and what the bank answered. The file for the bank, "
            "with its name, address and account number, is stored encrypted.",
            kept="Amounts, days and the bank's answers for as long as public accounts must be kept; file and "
            "masked number for some years after the bank's last answer.",
            documents=[
                {"payment_id": payment.id, **transfer.model_dump(mode="json")}
                for payment in payments
                for transfer in payment.transfers
                if transfer.registration_id == registration_id
            ],
        ),
    ]


def _as_seen_by(registration_id: str, grant: Grant) -> dict[str, Any]:
    hosts = grant.host.registration_id == registration_id
    other = grant.visitor if hosts else grant.host
    names = [name for name in (other.organisation, other.email) if name and name != ERASED]
    document = grant.model_dump(mode="json", exclude=_OF_THE_VISITOR if hosts else None)
    return document | {
        "visitor" if hosts else "host": without_other_side(other),
        "reason": grant.reason and without_words(grant.reason, names),
    }


def _agreement_as_seen_by(registration_id: str, agreement: Agreement) -> dict[str, Any]:
    document = agreement.model_dump(mode="json")
    content = document["content"]
    if agreement.host.registration_id == registration_id:
        kept = {name: content[name] for name in ("host", "first_day", "last_day")}
        visitor = without_other_side(agreement.visitor)
        return document | {"visitor": visitor, "content": kept, "signatures": [], "void_because": None}
    content["host"] = {"country": content["host"]["country"]}
    return document | {"host": without_other_side(agreement.host)}
