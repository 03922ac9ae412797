"""Making the plan: from organisations to numbers, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.matching.domain import fit as fits
from services.matching.domain.planning.flow import least_prices
from services.matching.domain.planning.limited import keeps_within, limited
from services.matching.domain.planning.limits import Limit, limits_of
from services.matching.domain.planning.optimum import Optimum, Pairs, Pool, optimum
from services.matching.domain.planning.plan import (
    Broken,
    Exchange,
    Plan,
    PlanCancelled,
    Prices,
    Progress,
    Proof,
    Unmatched,
    WhyNot,
)
from services.matching.domain.planning.problem import PlanProblem
from services.matching.domain.planning.scores import IMPOSSIBLE, PoolScores, ScoreTable
from services.matching.domain.pool import claim_keys

Array = NDArray[Any]
Pair = tuple[int, int]
"""Positions of a visitor and a host in the problem."""


def make_plan(
    problem: PlanProblem,
    *,
    progress: Callable[[Progress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    enough: Callable[[], bool] = lambda: False,
) -> Plan:
    """The best plan for this problem, with its proof; the same problem gives the same plan.

    `progress` is told now and then how far it is, and `cancelled` is asked as often. Raises
    `PlanCancelled` once it says so. Where limits bind, the plan is the best found until `enough` says so,
    and its proof what is proven by then.
    """

    def step(doing: str, share: float, exchanges: int) -> None:
        if cancelled():
            raise PlanCancelled
        progress(Progress(doing, share, exchanges or None))

    return _Making(problem, step, enough).plan()


class _Making:
    """One plan in the making."""

    def __init__(
        self, problem: PlanProblem, step: Callable[[str, float, int], None], enough: Callable[[], bool]
    ) -> None:
        self._problem = problem
        self._step = step
        self._enough = enough
        visitors = {prospect.id: number for number, prospect in enumerate(problem.visitors)}
        hosts = {prospect.id: number for number, prospect in enumerate(problem.hosts)}
        self._firm: list[Pair] = []
        self._proposed: list[Pair] = []
        self._gone: list[tuple[str, str]] = []
        for proposal in problem.proposals:
            if proposal.visitor not in visitors or proposal.host not in hosts:
                self._gone.append((proposal.visitor, proposal.host))
                continue
            pair = visitors[proposal.visitor], hosts[proposal.host]
            (self._firm if proposal.firm else self._proposed).append(pair)
        self._sharing = _Sharing.of(problem, {visitor for visitor, _ in self._firm})
        self._scores = PoolScores(problem)

    def plan(self) -> Plan:
        """Solve it and say what came out."""
        problem = self._problem
        free = np.array([problem.places(host) for host in problem.hosts], np.int64)
        np.subtract.at(free, [host for _, host in self._firm], 1)
        free = np.maximum(free, 0)
        table = ScoreTable(
            _WithoutTaken(self._scores, self._sharing.taken),
            lambda share: self._step("comparing", 0.3 * share, 0),
        )
        pool = Pool(table, self._sharing.groups, free, dict.fromkeys(self._proposed, problem.keep))
        found = optimum(pool, self._step)
        limits = [*limits_of(problem, self._firm), *self._sharing.limits]
        pairs, used = found.pairs, found.used
        most, best_value = int(used.sum()), int(pairs.scores[used].sum())
        free_of_limits = keeps_within(pairs, used, limits)
        if not free_of_limits:
            result = limited(pool, limits, found, self._step, self._enough)
            pairs, used, most, best_value = result.pairs, result.used, result.most, result.best_value
        self._step("explaining", 0.98, int(used.sum()))
        exchanges = self._exchanges(pairs, used)
        firm_score = sum(exchange.score for exchange in exchanges if exchange.firm)
        return Plan(
            on=problem.on,
            weights=problem.weights.rule_set,
            exchanges=exchanges,
            unmatched=self._unmatched(table, pairs, used, free, [] if free_of_limits else limits),
            broken=self._broken(exchanges),
            proof=Proof(
                pairs=len(problem.visitors) * len(problem.hosts),
                most_exchanges=most + len(self._firm),
                best_value=best_value + firm_score,
            ),
            keep=problem.keep,
            prices=self._prices(pool, found, limits) if free_of_limits else None,
        )

    def _exchanges(self, pairs: Pairs, used: Array) -> tuple[Exchange, ...]:
        problem, proposed = self._problem, set(self._proposed)
        chosen = {
            (visitor, host): score - (problem.keep if (visitor, host) in proposed else 0)
            for visitor, host, score in zip(
                pairs.visitors[used].tolist(),
                pairs.hosts[used].tolist(),
                pairs.scores[used].tolist(),
                strict=True,
            )
        }
        # Both sides agreed: what their availability says by now is no reason against it.
        chosen |= {pair: max(0, self._scores.of(*pair)) for pair in self._firm}
        return tuple(
            Exchange(
                problem.visitors[visitor].id,
                problem.hosts[host].id,
                score,
                proposed=(visitor, host) in proposed,
                firm=(visitor, host) in self._firm,
            )
            for (visitor, host), score in sorted(chosen.items())
        )

    def _unmatched(
        self, table: ScoreTable, pairs: Pairs, used: Array, free: Array, limits: Sequence[Limit]
    ) -> tuple[Unmatched, ...]:
        problem = self._problem
        matched = dict(zip(pairs.visitors[used].tolist(), pairs.hosts[used].tolist(), strict=True))
        going = set(matched) | {visitor for visitor, _ in self._firm}
        left = free - np.bincount(pairs.hosts[used], minlength=len(free))
        reached = [
            limit.at_most - int(limit.taken(pairs.visitors[used], pairs.hosts[used]).sum())
            for limit in limits
        ]
        keys_used = {key for visitor in going for key in claim_keys(problem.visitors[visitor])}
        found: list[Unmatched] = []
        for number, visitor in enumerate(problem.visitors):
            if number in going:
                continue
            if not keys_used.isdisjoint(claim_keys(visitor)):
                why, sentence = WhyNot.SAME_ORGANISATION, "The organisation visits with another registration."
            else:
                why, sentence = self._why(table, number, left, list(zip(limits, reached, strict=True)))
            found.append(Unmatched(visitor.id, why, sentence))
        return tuple(found)

    def _why(
        self, table: ScoreTable, visitor: int, left: Array, limits: Sequence[tuple[Limit, int]]
    ) -> tuple[WhyNot, str]:
        hosts = np.flatnonzero(table.rows(visitor, visitor + 1)[0] != IMPOSSIBLE)
        with_place = hosts[left[hosts] > 0]
        for limit, reached in limits:
            beyond = with_place[limit.taken(np.array([visitor]), with_place) > reached]
            if any(self._is_possible(visitor, host) for host in beyond.tolist()):
                return limit.why, limit.sentence
        if any(self._is_possible(visitor, host) for host in hosts.tolist()):
            return (
                WhyNot.HOSTS_FULL,
                "All hosts a stay would be possible with have their places given to others.",
            )
        return WhyNot.NO_HOST, "There is no host in the pool a stay would be possible with."

    def _is_possible(self, visitor: int, host: int) -> bool:
        return self._scores.of(visitor, host) != IMPOSSIBLE

    def _broken(self, exchanges: Sequence[Exchange]) -> tuple[Broken, ...]:
        problem = self._problem
        kept = {(exchange.visitor, exchange.host) for exchange in exchanges if exchange.proposed}
        broken = [
            Broken(visitor, host, "One of the two takes no part any more.") for visitor, host in self._gone
        ]
        for visitor, host in self._proposed:
            one, other = problem.visitors[visitor], problem.hosts[host]
            if (one.id, other.id) in kept:
                continue
            against = fits.constraints(one, other, problem.on)
            sentence = " ".join(against) or "The plan gains more than was set for keeping it."
            broken.append(Broken(one.id, other.id, sentence))
        return tuple(sorted(broken, key=lambda each: (each.visitor, each.host)))

    def _prices(self, pool: Pool, found: Optimum, limits: Sequence[Limit]) -> Prices:
        problem = self._problem
        sure_visitors, sure_hosts = self._sure(pool, found, limits)
        visitors = {
            visitor.id: price
            for visitor, price in zip(problem.visitors, found.group_price[pool.groups].tolist(), strict=True)
            if price
        }
        places = {
            host.id: price
            for host, price in zip(problem.hosts, found.host_price.tolist(), strict=True)
            if price
        }
        return Prices(
            pool.one_exchange,
            visitors,
            places,
            frozenset(v.id for v, sure in zip(problem.visitors, sure_visitors, strict=True) if not sure),
            frozenset(h.id for h, sure in zip(problem.hosts, sure_hosts, strict=True) if not sure),
        )

    def _sure(self, pool: Pool, found: Optimum, limits: Sequence[Limit]) -> tuple[Array, Array]:
        """Whose prices hold within the limits as well, as masks of visitors and hosts.

        One more place lets at most one go who stays out now. If the prices are the same without those
        who share a visit with somebody in the plan, no visit is used twice.
        """
        pairs, used = found.pairs, found.used
        if any(limit.why is not WhyNot.SAME_ORGANISATION for limit in limits):
            return np.zeros(len(pool.groups), np.bool_), found.host_price == 0
        going = np.zeros(len(pool.groups), np.bool_)
        going[pairs.visitors[used]] = True
        sharing = np.zeros(len(pool.groups), np.bool_)
        for limit in limits:
            if (limit.visitors & going).any():
                sharing |= limit.visitors & ~going
        if not sharing.any():
            return ~sharing, np.ones(len(pool.places), np.bool_)
        # A bound would promise what no plan can hold.
        known = pairs.exact & ~sharing[pairs.visitors]
        group_price, host_price = least_prices(
            pool.groups[pairs.visitors[known]],
            pairs.hosts[known],
            pairs.scores[known] + pool.one_exchange,
            used[known],
            pool.places,
            pool.group_count,
        )
        sure_groups = group_price == found.group_price
        return sure_groups[pool.groups] & ~sharing, host_price == found.host_price


class _WithoutTaken:
    """The scores, where visitors whose visit a firm pair uses can go nowhere."""

    def __init__(self, scores: PoolScores, taken: set[int]) -> None:
        self._scores = scores
        self._taken = taken
        self.shape = scores.shape

    def at_most(self, first: int, last: int) -> Array:
        """A row for each of these visitors."""
        rows = self._scores.at_most(first, last)
        rows[[visitor - first for visitor in self._taken if first <= visitor < last]] = IMPOSSIBLE
        return rows

    def exact(self, visitors: Array, hosts: Array) -> Array:
        """The scores of these pairs."""
        return self._scores.exact(visitors, hosts)


@dataclass(frozen=True)
class _Sharing:
    """Who shares a visit right with whom.

    Registrations of which any two share one are a group. Where some do and others don't (one shares
    with two that share nothing with each other) each is a group, and each key a limit.
    """

    groups: Array
    limits: list[Limit]
    taken: set[int]
    """Visitors whose visit one of the firm pairs uses."""

    @classmethod
    def of(cls, problem: PlanProblem, firm: set[int]) -> _Sharing:
        """The groups of the problem's visitors."""
        keys = [set(claim_keys(visitor)) for visitor in problem.visitors]
        holders: dict[str, list[int]] = {}
        for number, held in enumerate(keys):
            for key in held:
                holders.setdefault(key, []).append(number)
        used = {key for visitor in firm for key in keys[visitor]}
        group_of: dict[int, int] = {}
        crossing: set[str] = set()
        count = 0
        for number in range(len(keys)):
            if number in group_of:
                continue
            members = _connected(number, keys, holders)
            if all(keys[one] & keys[other] for one in members for other in members):
                group_of |= dict.fromkeys(members, count)
                count += 1
                continue
            for member in sorted(members):
                group_of[member] = count
                count += 1
                crossing |= keys[member]
        everyone = np.ones(len(problem.hosts), np.bool_)
        limits = [
            Limit(
                WhyNot.SAME_ORGANISATION,
                "The organisation visits with another registration.",
                1,
                np.isin(np.arange(len(keys)), holders[key]),
                everyone,
            )
            for key in sorted(crossing)
            if len(holders[key]) > 1
        ]
        groups = np.array([group_of[number] for number in range(len(keys))], np.int64)
        return cls(groups, limits, {number for number, held in enumerate(keys) if held & used})


def _connected(start: int, keys: list[set[str]], holders: dict[str, list[int]]) -> set[int]:
    found, to_see = {start}, [start]
    while to_see:
        for key in keys[to_see.pop()]:
            new = set(holders[key]) - found
            found |= new
            to_see.extend(new)
    return found
