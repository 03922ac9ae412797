"""A registration erased on a whole platform: exported first, then gone from every database and file."""

from __future__ import annotations

import asyncio
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import bson
import httpx
import pytest

from ops.issuer import issue_token
from ops.platform import Platform
from shared.contracts.types import EventType
from shared.messaging.topics import SERVICES
from tests.e2e.onlooker import Onlooker
from tests.e2e.outside import OutsideSystem
from tests.unit.registration.pdfs import a_pdf

pytestmark = pytest.mark.e2e

MOTIVATION = "To see how nettle fibre is retted in soft water."


async def cxc(*arguments: str) -> str:
    """The command line as operators call it; what it says."""
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("cxc")), "privacy", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def found_in_databases(onlooker: Onlooker, words: list[str]) -> dict[str, list[str]]:
    """Where a word is found, byte by byte, in any document or file of the databases."""
    found: dict[str, list[str]] = {}
    for service in SERVICES:
        database = onlooker.database(service)
        for name in await database.list_collection_names():
            async for document in database[name].find({}):
                raw = bson.encode(document)
                if there := [word for word in words if word.encode() in raw]:
                    found[f"{service}.{name}"] = there
    return found


async def test_what_is_held_is_exported_and_after_the_erasure_nothing_is_found(
    platform: Platform,
    onlooker: Onlooker,
    outside_system: Callable[[str], OutsideSystem],
    tmp_path: Path,
) -> None:
    sender = outside_system("erasure")
    visitor, host = "erased-v", "erased-h"
    submitted = sender.visitor(visitor, meets=host, motivation=MOTIVATION)
    words = [
        submitted["organisation"]["name"],
        sender.address(visitor),
        submitted["organisation"]["pic"],
        MOTIVATION,
    ]
    await sender.publish(
        sender.event(visitor, {**submitted, "motivation": "First words of erased-v."}),
        sender.event(host, sender.host(host, meets=visitor)),
        sender.event(visitor, submitted, type=EventType.AMEND_REGISTRATION),
    )
    await onlooker.drained()
    await onlooker.mailed([sender.address(visitor)])
    id = sender.registration_id(visitor)
    cv = a_pdf()
    token = issue_token(
        platform.issuer_key, issuer=platform.issuer_url, role="staff", partnership="open-looms"
    )
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=30) as api:
        url = f"{platform.api_url('registration')}/registrations/{id}/cv"
        (await api.put(url, content=cv, headers={"content-type": "application/pdf"})).raise_for_status()

    state = str(platform.state)
    target = tmp_path / "held.zip"
    assert "of 5 services" in await cxc("export", id, "--output", str(target), "--state", state)
    with zipfile.ZipFile(target) as archive:
        names = set(archive.namelist())
        assert archive.read("registration/cv.pdf") == cv
        [grant] = json.loads(archive.read("funding/grants.json"))
        told = json.loads(archive.read("notifications/messages.json"))
    assert {"index.html", "registration/earlier-versions.json", "matching/matches.json"} <= names
    assert grant["visitor"]["organisation"] == words[0]
    assert "email" not in grant["host"]
    assert any(one.get("address") == sender.address(visitor) for one in told)
    assert {where.partition(".")[0] for where in await found_in_databases(onlooker, words)} == set(SERVICES)

    await cxc("erase", id, "--reason", "Asked for by letter.", "--state", state)
    await onlooker.drained()

    async def gone() -> bool:
        return not await found_in_databases(onlooker, [*words, "First words of erased-v."])

    await onlooker.eventually("nothing is found any more", gone)
    registration = onlooker.database("registration")
    stored = await registration["registrations"].find_one({"_id": id})
    assert stored is not None
    assert stored["cv"] is None
    chunks = b"".join([chunk["data"] async for chunk in registration["cvs.chunks"].find({})])
    assert cv not in chunks

    await sender.publish(sender.event(visitor, submitted))
    await onlooker.drained()
    refusals = (
        await registration["inbox"].find({"subject": visitor, "refused": {"$exists": True}}).to_list(None)
    )
    assert "erased" in refusals[-1]["refused"]["detail"]
    assert "another subject" in refusals[-1]["refused"]["detail"]
