"""Reads what banks send back: payment status reports (pain.002) and notifications (camt.054), any version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from services.funding.domain.bank_answer import DUPLICATE, Answer, Says, reason_in_words
from shared.errors import Malformed

_NAMESPACE: Final = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:([a-z]+\.[0-9]+)\.[0-9.]+\}Document")
_CODE: Final = re.compile(r"[A-Z][A-Z0-9]{3}")
_AMOUNT: Final = re.compile(r"[0-9]{1,13}(\.[0-9]{0,5})?")

_STATUS: Final = {
    "RJCT": Says.REJECTED,
    "CANC": Says.REJECTED,
    "ACSC": Says.BOOKED,  # settled on the payer's account
    "ACCC": Says.BOOKED,  # and credited to the payee
}
"""Transaction, order and group status; every other one means that it is on its way."""

_RETURNS: Final = frozenset({"RRTN", "RPCR"})
"""Kinds of bookings (bank transaction codes) by which a transfer comes back."""


def read_bank_message(content: bytes) -> list[Answer]:
    """The bank's statements, bookings before what came back; raises `Malformed` without quoting the file."""
    try:
        document = fromstring(content, forbid_dtd=True)
    except DefusedXmlException:
        raise _unreadable("holds a document type or entities, which no bank's message does") from None
    except ParseError as error:
        line, column = error.position
        raise _unreadable(f"is not XML: it breaks off or is wrong at line {line}, column {column}") from None
    except (ValueError, LookupError):
        raise _unreadable("is not XML in an encoding that can be read; send it in UTF-8") from None
    kind = _NAMESPACE.fullmatch(document.tag)
    message = kind[1] if kind else None
    if message == "pain.002":
        answers = list(_status_report(document))
    elif message == "camt.054":
        answers = list(_notification(document))
    elif message == "camt.053" or message == "camt.052":
        raise _unreadable(f"is an account statement ({message}); send the bank's notification, camt.054")
    elif message == "pain.001":
        raise _unreadable("is a payment file itself; send what the bank answered, pain.002 or camt.054")
    else:
        raise _unreadable("is neither a pain.002 nor a camt.054 message of ISO 20022")
    return sorted(answers, key=lambda answer: answer.says is Says.RETURNED)


def _unreadable(why: str) -> Malformed:
    return Malformed(f"The file {why}.", errors=[{"pointer": "", "detail": why}])


# ── pain.002 ─────────────────────────────────────────────────────────────────────────────────


def _status_report(document: Element) -> Iterator[Answer]:
    report = _required(document, "CstmrPmtStsRpt")
    created = _day(_at(report, "GrpHdr/CreDtTm"))
    group = _required(report, "OrgnlGrpInfAndSts")
    message_id = _at(group, "OrgnlMsgId")
    of_group = _at(group, "GrpSts")
    named = False
    of_orders: list[tuple[str | None, str | None]] = []
    for order in _all(report, "OrgnlPmtInfAndSts"):
        of_order = _at(order, "PmtInfSts") or of_group
        why = _reason(order, "StsRsnInf/Rsn") or _reason(group, "StsRsnInf/Rsn")
        of_orders.append((of_order, why))
        for one in _all(order, "TxInfAndSts"):
            named = True
            amount = _find(one, "OrgnlTxRef/Amt/InstdAmt")
            yield _said(
                _at(one, "TxSts") or of_order,
                on=_day(_at(one, "AccptncDtTm")) or created,
                end_to_end_id=_at(one, "OrgnlEndToEndId"),
                amount=_amount(amount),
                currency=_currency(amount),
                reference=_at(one, "AcctSvcrRef"),
                reason=_reason(one, "StsRsnInf/Rsn") or why,
            )
    # A word on the whole: of each transfer it does not name, when it is a word on all of them.
    status, why = of_group, _reason(group, "StsRsnInf/Rsn")
    if status in (None, "PART") and len(of_orders) == 1:
        status, why = of_orders[0]
    if status not in (None, "PART") and (not named or status in _STATUS):
        yield _said(status, on=created, message_id=message_id, reason=why)


def _said(
    status: str | None,
    *,
    on: date | None,
    end_to_end_id: str | None = None,
    message_id: str | None = None,
    amount: Decimal | None = None,
    currency: str | None = None,
    reference: str | None = None,
    reason: str | None = None,
) -> Answer:
    says = _STATUS.get(status or "", Says.ACCEPTED)
    return Answer(
        says,
        on=on,
        end_to_end_id=end_to_end_id,
        message_id=message_id,
        amount=amount,
        currency=currency,
        reference=reference,
        reason=reason_in_words(reason) if says is Says.REJECTED else None,
        duplicate=says is Says.REJECTED and reason in DUPLICATE,
    )


