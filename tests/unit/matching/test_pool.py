"""The index in memory answers as if everybody had been compared exactly."""

from __future__ import annotations

import random

import pytest

from services.matching.domain import fit as fits
from services.matching.domain.fit import Prospect
from services.matching.domain.pool import Pool, PoolView, rank
from services.matching.domain.weights import Weights
from shared.contracts.matching import Fit, Side
from tests.unit.matching.builders import (
    LATEST,
    TODAY,
    WEIGHTS,
    a_host,
    a_moment,
    a_random_prospect,
    a_visitor,
)


def compared_with_everybody(
    prospect: Prospect,
    everybody: list[Prospect],
    side: Side,
    claimed: set[str],
    limit: int,
    weights: Weights,
) -> list[Fit]:
    """The slow way: every constraint and every score of every pair."""
    found: list[tuple[int, str, Fit]] = []
    for partner in everybody:
        visitor, host = (prospect, partner) if side == "visitor" else (partner, prospect)
        used = not claimed.isdisjoint(visitor.party.identifiers or [f"registration:{visitor.id}"])
        if partner.id == prospect.id or fits.constraints(visitor, host, TODAY, visit_used=used):
            continue
        fit = fits.fit(visitor, host, weights, TODAY, for_side=side)
        assert fit is not None
        found.append((-rank(round(fit.score * 100), partner), partner.id, fit))
    return [fit for _, _, fit in sorted(found, key=lambda entry: entry[:2])[:limit]]


@pytest.mark.parametrize("weights", [WEIGHTS, LATEST], ids=lambda weights: weights.rule_set)
@pytest.mark.parametrize("seed", range(12))
def test_the_index_gives_what_comparing_everybody_gives(seed: int, weights: Weights) -> None:
    rng = random.Random(seed)
    everybody = [a_random_prospect(rng, f"r{number:04}") for number in range(rng.choice((3, 40, 400)))]
    claimed = {f"pic:{rng.randrange(150)}" for _ in range(20)} | {"registration:r0001"}
    pool = Pool()
    view = PoolView(pool, weights, TODAY)
    for prospect in everybody:
        if rng.random() < 0.1:
            pool.put(a_random_prospect(rng, prospect.id))  # as it was before
        pool.put(prospect)
    for key in claimed:
        pool.claim(key)
    for gone in rng.sample(everybody, len(everybody) // 20):
        everybody.remove(gone)
        pool.remove(gone.id)

    for prospect in everybody[:60]:
        for side in ("visitor", "host"):
            role = "visitor" if side == "visitor" else "host"
            if role not in prospect.party.roles:
                continue
            answer = view.best(prospect, side, limit=5)
            assert answer.fits == compared_with_everybody(prospect, everybody, side, claimed, 5, weights)
            others = [p for p in everybody if ("host" if side == "visitor" else "visitor") in p.party.roles]
            assert answer.considered == len(others) - (prospect in others)


@pytest.mark.parametrize("weights", [WEIGHTS, LATEST], ids=lambda weights: weights.rule_set)
@pytest.mark.parametrize("seed", range(6))
def test_no_host_has_more_points_than_the_index_allows_it(seed: int, weights: Weights) -> None:
    rng = random.Random(seed)
    pool = Pool()
    everybody = [a_random_prospect(rng, f"r{number:03}") for number in range(150)]
    hosts = [prospect for prospect in everybody if prospect.hosts]
    for host in hosts:
        pool.put(host)
    equal = total = 0
    for visitor in (prospect for prospect in everybody if prospect.visits):
        for host, most in zip(hosts, pool.most_points(visitor, weights, TODAY).tolist(), strict=True):
            if fits.constraints(visitor, host, TODAY):
                continue
            days = fits.common_stretch(visitor, host, TODAY)
            assert days is not None
            exact = sum(fits.points(visitor, host, weights, days, TODAY).values())
            assert most >= exact
            total += 1
            equal += most == exact
    assert equal > 0.75 * total


def test_more_words_than_bits_are_still_told_apart() -> None:
    pool = Pool()
    for number in range(300):
        pool.put(a_host(f"h{number:03}", languages=[f"l{number}"], offers=[f"topic {number}"]))
    view = PoolView(pool, WEIGHTS, TODAY)
    seeker = a_visitor(languages=["l211"], needs=["topic 211"])
    assert view.best(seeker, "visitor", limit=1).fits[0].partner.registration_id == "h211"


def test_among_equals_who_has_waited_longer_comes_first() -> None:
    pool = Pool()
    for day in (14, 11, 12, 13):
        pool.put(a_host(f"h{day}", since=a_moment(day)))
    best = PoolView(pool, WEIGHTS, TODAY).best(a_visitor(), "visitor", limit=3)
    assert [fit.partner.registration_id for fit in best.fits] == ["h11", "h12", "h13"]


def test_a_visit_right_given_back_lets_the_visitor_be_found_again() -> None:
    pool = Pool()
    pool.put(a_visitor(identifiers=["vat:PT1", "pic:1"]))
    view = PoolView(pool, WEIGHTS, TODAY)
    pool.claim("pic:1")
    assert view.best(a_host(), "host", limit=5).fits == []
    pool.claim("pic:1", taken=False)
    assert len(view.best(a_host(), "host", limit=5).fits) == 1


def test_one_that_left_and_came_back_is_found_as_it_now_is() -> None:
    pool = Pool(capacity=1)
    for number in range(5):
        pool.put(a_host(f"h{number}", owner=f"o{number}"))
    pool.remove("h3")
    pool.remove("never there")
    view = PoolView(pool, WEIGHTS, TODAY)
    assert {fit.partner.registration_id for fit in view.best(a_visitor(), "visitor", limit=9).fits} == {
        "h0",
        "h1",
        "h2",
        "h4",
    }
    pool.put(a_host("h3", organisation="Came back (sample)"))
    found = {fit.partner.organisation for fit in view.best(a_visitor(), "visitor", limit=9).fits}
    assert "Came back (sample)" in found
