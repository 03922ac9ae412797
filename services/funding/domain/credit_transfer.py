"""A payment as the file a bank takes: SEPA credit transfers, ISO 20022 pain.001.001.09.

The rules beyond the schema are the customer-to-bank guidelines of the European Payments Council
(EPC132-08): euros, shared charges, letters, lengths, structured addresses.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from services.funding.domain.bank_account import AccountDetails, Address
from services.funding.domain.sepa import in_bank_letters
from shared.contracts.common import Window
from shared.words import days

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
_REMITTANCE: Final = 140


@dataclass(frozen=True)
class CreditTransfer:
    """One of the transfers of a file; `amount` in EUR."""

    end_to_end_id: str
    amount: Decimal
    to: AccountDetails
    remittance: str


def remittance(city: str, stay: Window, match_id: str) -> str:
    """What the payee reads beside the amount; 140 characters at the most."""
    begins = "ClusterXchange lump sum, stay in "
    ends = f" {days(stay.first_day, stay.last_day)}, match {match_id}"
    room = _REMITTANCE - len(begins) - len(ends)
    return in_bank_letters(begins + in_bank_letters(city)[: max(room, 0)] + ends)[:_REMITTANCE]


def credit_transfers(
    *,
    message_id: str,
    created: datetime,
    execute_on: date,
    debtor: AccountDetails,
    transfers: Sequence[CreditTransfer],
) -> bytes:
    """The file: the same arguments give the same bytes."""
    many = str(len(transfers))
    total = _euros(sum((transfer.amount for transfer in transfers), Decimal("0.00")))
    document = ET.Element("Document", xmlns=NAMESPACE)
    initiation = ET.SubElement(document, "CstmrCdtTrfInitn")

    header = ET.SubElement(initiation, "GrpHdr")
    _text(header, "MsgId", message_id)
    _text(header, "CreDtTm", created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    _text(header, "NbOfTxs", many)
    _text(header, "CtrlSum", total)
    _text(ET.SubElement(header, "InitgPty"), "Nm", in_bank_letters(debtor.holder))

    order = ET.SubElement(initiation, "PmtInf")
    _text(order, "PmtInfId", message_id)
    _text(order, "PmtMtd", "TRF")
    # Each transfer is an entry of its own in the account, so that the bank's notices name it.
    _text(order, "BtchBookg", "false")
    _text(order, "NbOfTxs", many)
    _text(order, "CtrlSum", total)
    _text(ET.SubElement(ET.SubElement(order, "PmtTpInf"), "SvcLvl"), "Cd", "SEPA")
    _text(ET.SubElement(order, "ReqdExctnDt"), "Dt", execute_on.isoformat())
    _party(order, "Dbtr", debtor)
    _account(order, "DbtrAcct", debtor)
    _agent(order, "DbtrAgt", debtor, or_not_provided=True)
    _text(order, "ChrgBr", "SLEV")
    for transfer in transfers:
        one = ET.SubElement(order, "CdtTrfTxInf")
        _text(ET.SubElement(one, "PmtId"), "EndToEndId", transfer.end_to_end_id)
        _text(ET.SubElement(one, "Amt"), "InstdAmt", _euros(transfer.amount)).set("Ccy", "EUR")
        _agent(one, "CdtrAgt", transfer.to)
        _party(one, "Cdtr", transfer.to)
        _account(one, "CdtrAcct", transfer.to)
        _text(ET.SubElement(one, "RmtInf"), "Ustrd", transfer.remittance)

    ET.indent(document)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(document, "unicode")}\n'.encode()


def _text(parent: ET.Element, name: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, name)
    element.text = text
    return element


def _euros(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _party(parent: ET.Element, name: str, of: AccountDetails) -> None:
    party = ET.SubElement(parent, name)
    _text(party, "Nm", in_bank_letters(of.holder))
    where: Address = of.address
    address = ET.SubElement(party, "PstlAdr")
    _text(address, "StrtNm", in_bank_letters(where.street))
    if where.building_number:
        _text(address, "BldgNb", in_bank_letters(where.building_number))
    _text(address, "PstCd", in_bank_letters(where.post_code))
    _text(address, "TwnNm", in_bank_letters(where.town))
    _text(address, "Ctry", where.country)


def _account(parent: ET.Element, name: str, of: AccountDetails) -> None:
    _text(ET.SubElement(ET.SubElement(parent, name), "Id"), "IBAN", of.iban)


def _agent(parent: ET.Element, name: str, of: AccountDetails, *, or_not_provided: bool = False) -> None:
    if of.bic is None and not or_not_provided:
        return
    institution = ET.SubElement(ET.SubElement(parent, name), "FinInstnId")
    if of.bic is not None:
        _text(institution, "BICFI", of.bic)
    else:
        # The schema asks for the debtor's bank, the guidelines for these words where the IBAN tells it.
        _text(ET.SubElement(institution, "Othr"), "Id", "NOTPROVIDED")
