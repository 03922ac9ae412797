"""The scheme's words as people read them in a reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from shared.contracts.vocabulary import COUNTRIES, Ecosystem, Goal

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


def country(code: str) -> str:
    """The English name of a country, or its code."""
    return COUNTRIES.get(code, code)


def counted(number: int, thing: str) -> str:
    """`1 working day`, `2 working days`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def are(number: int, thing: str) -> str:
    """`is 1 working day`, `are 2 working days`."""
    return f"{'is' if number == 1 else 'are'} {counted(number, thing)}"


def day(when: date) -> str:
    """`6 February 2023`."""
    return f"{when.day} {when:%B %Y}"


def days(first: date, last: date) -> str:
    """`6 to 17 February 2023`, naming month and year once where they are the same."""
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {day(last)}"
    if first.year == last.year:
        return f"{first.day} {first:%B} to {day(last)}"
    return f"{day(first)} to {day(last)}"


def listed(words: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`; or with another word before the last."""
    all_words: Sequence[str] = list(words)
    if len(all_words) < 2:
        return "".join(all_words)
    return f"{', '.join(all_words[:-1])} {last} {all_words[-1]}"
