"""Partners who found each other before they registered: who visits whom, when, and who still answers.

- The stay goes from the one who registered as visitor to the one who registered as host. Where
  both could be either, the one who named the other visits; where both named each other too, the
  one with the smaller registration id does, whoever joins first. An invitation says who visits.
- If both named each other with the same days, both have said yes. If they named different days,
  the visitor's are proposed to the host. If one named the other, its days are proposed.
"""

from __future__ import annotations

from typing import NamedTuple

from services.matching.domain.candidate import Agreement, Candidate
from shared.contracts.common import Window
from shared.contracts.matching import Side
from shared.contracts.vocabulary import Role


class Introduction(NamedTuple):
    """What two candidates had agreed beforehand."""

    visitor: Candidate
    host: Candidate
    stay: Window
    proposed_by: Side
    mutual: bool
    """Both said so: nobody has to answer."""


def introduction(one: Candidate, other: Candidate) -> Introduction | None:
    """What the two had agreed, if both are in the pool, one names the other, and one can visit the other."""
    if not (one.in_pool and other.in_pool) or one.id == other.id:
        return None
    namers = [candidate for candidate in (one, other) if candidate.names(_partner(candidate, one, other).id)]
    if not namers:
        return None
    ways = [
        (visitor, host)
        for visitor, host in ((one, other), (other, one))
        if _goes_as(visitor, "visitor", host) and _goes_as(host, "host", visitor)
    ]
    if not ways:
        return None
    if len(ways) == 2:
        first = min(namers, key=lambda candidate: candidate.id)
        ways = [way for way in ways if way[0] is first]
    visitor, host = ways[0]
    visitors, hosts = visitor.names(host.id), host.names(visitor.id)
    named = visitors or hosts
    assert named is not None
    stay = Window(first_day=named.first_day, last_day=named.last_day)
    mutual = (
        visitors is not None
        and hosts is not None
        and (visitors.first_day, visitors.last_day) == (hosts.first_day, hosts.last_day)
    )
    return Introduction(visitor, host, stay, "visitor" if visitors else "host", mutual)


def _partner(candidate: Candidate, one: Candidate, other: Candidate) -> Candidate:
    return other if candidate is one else one


def _goes_as(candidate: Candidate, side: Side, partner: Candidate) -> bool:
    named = candidate.names(partner.id)
    agreed: Side = named.side if isinstance(named, Agreement) else side
    return agreed == side and candidate.party is not None and Role(side) in candidate.party.roles
