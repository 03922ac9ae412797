"""The scheme's words as people read them in a reason."""

from __future__ import annotations

from typing import Final

from shared.contracts.vocabulary import Ecosystem, Goal
from shared.words import counted as counted
from shared.words import country as country
from shared.words import day as day
from shared.words import days as days
from shared.words import listed as listed

ECOSYSTEMS: Final = {
    Ecosystem.AEROSPACE_DEFENCE: "aerospace and defence",
    Ecosystem.AGROFOOD: "agrofood",
    Ecosystem.CONSTRUCTION: "construction",
    Ecosystem.CULTURAL_CREATIVE: "cultural and creative industries",
    Ecosystem.DIGITAL: "digital",
    Ecosystem.ELECTRONICS: "electronics",
    Ecosystem.ENERGY_INTENSIVE: "energy-intensive industries",
    Ecosystem.ENERGY_RENEWABLES: "renewable energy",
    Ecosystem.HEALTH: "health",
    Ecosystem.MOBILITY: "mobility",
    Ecosystem.PROXIMITY: "proximity and social economy",
    Ecosystem.RETAIL: "retail",
    Ecosystem.TEXTILE: "textile",
    Ecosystem.TOURISM: "tourism",
}

GOALS: Final = {
    Goal.LEARN_FROM_CLUSTER: "learning from another cluster",
    Goal.EXPLORE_MARKET: "exploring a market",
    Goal.ADOPT_TECHNOLOGY: "adopting technology",
    Goal.INVEST_IN_COLLABORATION: "investing in interregional collaboration",
}

#: ISO 639-1; what is not listed is shown by its code.
LANGUAGES: Final = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "bs": "Bosnian",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fi": "Finnish",
    "fr": "French",
    "ga": "Irish",
    "gl": "Galician",
    "hr": "Croatian",
    "hu": "Hungarian",
    "hy": "Armenian",
    "is": "Icelandic",
    "it": "Italian",
    "lb": "Luxembourgish",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mk": "Macedonian",
    "mt": "Maltese",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovene",
    "sq": "Albanian",
    "sr": "Serbian",
    "sv": "Swedish",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "zh": "Chinese",
}


def are(number: int, thing: str) -> str:
    """`is 1 working day`, `are 2 working days`."""
    return f"{'is' if number == 1 else 'are'} {counted(number, thing)}"
