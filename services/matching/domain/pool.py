"""The pool in memory: every candidate as a row of columns, searched whole for the best partners.

For each possible partner the columns give a score that can only be too high: topics are looked up
in hashed bit masks, rare languages share a bit, and stays taken are left out. Components that take
longer to look up are left to those who may be among the best by the others. Partners are then
compared exactly, highest bound first, until no bound left can beat the worst of those kept; so the
answer is the same as comparing everybody exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import date
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.domain import fit as fits
from services.matching.domain.fit import Prospect
from services.matching.domain.stay import SHORTEST_STAY, Span
from services.matching.domain.texts import BITS
from services.matching.domain.weights import Weights
from services.matching.domain.working_days import FIRST_DAY, LAST_DAY, WorkingDays
from shared.contracts.matching import Fit, Side
from shared.contracts.vocabulary import Ecosystem, Goal

Array = NDArray[Any]

Rows = slice | Array
"""Some rows of the columns, or all of them."""

_SPANS: Final = 4
"""Availabilities kept apart; of more, the later ones are kept as one that covers them."""

_WORDS: Final = 4
"""64-bit words of a topic mask."""

_TEXT_WORDS: Final = BITS // 64
"""64-bit words of a text's signature."""

_POINTS: Final = np.int16
"""Hundredths of points: 10,000 at the most."""

_FIRST_BATCH: Final = 16
_MS_BITS: Final = 42
_MS_MAX: Final = (1 << _MS_BITS) - 1
"""Milliseconds fit until the year 2109; a rank is the score, then how long one has waited."""


class Best(NamedTuple):
    """The best partners of one candidate, best first, out of how many of the other role."""

    fits: list[Fit]
    considered: int


@dataclass
class _Columns:
    is_visitor: Array
    is_host: Array
    visit_used: Array
    country: Array
    served: Array
    ecosystems: Array
    ecosystem_count: Array
    goals: Array
    goal_count: Array
    languages: Array
    wishes: Array
    has_wish: Array
    needs: Array
    need_count: Array
    offers: Array
    wants: Array
    has_wants: Array
    gives: Array
    has_gives: Array
    first: Array
    """First days of its availabilities, counted from `FIRST_DAY`."""
    last: Array
    """The days after their last ones, counted likewise."""
    working_before: Array
    """Working days in its own country before the first days."""
    working_until: Array
    """Working days in its own country until the last days."""
    calendar: Array
    wished_days: Array
    point: Array
    since_day: Array
    patience: Array

    @classmethod
    def of_size(cls, n: int) -> _Columns:
        return cls(
            is_visitor=np.zeros(n, np.bool_),
            is_host=np.zeros(n, np.bool_),
            visit_used=np.zeros(n, np.bool_),
            country=np.zeros(n, np.int16),
            served=np.zeros(n, np.uint16),
            ecosystems=np.zeros(n, np.uint16),
            ecosystem_count=np.zeros(n, np.uint8),
            goals=np.zeros(n, np.uint8),
            goal_count=np.zeros(n, np.uint8),
            languages=np.zeros(n, np.uint64),
            wishes=np.zeros(n, np.uint64),
            has_wish=np.zeros(n, np.bool_),
            needs=np.zeros((_WORDS, n), np.uint64),
            need_count=np.zeros(n, np.uint8),
            offers=np.zeros((_WORDS, n), np.uint64),
            wants=np.zeros((_TEXT_WORDS, n), np.uint64),
            has_wants=np.zeros(n, np.bool_),
            gives=np.zeros((_TEXT_WORDS, n), np.uint64),
            has_gives=np.zeros(n, np.bool_),
            first=np.zeros((_SPANS, n), np.int32),
            last=np.zeros((_SPANS, n), np.int32),
            working_before=np.zeros((_SPANS, n), np.int32),
            working_until=np.zeros((_SPANS, n), np.int32),
            calendar=np.zeros(n, np.int16),
            wished_days=np.zeros(n, np.uint8),
            point=np.full((3, n), np.nan),
            since_day=np.zeros(n, np.int32),
            patience=np.zeros(n, np.int64),
        )

    def grown(self) -> _Columns:
        size = self.country.shape[0]
        larger = _Columns.of_size(2 * size)
        for column in fields(self):
            getattr(larger, column.name)[..., :size] = getattr(self, column.name)
        return larger


