"""What the `cxc` commands do, one module a command group; `ops.cli` says how they are called."""

from __future__ import annotations


class CommandFailed(Exception):
    """A command could not do its work: one sentence that says what to do. The exit code is 1."""
