"""Golden examples: CloudEvents as they stand on the wire, one file a type and version, kept for ever.

A file is named by its wire type; further cases of a type follow two hyphens:
`cxc.registration.refused.v1--unreadable.json`. A file listed in SHA256SUMS never changes: there are
messages like it in topics and archives. What changes a message's shape comes with a new file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
CHECKSUMS: Final = FOLDER / "SHA256SUMS"


def golden_examples() -> dict[str, dict[str, Any]]:
    """Every golden example by its file's name without `.json`, a type's plain case first."""
    return {path.stem: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"), key=_order)}


def example(wire_type: str) -> dict[str, Any]:
    """The plain case of a wire type; raises `KeyError` when there is none."""
    return golden_examples()[wire_type]


def _order(path: Path) -> tuple[str, str]:
    wire_type, _, case = path.stem.partition("--")
    return wire_type, case
