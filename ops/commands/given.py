"""JSON that a command is given, as a file or on standard input, and what is wrong with it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ops.commands import CommandFailed
from shared.errors import Malformed, TooLarge
from shared.problems import field_problems, in_words


def content_of(file: str, *, at_most: int | None = None) -> bytes:
    """The bytes of a file, `-` being standard input.

    Raises `CommandFailed` when it cannot be read, and `TooLarge` beyond `at_most` bytes.
    """
    limit = -1 if at_most is None else at_most + 1
    try:
        if file == "-":
            content = sys.stdin.buffer.read(limit)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(limit)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from error
    if at_most is not None and len(content) > at_most:
        raise TooLarge(f"it is longer than {at_most:,} bytes; give one JSON object")
    return content


def json_in(content: bytes, asked: str) -> Any:
    """The document in the content; raises `Malformed` saying what to do, where there is none.

    asked: what should have been given, such as `a registration`.
    """
    if not content.strip():
        raise _unreadable(f"there is nothing in it; give {asked} as JSON")
    try:
        document = json.loads(content)
        # JSON can spell half a character, which no text in UTF-8 can hold.
        json.dumps(document, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        why = f"it is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise _unreadable(why) from error
    except UnicodeEncodeError as error:
        raise _unreadable("it holds half of a character: a surrogate without its other half") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise _unreadable("it is not JSON in UTF-8, or it is nested too deeply") from error
    except ValueError as error:
        raise _unreadable("it holds a number of too many digits") from error
    return document


def malformed(error: ValidationError, inside: Sequence[str] = ()) -> Malformed:
    """What is wrong in the document, or in the part of it that lies `inside`, with a pointer to each."""
    problems = field_problems(
        {**problem, "loc": (*inside, *problem["loc"])}
        for problem in error.errors(include_url=False, include_input=False)
    )
    return Malformed(in_words(problems, 5), errors=[problem.model_dump() for problem in problems])


def as_json(answer: dict[str, Any]) -> bytes:
    """The answer as a command prints it."""
    return json.dumps(answer, ensure_ascii=False, indent=2).encode()


def from_settings(name: str) -> Path | None:
    """A path from the environment or, as the services read it, from `.env`."""
    value = os.environ.get(name)
    if value is None and Path(".env").is_file():
        from dotenv import dotenv_values

        value = dotenv_values(".env").get(name)
    return Path(value) if value else None


def _unreadable(why: str) -> Malformed:
    return Malformed(why, errors=[{"pointer": "", "detail": why}])