class _Numbers:
    """Small numbers for words, in the order they are first met."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def of(self, word: str) -> int:
        return self._numbers.setdefault(word, len(self._numbers))

    def bit(self, word: str) -> int:
        """A bit of its own for the first 63 words; all others share the last one."""
        return 1 << min(self.of(word), 63)

    def mask(self, words: Iterable[str]) -> int:
        mask = 0
        for word in words:
            mask |= self.bit(word)
        return mask


class _Tables:
    """The points of `fit`, looked up by counts instead of computed."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        size = len(Ecosystem) + 1
        self.ecosystems = np.array(
            [
                [
                    [fits.ecosystem_points(weights, min(s, v, h), v, h) for h in range(size)]
                    for s in range(size)
                ]
                for v in range(size)
            ],
            _POINTS,
        )
        """By the visitor's count, the shared and the host's."""
        size = len(Goal) + 1
        self.goals = np.array(
            [[fits.goal_points(weights, min(s, v), v) for v in range(size)] for s in range(size)], _POINTS
        )
        """By the shared and the visitor's count."""
        self.topics_enough = weights.topics_enough
        size = self.topics_enough + 1
        self.topics = np.array(
            [[fits.topic_points(weights, min(s, v), v) for v in range(size)] for s in range(size)], _POINTS
        )
        """By the shared and the visitor's count, both counted no further than is enough."""
        self.texts = np.array([fits.text_points(weights, bits) for bits in range(BITS + 1)], _POINTS)
        """By the bits two signatures differ in."""
        self.waiting = np.array(
            [fits.waiting_points(weights, days) for days in range(weights.waiting_enough + 1)], _POINTS
        )
        """By the days one side has waited."""
        self.languages = fits.language_points(weights, True)
        self.no_wish = fits.country_points(weights, None)
        self.wish_met = fits.country_points(weights, True)
        self.length = fits.length_points(weights, True)
        self.distance = fits.distance_points(weights, True)
        self.lump_sum = fits.lump_sum_points(weights, True)
        # A little towards too near, so that rounding can only make the bound too high.
        self.far_cosine = fits.cosine_of_distance(weights.full_lump_sum_km) + 1e-9


