"""Which chat rooms the partnerships have: a file of their own, as its addresses are secrets."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import yaml
from pydantic import Field, RootModel, SecretStr, ValidationError

from services.notifications.domain.recipients import partnership_key
from shared.problems import field_problems, in_words

Rooms = dict[str, SecretStr]
"""Apprise's URL of each room, by `<partnership>/<name>`: what the delivery log calls it."""

_CALL: Final = re.compile(r"(?<![\w.+-])@(?=\w)|<(?=[!@#\w])|\](?=\()")
_PART: Final = re.compile(r"[^/:?&=@#,]{5,}")


class _File(
    RootModel[dict[str, dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")], SecretStr]]]
):
    """Partnership → name of the room → URL."""


def read_rooms(path: Path, partnerships: Collection[str]) -> Rooms:
    """The rooms a YAML file names; raises ValueError with all that is wrong, and no secret."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        file = _File.model_validate(content or {})
    except ValidationError as error:
        problems = field_problems(error.errors(include_input=False))
        raise ValueError(f"{path}: {in_words(problems, 5)}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        # What PyYAML says quotes the line, and that may hold a token.
        raise ValueError(
            f"{path} cannot be read as YAML: partnership, then name of the room: Apprise URL"
        ) from None
    if unknown := sorted(file.root.keys() - set(partnerships)):
        raise ValueError(f"{path}: there is no partnership {', '.join(unknown)}")
    return {f"{id}/{name}": url for id, rooms in file.root.items() for name, url in rooms.items()}


def by_desk(rooms: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """The rooms of each desk that has some, by its key as a recipient."""
    desks: dict[str, tuple[str, ...]] = {}
    for room in rooms:
        key = partnership_key(room.partition("/")[0])
        desks[key] = (*desks.get(key, ()), room)
    return desks


def without_calls(text: str) -> str:
    """The text with nothing in it that rooms take for more: a call to everybody, a link under another name.

    Names and reasons are others' words. A space of no width parts what would be read together.
    """
    return _CALL.sub("\\g<0>\u200b", text)


def without_secrets(said: str, url: SecretStr) -> str:
    """What was said of a room, without any longer part of its URL but the host's name."""
    secret = url.get_secret_value()
    try:
        host = urlsplit(secret).hostname or ""
    except ValueError:
        host = ""
    for part in sorted(_PART.findall(secret.partition("://")[2]), key=len, reverse=True):
        # Where there is no dot it is no name but a token: Apprise's URLs put them there.
        if part.lower() != host or "." not in host:
            said = said.replace(part, "…")
    return said
