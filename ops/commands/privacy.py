"""`cxc privacy`: all that the five services hold about a registration, gathered; and its erasure."""

from __future__ import annotations

import html
import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import httpx
import typer

from ops.commands import CommandFailed
from ops.commands.shown import printable
from ops.commands.token import issuer_of
from ops.issuer import issue_token
from ops.platform import running
from shared.messaging.topics import SERVICES

_WITHIN_S: Final = 30.0
_STYLE: Final = "body{font:1rem/1.5 sans-serif;max-width:45rem;margin:2rem auto;padding:0 1rem}"


@dataclass(frozen=True)
class Apis:
    """All APIs, and a token for them: one that was given, or any of the embedded issuer."""

    urls: Mapping[str, str]
    token: str | None
    state: Path

    @classmethod
    def find(cls, state: Path, given: Sequence[str], token: str | None) -> Self:
        """Those that were named as `service=URL`, or the local platform's; raises CommandFailed."""
        if not given:
            run = running(state)
            if run is None:
                raise CommandFailed(
                    f"No platform runs on {state.resolve()}: start one with 'cxc up', or name the APIs of "
                    "another one with --api registration=https://… and so on, and a token with --token."
                )
            return cls({service: run["urls"][f"{service}-api"] for service in SERVICES}, token, state)
        urls = dict(one.partition("=")[::2] for one in given)
        if set(urls) != set(SERVICES) or not all(url.startswith("http") for url in urls.values()):
            raise CommandFailed(
                "Name every API: " + " ".join(f"--api {service}=https://…" for service in SERVICES)
            )
        if token is None:
            raise CommandFailed("Give a token of that platform's issuer, with --token or in CXC_TOKEN.")
        return cls({service: url.rstrip("/") for service, url in urls.items()}, token, state)

    def token_of(self, role: Any, **claims: Any) -> str:
        """The token that was given, or else one of the embedded issuer for this role."""
        if self.token is not None:
            return self.token
        key, issuer = issuer_of(self.state)
        return issue_token(key, issuer=issuer, role=role, **claims)

    @contextmanager
    def asking(self, token: str) -> Iterator[httpx.Client]:
        """A client that sends this token; an API that does not answer is a CommandFailed."""
        try:
            with httpx.Client(timeout=_WITHIN_S, headers={"Authorization": f"Bearer {token}"}) as client:
                yield client
        except httpx.HTTPError as error:
            raise CommandFailed(f"An API does not answer: {error}.") from error


def export(state: Path, id: str, *, output: Path | None, given: Sequence[str], token: str | None) -> None:
    """Write what is held about a registration to a directory or a zip file, with a readable index."""
    apis = Apis.find(state, given, token)
    target = output or Path(f"held-{quote(id, safe='')}.zip")
    if target.exists():
        raise CommandFailed(f"{target} is there already: name another place with --output.")
    with apis.asking(apis.token_of("support_office")) as client:
        held: dict[str, dict[str, Any] | None] = {
            service: _held(client, apis.urls[service], id) for service in SERVICES
        }
        if held["registration"] is None:
            raise CommandFailed(f"There is no registration {id}, or none that this token may see.")
        files = dict(_files(id, held))
        if "registration/CV.json" in files:
            cv = client.get(f"{apis.urls['registration']}/registrations/{quote(id, safe='')}/cv")
            if cv.is_success:
                files["registration/cv.pdf"] = cv.content
        for evidence in _documents(held["funding"], "evidence"):
            for file in evidence["files"]:
                path = f"/grants/{quote(evidence['grant_id'])}/evidence/{quote(file['id'])}"
                sent = client.get(apis.urls["funding"] + path)
                if sent.is_success:
                    files[f"funding/evidence-{file['id']}-{file['name']}"] = sent.content
    _write(target, files)
    documents = sum(len(kind["documents"]) for one in held.values() if one for kind in one["kinds"])
    typer.echo(f"{target}: {documents} documents of {sum(map(bool, held.values()))} services.")


def erase(state: Path, id: str, *, reason: str, given: Sequence[str], token: str | None) -> None:
    """Have a registration erased, as staff of its partnership, or as its organisation where it has none."""
    apis = Apis.find(state, given, token)
    url = f"{apis.urls['registration']}/registrations/{quote(id, safe='')}"
    with apis.asking(apis.token_of("support_office")) as client:
        party = _answered(client.get(url))["party"]
    if party["partnership"] is not None:
        allowed = apis.token_of("staff", partnership=party["partnership"], subject="cxc privacy erase")
    else:
        allowed = apis.token_of("participant", organisation=party["owner"], subject="cxc privacy erase")
    with apis.asking(allowed) as client:
        erased = _answered(client.post(f"{url}/erase", json={"reason": reason}))
    typer.echo(
        f"Registration {erased['id']} is {erased['state']} and erased; the other services follow within "
        "moments."
    )


def _held(client: httpx.Client, url: str, id: str) -> dict[str, Any] | None:
    answer = client.get(f"{url}/held/{quote(id, safe='')}")
    return None if answer.status_code == httpx.codes.NOT_FOUND else _answered(answer)


def _documents(held: Mapping[str, Any] | None, kind: str) -> Iterator[dict[str, Any]]:
    for one in held["kinds"] if held else ():
        if one["name"] == kind:
            yield from one["documents"]


def _answered(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        try:
            why = answer.json()["detail"]
        except (ValueError, KeyError, TypeError):
            why = f"HTTP status {answer.status_code}"
        raise CommandFailed(printable(f"{answer.request.url.host}: {why}"))
    found: dict[str, Any] = answer.json()
    return found


def _files(id: str, held: Mapping[str, dict[str, Any] | None]) -> Iterator[tuple[str, bytes]]:
    for service, one in held.items():
        for kind in one["kinds"] if one else ():
            if kind["documents"]:
                yield (
                    _name(service, kind),
                    json.dumps(kind["documents"], indent=2, ensure_ascii=False).encode(),
                )
    yield "index.html", _index(id, held).encode()


def _name(service: str, kind: Mapping[str, Any]) -> str:
    return f"{service}/{kind['name'].replace(' ', '-')}.json"


def _index(id: str, held: Mapping[str, dict[str, Any] | None]) -> str:
    said = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>What ClusterXchange holds about registration {html.escape(id)}</title>",
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>What ClusterXchange holds about registration {html.escape(id)}</h1>",
        f"<p>As of {datetime.now(UTC):%d %B %Y, %H:%M} UTC. Each of the five services holds what it needs "
        "and answered for itself.</p>",
    ]
    for service, one in held.items():
        said.append(f"<h2>The {service} service</h2>")
        if one is None:
            said.append("<p>It holds nothing.</p>")
            continue
        for kind in one["kinds"]:
            number = len(kind["documents"])
            name = html.escape(kind["name"].capitalize())
            where = f'<a href="{html.escape(_name(service, kind))}">{number}</a>' if number else "none"
            said.append(
                f"<h3>{name}: {where}</h3><p>{html.escape(kind['what'])}</p>"
                f"<p>How long: {html.escape(kind['kept'])}</p>"
            )
    return "\n".join([*said, "</body></html>", ""])


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    """For the eyes of whoever asked: nobody else of the machine may read it."""
    if target.suffix != ".zip":
        target.mkdir(mode=0o700, parents=True)
        for name, content in files.items():
            (target / name).parent.mkdir(exist_ok=True)
            (target / name).write_bytes(content)
        return
    opened = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
