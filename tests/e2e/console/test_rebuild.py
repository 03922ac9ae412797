"""After a whole programme, the console's read model is what the events alone lead to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pymongo import MongoClient
from typer.testing import CliRunner

from ops.cli import app
from tests.e2e.console.people import sign_in
from tests.e2e.console.programme import Programme

pytestmark = pytest.mark.e2e


async def test_built_anew_from_the_events_the_read_model_is_the_same(programme: Programme) -> None:
    state = str(programme.platform.state)

    async def run(*more: str) -> str:
        command = ["console", "rebuild", "--state", state, *more]
        result = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert result.exit_code == 0, result.output
        return result.output

    assert "is what the events say" in await run("--check")
    listed = "/cases?what=exchanges&sort=first_day"
    staff = await sign_in(programme.url, programme.seats["staff"])
    try:
        before = await staff.get(listed, headers={"HX-Request": "true"})
        assert "is built anew and in use" in await run()
        after = await staff.get(listed, headers={"HX-Request": "true"})
    finally:
        await staff.aclose()
    assert programme.known["match"] in before.text
    assert after.text == before.text
    assert "is what the events say" in await run("--check")

    with MongoClient[dict[str, Any]](programme.platform.mongo_url) as client:
        client["cxc_console"]["exchanges"].update_one(
            {"_id": programme.known["match"]}, {"$set": {"step": "agreed"}}
        )
    wrong = await asyncio.to_thread(
        CliRunner().invoke, app, ["console", "rebuild", "--check", "--state", state]
    )
    assert wrong.exit_code == 1
    assert f"exchanges {programme.known['match']}: step differ" in wrong.output
    await run()
