"""The bank of the demo: takes a file of credit transfers and answers with what it booked."""

from __future__ import annotations

from datetime import date
from xml.etree import ElementTree as ET

_FILE = "{urn:iso:std:iso:20022:tech:xsd:pain.001.001.09}"
_ANSWER = "urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"


def booked(file: bytes, on: date) -> bytes:
    """A notification (camt.054) that every transfer of the file (pain.001) was booked on that day."""
    ordered = ET.fromstring(file)
    answer = ET.Element("Document", xmlns=_ANSWER)
    told = ET.SubElement(answer, "BkToCstmrDbtCdtNtfctn")
    _put(told, "GrpHdr", MsgId="DEMO-BANK-1", CreDtTm=f"{on}T18:00:00")
    notice = _put(told, "Ntfctn", Id="DEMO-BANK-1-1", CreDtTm=f"{on}T18:00:00")
    for payment in ordered.iter(f"{_FILE}PmtInf"):
        account = ET.SubElement(ET.SubElement(notice, "Acct"), "Id")
        account.append(_text("IBAN", payment.findtext(f"{_FILE}DbtrAcct/{_FILE}Id/{_FILE}IBAN") or ""))
        for number, transfer in enumerate(payment.iter(f"{_FILE}CdtTrfTxInf"), start=1):
            _book(notice, transfer, number, on)
    text: bytes = ET.tostring(answer, encoding="utf-8", xml_declaration=True)
    return text


def _book(notice: ET.Element, transfer: ET.Element, number: int, on: date) -> None:
    amount = transfer.findtext(f"{_FILE}Amt/{_FILE}InstdAmt") or ""
    entry = ET.SubElement(notice, "Ntry")
    _amount(entry, amount)
    _put(entry, "Sts", Cd="BOOK")
    _put(entry, "BookgDt", Dt=str(on))
    entry.append(_text("AcctSvcrRef", f"DEMO-{on:%Y%m%d}-{number}"))
    _put(ET.SubElement(entry, "BkTxCd"), "Prtry", Cd="TRANSFER")
    details = ET.SubElement(ET.SubElement(entry, "NtryDtls"), "TxDtls")
    _put(details, "Refs", EndToEndId=transfer.findtext(f"{_FILE}PmtId/{_FILE}EndToEndId") or "")
    _amount(details, amount)


def _amount(parent: ET.Element, amount: str) -> None:
    ET.SubElement(parent, "Amt", Ccy="EUR").text = amount
    parent.append(_text("CdtDbtInd", "DBIT"))


def _put(parent: ET.Element, name: str, **fields: str) -> ET.Element:
    element = ET.SubElement(parent, name)
    element.extend(_text(field, text) for field, text in fields.items())
    return element


def _text(name: str, text: str) -> ET.Element:
    element = ET.Element(name)
    element.text = text
    return element
