"""What recognises an organisation across partnerships: VAT number, EUID, PIC, normalised and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stdnum import get_cc_module, vatin
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError
from stdnum.util import clean

from shared.contracts.registration import Organisation
from shared.contracts.vocabulary import COUNTRIES

#: VAT numbers of Greece and Northern Ireland begin with a code that is no country's.
_VAT_PREFIXES: Final = COUNTRIES.keys() | {"EL", "XI"}
_EUID: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{0,20}\.[A-Z0-9][A-Z0-9./_-]{0,39}")
_PIC: Final = re.compile(r"[0-9]{9}")
#: The least a tax number looks like where its country publishes no check.
_TAX_NUMBER: Final = re.compile(r"(?=(?:.*[0-9]){5})[A-Z0-9]{6,22}")


@dataclass(frozen=True)
class Identifiers:
    """Keys of the once-only register, and what was given but cannot be right.

    keys: `vat:…`, `euid:…`, `pic:…`, normalised; only those whose check holds, because a made-up
    number shared by two organisations would deny one of them its visit.
    faulty: how each of the others reads to the person who gave it, such as `VAT number IT123`.
    """

    keys: tuple[str, ...] = ()
    faulty: tuple[str, ...] = ()


def identify(organisation: Organisation) -> Identifiers:
    """The organisation's identifiers, normalised, each checked by its public rule where there is one."""
    keys: list[str] = []
    faulty: list[str] = []
    for kind, name, given, normalised in _given(organisation):
        if normalised is None:
            faulty.append(f"{name} {given}")
        else:
            keys.append(f"{kind}:{normalised}")
    return Identifiers(tuple(keys), tuple(faulty))


def _given(organisation: Organisation) -> Iterator[tuple[str, str, str, str | None]]:
    if organisation.vat and organisation.vat.strip():
        given = organisation.vat.strip()
        yield "vat", "VAT number", given, normal_vat(given, organisation.country)
    if organisation.euid and organisation.euid.strip():
        given = organisation.euid.strip()
        yield "euid", "EUID", given, normal_euid(given)
    if organisation.pic and organisation.pic.strip():
        given = organisation.pic.strip()
        yield "pic", "PIC", given, normal_pic(given)


def normal_vat(number: str, country: str) -> str | None:
    """The VAT number with its prefix and without separators, or None if its country's check fails.

    Without a prefix the one of `country` (ISO 3166) is taken. EU numbers are checked by the EU's
    rules, others by their country's; where no such rule is public, only the shape is checked.
    """
    compact = "".join(char for char in clean(number).upper() if char.isalnum())
    if not compact.isascii():
        return None
    if compact[:2] not in _VAT_PREFIXES:
        compact = country + compact
    if compact.startswith("GR"):
        compact = "EL" + compact[2:]
    prefix = compact[:2].lower()
    try:
        if prefix == "el" or prefix in eu_vat.MEMBER_STATES:
            return str(eu_vat.validate(compact))
        if get_cc_module(prefix, "vat") is not None:
            return str(vatin.validate(compact))
    except ValidationError:
        return None
    return compact if _TAX_NUMBER.fullmatch(compact) else None


def normal_euid(number: str) -> str | None:
    """The European Unique Identifier in capitals without blanks, or None if it has another shape.

    Country, register, a dot, the number in that register (Implementing Regulation (EU) 2021/1042).
    """
    compact = "".join(number.upper().split())
    return compact if _EUID.fullmatch(compact) else None


def normal_pic(number: str) -> str | None:
    """The EU's participant identification code, nine digits, or None."""
    compact = re.sub(r"[\s.-]", "", number)
    return compact if _PIC.fullmatch(compact) else None
