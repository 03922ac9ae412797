"""Newcomers are told of their best fits once, by what the pool has heard, and not after they have left."""

from __future__ import annotations

import pytest

from services.matching.domain.newcomers import Newcomers
from services.matching.use_cases.tell_best_fits import LISTS_AT_ONCE, find_best_fits, tell_best_fits
from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.common import Party
from shared.contracts.envelope import CloudEvent
from shared.contracts.matching import FitsFound, Side
from shared.contracts.registration import RegistrationErased, RegistrationRejected, RegistrationWithdrawn
from shared.messaging.outbox import unpack
from shared.partnerships import Partnerships
from shared.storage.store import OUTBOX, ConcurrentChange
from tests.builders import a_host_party, a_party, an_envelope
from tests.unit.matching.builders import (
    Service,
    a_host_profile,
    a_partnership,
    a_profile,
    accepted,
    amended,
    gone,
    undone,
)


@pytest.fixture
def service() -> Service:
    return Service(Partnerships([a_partnership("vop"), a_partnership("hop")]))


def visitor(id: str = "v") -> CloudEvent:
    return accepted(a_party(id, partnership="vop"), a_profile())


def host(id: str = "h") -> CloudEvent:
    return accepted(a_host_party(id, partnership="hop"), a_host_profile())


def told(service: Service) -> list[tuple[str, Side, list[str]]]:
    """Who was told of which best fits, for which role."""
    return [
        (event.party.registration_id, event.side, [fit.partner.registration_id for fit in event.fits])
        for event in service.published()
        if isinstance(event, FitsFound)
    ]


def waiting(service: Service) -> list[str]:
    """Who is still to be told."""
    lists = service.transactions.database[Newcomers.COLLECTION].values()
    return [one["registration_id"] for newcomers in lists for one in newcomers["waiting"]]


async def test_newcomers_are_told_of_their_best_fits_for_each_role(service: Service) -> None:
    both = a_host_party("both", partnership="hop", roles=["visitor", "host"])
    await service.consume(visitor(), host(), accepted(both, a_host_profile(needs=["spinning"])))
    service.hear()
    await service.tell_newcomers()
    # The two in Italy cannot visit each other.
    assert told(service) == [
        ("v", "visitor", ["both", "h"]),
        ("h", "host", ["v"]),
        ("both", "visitor", []),
        ("both", "host", ["v"]),
    ]
    assert waiting(service) == []


async def test_nobody_is_told_before_the_pool_has_heard_of_all_on_a_list(service: Service) -> None:
    await service.consume(host())
    service.hear()
    await service.consume(visitor(), host("h2"))
    await service.tell_newcomers()
    assert told(service) == [("h", "host", [])]
    assert waiting(service) == ["v", "h2"]
    service.hear()
    await service.tell_newcomers()
    assert [entry[0] for entry in told(service)] == ["h", "v", "h2"]


async def test_what_is_found_follows_from_the_acceptance_and_each_event_has_a_version_of_its_own(
    service: Service,
) -> None:
    acceptance = accepted(a_party("v", partnership="vop", roles=["visitor", "host"]), a_profile())
    await service.consume(acceptance)
    service.hear()
    await service.tell_newcomers()
    sent = [
        CloudEvent.model_validate_json(message.value)
        for row in service.transactions.database[OUTBOX].values()
        for message in unpack(row)
    ]
    assert [EVENT_MODELS[event.type] for event in sent] == [FitsFound, FitsFound]
    assert {event.causationid for event in sent} == {acceptance.id}
    assert {event.correlationid for event in sent} == {acceptance.correlationid or acceptance.id}
    first, second = (int(event.sequence or 0) for event in sent)
    assert second == first + 1
    assert second <= service.transactions.database["candidates"]["v"]["version"]


async def test_of_two_tellers_that_found_the_same_one_tells(service: Service) -> None:
    await service.consume(visitor(), host())
    service.hear()
    found = await service.transactions.read(find_best_fits)
    again = await service.transactions.read(find_best_fits)
    await service.transactions.run(lambda uow: tell_best_fits(uow, found))
    await service.transactions.run(lambda uow: tell_best_fits(uow, again))
    assert [entry[0] for entry in told(service)] == ["v", "h"]


async def test_two_tellers_at_the_same_moment_are_in_each_others_way(service: Service) -> None:
    await service.consume(visitor())
    service.hear()
    found = await service.transactions.read(find_best_fits)

    async def both(uow: object) -> None:
        await tell_best_fits(uow, found)  # type: ignore[arg-type]
        await service.transactions.run(lambda other: tell_best_fits(other, found))

    with pytest.raises(ConcurrentChange):
        await service.transactions.run(both)
    assert len(told(service)) == 1


PARTY = a_party("v", partnership="vop")
LEAVING: dict[str, CloudEvent] = {
    "withdrawn": gone(RegistrationWithdrawn, PARTY),
    "rejected": gone(RegistrationRejected, PARTY),
    "amended": amended(PARTY),
    "undone": undone(PARTY),
    "erased": an_envelope(
        RegistrationErased(party=PARTY.erased(), on_behalf_of="organisation"),
        service="registration",
        subject="v",
        sequence=3,
    ),
}


@pytest.mark.parametrize("event", LEAVING.values(), ids=LEAVING.keys())
@pytest.mark.parametrize("found_before", [False, True])
async def test_who_leaves_before_being_told_is_told_nothing(
    service: Service, event: CloudEvent, found_before: bool
) -> None:
    await service.consume(visitor(), host())
    service.hear()
    found = await service.transactions.read(find_best_fits)
    await service.consume(event)
    if found_before:
        await service.transactions.run(lambda uow: tell_best_fits(uow, found))
    else:
        service.hear()
        await service.tell_newcomers()
    assert [entry[0] for entry in told(service)] == ["h"]
    assert waiting(service) == []


async def test_who_joins_and_leaves_in_one_batch_is_told_nothing(service: Service) -> None:
    await service.consume(visitor(), host(), LEAVING["withdrawn"])
    service.hear()
    await service.tell_newcomers()
    assert [entry[0] for entry in told(service)] == ["h"]


async def test_who_is_accepted_anew_before_being_told_is_told_once_by_what_it_says_now(
    service: Service,
) -> None:
    await service.consume(host())
    await service.consume(visitor())
    moved: Party = a_party("v", partnership="vop", email="new@tagus-fibre.example")
    await service.consume(accepted(moved, a_profile(needs=["spinning"]), sequence=3))
    service.hear()
    await service.tell_newcomers()
    assert [entry[0] for entry in told(service)] == ["h", "v"]
    last = [event for event in service.published() if isinstance(event, FitsFound)][-1]
    assert last.party.email == "new@tagus-fibre.example"


async def test_who_is_accepted_anew_later_is_told_again(service: Service) -> None:
    await service.consume(visitor())
    service.hear()
    await service.tell_newcomers()
    await service.consume(host(), accepted(PARTY, a_profile(), sequence=3))
    service.hear()
    await service.tell_newcomers()
    assert told(service)[1:] == [("h", "host", ["v"]), ("v", "visitor", ["h"])]


async def test_many_lists_are_told_in_the_order_they_came(service: Service) -> None:
    for number in range(LISTS_AT_ONCE + 5):
        await service.consume(host(f"h{number:02}"))
    service.hear()
    while waiting(service):
        await service.tell_newcomers()
    assert [entry[0] for entry in told(service)] == [f"h{number:02}" for number in range(LISTS_AT_ONCE + 5)]
