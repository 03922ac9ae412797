"""The best assignment on some of the pairs, by a flow of least cost, and the prices that prove it.

Visitors that share a visit right are one group, of which one may go. A pair's weight is a whole number;
the sum of the weights is made as high as possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

Array = NDArray[Any]


@dataclass(frozen=True)
class Classes:
    """Some groups, or hosts, that are limited together: of each class so many go."""

    of: Array
    """The class of each, -1 for those of none."""
    at_most: Array

    @classmethod
    def none(cls, count: int) -> Classes:
        """So many that are in no class."""
        return cls(np.full(count, -1), np.zeros(0, np.int64))


def best_flow(
    groups: Array,
    hosts: Array,
    weights: Array,
    places: Array,
    group_count: int,
    *,
    most_first: bool,
    group_classes: Classes | None = None,
    host_classes: Classes | None = None,
) -> Array:
    """Which of the pairs (a group, a host, a weight each) to take, as a mask.

    With `most_first` as many pairs as possible, and among those choices the highest sum of weights;
    else the highest sum of weights.
    """
    going = group_classes or Classes.none(group_count)
    receiving = host_classes or Classes.none(len(places))
    used = np.zeros(len(weights), np.bool_)
    worthwhile = np.arange(len(weights)) if most_first else np.flatnonzero(weights > 0)
    if not len(worthwhile):
        return used
    groups, hosts, weights = groups[worthwhile], hosts[worthwhile], weights[worthwhile]
    hosts_from = group_count
    source = hosts_from + len(places)
    sink = source + 1
    going_from = sink + 1
    receiving_from = going_from + len(going.at_most)
    node_count = receiving_from + len(receiving.at_most)
    dearest = int(weights.max())
    # From, to, capacity and cost; the pairs first, whose flows are asked for.
    arcs: list[tuple[Any, Any, Any, Any]] = [
        (groups, hosts_from + hosts, 1, dearest - weights),
        (np.where(going.of < 0, source, going_from + going.of), np.arange(group_count), 1, 0),
        (source, np.arange(going_from, receiving_from), going.at_most, 0),
        (
            np.arange(hosts_from, source),
            np.where(receiving.of < 0, sink, receiving_from + receiving.of),
            places,
            0,
        ),
        (np.arange(receiving_from, node_count), sink, receiving.at_most, 0),
    ]
    if not most_first:  # one that is not taken costs what taking nothing is worth
        arcs.append((np.array([source]), sink, group_count, dearest))
    flow = SimpleMinCostFlow()
    for arc in arcs:
        flow.add_arcs_with_capacity_and_unit_cost(
            *(np.ascontiguousarray(part, np.int64) for part in np.broadcast_arrays(*arc))
        )
    supplies = np.zeros(node_count, np.int64)
    supplies[source], supplies[sink] = group_count, -group_count
    flow.set_nodes_supplies(np.arange(node_count), supplies)
    status = flow.solve_max_flow_with_min_cost() if most_first else flow.solve()
    if status != flow.OPTIMAL:
        raise RuntimeError(f"the flow has no optimum: {status}")
    used[worthwhile] = flow.flows(np.arange(len(weights))) > 0
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
