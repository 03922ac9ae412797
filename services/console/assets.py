"""What pages load: own files and an allow-list of pinned packages, under addresses that name their content.

The packages come with `make setup` from npm, by the lock file; nothing is asked of another server.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from services.console.icons import sprite
from shared.errors import NotFound

OWN: Final = Path(__file__).parent / "static"
PACKAGES: Final = Path(__file__).parent / "node_modules"
PATH: Final = "/static"

LOADED: Final[dict[str, str]] = {
    "bootstrap.css": "bootstrap/dist/css/bootstrap.min.css",
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "chart.js": "chart.js/dist/chart.umd.min.js",
}
"""What is taken out of packages: the name pages know it by, and where it is."""

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}
_SOURCE_MAP: Final = re.compile(rb"(/\*|//)# sourceMappingURL=\S+( \*/)?\s*$")
_ADDRESS: Final = re.compile(PATH + r"/(.+)\.[0-9a-f]{12}\.([a-z]+)")
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class AssetsMissing(Exception):
    """What pages load is not installed."""


@dataclass(frozen=True)
class Asset:
    """One file that pages load."""

    name: str
    content: bytes
    kind: str
    """Its media type."""

    @property
    def digest(self) -> str:
        """What its address names of its content."""
        return hashlib.sha256(self.content).hexdigest()[:12]

    @property
    def address(self) -> str:
        """`/static/console.3f2a…c1.css`."""
        stem, dot, suffix = self.name.rpartition(".")
        return f"{PATH}/{stem}.{self.digest}{dot}{suffix}"


class Assets:
    """Everything that pages load, held ready, also compressed."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        found = [Asset(name, content, _TYPES[Path(name).suffix]) for name, content in contents.items()]
        self._addresses = {asset.name: asset.address for asset in found}
        self._held = {asset.address: (asset, gzip.compress(asset.content, 9, mtime=0)) for asset in found}

    @classmethod
    def load(cls) -> Assets:
        """Read them all; raises `AssetsMissing`, which says what to do."""
        try:
            contents = {
                name: _SOURCE_MAP.sub(b"", (PACKAGES / path).read_bytes()) for name, path in LOADED.items()
            }
            contents["icons.svg"] = sprite(PACKAGES / "bootstrap-icons" / "icons")
        except FileNotFoundError as missing:
            raise AssetsMissing(
                f"What the console's pages load is not installed ({missing.filename}): run 'make setup'."
            ) from missing
        for file in sorted(OWN.iterdir()):
            if file.suffix in _TYPES:
                contents[file.name] = file.read_bytes()
        return cls(contents)

    def address(self, name: str) -> str:
        """Where a page finds a file; raises KeyError for what is not on the list."""
        return self._addresses[name]

    def answer(self, path: str, *, compressed: bool) -> Response | None:
        """The file at an address, which never changes there; None where there is none.

        While the console is upgraded, pages of one version ask processes of the other: they get that file
        as this one has it, and do not keep it.
        """
        other = _ADDRESS.fullmatch(path)
        own = self._addresses.get(f"{other[1]}.{other[2]}") if other else None
        if own is None:
            return None
        asset, packed = self._held[own]
        kept = _FOR_EVER if path == own else "no-store"
        headers = {"Cache-Control": kept, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
        if compressed and len(packed) < len(asset.content):
            headers["Content-Encoding"] = "gzip"
            return Response(packed, media_type=asset.kind, headers=headers)
        return Response(asset.content, media_type=asset.kind, headers=headers)


router = APIRouter(include_in_schema=False)


@router.get(PATH + "/{name}")
async def static(request: Request, name: str) -> Response:
    assets: Assets = request.app.state.root.pages.assets
    compressed = "gzip" in request.headers.get("Accept-Encoding", "")
    answer = assets.answer(f"{PATH}/{name}", compressed=compressed)
    if answer is None:
        raise NotFound(f"There is no file '{name}' here.")
    return answer
