"""What two texts have in common: their words by stem, and signatures that are compared in no time.

Words are stemmed by Snowball (PyStemmer) in the language whose stop words the text has most of. A
signature is the SimHash of the stems (Charikar, "Similarity estimation techniques from rounding
algorithms", 2002): the more stems two texts share, the fewer bits differ. It depends on nothing but
the text, so it never has to be brought up to date, and it has the same value in every process.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
import Stemmer
from stop_words import get_stop_words

BITS: Final = 512
"""Of a signature: unrelated texts differ in half of them, give or take 11."""

_BYTES: Final = BITS // 8
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_LANGUAGES: Final = (
    "english",
    "french",
    "german",
    "italian",
    "spanish",
    "portuguese",
    "dutch",
    "polish",
    "romanian",
    "czech",
    "hungarian",
    "greek",
    "swedish",
    "danish",
    "finnish",
    "catalan",
    "turkish",
    "russian",
)
"""Those Snowball stems and stop words are known of; a text of none of them is taken for English."""

_TELLING: Final = frozenset(
    ["computer", "fire", "goods", "home", "information", "invention", "line", "mill", "research", "system"]
)
"""Of the English stop words those that say something about an organisation."""

_STOP_WORDS: Final = {language: frozenset(get_stop_words(language)) - _TELLING for language in _LANGUAGES}
_LANGUAGES_OF: Final = {
    word: tuple(language for language in _LANGUAGES if word in _STOP_WORDS[language])
    for words in _STOP_WORDS.values()
    for word in words
}
_STEMMERS: Final = {language: Stemmer.Stemmer(language) for language in _LANGUAGES}


@lru_cache(maxsize=1024)
def stems(text: str) -> Mapping[str, str]:
    """The stems of the words that carry meaning, without accents, each with the first word it is of."""
    words = dict.fromkeys(_WORD.findall(text.casefold()))
    votes = Counter(language for word in words for language in _LANGUAGES_OF.get(word, ()))
    language = max(_LANGUAGES, key=votes.__getitem__) if votes else _LANGUAGES[0]
    meaningful = [word for word in words if word not in _STOP_WORDS[language]]
    found: dict[str, str] = {}
    for word, stem in zip(meaningful, _STEMMERS[language].stemWords(meaningful), strict=True):
        found.setdefault(folded(stem), word)
    return found


def folded(word: str) -> str:
    """In lower case and without accents."""
    word = word.casefold()
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


def in_common(one: str, other: str) -> list[str]:
    """The words of the first text whose stem the other one has too, the longest first."""
    theirs = stems(other)
    shared = [word for stem, word in stems(one).items() if stem in theirs]
    return sorted(shared, key=lambda word: (-len(word), word))


@lru_cache(maxsize=1024)
def signature(text: str) -> int | None:
    """The text's signature of `BITS` bits; None when no word in it carries meaning."""
    found = sorted(stems(text))
    if not found:
        return None
    # The first counts once more where their number is even, so that no bit is undecided.
    voters = found if len(found) % 2 else [found[0], *found]
    votes = np.frombuffer(b"".join(map(_digest, voters)), np.uint8).reshape(len(voters), _BYTES)
    decided = np.unpackbits(votes, axis=1).sum(axis=0) * 2 > len(voters)
    return int.from_bytes(np.packbits(decided).tobytes(), "big")


@lru_cache(maxsize=65_536)
def _digest(stem: str) -> bytes:
    return blake2b(stem.encode(), digest_size=_BYTES).digest()


def cosine(differing: int) -> float:
    """The likeness of two texts whose signatures differ in so many bits: 1 the same, 0 unrelated."""
    return math.cos(math.pi * differing / BITS)
