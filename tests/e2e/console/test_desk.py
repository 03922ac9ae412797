"""Staff decide about several at once, by keyboard, see what others decide, and take it back."""

from __future__ import annotations

import re
from contextlib import aclosing
from typing import Any, Final

import httpx
import pytest
from playwright.async_api import Browser, expect

from ops.issuer import issue_token
from tests.e2e.console.people import in_browser, sign_in
from tests.e2e.console.programme import Programme

pytestmark = pytest.mark.e2e

UNDECIDED: Final = ("Fibra do Cais (sample)", "Fibra da Serra (sample)", "Fibra do Vale (sample)")
REASON: Final = "The call is closed."


def a_registration(name: str) -> dict[str, Any]:
    """Without a number to identify it, so that a person has to look at it."""
    return {
        "organisation": {
            "name": name,
            "kind": "sme",
            "country": "PT",
            "city": "Lisbon",
            "memberships": [{"name": "Atlantic Fibres (sample)", "kind": "cluster", "on_eccp": True}],
        },
        "participant": {"email": "office@fibra.example"},
        "roles": ["visitor"],
        "goals": ["adopt_technology"],
        "ecosystems": ["textile"],
        "availability": [{"first_day": "2027-02-08", "last_day": "2027-03-26"}],
        "partnership": "hempclub",
    }


@pytest.fixture(scope="module")
async def registrations(programme: Programme) -> httpx.AsyncClient:
    """The registration API in the name of a colleague; three registrations wait there."""
    platform = programme.platform
    token = issue_token(platform.issuer_key, issuer=platform.issuer_url, role="staff", partnership="hempclub")
    client = httpx.AsyncClient(
        base_url=platform.api_url("registration"), headers={"Authorization": f"Bearer {token}"}
    )
    for name in UNDECIDED:
        sent = await client.post("/registrations", json=a_registration(name))
        assert sent.json()["state"] == "needs_review", sent.text
    return client


async def waiting(client: httpx.AsyncClient) -> dict[str, str]:
    found = await client.get("/registrations", params={"text": "Fibra d", "waiting_for": "staff"})
    return {line["organisation"]: line["id"] for line in found.json()["items"]}


async def test_several_are_rejected_by_keyboard_and_taken_back(
    programme: Programme, chromium: Browser, registrations: httpx.AsyncClient
) -> None:
    async with aclosing(await sign_in(programme.url, programme.seats["officer"])) as client:
        context = await in_browser(chromium, client)
        page = await context.new_page()
        await page.goto(f"{programme.url}/registrations?text=Fibra+d&waiting_for=staff&sort=organisation")
        for key in ("j", "x", "j", "j", "Shift+X"):
            await page.keyboard.press(key)
        await expect(page.locator("[data-row] input:checked")).to_have_count(3)
        await page.get_by_role("link", name="Decide about those ticked").click()
        await page.check("#decision-reject")
        await page.fill("#words", REASON)
        await page.get_by_role("button", name="See what would happen").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Reject these?")
        assert set(await waiting(registrations)) == set(UNDECIDED), "a preview decides nothing"

        # A colleague is quicker with one of them.
        quicker = (await waiting(registrations))[UNDECIDED[0]]
        asked = await registrations.post(f"/registrations/{quicker}/ask", json={"question": "Which PIC?"})
        assert asked.is_success
        await page.get_by_role("button", name="Reject 3 registrations").click()
        await expect(page.get_by_role("alert").first).to_contain_text("changed since the preview")
        assert len(await waiting(registrations)) == 2

        await page.get_by_role("button", name="Reject 3 registrations").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("3 registrations rejected")
        assert not await waiting(registrations)

        await page.get_by_text("Undo this decision").click()
        await page.fill("#reason", "It is open until Friday.")
        await page.get_by_role("button", name="Undo", exact=True).click()
        await expect(page.locator("main")).to_contain_text("Every registration is back")
        assert set(await waiting(registrations)) >= set(UNDECIDED[1:])
        await context.close()


async def test_a_case_follows_what_a_colleague_decides(
    programme: Programme, chromium: Browser, registrations: httpx.AsyncClient
) -> None:
    id = (await waiting(registrations))[UNDECIDED[1]]
    async with aclosing(await sign_in(programme.url, programme.seats["staff"])) as client:
        context = await in_browser(chromium, client)
        page = await context.new_page()
        async with page.expect_request(re.compile("/changes")):
            await page.goto(f"{programme.url}/registrations/{id}")
        await expect(page.locator("#state")).to_have_text("needs review")
        accepted = await registrations.post(f"/registrations/{id}/accept", json={"reason": "Looked up."})
        assert accepted.is_success
        await expect(page.locator("#state")).to_have_text("accepted", timeout=30_000)
        await expect(page.locator("#decide")).not_to_contain_text("Reject", timeout=30_000)
        await context.close()
