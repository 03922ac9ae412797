"""The icons of the pages: those that are used, out of Bootstrap Icons, as one picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

USED: Final = frozenset((Path(__file__).parent / "static" / "icons.txt").read_text(encoding="utf-8").split())
"""The names of Bootstrap Icons that templates may use."""

_VIEW: Final = re.compile(r'viewBox="([^"]+)"')
_SHAPES: Final = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


def sprite(icons: Path) -> bytes:
    """All used icons as symbols of one SVG, by their names; `icons` is the package's folder of SVG files."""
    symbols = []
    for name in sorted(USED):
        source = (icons / f"{name}.svg").read_text(encoding="utf-8")
        view, shapes = _VIEW.search(source), _SHAPES.search(source)
        if view is None or shapes is None:
            raise ValueError(f"{name}.svg is not drawn as Bootstrap Icons are")
        symbols.append(
            f'<symbol id="{name}" viewBox="{view[1]}">{"".join(shapes[1].split(chr(10)))}</symbol>'
        )
    picture = f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(symbols)}</svg>'
    return re.sub(r">\s+<", "><", picture).encode()