class Pool:
    """Candidates of one process, kept in step with the database by whoever owns it."""

    def __init__(self, capacity: int = 256) -> None:
        self._columns = _Columns.of_size(capacity)
        self._rows: dict[str, int] = {}
        self._prospects: list[Prospect | None] = []
        self._free: list[int] = []
        self._spans_used = 1
        self._languages = _Numbers()
        self._countries = _Numbers()
        self._calendars: dict[WorkingDays, int] = {}
        self._working_before: Array = np.zeros((0, _DAYS + 1), np.int32)
        """Of each calendar the working days before each day."""
        self._tables: dict[str, _Tables] = {}
        self._claimed: set[str] = set()
        self._rows_of_key: dict[str, set[int]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, id: str) -> bool:
        return id in self._rows

    def member(self, id: str) -> Prospect | None:
        """The candidate of that registration."""
        row = self._rows.get(id)
        return self._prospects[row] if row is not None else None

    @property
    def ids(self) -> set[str]:
        """The registration ids of all members."""
        return set(self._rows)

    @property
    def claimed(self) -> set[str]:
        """The identifiers whose visit right is taken."""
        return set(self._claimed)

    # ── keeping it current ───────────────────────────────────────────────────────────────────

    def put(self, prospect: Prospect) -> None:
        """Take a candidate in, or replace what is known of it."""
        row = self._rows.get(prospect.id)
        if row is None:
            row = self._new_row()
            self._rows[prospect.id] = row
        else:
            self._forget_keys(row)
        self._prospects[row] = prospect
        self._write(row, prospect)
        for key in claim_keys(prospect):
            self._rows_of_key.setdefault(key, set()).add(row)
        self._columns.visit_used[row] = self.visit_used(prospect)

    def remove(self, id: str) -> None:
        """Let a candidate go; nothing happens when it is not here."""
        row = self._rows.pop(id, None)
        if row is None:
            return
        self._forget_keys(row)
        self._columns.is_visitor[row] = self._columns.is_host[row] = False
        self._prospects[row] = None
        self._free.append(row)

    def claim(self, key: str, taken: bool = True) -> None:
        """The visit right of this identifier is taken, or given back."""
        if taken:
            self._claimed.add(key)
        else:
            self._claimed.discard(key)
        for row in self._rows_of_key.get(key, ()):
            prospect = self._prospects[row]
            assert prospect is not None
            self._columns.visit_used[row] = self.visit_used(prospect)

    def visit_used(self, prospect: Prospect) -> bool:
        """Whether the visit right of any of its identifiers is taken."""
        return any(key in self._claimed for key in claim_keys(prospect))

    def _new_row(self) -> int:
        if self._free:
            return self._free.pop()
        row = len(self._prospects)
        if row == self._columns.country.shape[0]:
            self._columns = self._columns.grown()
        self._prospects.append(None)
        return row

    def _forget_keys(self, row: int) -> None:
        prospect = self._prospects[row]
        assert prospect is not None
        for key in claim_keys(prospect):
            rows = self._rows_of_key[key]
            rows.discard(row)
            if not rows:
                del self._rows_of_key[key]

    def _write(self, row: int, prospect: Prospect) -> None:
        columns = self._columns
        columns.is_visitor[row] = prospect.visits
        columns.is_host[row] = prospect.hosts
        columns.country[row] = self._countries.of(prospect.party.place.country)
        columns.served[row] = prospect.served
        columns.ecosystems[row] = prospect.ecosystems
        columns.ecosystem_count[row] = prospect.ecosystems.bit_count()
        columns.goals[row] = prospect.goals
        columns.goal_count[row] = prospect.goals.bit_count()
        columns.languages[row] = self._languages.mask(prospect.languages)
        columns.wishes[row] = self._countries.mask(prospect.wished_countries)
        columns.has_wish[row] = bool(prospect.wished_countries)
        columns.needs[:, row] = _topic_words(prospect.needs)
        columns.need_count[row] = min(len(prospect.needs), 255)
        columns.offers[:, row] = _topic_words(prospect.offers)
        columns.wants[:, row] = _words(prospect.wants or 0, _TEXT_WORDS)
        columns.has_wants[row] = prospect.wants is not None
        columns.gives[:, row] = _words(prospect.gives or 0, _TEXT_WORDS)
        columns.has_gives[row] = prospect.gives is not None
        spans = _few(prospect.spans)
        self._spans_used = max(self._spans_used, len(spans))
        # An unused place holds a span that ends before it begins, and meets nothing.
        unused = [(_DAYS, 0)] * (_SPANS - len(spans))
        first, last = np.array([*spans, *unused], np.int32).T
        columns.first[:, row], columns.last[:, row] = first, last
        columns.working_before[:, row] = prospect.working.before[first]
        columns.working_until[:, row] = prospect.working.before[last]
        columns.calendar[row] = self._calendar(prospect.working)
        columns.wished_days[row] = prospect.wished_days
        columns.point[:, row] = prospect.point or (np.nan, np.nan, np.nan)
        columns.since_day[row] = prospect.since_day
        columns.patience[row] = _patience(prospect)

    def _calendar(self, working: WorkingDays) -> int:
        number = self._calendars.setdefault(working, len(self._calendars))
        if number == len(self._working_before):
            self._working_before = np.vstack((self._working_before, working.before))
        return number

    # ── asking it ────────────────────────────────────────────────────────────────────────────

    def count(self, side: Side, without: list[int]) -> int:
        """How many besides those rows could, by their role, be the partner of someone on this side."""
        others = self._others(side)
        return int(np.count_nonzero(others)) - int(np.count_nonzero(others[without]))

    def rows_of(self, ids: Iterable[str]) -> list[int]:
        """Where those of the registrations are that are in the pool; until it changes."""
        rows = self._rows
        return [rows[id] for id in ids if id in rows]

    def _others(self, side: Side) -> Array:
        role = self._columns.is_host if side == "visitor" else self._columns.is_visitor
        others: Array = role[: len(self._prospects)]
        return others

    def ranked(
        self,
        prospect: Prospect,
        side: Side,
        *,
        weights: Weights,
        on: date,
        limit: int,
        without: list[int],
        among: Callable[[Prospect], bool] | None = None,
        behind: tuple[int | str, str] | None = None,
    ) -> list[tuple[int, Prospect]]:
        """The best partners with their rank, best first, equal to comparing everybody exactly.

        `side` is the role in which `prospect` looks for partners; `without` are rows to leave out, as
        `rows_of` finds them. `among` says who may be an answer, and `behind` where the answers begin:
        behind the one with this rank, negative, and this id.
        """
        rows, quick, possible, longest = self._quick_points(prospect, side, weights, on)
        possible[without] = False
        found = possible[rows]
        rows = np.flatnonzero(possible)
        quick, longest = quick[found], longest[found]
        slow = self._most_slow_points(prospect, weights, on)
        kept: list[tuple[int, str, Prospect]] = []

        def compare(chosen: Array) -> None:
            if not len(chosen):
                return
            points = quick[chosen]
            self._add_slow_points(points, prospect, side, rows[chosen], longest[chosen], weights, on)
            bounds = points.astype(np.int64) << _MS_BITS
            bounds += self._columns.patience[rows[chosen]]
            if len(kept) >= limit:
                still = bounds >= kept[-1][0]
                chosen, bounds = chosen[still], bounds[still]
            for index in np.argsort(-bounds, kind="stable").tolist():
                if len(kept) >= limit and int(bounds[index]) < kept[-1][0]:
                    return
                partner = self._prospects[rows[chosen[index]]]
                assert partner is not None
                if among is not None and not among(partner):
                    continue
                rank = _exact_rank(prospect, partner, side, weights, on, self.visit_used)
                if rank is not None and (behind is None or (-rank, partner.id) > behind):
                    kept.append((rank, partner.id, partner))
                    kept.sort(key=lambda entry: (-entry[0], entry[1]))
                    del kept[limit:]

        # Those ahead are compared first: measured by the best of them, few of the others are left.
        ahead = quick >= _nth_highest(quick, _FIRST_BATCH * limit)
        compare(np.flatnonzero(ahead))
        others = ~ahead
        if len(kept) >= limit:
            others &= quick >= (kept[-1][0] >> _MS_BITS) - slow
        compare(np.flatnonzero(others))
        return [(rank, partner) for rank, _, partner in kept]

    def most_points(self, visitor: Prospect, weights: Weights, on: date) -> Array:
        """For each host, in the order they were put in, the most hundredths of points a visit can earn.

        -1 where no stay is possible. Meant for a pool of hosts alone, that nobody has left.
        """
        found: Array = np.full(len(self._prospects), -1, _POINTS)
        rows, points, possible = self._points(visitor, "visitor", weights, on)
        found[rows] = points
        found[~possible] = -1
        return found

    def _points(
        self, prospect: Prospect, side: Side, weights: Weights, on: date
    ) -> tuple[Rows, Array, Array]:
        """Some rows, the most points of each of them, and of all rows whether a stay is possible."""
        rows, points, possible, longest = self._quick_points(prospect, side, weights, on)
        self._add_slow_points(points, prospect, side, rows, longest, weights, on)
        return rows, points, possible

    def _quick_points(
        self, prospect: Prospect, side: Side, weights: Weights, on: date
    ) -> tuple[Rows, Array, Array, Array]:
        """Like `_points`, of the components looked up quickly; and the most working days of each row."""
        tables = self._tables_of(weights)
        n = len(self._prospects)
        c = self._columns
        visiting = side == "visitor"

        possible = self._others(side) & (c.country[:n] != self._countries.of(prospect.party.place.country))
        possible &= (c.served[:n] & np.uint16(prospect.served)) != 0
        if not visiting:
            possible &= ~c.visit_used[:n]
        # Where few are possible, their columns are taken out; else looking at all of them is faster.
        rows: Rows = slice(n)
        if np.count_nonzero(possible) < n // 2:
            rows = np.flatnonzero(possible)
        longest = self._most_working_days(prospect, rows, on.toordinal(), visiting)
        possible[rows] &= longest >= SHORTEST_STAY

        shared = np.bitwise_count(c.ecosystems[rows] & np.uint16(prospect.ecosystems))
        own = prospect.ecosystems.bit_count()
        table = tables.ecosystems[own] if visiting else tables.ecosystems[:, :, own].T
        points = table.ravel().take(shared * np.uint8(len(Ecosystem) + 1) + c.ecosystem_count[rows])

        shared = np.bitwise_count(c.goals[rows] & np.uint8(prospect.goals))
        if visiting:
            points += tables.goals[:, prospect.goals.bit_count()].take(shared)
        else:
            points += tables.goals.ravel().take(shared * np.uint8(len(Goal) + 1) + c.goal_count[rows])

        points += self._topic_points(prospect, rows, tables, visiting)

        points += ((c.languages[rows] & np.uint64(self._languages.mask(prospect.languages))) != 0) * _POINTS(
            tables.languages
        )

        here = np.uint64(self._countries.bit(prospect.party.place.country))
        points += np.where(
            c.has_wish[rows], ((c.wishes[rows] & here) != 0) * _POINTS(tables.wish_met), tables.no_wish
        )
        if prospect.wished_countries:
            wished = [self._countries.of(country) for country in prospect.wished_countries]
            by_country = np.zeros(len(self._countries), _POINTS)
            by_country[wished] = tables.wish_met
            points += by_country.take(c.country[rows])
        else:
            points += tables.no_wish

        wanted = np.maximum(c.wished_days[rows], np.uint8(prospect.wished_days))
        if not prospect.wished_days:
            wanted[wanted == 0] = weights.usual_working_days
        points += (longest >= wanted) * _POINTS(tables.length)

        return rows, points, possible, longest

    def _add_slow_points(
        self,
        points: Array,
        prospect: Prospect,
        side: Side,
        rows: Rows,
        longest: Array,
        weights: Weights,
        on: date,
    ) -> None:
        """The points of the other components, for rows with so many working days."""
        tables, c = self._tables_of(weights), self._columns
        if weights.texts.points:
            self._add_text_points(points, prospect, rows, tables, side == "visitor")
        if weights.waiting.points:
            today = on.toordinal()
            waited = np.minimum(np.maximum(today - c.since_day[rows], 0), weights.waiting_enough)
            points += tables.waiting.take(waited)
            points += _POINTS(fits.waiting_points(weights, today - prospect.since_day))
        if prospect.point is not None:
            x, y, z = prospect.point
            cosine = c.point[0, rows] * x
            cosine += c.point[1, rows] * y
            cosine += c.point[2, rows] * z
            far = cosine <= tables.far_cosine
            points += far * _POINTS(tables.distance)
            points += (far & (longest >= weights.full_lump_sum_days)) * _POINTS(tables.lump_sum)

    def _most_slow_points(self, prospect: Prospect, weights: Weights, on: date) -> int:
        """The most that `_add_slow_points` adds to any row."""
        tables = self._tables_of(weights)
        most = int(tables.texts.max()) + int(tables.waiting.max()) + tables.distance + tables.lump_sum
        return most + fits.waiting_points(weights, on.toordinal() - prospect.since_day)

    def _most_working_days(self, prospect: Prospect, rows: Rows, today: int, visiting: bool) -> Array:
        """In the longest time both are available, at whichever of them is the host."""
        c = self._columns
        own = prospect.working.before
        calendars = c.calendar[rows]
        most = np.zeros(len(calendars), np.int32)
        for first, last in _few(((max(a, today), b) for a, b in prospect.spans)):
            if first >= last:
                continue
            if visiting:
                before, until = (self._working_before[:, day].take(calendars) for day in (first, last))
            for slot in range(self._spans_used):
                # The number of working days never falls from one day to the next, so that the one
                # at the later of two days is the larger of the two.
                if visiting:
                    common = np.minimum(c.working_until[slot, rows], until)
                    common -= np.maximum(c.working_before[slot, rows], before)
                else:
                    common = own.take(np.minimum(c.last[slot, rows], last))
                    common -= own.take(np.maximum(c.first[slot, rows], first))
                np.maximum(most, common, out=most)
        return most

    def _add_text_points(
        self, points: Array, prospect: Prospect, rows: Rows, tables: _Tables, visiting: bool
    ) -> None:
        c = self._columns
        signature = prospect.wants if visiting else prospect.gives
        if signature is None:
            return
        theirs, has = (c.gives, c.has_gives) if visiting else (c.wants, c.has_wants)
        differing = np.zeros(len(points), np.uint16)
        for word, bits in enumerate(_words(signature, _TEXT_WORDS)):
            differing += np.bitwise_count(theirs[word, rows] ^ np.uint64(bits))
        points += tables.texts.take(differing) * has[rows]

    def _topic_points(self, prospect: Prospect, rows: Rows, tables: _Tables, visiting: bool) -> Array:
        asked = prospect.needs if visiting else prospect.offers
        columns = self._columns.offers if visiting else self._columns.needs
        masks = _topic_words(asked)
        needed = self._columns.need_count[rows]
        shared = np.zeros(len(needed), np.uint16)
        for word, mask in enumerate(masks):
            if mask:
                shared += np.bitwise_count(columns[word, rows] & np.uint64(mask))
        # Two topics of the asker on one bit count as both, wherever the bit is set.
        for bit, more in _collisions(asked).items():
            is_set = (columns[bit >> 6, rows] >> np.uint64(bit & 63)) & np.uint64(1)
            shared += np.uint16(more) * is_set.astype(np.uint16)
        size = tables.topics_enough + 1
        np.minimum(shared, size - 1, out=shared)
        if visiting:
            return tables.topics[:, min(len(asked), size - 1)].take(shared)
        return tables.topics.ravel().take(shared * np.uint16(size) + np.minimum(needed, size - 1))

    def _tables_of(self, weights: Weights) -> _Tables:
        tables = self._tables.get(weights.rule_set)
        if tables is None:
            tables = self._tables[weights.rule_set] = _Tables(weights)
        return tables


