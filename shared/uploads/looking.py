"""Opens a file that somebody sent, whatever it holds: says what it is, or in a sentence why it is not taken.

Run as a program it is the child process in which an API has such files opened (`shared.uploads.apart`), so
that a hostile one costs that process its life and nobody else anything. It reads the file from standard
input and says on standard output what it found.
"""

from __future__ import annotations

import io
import json
import logging
import re
import resource
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

MAX_PIXELS: Final = 50_000_000
"""Of a picture: more than a telephone's camera makes of a page, and 200 MB when it is unfolded."""


class MediaType(StrEnum):
    """What can be looked into."""

    PDF = "application/pdf"
    JPEG = "image/jpeg"
    PNG = "image/png"


_NAMES: Final = {MediaType.PDF: "PDF", MediaType.JPEG: "JPEG", MediaType.PNG: "PNG"}
_BEGINNINGS: Final = {
    MediaType.PDF: b"%PDF-",
    MediaType.JPEG: b"\xff\xd8\xff",
    MediaType.PNG: b"\x89PNG\r\n\x1a\n",
}
LONGEST_BEGINNING: Final = max(map(len, _BEGINNINGS.values()))

_END_OF_PNG: Final = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_END_OF_PDF: Final = b"%%EOF"
#: What another program would take a picture for; in a picture's own bytes none of it comes up by chance.
_SOMETHING_ELSE: Final = re.compile(
    rb"%PDF-[12]\.|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|<\?php\s|<!doctype\s|<(?:html|script|iframe)[\s>]",
    re.IGNORECASE,
)


class NotTaken(Exception):
    """It is not taken; the text says why, and what to do."""


@dataclass(frozen=True)
class Asked:
    """What a file may be."""

    what: str
    """What it is sent as, in a sentence: `a CV`."""
    types: Sequence[MediaType]
    max_pages: int
    one_thing_only: bool = False
    """Refuse what another program would take for something else, or what holds more behind its end."""


@dataclass(frozen=True)
class Found:
    """What a file is."""

    media_type: MediaType
    pages: int = field(default=1)
    """Of a PDF; a picture is one."""


def beginning(content: bytes, asked: Asked) -> MediaType:
    """What it begins like, of which only the first few bytes are needed; raises `NotTaken`."""
    if not content:
        raise NotTaken("The body is empty; send the file itself as the body of the request.")
    for media_type in asked.types:
        if content.startswith(_BEGINNINGS[media_type]):
            return media_type
    *others, last = (_NAMES[media_type] for media_type in asked.types)
    if not others:
        raise NotTaken(f"The file is not a {last}, whatever its name says; save it as {last} and send that.")
    raise NotTaken(
        f"The file is neither {', '.join(others)} nor {last}, whatever its name says; save it as one of "
        "them and send that."
    )


def look(content: bytes, asked: Asked) -> Found:
    """Opens it and reads all of it; raises `NotTaken`. For the child process alone."""
    media_type = beginning(content, asked)
    if asked.one_thing_only and zipfile.is_zipfile(io.BytesIO(content)):
        raise NotTaken(f"The file is an archive (ZIP) too; save {_NAMES[media_type]} and archive apart.")
    if media_type is MediaType.PDF:
        return Found(media_type, _pages(content, asked))
    _look_at_picture(content, media_type, asked)
    return Found(media_type)


def _pages(content: bytes, asked: Asked) -> int:
    from pypdf import PdfReader

    if asked.one_thing_only:
        _, end, behind = content.rpartition(_END_OF_PDF)
        if not end:
            raise NotTaken("The PDF breaks off before its end; send the whole file.")
        if behind.strip(b"\0 \t\r\n\f"):
            raise NotTaken("The PDF breaks off, or holds something else behind its end; save it anew as PDF.")
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted:
            raise NotTaken("The PDF is protected by a password or restricted; save it without protection.")
        pages = len(reader.pages)
    except (NotTaken, MemoryError):
        raise
    except Exception as error:
        # A broken file breaks a reader in every way there is.
        raise NotTaken("The file begins like a PDF but cannot be opened; save it anew as PDF.") from error
    if pages == 0:
        raise NotTaken("The PDF has no pages.")
    if pages > asked.max_pages:
        raise NotTaken(f"The PDF has {pages:,} pages; {asked.what} may have {asked.max_pages}.")
    return pages


def _look_at_picture(content: bytes, media_type: MediaType, asked: Asked) -> None:
    from PIL import Image

    name = _NAMES[media_type]
    if asked.one_thing_only and _SOMETHING_ELSE.search(content):
        raise NotTaken(f"The {name} holds something else than a picture, too; save the picture anew.")
    if media_type is MediaType.PNG and not content.rstrip(b"\0").endswith(_END_OF_PNG):
        raise NotTaken("The PNG breaks off, or holds something else behind its end; save it anew as PNG.")
    Image.MAX_IMAGE_PIXELS = None  # ours is lower, and says what to do
    try:
        with Image.open(io.BytesIO(content), formats=[name]) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise NotTaken(
                    f"The picture has {width:,} × {height:,} points; {asked.what} may have "
                    f"{MAX_PIXELS // 1_000_000} million. Save it smaller."
                )
            picture.verify()
        with Image.open(io.BytesIO(content), formats=[name]) as picture:
            picture.load()
    except (NotTaken, MemoryError):
        raise
    except Exception as error:
        raise NotTaken(
            f"The file begins like a {name} but cannot be opened to its end; send the whole file, or save it "
            "anew."
        ) from error


def main() -> None:
    """Look at what is on standard input, within the megabytes and seconds given."""
    megabytes, seconds = map(int, sys.argv[1:3])
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    logging.disable()  # what it finds odd in a file is nobody's concern
    given: dict[str, Any] = json.loads(sys.argv[3])
    asked = Asked(**{**given, "types": [MediaType(one) for one in given["types"]]})
    try:
        answer: dict[str, object] = asdict(look(sys.stdin.buffer.read(), asked))
    except NotTaken as error:
        answer = {"not_taken": str(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
