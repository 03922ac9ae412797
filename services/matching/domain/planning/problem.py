"""What a plan is asked for: the pool as it stands, what staff limit, and what people have seen already."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final, Self

from services.matching.domain.fit import Prospect, cosine_of_distance
from services.matching.domain.pool import claim_keys
from services.matching.domain.stay import Span
from services.matching.domain.weights import Weights
from shared.contracts.vocabulary import Ecosystem
from shared.errors import RuleBroken

FULL_LUMP_SUM_DAYS: Final = 5
"""A stay of fewer working days is paid half (CXC FAQ, "Funding")."""


class CapsContradict(RuleBroken):
    """No plan can keep within the limits that were set; the sentence names each of them."""

    code = "caps-contradict"
    title = "The limits of the plan contradict each other"


class CapOn(StrEnum):
    """What the exchanges of a plan are counted by."""

    HOST_COUNTRY = "host_country"
    VISITOR_COUNTRY = "visitor_country"
    PARTNERSHIP = "partnership"
    """The visitor's, which pays."""
    ECOSYSTEM = "ecosystem"
    """An exchange counts for each one both sides work in."""


@dataclass(frozen=True, slots=True)
class Cap:
    """The most exchanges a plan may have in one country, partnership or ecosystem."""

    on: CapOn
    of: str
    at_most: int

    def __str__(self) -> str:
        return f"at most {self.at_most} exchanges with {self.on.replace('_', ' ')} {self.of}"

    def counts(self, visitor: Prospect, host: Prospect) -> bool:
        """Whether an exchange of these two is one of those it limits."""
        match self.on:
            case CapOn.HOST_COUNTRY:
                return host.party.place.country == self.of
            case CapOn.VISITOR_COUNTRY:
                return visitor.party.place.country == self.of
            case CapOn.PARTNERSHIP:
                return visitor.party.partnership == self.of
            case CapOn.ECOSYSTEM:
                return bool(visitor.ecosystems & host.ecosystems & ecosystem_bit(self.of))


def ecosystem_bit(name: str) -> int:
    """The ecosystem's bit in a prospect's mask, 0 for one that does not exist."""
    return next((1 << bit for bit, ecosystem in enumerate(Ecosystem) if ecosystem == name), 0)


@dataclass(frozen=True, slots=True)
class LumpSums:
    """What an exchange is estimated to cost, in cents: by the host's country, halved as the scheme does.

    Funding decides the amount from the days and places of the stay; a plan knows only how long the
    visitor wishes to stay and about how far it is. A country without a rate counts as the dearest.
    """

    full: Mapping[str, int] = field(default_factory=dict)
    """Cents of a full lump sum by the host's country."""

    def rate(self, country: str) -> int:
        """Cents of a full lump sum in that country."""
        return self.full.get(country, max(self.full.values(), default=0))

    def cents(self, visitor: Prospect, host: Prospect, full_km: float) -> int:
        """The estimate for a stay of this visitor there."""
        rate = self.rate(host.party.place.country)
        return half(rate) if stays_briefly(visitor) or _near(visitor, host, full_km) else rate


