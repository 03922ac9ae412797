"""Where the tests of payments start: payable grants, an account, two officers, a bank that answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import SecretStr

from services.funding.bootstrap import debtors_among
from services.funding.domain.bank_account import AccountGiven
from services.funding.domain.grant import Grant, grant_id
from services.funding.domain.payment import Payment
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.give_bank_account import give_bank_account
from services.funding.use_cases.prepare_payment import Prepared, prepare_payment
from services.funding.use_cases.release_payment import read_payment_file, release_payment
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.funding.vault import Vault
from shared.contracts.vocabulary import GateName, GateState
from shared.partnerships import Partnership, Partnerships, PayingAccount, PayingAddress
from shared.security import Caller, CallerRole
from tests.fakes import MemoryTransactions
from tests.unit.funding.builders import POLICIES, a_match, a_partnership

A_KEY: Final = SecretStr("the first secret of the tests, quite long")
ANOTHER_KEY: Final = SecretStr("another secret of the tests, quite long")

PREPARER: Final = Caller("officer-a", CallerRole.STAFF, partnership="hempclub")
RELEASER: Final = Caller("officer-b", CallerRole.STAFF, partnership="hempclub")
OTHER_STAFF: Final = Caller("officer-c", CallerRole.STAFF, partnership="other")
AUDITOR: Final = Caller("auditor-1", CallerRole.AUDITOR)

IBAN: Final = "PT50000201231234567890154"
GATES: Final[tuple[GateName, ...]] = ("agreement", "report", "evidence")
FEB_20: Final = datetime(2023, 2, 20, 9, tzinfo=UTC)


def a_visitor(match_id: str) -> Caller:
    """Somebody who acts for the visitor of that match."""
    return Caller(f"visitor-{match_id}", CallerRole.PARTICIPANT, organisation=f"visitor-{match_id}")


def account_facts(**changes: Any) -> dict[str, Any]:
    """An account in Portugal, as JSON."""
    address = {"street": "Rua do Exemplo", "building_number": "12", "post_code": "1100-001", "town": "Lisboa"}
    return {
        "holder": "Tagus Fibre Works (sample)",
        "address": {**address, "country": "PT"},
        "iban": IBAN,
        **changes,
    }


def a_paying_partnership(id: str = "hempclub", **changes: Any) -> Partnership:
    """A partnership with an account to pay from."""
    account = PayingAccount(
        holder=f"{id.title()} (sample account)",
        address=PayingAddress(street="Via Esempio", post_code="20100", town="Milano", country="IT"),
        iban="IT60X0542811101000000123456",
    )
    return a_partnership(id, **changes).model_copy(update={"account": account})


@dataclass
class Desk:
    """The officers' desks of two partnerships, on a database in memory; the clock stands still."""

    at: datetime = FEB_20

    def __post_init__(self) -> None:
        self.partnerships = Partnerships([a_paying_partnership(), a_paying_partnership("other")])
        self.debtors = debtors_among(self.partnerships)
        self.vault = Vault([A_KEY])
        self.transactions: MemoryTransactions[FundingUnitOfWork] = MemoryTransactions(
            lambda store: FundingUnitOfWork(
                store, policies=POLICIES, partnerships=self.partnerships, clock=lambda: self.at
            )
        )

    async def grant(
        self,
        match_id: str,
        *,
        passed: Iterable[GateName] = GATES,
        account: bool = True,
        payer: str = "hempclub",
        full: bool = False,
    ) -> str:
        """A grant with these gates passed, of three days in Milan: EUR 450; returns its id."""
        match = a_match(match_id, full=full, payer=payer)
        await self.transactions.run(lambda uow: reserve_lump_sum(uow, match))
        for gate in passed:
            await self.turn(match_id, gate, GateState.PASSED)
        if account:
            given = AccountGiven.model_validate(account_facts())
            await self.transactions.run(
                lambda uow: give_bank_account(
                    uow, grant_id(match_id), given, by=a_visitor(match_id), vault=self.vault
                )
            )
        return grant_id(match_id)

    async def turn(self, match_id: str, gate: GateName, state: GateState) -> None:
        async def turn(uow: FundingUnitOfWork) -> None:
            (await uow.grants.get(grant_id(match_id))).turn_gate(gate, state, at=self.at)

        await self.transactions.run(turn)

    async def prepare(self, *ids: str, by: Caller = PREPARER) -> Prepared:
        """Prepare these, or all."""
        return await self.transactions.run(
            lambda uow: prepare_payment(uow, ids or None, by=by, debtors=self.debtors, vault=self.vault)
        )

    async def release(self, payment: Payment, *, by: Caller = RELEASER, on: date | None = None) -> Payment:
        return await self.transactions.run(
            lambda uow: release_payment(uow, payment.id, by=by, on=on, vault=self.vault)
        )

    async def released(self, *ids: str) -> Payment:
        """A payment of these grants, on its way to the bank."""
        return await self.release((await self.prepare(*ids)).payment)

    async def file(self, payment: Payment, *, by: Caller = RELEASER) -> bytes:
        return await self.transactions.read(
            lambda uow: read_payment_file(uow, payment.id, by=by, vault=self.vault)
        )

    async def payment(self, id: str) -> Payment:
        return await self.transactions.read(lambda uow: uow.payments.get(id))

    async def grants(self) -> dict[str, Grant]:
        stored = self.transactions.database[Grant.COLLECTION].values()
        return {grant.id: grant for grant in map(Grant.from_document, stored)}

    async def states(self) -> dict[str, str]:
        """The state of each grant."""
        return {id: grant.state.value for id, grant in (await self.grants()).items()}

    def budget(self, partnership: str = "hempclub") -> dict[str, Decimal]:
        """Where its money is."""
        stored = self.transactions.database["budgets"][partnership]
        return {account: Decimal(stored[account]) for account in ("reserved", "committed", "paid")}


