"""The whole story in a browser: two organisations register, agree, sign and report, and one is paid."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from fpdf import FPDF
from playwright.async_api import Browser, Page, expect

from ops.demo.bank import booked
from shared.contracts.envelope import new_id
from tests.e2e.console.people import in_browser, sign_in
from tests.e2e.console.programme import Programme

pytestmark = pytest.mark.e2e

PATIENCE_MS: Final = 60_000
"""What one event leads to elsewhere is there by then."""
_SAMPLE_IBAN: Final = "DE89 3704 0044 0532 0130 00"
_DONE: Final = re.compile(r"(\d+) / \d+")


@asynccontextmanager
async def at_browser(browser: Browser, programme: Programme, seat: dict[str, str]) -> AsyncIterator[Page]:
    """Somebody who has signed in, at the page they begin with."""
    client = await sign_in(programme.url, seat)
    context = await in_browser(browser, client)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(f"{programme.url}/home")
    yield page
    await context.close()
    await client.aclose()


async def fill_in(page: Page, **fields: str) -> None:
    """Type into fields or choose from them, by their names; `__` stands for a dot."""
    for name, value in fields.items():
        field = page.locator(f'[name="{name.replace("__", ".")}"]').first
        if await field.evaluate("one => one.tagName") == "SELECT":
            await field.select_option(value)
        else:
            await field.fill(value)


async def press(page: Page, name: str, *, sure: bool = False) -> None:
    """Press a button, and say yes where the page asks whether one is sure."""
    await page.get_by_role("button", name=name, exact=True).first.click()
    if sure:
        await page.locator("#question").get_by_role("button", name="Yes, go on").click()
    await page.wait_for_load_state("load")


async def until(page: Page, holds: Callable[[], Awaitable[bool]]) -> None:
    """Look at the page again until it holds: what happened elsewhere takes a moment."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while not await holds():
            await asyncio.sleep(0.5)
            await page.reload()


async def register(page: Page, programme: Programme, organisation: str, **where: str) -> str:
    """Through the five steps of the form; the registration's id."""
    role = where.pop("role")
    await page.goto(f"{programme.url}/registrations/new")
    await fill_in(page, organisation__name=organisation, organisation__kind="cluster", **where)
    await press(page, "Save and continue")
    await fill_in(page, organisation__country=where_country[role], organisation__city=where_city[role])
    await press(page, "Save and continue")
    for name, value in (("roles", role), ("goals", "invest_in_collaboration"), ("ecosystems", "textile")):
        await page.locator(f'[name="{name}"][value="{value}"]').check()
    await press(page, "Save and continue")
    await fill_in(
        page, availability__0__first_day=str(MONDAY), availability__0__last_day=str(MONDAY + timedelta(40))
    )
    await press(page, "Save and continue")
    await fill_in(
        page,
        participant__email=f"{role}-{new_id()[-6:]}@story.example",
        languages="en",
        partnership="hempclub",
    )
    await press(page, "Save and continue")
    await page.locator('[name="agreed"]').check()
    await press(page, "Send the registration")
    await page.wait_for_url(re.compile(r"/registrations/[0-9a-f-]{36}"))
    await expect(page.locator("main")).to_contain_text("Accepted")
    return urlsplit(page.url).path.rpartition("/")[2]


where_country: Final = {"visitor": "PT", "host": "IT"}
where_city: Final = {"visitor": "Lisbon", "host": "Milan"}
MONDAY: Final = (lambda day: day + timedelta(-day.weekday() % 7))(date.today() + timedelta(35))  # noqa: DTZ011


async def sign(page: Page) -> None:
    """Read, type for whom, sign."""
    name = (await page.locator("#signed_for-help").inner_text()).strip()
    await fill_in(page, signed_for=name)
    await page.locator('[name="read"]').check()
    await press(page, "Sign")


def attendance_list(path: Path) -> Path:
    """A scan that shows who was there."""
    paper = FPDF()
    paper.add_page()
    paper.set_font("helvetica", size=12)
    paper.write(text=f"Attendance list {new_id()}")
    path.write_bytes(bytes(paper.output()))
    return path


async def done_so_far(page: Page, programme: Programme) -> int:
    """What the public page counts."""
    await page.goto(f"{programme.url}/programmes/hempclub")
    counted = _DONE.search(await page.locator("#progress").inner_text())
    assert counted
    return int(counted[1])


