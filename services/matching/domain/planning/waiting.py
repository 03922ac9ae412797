"""Among plans that are equally good, the one for those who have waited longer.

Which groups can be in an optimal plan together is a matroid: starting from any optimal plan and letting
each group that is left out take the place of the one that has waited least, if that one has waited less,
leads to the plan in which those in it have waited longest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def longest_waiting_first(
    groups: Array, hosts: Array, tight: Array, used: Array, group_price: Array
) -> Array:
    """An equally good choice of the pairs, as a mask; groups are numbered in the order they have waited.

    `tight` are the pairs that weigh as much as their prices: an optimal choice has no others, and may
    leave out whom the plan loses nothing without, by price 0.
    """
    pairs_of: dict[int, list[int]] = {}
    for pair in np.flatnonzero(tight).tolist():
        pairs_of.setdefault(int(groups[pair]), []).append(pair)
    pair_of = {int(groups[pair]): pair for pair in np.flatnonzero(used).tolist()}
    guests: dict[int, set[int]] = {}
    for group, pair in pair_of.items():
        guests.setdefault(int(hosts[pair]), set()).add(group)
    host_of = hosts.tolist()
    no_use: set[int] = set()
    """Groups from which nobody who waited less can be reached: true also for all who come later."""

    for newcomer in sorted(pairs_of.keys() - pair_of.keys()):
        if group_price[newcomer]:
            continue
        came_by: dict[int, tuple[int, int]] = {}
        """For each group reached, who would take its place, and with which pair."""
        to_see, seen_hosts = [newcomer], set[int]()
        while to_see:
            group = to_see.pop()
            for pair in pairs_of[group]:
                host = host_of[pair]
                if host in seen_hosts:
                    continue
                seen_hosts.add(host)
                for guest in sorted(guests.get(host, ())):
                    if guest not in came_by and guest not in no_use:
                        came_by[guest] = (group, pair)
                        to_see.append(guest)
        leaver = max((group for group in came_by if not group_price[group]), default=-1)
        if leaver < newcomer:
            no_use |= came_by.keys()
            continue
        moves: list[tuple[int, int]] = []
        taken_from = leaver
        while taken_from != newcomer:
            moves.append(came_by[taken_from])
            taken_from = moves[-1][0]
        guests[host_of[pair_of.pop(leaver)]].remove(leaver)
        for group, pair in moves:
            if group in pair_of:
                guests[host_of[pair_of[group]]].remove(group)
            pair_of[group] = pair
            guests[host_of[pair]].add(group)
    chosen = np.zeros(len(groups), np.bool_)
    chosen[list(pair_of.values())] = True
    return chosen
