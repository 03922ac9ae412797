"""How names are searched: by the beginnings of their words, whatever their case and accents."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")
_MOST = 40


def words_of(*texts: str) -> list[str]:
    """The words of these texts as they are searched, each once, in their order."""
    return list(dict.fromkeys(word for text in texts for word in _WORD.findall(plain(text))))[:_MOST]


def plain(text: str) -> str:
    """Without case and accents: `Économie` as `economie`."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
