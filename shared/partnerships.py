"""The partnerships of clusters that run the scheme: configuration that every service is given alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.contracts.vocabulary import Country, Ecosystem, Email, Language, NotTruth, PartnershipId
from shared.errors import RuleBroken

SHIPPED_PARTNERSHIPS: Final = Path(__file__).parent / "data" / "partnerships.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _in_euros(value: object) -> object:
    if not isinstance(value, str):
        return value
    amount = re.sub(r"^(EUR|€)\s*|\s*(EUR|€)$", "", value.strip())
    if re.search(r"[^\d.]", amount) and not amount.startswith("-"):
        raise ValueError(
            f"'{value[:40]}' is no amount in EUR: write it as 64000.00; there is no other currency"
        )
    return amount


class UnknownPartnership(RuleBroken):
    """No partnership of that id is configured."""

    code = "unknown-partnership"


class StaffContact(_Strict):
    """A role address of the partnership's staff."""

    email: Email
    language: Language = "en"


class PayingAddress(_Strict):
    """Where the holder of an account is registered."""

    street: str
    building_number: str | None = None
    post_code: str
    town: str
    country: Country


class PayingAccount(_Strict):
    """The account a partnership pays from; the funding service checks it when it starts."""

    holder: str
    address: PayingAddress
    iban: str
    bic: str | None = None


class Partnership(_Strict):
    """One partnership: its field, its procedure, its budget in EUR and its objective in exchanges."""

    id: PartnershipId
    name: str
    ecosystems: Annotated[list[Ecosystem], Field(min_length=1)]
    countries: list[Country] = []
    """Countries it works in; empty means all."""
    staff: list[StaffContact]
    auto_accept: bool = False
    """Take eligible registrations into the pool without a person's decision."""
    auto_approve_pre_agreed: bool = False
    """Approve matches both organisations had agreed before they registered."""
    currency: Literal["EUR"] = "EUR"
    budget: Annotated[
        Decimal,
        NotTruth,
        BeforeValidator(_in_euros),
        Field(ge=0, le=10**12, decimal_places=2, allow_inf_nan=False),
    ]
    objective: Annotated[int, Field(ge=1)]
    done: Annotated[int, Field(ge=0)] = 0
    """Exchanges counted before this platform took over."""
    ends_on: date | None = None
    """The last day on which exchanges count, as far as it is known: forecasts look that far."""
    preferred_working_days: int | None = None
    account: PayingAccount | None = None
    """Needed to pay."""

    def fits(self, ecosystems: Sequence[Ecosystem], country: str) -> bool:
        """Whether it works in one of these ecosystems and in this country."""
        return (not self.countries or country in self.countries) and any(
            ecosystem in self.ecosystems for ecosystem in ecosystems
        )


class Partnerships:
    """All partnerships, in the order of the file."""

    def __init__(self, partnerships: Sequence[Partnership]) -> None:
        self._by_id = {partnership.id: partnership for partnership in partnerships}
        if len(self._by_id) != len(partnerships):
            raise ValueError("two partnerships have the same id")

    @classmethod
    def load(cls, path: Path) -> Partnerships:
        """Read the YAML file; raises pydantic's ValidationError with the place of what is wrong."""
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return cls([Partnership.model_validate(entry) for entry in content["partnerships"]])

    def get(self, id: str) -> Partnership | None:
        """The partnership, or None."""
        return self._by_id.get(id)

    def require(self, id: str) -> Partnership:
        """The partnership; raises `UnknownPartnership`, which lists the known ones."""
        found = self._by_id.get(id)
        if found is None:
            raise UnknownPartnership(
                f"There is no partnership '{id}'; there are: {', '.join(self._by_id) or 'none'}."
            )
        return found

    def __iter__(self) -> Iterator[Partnership]:
        return iter(self._by_id.values())
