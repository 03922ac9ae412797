"""`cxc feed`: what operators do to the numbered feed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from ops.commands import CommandFailed
from ops.commands.cluster import Cluster
from services.registration.feed.pages import rename_feed
from services.registration.settings import RegistrationSettings


def rename(state: Path) -> None:
    """Give the feed a new name, so that its readers notice and begin anew."""
    before, after = asyncio.run(_rename(Cluster.find(state)))
    typer.echo(f"The feed was {before} and is {after} now: its readers begin anew, at number 1.")


async def _rename(cluster: Cluster) -> tuple[str, str]:
    async with cluster.mongo() as client:
        renamed = await rename_feed(client[f"cxc_{RegistrationSettings.service}"])
    if renamed is None:
        raise CommandFailed("There is no feed yet: the registration service makes it when it first starts.")
    return renamed
