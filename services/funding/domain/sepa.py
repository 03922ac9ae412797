"""What SEPA credit transfers ask of accounts and texts (European Payments Council, EPC)."""

from __future__ import annotations

import re
from typing import Final

from anyascii import anyascii

_INSIDE: Final = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"
_BESIDE: Final = "AD AL CH GB GI MC MD ME MK RS SM VA"

EEA: Final = frozenset(_INSIDE.split())
AREA: Final = EEA | frozenset(_BESIDE.split())
"""Countries, as IBANs begin, whose banks SEPA credit transfers reach (EPC409-09, of 2025)."""

_FOREIGN: Final = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")


def in_bank_letters(text: str) -> str:
    """The text in the letters every bank of the area takes (EPC230-15): others written in Latin, signs blank.

    No slash at either end, and no two of them: banks give those a meaning.
    """
    latin = _FOREIGN.sub(" ", anyascii(text.replace("&", "+")))
    return " ".join(re.sub(r"/{2,}", "/", latin).split()).strip("/ ")
