"""The best assignment on some of the pairs, by a flow of least cost, and the prices that prove it.

Visitors that share a visit right are one group, of which one may go. A pair's weight is a whole number;
the sum of the weights is made as high as possible.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

Array = NDArray[Any]


def best_flow(
    groups: Array, hosts: Array, weights: Array, places: Array, group_count: int, *, most_first: bool
) -> Array:
    """Which of the pairs (a group, a host, a weight each) to take, as a mask.

    With `most_first` as many pairs as possible, and among those choices the highest sum of weights;
    else the highest sum of weights.
    """
    used = np.zeros(len(weights), np.bool_)
    worthwhile = np.arange(len(weights)) if most_first else np.flatnonzero(weights > 0)
    if not len(worthwhile):
        return used
    groups, hosts, weights = groups[worthwhile], hosts[worthwhile], weights[worthwhile]
    host_count = len(places)
    source, sink = group_count + host_count, group_count + host_count + 1
    dearest = int(weights.max())
    tails = [np.full(group_count, source), groups, group_count + np.arange(host_count)]
    heads = [np.arange(group_count), group_count + hosts, np.full(host_count, sink)]
    capacities = [np.ones(group_count, np.int64), np.ones(len(weights), np.int64), places]
    costs = [np.zeros(group_count, np.int64), dearest - weights, np.zeros(host_count, np.int64)]
    if not most_first:  # one that is not taken costs what taking nothing is worth
        tails.append(np.array([source]))
        heads.append(np.array([sink]))
        capacities.append(np.array([group_count]))
        costs.append(np.array([dearest]))
    flow = SimpleMinCostFlow()
    flow.add_arcs_with_capacity_and_unit_cost(
        *(np.concatenate(part).astype(np.int64) for part in (tails, heads, capacities, costs))
    )
    supplies = np.zeros(group_count + host_count + 2, np.int64)
    supplies[source], supplies[sink] = group_count, -group_count
    flow.set_nodes_supplies(np.arange(len(supplies)), supplies)
    status = flow.solve_max_flow_with_min_cost() if most_first else flow.solve()
    if status != flow.OPTIMAL:
        raise RuntimeError(f"the flow has no optimum: {status}")
    used[worthwhile] = flow.flows(np.arange(group_count, group_count + len(weights))) > 0
    return used


def least_prices(
    groups: Array, hosts: Array, weights: Array, used: Array, places: Array, group_count: int
) -> tuple[Array, Array]:
    """The price of being a group and of a place at a host, for an optimal choice of pairs.

    No pair's weight exceeds the sum of its two prices, and those taken equal it; a group not taken and
    a host with a free place have price 0: together that proves the optimum. Of all such prices these are
    the least for the hosts and the highest for the groups, so that a host's is what one more place there
    would add to the optimum, and a group's what is lost without it.
    """
    host_of = np.full(group_count, -1)
    host_of[groups[used]] = hosts[used]
    weight_of = np.zeros(group_count, np.int64)
    weight_of[groups[used]] = weights[used]
    full = np.bincount(hosts[used], minlength=len(places)) >= places
    price = np.zeros(len(places), np.int64)

    waiting = host_of[groups] < 0
    np.maximum.at(price, hosts[waiting], weights[waiting])
    price[~full] = 0
    order = np.flatnonzero(~waiting)
    order = order[np.argsort(hosts[order], kind="stable")]
    if len(order):
        # A host is worth what one of its rivals' visitors would gain by coming, and what that frees there.
        gain = weights[order] - weight_of[groups[order]]
        now_at = host_of[groups[order]]
        starts = np.flatnonzero(np.r_[True, np.diff(hosts[order]) > 0])
        wanted = hosts[order][starts]
        while True:
            best = np.maximum.reduceat(gain + price[now_at], starts)
            raised = np.where(full[wanted], np.maximum(price[wanted], best), 0)
            if np.array_equal(raised, price[wanted]):
                break
            price[wanted] = raised
    group_price = np.zeros(group_count, np.int64)
    group_price[groups[used]] = weights[used] - price[hosts[used]]
    return group_price, price
