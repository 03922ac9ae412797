"""What can be chosen from in forms, by the names and in the order of the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from services.console import words
from services.console.languages import Language
from shared.contracts.vocabulary import COUNTRIES, LANGUAGES

Choices = list[tuple[str, str]]
"""Codes and what they are called."""

_LAST: Final = ("other",)


def countries(language: Language) -> Choices:
    """Every country."""
    return _with_names(_by_name(COUNTRIES, language.country))


def spoken_languages(language: Language) -> Choices:
    """Every language that has a code of two letters."""
    return _with_names(_by_name(LANGUAGES, language.language_name))


def kinds(language: Language) -> Choices:
    """The kinds of organisations, what is none of them last."""
    return _by_name(words.KINDS, language.kind)


def goals(language: Language) -> Choices:
    """The kinds of exchanges, in the order of the scheme."""
    return [(code, language.goal(code)) for code in words.GOALS]


def ecosystems(language: Language) -> Choices:
    """The industrial ecosystems."""
    return _by_name(words.ECOSYSTEMS, language.ecosystem)


def _by_name(codes: Iterable[str], name: Callable[[str], str]) -> Choices:
    named = [(code, name(code)) for code in codes]
    return sorted(
        ((code, word[:1].upper() + word[1:]) for code, word in named),
        key=lambda choice: (choice[0] in _LAST, choice[1].casefold()),
    )


def _with_names(named: Choices) -> Choices:
    """Without codes that have no name in this language."""
    return [(code, word) for code, word in named if word.casefold() != code.casefold()]
