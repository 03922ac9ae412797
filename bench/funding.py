"""What questions about money cost with 100,000 grants: board, progress, budget, ledger, forecast, report.

Grants at every point of the way are made once through the use cases, then stored many times over under
other ids and days, with their entries in the ledger and the balances these come to. The API, a process of
its own on real MongoDB, is asked as staff, the support office and the public ask.

Run: `python bench/funding.py [--grants N] [--open SHARE] [--requests N]`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx

from bench.measuring import measured_alone
from ops.issuer import Role, issue_token
from ops.platform import Platform
from ops.processes import free_port
from services.funding.bootstrap import bootstrap
from services.funding.domain.grant import Grant
from services.funding.domain.ledger import Account, LedgerEntry, Why
from services.funding.domain.progress import Tally
from services.funding.settings import FundingSettings
from shared.storage.driver import Document
from shared.storage.unit_of_work import UnitOfWork
from tests.unit.funding.staged import STAGES, staged

PARTNERSHIPS = ("hempclub", "woolclub", "linenclub", "solarclub")
AMOUNT = 900
BATCH = 5_000
UNDER_WAY = [name for name in STAGES if name != "paid"]
"""The stages of open cases, as tests name them."""


# ── grants, many times over ──────────────────────────────────────────────────────────────────


def moved(value: Any, by: timedelta) -> Any:
    """The same with every day and moment later by so much."""
    if isinstance(value, dict):
        return {name: moved(part, by) for name, part in value.items()}
    if isinstance(value, str) and value[:2] == "20" and value[4:5] == "-":
        if len(value) == 10:
            return str(date.fromisoformat(value) + by)
        return (datetime.fromisoformat(value) + by).isoformat().replace("+00:00", "Z")
    return value


def another(template: Document, number: int, partnership: str, by: timedelta) -> Document:
    """A grant like the template, of another match."""
    match = f"0190{number:08x}"
    days = ("stay", "real_stay", "gates", "due", "strict_due", "paid_on")
    grant = {**template, **{name: moved(template.get(name), by) for name in days}}
    for side in ("visitor", "host"):
        id = f"{side}-{match}"
        grant[side] = {**template[side], "registration_id": id, "owner": id, "partnership": partnership}
    grant |= {"_id": f"grant-{match}", "match_id": match, "partnership": partnership}
    place = Grant.from_document(grant).board
    grant["board"] = place.model_dump(mode="json") if place else None
    return grant


def entries_of(grant: Document) -> list[tuple[Why, Account, Account, str]]:
    """Why its money moved, into which account, out of which, and when."""
    agreement = grant["gates"]["agreement"]
    since = agreement["since"]
    entries = [(Why.RESERVED, Account.RESERVED, Account.AVAILABLE, moved(since, -timedelta(days=20)))]
    if agreement["state"] == "passed":
        entries.append((Why.COMMITTED, Account.COMMITTED, Account.RESERVED, since))
    if grant["paid_on"]:
        entries.append((Why.PAID, Account.PAID, Account.COMMITTED, f"{grant['paid_on']}T12:00:00Z"))
    return entries


class Books:
    """One partnership's grants and ledger as they are written, and what they come to."""

    def __init__(self, partnership: str) -> None:
        self.partnership = partnership
        self.number = 1  # the budget it was opened with
        self.held = dict.fromkeys(Account, 0)
        self.done = 0

    def enter(self, grant: Document) -> list[Document]:
        """The ledger's entries for a grant."""
        self.done += bool(grant["counted"])
        entries = []
        for why, debit, credit, at in entries_of(grant):
            self.number += 1
            self.held[debit] += AMOUNT
            self.held[credit] -= AMOUNT
            entry = LedgerEntry.of(
                self.partnership,
                self.number,
                at=datetime.fromisoformat(at),
                debit=debit,
                credit=credit,
                amount=grant["lump_sum"]["amount"],
                why=why,
                grant=grant["_id"],
            )
            entries.append(entry.to_document())
        return entries


async def fill(settings: FundingSettings, count: int, open_share: float) -> None:
    """Store so many grants, and what follows from them."""
    stored = (await staged()).database["grants"]
    templates = {document["match_id"]: document for document in stored.values()}
    funding = await bootstrap(settings)
    rng, today = random.Random(1), datetime.now(UTC).date()
    books = {partnership: Books(partnership) for partnership in PARTNERSHIPS}
    ended = date(2023, 2, 17)
    for start in range(0, count, BATCH):
        grants, entries = [], []
        for number in range(start, min(count, start + BATCH)):
            under_way = rng.random() < open_share
            stage = rng.choice(UNDER_WAY) if under_way else "paid"
            ago = rng.randrange(5, 60) if under_way else rng.randrange(40, 700)
            by = today - timedelta(days=ago) - ended
            grant = another(templates[stage], number, rng.choice(PARTNERSHIPS), by)
            grants.append(grant)
            entries += books[grant["partnership"]].enter(grant)
        await funding.database["grants"].insert_many(grants, ordered=False)
        await funding.database["ledger"].insert_many(entries, ordered=False)
    for partnership, book in books.items():

        async def settle(uow: Any, partnership: str = partnership, book: Books = book) -> None:
            budget = await uow.budgets.get(partnership)
            for account in (Account.RESERVED, Account.COMMITTED, Account.PAID):
                setattr(budget, account.value, type(budget.total)(book.held[account]))
            budget._touch()
            tally = Tally.begin(partnership)
            tally.add(book.done)
            uow.add(tally)
            await UnitOfWork.commit(uow)  # what the books come to is written as it is

        await funding.transactions.read(settle)
    await funding.close()


