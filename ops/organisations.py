"""Registrations out of a CSV file of real organisations, dirt and all (columns: ops/sample/README.md).

A row becomes what its cells say, trimmed at both ends and nothing else: whether that is a registration is for
the platform to answer, in words for whoever keeps the file. What such a file cannot say (role, goal,
dates, contact) follows from the row's number and kind.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

from shared.contracts.vocabulary import Ecosystem, Goal, OrganisationKind, Role

#: How exporters call a column that is known here by another name; compared without case, `_` and blanks.
ALIASES: Final = {
    "pic": "id",
    "organisationid": "id",
    "vatnumber": "vat",
    "organizationurl": "website",
    "url": "website",
}

#: The least a file must have to be one of organisations.
NEEDED: Final = ("name", "country", "city")

#: Sectors of the EU's research programmes and of the hubs' catalogue, as ecosystems. Those that belong to
#: none of the fourteen (environment, SME innovation, nuclear, education, finance …) are left out on purpose.
ECOSYSTEMS: Final[dict[str, Ecosystem]] = {
    # research programmes
    "aerospace": Ecosystem.AEROSPACE_DEFENCE,
    "agrifood-bioeconomy": Ecosystem.AGROFOOD,
    "construction": Ecosystem.CONSTRUCTION,
    "digital": Ecosystem.DIGITAL,
    "electronics": Ecosystem.ELECTRONICS,
    "energy": Ecosystem.ENERGY_RENEWABLES,
    "health": Ecosystem.HEALTH,
    "manufacturing-materials": Ecosystem.ENERGY_INTENSIVE,
    "mobility": Ecosystem.MOBILITY,
    # the ecosystem's full name is "proximity, social economy and civil security"
    "security": Ecosystem.PROXIMITY,
    "society-creative": Ecosystem.CULTURAL_CREATIVE,
    "space": Ecosystem.AEROSPACE_DEFENCE,
    # hubs' catalogue
    "aeronautics": Ecosystem.AEROSPACE_DEFENCE,
    "agricultural biotechnology and food biotechnology": Ecosystem.AGROFOOD,
    "automotive": Ecosystem.MOBILITY,
    "community-led local development": Ecosystem.PROXIMITY,
    "construction & assembly": Ecosystem.CONSTRUCTION,
    "cultural and creative economy": Ecosystem.CULTURAL_CREATIVE,
    "defence": Ecosystem.AEROSPACE_DEFENCE,
    "fishery": Ecosystem.AGROFOOD,
    "food and beverages": Ecosystem.AGROFOOD,
    "health care": Ecosystem.HEALTH,
    "leather": Ecosystem.TEXTILE,
    "life sciences": Ecosystem.HEALTH,
    "maritime": Ecosystem.MOBILITY,
    "metal working and industrial production": Ecosystem.ENERGY_INTENSIVE,
    "mining and extraction": Ecosystem.ENERGY_INTENSIVE,
    "nmp non-metallic materials & basic processes": Ecosystem.ENERGY_INTENSIVE,
    "paper and wood": Ecosystem.ENERGY_INTENSIVE,
    "personal services": Ecosystem.PROXIMITY,
    "polymers and plastics": Ecosystem.ENERGY_INTENSIVE,
    "retail|wholesale or distribution": Ecosystem.RETAIL,
    "telecommunications": Ecosystem.DIGITAL,
    "textiles": Ecosystem.TEXTILE,
    "transport & mobility": Ecosystem.MOBILITY,
    "transport sector": Ecosystem.MOBILITY,
    "travel and tourism": Ecosystem.TOURISM,
}

#: A hub rates what it is active in from 1 to 5; from here on it is taken to work there.
LEAST_RATING: Final = 4
#: As many offers as a registration holds.
MOST_OFFERS: Final = 20

KINDS_BY_ACTIVITY: Final = {
    "HES": OrganisationKind.RESEARCH_INSTITUTE,
    "REC": OrganisationKind.RESEARCH_INSTITUTE,
    "PUB": OrganisationKind.PUBLIC_AUTHORITY,
    "OTH": OrganisationKind.OTHER,
    "": OrganisationKind.OTHER,
}
KINDS_BY_SME: Final = {
    "y": OrganisationKind.SME,
    "yes": OrganisationKind.SME,
    "true": OrganisationKind.SME,
    "n": OrganisationKind.LARGE_COMPANY,
    "no": OrganisationKind.LARGE_COMPANY,
    "false": OrganisationKind.LARGE_COMPANY,
    # a company of unknown size: the rules differ, so staff have to look
    "": OrganisationKind.OTHER,
}
HUB_KINDS: Final = frozenset({"dih", "edih", "seal of excellence"})

AS_THEY_STAND: Final = ("country", "city", "postcode", "street", "vat", "website")

#: The scheme lets these host only.
HOSTS_ONLY: Final = frozenset(
    {OrganisationKind.LARGE_COMPANY, OrganisationKind.PUBLIC_AUTHORITY, OrganisationKind.TRAINING_PROVIDER}
)
GOALS: Final[dict[str, Goal]] = {
    OrganisationKind.SME: Goal.EXPLORE_MARKET,
    OrganisationKind.LARGE_COMPANY: Goal.EXPLORE_MARKET,
    OrganisationKind.RESEARCH_INSTITUTE: Goal.ADOPT_TECHNOLOGY,
    OrganisationKind.INNOVATION_HUB: Goal.ADOPT_TECHNOLOGY,
}

SPANS: Final = 6
_SPAN: Final = timedelta(days=90)
_SPAN_STEP: Final = timedelta(days=14)

_RATED: Final = re.compile(r"\s*(.+?)\s*-\s*([1-5])\s*(?:\||$)")
_DECIMAL: Final = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?\Z")
_LIST: Final = re.compile(r"[|;]")
_FIT_FOR_A_DOMAIN: Final = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\Z")


class UnreadableFile(ValueError):
    """The file is no CSV file of organisations; the text says what is missing or where reading stopped."""


@dataclass(frozen=True)
class Row:
    """A row of the file as the submission it makes, valid or not.

    `number` counts the rows below the header from 1. `reference` is the file's own id of the organisation,
    so the rows of an organisation that stands in the file twice have the same one.
    """

    number: int
    reference: str
    data: dict[str, Any]


def registrations_from_csv(
    path: Path, *, start: date, assume_ecosystem: Ecosystem | None = None
) -> Iterator[Row]:
    """Read the file row by row; stays lie after `start`.

    `assume_ecosystem` is what rows get whose sectors name none; without it they go without.
    Raises `UnreadableFile` where there is no header with the needed columns, or quotes that never close.
    """
    with path.open("rb") as file, _as_unreadable(path):
        lines = _lines(file)
        header = next(lines, "")
        reader = csv.reader(lines, delimiter=_delimiter(header))
        columns = [_column(cell) for cell in next(csv.reader([header], delimiter=_delimiter(header)), [])]
        missing = [column for column in NEEDED if column not in columns]
        if missing:
            raise UnreadableFile(
                f"{path.name} has no column {', '.join(missing)}; its first line is: {header[:200].strip()}"
            )
        number = 0
        for cells in reader:
            if any(cell.strip() for cell in cells):
                number += 1
                yield _row(number, columns, cells, start, assume_ecosystem)


@contextmanager
def _as_unreadable(path: Path) -> Iterator[None]:
    try:
        yield
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{path.name} cannot be read on: {error}") from error


def _lines(file: BinaryIO) -> Iterator[str]:
    """The lines as text: UTF-16 by its mark, else UTF-8, and a line that is not UTF-8 as Windows-1252."""
    mark = file.read(len(codecs.BOM_UTF8))
    file.seek(len(mark) if mark == codecs.BOM_UTF8 else 0)
    if mark.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield from io.TextIOWrapper(file, "utf-16", newline="")
        return
    for line in file:
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            yield line.decode("cp1252", errors="replace")


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _column(cell: str) -> str:
    plain = re.sub(r"[\s_]", "", cell).lower()
    return ALIASES.get(plain, plain)


def _row(
    number: int, columns: list[str], cells: list[str], start: date, assume_ecosystem: Ecosystem | None
) -> Row:
    trimmed = [cell.strip() for cell in cells]
    # Of two columns for the same thing the first that says something counts.
    said: dict[str, str] = {}
    for column, cell in zip(columns, trimmed, strict=False):
        said[column] = said.get(column) or cell
    reference = said.get("id") or f"row-{number}"
    kind = _kind(said)
    sectors = _listed(said.get("sectors", ""))
    data: dict[str, Any] = {
        "organisation": _organisation(said, kind),
        "participant": {"email": f"office@org-{_domain_part(reference, number)}.example"},
        "roles": [Role.HOST if kind in HOSTS_ONLY or number % 2 == 0 else Role.VISITOR],
        "goals": [GOALS.get(kind, Goal.LEARN_FROM_CLUSTER)],
        "ecosystems": _ecosystems(sectors, kind, assume_ecosystem),
        "availability": [_availability(number, start)],
    }
    offers = _offers(said, sectors)
    if offers:
        data["offers"] = offers
    if said.get("description"):
        data["motivation"] = said["description"]
    surplus = [cell for cell in trimmed[len(columns) :] if cell]
    if surplus:
        # More cells than columns: something has shifted, and only the sender knows what. No registration has
        # such a field, so the platform refuses the row and shows them.
        data["surplus_cells"] = surplus
    return Row(number, reference[:200], data)


def _organisation(said: Mapping[str, str], kind: str) -> dict[str, Any]:
    place = {"lat": said.get("lat", ""), "lon": said.get("lon", "")}
    if said.get("geolocation"):
        place["lat"], _, place["lon"] = (part.strip() for part in said["geolocation"].partition(","))
    code = said.get("id", "")
    fields = {
        "name": said.get("title") or said["name"],
        "kind": kind,
        **{field: said.get(field, "") for field in AS_THEY_STAND},
        **place,
        "pic": code if code.isascii() and code.isdigit() else "",
    }
    return {field: _number(cell) if field in place else cell for field, cell in fields.items() if cell}


def _number(cell: str) -> float | str:
    return float(cell) if _DECIMAL.match(cell) else cell


def _kind(said: Mapping[str, str]) -> str:
    """The kind of organisation, or what stands in the file where that is no known code."""
    if said.get("kind"):
        return OrganisationKind.INNOVATION_HUB if said["kind"].lower() in HUB_KINDS else said["kind"]
    activity, sme = said.get("activitytype", ""), said.get("sme", "")
    if activity == "PRC":
        return KINDS_BY_SME.get(sme.lower(), f"PRC, SME: {sme}")
    return KINDS_BY_ACTIVITY.get(activity, activity)


def _listed(cell: str) -> list[tuple[str, int]]:
    """What a cell lists, with its rating from 1 to 5; things without one count as 5.

    Rated things may have `|` in their own names, so their rating ends them.
    """
    rated = _RATED.findall(cell)
    if rated:
        return [(name, int(rating)) for name, rating in rated]
    return [(name.strip(), 5) for name in _LIST.split(cell) if name.strip()]


def _ecosystems(sectors: list[tuple[str, int]], kind: str, otherwise: Ecosystem | None) -> list[Ecosystem]:
    """Known ecosystems in the order of the cell; a digital innovation hub is in `digital` by its kind."""
    found = [Ecosystem.DIGITAL] if kind == OrganisationKind.INNOVATION_HUB else []
    for name, rating in sectors:
        ecosystem = ECOSYSTEMS.get(name.lower())
        if ecosystem is not None and rating >= LEAST_RATING:
            found.append(ecosystem)
    if not found and otherwise is not None:
        found.append(otherwise)
    return list(dict.fromkeys(found))


def _offers(said: Mapping[str, str], sectors: list[tuple[str, int]]) -> list[str]:
    services = [*_listed(said.get("services", "")), *_listed(said.get("technologies", ""))]
    best_first = sorted(services or sectors, key=lambda offer: -offer[1])
    return list(dict.fromkeys(name.lower() for name, _ in best_first))[:MOST_OFFERS]


def _availability(number: int, start: date) -> dict[str, str]:
    # Neighbours of a pair get the same span, so that visitors and hosts meet in each.
    first = start + (number // 2 % SPANS) * _SPAN_STEP
    return {"first_day": first.isoformat(), "last_day": (first + _SPAN).isoformat()}


def _domain_part(reference: str, number: int) -> str:
    fits = len(reference) < 50 and _FIT_FOR_A_DOMAIN.match(reference)
    return reference.lower() if fits else f"row-{number}"
