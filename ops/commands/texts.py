"""`cxc notifications texts`: partnerships' own texts, tried before they are used."""

from __future__ import annotations

from pathlib import Path

import typer

from ops.commands import CommandFailed
from ops.commands.rules import partnerships_in_use
from services.notifications.bootstrap import desks_of, load_deadlines, load_rules
from services.notifications.examples import examples
from services.notifications.overrides import Overrides
from services.notifications.texts import names_in


def check(folder: Path, *, partnerships: Path | None) -> bool:
    """Print what is wrong with the texts of a folder; whether nothing is."""
    desks = desks_of(partnerships_in_use(partnerships))
    tries = list(examples(load_rules(), load_deadlines()))
    try:
        read = Overrides.read(folder, desks, names_in(), tries)
    except OSError as error:
        raise CommandFailed(f"{folder} cannot be read: {error.strerror}.") from error
    for problem in read.problems:
        typer.echo(str(problem))
    count = len(read)
    if read.problems:
        typer.echo(f"{len(read.problems)} to mend, {count} sound; the shipped texts stand in for the others.")
    else:
        typer.echo(f"{count} {'text is' if count == 1 else 'texts are'} sound.")
    return not read.problems
