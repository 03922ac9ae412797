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
#: The countries whose business registers are connected, as their identifiers begin.
_EUID_COUNTRIES: Final = {
    "EL" if code == "gr" else code.upper() for code in eu_vat.MEMBER_STATES if code != "xi"
} | {"IS", "LI", "NO", "UK"}
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
    rules, others by their country's; where no such rule is public, only the shape is checked. A prefix
    or a whole number written twice, as forms and exports do, counts once. A business of Northern Ireland
    has one number and two prefixes: it is the same with GB and with XI.
    """
    compact = "".join(char for char in clean(number).upper() if char.isalnum())
    if not compact.isascii():
        return None
    found = next(filter(None, map(_checked_vat, _readings(compact, country))), None)
    return f"GB{found[2:]}" if found and found.startswith("XI") else found


def _readings(compact: str, country: str) -> Iterator[str]:
    """What may be meant by a number, with its prefix, the likeliest first."""
    half = compact[: len(compact) // 2]
    if compact == half * 2:
        yield half if half[:2] in _VAT_PREFIXES else country + half
    if compact[:2] not in _VAT_PREFIXES:
        yield country + compact
        return
    yield compact
    if compact[:2] == compact[2:4]:
        yield compact[2:]


def _checked_vat(compact: str) -> str | None:
    if compact.startswith("GR"):
        compact = "EL" + compact[2:]
    prefix, number = compact[:2], compact[2:]
    try:
        if prefix == "EL" or prefix.lower() in eu_vat.MEMBER_STATES:
            return str(eu_vat.validate(compact))
        if get_cc_module(prefix.lower(), "vat") is not None:
            return str(vatin.validate(compact))
    except ValidationError:
        return None
    repeated = number.startswith(prefix) or _is_placeholder(number)
    return compact if _TAX_NUMBER.fullmatch(compact) and not repeated else None


def normal_euid(number: str) -> str | None:
    """The European Unique Identifier in capitals without blanks, or None if it has another shape.

    Country, register, a dot, the number in that register (Implementing Regulation (EU) 2021/1042). The
    registers of the EU and the EEA are connected, and the United Kingdom's were; Greece is EL.
    """
    compact = "".join(number.upper().split())
    if compact.startswith("GR"):
        compact = "EL" + compact[2:]
    return compact if _EUID.fullmatch(compact) and compact[:2] in _EUID_COUNTRIES else None


def normal_pic(number: str) -> str | None:
    """The EU's participant identification code, nine digits, or None; no rule of its check is published."""
    compact = re.sub(r"[\s.-]", "", number)
    return compact if _PIC.fullmatch(compact) and not _is_placeholder(compact) else None


def _is_placeholder(number: str) -> bool:
    """Whether it is one digit again and again, as in a form that asks for what somebody has not."""
    return len(set(number)) == 1
