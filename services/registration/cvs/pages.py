"""Opens a PDF that somebody sent, whatever it holds: its number of pages, or a sentence why not.

Run as a program it is the child process in which the API opens such files (`count_pages`), so that a
hostile one costs that process its life and nobody else anything. It reads the file from standard
input and says on standard output what it found.
"""

from __future__ import annotations

import io
import json
import logging
import resource
import sys
from typing import Final

MAX_PAGES: Final = 100


class NoPdf(Exception):
    """It cannot be taken for a CV; the text says why, and what to do."""


def require_beginning(content: bytes) -> None:
    """Raises `NoPdf` for what does not even begin like a PDF; safe to ask of anything."""
    if not content:
        raise NoPdf("The body is empty; send the file itself as the body of the request.")
    if not content.startswith(b"%PDF-"):
        raise NoPdf("The file is not a PDF, whatever its name says; save the CV as PDF and send that.")


def pages_of(content: bytes) -> int:
    """How many pages it has; raises `NoPdf`. For the child process alone."""
    from pypdf import PdfReader

    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted:
            raise NoPdf("The PDF is protected by a password or restricted; save it without protection.")
        pages = len(reader.pages)
    except NoPdf:
        raise
    except Exception as error:
        # A broken file breaks a reader in every way there is.
        raise NoPdf("The file begins like a PDF but cannot be opened; save it anew as PDF.") from error
    if pages == 0:
        raise NoPdf("The PDF has no pages.")
    if pages > MAX_PAGES:
        raise NoPdf(f"The PDF has {pages:,} pages; a CV may have {MAX_PAGES}.")
    return pages


def main() -> None:
    """Look at what is on standard input, within the megabytes and seconds given."""
    megabytes, seconds = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    logging.disable()  # what it finds odd in a file is nobody's concern
    try:
        answer: dict[str, object] = {"pages": pages_of(sys.stdin.buffer.read())}
    except NoPdf as error:
        answer = {"no_pdf": str(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