# ── camt.054 ─────────────────────────────────────────────────────────────────────────────────


def _notification(document: Element) -> Iterator[Answer]:
    for notice in _all(_required(document, "BkToCstmrDbtCdtNtfctn"), "Ntfctn"):
        for entry in _all(notice, "Ntry"):
            yield from _entry(entry)


def _entry(entry: Element) -> Iterator[Answer]:
    booked = (_at(entry, "Sts/Cd") or _at(entry, "Sts")) == "BOOK"
    on = _day(_at(entry, "BookgDt/Dt") or _at(entry, "BookgDt/DtTm"))
    transactions = [one for details in _all(entry, "NtryDtls") for one in _all(details, "TxDtls")]
    for one in transactions:
        debit = (_at(one, "CdtDbtInd") or _at(entry, "CdtDbtInd")) == "DBIT"
        amount = next(
            (
                found
                for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt")
                if (found := _find(one, path)) is not None
            ),
            _find(entry, "Amt") if len(transactions) == 1 else None,
        )
        yield _booking(
            entry,
            debit=debit,
            booked=booked,
            on=on,
            end_to_end_id=_at(one, "Refs/EndToEndId"),
            amount=amount,
            reference=_at(one, "Refs/AcctSvcrRef") or _at(entry, "AcctSvcrRef"),
            reason=_reason(one, "RtrInf/Rsn"),
            sent_back=_find(one, "RtrInf") is not None or _sent_back(one) or _sent_back(entry),
        )
    if not transactions:
        batch = _at(entry, "NtryDtls/Btch/PmtInfId") or _at(entry, "NtryDtls/Btch/MsgId")
        yield _booking(
            entry,
            debit=_at(entry, "CdtDbtInd") == "DBIT",
            booked=booked,
            on=on,
            message_id=batch,
            amount=_find(entry, "Amt"),
            reference=_at(entry, "AcctSvcrRef"),
            sent_back=_sent_back(entry),
        )


def _booking(
    entry: Element,
    *,
    debit: bool,
    booked: bool,
    on: date | None,
    amount: Element | None,
    sent_back: bool,
    end_to_end_id: str | None = None,
    message_id: str | None = None,
    reference: str | None = None,
    reason: str | None = None,
) -> Answer:
    says = Says.ACCEPTED if not booked else Says.BOOKED if debit else Says.RETURNED
    return Answer(
        says,
        on=on,
        end_to_end_id=end_to_end_id,
        message_id=message_id,
        amount=_amount(amount),
        currency=_currency(amount),
        reference=reference,
        reason=reason_in_words(reason) if says is Says.RETURNED else None,
        no_return=says is Says.RETURNED and not sent_back,
    )


def _sent_back(booking: Element) -> bool:
    """Whether the booking is called a reversal, or of the kind of returned transfers."""
    kind = _at(booking, "BkTxCd/Domn/Fmly/SubFmlyCd")
    return _at(booking, "RvslInd") in ("true", "1") or kind in _RETURNS


# ── reading XML ──────────────────────────────────────────────────────────────────────────────


def _find(element: Element, path: str) -> Element | None:
    return element.find("/".join(f"{{*}}{name}" for name in path.split("/")))


def _all(element: Element, name: str) -> list[Element]:
    return element.findall(f"{{*}}{name}")


def _required(element: Element, name: str) -> Element:
    found = _find(element, name)
    if found is None:
        raise _unreadable(f"is not complete: it has no {name}")
    return found


def _at(element: Element, path: str) -> str | None:
    found = _find(element, path)
    return (found.text or "").strip()[:140] or None if found is not None else None


def _reason(element: Element, path: str) -> str | None:
    code = _at(element, f"{path}/Cd") or _at(element, f"{path}/Prtry")
    return code if code and _CODE.fullmatch(code) else None


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise _unreadable("holds a day that is none") from None


def _amount(element: Element | None) -> Decimal | None:
    if element is None:
        return None
    text = (element.text or "").strip()
    if not _AMOUNT.fullmatch(text):
        raise _unreadable("holds an amount that is none")
    return Decimal(text)


def _currency(element: Element | None) -> str | None:
    return element.get("Ccy") if element is not None else None
