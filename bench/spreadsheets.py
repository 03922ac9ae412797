"""The import of a spreadsheet against the usual way: the same rows, the same registrations, time and memory.

- `worker`: this project's. A file is sent to the API; the worker has it read by a process of its own and
  takes the rows some at a time, each part in one transaction;
- `usual`: the whole file in memory (`openpyxl.load_workbook`, or a list of rows), then one transaction a
  row, as an import is usually written.

Both end with the same registrations and events in MongoDB; each side of each format has a database of its
own. The memory is the peak of the process that holds the rows; beside it stands what the process had
before, and for `worker` the peak of the process that reads the file.

Run: `python bench/spreadsheets.py [--rows N] [--rounds R]`.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from pymongo import MongoClient

from ops.issuer import issue_token
from ops.platform import Platform, Ports
from services.registration.bootstrap import bootstrap
from services.registration.domain.registration import Origin, Registration
from services.registration.settings import RegistrationSettings
from services.registration.spreadsheets.columns import Layout, row_of
from services.registration.spreadsheets.reading import Format
from services.registration.spreadsheets.writing import Row, write
from services.registration.use_cases.submit_registration import submit_registration
from shared.contracts.registration import Submission
from shared.messaging.topics import ServiceName
from shared.storage.store import OUTBOX
from tests.builders import a_host_submission, a_submission

FORMATS: tuple[Format, ...] = ("csv", "xlsx")
SIDES = ("worker", "usual")
PARTNERSHIP = "hempclub"
REGISTRATION: ServiceName = "registration"
Run = dict[str, float]


# ── the file ─────────────────────────────────────────────────────────────────────────────────


def a_row(number: int) -> Row:
    """A row of about the size people send: half visitors, half hosts, each an organisation of its own."""
    data = a_submission() if number % 2 else a_host_submission()
    data["organisation"] |= {
        "name": f"Sample organisation {number}",
        "pic": str(900_000_000 + number),
        "street": f"Sample street {number}",
        "website": f"https://organisation-{number}.example",
    }
    data["motivation"] = "We want to see how hemp straw is decorticated and spun at scale. " * 4
    row = row_of(Submission.model_validate(data))
    return [f"ROW-{number}", *row.values()]


async def a_file(path: Path, format: Format, rows: int) -> None:
    """A spreadsheet with so many rows."""

    async def parts() -> AsyncIterator[list[Row]]:
        for start in range(0, rows, 500):
            yield [a_row(number) for number in range(start, min(rows, start + 500))]

    header = ["key", *row_of(Submission.model_validate(a_submission()))]
    with path.open("wb") as out:
        async for part in write(format, header, parts()):
            out.write(part)


# ── the usual way, in a process of its own ───────────────────────────────────────────────────


def run_usual(path: Path, database: str) -> None:
    """Read everything, then register row by row; prints its own figures."""

    async def main() -> Run:
        registering = await bootstrap(RegistrationSettings.load(), database=database)
        before = _peak_mb()
        started = time.perf_counter()
        if path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows: list[Any] = list(csv.reader(file))
        else:
            from openpyxl import load_workbook

            rows = [[cell.value for cell in row] for row in load_workbook(path).worksheets[0].rows]
        layout = Layout(rows[0])
        for cells in rows[1:]:
            said = layout.understand(cells)
            submission, origin = said.submission, Origin(by="staff", source="/bench", reference=said.key)
            assert submission is not None, said.faults
            await registering.transactions.run(
                lambda uow, sent=submission, by=origin: submit_registration(uow, sent, by=by)  # type: ignore[misc]
            )
        seconds = time.perf_counter() - started
        await registering.close()
        return {"seconds": seconds, "peak_mb": _peak_mb(), "before_mb": before}

    print(json.dumps(asyncio.run(main())))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ── the benchmark ────────────────────────────────────────────────────────────────────────────


def measure_usual(platform: Platform, path: Path, rows: int, round_: int) -> Run:
    """The usual way on a fresh database; checks that it did the same."""
    database = f"bench_spreadsheets_{path.suffix[1:]}_{round_}"
    environment = {
        **os.environ,
        **platform.service_environment(),
        "CXC_LOG_LEVEL": "warning",
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }
    command = [sys.executable, __file__, "--usual", str(path), "--database", database]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    with MongoClient[dict[str, Any]](platform.mongo_url) as client:
        assert client[database][Registration.COLLECTION].count_documents({}) == rows
        assert _events_in(client[database][OUTBOX]) >= rows
        client.drop_database(database)
    run: Run = json.loads(done.stdout.splitlines()[-1])
    return run


def _events_in(outbox: Any) -> int:
    counted = list(outbox.aggregate([{"$group": {"_id": None, "n": {"$sum": {"$size": "$messages"}}}}]))
    return int(counted[0]["n"]) if counted else 0


def measure_worker(platform: Platform, path: Path, rows: int) -> Run:
    """Send the file to the platform and wait until it is done; the worker has been started anew."""
    pid = platform.children["registration-worker"].pid
    token = issue_token(
        platform.issuer_key, issuer=platform.issuer_url, role="staff", partnership=PARTNERSHIP
    )
    before = _peak_of(pid)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=platform.api_url("registration"), headers=headers, timeout=60) as http:
        started = time.perf_counter()
        sent = http.post("/imports", files={"file": (path.name, path.read_bytes())})
        sent.raise_for_status()
        answered = time.perf_counter() - started
        while (state := http.get(sent.headers["location"]).json())["state"] in ("waiting", "running"):
            time.sleep(0.05)
        seconds = time.perf_counter() - started
    assert state["state"] == "done", state
    assert state["submitted"] == rows, state
    return {"seconds": seconds, "peak_mb": _peak_of(pid), "before_mb": before, "answered_s": answered}


def _peak_of(pid: int | None) -> float:
    """Megabytes the process has had at the most."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


