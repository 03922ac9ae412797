"""What a bank says about a transfer, and its reasons in words (ISO 20022 external code sets)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Says(StrEnum):
    """The gist of a bank's answer."""

    ACCEPTED = "accepted"
    """It is on its way; no money has moved yet."""
    BOOKED = "booked"
    """The money has left the account."""
    REJECTED = "rejected"
    """It was never carried out."""
    RETURNED = "returned"
    """It was carried out, and the money came back."""


@dataclass(frozen=True)
class Answer:
    """One statement of a bank.

    It names one transfer (`end_to_end_id`), or all of a file (`message_id`); `amount` is then their sum.
    """

    says: Says
    on: date | None = None
    end_to_end_id: str | None = None
    message_id: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    reference: str | None = None
    """The bank's own."""
    reason: str | None = None
    duplicate: bool = False
    """Rejected as it was there already: the first one may have been carried out."""
    no_return: bool = False
    """Money came in, and nothing says that it is what was sent: it may be the notice of the payee's bank."""


class AnswerOutcome(StrEnum):
    """What became of an answer here."""

    APPLIED = "applied"
    ALREADY_KNOWN = "already_known"
    NOTHING_TO_DO = "nothing_to_do"
    """The bank says that it is on its way."""
    NOT_OURS = "not_ours"
    AMOUNT_DIFFERS = "amount_differs"
    CONTRADICTS = "contradicts"
    """It does not fit what is known here; somebody must look."""


DUPLICATE: Final = frozenset({"AM05", "DUPL", "DU01", "DU02", "DU03", "DU04", "DU05", "RF01"})
"""Reasons of a rejection that say nothing about the first of the two."""

_WORDS: Final = {
    "AC01": "the account number is wrong",
    "AC03": "the account number is wrong",
    "AC04": "the account is closed",
    "AC06": "the account is blocked",
    "AC13": "the account is a consumer's, for which this kind of transfer is not meant",
    "AC14": "the account is of a kind that cannot be used for this",
    "AG01": "this kind of transfer is not allowed to that account",
    "AG02": "the bank's operation code is wrong",
    "AGNT": "a bank on the way is wrong",
    "AM02": "the amount is over a limit",
    "AM03": "the currency cannot be used",
    "AM04": "there is not enough money in the account it is paid from",
    "AM05": "the bank takes it for a duplicate",
    "AM09": "the amount is not the one agreed on",
    "AM10": "the sum of the file is wrong",
    "BE01": "the holder's name does not fit the account",
    "BE04": "the payee's address is missing or wrong",
    "BE05": "the one who sent it is not known to the bank",
    "BE06": "the payee is not known at that bank",
    "BE07": "the payer's address is missing or wrong",
    "CNOR": "the payee's bank takes no transfers of this kind",
    "CURR": "the currency is wrong",
    "CUST": "the customer asked for it",
    "DNOR": "the payer's bank sends no transfers of this kind",
    "DS02": "a signature of the order is missing",
    "DT01": "the day of execution is not possible",
    "DU01": "the file's message id was used before",
    "DU02": "the order's id was used before",
    "DU03": "the transfer was sent before",
    "DU04": "the end-to-end id was used before",
    "DU05": "the instruction's id was used before",
    "DUPL": "the bank takes it for a duplicate",
    "ED05": "the settlement between the banks failed",
    "ERIN": "the form of the address is not supported",
    "FF01": "the file's form is wrong",
    "FOCR": "it was asked back",
    "FRAD": "fraud is suspected",
    "MD07": "the payee is deceased",
    "MS02": "the payee refused it, without a reason",
    "MS03": "the bank gives no reason",
    "NARR": "the bank's reason is in its message",
    "NOAS": "nobody answered the question to the payee",
    "NOOR": "the original transfer was never received",
    "RC01": "the bank's BIC is wrong",
    "RC07": "the bank's BIC is wrong",
    "RF01": "its reference is not unique",
    "RR01": "the payer's account is missing in it, and a regulation asks for it",
    "RR02": "the payer's name or address is missing, and a regulation asks for it",
    "RR03": "the payee's name or address is missing, and a regulation asks for it",
    "RR04": "a regulation forbids it",
    "SL01": "a service of the bank forbids it",
    "SL11": "the payee is not on the payer's list of allowed ones",
    "SL12": "the payee is on the payer's list of forbidden ones",
    "TECH": "a technical fault",
    "TM01": "it came after the bank's closing time",
    "UPAY": "the payment was not justified",
}


def reason_in_words(code: str | None) -> str:
    """The reason for people: `AC04, the account is closed`.

    A bank's own words stay in its file: they may hold names and account numbers.
    """
    if code is None:
        return "the bank gives no reason"
    return f"{code}, {_WORDS[code]}" if code in _WORDS else f"{code}, a code of the bank's"
