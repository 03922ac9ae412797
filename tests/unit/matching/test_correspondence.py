"""Messages through the platform and saved searches, on a database in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.matching.catalogue import Catalogue
from services.matching.domain.candidate import Candidate
from services.matching.domain.catalogue_filter import CatalogueFilter
from services.matching.domain.errors import TooManyMessages, TooManySearches
from services.matching.domain.message import MOST_A_DAY, Message, Postbag
from services.matching.domain.saved_search import MOST_SEARCHES, TOLD, SavedSearch, SearchBook
from services.matching.repositories import prospect_of
from services.matching.use_cases.erase_candidate import erase_candidate
from services.matching.use_cases.read_message import read_message
from services.matching.use_cases.save_search import delete_search, save_search, saved_searches
from services.matching.use_cases.send_message import send_message
from services.matching.use_cases.tell_searchers import tell_searchers
from shared.contracts.common import ERASED, Party
from shared.contracts.matching import MessageSent, SearchMatched
from shared.errors import Forbidden, NotFound
from shared.partnerships import Partnerships
from shared.security import Caller
from tests.builders import a_host_party, a_party
from tests.unit.matching.builders import (
    Service,
    a_host_profile,
    a_partnership,
    a_profile,
    accepted,
    participant_of,
    staff_of,
)

HEMP = CatalogueFilter(text="hemp")


@pytest.fixture
async def service() -> Service:
    running = Service(Partnerships([a_partnership("hempclub")]))
    await running.consume(accepted(a_party("v"), a_profile()), accepted(a_host_party("h"), a_host_profile()))
    return running


async def send(service: Service, text: str = "May we come?", by: str = "v", to: str = "h") -> Message:
    return await service.transactions.run(lambda uow: send_message(uow, to, by, text, by=participant_of(by)))


def told(service: Service) -> list[SearchMatched]:
    return [event for event in service.published() if isinstance(event, SearchMatched)]


# ── messages ─────────────────────────────────────────────────────────────────────────────────


async def test_a_message_reaches_the_other_side_without_the_senders_address(service: Service) -> None:
    message = await send(service)
    [event] = [event for event in service.published() if isinstance(event, MessageSent)]
    assert (event.message_id, event.text) == (message.id, "May we come?")
    assert (event.party.registration_id, event.sender.registration_id) == ("h", "v")
    assert "tagus" not in event.model_dump_json().lower().replace("tagus fibre works", "")
    for side in ("v", "h"):
        found = await service.transactions.read(
            lambda uow, side=side: read_message(uow, message.id, by=participant_of(side))  # type: ignore[misc]
        )
        assert found.sender == "Tagus Fibre Works (sample)"


@pytest.mark.parametrize("caller", [participant_of("h"), participant_of("x"), staff_of("hempclub")])
async def test_nobody_writes_in_anothers_name(service: Service, caller: Caller) -> None:
    with pytest.raises(Forbidden):
        await service.transactions.run(lambda uow: send_message(uow, "h", "v", "Hello.", by=caller))


@pytest.mark.parametrize("to", ["nobody", "v"])
async def test_a_message_goes_to_another_organisation_of_the_catalogue(service: Service, to: str) -> None:
    with pytest.raises(NotFound):
        await send(service, to=to)


@pytest.mark.parametrize("caller", [participant_of("x"), staff_of("hempclub")])
async def test_others_do_not_read_a_message(service: Service, caller: Caller) -> None:
    message = await send(service)
    with pytest.raises(NotFound):
        await service.transactions.read(lambda uow: read_message(uow, message.id, by=caller))


async def test_so_many_messages_a_day_and_no_more(service: Service) -> None:
    for _ in range(MOST_A_DAY):
        await send(service)
    with pytest.raises(TooManyMessages, match="from 2023-01-17 09:30 UTC on"):
        await send(service)
    await send(service, by="h", to="v")
    service.clock_at += timedelta(hours=24)
    await send(service)


@pytest.mark.parametrize("gone", ["v", "h"])
async def test_an_erasure_removes_the_words_of_either_side(service: Service, gone: str) -> None:
    message = await send(service)
    party: Party = a_party(gone).erased()
    await service.transactions.run(lambda uow: erase_candidate(uow, party, version=9))
    stored = service.transactions.database[Message.COLLECTION][message.id]
    assert stored["text"] == ERASED
    assert gone not in service.transactions.database[Postbag.COLLECTION]


# ── saved searches ───────────────────────────────────────────────────────────────────────────


async def save(service: Service, name: str = "Hemp", registration: str | None = "v") -> SavedSearch:
    by = participant_of(registration) if registration else staff_of("hempclub")
    return await service.transactions.run(
        lambda uow: save_search(uow, name, "hosts", HEMP, registration_id=registration, by=by)
    )


async def join(service: Service, *ids: str, **changes: Any) -> None:
    """These hosts are accepted a minute later, and the searches are looked through."""
    service.clock_at += timedelta(minutes=1)
    await service.consume(
        *(accepted(a_host_party(id, organisation=f"Mill {id}"), a_host_profile(**changes)) for id in ids)
    )
    catalogue = Catalogue(service.pool)
    for document in service.transactions.database["candidates"].values():
        if document["in_pool"]:
            catalogue.put(prospect_of(Candidate.from_document(document), service.partnerships))
    until = service.clock_at
    newcomers = catalogue.joined(until - timedelta(minutes=1), until)
    books = list(service.transactions.database[SearchBook.COLLECTION])
    await service.transactions.run(
        lambda uow: tell_searchers(uow, books, catalogue=catalogue, newcomers=newcomers, until=until)
    )


async def test_who_waits_for_hemp_is_told_of_a_new_mill_and_not_of_the_old_one(service: Service) -> None:
    search = await save(service)
    await join(service, "m1")
    await join(service, "m2", offers=["wool"], needs=[])
    [event] = told(service)
    assert (event.search_id, event.name, event.side) == (search.id, "Hemp", "hosts")
    assert [profile.registration_id for profile in event.found] == ["m1"]
    assert event.party is not None
    assert event.party.registration_id == "v"


async def test_within_an_hour_finds_are_collected_into_one_notification(service: Service) -> None:
    await save(service)
    await join(service, "m1")
    await join(service, "m2")
    await join(service, "m3", "m4")
    assert len(told(service)) == 1
    service.clock_at += timedelta(hours=1)
    await join(service)
    assert sorted(profile.registration_id for profile in told(service)[1].found) == ["m2", "m3", "m4"]
    service.clock_at += timedelta(hours=2)
    await join(service)
    assert len(told(service)) == 2


async def test_of_many_finds_the_number_is_told(service: Service) -> None:
    await save(service)
    await join(service, *(f"m{number}" for number in range(TOLD + 3)))
    [event] = told(service)
    assert (len(event.found), event.more) == (TOLD, 3)


async def test_staff_have_searches_of_their_partnership(service: Service) -> None:
    await save(service, registration=None)
    await join(service, "m1")
    [event] = told(service)
    assert (event.party, event.partnership) == (None, "hempclub")


async def test_a_search_is_its_owners_alone(service: Service) -> None:
    search = await save(service)
    for registration, caller, error in (
        ("v", participant_of("h"), NotFound),
        ("v", staff_of("hempclub"), NotFound),
        (None, participant_of("v"), Forbidden),
        (None, staff_of("hempclub"), NotFound),
    ):
        with pytest.raises(error):
            await service.transactions.run(
                lambda uow, r=registration, c=caller: delete_search(uow, search.id, registration_id=r, by=c)  # type: ignore[misc]
            )
    await service.transactions.run(
        lambda uow: delete_search(uow, search.id, registration_id="v", by=participant_of("v"))
    )
    left = await service.transactions.read(
        lambda uow: saved_searches(uow, registration_id="v", by=participant_of("v"))
    )
    assert left == []


async def test_so_many_searches_and_no_more(service: Service) -> None:
    for number in range(MOST_SEARCHES):
        await save(service, f"Search {number}")
    with pytest.raises(TooManySearches):
        await save(service)


async def test_an_erased_registration_waits_for_nobody(service: Service) -> None:
    await save(service)
    await service.transactions.run(lambda uow: erase_candidate(uow, a_party("v").erased(), version=9))
    await join(service, "m1")
    assert told(service) == []
    assert service.transactions.database[SearchBook.COLLECTION] == {}
