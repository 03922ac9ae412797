"""Distance between two places: the geodesic on WGS 84."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from geographiclib.geodesic import Geodesic


class Point(NamedTuple):
    """Degrees north and east, WGS 84."""

    lat: float
    lon: float


@lru_cache(maxsize=10_000)
def metres_between(one: Point, other: Point) -> float:
    """Length of the geodesic in metres, unrounded (Karney's algorithm, good to 15 nanometres)."""
    line = Geodesic.WGS84.Inverse(one.lat, one.lon, other.lat, other.lon, Geodesic.DISTANCE)
    return float(line["s12"])
