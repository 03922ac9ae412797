"""`cxc notifications`: what is told to whom, and what goes out; asked of the notifications API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import typer

from ops.commands import CommandFailed
from ops.commands.given import content_of
from ops.commands.shown import printable, show_table
from ops.commands.token import issuer_of
from ops.issuer import issue_token
from ops.platform import running

_WITHIN_S: Final = 30.0
_CAME_OF_IT: Final = {
    "suppressed": "Nothing more is sent to its address; staff were told.",
    "noted": "It is noted that the mail did not arrive; the next one may.",
    "unsubscribed": "Its reader gets no more mails of this kind.",
    "ignored": "It reports nothing about a mail that is on file.",
}


def ask(
    method: str, path: str, *, state: Path, api: str | None, token: str | None, **request: Any
) -> dict[str, Any]:
    """What the API answers to the support office, or to the token that was given.

    The API is the one of the platform that runs on `state` where none is named. Raises CommandFailed when
    there is none, when it does not answer, and in its own words when it refuses.
    """
    if api is None:
        run = running(state)
        if run is None:
            raise CommandFailed(
                f"No platform runs on {state.resolve()}: start one with 'cxc up', or name the notifications "
                "API of another one with --api https://… and a token of its support office with --token."
            )
        api = run["urls"]["notifications-api"]
        key, issuer = issuer_of(state)
        token = token or issue_token(key, issuer=issuer, role="support_office", subject="cxc")
    if token is None:
        raise CommandFailed("Give a token of that platform's support office, with --token or in CXC_TOKEN.")
    headers = {"Authorization": f"Bearer {token}", **request.pop("headers", {})}
    try:
        with httpx.Client(base_url=api.rstrip("/"), headers=headers, timeout=_WITHIN_S) as client:
            answer = client.request(method, path, **request)
            found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise CommandFailed(f"The notifications API does not answer: {error}.") from error
    if not answer.is_success:
        raise CommandFailed(printable(str(found.get("detail", f"HTTP status {answer.status_code}"))))
    return found


def switch(
    held: bool, channels: Sequence[str], reason: str, *, state: Path, api: str | None, token: str | None
) -> None:
    """Hold what goes out through these channels, or all, or let it go; and show how things stand then."""
    wanted = {"held": held, "reason": reason, **({"channels": list(channels)} if channels else {})}
    _show(ask("PUT", "/outgoing", state=state, api=api, token=token, json=wanted))


def status(*, state: Path, api: str | None, token: str | None, as_json: bool) -> None:
    """Show what is held, by whom and why, and what waits."""
    outgoing = ask("GET", "/outgoing", state=state, api=api, token=token)
    if as_json:
        typer.echo(json.dumps(outgoing, indent=2))
    else:
        _show(outgoing)


def bounces(file: str, *, state: Path, api: str | None, token: str | None) -> None:
    """Hand over one mail that came back, and say what came of it."""
    content = content_of(file)
    headers = {"Content-Type": "message/rfc822"}
    answer = ask("POST", "/bounces", state=state, api=api, token=token, content=content, headers=headers)
    typer.echo(_CAME_OF_IT.get(answer["outcome"], answer["outcome"]))


def _show(outgoing: dict[str, Any]) -> None:
    show_table(
        "What goes out",
        ["channel", "", "since", "by", "why", "#waiting", "oldest"],
        [
            [
                one["channel"],
                "held" if one["held"] else "open",
                *(printable(one[name] or "") for name in ("since", "by", "reason")),
                "" if one["waiting"] is None else f"{one['waiting']:,}",
                one["oldest"] or "",
            ]
            for one in outgoing["channels"]
        ],
    )
