"""Making the plan."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ortools.sat.python import cp_model

from services.matching.domain.planning.plan import (
    Broken,
    Exchange,
    Plan,
    PlanCancelled,
    Progress,
    Proof,
    Unmatched,
    WhyNot,
)
from services.matching.domain.planning.problem import PlanProblem
from services.matching.domain.planning.scores import IMPOSSIBLE, PoolScores
from services.matching.domain.pool import claim_keys


def make_plan(
    problem: PlanProblem,
    *,
    progress: Callable[[Progress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Plan:
    """The best plan for this problem, with its proof.

    `progress` is told now and then how far it is; `cancelled` is asked as often. Raises
    `PlanCancelled` once it says so.
    """
    progress(Progress("comparing", 0.0))
    if cancelled():
        raise PlanCancelled
    scores = PoolScores(problem)
    n, m = scores.shape
    visitors = {prospect.id: number for number, prospect in enumerate(problem.visitors)}
    hosts = {prospect.id: number for number, prospect in enumerate(problem.hosts)}
    known = [p for p in problem.proposals if p.visitor in visitors and p.host in hosts]
    firm = {(visitors[p.visitor], hosts[p.host]) for p in known if p.firm}
    proposed = {(visitors[p.visitor], hosts[p.host]) for p in known if not p.firm}
    rows, cols = (grid.ravel() for grid in np.meshgrid(np.arange(n), np.arange(m), indexing="ij"))
    exact = dict(
        zip(zip(rows.tolist(), cols.tolist(), strict=True), scores.exact(rows, cols).tolist(), strict=True)
    )
    possible = {pair: max(score, 0) for pair, score in exact.items() if score != IMPOSSIBLE or pair in firm}

    model = cp_model.CpModel()
    chosen = {pair: model.new_bool_var("") for pair in possible}
    for pair in firm:
        model.add(chosen[pair] == 1)
    sharing: dict[str, list[int]] = {}
    for number, prospect in enumerate(problem.visitors):
        for key in claim_keys(prospect):
            sharing.setdefault(key, []).append(number)
    for members in sharing.values():
        model.add_at_most_one(chosen[pair] for pair in possible if pair[0] in members)
    for j, host in enumerate(problem.hosts):
        taken = sum(pair[1] == j for pair in firm)
        model.add(sum(chosen[p] for p in possible if p[1] == j) <= max(problem.places(host), taken))
    pairs_of = {pair: (problem.visitors[pair[0]], problem.hosts[pair[1]]) for pair in possible}
    for cap in problem.caps:
        model.add(sum(chosen[p] for p in possible if cap.counts(*pairs_of[p])) <= cap.at_most)
    for partnership, cents in problem.budgets.items():
        paid = [p for p in possible if pairs_of[p][0].party.partnership == partnership]
        model.add(sum(chosen[p] * problem.cents(*pairs_of[p]) for p in paid) <= cents)

    count = sum(chosen.values())
    value = sum(
        variable * (possible[pair] + problem.keep * (pair in proposed)) for pair, variable in chosen.items()
    )
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    model.maximize(count)
    solver.solve(model)
    most = round(solver.objective_value)
    model.add(count == most)
    model.maximize(value)
    solver.solve(model)
    taken_pairs = sorted(pair for pair, variable in chosen.items() if solver.value(variable))
    exchanges = tuple(
        Exchange(
            problem.visitors[i].id,
            problem.hosts[j].id,
            possible[i, j],
            proposed=(i, j) in proposed,
            firm=(i, j) in firm,
        )
        for i, j in taken_pairs
    )
    matched = {i for i, _ in taken_pairs}
    progress(Progress("done", 1.0, len(exchanges)))
    return Plan(
        on=problem.on,
        weights=problem.weights.rule_set,
        exchanges=exchanges,
        unmatched=tuple(
            Unmatched(prospect.id, WhyNot.HOSTS_FULL, "All hosts a stay would be possible with are full.")
            for number, prospect in enumerate(problem.visitors)
            if number not in matched
        ),
        broken=tuple(
            Broken(problem.visitors[i].id, problem.hosts[j].id, "The plan gains more without it.")
            for i, j in sorted(proposed - set(taken_pairs))
        ),
        proof=Proof(n * m, most, round(solver.objective_value)),
        keep=problem.keep,
    )
