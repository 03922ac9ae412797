"""Which events wait for which endpoint, as whom they are shown to, and what an erasure leaves of them."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest

from services.notifications.handlers import handlers
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.routes.webhooks import NewEndpoint
from services.notifications.use_cases.erase_notifications import erase_notifications
from services.notifications.use_cases.tell_what_is_held import tell_what_is_held
from services.notifications.webhooks.delivery import Delivery, DeliveryState, delivery_id
from services.notifications.webhooks.endpoint import AlreadySo, Endpoint, covers
from services.notifications.webhooks.schedule import Answer
from services.notifications.webhooks.subscriptions import Subscription, Subscriptions
from services.notifications.webhooks.use_cases.enqueue_deliveries import enqueue_deliveries
from services.notifications.webhooks.use_cases.give_up_endpoint import give_up_endpoint
from shared.contracts.common import ERASED
from shared.contracts.envelope import CloudEvent, Event
from shared.contracts.examples import golden_examples
from shared.contracts.matching import MatchAgreed, MatchApproved
from shared.contracts.registration import RegistrationErased
from shared.messaging.consumer import BatchConsumer
from shared.messaging.outbox import unpack
from shared.messaging.topics import events
from shared.scopes import WITHHELD, as_seen_in, scopes_of
from shared.security import Caller, CallerRole
from shared.storage.store import OUTBOX, Store
from tests.builders import A_MOMENT, a_host_party, a_message, a_party, an_approved_match, an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples

Transactions = MemoryTransactions[NotificationsUnitOfWork]

CRM, HEMPCLUB, OTHERS, ALL = "source:/crm", "partnership:hempclub", "partnership:elsewhere", "all"


def subscribed(*scopes: str, to: tuple[str, ...] = ("*",), enabled: bool = True) -> Subscriptions:
    """An endpoint of each scope, named after it."""
    return Subscriptions(Subscription(scope, scope, to, enabled, 1) for scope in scopes)


def with_endpoints(subscriptions: Subscriptions) -> Transactions:
    def open_unit(store: Store) -> NotificationsUnitOfWork:
        uow = samples.open_unit(store)
        uow.subscriptions = subscriptions
        return uow

    return MemoryTransactions(open_unit)


def stored(transactions: Transactions) -> dict[str, Delivery]:
    """The deliveries by endpoint; one each."""
    found = [Delivery.from_document(one) for one in transactions.database[Delivery.COLLECTION].values()]
    return {one.endpoint: one for one in found}


async def happened(transactions: Transactions, event: Event) -> CloudEvent:
    fact = an_envelope(event, service="matching", subject="m-1")
    await transactions.run(lambda uow: enqueue_deliveries(uow, fact))
    return fact


def a_match() -> MatchApproved:
    return an_approved_match(
        "m-1",
        visitor=a_party("r-visitor", source="/crm"),
        host=a_host_party("r-host", partnership="sampletex", email="desk@navigli.example"),
    )


# ── who gets what ────────────────────────────────────────────────────────────────────────────


async def test_an_event_waits_for_those_whom_it_concerns_and_for_nobody_else() -> None:
    transactions = with_endpoints(subscribed(CRM, HEMPCLUB, OTHERS, ALL, "source:/another"))
    await happened(transactions, a_match())
    assert stored(transactions).keys() == {CRM, HEMPCLUB, ALL}


async def test_everybody_gets_what_the_feed_shows_them() -> None:
    transactions = with_endpoints(subscribed(CRM, HEMPCLUB, ALL))
    fact = await happened(transactions, a_match())
    for scope, delivery in stored(transactions).items():
        assert orjson.loads(delivery.body) == as_seen_in(scope, orjson.loads(fact.to_json()))
    bodies = {scope: orjson.loads(delivery.body)["data"] for scope, delivery in stored(transactions).items()}
    assert bodies[ALL]["host"]["email"] == "desk@navigli.example"
    assert bodies[CRM]["host"]["email"] == bodies[HEMPCLUB]["host"]["email"] == WITHHELD
    assert bodies[CRM]["visitor"]["email"] == a_match().visitor.email


@pytest.mark.parametrize("name", sorted(golden_examples()))
async def test_no_golden_example_goes_further_than_on_the_feed(name: str) -> None:
    golden = golden_examples()[name]
    scopes = [CRM, HEMPCLUB, OTHERS, ALL, "partnership:sample-fashion", "source:/tagus/crm"]
    transactions = with_endpoints(subscribed(*scopes))
    await transactions.run(lambda uow: enqueue_deliveries(uow, CloudEvent.model_validate(golden)))
    assert stored(transactions).keys() == set(scopes) & set(scopes_of(golden["data"]))


async def test_patterns_choose_the_types() -> None:
    assert covers(["cxc.match.*"], "cxc.match.approved.v1")
    assert covers(["cxc.grant.*", "*"], "cxc.match.approved.v1")
    assert not covers(["cxc.match.agreed.v1", "cxc.matching.*"], "cxc.match.approved.v1")
    transactions = with_endpoints(subscribed(ALL, to=("cxc.match.agreed.v1",)))
    await happened(transactions, a_match())
    assert stored(transactions) == {}
    await happened(transactions, samples.a_match(MatchAgreed))
    assert stored(transactions)[ALL].event_type == "cxc.match.agreed.v1"


async def test_what_happens_while_an_endpoint_is_disabled_waits_for_it() -> None:
    transactions = with_endpoints(subscribed(ALL, enabled=False))
    await happened(transactions, a_match())
    assert stored(transactions)[ALL].state is DeliveryState.WAITING


async def test_without_endpoints_nothing_is_read_or_written() -> None:
    class Untouched:
        def __getattr__(self, name: str) -> None:
            raise AssertionError(f"{name} of the store was asked for")

    uow = samples.open_unit(Untouched())  # type: ignore[arg-type]
    await enqueue_deliveries(uow, an_envelope(a_match(), service="matching", subject="m-1"))
    assert uow.changes().aggregates == {}


# ── once, with the other effects ─────────────────────────────────────────────────────────────


async def test_an_event_that_comes_again_waits_once_and_is_not_sent_again() -> None:
    transactions = with_endpoints(subscribed(ALL))
    fact = an_envelope(a_match(), service="matching", subject="m-1")
    message = a_message(fact, topic=events("matching"))
    for offset in range(2):
        consumer = BatchConsumer(handlers, transactions)  # type: ignore[arg-type]
        await consumer.consume([message._replace(offset=offset)])
        # The worker's memory of what it consumed ends after a while; that of a delivery does not.
        transactions.database.collections.pop("inbox", None)
        [delivery] = transactions.database[Delivery.COLLECTION].values()
        assert delivery["_id"] == delivery_id(fact, ALL)
        delivery["state"] = DeliveryState.DELIVERED.value
    assert stored(transactions)[ALL].state is DeliveryState.DELIVERED


def test_the_id_is_of_event_and_endpoint_and_in_the_order_of_events() -> None:
    fact = an_envelope(a_match(), service="matching", subject="m-1")
    later = fact.model_copy(update={"time": A_MOMENT + timedelta(milliseconds=1)})
    assert delivery_id(fact, "a") == delivery_id(fact, "a")
    others = [
        delivery_id(fact, "b"),
        delivery_id(fact.model_copy(update={"id": "another"}), "a"),
        delivery_id(fact.model_copy(update={"source": "/another"}), "a"),
        delivery_id(later, "a"),
    ]
    assert len({delivery_id(fact, "a"), *others}) == 5
    assert "." not in others[0]
    assert delivery_id(later, "a") > delivery_id(fact, "a")


# ── erasure ──────────────────────────────────────────────────────────────────────────────────


async def test_an_erasure_blanks_what_waits_and_what_was_sent_and_stays_for_what_comes_late() -> None:
    transactions = with_endpoints(subscribed(ALL, HEMPCLUB))
    fact = await happened(transactions, a_match())
    for document in transactions.database[Delivery.COLLECTION].values():
        answer = Answer(
            at=A_MOMENT, ms=3, status=500, said="cannot store Tagus Fibre Works", why="It answered 500."
        )
        document["attempts"] = [answer.model_dump(mode="json")]
    await transactions.run(lambda uow: erase_notifications(uow, "r-visitor"))
    for delivery in stored(transactions).values():
        visitor = orjson.loads(delivery.body)["data"]["visitor"]
        assert visitor["organisation"] == ERASED
        assert "Tagus" not in delivery.body
        assert "tagus" not in delivery.body
        assert "Navigli" in delivery.body
        assert delivery.registrations == ["r-host"]
        assert [attempt.said for attempt in delivery.attempts] == [""]
        assert orjson.loads(delivery.body)["id"] == fact.id

    transactions.database.collections.pop(Delivery.COLLECTION)
    await happened(transactions, a_match())
    for delivery in stored(transactions).values():
        assert "Tagus" not in delivery.body
        assert delivery.registrations == ["r-host"]


async def test_an_erasure_itself_is_told() -> None:
    transactions = with_endpoints(subscribed(CRM))
    party = a_party("r-visitor", source="/crm").erased()
    erased = RegistrationErased.model_validate(
        {**golden_examples()["cxc.registration.erased.v1"]["data"], "party": party.model_dump(mode="json")}
    )
    fact = an_envelope(erased, service="registration", subject="r-visitor")
    consumer = BatchConsumer(handlers, transactions)  # type: ignore[arg-type]
    await consumer.consume([a_message(fact, topic=events("registration"))])
    assert stored(transactions)[CRM].event_type == "cxc.registration.erased.v1"


# ── endpoints ────────────────────────────────────────────────────────────────────────────────


def an_endpoint(**changes: object) -> Endpoint:
    facts: dict[str, object] = {
        "id": "e-1",
        "scope": CRM,
        "url": "https://hooks.example:8443/cxc?key=secret",
        "events": ["*"],
        "description": "",
        "contact": None,
        "sealed": "first",
        "by": "/crm",
        "at": A_MOMENT,
    }
    return Endpoint.make(**{**facts, **changes})  # type: ignore[arg-type]


def test_a_secret_that_was_replaced_signs_until_its_overlap_is_over() -> None:
    endpoint = an_endpoint()
    endpoint.rotate("second", at=A_MOMENT, overlap=timedelta(hours=24))
    assert endpoint.secrets_at(A_MOMENT + timedelta(hours=23)) == ["second", "first"]
    assert endpoint.secrets_at(A_MOMENT + timedelta(hours=24)) == ["second"]
    endpoint.rotate("third", at=A_MOMENT + timedelta(hours=1), overlap=timedelta(0))
    assert endpoint.secrets_at(A_MOMENT + timedelta(hours=1)) == ["third", "first"]
    endpoint.rotate("fourth", at=A_MOMENT + timedelta(hours=25), overlap=timedelta(hours=1))
    assert [secret.sealed for secret in endpoint.secrets] == ["fourth", "third"]


def test_what_an_endpoint_is_called_is_one_line() -> None:
    wanted = NewEndpoint(url="https://a.example/", events=["*"], description=" Ours\n\n# Pay\x00 now ")
    assert wanted.description == "Ours # Pay now"


def test_however_often_a_secret_is_replaced_only_the_last_few_sign() -> None:
    endpoint = an_endpoint()
    for number in range(100):
        endpoint.rotate(f"s{number}", at=A_MOMENT, overlap=timedelta(hours=168))
    assert endpoint.secrets_at(A_MOMENT) == ["s99", "s98", "s97", "s96", "s95"]
    assert len(endpoint.secrets) == 5


def test_an_endpoint_is_not_disabled_twice_nor_enabled_twice() -> None:
    endpoint = an_endpoint()
    with pytest.raises(AlreadySo):
        endpoint.enable()
    endpoint.disable(by="/crm", why="maintenance", at=A_MOMENT)
    with pytest.raises(AlreadySo):
        endpoint.disable(by="/crm", why="maintenance", at=A_MOMENT)


async def test_an_endpoint_that_is_given_up_is_told_of_without_its_path_and_with_one_event() -> None:
    transactions = with_endpoints(subscribed("e-1"))
    endpoint = an_endpoint(scope=HEMPCLUB, contact="crm@tagus.example")
    delivery = Delivery.make(
        "d-1",
        "e-1",
        an_envelope(a_match(), service="matching", subject="m-1"),
        b"{}",
        registrations=[],
        at=A_MOMENT,
    )

    async def begin(uow: NotificationsUnitOfWork) -> None:
        uow.endpoints.add(endpoint)
        uow.deliveries.add(delivery)

    await transactions.run(begin)
    answer = Answer(at=A_MOMENT, ms=9, status=410, why="It answered 410 Gone.")
    for _ in range(2):
        await transactions.run(
            lambda uow: give_up_endpoint(uow, "e-1", delivery.id, answer, since=A_MOMENT, attempts=1)
        )
    after = Endpoint.from_document(transactions.database[Endpoint.COLLECTION]["e-1"])
    assert after.disabled is not None
    assert (after.disabled.by, after.disabled.stopped_at) == ("the platform", delivery.id)
    [settled] = transactions.database[Delivery.COLLECTION].values()
    assert settled["state"] == "failed"

    rows = transactions.database[OUTBOX].values()
    [published] = [orjson.loads(message.value) for row in rows for message in unpack(row)]
    assert published["type"] == "cxc.endpoint.disabled.v1"
    assert published["data"]["server"] == "hooks.example:8443"
    assert published["data"]["partnership"] == "hempclub"
    assert "key=secret" not in str(published)
    assert "crm@tagus.example" not in str(published)
    told = transactions.database["notifications"].values()
    assert {one["address"] for one in told if one["channel"] == "email"} == {
        "staff@hempclub.example",
        "crm@tagus.example",
    }
    assert all(one["fact_id"] == published["id"] for one in told)


async def test_what_is_held_says_to_whom_events_about_it_went_and_not_what_they_say() -> None:
    transactions = with_endpoints(Subscriptions([Subscription("e-1", CRM, ("*",), True, 1)]))
    await transactions.run(lambda uow: add(uow, an_endpoint()))
    consumer = BatchConsumer(handlers, transactions)  # type: ignore[arg-type]
    fact = an_envelope(a_match(), service="matching", subject="m-1")
    await consumer.consume([a_message(fact, topic=events("matching"))])
    kinds = await transactions.read(
        lambda uow: tell_what_is_held(uow, "r-visitor", by=Caller("s", CallerRole.SUPPORT_OFFICE))
    )
    [told] = next(kind.documents for kind in kinds if kind.name == "webhook deliveries")
    assert (told["to"], told["event_id"], told["state"]) == (CRM, fact.id, "waiting")
    assert told.keys().isdisjoint({"body", "attempts", "registrations"})


async def add(uow: NotificationsUnitOfWork, endpoint: Endpoint) -> None:
    uow.endpoints.add(endpoint)
