"""The scheme's own words, as they stand on the wire."""

from __future__ import annotations

import csv
import re
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, StringConstraints, ValidationInfo, WithJsonSchema

T = TypeVar("T")


class Role(StrEnum):
    """What an organisation registers as; it may be both."""

    VISITOR = "visitor"
    HOST = "host"


class OrganisationKind(StrEnum):
    """The kinds the scheme's rules tell apart (CXC call, "Who can participate")."""

    CLUSTER = "cluster"
    BUSINESS_NETWORK = "business_network"
    SME = "sme"
    TECH_CENTRE = "tech_centre"
    RESEARCH_INSTITUTE = "research_institute"
    INNOVATION_HUB = "innovation_hub"
    FAB_LAB = "fab_lab"
    CREATIVE_HUB = "creative_hub"
    RESOURCE_EFFICIENCY_PROVIDER = "resource_efficiency_provider"
    INCUBATOR = "incubator"
    ACCELERATOR = "accelerator"
    TRAINING_PROVIDER = "training_provider"
    LARGE_COMPANY = "large_company"
    PUBLIC_AUTHORITY = "public_authority"
    OTHER = "other"


class Goal(StrEnum):
    """The four kinds of exchange of the scheme."""

    LEARN_FROM_CLUSTER = "learn_from_cluster"
    EXPLORE_MARKET = "explore_market"
    ADOPT_TECHNOLOGY = "adopt_technology"
    INVEST_IN_COLLABORATION = "invest_in_collaboration"


class Ecosystem(StrEnum):
    """The EU's fourteen industrial ecosystems (European Industrial Strategy, 2021)."""

    AEROSPACE_DEFENCE = "aerospace_defence"
    AGROFOOD = "agrofood"
    CONSTRUCTION = "construction"
    CULTURAL_CREATIVE = "cultural_creative"
    DIGITAL = "digital"
    ELECTRONICS = "electronics"
    ENERGY_INTENSIVE = "energy_intensive"
    ENERGY_RENEWABLES = "energy_renewables"
    HEALTH = "health"
    MOBILITY = "mobility"
    PROXIMITY = "proximity"
    RETAIL = "retail"
    TEXTILE = "textile"
    TOURISM = "tourism"


class Verdict(StrEnum):
    """The advice of the eligibility rules; staff decide."""

    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"
    NEEDS_REVIEW = "needs_review"


class RegistrationState(StrEnum):
    """Where a registration stands; the first three are the verdict before anyone decided.

    Lapsed: nobody answered whether the organisation is still interested.
    """

    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"
    NEEDS_REVIEW = "needs_review"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


class MatchState(StrEnum):
    """Where a match stands; it counts once both organisations and both partnerships said yes."""

    PROPOSED = "proposed"
    AGREED = "agreed"
    APPROVED = "approved"
    DECLINED = "declined"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class GatheringState(StrEnum):
    """Where a group event stands; while it is full, who signs up waits."""

    PLANNED = "planned"
    OPEN = "open"
    FULL = "full"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    HELD = "held"


class GrantState(StrEnum):
    """Where the lump sum of an approved match stands.

    Committed: the financial agreement is signed. Payable: all three gates are passed. Prepared: it is in
    a payment; released: the payment went to the bank; paid: the bank said so. Recovered: all of what was
    paid came back.
    """

    RESERVED = "reserved"
    AWAITING_BUDGET = "awaiting_budget"
    NEEDS_REVIEW = "needs_review"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    COMMITTED = "committed"
    PAYABLE = "payable"
    PREPARED = "prepared"
    RELEASED = "released"
    PAID = "paid"
    RECOVERED = "recovered"


GateName = Literal["agreement", "report", "evidence"]
"""What must be done before a lump sum is paid: the financial agreement signed, the visitor's report
validated, the evidence accepted."""


class EvidenceKind(StrEnum):
    """What a file of evidence shows."""

    BOARDING_PASS = "boarding_pass"
    TICKET = "ticket"
    INVOICE = "invoice"
    ATTENDANCE_LIST = "attendance_list"
    OTHER = "other"


class GateState(StrEnum):
    """Whose turn it is at a gate."""

    WAITS_FOR_VISITOR = "waits_for_visitor"
    WAITS_FOR_PARTNERSHIP = "waits_for_partnership"
    PASSED = "passed"


#: The EU's own codes, accepted on input and stored as ISO 3166 ones.
_EU_CODES: Final = {"EL": "GR", "UK": "GB"}


_DATA: Final = Path(__file__).parents[1] / "data"


