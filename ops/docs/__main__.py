"""`python -m ops.docs` writes the generated docs; `--check` says which of them are stale."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from ops.docs.asyncapi import asyncapi_yaml
from ops.docs.events_page import events_page
from ops.docs.texts_page import texts_page

ROOT: Final = Path(__file__).parents[2]


def generated() -> dict[Path, str]:
    """What each generated file has to contain, by its path in the repository."""
    return {
        Path("docs/asyncapi.yaml"): asyncapi_yaml(),
        Path("docs/events.md"): events_page(),
        Path("docs/texts.md"): texts_page(),
    }


def stale(root: Path = ROOT) -> list[Path]:
    """The generated files that are missing or differ from what the contracts say now."""
    return [path for path, text in generated().items() if _text(root / path) != text]


def write(root: Path = ROOT) -> list[Path]:
    """Write the generated files; returns those that changed."""
    changed = stale(root)
    for path, text in generated().items():
        if path in changed:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
    return changed


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ops.docs", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 when a file is stale"
    )
    if parser.parse_args(arguments).check:
        for path in (behind := stale()):
            print(f"{path} is not what the contracts say now; run 'make docs'.", file=sys.stderr)
        return 1 if behind else 0
    for path in write():
        print(f"{path} written")
    return 0


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
