"""`cxc lump-sum preview`: what would be paid for one stay, and why, without a running platform."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import typer
from pydantic import ValidationError

from ops.commands import CommandFailed
from ops.commands.given import as_json, content_of, from_settings, json_in, malformed
from services.funding.domain.lump_sum import Policies, lump_sum
from services.funding.domain.places import Gazetteer
from services.funding.domain.stay import Stay
from services.funding.rules_on_file import SHIPPED, policies_in
from shared.errors import CxcError

_AT_MOST: Final = 1_000_000


def preview(file: str, *, rules: Path | None) -> bool:
    """Print the lump sum as JSON; or, and then return False, what is wrong with the stay."""
    policies = policies_in_use(rules)
    try:
        answer = previewed(content_of(file, at_most=_AT_MOST), policies)
    except CxcError as refused:
        typer.echo(as_json(refused.problem()))
        return False
    typer.echo(as_json(answer))
    return True


def previewed(content: bytes, policies: Policies) -> dict[str, Any]:
    """The lump sum of a stay, JSON as `POST /lump-sums/preview` takes it.

    Raises `Malformed` and `AgreedAmountOverRate`, as the API answers.
    """
    try:
        stay = Stay.model_validate(json_in(content, "a stay"))
    except ValidationError as error:
        raise malformed(error) from error
    # The places of two countries are read in a tenth of the time that all of them take.
    asked = {stay.host_country, stay.visitor_country, stay.host_place.country, stay.visitor_place.country}
    known = policies.scheme.countries | policies.rates.countries
    policies = replace(policies, places=Gazetteer(known & asked))
    return lump_sum(stay, policies).model_dump(mode="json")


def policies_in_use(given: Path | None) -> Policies:
    """The rules and rates of the directory given, else of CXC_FUNDING_RULES, else the shipped ones."""
    try:
        return policies_in(given or from_settings("CXC_FUNDING_RULES") or SHIPPED)
    except OSError as error:
        raise CommandFailed(f"{error.filename} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CommandFailed(str(error)) from error