def _read_countries() -> dict[str, str]:
    with (_DATA / "countries.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: row["name"] for row in csv.DictReader(file)}


COUNTRIES: Final = _read_countries()
"""English names, as they stand in a sentence, by ISO 3166-1 alpha-2 code (GeoNames, CC BY 4.0).

XK, which the EU uses for Kosovo, is one of them.
"""


STORED: Final = object()
"""Context of validation for what was taken before, by the rules of its time: it is not judged anew."""


def is_new(info: ValidationInfo) -> bool:
    """Whether a value comes in now, and not from where it is stored."""
    return info.context is not STORED


def _iso_code(value: object) -> object:
    if not isinstance(value, str):
        return value
    code = value.strip().upper()
    return _EU_CODES.get(code, code)


def _exists(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError(f"'{code}' is not a country; give its two-letter ISO 3166 code, such as IT or XK")
    return code


#: Come along unseen when one copies: soft hyphens, spaces of no width, marks of the writing direction.
_UNSEEN: Final = dict.fromkeys(
    [0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF]
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def _seen(value: object, info: ValidationInfo) -> object:
    return _cleared(value, info) if isinstance(value, str) and not value.isprintable() else value


def _cleared(text: str, info: ValidationInfo) -> str:
    if (found := _CONTROL.search(text)) and is_new(info):
        raise ValueError(f"holds an unprintable character (U+{ord(found[0]):04X}); type the text anew")
    return text.translate(_UNSEEN)


def _one_line(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    line = " ".join(value.split())
    if not line.isprintable():
        line = " ".join(_cleared(line, info).split())
    if line and not line[0].isalnum() and not any(map(str.isalnum, line)) and is_new(info):
        raise ValueError("says nothing; write at least a letter or a digit")
    return line


def _language(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    code = value.strip().lower()
    if code not in LANGUAGES and is_new(info):
        raise ValueError(
            f"'{value[:40]}' is not a language code of two letters (ISO 639-1), such as en or el"
        )
    return code


_REGION: Final = r"^[A-Z0-9]{1,3}$"
_WEBSITE: Final = r'^(https?://)?([^\s/?#@:."<>\\]+\.)+[^\s/?#@:."<>\\]{2,}(:[0-9]+)?([/?#][^\s"<>\\]*)?$'


def _region(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    code = value.strip().upper()
    if is_new(info) and not re.fullmatch(_REGION, code):
        raise ValueError(
            "is not a region code; give the end of its ISO 3166-2 code, such as BY for Bavaria (DE-BY), or "
            "leave it out"
        )
    return code


def _website(value: object, info: ValidationInfo) -> object:
    if is_new(info) and isinstance(value, str) and not re.fullmatch(_WEBSITE, value.strip()):
        raise ValueError("is not a web address, such as https://www.organisation.example")
    return value


def _none_if_blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _once_each(values: list[T]) -> list[T]:
    return values if len(values) < 2 else list(dict.fromkeys(values))


def _no_number(value: object) -> object:
    # Pydantic would count seconds from 1970.
    if isinstance(value, int | float) or (isinstance(value, str) and value.strip("+-. ").isdecimal()):
        raise ValueError("is not a valid date; write it as 2027-02-08")
    return value


def _no_truth(value: object) -> object:
    # Pydantic would take true for 1.
    if isinstance(value, bool):
        raise ValueError("is true or false where a number is asked for")
    return value


Day = Annotated[date, BeforeValidator(_no_number)]
"""A calendar day, as ISO 8601 writes it."""

NotTruth: Final = BeforeValidator(_no_truth)
"""Beside a number: true and false are none."""

Country = Annotated[str, BeforeValidator(_iso_code), AfterValidator(_exists)]
"""An existing country as ISO 3166-1 alpha-2; EL and UK are taken as GR and GB."""

BlankIsNone: Final = BeforeValidator(_none_if_blank)
"""Beside what may be left out: a form sends what was not filled in as empty text."""

OnceEach: Final = AfterValidator(_once_each)
"""Beside a list: what is named twice counts once."""

Line = Annotated[str, BeforeValidator(_one_line), StringConstraints(min_length=1, max_length=300)]
"""One line of text that says something, inner white space folded."""

Postcode = Annotated[str, BeforeValidator(_one_line), StringConstraints(max_length=20)]
"""Postcode, as it is written in its country."""

Text = Annotated[str, BeforeValidator(_seen), StringConstraints(strip_whitespace=True, max_length=4000)]
"""Running text of at most 4,000 characters."""

Keyword = Annotated[
    str, BeforeValidator(_one_line), StringConstraints(min_length=2, max_length=60, to_lower=True)
]
"""A topic wanted or offered: 2 to 60 characters, lower case."""

LANGUAGES: Final = frozenset((_DATA / "languages.txt").read_text(encoding="utf-8").split())
"""The codes of ISO 639-1."""

_EMAIL: Final = (
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z]{2,}$"
)
_PARTNERSHIP: Final = r"^[a-z0-9][a-z0-9-]{1,39}$"
_TIME_OF_DAY: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_SHA256: Final = r"^[0-9a-f]{64}$"
FORMS: Final = {
    _EMAIL: "a mail address, such as office@organisation.example",
    _PARTNERSHIP: "a partnership's id: lower-case letters, digits and hyphens, such as hempclub",
    _TIME_OF_DAY: "a time of day, such as 09:30",
    _SHA256: "a SHA-256 in hexadecimal: 64 digits from 0 to 9 and a to f, in lower case",
}
"""What the patterns of this module ask for, in words."""

Language = Annotated[
    str, BeforeValidator(_language), WithJsonSchema({"type": "string", "pattern": "^[a-z]{2}$"})
]
"""ISO 639-1 code."""

Region = Annotated[
    str,
    BeforeValidator(_region),
    StringConstraints(max_length=10),
    WithJsonSchema({"type": "string", "pattern": _REGION}),
]
"""ISO 3166-2 subdivision without the country."""

Website = Annotated[str, BeforeValidator(_website), StringConstraints(strip_whitespace=True, max_length=300)]
"""Web address; `https://` may be left out."""

Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=_EMAIL)]
"""A mail address with a domain; whether it receives is for the mail server to say."""

TimeOfDay = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_TIME_OF_DAY)]
"""Hours and minutes, local, `09:30`."""

Sha256 = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_SHA256)]
"""A SHA-256 in hexadecimal."""

PartnershipId = Annotated[str, StringConstraints(pattern=_PARTNERSHIP)]
"""Short lower-case name of a partnership, such as `hempclub`."""