async def test_from_two_registrations_to_the_money(
    programme: Programme, chromium: Browser, tmp_path: Path
) -> None:
    mark = new_id()[-8:]
    visitor_seat = {"role": "participant", "organisation": f"visitor-{mark}"}
    host_seat = {"role": "participant", "organisation": f"host-{mark}"}
    async with (
        at_browser(chromium, programme, visitor_seat) as visitor,
        at_browser(chromium, programme, host_seat) as host,
        at_browser(chromium, programme, programme.seats["staff"]) as staff,
        at_browser(chromium, programme, programme.seats["officer"]) as officer,
    ):
        public = await (await in_browser(chromium, None)).new_page()
        before = await done_so_far(public, programme)

        # Both register and are in the pool at once, as their partnership takes whoever is eligible.
        visits = await register(visitor, programme, f"Tagus Story {mark} (sample)", role="visitor",
                                organisation__vat="PT500829993")  # fmt: skip
        hosts = await register(host, programme, f"Navigli Story {mark} (sample)", role="host")

        # They agree on days, both partnerships approve.
        friday = MONDAY + timedelta(4)
        days = f"first_day={MONDAY}&last_day={friday}"

        async def offered() -> bool:
            return await visitor.get_by_role("button", name="Propose these days").count() > 0

        await visitor.goto(f"{programme.url}/matches/new?visitor={visits}&host={hosts}&{days}")
        await until(visitor, offered)
        await press(visitor, "Propose these days")
        await visitor.wait_for_url(re.compile(r"/matches/[0-9a-f-]{36}"))
        match = urlsplit(visitor.url).path
        await host.goto(programme.url + match)
        await press(host, "Accept")
        await staff.goto(programme.url + match)
        await press(staff, "Approve")
        await expect(staff.locator("main")).to_contain_text("Approved")

        # The commitment: written by one side, signed by both organisations.
        async def drawn_up() -> bool:
            return await visitor.locator('[name="goals"]').count() > 0

        await visitor.goto(f"{programme.url}{match}/commitment")
        await until(visitor, drawn_up)
        await fill_in(visitor, goals="See how the host spins hemp, and plan a joint project.")
        await press(visitor, "Save")
        await sign(visitor)
        await host.goto(f"{programme.url}{match}/commitment")
        await sign(host)

        # The lump sum: account, agreement, report, evidence.
        grant = f"{programme.url}/grants/grant-{match.rpartition('/')[2]}"

        async def reserved() -> bool:
            return await visitor.locator('[name="iban"]').count() > 0

        await visitor.goto(grant)
        await until(visitor, reserved)
        await fill_in(visitor, iban=_SAMPLE_IBAN, street="Sample Street", post_code="1000-001")
        await press(visitor, "Keep this account")
        await visitor.goto(grant)
        await sign(visitor)
        await staff.goto(grant)
        await sign(staff)

        await visitor.goto(f"{grant}/report")
        for number in range(5):
            await fill_in(visitor, **{f"activity-{MONDAY + timedelta(number)}": "Work with the host."})
        await fill_in(
            visitor, **{"goal-invest_in_collaboration": "fully", "how-invest_in_collaboration": "A plan."}
        )
        await fill_in(visitor, results="A plan for a joint project.")
        await visitor.locator('[name="satisfaction"][value="5"]').check()
        await press(visitor, "Save and hand in")
        await visitor.goto(f"{grant}/evidence")
        await fill_in(visitor, kind="attendance_list")
        await visitor.set_input_files('[name="files"]', attendance_list(tmp_path / "attendance.pdf"))
        await press(visitor, "Send")
        await press(visitor, "Hand in these files")

        await staff.goto(f"{grant}/report")
        await press(staff, "Validate the report")
        await staff.goto(f"{grant}/evidence")
        await press(staff, "Accept the evidence")

        async def counted() -> bool:
            return await done_so_far(public, programme) == before + 1

        await until(public, counted)

        # Two officers pay; the bank says that it has.
        await staff.goto(f"{programme.url}/payments")
        await staff.locator(f'[name="grants"][value="{grant.rpartition("/")[2]}"]').check()
        await press(staff, "Prepare the payment")
        await staff.wait_for_url(re.compile(r"/payments/[^/]+$"))
        payment = staff.url
        await officer.goto(payment)
        await officer.get_by_role("button", name=re.compile("^Release")).click()
        await officer.locator("#question").get_by_role("button", name="Yes, go on").click()
        await officer.wait_for_load_state("load")
        async with officer.expect_download() as downloading:
            await officer.get_by_role("link", name=re.compile("pain.001")).first.click()
        file = await (await downloading.value).path()
        answer = tmp_path / "camt054.xml"
        answer.write_bytes(booked(file.read_bytes(), date.today()))  # noqa: DTZ011 - the bank's calendar
        await officer.goto(payment)
        await officer.set_input_files('[name="file"]', answer)
        await press(officer, "Take it in")

        async def paid() -> bool:
            return "Paid" in await visitor.locator("main").inner_text()

        await visitor.goto(grant)
        await until(visitor, paid)
