"""`cxc group-events plan`: plans the group events of a file through the matching API, as staff would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import typer
import yaml

from ops.commands import CommandFailed
from ops.commands.shown import printable
from ops.commands.token import issuer_of
from ops.issuer import issue_token
from ops.platform import running

SAMPLE_EVENTS: Final = Path(__file__).parents[1] / "sample" / "group-events.yaml"
"""The two group events HempClub has held."""
_WITHIN_S: Final = 30.0


class GroupEvents(NamedTuple):
    """What a file holds: whose group events they are, and each as `POST /group-events` takes it."""

    partnership: str
    bodies: list[dict[str, Any]]


def group_events_in(file: Path) -> GroupEvents:
    """Read the YAML file; raises CommandFailed with what is wrong with it. The API judges the rest."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        partnership, bodies = content["partnership"], content["group_events"]
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise CommandFailed(
            f"{file} is no file of group events, with `partnership` and `group_events`: {error}"
        ) from error
    if not (isinstance(bodies, list) and all(isinstance(body, dict) for body in bodies)):
        raise CommandFailed(f"{file}: `group_events` is to be a list of group events.")
    return GroupEvents(str(partnership), bodies)


def plan(
    file: Path, *, state: Path, host: str | None, open_them: bool, api: str | None, token: str | None
) -> bool:
    """Plan each of the file's group events, and open it if wanted; False when one was refused."""
    partnership, bodies = group_events_in(file)
    if api is None:
        run = running(state)
        if run is None:
            raise CommandFailed(
                f"No platform runs on {state.resolve()}: start one with 'cxc up', or name the matching API "
                "of another one with --api https://… and a token of its staff with --token."
            )
        api = run["urls"]["matching-api"]
        key, issuer = issuer_of(state)
        token = token or issue_token(key, issuer=issuer, role="staff", partnership=partnership)
    if token is None:
        raise CommandFailed("Give a token of staff of the partnership, with --token or in CXC_TOKEN.")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with httpx.Client(base_url=api.rstrip("/"), headers=headers, timeout=_WITHIN_S) as client:
        at_host = {"host_registration_id": host} if host else {}
        refused = [body for body in bodies if not _planned(client, {**body, **at_host}, open_them)]
    return not refused


def _planned(client: httpx.Client, body: dict[str, Any], open_it: bool) -> bool:
    title = body.get("title", "A group event")
    try:
        # YAML reads days as dates; JSON has them as text.
        answer = client.post("/group-events", content=json.dumps(body, default=str))
        if answer.is_success and open_it:
            answer = client.post(f"/group-events/{answer.json()['id']}/open")
        found = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise CommandFailed(f"The matching API does not answer: {error}.") from error
    if answer.is_success:
        typer.echo(printable(f"{title}: {found['state']}, as group event {found['id']}"))
    else:
        typer.echo(printable(f"{title}: {found.get('detail')}"), err=True)
        for wrong in found.get("errors", []):
            typer.echo(printable(f"  {wrong['pointer']}: {wrong['detail']}"), err=True)
    return answer.is_success
