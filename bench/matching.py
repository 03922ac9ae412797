"""The plan for the whole pool, against its size and against the usual ways of matching.

The pool is the sample programme, scaled up: visitors and hosts with one to three places each.

- `plan`: this project's. All pairs are considered, the optimum is proven over all of them;
- `scipy`: `scipy.optimize.linear_sum_assignment` on the dense table, a column for each place;
- `greedy`: the highest score first;
- `networkx`: `max_flow_min_cost` on the graph of all pairs; for small pools only.

The time of each side has the scores of all pairs in it. For large pools the peers are given the index's
scores, which some pairs fall a little short of: nobody could score all pairs one by one. For small ones they
get exact scores, for nothing. What they choose is scored exactly, and pairs that are impossible after all are
left out. Each run is a process of its own; its memory is the process's peak.

Run: `python bench/matching.py [--sizes VISITORSxHOSTS,...] [--against VISITORSxHOSTS,...]`.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ops.sample import SAMPLE_PARTNERSHIPS, sample_registrations
from services.matching.domain.fit import Prospect
from services.matching.domain.planning.problem import PlanProblem
from services.matching.domain.planning.scores import PoolScores, ScoreTable
from services.matching.domain.planning.solve import make_plan
from services.matching.weights_on_file import weights_in
from shared.contracts.common import Party, Place
from shared.contracts.registration import Profile, Submission
from shared.contracts.vocabulary import Role
from shared.partnerships import Partnerships

Size = tuple[int, int]
Run = dict[str, Any]

START = date(2027, 2, 1)
STATE = Path("var/bench/matching")
MOST_PLACES = 3
SIZES = "1000x500,2500x1250,5000x2500,10000x5000,20000x10000,50000x20000"
AGAINST = "300x150,1000x500,10000x5000"
SMALL = 50_000
"""Pairs up to which networkx takes part."""
SCORED = 500_000
"""Pairs up to which the peers get exact scores."""

PEERS = ("scipy", "greedy", "networkx")
MODULES = {"scipy": "scipy.optimize", "networkx": "networkx"}


# ── the pool ─────────────────────────────────────────────────────────────────────────────────


def a_pool(visitors: int, hosts: int) -> list[Prospect]:
    """So many of each out of the sample programme; one that is both may be needed as one of them only."""
    partnerships = list(Partnerships.load(SAMPLE_PARTNERSHIPS))
    wanted = {Role.VISITOR: visitors, Role.HOST: hosts}
    members: list[Prospect] = []
    sample = sample_registrations(1, 10 * (visitors + hosts), start=START, partnerships=partnerships)
    for number, registration in enumerate(sample):
        submission = Submission.model_validate(registration.data)
        roles = [role for role in submission.roles if wanted[role]]
        for role in roles:
            wanted[role] -= 1
        if roles:
            partnership = next(
                (one for one in partnerships if one.id == submission.partnership),
                next((p for p in partnerships if set(p.ecosystems) & set(submission.ecosystems)), None),
            )
            party, profile = _member(registration.reference, submission, roles)
            members.append(
                Prospect.of(
                    party.model_copy(update={"partnership": partnership.id if partnership else None}),
                    profile,
                    served=partnership.ecosystems if partnership else [],
                    since=datetime(2027, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
                )
            )
        if not any(wanted.values()):
            break
    return members


def _member(id: str, submission: Submission, roles: list[Role]) -> tuple[Party, Profile]:
    organisation, wishes = submission.organisation, submission.preferences
    party = Party(
        registration_id=id,
        organisation=organisation.name,
        kind=organisation.kind,
        place=Place(
            country=organisation.country, city=organisation.city, lat=organisation.lat, lon=organisation.lon
        ),
        email=submission.participant.email,
        roles=roles,
        owner=id,
        identifiers=[f"pic:{organisation.pic}"],
    )
    profile = Profile(
        goals=submission.goals,
        ecosystems=submission.ecosystems,
        offers=submission.offers,
        needs=submission.needs,
        languages=submission.languages,
        availability=submission.availability,
        preferred_countries=wishes.countries,
        preferred_working_days=wishes.working_days,
        host_places=min(submission.host_places, MOST_PLACES),
        motivation=submission.motivation,
    )
    return party, profile


def pool_file(size: Size) -> Path:
    """A pool of that size in a file."""
    path = STATE / f"pool-{size[0]}x{size[1]}.pickle"
    path.write_bytes(pickle.dumps(a_pool(*size)))
    return path


# ── the sides, each in a process of its own ──────────────────────────────────────────────────


def run_side(side: str, path: Path) -> Run:
    """Match the pool in the file; time from the pool in memory to the pairs."""
    members: list[Prospect] = pickle.loads(path.read_bytes())
    if side in MODULES:
        import_module(MODULES[side])
    started, used = time.perf_counter(), time.process_time()
    problem = PlanProblem.of(members, weights=weights_in().on(START), on=START)
    if side == "plan":
        plan = make_plan(problem)
        run: Run = {
            "exchanges": len(plan.exchanges),
            "score": plan.score / 100,
            "exchanges_within_percent": plan.exchanges_within,
            "score_within_percent": plan.value_within,
        }
        seconds, cpu = time.perf_counter() - started, time.process_time() - used
    else:
        scores = PoolScores(problem)
        held = ScoreTable(scores)
        table = held.rows(0, len(problem.visitors))
        if table.size <= SCORED:
            paused, paused_cpu = time.perf_counter(), time.process_time()
            held.exact(*np.nonzero(table >= 0))
            started += time.perf_counter() - paused
            used += time.process_time() - paused_cpu
        places = np.array([problem.places(host) for host in problem.hosts], np.int64)
        chosen = {"scipy": by_scipy, "greedy": by_greedy, "networkx": by_networkx}[side](table, places)
        seconds, cpu = time.perf_counter() - started, time.process_time() - used
        exact = scores.exact(*chosen)
        run = {"exchanges": int((exact >= 0).sum()), "score": int(exact[exact >= 0].sum()) / 100}
    # Not by getrusage, which knows the process that started this one too.
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak, **run}


def by_scipy(table: Any, places: Any) -> tuple[Any, Any]:
    """As many as possible, then the highest score, by a dense assignment."""
    from scipy.optimize import linear_sum_assignment

    slots = np.repeat(np.arange(len(places)), places)
    # More than all scores together, and still exact in a float.
    weights = np.where(table >= 0, table + 10_001.0 * len(table), 0.0)[:, slots]
    visitors, columns = linear_sum_assignment(weights, maximize=True)
    hosts = slots[columns]
    possible = table[visitors, hosts] >= 0
    return visitors[possible], hosts[possible]


def by_greedy(table: Any, places: Any) -> tuple[Any, Any]:
    """The highest score first, as long as both are free."""
    m = table.shape[1]
    possible = np.flatnonzero(table.ravel() >= 0)
    order = possible[np.argsort(-table.ravel()[possible].astype(np.int32), kind="stable")]
    left, free = places.tolist(), [True] * len(table)
    visitors, hosts = [], []
    for start in range(0, len(order), 1_000_000):
        for visitor, host in zip(
            *(part.tolist() for part in np.divmod(order[start : start + 1_000_000], m)), strict=True
        ):
            if free[visitor] and left[host]:
                free[visitor] = False
                left[host] -= 1
                visitors.append(visitor)
                hosts.append(host)
    return np.array(visitors), np.array(hosts)


def by_networkx(table: Any, places: Any) -> tuple[Any, Any]:
    """As many as possible, then the highest score, by a flow in pure Python."""
    import networkx

    graph = networkx.DiGraph()
    for visitor, row in enumerate(table.tolist()):
        graph.add_edge("from", ("v", visitor), capacity=1, weight=0)
        for host, score in enumerate(row):
            if score >= 0:
                graph.add_edge(("v", visitor), ("h", host), capacity=1, weight=-score)
    for host, count in enumerate(places.tolist()):
        graph.add_edge(("h", host), "to", capacity=count, weight=0)
    flow = networkx.max_flow_min_cost(graph, "from", "to")
    pairs = [(v, h) for v in range(len(table)) for (_, h), taken in flow.get(("v", v), {}).items() if taken]
    visitors, hosts = zip(*pairs, strict=True)
    return np.array(visitors), np.array(hosts)


# ── the benchmark ────────────────────────────────────────────────────────────────────────────


def measure(side: str, path: Path) -> Run:
    """One side in a fresh process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, __file__, "--side", side, "--pool", str(path)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    run: Run = json.loads(done.stdout.splitlines()[-1])
    return run


