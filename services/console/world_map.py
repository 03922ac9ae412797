"""A map of Europe with exchanges between its countries, drawn by the server from npm's `world-atlas`.

Outlines are Natural Earth's (public domain). The projection is Lambert's azimuthal equal-area one, as the
EU's statistics use it. What a map shows is in a table beside it, too: a picture says nothing to everybody.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final, Protocol

from babel.core import get_global

from services.console.assets import PACKAGES, AssetsMissing

Point = tuple[float, float]
Ring = list[Point]

ATLAS: Final = PACKAGES / "world-atlas" / "countries-50m.json"
CENTRE: Final = (52.0, 14.0)
"""Degrees north and east."""
LEFT, RIGHT, TOP, BOTTOM = -0.40, 0.43, -0.33, 0.31
"""What is shown of the plane, in radii of the Earth: Iceland to Armenia, the North Cape to Cyprus."""
WIDTH: Final = 1000
HEIGHT: Final = round(WIDTH * (BOTTOM - TOP) / (RIGHT - LEFT))

_SIMPLER_BY: Final = 0.7
"""Units of the picture by which an outline may be off."""
_SMALLEST: Final = 3.0
"""Square units; islands below are left out, but never all of a country."""
_MARGIN: Final = 20
_UNNUMBERED: Final = {"Kosovo": "XK"}
"""Countries without a number of ISO 3166-1."""
_THIN, _THICK = 2.0, 9.0
_MANY: Final = 8
"""Exchanges between two countries, besides the first, that are drawn thick where no others have more."""


class Exchanges(Protocol):
    """So many exchanges from one country to another (ISO 3166-1 codes)."""

    @property
    def source(self) -> str:
        """The visitors' country."""
        ...

    @property
    def target(self) -> str:
        """The hosts'."""
        ...

    @property
    def count(self) -> int:
        """How many."""
        ...


@dataclass(frozen=True)
class Shape:
    """A country as it is drawn: an SVG path, and where its middle is."""

    code: str
    path: str
    middle: Point


@dataclass(frozen=True)
class Drawn:
    """Exchanges between two countries as a curve from the one to the other."""

    source: str
    target: str
    count: int
    path: str
    width: float
    end: Point


@dataclass(frozen=True)
class WorldMap:
    """What `map.html` draws."""

    width: int
    height: int
    shapes: Sequence[Shape]
    flows: Sequence[Drawn]
    taking_part: frozenset[str]
    """Countries that send or receive somebody."""


def world_map(exchanges: Iterable[Exchanges]) -> WorldMap:
    """The map with these exchanges, the most numerous on top; those of countries out of it are left out."""
    known = {shape.code: shape for shape in _shapes()}
    wanted = [one for one in exchanges if one.source in known and one.target in known]
    most = max((one.count for one in wanted), default=1)
    flows = [
        _flow(one, known[one.source].middle, known[one.target].middle, most)
        for one in sorted(wanted, key=lambda one: (one.count, one.source, one.target))
    ]
    return WorldMap(
        width=WIDTH,
        height=HEIGHT,
        shapes=_shapes(),
        flows=flows,
        taking_part=frozenset(code for one in wanted for code in (one.source, one.target)),
    )


def _flow(one: Exchanges, begin: Point, end: Point, most: int) -> Drawn:
    width = _THIN + (_THICK - _THIN) * math.sqrt((one.count - 1) / max(most - 1, _MANY))
    # Bent to the left of its way, so that those of the other direction are beside it.
    dx, dy = end[0] - begin[0], end[1] - begin[1]
    control = ((begin[0] + end[0]) / 2 + dy * 0.18, (begin[1] + end[1]) / 2 - dx * 0.18)
    points = " ".join(f"{x:.0f},{y:.0f}" for x, y in (control, end))
    path = f"M{begin[0]:.0f},{begin[1]:.0f}Q{points}"
    return Drawn(one.source, one.target, one.count, path, round(width, 1), end)


@cache
def _shapes() -> tuple[Shape, ...]:
    try:
        atlas = json.loads(ATLAS.read_bytes())
    except FileNotFoundError as missing:
        raise AssetsMissing(
            "The console's map needs world-atlas, which is not installed: run 'make setup'."
        ) from missing
    return tuple(shapes_of(atlas))


def shapes_of(atlas: dict[str, Any]) -> Iterator[Shape]:
    """The countries of a TopoJSON atlas that are in the picture."""
    arcs = [_simplified([_placed(point) for point in arc]) for arc in _arcs(atlas)]
    for country in atlas["objects"]["countries"]["geometries"]:
        code = _code(country)
        polygons = country["arcs"] if country["type"] == "MultiPolygon" else [country["arcs"]]
        rings = [_ring(arcs, ring) for polygon in polygons for ring in polygon]
        shown = [clipped for ring in rings if (clipped := _clipped(ring))]
        shown.sort(key=lambda ring: -abs(_area(ring)))
        kept = [ring for number, ring in enumerate(shown) if not number or abs(_area(ring)) >= _SMALLEST]
        if code and kept:
            yield Shape(code, "".join(map(_path, kept)), _middle(kept[0]))


