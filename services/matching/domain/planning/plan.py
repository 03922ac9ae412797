"""What a plan is: who visits whom, who stays without a partner and why, and how good it is at the most."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class PlanCancelled(Exception):
    """Whoever asked for the plan wants it no more."""


class WhyNot(StrEnum):
    """Why somebody is not in the plan."""

    NO_HOST = "no_host"
    """There is no host a stay would be possible with."""
    HOSTS_FULL = "hosts_full"
    """All possible hosts have their places given to others."""
    SAME_ORGANISATION = "same_organisation"
    """Another registration of the organisation has the one visit."""
    CAP = "cap"
    """A limit on the number of exchanges is reached."""
    BUDGET = "budget"
    """The partnership's money is spent."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A visitor's stay at a host; both by registration id, the score in hundredths of points."""

    visitor: str
    host: str
    score: int
    proposed: bool = False
    """The two have seen each other's proposal already."""
    firm: bool = False
    """Both had agreed: no plan could have changed it."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A visitor without a host in the plan, and why."""

    visitor: str
    why: WhyNot
    sentence: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A proposal the plan does not keep, and why."""

    visitor: str
    host: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Proof:
    """How good any plan could be, by bounds over all pairs: computed with each plan, never assumed."""

    pairs: int
    """Pairs of a visitor and a host, possible or not."""
    most_exchanges: int
    """No plan within the limits has more."""
    best_value: int
    """No plan with this one's number of exchanges is worth more; see `Plan.value`."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What a visit and a place are worth to the plan, in hundredths; an exchange is worth `exchange` itself.

    A place's price is what the plan would gain by one more there; a visitor's, what it would lose
    without that visitor. Those not named are worth nothing. Limits the plan keeps without being bound
    may bind a plan with one more place: the unsure ones gain that much at the most, and lose at least
    that much.
    """

    exchange: int
    visitors: dict[str, int]
    places: dict[str, int]
    unsure_visitors: frozenset[str] = frozenset()
    unsure_places: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan for the whole pool, with its proof."""

    on: date
    weights: str
    """The rule set that scored it."""
    exchanges: tuple[Exchange, ...]
    unmatched: tuple[Unmatched, ...]
    broken: tuple[Broken, ...]
    proof: Proof
    keep: int
    """Hundredths of points a kept proposal counted beyond its score."""
    prices: Prices | None = None
    """What the optimum rests on; None where limits bind, which have no such simple proof."""

    @property
    def score(self) -> int:
        """The sum of all scores, in hundredths of points."""
        return sum(exchange.score for exchange in self.exchanges)

    @property
    def value(self) -> int:
        """What was made as high as possible once there were as many exchanges as possible: the score, and
        something for each proposal kept."""
        return self.score + self.keep * sum(exchange.proposed for exchange in self.exchanges)

    @property
    def exchanges_within(self) -> float:
        """The number of exchanges is at most so many percent below the optimum."""
        return _percent_below(len(self.exchanges), self.proof.most_exchanges)

    @property
    def value_within(self) -> float:
        """The value is at most so many percent below the optimum among plans with as many exchanges."""
        return _percent_below(self.value, self.proof.best_value)

    @property
    def is_optimal(self) -> bool:
        """Whether it is proven that no plan is better."""
        return len(self.exchanges) == self.proof.most_exchanges and self.value == self.proof.best_value


def _percent_below(reached: int, bound: int) -> float:
    return 100 * (bound - reached) / bound if bound > reached else 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the making of a plan is."""

    doing: str
    share: float
    """Done, 0 to 1; a guess."""
    exchanges: int | None = None
    """In the best plan so far."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is different for one visitor between two plans; scores in hundredths, 0 without a host."""

    visitor: str
    host_before: str | None
    host_after: str | None
    score_before: int
    score_after: int

    @property
    def gain(self) -> int:
        """Hundredths of points gained; negative for who loses."""
        return self.score_after - self.score_before


@dataclass(frozen=True, slots=True)
class Comparison:
    """Who gains and who loses when one plan replaces another, the largest difference first."""

    gaining: tuple[Change, ...]
    losing: tuple[Change, ...]
    moved: tuple[Change, ...]
    """Another host, as good."""
    more_exchanges: int
    more_score: int
    sentence: str


def compare(before: Plan, after: Plan) -> Comparison:
    """What the second plan changes for each visitor of either."""
    first = {exchange.visitor: exchange for exchange in before.exchanges}
    second = {exchange.visitor: exchange for exchange in after.exchanges}
    changes = []
    for visitor in sorted(first.keys() | second.keys()):
        was, becomes = first.get(visitor), second.get(visitor)
        changes.append(
            Change(
                visitor,
                was.host if was else None,
                becomes.host if becomes else None,
                was.score if was else 0,
                becomes.score if becomes else 0,
            )
        )
    # Being matched at all counts for more than any score.
    worth = {
        change: (
            (change.host_after is not None) - (change.host_before is not None),
            change.gain,
        )
        for change in changes
    }
    gaining = sorted((c for c in changes if worth[c] > (0, 0)), key=lambda c: worth[c], reverse=True)
    losing = sorted((c for c in changes if worth[c] < (0, 0)), key=lambda c: worth[c])
    more = len(after.exchanges) - len(before.exchanges)
    return Comparison(
        gaining=tuple(gaining),
        losing=tuple(losing),
        moved=tuple(c for c in changes if worth[c] == (0, 0) and c.host_before != c.host_after),
        more_exchanges=more,
        more_score=after.score - before.score,
        sentence=_why_counts_differ(before, after, more),
    )


def _why_counts_differ(before: Plan, after: Plan, more: int) -> str:
    known = {u.visitor for u in before.unmatched} | {e.visitor for e in before.exchanges}
    now = {u.visitor for u in after.unmatched} | {e.visitor for e in after.exchanges}
    parts = [_as_many(more)]
    if come := len(now - known):
        parts.append(f"Visitors only the second knows: {come}.")
    if gone := len(known - now):
        parts.append(f"Visitors only the first knows: {gone}.")
    for why, words in _WHY_WORDS.items():
        was = sum(unmatched.why is why for unmatched in before.unmatched)
        becomes = sum(unmatched.why is why for unmatched in after.unmatched)
        if was != becomes:
            parts.append(f"Without a partner because {words}: {becomes} instead of {was}.")
    return " ".join(parts)


def _as_many(more: int) -> str:
    if more == 0:
        return "Both plans have as many exchanges."
    noun = "exchange" if abs(more) == 1 else "exchanges"
    return f"The second plan has {abs(more)} {noun} {'more' if more > 0 else 'fewer'} than the first."


_WHY_WORDS = {
    WhyNot.NO_HOST: "no host is possible",
    WhyNot.HOSTS_FULL: "all possible hosts are full",
    WhyNot.SAME_ORGANISATION: "the organisation visits with another registration",
    WhyNot.CAP: "a limit is reached",
    WhyNot.BUDGET: "the money is spent",
}