def half(cents: int) -> int:
    """Half of it, rounded up: an estimate should not promise what is not there."""
    return -(-cents // 2)


def stays_briefly(visitor: Prospect) -> bool:
    """Whether the stay the visitor wishes for is paid half wherever it goes."""
    return 0 < visitor.wished_days < FULL_LUMP_SUM_DAYS


def _near(visitor: Prospect, host: Prospect, km: float) -> bool:
    if visitor.point is None or host.point is None:
        return False
    return sum(a * b for a, b in zip(visitor.point, host.point, strict=True)) > cosine_of_distance(km)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pair that has been proposed already; a firm one was agreed by both and stays in any plan."""

    visitor: str
    host: str
    firm: bool = False


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """All that a plan depends on; the same problem gives the same plan. Can be pickled.

    Visitors and hosts come in the order in which they have waited, the longest first.
    """

    visitors: tuple[Prospect, ...]
    hosts: tuple[Prospect, ...]
    weights: Weights
    on: date
    """Stays begin on this day or later."""
    proposals: tuple[Proposal, ...] = ()
    keep: int = 0
    """Hundredths of points a plan must gain for each proposal it breaks."""
    caps: tuple[Cap, ...] = ()
    budgets: Mapping[str, int] = field(default_factory=dict)
    """Cents left, by the visitor's partnership; a partnership not named is not limited."""
    lump_sums: LumpSums = LumpSums()
    apart: frozenset[tuple[str, str]] = frozenset()
    """Visitors and hosts of which one has said no to the other."""

    @classmethod
    def of(
        cls,
        prospects: Iterable[Prospect],
        *,
        weights: Weights,
        on: date,
        used: Collection[str] = (),
        proposals: Iterable[Proposal] = (),
        keep: int = 0,
        caps: Iterable[Cap] = (),
        budgets: Mapping[str, int] | None = None,
        lump_sums: LumpSums | None = None,
        apart: Iterable[tuple[str, str]] = (),
    ) -> Self:
        """The problem of a whole pool; visitors whose visit right is among the `used` keys take no part.

        Raises `CapsContradict` when a limit is negative, or set twice with different numbers, or when
        the agreed pairs alone break one.
        """
        members = sorted(prospects, key=lambda prospect: (prospect.since_ms, prospect.id))
        taken = set(used)
        problem = cls(
            visitors=tuple(p for p in members if p.visits and taken.isdisjoint(claim_keys(p))),
            hosts=tuple(p for p in members if p.hosts),
            weights=weights,
            on=on,
            proposals=tuple(sorted(proposals, key=lambda proposal: (proposal.visitor, proposal.host))),
            keep=keep,
            caps=tuple(sorted(set(caps), key=lambda cap: (cap.on, cap.of, cap.at_most))),
            budgets=dict(sorted((budgets or {}).items())),
            lump_sums=lump_sums or LumpSums(),
            apart=frozenset(apart),
        )
        problem._require_possible_limits()
        return problem

    def cents(self, visitor: Prospect, host: Prospect) -> int:
        """What an exchange of the two is estimated to cost."""
        return self.lump_sums.cents(visitor, host, self.weights.full_lump_sum_km)

    def places(self, host: Prospect) -> int:
        """How many visitors a plan may send there, whatever days they choose.

        Each of them has a free place on its own days; together they fit in whenever as many places
        are free as on the fullest day.
        """
        still_to_come = [stay for stay in host.stays if stay[1] >= self.on.toordinal()]
        return max(host.places - most_at_once(still_to_come), min(host.places, 1))

    def _require_possible_limits(self) -> None:
        wrong = [f"There cannot be {cap}." for cap in self.caps if cap.at_most < 0]
        wrong += [
            f"The budget of {partnership} is below zero: {cents / 100:.2f} EUR."
            for partnership, cents in self.budgets.items()
            if cents < 0
        ]
        for one, other in zip(self.caps, self.caps[1:], strict=False):
            if (one.on, one.of) == (other.on, other.of):
                wrong.append(f"There is {one}, and also {other}; leave one out.")
        visitors = {prospect.id: prospect for prospect in self.visitors}
        hosts = {prospect.id: prospect for prospect in self.hosts}
        agreed = [
            (visitors[proposal.visitor], hosts[proposal.host])
            for proposal in self.proposals
            if proposal.firm and proposal.visitor in visitors and proposal.host in hosts
        ]
        for cap in self.caps:
            count = sum(cap.counts(*pair) for pair in agreed)
            if count > cap.at_most >= 0:
                wrong.append(f"There should be {cap}, and {count} are agreed already.")
        for partnership, cents in self.budgets.items():
            owed = sum(self.cents(*pair) for pair in agreed if pair[0].party.partnership == partnership)
            if owed > cents >= 0:
                wrong.append(
                    f"The exchanges agreed already cost {partnership} about {owed / 100:.2f} EUR, and it has "
                    f"{cents / 100:.2f} EUR."
                )
        if wrong:
            raise CapsContradict(" ".join(wrong))


def most_at_once(spans: Iterable[Span]) -> int:
    """How many of them there are on the day with most."""
    edges = sorted(edge for first, last in spans for edge in ((first, 1), (last + 1, -1)))
    now = most = 0
    for _, change in edges:
        now += change
        most = max(most, now)
    return most