#: A child counts what its parent has until it runs its own program, so its parent is a small one.
_ASK_READER = """
import asyncio, resource, sys, tempfile
from pathlib import Path
from services.registration.spreadsheets.apart import read_apart

with tempfile.TemporaryDirectory() as directory:
    asyncio.run(read_apart(Path(sys.argv[1]), Path(directory) / "rows", max_rows=10**6))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def reader_peak_mb(path: Path) -> float:
    """Megabytes of the process that reads the file."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-c", _ASK_READER, str(path)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--usual", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.usual:
        run_usual(given.usual, given.database)
        return
    state = Path("var/bench/spreadsheets")
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    files: dict[Format, Path] = {format: state / f"rows.{format}" for format in FORMATS}
    readers: dict[str, float] = {}
    for format, path in files.items():
        asyncio.run(a_file(path, format, given.rows))
        print(f"{path.name}: {given.rows} rows, {path.stat().st_size / 1e6:.1f} MB")
        readers[format] = reader_peak_mb(path)
    runs: dict[str, list[Run]] = {f"{side} {format}": [] for format in FORMATS for side in SIDES}
    for round_ in range(given.rounds):
        for format, path in files.items():
            with Platform(
                state / f"platform-{format}-{round_}",
                ports=Ports.any(),
                servers=("kafka", "mongo", "issuer"),
                services=[REGISTRATION],
                environment={"CXC_IMPORT_MAX_ROWS": str(given.rows)},
            ) as platform:
                platform.start()
                platform.wait_ready()
                runs[f"worker {format}"].append(measure_worker(platform, path, given.rows))
                runs[f"usual {format}"].append(measure_usual(platform, path, given.rows, round_))
            for side in SIDES:
                print(
                    f"  round {round_ + 1} {side} {format}: {runs[f'{side} {format}'][-1]['seconds']:.1f} s"
                )
    report(given.rows, runs, readers)


def report(rows: int, runs: dict[str, list[Run]], readers: dict[str, float]) -> None:
    """A table for people, then one line of JSON."""
    medians = {
        name: {figure: statistics.median(run[figure] for run in found) for figure in found[0]}
        for name, found in runs.items()
    }
    print(f"\n{'':<13}{'seconds':>9}{'rows/s':>9}{'peak MB':>9}{'before MB':>11}{'reader MB':>11}")
    for name, run in medians.items():
        reader = f"{readers[name.split()[1]]:.0f}" if name.startswith("worker") else ""
        figures = f"{run['seconds']:>9.1f}{rows / run['seconds']:>9.0f}{run['peak_mb']:>9.0f}"
        print(f"{name:<13}{figures}{run['before_mb']:>11.0f}{reader:>11}")
    print(
        json.dumps(
            {
                "bench": "spreadsheets",
                "rows": rows,
                **{
                    name.replace(" ", "_"): {f: round(v, 1) for f, v in run.items()}
                    for name, run in medians.items()
                },
                "reader_peak_mb": {format: round(peak) for format, peak in readers.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