class PoolView:
    """The pool as it is seen on a day, by the weights in force."""

    def __init__(self, pool: Pool, weights: Weights, today: date) -> None:
        self._pool = pool
        self._weights = weights
        self._today = today

    def member(self, id: str) -> Prospect | None:
        """The candidate of that registration, if the pool has heard of it."""
        return self._pool.member(id)

    def visit_used(self, prospect: Prospect) -> bool:
        """Whether the visit right of any of its identifiers is taken."""
        return self._pool.visit_used(prospect)

    def best(
        self,
        prospect: Prospect,
        side: Side,
        *,
        limit: int,
        among: Callable[[Prospect], bool] | None = None,
        behind: tuple[int | str, str] | None = None,
        told: int | None = None,
    ) -> Best:
        """The best partners for the role `side`, and how many of the other role were compared.

        Those it has a match with are left out. `among` and `behind` as for `Pool.ranked`, `told` as for
        `fit`.
        """
        without = self._pool.rows_of({prospect.id, *prospect.partners})
        considered = self._pool.count(side, without)
        if side == "visitor" and self.visit_used(prospect):
            return Best([], considered)
        found = self._pool.ranked(
            prospect,
            side,
            weights=self._weights,
            on=self._today,
            limit=limit,
            without=without,
            among=among,
            behind=behind,
        )
        return Best([self._fit(prospect, partner, side, told) for _, partner in found], considered)

    def _fit(self, prospect: Prospect, partner: Prospect, side: Side, told: int | None) -> Fit:
        visitor, host = (prospect, partner) if side == "visitor" else (partner, prospect)
        fit = fits.fit(visitor, host, self._weights, self._today, for_side=side, told=told)
        assert fit is not None
        return fit


