"""Finds who is like an organisation without comparing all with all: an index of rare pieces of names."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from services.registration.domain.likeness import Features, Likeness, likeness

_PIECE: Final = 4
"""Letters in a piece of a name: a slip leaves most pieces of a name as they are."""
_RARE: Final = 300
"""A piece that more organisations have finds none of them."""
_TOLD_BY_IDENTIFIER: Final = 1000.0
"""Whoever has an identifier in common is compared before all others."""
_OWN: Final = 10
"""A web or mail domain that more organisations have is none of their own."""
_COMPARED: Final = 40
"""Those with the most, and rarest, pieces in common are compared in full."""


class Lookalikes:
    """The organisations of the register by id, kept in memory."""

    def __init__(self) -> None:
        self._features: dict[str, Features] = {}
        self._having: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._features)

    def __contains__(self, id: str) -> bool:
        return id in self._features

    def put(self, id: str, features: Features) -> None:
        """Take it in, in place of what it wrote before."""
        self.remove(id)
        self._features[id] = features
        for piece in _pieces(features):
            self._having.setdefault(piece, set()).add(id)

    def remove(self, id: str) -> None:
        """Forget it; one that is not there changes nothing."""
        features = self._features.pop(id, None)
        for piece in _pieces(features) if features else ():
            having = self._having[piece]
            having.discard(id)
            if not having:
                del self._having[piece]

    def like(self, id: str, *, least: int, most: int) -> dict[str, Likeness]:
        """Those that score at least `least` beside the one of this id, the `most` most alike of them."""
        one = self._telling(id)
        found = ((other, likeness(one, self._telling(other))) for other in self._candidates(id, one))
        alike = ((other, how) for other, how in found if how.score >= least)
        return dict(heapq.nlargest(most, alike, key=lambda each: (each[1].score, each[0])))

    def _telling(self, id: str) -> Features:
        """What it wrote, without the domains of those who register others, such as a cluster its members."""
        features = self._features[id]
        telling = frozenset(domain for domain in features.domains if len(self._having[f"d{domain}"]) <= _OWN)
        return features if telling == features.domains else replace(features, domains=telling)

    def _candidates(self, id: str, features: Features) -> list[str]:
        in_common: defaultdict[str, float] = defaultdict(float)
        for piece in _pieces(features):
            having = self._having[piece]
            if len(having) <= _RARE:
                told = _TOLD_BY_IDENTIFIER if piece[0] == "i" else 1 / len(having)
                for other in having:
                    in_common[other] += told
        in_common.pop(id, None)
        return heapq.nlargest(_COMPARED, in_common, key=in_common.__getitem__)


def _pieces(features: Features) -> Iterator[str]:
    """What those who are alike will have in common, or some of it; each once."""
    name = features.joined
    yield from {f"n{name[start : start + _PIECE]}" for start in range(max(1, len(name) - _PIECE + 1))}
    yield f"w{features.country}{features.reordered}"
    if features.street:
        yield f"s{features.country}{features.city}/{features.street}"
    for domain in features.domains:
        yield f"d{domain}"
    for identifier in features.identifiers:
        yield f"i{identifier}"
