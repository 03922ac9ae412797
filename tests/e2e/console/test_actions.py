"""Every action of the console, tried by people whom the case is none of their business: nothing changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from typing import Any, Final

import httpx
import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from services.console.api import create_app
from services.console.settings import ConsoleSettings
from shared.settings import KafkaSettings
from tests.e2e.console.people import sign_in
from tests.e2e.console.programme import Programme

pytestmark = pytest.mark.e2e

ABOUT: Final = {
    "registrations": "{registration}",
    "matches": "{match}",
    "grants": "{grant}",
    "payments": "{payment}",
    "partnerships": "{partnership}",
    "catalogue": "{host_registration}",
    "drafts": "{draft}",
    "my-data": "{registration}",
}
"""What the paths of actions are about, by their first part."""
STRANGERS: Final[dict[str, dict[str, str] | None]] = {
    "nobody": None,
    "another organisation": {"role": "participant", "organisation": "somebody-else"},
    "staff of another partnership": {"role": "staff", "partnership": "sample-baltic-digital", "seat": "1"},
    "an auditor": {"role": "auditor"},
    "a system outside": {"role": "external", "system": "/sample/crm"},
}
OPEN: Final = ("/sign-out", "/unsubscribe/{token}")
"""What anybody may do: end one's own session, and leave a kind of mail by the link in it."""
_CSRF: Final = re.compile(r'name="csrf" value="([^"]+)"')


def actions() -> list[tuple[str, str]]:
    """Method and path of everything that may change something."""
    settings = ConsoleSettings(
        kafka=KafkaSettings(bootstrap="nowhere.example:9092"),
        mongo_url=SecretStr("mongodb://nowhere.example"),
        issuer="https://issuer.example",
        jwks_url="https://issuer.example/keys",
        session_key=SecretStr("a secret for tests, long enough for it"),
    )
    found = sorted(_unsafe(create_app(settings).routes))
    assert len(found) > 50, "the routes are not where they were"
    return [(method, path) for method, path in found if path not in OPEN]


def _unsafe(routes: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for route in routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from _unsafe(included.routes)
        for method in set(getattr(route, "methods", None) or ()) - {"GET", "HEAD", "OPTIONS"}:
            yield method, route.path


def there(programme: Programme) -> dict[str, dict[Any, Any]]:
    """What the services keep of cases, by collection and id."""
    found: dict[str, dict[Any, Any]] = {}
    with MongoClient[dict[str, Any]](programme.platform.mongo_url) as client:
        for service in ("registration", "matching", "funding"):
            store = client[f"cxc_{service}"]
            # Plans are left out: strangers may ask for their own, and these go on by themselves.
            for name in set(store.list_collection_names()) - {"plans"}:
                versioned = {one["_id"]: one for one in store[name].find({"version": {"$exists": True}})}
                found[f"{service} {name}"] = versioned
    return found


def filled_in(programme: Programme, path: str) -> str:
    """An action's address, about the case of the programme."""
    about = ABOUT.get(path.strip("/").partition("/")[0], "none")
    return programme.at(
        re.sub(r"\{[^}]+\}", "none", re.sub(r"\{(?:registration_)?id\}", "<>", path)).replace("<>", about)
    )


async def csrf_of(client: httpx.AsyncClient, programme: Programme) -> str:
    """What the forms of whoever this is send along."""
    sent = _CSRF.search((await client.get(programme.at("/"))).text)
    assert sent, "the first page has no form that tells"
    return sent[1]


@pytest.mark.parametrize("who", STRANGERS)
async def test_strangers_change_nothing_of_a_case(programme: Programme, who: str) -> None:
    seat = STRANGERS[who]
    client = await sign_in(programme.url, seat) if seat else httpx.AsyncClient(base_url=programme.url)
    async with aclosing(client):
        csrf = await csrf_of(client, programme) if seat else "made up"
        before = there(programme)
        for method, path in actions():
            given = {"csrf": csrf, "reason": "to try", "ids": programme.known["registration"]}
            answer = await client.request(method, filled_in(programme, path), data=given)
            assert answer.status_code < 500, (method, path, answer.text[:300])
            if seat is None:
                assert answer.status_code in (302, 303, 401, 403), (method, path, answer.status_code)
        after = there(programme)
    for collection, documents in before.items():
        assert {id: after[collection].get(id) for id in documents} == documents


async def test_an_action_needs_the_token_of_the_same_session(programme: Programme) -> None:
    client = await sign_in(programme.url, programme.seats["staff"])
    other = await sign_in(programme.url, programme.seats["staff"])
    async with aclosing(client), aclosing(other):
        for method, path in actions():
            for csrf in ("", await csrf_of(other, programme)):
                answer = await client.request(method, filled_in(programme, path), data={"csrf": csrf})
                assert answer.status_code == 403, (method, path)
