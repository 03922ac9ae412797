"""`cxc token`: a token of the embedded issuer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import typer

from ops.commands import CommandFailed
from ops.issuer import Role, issue_token
from ops.platform import running


def token(
    state: Path,
    role: str,
    *,
    partnership: str | None,
    organisation: str | None,
    subject: str | None,
    hours: float,
) -> None:
    """Print a token for the role, and nothing else."""
    known: dict[str, Role] = {name: name for name in get_args(Role)}
    chosen = known.get(role.replace("-", "_"))
    if chosen is None:
        raise typer.BadParameter(f"ROLE is one of {', '.join(known)}.")
    if chosen == "staff" and partnership is None:
        raise typer.BadParameter("staff work for a partnership: name it with --partnership.")
    if chosen == "participant" and organisation is None:
        raise typer.BadParameter(
            "a participant acts for an organisation: give the owner of its cases, as the API shows it, "
            "with --organisation."
        )
    key, issuer = issuer_of(state)
    typer.echo(
        issue_token(
            key,
            issuer=issuer,
            role=chosen,
            partnership=partnership,
            organisation=organisation,
            subject=subject,
            lifetime_s=int(hours * 3600),
        )
    )


def issuer_of(state: Path) -> tuple[Path, str]:
    """The issuer's key and name: beside the issuer in its container, those it was started with."""
    if "CXC_ISSUER_KEY" in os.environ and "CXC_ISSUER" in os.environ:
        return Path(os.environ["CXC_ISSUER_KEY"]), os.environ["CXC_ISSUER"]
    run = running(state)
    if run is None or run["issuer_key"] is None:
        raise CommandFailed(
            f"No embedded platform with an issuer runs on {state.resolve()}: start one with 'cxc up'; of any "
            "other platform, ask its OpenID Connect provider for a token."
        )
    return Path(run["issuer_key"]), run["urls"]["issuer"]