def _code(country: dict[str, Any]) -> str | None:
    number = country.get("id")
    if number is None:
        return _UNNUMBERED.get(country["properties"]["name"])
    codes = get_global("territory_aliases").get(number)
    return codes[0] if codes else None


def _arcs(atlas: dict[str, Any]) -> Iterator[Ring]:
    """The lines the outlines are made of, in degrees east and north."""
    (scale_x, scale_y), (left, bottom) = atlas["transform"]["scale"], atlas["transform"]["translate"]
    for arc in atlas["arcs"]:
        x = y = 0
        line = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            line.append((x * scale_x + left, y * scale_y + bottom))
        # Of lines that are out of the picture anyway a few points do.
        yield line if any(map(_near, line)) else [*line[:-1:40], line[-1]]


def _near(degrees: Point) -> bool:
    return -30 < degrees[0] < 60 and 25 < degrees[1] < 75


def _placed(degrees: Point) -> Point:
    """Where a point of the Earth (degrees east and north) is in the picture."""
    east, north, east_0, north_0 = (math.radians(angle) for angle in (*degrees, CENTRE[1], CENTRE[0]))
    turn = math.cos(north) * math.cos(east - east_0)
    towards = math.sin(north_0) * math.sin(north) + math.cos(north_0) * turn
    # Nothing of the other half is in the picture; at the antipode the projection has no value.
    factor = math.sqrt(2 / max(1 + towards, 0.01))
    x = factor * math.cos(north) * math.sin(east - east_0)
    y = factor * (math.cos(north_0) * math.sin(north) - math.sin(north_0) * turn)
    return (x - LEFT) / (RIGHT - LEFT) * WIDTH, (-y - TOP) / (BOTTOM - TOP) * HEIGHT


def _simplified(line: Ring) -> Ring:
    """The line with as few points as it needs (Douglas and Peucker's way); borders stay common."""
    if len(line) < 3:
        return line
    (x1, y1), (x2, y2) = line[0], line[-1]
    dx, dy = x2 - x1, y2 - y1
    length = math.hypot(dx, dy)
    farthest, by = 0, 0.0
    for number, (x, y) in enumerate(line[1:-1], 1):
        off = abs(dy * (x - x1) - dx * (y - y1)) / length if length else math.hypot(x - x1, y - y1)
        if off > by:
            farthest, by = number, off
    if by <= _SIMPLER_BY:
        return [line[0], line[-1]]
    return _simplified(line[: farthest + 1])[:-1] + _simplified(line[farthest:])


def _ring(arcs: Sequence[Ring], numbers: Iterable[int]) -> Ring:
    """An outline put together; a negative number is an arc the other way round."""
    ring: Ring = []
    for number in numbers:
        line = arcs[number] if number >= 0 else arcs[~number][::-1]
        ring += line[1:] if ring else line
    return ring


def _clipped(ring: Ring) -> Ring:
    """What of an outline is in the picture, with a little around it (Sutherland and Hodgman's way)."""
    edges = ((0, -_MARGIN, 1), (0, WIDTH + _MARGIN, -1), (1, -_MARGIN, 1), (1, HEIGHT + _MARGIN, -1))
    for axis, bound, sign in edges:
        inside = [sign * (point[axis] - bound) >= 0 for point in ring]
        if all(inside):
            continue
        found: Ring = []
        for number, point in enumerate(ring):
            before = ring[number - 1]
            if inside[number] != inside[number - 1]:
                share = (bound - before[axis]) / (point[axis] - before[axis])
                found.append(
                    (before[0] + share * (point[0] - before[0]), before[1] + share * (point[1] - before[1]))
                )
            if inside[number]:
                found.append(point)
        ring = found
        if not ring:
            return []
    return ring


def _area(ring: Ring) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in _sides(ring)) / 2


def _middle(ring: Ring) -> Point:
    """The centre of gravity of an outline."""
    area = _area(ring)
    if not area:
        return ring[0]
    x = sum((a[0] + b[0]) * (a[0] * b[1] - b[0] * a[1]) for a, b in _sides(ring))
    y = sum((a[1] + b[1]) * (a[0] * b[1] - b[0] * a[1]) for a, b in _sides(ring))
    return round(x / (6 * area), 1), round(y / (6 * area), 1)


def _sides(ring: Ring) -> Iterator[tuple[Point, Point]]:
    return zip(ring, ring[1:] + ring[:1], strict=True)


def _path(ring: Ring) -> str:
    """The outline in whole units, each from the one before."""
    points = [(round(x), round(y)) for x, y in ring]
    steps = [
        f"{x - before_x} {y - before_y}"
        for (before_x, before_y), (x, y) in pairwise(points)
        if (x, y) != (before_x, before_y)
    ]
    return f"M{points[0][0]} {points[0][1]}l{' '.join(steps)}z" if steps else ""
