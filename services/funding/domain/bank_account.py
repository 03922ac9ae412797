"""The account a grant is paid to, or paid from: checked when it is given, masked wherever it is shown."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from schwifty import BIC, IBAN
from schwifty.exceptions import InvalidBBANChecksum, InvalidChecksumDigits, SchwiftyException
from schwifty.registry import get_iban_spec

from services.funding.domain.grant import Grant
from services.funding.domain.sealed import Sealed
from services.funding.domain.sepa import AREA, EEA, in_bank_letters
from shared.aggregate import Aggregate
from shared.contracts.envelope import Contract, StrictContract
from shared.contracts.funding import BankAccountGiven
from shared.contracts.vocabulary import COUNTRIES, BlankIsNone, Country, Line
from shared.errors import RuleBroken

_CLASSES: Final = {
    "n": (str.isdigit, "a digit"),
    "a": (str.isalpha, "a letter"),
    "c": (str.isalnum, "a letter or a digit"),
}


def checked_iban(given: str) -> str:
    """The IBAN without blanks, in capitals; raises `ValueError` that says what is wrong.

    Not with the number itself: what is said here is logged and mailed. Length, form and check digits are
    the IBAN registry's; a country's own check digits are tried where it has any. Not Germany's, which
    depend on a list of its banks that grows old.
    """
    iban = re.sub(r"[\s\u200b-\u200f\u2060\ufeff.-]", "", given).upper()
    if not re.fullmatch("[A-Z]{2}.*", iban, re.DOTALL):
        raise ValueError("must begin with the two letters of its country, such as PT50 …")
    for place, sign in enumerate(iban, 1):
        if not (sign.isascii() and sign.isalnum()):
            raise ValueError(f"holds a sign at place {place} that is neither a letter nor a digit")
    country = iban[:2]
    named = COUNTRIES.get(country, f"'{country}'")
    try:
        spec = get_iban_spec(country)
    except SchwiftyException:
        raise ValueError(f"begins with {country}, and there are no IBANs of {named}") from None
    if country not in AREA:
        raise ValueError(
            f"is of {named}, which SEPA credit transfers do not reach; give an account in the euro payments "
            "area (SEPA), or ask your partnership"
        )
    if len(iban) != spec.iban_length:
        missing = spec.iban_length - len(iban)
        raise ValueError(
            f"has {len(iban)} characters, an IBAN of {named} has {spec.iban_length}: "
            f"{abs(missing)} {'missing' if missing > 0 else 'too many'}"
        )
    expected = "aann" + "".join(
        kind * int(many) for many, kind in re.findall("([0-9]+)!([nac])", spec.bban_spec)
    )
    for place, (sign, kind) in enumerate(zip(iban, expected, strict=True), 1):
        fits, wanted = _CLASSES[kind]
        if not fits(sign):
            hint = ": not the letter O" if sign == "O" else ": not the letter I" if sign == "I" else ""
            raise ValueError(f"must have {wanted} at place {place}{hint}")
    try:
        with warnings.catch_warnings(action="ignore"):
            IBAN(iban, validate_bban=country != "DE")
    except InvalidBBANChecksum:
        raise ValueError(
            "has a wrong account number: its national check digits do not fit; compare it with a statement"
        ) from None
    except InvalidChecksumDigits:
        raise ValueError(
            "has check digits (places 3 and 4) that do not fit the rest: a character is wrong, or two are "
            "swapped; compare it with a statement"
        ) from None
    except SchwiftyException:
        raise ValueError(f"does not have the form of an IBAN of {named}") from None
    return iban


def masked(iban: str) -> str:
    """As an IBAN is shown: `PT50 •••• … 0154`."""
    return f"{iban[:4]} •••• … {iban[-4:]}"


def _checked_bic(given: str) -> str:
    bic = "".join(given.split()).upper()
    try:
        return str(BIC(bic))
    except SchwiftyException:
        raise ValueError(
            "is not a BIC: 8 or 11 letters and digits, such as BCOMPTPL; leave it out if you do not know it"
        ) from None


def _legible(at_most: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        written = in_bank_letters(text)
        if not any(map(str.isalnum, written)):
            raise ValueError("holds nothing a bank can read; write it in letters or digits")
        if len(written) > at_most:
            raise ValueError(
                f"has {len(written)} characters in the letters banks take, and can have {at_most} at the most"
            )
        return text

    return check


def _line(at_most: int) -> AfterValidator:
    return AfterValidator(_legible(at_most))


class Address(Contract):
    """Where the holder of an account is, in parts: banks take addresses in no other way."""

    street: str
    building_number: str | None = None
    post_code: str
    town: str
    country: str


class AccountDetails(Contract):
    """Whose account it is, and where."""

    model_config = ConfigDict(hide_input_in_errors=True)

    holder: str
    address: Address
    iban: str
    bic: str | None = None

    @property
    def masked(self) -> str:
        """The IBAN as it is shown."""
        return masked(self.iban)

    @property
    def bank(self) -> str | None:
        """The bank's name, where the list of its country's banks has it: to see that the IBAN is right."""
        with warnings.catch_warnings(action="ignore"):
            return IBAN(self.iban, allow_invalid=True).bank_name


class AddressGiven(StrictContract):
    """Where the holder of the account is registered."""

    street: Annotated[Line, _line(70)] = Field(examples=["Rua do Exemplo"])
    building_number: Annotated[Annotated[Line, _line(16)] | None, BlankIsNone] = Field(
        default=None, examples=["12"]
    )
    post_code: Annotated[Line, _line(16)] = Field(examples=["1100-001"])
    town: Annotated[Line, _line(35)] = Field(examples=["Lisboa"])
    country: Country = Field(examples=["PT"])


class AccountGiven(StrictContract):
    """An account, as it is given."""

    holder: Annotated[Line, _line(70)] = Field(examples=["Tagus Fibre Works (sample)"])
    """The organisation that holds it, as its bank knows it: banks compare the two before they pay."""
    address: AddressGiven
    iban: Annotated[str, StringConstraints(max_length=100), AfterValidator(checked_iban)] = Field(
        examples=["PT50 0002 0123 1234 5678 9015 4"]
    )
    """With blanks or without."""
    bic: Annotated[
        Annotated[str, StringConstraints(max_length=30), AfterValidator(_checked_bic)] | None, BlankIsNone
    ] = Field(default=None, validate_default=True)
    """Needed where the bank is outside the European Economic Area and its BIC is not on file."""

    @field_validator("bic")
    @classmethod
    def _needed_outside_the_eea(cls, bic: str | None, info: ValidationInfo) -> str | None:
        iban = info.data.get("iban")
        if bic is not None or iban is None or iban[:2] in EEA:
            return bic
        with warnings.catch_warnings(action="ignore"):
            on_file = IBAN(iban, allow_invalid=True).bic
        if on_file is None:
            raise ValueError(f"is needed for an account of {COUNTRIES[iban[:2]]}; your bank tells it")
        return str(on_file)

    @property
    def details(self) -> AccountDetails:
        """As they are kept."""
        return AccountDetails.model_validate(self.model_dump())


class AccountInUse(RuleBroken):
    """A payment goes to this account: it cannot be changed before that is over."""

    code = "account-in-use"


def account_id(registration_id: str) -> str:
    """The id of the only account of a visitor."""
    return f"account-{registration_id}"


class BankAccount(Aggregate):
    """The account a visitor's grants are paid to.

    What others hear of it is that it was given, or changed.
    """

    COLLECTION: ClassVar[str] = "bank_accounts"

    sealed: Sealed
    """`AccountDetails`, closed with a key of the settings."""
    shown: str
    """The IBAN, masked."""
    given_by: str
    """The subject of the token."""
    given_at: datetime
    transfers: list[str] = []
    """End-to-end ids of those under way to it."""
    used_at: datetime
    """When it was given, or last taken into a payment or out of one."""
    erased: bool = False
    """The registration is erased: the account goes as soon as nothing is owed to it."""

    @classmethod
    def give(cls, grant: Grant, sealed: Sealed, shown: str, *, by: str, at: datetime) -> Self:
        """An organisation says where its grant is to be paid."""
        id = account_id(grant.visitor.registration_id)
        account = cls(id=id, sealed=sealed, shown=shown, given_by=by, given_at=at, used_at=at)
        account._record(_given(grant, changed=False))
        return account

    def change(self, grant: Grant, sealed: Sealed, shown: str, *, by: str, at: datetime) -> None:
        """Another account, or other words about it; raises `AccountInUse`."""
        if self.transfers:
            raise AccountInUse(
                "A payment to this account is prepared or on its way. It can be changed when your "
                "partnership has withdrawn the payment, or the bank has answered."
            )
        self.sealed, self.shown = sealed, shown
        self.given_by, self.given_at, self.used_at = by, at, at
        self._record(_given(grant, changed=True))

    def hold(self, end_to_end_id: str, *, at: datetime) -> None:
        """A payment goes to it: it stays as it is until that is over."""
        self.transfers = [*self.transfers, end_to_end_id]
        self.used_at = at
        self._touch()

    def let_go(self, end_to_end_id: str, *, at: datetime) -> None:
        """The payment was withdrawn, or the bank has answered."""
        self.transfers = [id for id in self.transfers if id != end_to_end_id]
        self.used_at = at
        self._touch()

    def reseal(self, sealed: Sealed) -> None:
        """The same, closed with the present key."""
        self.sealed = sealed
        self._touch()

    def erase(self) -> None:
        """Mark it to go as soon as nothing is owed to it."""
        if not self.erased:
            self.erased = True
            self._touch()


def _given(grant: Grant, *, changed: bool) -> BankAccountGiven:
    return BankAccountGiven(**grant.facts(), changed=changed)
