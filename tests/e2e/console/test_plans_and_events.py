"""Staff in a browser: a plan for the whole pool, a group event, what keeps one officer from paying alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest
from playwright.async_api import Browser, Page, expect

from ops.sample import SAMPLE_PARTNERSHIPS
from shared.contracts.envelope import now
from shared.partnerships import Partnerships
from tests.e2e.console.people import in_browser, sign_in
from tests.e2e.console.programme import Programme

pytestmark = pytest.mark.e2e

WITHIN_MS = 60_000


@pytest.fixture
async def desk(programme: Programme, chromium: Browser) -> AsyncIterator[Page]:
    """A browser in which staff of the partnership have signed in."""
    client = await sign_in(programme.url, programme.seats["staff"])
    context = await in_browser(chromium, client)
    page = await context.new_page()
    page.set_default_timeout(WITHIN_MS)
    expect.set_options(timeout=WITHIN_MS)
    yield page
    await context.close()
    await client.aclose()


async def ask_for_plan(desk: Page, programme: Programme, *, dry_run: bool = False, most_to: str = "") -> str:
    """Ask for a plan in the form, wait until it is made, and return its id."""
    await desk.goto(programme.at("/plans/new"))
    if most_to:
        await desk.select_option("select[name=cap-0-on]", "host_country")
        await desk.select_option("select[name=cap-0-of]", most_to)
        await desk.fill("input[name=cap-0-at-most]", "99")
    if dry_run:
        await desk.check("input[name=dry_run]")
    await desk.get_by_role("button", name="Make the plan").click()
    await expect(desk.get_by_role("heading", name="Who visits whom")).to_be_visible()
    return desk.url.rsplit("/", 1)[1]


async def test_staff_have_a_plan_made_read_it_and_compare_it_with_another(
    desk: Page, programme: Programme
) -> None:
    first = await ask_for_plan(desk, programme)
    pairs = await desk.locator("#pairs article").count()
    assert pairs
    await expect(desk.get_by_text("Publish it")).to_be_visible()

    name = await desk.locator("#pairs article h3 a").first.inner_text()
    await desk.get_by_label("Organisation").fill(name)
    await desk.get_by_role("button", name="Search").click()
    await expect(desk.locator("#pairs article")).to_have_count(1)
    await desk.locator("#pairs article h3 a").first.click()
    await expect(desk.get_by_role("heading", level=1)).to_have_text(f"Why and why not: {name}")

    await desk.goto(programme.at(f"/plans/{first}/map"))
    drawn = await desk.locator("svg.world-map .flow").count()
    assert drawn == await desk.locator("table tbody tr").count(), "the table says the same as the map"

    second = await ask_for_plan(desk, programme, dry_run=True, most_to="IT")
    assert not await desk.get_by_text("Publish it").count(), "a dry run is only looked at"
    await desk.goto(programme.at(f"/plans/compare?a={first}&b={second}"))
    await expect(desk.get_by_text("Every visitor has the same host in both.")).to_be_visible()


async def test_a_half_filled_limit_is_refused_where_it_stands(desk: Page, programme: Programme) -> None:
    await desk.goto(programme.at("/plans/new"))
    await desk.select_option("select[name=cap-1-on]", "ecosystem")
    await desk.fill("input[name=keep_margin]", "7")
    await desk.get_by_role("button", name="Make the plan").click()
    await expect(desk.locator("#cap-1-at-most-error")).to_be_visible()
    await expect(desk.locator("#cap-1-of-error")).to_be_visible()
    assert await desk.input_value("input[name=keep_margin]") == "7", "what was filled in is still there"


async def test_staff_plan_a_group_event_open_it_and_put_organisations_on_its_list(
    desk: Page, programme: Programme
) -> None:
    first_day = next_monday(now().date() + timedelta(days=120))
    await desk.goto(programme.at("/group-events/new"))
    await desk.locator("select[name=host_registration_id]").select_option(index=1)
    await desk.fill("input[name=title]", "Green chemistry exchange")
    await desk.fill("input[name=first_day]", str(first_day))
    await desk.fill("input[name=last_day]", str(first_day + timedelta(days=3)))
    await desk.fill("input[name=sign_up_until]", str(first_day - timedelta(days=14)))
    await desk.fill("input[name=places]", "1")
    await desk.fill("input[name=agenda-2-day]", str(first_day))
    await desk.fill("input[name=agenda-2-title]", "Welcome")
    await desk.fill("input[name=agenda-2-responsible]", "Host organisation")
    await desk.get_by_role("button", name="Plan it").click()
    await expect(desk.get_by_text("Nobody but you sees it")).to_be_visible()
    await expect(desk.get_by_role("cell", name="Welcome")).to_be_visible()

    await desk.get_by_role("button", name="Open it").click()
    await desk.get_by_role("button", name="Yes, go on").click()
    await expect(desk.get_by_text("organisations can sign up.")).to_be_visible()
    event = desk.url
    on_list = desk.locator("#event tbody tr")
    for number in range(5):  # not everybody found has time then
        await desk.goto(f"{event}?q=sample")
        await desk.get_by_role("button", name=re.compile("^Put on the list")).nth(number).click()
        await expect(desk.locator("main .alert").first).to_be_visible()
        if await on_list.count():
            break
    await expect(on_list).to_contain_text("has a place")

    await desk.context.clear_cookies()
    await desk.goto(event)
    await expect(desk.get_by_role("heading", level=1)).to_have_text("Green chemistry exchange")
    await expect(desk.get_by_role("link", name="Sign in to take part")).to_be_visible()
    assert not await desk.get_by_text("has a place").count(), "who comes is nobody else's business"


async def test_a_ledger_adds_up_line_by_line(desk: Page, programme: Programme) -> None:
    await desk.goto(programme.at("/partnerships/{partnership}/ledger"))
    rows = await desk.locator("#entries tbody tr").all()
    assert rows
    budget = Partnerships.load(SAMPLE_PARTNERSHIPS).require(programme.known["partnership"]).budget
    for row in rows:
        cells = await row.locator("td[data-value]").evaluate_all("cells => cells.map(c => +c.dataset.value)")
        assert sum(cells) == float(budget), await row.inner_text()


def next_monday(day: date) -> date:
    return day + timedelta(days=-day.weekday() % 7)