def claim_keys(prospect: Prospect) -> list[str]:
    """The keys under which the visit right of this organisation is claimed."""
    return keys_of_visit(prospect.id, prospect.party.identifiers)


def keys_of_visit(registration_id: str, identifiers: list[str]) -> list[str]:
    """Each identifier of the visitor, or its registration when it has none."""
    return sorted(set(identifiers)) or [f"registration:{registration_id}"]


def rank(points: int, prospect: Prospect) -> int:
    """Orders partners: more points first, then who has waited longer."""
    return (points << _MS_BITS) + _patience(prospect)


def _patience(prospect: Prospect) -> int:
    return _MS_MAX - min(max(prospect.since_ms, 0), _MS_MAX)


def _exact_rank(
    prospect: Prospect,
    partner: Prospect,
    side: Side,
    weights: Weights,
    on: date,
    visit_used: Callable[[Prospect], bool],
) -> int | None:
    visitor, host = (prospect, partner) if side == "visitor" else (partner, prospect)
    # A visitor that asks has been checked before.
    if fits.pairing_constraints(visitor, host, visit_used=side == "host" and visit_used(visitor)):
        return None
    days = fits.common_stretch(visitor, host, on)
    if days is None:
        return None
    return rank(sum(fits.points(visitor, host, weights, days, on).values()), partner)


