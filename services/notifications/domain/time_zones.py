"""Time zones as people write them: which there are, and which one may be meant."""

from __future__ import annotations

import difflib
from functools import cache
from typing import Final
from zoneinfo import available_timezones

_CITIES: Final = {
    "Europe/Amsterdam": "eindhoven rotterdam the_hague utrecht",
    "Europe/Athens": "patras thessaloniki",
    "Europe/Belgrade": "novi_sad pristina prishtina",
    "Europe/Berlin": "bonn cologne dresden dusseldorf frankfurt hamburg koln leipzig munchen munich",
    "Europe/Bratislava": "kosice",
    "Europe/Brussels": "antwerp bruges brugge bruxelles brussel charleroi ghent gent leuven liege",
    "Europe/Bucharest": "bucuresti brasov cluj cluj_napoca iasi timisoara",
    "Europe/Chisinau": "moldova",
    "Europe/Copenhagen": "aarhus aalborg odense kobenhavn",
    "Europe/Dublin": "cork galway",
    "Europe/Helsinki": "espoo tampere turku",
    "Europe/Istanbul": "ankara antalya izmir",
    "Europe/Kyiv": "kharkiv lviv odesa odessa",
    "Europe/Lisbon": "braga coimbra lisboa porto",
    "Europe/Madrid": "barcelona bilbao malaga sevilla seville valencia zaragoza",
    "Europe/Paris": "bordeaux lille lyon marseille nantes nice strasbourg toulouse",
    "Europe/Prague": "brno ostrava praha",
    "Europe/Rome": "bari bologna firenze florence genoa genova milan milano napoli naples palermo roma "
    "torino turin venezia venice verona",
    "Europe/Sofia": "plovdiv varna",
    "Europe/Stockholm": "goteborg gothenburg malmo uppsala",
    "Europe/Tirane": "tirana",
    "Europe/Vienna": "graz innsbruck linz salzburg wien",
    "Europe/Vilnius": "kaunas",
    "Europe/Warsaw": "gdansk krakow lodz poznan warszawa wroclaw",
    "Europe/Zagreb": "rijeka split",
    "Asia/Yerevan": "armenia gyumri",
    "Atlantic/Reykjavik": "iceland",
}
"""Cities that people name for their zone though it is called by another one; without accents."""


@cache
def time_zones() -> frozenset[str]:
    """The IANA names there are."""
    return frozenset(available_timezones())


def no_time_zone(name: str) -> str:
    """A sentence that says so, and which one may be meant."""
    meant = _meant(name)
    question = f"; did you mean {meant}?" if meant else "; write one such as Europe/Brussels"
    return f"'{name[:60]}' is no IANA time zone{question}"


def _meant(name: str) -> str | None:
    wanted = name.strip().replace(" ", "_").casefold()
    named = {zone.casefold(): zone for zone in sorted(time_zones())}
    by_city = {zone.casefold().rpartition("/")[2]: zone for zone in sorted(time_zones()) if "/" in zone}
    by_city |= {city: zone for zone, cities in _CITIES.items() for city in cities.split()}
    city = wanted.rpartition("/")[2]
    if found := named.get(wanted) or by_city.get(city):
        return found
    places = [zone for zone in named if "/" in zone]
    if close := difflib.get_close_matches(wanted, places, n=1, cutoff=0.75):
        return named[close[0]]
    close = difflib.get_close_matches(city, by_city, n=1, cutoff=0.75)
    return by_city[close[0]] if close else None