# ── the API, in a process of its own ─────────────────────────────────────────────────────────


async def percentiles(http: httpx.AsyncClient, requests: Sequence[tuple[str, str]], at_once: int) -> Any:
    """Milliseconds of these requests (path and token), so many at once."""
    took: list[float] = []
    waiting = iter(requests)

    async def ask() -> None:
        for path, token in waiting:
            started = time.perf_counter()
            answer = await http.get(path, headers={"Authorization": f"Bearer {token}"})
            took.append((time.perf_counter() - started) * 1000)
            answer.raise_for_status()

    await asyncio.gather(*(ask() for _ in range(at_once)))
    if len(took) < 20:
        return {"each_ms": [round(each) for each in took]}
    cuts = statistics.quantiles(took, n=100)
    return {"p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1), "n": len(took)}


def questions(staff: str, support: str, places: Sequence[str]) -> dict[str, Callable[[random.Random], Any]]:
    """What is asked for, by name: a path and who asks."""
    mine = "/partnerships/hempclub"
    return {
        "readiness, first page": lambda rng: ("/readiness", staff),
        "readiness, a page": lambda rng: (f"/readiness?after={rng.choice(places)}", staff),
        "readiness, all partnerships": lambda rng: (f"/readiness?after={rng.choice(places)}", support),
        "readiness, filtered": lambda rng: (
            "/readiness?after=2000&"
            + rng.choice(("overdue=true", "waits_for=bank", "gate=agreement", "state=prepared")),
            staff,
        ),
        "progress": lambda rng: (f"{mine}/progress", staff),
        "budget": lambda rng: (f"{mine}/budget", staff),
        "ledger": lambda rng: (f"{mine}/ledger?after=hempclub:{rng.randrange(20_000):09}", staff),
        "grants": lambda rng: (f"/grants?after=grant-0190{rng.randrange(50_000):08x}", staff),
    }


async def measure(platform: Platform, given: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    os.environ.update(platform.service_environment())
    os.environ["CXC_LOG_LEVEL"] = "error"
    started = time.perf_counter()
    await fill(FundingSettings.load(), given.grants, given.open)
    figures: dict[str, Any] = {
        "grants": given.grants,
        "open": given.open,
        "filled_s": round(time.perf_counter() - started),
    }
    port = free_port()
    command = ["uvicorn", "services.funding.api:create_app", "--factory", "--port", str(port)]
    api = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", *command, "--no-access-log"], env={**os.environ, "PYTHONPATH": "."}
    )

    def token(role: Role, partnership: str | None = None) -> str:
        return issue_token(
            platform.issuer_key, issuer=platform.issuer_url, role=role, partnership=partnership
        )

    staff, support = token("staff", "hempclub"), token("support_office")
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=120) as http:
            while not await _answers(http):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            page = await http.get("/readiness?limit=200", headers={"Authorization": f"Bearer {staff}"})
            places = [page.json()["next"] or "2000"]
            places += [f"{date.today() + timedelta(days=days)}/" for days in range(-20, 40)]  # noqa: DTZ011
            rng = random.Random(3)
            for name, question in questions(staff, support, places).items():
                for at_once in (1, 4):
                    await percentiles(http, [question(rng) for _ in range(20)], at_once)
                    asked = [question(rng) for _ in range(given.requests)]
                    figures[f"{name}, {at_once} at once"] = await percentiles(http, asked, at_once)
            mine = "/partnerships/hempclub"
            month = f"from={date.today() - timedelta(days=30)}&to={date.today()}"  # noqa: DTZ011
            for path in (f"{mine}/forecast", f"{mine}/forecast.svg", f"{mine}/report.xlsx?{month}"):
                figures[path.split("?")[0].removeprefix(mine)] = await percentiles(
                    http, [(path, staff)] * 3, 1
                )
    finally:
        api.terminate()
        api.wait()
    return figures


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/partnerships/hempclub/progress")).status_code == 200
    except httpx.TransportError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--grants", type=int, default=100_000)
    parser.add_argument("--open", type=float, default=0.3, help="share of grants that are under way")
    parser.add_argument("--requests", type=int, default=500)
    given = parser.parse_args()
    partnerships = (
        {
            "id": id,
            "name": id,
            "ecosystems": ["textile"],
            "staff": [{"email": f"staff@{id}.example"}],
            "budget": f"{AMOUNT * given.grants}.00",
            "objective": given.grants,
        }
        for id in PARTNERSHIPS
    )
    measured_alone("funding", partnerships, lambda platform: measure(platform, given))


if __name__ == "__main__":
    main()