def _nth_highest(points: Array, n: int) -> int:
    """The points that n have, or more; of fewer than n, what all have."""
    if n >= len(points):
        return -1
    return int(np.partition(points, len(points) - n)[len(points) - n])


_DAYS: Final = LAST_DAY + 1 - FIRST_DAY


def _few(spans: Iterable[Span]) -> list[Span]:
    """The spans from `FIRST_DAY` on, each with the day after its last; those beyond a few in one."""
    ordered = sorted(
        (min(max(first, FIRST_DAY) - FIRST_DAY, _DAYS), max(min(last, LAST_DAY) + 1 - FIRST_DAY, 0))
        for first, last in spans
    )
    if len(ordered) <= _SPANS:
        return ordered
    kept, rest = ordered[: _SPANS - 1], ordered[_SPANS - 1 :]
    return [*kept, (rest[0][0], max(last for _, last in rest))]


_BITS: Final[dict[str, int]] = {}


def _topic_bit(topic: str) -> int:
    bit = _BITS.get(topic)
    if bit is None:
        bit = blake2b(topic.encode(), digest_size=1).digest()[0]
        if len(_BITS) < 100_000:
            _BITS[topic] = bit
    return bit


def _topic_words(topics: Iterable[str]) -> list[int]:
    mask = 0
    for topic in topics:
        mask |= 1 << _topic_bit(topic)
    return _words(mask, _WORDS)


def _words(mask: int, count: int) -> list[int]:
    return [(mask >> (64 * word)) & 0xFFFFFFFFFFFFFFFF for word in range(count)]


def _collisions(topics: Iterable[str]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for topic in topics:
        bit = _topic_bit(topic)
        counts[bit] = counts.get(bit, 0) + 1
    return {bit: count - 1 for bit, count in counts.items() if count > 1}
