"""`cxc console rebuild`: the console's read model, built anew from the events alone."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import typer
from pydantic import SecretStr

from ops.commands import CommandFailed
from ops.commands.cluster import mongo_at, mongo_url
from ops.commands.shown import printable
from ops.commands.token import issuer_of
from ops.issuer import issue_token
from ops.platform import running
from services.console.rebuilding import Difference, Rebuild
from services.console.settings import ConsoleSettings

_DATABASE: Final = f"cxc_{ConsoleSettings.service}"
_AT_ONCE: Final = 500
_SHOWN: Final = 20
_PATIENCE_S: Final = 60.0
"""How long the feed may take to tell what the worker has folded already."""
_WITHIN_S: Final = 60.0


class Feed:
    """The feed of all events, from the first on."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.after = 0
        """The number of the last event read."""

    async def new(self) -> AsyncIterator[list[dict[str, Any]]]:
        """What has not been read yet, some at a time, up to its present end."""
        while True:
            page = await self._page()
            if not page["items"]:
                return
            self.after = page["next"]
            yield [item["event"] for item in page["items"]]

    async def _page(self) -> dict[str, Any]:
        try:
            answer = await self._client.get("/feed", params={"after": self.after, "limit": _AT_ONCE})
            page: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise CommandFailed(f"The feed cannot be read: {error!r}.") from error
        if not answer.is_success:
            raise CommandFailed(
                printable(f"The feed cannot be read: {page.get('detail', answer.status_code)}")
            )
        if page["scope"] != "all":
            raise CommandFailed(
                "With this token only a part of the events can be read: give one of the support office or of "
                "an auditor."
            )
        return page


def rebuild(state: Path, *, check: bool, url: str | None, token: str | None) -> bool:
    """Build it anew and put it in place, or only `check` that it would be the same; whether it is."""
    return asyncio.run(_rebuild(mongo_url(state), _api(state, url, token), check=check))


async def _rebuild(url: SecretStr, api: httpx.AsyncClient, *, check: bool) -> bool:
    async with mongo_at(url) as client, api:
        feed = Feed(api)
        work = Rebuild(client, client[_DATABASE])
        await work.begin()
        started = time.monotonic()
        await _read_on(work, feed)
        took = time.monotonic() - started
        typer.echo(f"{work.tally.events:,} events in {took:.1f} s, {work.tally.events / took:,.0f} a second.")
        if work.tally.gaps:
            typer.echo(f"The feed has {work.tally.gaps} gaps: what was lost there nobody can tell again.")
        if work.tally.unreadable:
            typer.echo(f"This version cannot read {len(work.tally.unreadable)} of them.")
        if check:
            try:
                return await _compare(work, feed)
            finally:
                await work.drop()
        await _catch_up(work, feed)
        await work.put_in_place()
        await _catch_up(work, feed)
    typer.echo("The read model is built anew and in use.")
    return True


async def _read_on(work: Rebuild, feed: Feed) -> None:
    async for events in feed.new():
        await work.fold(events)


async def _catch_up(work: Rebuild, feed: Feed) -> None:
    """Read on until all is there that the worker has folded."""
    until = time.monotonic() + _PATIENCE_S
    while missing := await work.missing():
        if time.monotonic() > until:
            raise CommandFailed(
                f"The feed does not tell {len(missing)} events that the console's worker has folded, such as "
                f"{min(missing)}: see that the registration service's worker builds it ('cxc status'), and "
                "begin anew."
            )
        await _read_on(work, feed)
        await asyncio.sleep(0.2)


async def _compare(work: Rebuild, feed: Feed) -> bool:
    """Say where they differ; what changes meanwhile is read, and looked at again."""
    for pause in (0.5, 2.0, 5.0, 0.0):
        await _catch_up(work, feed)
        found = [difference async for difference in work.differences()]
        if not found or not pause:
            break
        await asyncio.sleep(pause)
    for difference in found[:_SHOWN]:
        typer.echo(_in_words(difference))
    if len(found) > _SHOWN:
        typer.echo(f"… and {len(found) - _SHOWN:,} more.")
    typer.echo("They differ." if found else "The read model in use is what the events say.")
    return not found


def _in_words(difference: Difference) -> str:
    where = f"{difference.collection} {difference.id}"
    if difference.missing:
        return f"{where}: not {difference.missing}"
    return f"{where}: {', '.join(difference.fields)} differ"


def _api(state: Path, url: str | None, token: str | None) -> httpx.AsyncClient:
    """The registration service's API: the one that was named, or the local platform's."""
    run = running(state)
    url = url or (run["urls"]["registration-api"] if run else os.environ.get("CXC_REGISTRATION_URL"))
    if url is None:
        raise CommandFailed(
            f"No platform runs on {state.resolve()}: name the registration service's API with --api, and "
            "give a token with --token."
        )
    if token is None:
        key, issuer = issuer_of(state)
        token = issue_token(key, issuer=issuer, role="support_office", subject="cxc console rebuild")
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=_WITHIN_S)
