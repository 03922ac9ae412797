"""Follows the numbered feed over HTTP; may be killed at any moment and started again. Needs Python alone.

    TOKEN=… python follow_feed.py                 store every change in changes.jsonl until Ctrl-C
    TOKEN=… python follow_feed.py --until 100     end once number 100 is stored

Settings by environment: API (the registration API's address), TOKEN or TOKEN_FILE (read anew for every
request, so that whoever renews the token only has to write it there).

- Every change is one line: `{"feed": …, "number": …, "event": …}`. The number is stored with the event, in
  the same line, so there is no moment at which the two disagree. A system with a database stores both in
  one transaction.
- A line torn by a crash is cut off, and its number asked for again.
- Numbers are 1, 2, 3 … If one is missing or comes twice, in the file or in an answer, it stops and says
  so: that cannot happen, and must not be passed over when it does.
- While the server is away it tries again, with growing pauses. What asking again cannot mend (the token, the
  numbers of another feed) ends it, with the server's words.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

WAIT_S = 25
LONGEST_PAUSE_S = 15.0


class Changes:
    """The changes received so far, on disk, numbered from 1 without a hole."""

    def __init__(self, path: Path) -> None:
        self.feed: str | None = None
        self.last = 0
        self._file = path.open("a+b")
        self._file.seek(0)
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break  # torn by a crash: its number was not stored, and is asked for again
            change = json.loads(line)
            self._note(change["feed"], change["number"])
            whole += len(line)
        self._file.truncate(whole)

    def add(self, feed: str, items: list[dict[str, Any]]) -> None:
        """Store what follows; it is on disk when this returns."""
        lines = []
        for item in items:
            self._note(feed, item["number"])
            lines.append(json.dumps({"feed": feed, **item}, separators=(",", ":")).encode() + b"\n")
        self._file.write(b"".join(lines))
        self._file.flush()
        os.fsync(self._file.fileno())

    def _note(self, feed: str, number: int) -> None:
        if self.feed not in (None, feed):
            sys.exit(f"These are the numbers of feed {self.feed}, and {number} is one of feed {feed}.")
        if number != self.last + 1:
            sys.exit(f"After number {self.last} comes {number}: something is missing, or comes twice.")
        self.feed, self.last = feed, number


def token() -> str:
    """The bearer token, as it is now."""
    file = os.environ.get("TOKEN_FILE")
    return Path(file).read_text().strip() if file else os.environ["TOKEN"]


def ask(api: str, after: int) -> dict[str, Any] | None:
    """What follows a number, or None where asking again later may help; ends the program where it won't."""
    query = urllib.parse.urlencode({"after": after, "limit": 1000, "wait": WAIT_S})
    request = urllib.request.Request(f"{api}/feed?{query}", headers={"Authorization": f"Bearer {token()}"})
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S + 15) as answer:
            page: dict[str, Any] = json.load(answer)
            return page
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")
        if error.code < 500 and error.code != 429:
            with contextlib.suppress(ValueError, KeyError):
                said = json.loads(said)["detail"]
            sys.exit(f"{error.code}: {said}")
        print(f"the server answers {error.code}", file=sys.stderr)
    except (OSError, http.client.HTTPException, ValueError) as error:
        # Refused, broken off, timed out, or half an answer.
        print(f"the server is away: {error}", file=sys.stderr)
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description="Follow the numbered feed.")
    parser.add_argument("--api", default=os.environ.get("API", "http://127.0.0.1:8001"))
    parser.add_argument("--file", type=Path, default=Path("changes.jsonl"))
    parser.add_argument("--until", type=int, help="end once this number is stored")
    given = parser.parse_args()

    changes = Changes(given.file)
    pause = 0.2
    while given.until is None or changes.last < given.until:
        page = ask(given.api, changes.last)
        if page is None:
            time.sleep(random.uniform(0.5, 1) * pause)
            pause = min(LONGEST_PAUSE_S, pause * 2)
            continue
        pause = 0.2
        changes.add(page["feed"], page["items"])
        for item in page["items"]:
            print(item["number"], item["event"]["type"], item["event"]["subject"], flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