def _sizes(text: str) -> list[Size]:
    return [(int(v), int(h)) for v, _, h in (size.partition("x") for size in text.split(",") if size)]


HEADER = f"{'seconds':>9}{'cpu s':>8}{'peak MB':>9}{'exchanges':>11}"


def _figures(run: Run) -> str:
    return f"{run['seconds']:>9.2f}{run['cpu_seconds']:>8.2f}{run['peak_mb']:>9.0f}{run['exchanges']:>11}"


def curve(sizes: list[Size]) -> dict[str, Run]:
    """What a plan costs at each size."""
    print(f"{'visitors x hosts':<18}{'pairs':>15}{HEADER}{'within':>9}")
    runs: dict[str, Run] = {}
    for size in sizes:
        path = pool_file(size)
        run = runs[f"{size[0]}x{size[1]}"] = measure("plan", path)
        path.unlink()
        within = max(run["exchanges_within_percent"], run["score_within_percent"])
        named = f"{size[0]:>6} x {size[1]:<9}{size[0] * size[1]:>15,}"
        print(f"{named}{_figures(run)}{within:>8.3f}%", flush=True)
    return runs


def against_peers(sizes: list[Size]) -> dict[str, dict[str, Run]]:
    """The plan and its peers on the same pools."""
    runs: dict[str, dict[str, Run]] = {}
    for size in sizes:
        path = pool_file(size)
        found = runs[f"{size[0]}x{size[1]}"] = {}
        print(f"\n{f'{size[0]} x {size[1]}':<14}{HEADER}{'score':>14}")
        for side in ("plan", *PEERS):
            if side == "networkx" and size[0] * size[1] > SMALL:
                continue
            run = found[side] = measure(side, path)
            print(f"  {side:<12}{_figures(run)}{run['score']:>14,.2f}", flush=True)
        path.unlink()
    return runs


def ratios(found: dict[str, Run]) -> dict[str, dict[str, float]]:
    """Each peer's figures as a multiple of the plan's."""
    plan = found["plan"]
    return {
        side: {
            figure: round(run[figure] / plan[figure], 4)
            for figure in ("seconds", "cpu_seconds", "peak_mb", "exchanges", "score")
        }
        for side, run in found.items()
        if side != "plan"
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=_sizes, default=_sizes(SIZES))
    parser.add_argument("--against", type=_sizes, default=_sizes(AGAINST))
    parser.add_argument("--side", choices=("plan", *PEERS), help=argparse.SUPPRESS)
    parser.add_argument("--pool", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        print(json.dumps(run_side(given.side, given.pool)))
        return
    STATE.mkdir(parents=True, exist_ok=True)
    sizes = curve(given.sizes)
    peers = against_peers(given.against)
    rounded = {
        size: {side: {f: round(v, 3) for f, v in run.items()} for side, run in found.items()}
        for size, found in peers.items()
    }
    print(
        json.dumps(
            {
                "bench": "matching",
                "curve": {size: {f: round(v, 3) for f, v in run.items()} for size, run in sizes.items()},
                "against": rounded,
                "ratios": {size: ratios(found) for size, found in peers.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
