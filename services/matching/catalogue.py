"""The catalogue of one process: every profile of the pool, in order, searched by filters and words.

It lies beside the pool's columns and is kept in step with them. A page is a walk along one of the
orders from where the last one ended, until enough profiles pass; so it costs the same wherever it
begins, and what changes meanwhile neither repeats nor hides the others.
"""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from itertools import islice
from typing import Final, NamedTuple, Self

import orjson

from services.matching.domain.catalogue_filter import CatalogueFilter, CatalogueSide, Check, Facet, facets_of
from services.matching.domain.fit import Prospect
from services.matching.domain.pool import Pool
from services.matching.domain.texts import folded
from services.matching.text_index import TextIndex
from shared.errors import Malformed


class CatalogueOrder(StrEnum):
    """What the profiles can be sorted by."""

    NEWEST = "newest"
    NAME = "name"
    FIT = "fit"


Key = tuple[int | str, str]
"""What a profile is sorted by, and its registration id, which decides between equals."""

_CONTACT: Final = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+|\+?\d[\d\s()/.-]{6,}\d")
_HIDDEN: Final = "(contact through the platform)"


class Catalogue:
    """The profiles of the pool; whoever feeds the pool feeds this too.

    What it is fed waits until `catch_up`, or until somebody asks: a process in which nobody looks through
    the catalogue does not pay for one.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._news: dict[str, Prospect | None] = {}
        self._members: dict[str, Prospect] = {}
        self._orders: dict[CatalogueOrder, list[Key]] = {CatalogueOrder.NEWEST: [], CatalogueOrder.NAME: []}
        self._having: dict[Facet, set[str]] = {}
        self._owners: Counter[str] = Counter()
        self._texts = TextIndex()

    def __len__(self) -> int:
        self.catch_up()
        return len(self._members)

    # ── keeping it current ───────────────────────────────────────────────────────────────────

    def put(self, prospect: Prospect) -> None:
        """Take a profile in, or replace what is known of it."""
        self._news[prospect.id] = prospect

    def remove(self, id: str) -> None:
        """Let a profile go; nothing happens when it is not here."""
        self._news[id] = None

    def catch_up(self, most: int | None = None) -> bool:
        """Take in what it was fed meanwhile, or so many of it at the most; whether there is more."""
        texts: dict[str, str] = {}
        for id in list(islice(self._news, most)):
            prospect, before = self._news.pop(id), self._members.get(id)
            if before is not None:
                self._take_out(before)
            if prospect is None:
                self._texts.remove(id)
                continue
            self._take_in(prospect)
            if before is None or _text(before) != _text(prospect):
                texts[id] = _text(prospect)
        if texts:
            self._texts.put(texts)
        return bool(self._news)

    def _take_in(self, prospect: Prospect) -> None:
        self._members[prospect.id] = prospect
        for order, keys in self._orders.items():
            insort(keys, key_of(prospect, order))
        for facet in facets_of(prospect):
            self._having.setdefault(facet, set()).add(prospect.id)
        self._owners[prospect.party.owner] += 1

    def _take_out(self, before: Prospect) -> None:
        del self._members[before.id]
        for order, keys in self._orders.items():
            del keys[bisect_left(keys, key_of(before, order))]
        for facet in facets_of(before):
            having = self._having[facet]
            having.discard(before.id)
            if not having:
                del self._having[facet]
        self._owners[before.party.owner] -= 1
        if not self._owners[before.party.owner]:
            del self._owners[before.party.owner]

    # ── asking it ────────────────────────────────────────────────────────────────────────────

    def member(self, id: str) -> Prospect | None:
        """The profile of that registration."""
        self.catch_up()
        return self._members.get(id)

    def knows(self, owner: str) -> bool:
        """Whether the organisation has an accepted registration."""
        self.catch_up()
        return owner in self._owners

    def joined(self, after: datetime, until: datetime) -> list[Prospect]:
        """Who joined the pool in that time, the latest first; the end is part of it."""
        self.catch_up()
        first, last = (-int(moment.timestamp() * 1000) for moment in (until, after))
        keys = self._orders[CatalogueOrder.NEWEST]
        between = keys[bisect_left(keys, (first, "")) : bisect_left(keys, (last, ""))]
        return [self._members[id] for _, id in between]

    def page(
        self,
        side: CatalogueSide,
        asked: CatalogueFilter,
        *,
        order: CatalogueOrder,
        behind: Key | None,
        limit: int,
        today: date,
    ) -> list[Prospect]:
        """The profiles that are asked for in that order (any but by fit), from behind `behind`."""
        ids = self._ids(side, asked)
        has_time = asked.has_time(side, today)
        found: list[Prospect] = []
        for _, id in self._from(order, behind):
            if id in ids and self._passes(self._members[id], side, has_time):
                found.append(self._members[id])
                if len(found) == limit:
                    break
        return found

    def filter(self, side: CatalogueSide, asked: CatalogueFilter, today: date) -> Check:
        """Whether a profile is on that side and as asked for, at the moment."""
        ids = self._ids(side, asked)
        has_time = asked.has_time(side, today)
        return lambda prospect: prospect.id in ids and self._passes(prospect, side, has_time)

    def _ids(self, side: CatalogueSide, asked: CatalogueFilter) -> set[str]:
        self.catch_up()
        having = [self._having.get(facet, set()) for facet in asked.facets(side)]
        if asked.text is not None:
            having.append(self._texts.find(asked.text))
        having.sort(key=len)
        return having[0].intersection(*having[1:]) if len(having) > 1 else having[0]

    def _passes(self, prospect: Prospect, side: CatalogueSide, has_time: Check | None) -> bool:
        # There is one visit in the whole scheme, and this one may be used.
        if side == "visitors" and self._pool.visit_used(prospect):
            return False
        return has_time is None or has_time(prospect)

    def _from(self, order: CatalogueOrder, behind: Key | None) -> Iterator[Key]:
        keys = self._orders[order]
        return islice(keys, bisect_right(keys, behind) if behind else 0, None)


def key_of(prospect: Prospect, order: CatalogueOrder) -> Key:
    """The place of a profile in an order, any but by fit."""
    if order is CatalogueOrder.NAME:
        return folded(prospect.party.organisation), prospect.id
    return -prospect.since_ms, prospect.id


def _text(prospect: Prospect) -> str:
    """What is found by its words."""
    party = prospect.party
    return "\n".join((party.organisation, shown(prospect.motivation), *prospect.offers, *prospect.needs))


def shown(motivation: str) -> str:
    """What others read of it: without addresses and numbers, as contact goes through the platform."""
    return _CONTACT.sub(_HIDDEN, motivation)


class Cursor(NamedTuple):
    """The last profile of a page: the next page begins behind it, whatever comes and goes meanwhile."""

    order: CatalogueOrder
    key: Key

    @classmethod
    def read(cls, text: str, order: CatalogueOrder) -> Self:
        """The cursor in a request; raises `Malformed` unless it is one of a list in this order."""
        try:
            named, value, id = orjson.loads(base64.b64decode(text.encode(), b"-_", validate=True))
            cursor = cls(CatalogueOrder(named), (value, id))
            if type(value) is not (str if order is CatalogueOrder.NAME else int) or not isinstance(id, str):
                raise TypeError("not of this order")
        except (ValueError, TypeError, binascii.Error):
            raise _unusable("it is not the `next` of a page in this order; begin again without it") from None
        if cursor.order is not order:
            raise _unusable(f"it belongs to a list sorted by {cursor.order}; begin again without it")
        return cursor

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps([self.order, *self.key])).decode()


def _unusable(why: str) -> Malformed:
    return Malformed(f"/after: {why}", errors=[{"pointer": "/after", "detail": why}])