# ── what a bank answers ──────────────────────────────────────────────────────────────────────


def a_status_report(message_id: str, *transactions: str, group: str = "PART", version: str = "10") -> bytes:
    """A pain.002 about a file: the group's status, and those of transfers (`a_status`)."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}">
  <CstmrPmtStsRpt>
    <GrpHdr><MsgId>BANK-1</MsgId><CreDtTm>2023-02-21T08:00:00</CreDtTm></GrpHdr>
    <OrgnlGrpInfAndSts>
      <OrgnlMsgId>{message_id}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>
      <GrpSts>{group}</GrpSts>
    </OrgnlGrpInfAndSts>
    <OrgnlPmtInfAndSts>
      <OrgnlPmtInfId>{message_id}</OrgnlPmtInfId>
      {"".join(transactions)}
    </OrgnlPmtInfAndSts>
  </CstmrPmtStsRpt>
</Document>""".encode()


def a_status(end_to_end_id: str, status: str, code: str | None = None) -> str:
    """One transfer's part of a pain.002."""
    reason = f"<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn></StsRsnInf>" if code else ""
    return (
        f"<TxInfAndSts><OrgnlEndToEndId>{end_to_end_id}</OrgnlEndToEndId>"
        f"<TxSts>{status}</TxSts>{reason}</TxInfAndSts>"
    )


def a_notification(*entries: str, version: str = "08") -> bytes:
    """A camt.054 with these entries (`an_entry`)."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.{version}">
  <BkToCstmrDbtCdtNtfctn>
    <GrpHdr><MsgId>BANK-2</MsgId><CreDtTm>2023-02-22T18:00:00</CreDtTm></GrpHdr>
    <Ntfctn>
      <Id>NOTICE-1</Id><CreDtTm>2023-02-22T18:00:00</CreDtTm>
      <Acct><Id><IBAN>IT60X0542811101000000123456</IBAN></Id></Acct>
      {"".join(entries)}
    </Ntfctn>
  </BkToCstmrDbtCdtNtfctn>
</Document>""".encode()


def an_entry(
    end_to_end_id: str,
    amount: str = "450.00",
    *,
    currency: str = "EUR",
    side: str = "DBIT",
    booked: str = "BOOK",
    returned: str | None = None,
    version: str = "08",
) -> str:
    """One booking of a camt.054, with its transaction, as this version writes it."""
    status = booked if version < "08" else f"<Cd>{booked}</Cd>"
    sum = f'<Amt Ccy="{currency}">{amount}</Amt>'
    inside = (
        f"<AmtDtls><TxAmt>{sum}</TxAmt></AmtDtls>"
        if version == "02"
        else f"{sum}<CdtDbtInd>{side}</CdtDbtInd>"
    )
    back = f"<RtrInf><Rsn><Cd>{returned}</Cd></Rsn></RtrInf>" if returned else ""
    return f"""<Ntry>
      {sum}<CdtDbtInd>{side}</CdtDbtInd><Sts>{status}</Sts>
      <BookgDt><Dt>2023-02-22</Dt></BookgDt><AcctSvcrRef>REF-{end_to_end_id[-6:]}</AcctSvcrRef>
      <BkTxCd><Prtry><Cd>TRANSFER</Cd></Prtry></BkTxCd>
      <NtryDtls><TxDtls>
        <Refs><EndToEndId>{end_to_end_id}</EndToEndId></Refs>{inside}{back}
      </TxDtls></NtryDtls>
    </Ntry>"""
