"""An organisation registers without a script, in two windows, and with a session that ends in between."""

from __future__ import annotations

import re
from typing import Final

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.e2e.console.people import in_browser, sign_in
from tests.e2e.console.programme import Programme

pytestmark = pytest.mark.e2e

SAVE: Final = "Save and continue"
FILLED_IN: Final[dict[str, dict[str, str]]] = {
    "where": {"organisation.city": "Alba"},
    "what": {"needs": "hemp processing, natural dyes"},
    "when": {"availability.0.first_day": "2027-03-01", "availability.0.last_day": "2027-05-28"},
    "how": {"participant.email": "office@tessitura-alba.example"},
}
CHOSEN: Final[dict[str, dict[str, str]]] = {
    "where": {"organisation.country": "IT"},
    "how": {"participant.language": "it"},
}
TICKED: Final[dict[str, dict[str, str]]] = {
    "what": {"roles": "visitor", "goals": "adopt_technology", "ecosystems": "textile"},
}


async def of_organisation(
    programme: Programme, browser: Browser, organisation: str, **options: bool
) -> BrowserContext:
    seat = {"role": "participant", "organisation": organisation}
    client = await sign_in(programme.url, seat)
    context = await in_browser(browser, client, **options)
    await client.aclose()
    return context


def field(name: str, value: str | None = None) -> str:
    return f'[name="{name}"]' + (f'[value="{value}"]' if value else "")


async def fill_in(page: Page, step: str) -> None:
    for name, value in FILLED_IN.get(step, {}).items():
        await page.fill(field(name), value)
    for name, value in CHOSEN.get(step, {}).items():
        await page.select_option(field(name), value)
    for name, value in TICKED.get(step, {}).items():
        await page.check(field(name, value))
    if step == "how":
        await page.select_option("#languages", "it")
    await page.get_by_role("button", name=SAVE).click()


async def test_an_organisation_registers_step_by_step_without_a_script(
    programme: Programme, chromium: Browser
) -> None:
    context = await of_organisation(programme, chromium, "tessitura-alba", java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{programme.url}/registrations/new")
    await page.get_by_role("button", name=SAVE).click()
    await expect(page.get_by_role("alert")).to_contain_text("Please fill this in.")

    await page.fill(field("organisation.name"), "Tessitura Alba (sample)")
    await page.select_option(field("organisation.kind"), "cluster")
    await page.fill(field("organisation.pic"), "923456781")
    await page.get_by_role("button", name=SAVE).click()
    for step in ("where", "what", "when", "how"):
        await expect(page).to_have_url(re.compile(f"/{step}$"))
        await fill_in(page, step)

    await expect(page.get_by_role("heading", level=1)).to_have_text("Check and send")
    await page.check(field("agreed"))
    await page.get_by_role("button", name="Send the registration").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Tessitura Alba (sample)")
    await expect(page.locator("main")).to_contain_text("You are eligible as a visitor")
    await context.close()


async def test_what_is_saved_in_two_windows_is_told_and_nothing_is_lost(
    programme: Programme, chromium: Browser
) -> None:
    context = await of_organisation(programme, chromium, "filanda-due")
    first, second = await context.new_page(), await context.new_page()
    await first.goto(f"{programme.url}/registrations/new")
    await first.fill(field("organisation.name"), "Filanda Due (sample)")
    await first.get_by_role("button", name=SAVE).click()
    await second.goto(first.url.partition("?")[0])

    await first.fill(field("organisation.website"), "https://one.example")
    await first.get_by_role("button", name=SAVE).click()
    await second.fill(field("organisation.website"), "https://two.example")
    await second.get_by_role("button", name=SAVE).click()

    await expect(second.get_by_role("alert")).to_contain_text("https://one.example")
    await expect(second.locator(field("organisation.website"))).to_have_value("https://two.example")
    await second.get_by_role("button", name=SAVE).click()
    await first.reload()
    await expect(first.locator(field("organisation.website"))).to_have_value("https://two.example")
    await context.close()


@pytest.mark.parametrize("scripts", [True, False])
async def test_what_was_typed_is_there_after_signing_in_anew(
    programme: Programme, chromium: Browser, scripts: bool
) -> None:
    context = await of_organisation(programme, chromium, "lanificio-tre", java_script_enabled=scripts)
    page = await context.new_page()
    await page.goto(f"{programme.url}/registrations/new")
    await page.fill(field("organisation.name"), "Lanificio <Tre> (sample)")
    await context.clear_cookies()
    await page.get_by_role("button", name=SAVE).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are no longer signed in")

    again = await of_organisation(programme, chromium, "lanificio-tre")
    await context.add_cookies(await again.cookies())  # type: ignore[arg-type]
    await page.get_by_role("button", name="Send what I typed").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Please send it once more")
    await page.get_by_role("button", name="Send what I typed").click()
    await expect(page.locator(field("organisation.name"))).to_have_value("Lanificio <Tre> (sample)")
    await again.close()
    await context.close()
