"""Group events over HTTP and on the event flow, on a database in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from services.matching.api import create_app
from services.matching.chores import unsettled
from services.matching.domain.gathering import Gathering
from services.matching.settings import MatchingSettings
from services.matching.use_cases.erase_candidate import erase_candidate
from services.matching.use_cases.tend_gatherings import tend_gatherings
from shared.contracts.common import ERASED, Party, Place
from shared.contracts.envelope import Event
from shared.contracts.matching import (
    CommitmentSigned,
    GatheringCancelled,
    GatheringChanged,
    MatchAgreed,
    MatchApproved,
    MatchCancelled,
    PlaceAwaited,
    PlaceLeft,
    PlaceTaken,
)
from shared.contracts.registration import RegistrationWithdrawn
from shared.contracts.vocabulary import Role
from shared.http import authenticated, authenticated_or_nobody
from shared.partnerships import Partnerships
from shared.security import Caller, CallerRole
from tests.builders import A_MOMENT, a_host_party, a_party
from tests.unit.matching.builders import (
    Service,
    a_host_profile,
    a_partnership,
    a_profile,
    accepted,
    amended,
    gone,
    participant_of,
    staff_of,
)
from tests.unit.matching.plans import a_plan, lines, published

HEMP, WOOL = staff_of("hempclub"), staff_of("woolclub")
ROME = Place(country="IT", city="Rome")

EXCHANGE: dict[str, Any] = {
    "host_registration_id": "host",
    "title": "Bioeconomy Business Exchange",
    "first_day": "2023-02-14",
    "last_day": "2023-02-16",
    "agenda": [
        {"day": "2023-02-15", "title": "Mill visit", "responsible": "Host"},
        {"day": "2023-02-14", "begins": "09:30", "title": "Welcome", "responsible": "Host"},
    ],
    "places": 2,
    "sign_up_until": "2023-02-03",
}


class World:
    """The service, and its API as somebody calls it."""

    def __init__(self, http: httpx.AsyncClient, service: Service) -> None:
        self.http, self.service = http, service
        self.caller: Caller | None = HEMP
        self.path = ""

    async def post(
        self, path: str, caller: Caller | None, body: Any = None, method: str = "POST"
    ) -> httpx.Response:
        self.caller = caller
        return await self.http.request(method, path, json=body)

    async def done(
        self, path: str, caller: Caller | None = HEMP, body: Any = None, method: str = "POST"
    ) -> Any:
        answer = await self.post(path, caller, body, method)
        assert answer.is_success, answer.text
        return answer.json()

    async def opened(self, **changes: Any) -> str:
        """An event of HempClub that is open."""
        answer = await self.post("/group-events", HEMP, {**EXCHANGE, **changes})
        assert answer.status_code == 201, answer.text
        self.path = answer.headers["location"]
        assert (await self.done(f"{self.path}/open"))["state"] in ("open", "full")
        return self.path

    async def joins(self, *ids: str, sequence: int = 2, **changes: Any) -> None:
        """Visitors of Lisbon, unless told otherwise, are in the pool."""
        await self.service.consume(
            *(accepted(a_party(id, **changes), a_profile(), sequence=sequence) for id in ids)
        )

    async def signs_up(self, id: str, path: str = "") -> httpx.Response:
        return await self.post(
            f"{path or self.path}/participants", participant_of(id), {"registration_id": id}
        )

    async def listed(self, path: str = "") -> list[tuple[str, str]]:
        """Who is on the list, and as what or at which number."""
        view = await self.done(path or self.path, method="GET")
        return [
            (
                one["organisation"]["registration_id"],
                one["attends_as"] if one["has_place"] else f"waits {one['waits_as_number']}",
            )
            for one in view["participants"]
        ]

    async def tend(self) -> None:
        """What the chore does: find what is due, and do it."""
        today = self.service.clock_at.date()
        found = await self.service.transactions.read(lambda uow: uow.query(Gathering, unsettled(today)))
        await self.service.transactions.run(lambda uow: tend_gatherings(uow, [one.id for one in found]))

    def told(self, model: type[Event]) -> list[Any]:
        return [event for event in self.service.published() if isinstance(event, model)]


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    for name, value in {
        "CXC_MONGO_URL": "mongodb://nowhere.example",
        "CXC_KAFKA_BOOTSTRAP": "nowhere.example:9092",
        "CXC_ISSUER": "https://issuer.example",
        "CXC_JWKS_URL": "https://issuer.example/keys",
    }.items():
        monkeypatch.setenv(name, value)
    app = create_app(MatchingSettings.load())
    service = Service(Partnerships([a_partnership("hempclub"), a_partnership("woolclub")]))
    app.state.root = SimpleNamespace(transactions=service.transactions)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://matching.example"
    ) as http:
        world = World(http, service)
        app.dependency_overrides[authenticated] = lambda: world.caller
        app.dependency_overrides[authenticated_or_nobody] = lambda: world.caller
        # The host takes one visitor at a time, apart from its event.
        await service.consume(accepted(a_host_party("host"), a_host_profile(host_places=1)))
        yield world


def problem(answer: httpx.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.json()["type"].endswith(f"/{code}")
    return str(answer.json()["detail"])


# ── planning ─────────────────────────────────────────────────────────────────────────────────


async def test_a_group_event_is_planned_by_staff_of_its_host_and_seen_by_all_once_it_is_open(
    world: World,
) -> None:
    problem(await world.post("/group-events", WOOL, EXCHANGE), 403, "forbidden")
    problem(await world.post("/group-events", participant_of("host"), EXCHANGE), 403, "forbidden")
    path = (await world.post("/group-events", HEMP, EXCHANGE)).headers["location"]
    problem(await world.post(path, WOOL, method="GET"), 404, "not-found")
    assert (await world.done("/group-events", WOOL, method="GET"))["items"] == []
    assert (await world.done("/group-events", None, method="GET"))["items"] == []
    problem(await world.post(path, None, method="GET"), 404, "not-found")
    assert len((await world.done("/group-events", HEMP, method="GET"))["items"]) == 1

    problem(await world.post(f"{path}/open", WOOL), 404, "not-found")
    opened = await world.done(f"{path}/open", HEMP)
    assert [item["title"] for item in opened["agenda"]] == ["Welcome", "Mill visit"]
    seen = await world.done(path, participant_of("visitor"), method="GET")
    assert (seen["state"], seen["free_places"], seen["place"]["city"]) == ("open", 2, "Milan")
    without_token = await world.done(path, None, method="GET")
    assert (without_token["free_places"], without_token["participants"]) == (2, [])
    [listed] = (await world.done("/group-events", None, method="GET"))["items"]
    assert listed["host"]["email"] is None
    problem(await world.post(f"{path}/close", WOOL), 403, "forbidden")
    assert (await world.done(f"{path}/close", HEMP))["state"] == "closed"


UNSOUND: list[tuple[str, dict[str, Any], str]] = [
    ("two working days are no stay", {"last_day": "2023-02-15", "agenda": []}, "stay-out-of-bounds"),
    ("days the wrong way round", {"last_day": "2023-02-13", "agenda": []}, "stay-out-of-bounds"),
    ("an agenda item on another day", {"agenda": [{**EXCHANGE["agenda"][0], "day": "2023-02-17"}]},
     "group-event-not-sound"),
    ("sign-ups on its first day", {"sign_up_until": "2023-02-14"}, "group-event-not-sound"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code"), [row[1:] for row in UNSOUND], ids=[row[0] for row in UNSOUND])
async def test_what_a_group_event_says_has_to_go_together(
    world: World, changes: dict[str, Any], code: str
) -> None:
    problem(await world.post("/group-events", HEMP, {**EXCHANGE, **changes}), 409, code)
    path = await world.opened()
    rest = {key: value for key, value in EXCHANGE.items() if key != "host_registration_id"}
    problem(await world.post(path, HEMP, {**rest, **changes}, method="PUT"), 409, code)


async def test_a_visitor_hosts_no_group_event_and_nobody_does_who_is_not_in_the_pool(world: World) -> None:
    await world.joins("v1")
    answer = await world.post("/group-events", HEMP, {**EXCHANGE, "host_registration_id": "v1"})
    problem(answer, 409, "partners-do-not-fit")
    answer = await world.post("/group-events", HEMP, {**EXCHANGE, "host_registration_id": "nobody"})
    problem(answer, 404, "not-found")


async def test_a_group_event_is_opened_only_while_there_is_time_to_sign_up(world: World) -> None:
    path = (await world.post("/group-events", HEMP, EXCHANGE)).headers["location"]
    world.service.clock_at = A_MOMENT + timedelta(days=30)
    problem(await world.post(f"{path}/open", HEMP), 409, "sign-up-over")


# ── signing up ───────────────────────────────────────────────────────────────────────────────


async def test_a_visitor_s_place_is_a_match_of_its_own_that_both_have_agreed_to(world: World) -> None:
    await world.opened()
    await world.joins("v1")
    answer = await world.signs_up("v1")
    assert answer.status_code == 201
    [own] = answer.json()["participants"]
    match = await world.done(f"/matches/{own['match_id']}", method="GET")
    assert (match["state"], match["awaits"]) == ("agreed", ["hempclub"])
    assert match["stay"] == {"first_day": "2023-02-14", "last_day": "2023-02-16"}
    assert match["group_event_id"] in world.path

    assert (await world.done(f"/matches/{own['match_id']}/approve"))["state"] == "approved"
    [approved] = world.told(MatchApproved)
    assert approved.group_event_id == match["group_event_id"]
    commitment = await world.done(f"/matches/{own['match_id']}/commitment", method="GET")
    assert [item["title"] for item in commitment["agenda"]] == ["Welcome", "Mill visit"]


async def test_an_event_that_approves_at_once_does_so_for_its_own_partnership_alone(world: World) -> None:
    await world.opened(approves_at_once=True)
    await world.joins("v1")
    await world.joins("w1", partnership="woolclub")
    await world.signs_up("v1")
    await world.signs_up("w1")
    matches = {
        match["visitor"]["registration_id"]: (match["state"], match["awaits"])
        for match in (await world.done("/matches", method="GET"))["items"]
    }
    assert matches == {"v1": ("approved", []), "w1": ("agreed", ["woolclub"])}


async def test_a_local_comes_without_match_lump_sum_or_use_of_its_visit(world: World) -> None:
    path = await world.opened()
    await world.joins("local", place=ROME)
    assert (await world.signs_up("local")).status_code == 201
    assert await world.listed() == [("local", "local")]
    assert (await world.done("/matches", method="GET"))["items"] == []
    assert world.service.transactions.database["visit_claims"] == {}
    [taken] = world.told(PlaceTaken)
    assert (taken.attends_as, taken.match_id) == ("local", None)
    assert (await world.done(path, method="GET"))["free_places"] == 1


async def test_locals_may_have_places_of_their_own(world: World) -> None:
    await world.opened(places=1, local_places=1)
    await world.joins("l1", "l2", place=ROME)
    await world.joins("v1", "v2")
    for id in ("l1", "l2", "v1", "v2"):
        await world.signs_up(id)
    assert await world.listed() == [("l1", "local"), ("l2", "waits 1"), ("v1", "visitor"), ("v2", "waits 1")]


async def test_the_host_s_own_places_and_those_of_its_event_do_not_count_together(world: World) -> None:
    await world.opened(places=3)
    await world.joins("v1", "v2", "v3", "apart")
    for id in ("v1", "v2"):
        match_id = (await world.signs_up(id)).json()["participants"][0]["match_id"]
        assert (await world.done(f"/matches/{match_id}/approve"))["state"] == "approved"
    proposal = {
        "visitor_registration_id": "apart",
        "host_registration_id": "host",
        "first_day": "2023-02-14",
        "last_day": "2023-02-16",
    }
    match = await world.done("/matches", participant_of("apart"), proposal)
    await world.done(f"/matches/{match['id']}/accept", participant_of("host"))
    assert (await world.done(f"/matches/{match['id']}/approve"))["state"] == "approved"
    # The host's one place is taken now, and the event goes on.
    match_id = (await world.signs_up("v3")).json()["participants"][0]["match_id"]
    assert (await world.done(f"/matches/{match_id}/approve"))["state"] == "approved"


async def test_a_place_is_none_of_a_visitor_s_five_open_proposals(world: World) -> None:
    await world.opened()
    await world.joins("v1", "v2")
    hosts = [f"h{number}" for number in range(6)]
    await world.service.consume(*(accepted(a_host_party(id), a_host_profile()) for id in hosts))

    async def proposes(id: str, host: str) -> httpx.Response:
        days = {"first_day": "2023-02-20", "last_day": "2023-02-22"}
        proposal = {"visitor_registration_id": id, "host_registration_id": host, **days}
        return await world.post("/matches", participant_of(id), proposal)

    for before in (True, False):
        id = "v1" if before else "v2"
        if before:
            assert (await world.signs_up(id)).status_code == 201
        for host in hosts[:5]:
            assert (await proposes(id, host)).status_code == 201
        if not before:
            assert (await world.signs_up(id)).status_code == 201
        problem(await proposes(id, hosts[5]), 409, "too-many-open-proposals")


async def test_what_keeps_a_visitor_from_a_match_keeps_it_from_a_place_and_from_the_waiting_list(
    world: World,
) -> None:
    await world.service.consume(accepted(a_host_party("h2"), a_host_profile()))
    other = await world.opened(host_registration_id="h2", approves_at_once=True)
    await world.opened(places=1)
    await world.joins("v1", "v2", identifiers=[])
    await world.joins("h-abroad", roles=[Role.HOST])
    problem(await world.signs_up("h-abroad"), 409, "partners-do-not-fit")
    assert (await world.signs_up("v1", other)).status_code == 201
    problem(await world.signs_up("v1"), 409, "visit-already-claimed")
    await world.signs_up("v2")
    problem(await world.signs_up("v1"), 409, "visit-already-claimed")  # it would only wait
    problem(await world.signs_up("v2"), 409, "already-signed-up")
    problem(await world.signs_up("host"), 409, "already-signed-up")
    problem(await world.signs_up("stranger"), 404, "not-found")


async def test_only_the_organisation_and_staff_sign_it_up_and_see_it_on_the_list(world: World) -> None:
    await world.opened()
    await world.joins("v1")
    await world.joins("w1", partnership="woolclub")
    body = {"registration_id": "w1"}
    problem(await world.post(f"{world.path}/participants", participant_of("v1"), body), 403, "forbidden")
    await world.done(f"{world.path}/participants", WOOL, body)
    await world.done(f"{world.path}/participants", HEMP, {"registration_id": "v1"})
    auditor = Caller("auditor", CallerRole.AUDITOR)
    seen = {
        name: [
            (one["organisation"]["registration_id"], one["organisation"]["email"] is not None)
            for one in (await world.done(world.path, caller, method="GET"))["participants"]
        ]
        for name, caller in {
            "v1": participant_of("v1"), "host": participant_of("host"), "wool": WOOL, "hemp": HEMP,
            "auditor": auditor, "stranger": participant_of("stranger"),
        }.items()
    }  # fmt: skip
    both = [("w1", True), ("v1", True)]
    assert seen == {
        "v1": [("v1", False)], "host": [("w1", False), ("v1", False)], "wool": [("w1", False)],
        "hemp": both, "auditor": both, "stranger": [],
    }  # fmt: skip


async def test_nobody_signs_up_before_it_is_open_or_after_the_last_day(world: World) -> None:
    await world.joins("v1")
    path = (await world.post("/group-events", HEMP, EXCHANGE)).headers["location"]
    answer = await world.post(f"{path}/participants", HEMP, {"registration_id": "v1"})
    problem(answer, 409, "group-event-state-forbids")
    await world.done(f"{path}/open")
    world.service.clock_at = A_MOMENT + timedelta(days=19)
    problem(await world.signs_up("v1", path), 409, "sign-up-over")
    await world.tend()
    problem(await world.signs_up("v1", path), 409, "group-event-state-forbids")


# ── the waiting list ─────────────────────────────────────────────────────────────────────────


async def full(world: World, *waiting: str) -> None:
    """Two visitors have the two places, and these wait."""
    await world.opened()
    await world.joins("v1", "v2", *waiting)
    for id in ("v1", "v2", *waiting):
        await world.signs_up(id)


async def test_while_it_is_full_who_signs_up_waits_and_moves_up_in_turn(world: World) -> None:
    await full(world, "v3", "v4")
    assert await world.listed() == [
        ("v1", "visitor"), ("v2", "visitor"), ("v3", "waits 1"), ("v4", "waits 2"),
    ]  # fmt: skip
    assert [event.number for event in world.told(PlaceAwaited)] == [1, 2]
    await world.done(f"{world.path}/participants/v1/leave", participant_of("v1"), {"reason": "Ill."})
    # A place is free, and it is v3's: nobody gets past who waits.
    await world.joins("v5")
    await world.signs_up("v5")
    await world.tend()
    await world.tend()  # once more does nothing
    assert await world.listed() == [
        ("v2", "visitor"), ("v3", "visitor"), ("v4", "waits 1"), ("v5", "waits 2"),
    ]  # fmt: skip
    [cancelled] = world.told(MatchCancelled)
    assert (cancelled.visitor.registration_id, cancelled.reason) == ("v1", "Ill.")
    assert [(event.party.registration_id, event.moved_up) for event in world.told(PlaceTaken)] == [
        ("v1", False), ("v2", False), ("v3", True),
    ]  # fmt: skip


LEAVING: list[tuple[str, str]] = [
    ("the registration is withdrawn", "withdrawn"),
    ("the registration is erased", "erased"),
    ("the match is cancelled", "cancelled"),
    ("the partnership refuses the match", "refused"),
    ("staff take it off the list", "left"),
]


@pytest.mark.parametrize("how", [row[1] for row in LEAVING], ids=[row[0] for row in LEAVING])
async def test_a_place_given_up_goes_to_the_first_who_waits(world: World, how: str) -> None:
    await full(world, "v3")
    [match] = [
        match["id"]
        for match in (await world.done("/matches", method="GET"))["items"]
        if match["visitor"]["registration_id"] == "v1"
    ]
    party = a_party("v1")
    match how:
        case "withdrawn":
            await world.service.consume(gone(RegistrationWithdrawn, party))
        case "erased":
            await world.service.transactions.run(lambda uow: erase_candidate(uow, party.erased(), version=9))
        case "cancelled":
            await world.done(f"/matches/{match}/cancel", HEMP, {"reason": "Ill."})
        case "refused":
            await world.done(f"/matches/{match}/refuse", HEMP, {"reason": "No goals."})
        case _:
            await world.done(f"{world.path}/participants/v1/leave", HEMP)
    await world.tend()
    assert await world.listed() == [("v2", "visitor"), ("v3", "visitor")]
    [left] = world.told(PlaceLeft)
    assert (left.party.registration_id, left.had_place, left.match_id) == ("v1", True, match)


async def test_who_waits_may_leave_be_withdrawn_or_be_kept_away_by_a_rule_by_now(world: World) -> None:
    await full(world, "v3", "v4", "v5", "v6")
    await world.done(f"{world.path}/participants/v3/leave", participant_of("v3"))
    await world.service.consume(gone(RegistrationWithdrawn, a_party("v4")))
    # v5 goes elsewhere meanwhile, which uses its visit up.
    await world.service.consume(accepted(a_host_party("h2"), a_host_profile()))
    full_one = world.path
    other = await world.opened(host_registration_id="h2", approves_at_once=True)
    assert (await world.signs_up("v5", other)).status_code == 201
    world.path = full_one
    await world.done(f"{world.path}/participants/v1/leave", participant_of("v1"))
    await world.tend()
    assert await world.listed() == [("v2", "visitor"), ("v6", "visitor")]
    reasons = {event.party.registration_id: event.reason for event in world.told(PlaceLeft)}
    assert reasons["v5"] == "The visitor's one visit of the scheme is claimed by another match."


async def test_who_is_to_be_accepted_anew_is_passed_over_and_keeps_its_place_in_the_line(
    world: World,
) -> None:
    await full(world, "v3", "v4")
    await world.service.consume(amended(a_party("v3")))
    await world.done(f"{world.path}/participants/v1/leave", participant_of("v1"))
    await world.tend()
    assert await world.listed() == [("v2", "visitor"), ("v3", "waits 1"), ("v4", "visitor")]
    await world.joins("v3", sequence=4)
    await world.done(f"{world.path}/participants/v2/leave", participant_of("v2"))
    await world.tend()
    assert await world.listed() == [("v3", "visitor"), ("v4", "visitor")]


async def test_the_list_has_what_a_registration_says_since_it_was_accepted_anew(world: World) -> None:
    await full(world)
    await world.joins("v1", sequence=4, email="new@tagus-fibre.example")
    host = a_host_party("host", email="new@navigli-textile.example")
    await world.service.consume(accepted(host, a_host_profile(), sequence=4))
    await world.done(f"{world.path}/participants/v1/leave", HEMP)
    [left] = world.told(PlaceLeft)
    assert (left.party.email, left.host.email) == ("new@tagus-fibre.example", "new@navigli-textile.example")


async def test_an_approval_elsewhere_frees_the_place_at_the_event(world: World) -> None:
    await full(world, "v3")
    await world.service.consume(accepted(a_host_party("h2"), a_host_profile()))
    match = await world.done("/matches", participant_of("v1"), {
        "visitor_registration_id": "v1", "host_registration_id": "h2",
        "first_day": "2023-02-20", "last_day": "2023-02-22",
    })  # fmt: skip
    await world.done(f"/matches/{match['id']}/accept", participant_of("h2"))
    await world.done(f"/matches/{match['id']}/approve")
    await world.tend()
    assert await world.listed() == [("v2", "visitor"), ("v3", "visitor")]


async def test_more_places_go_to_who_waits_and_fewer_than_are_taken_cannot_be(world: World) -> None:
    await full(world, "v3", "v4")
    rest = {key: value for key, value in EXCHANGE.items() if key != "host_registration_id"}
    answer = await world.post(world.path, HEMP, {**rest, "places": 1}, method="PUT")
    assert "1 place more" in problem(answer, 409, "group-event-not-sound")
    assert (await world.done(world.path, HEMP, {**rest, "places": 3}, method="PUT"))["state"] == "open"
    await world.tend()
    assert await world.listed() == [
        ("v1", "visitor"), ("v2", "visitor"), ("v3", "visitor"), ("v4", "waits 1"),
    ]  # fmt: skip


async def test_a_plan_leaves_out_who_has_a_place_and_leaves_the_host_its_own(world: World) -> None:
    await full(world)
    await world.joins("v3")
    plan_id = await a_plan(world.service)
    planned = [(line.visitor.registration_id, line.host) for line in lines(world.service, plan_id)]
    assert [(visitor, host and host.registration_id) for visitor, host in planned] == [("v3", "host")]
    await published(world.service, plan_id)
    matches = (await world.done("/matches", method="GET"))["items"]
    assert sorted(match["state"] for match in matches) == ["agreed", "agreed", "proposed"]


# ── its course ───────────────────────────────────────────────────────────────────────────────


async def test_moved_to_other_days_each_visitor_gets_a_match_for_those_and_all_are_told(world: World) -> None:
    await full(world, "v3")
    matches = (await world.done("/matches", method="GET"))["items"]
    for match in matches:
        await world.done(f"/matches/{match['id']}/approve")
    await world.service.consume(gone(RegistrationWithdrawn, a_party("v2")))
    moved = {
        key: value for key, value in EXCHANGE.items() if key not in ("host_registration_id", "agenda")
    } | {"first_day": "2023-03-07", "last_day": "2023-03-09"}
    view = await world.done(world.path, HEMP, moved, method="PUT")
    assert view["days"] == {"first_day": "2023-03-07", "last_day": "2023-03-09"}
    assert await world.listed() == [("v1", "visitor"), ("v3", "waits 1")]
    [change] = [event for event in world.told(GatheringChanged) if event.former_days]
    assert [party.registration_id for party in change.concerned] == ["v1", "v3"]
    states = {
        (match["visitor"]["registration_id"], match["stay"]["first_day"]): match["state"]
        for match in (await world.done("/matches", method="GET"))["items"]
    }
    assert states == {
        ("v1", "2023-02-14"): "cancelled", ("v2", "2023-02-14"): "cancelled", ("v1", "2023-03-07"): "agreed",
    }  # fmt: skip
    # The place was v1's all the while.
    assert [event.party.registration_id for event in world.told(PlaceLeft)] == ["v2"]


async def test_cancelled_it_cancels_each_match_and_tells_who_waited_and_came_as_a_local(world: World) -> None:
    await world.opened(places=3)
    await world.joins("v1", "v2", "v3")
    await world.joins("local", place=ROME)
    for id in ("v1", "local", "v2", "v3"):
        await world.signs_up(id)
    for match in (await world.done("/matches", method="GET"))["items"]:
        await world.done(f"/matches/{match['id']}/approve")
    answer = await world.done(f"{world.path}/cancel", HEMP, {"reason": "The hall is flooded."})
    assert answer["state"] == "cancelled"
    cancelled = world.told(MatchCancelled)
    assert {event.visitor.registration_id for event in cancelled} == {"v1", "v2"}
    assert all(event.was_approved and "The hall is flooded." in event.reason for event in cancelled)
    [event] = world.told(GatheringCancelled)
    assert [party.registration_id for party in event.concerned] == ["local", "v3"]
    claims = world.service.transactions.database["visit_claims"].values()
    assert {claim["match_id"] for claim in claims} == {None}
    assert not world.told(PlaceLeft)
    problem(await world.post(f"{world.path}/cancel", HEMP, {"reason": "Again."}), 409,
            "group-event-state-forbids")  # fmt: skip


async def test_the_host_s_withdrawal_cancels_its_event(world: World) -> None:
    await full(world, "v3")
    await world.service.consume(gone(RegistrationWithdrawn, a_host_party("host")))
    assert (await world.done(world.path, method="GET"))["state"] == "cancelled"
    assert {event.visitor.registration_id for event in world.told(MatchCancelled)} == {"v1", "v2"}
    await world.tend()
    assert [event.party.registration_id for event in world.told(PlaceTaken)] == ["v1", "v2"]


async def test_it_closes_and_is_over_in_time(world: World) -> None:
    await full(world, "v3")
    for day, state in [(19, "closed"), (32, "held")]:
        world.service.clock_at = A_MOMENT + timedelta(days=day)
        await world.tend()
        assert (await world.done(world.path, method="GET"))["state"] == state
    # What is over is left as it was: no place is free to be had any more.
    await world.service.consume(gone(RegistrationWithdrawn, a_party("v1")))
    await world.tend()
    assert [id for id, _ in await world.listed()] == ["v1", "v2", "v3"]


async def test_nobody_moves_up_once_it_has_begun(world: World) -> None:
    await full(world, "v3")
    world.service.clock_at = A_MOMENT.replace(month=2, day=14)
    await world.done(f"{world.path}/participants/v1/leave", participant_of("v1"))
    await world.tend()
    assert await world.listed() == [("v2", "visitor"), ("v3", "waits 1")]


async def test_an_erasure_leaves_no_name_on_any_list(world: World) -> None:
    await full(world, "v3")
    world.service.clock_at = A_MOMENT + timedelta(days=32)
    await world.tend()
    erased: Party = a_party("v3").erased()
    await world.service.transactions.run(lambda uow: erase_candidate(uow, erased, version=9))
    [stored] = world.service.transactions.database["gatherings"].values()
    assert [one["party"]["organisation"] for one in stored["listed"]][2] == ERASED
    assert stored["listed"][2]["party"]["email"] == ""


# ── the signing round ────────────────────────────────────────────────────────────────────────


async def test_the_host_signs_the_commitments_of_all_visitors_in_one_round(world: World) -> None:
    await world.opened(approves_at_once=True)
    await world.joins("v1", "v2")
    await world.signs_up("v1")
    await world.signs_up("v2")
    problem(
        await world.post(f"{world.path}/commitments", participant_of("v1"), method="GET"), 403, "forbidden"
    )
    for caller, role in ((participant_of("host"), "HO"), (HEMP, "HOP")):
        found = await world.done(f"{world.path}/commitments", caller, method="GET")
        assert [one["visitor"] for one in found] == ["Tagus Fibre Works (sample)"] * 2
        documents = [{"match_id": one["match_id"], "sha256": one["sha256"]} for one in found]
        stale = [{**documents[0], "sha256": "0" * 64}, documents[1]]
        one, other = await world.done(f"{world.path}/sign", caller, {"documents": stale})
        assert "another one by now" in one["why_not_signed"]
        assert (other["why_not_signed"], role in other["missing"]) == (None, False)
        one, other = await world.done(f"{world.path}/sign", caller, {"documents": documents})
        assert (one["why_not_signed"], role in one["missing"]) == (None, False)
        assert "nothing is left to do" in other["why_not_signed"]
    assert [event.signed_as for event in world.told(CommitmentSigned)] == ["HO", "HO", "HOP", "HOP"]
    answer = await world.post(f"{world.path}/sign", WOOL, {"documents": documents})
    problem(answer, 403, "forbidden")
    elsewhere = [{**documents[0], "match_id": "m-elsewhere"}]
    answer = await world.post(f"{world.path}/sign", HEMP, {"documents": elsewhere})
    problem(answer, 409, "commitment-not-ready")


async def test_a_sign_up_is_one_agreed_match_and_asks_nobody(world: World) -> None:
    await world.opened()
    await world.joins("v1")
    before = len(world.service.published())
    await world.signs_up("v1")
    assert [type(event) for event in world.service.published()[before:]] in (
        [MatchAgreed, PlaceTaken],
        [PlaceTaken, MatchAgreed],
    )


MALFORMED: list[tuple[str, dict[str, Any]]] = [
    ("no place at all", {"places": 0}),
    ("more places than anybody has", {"places": 10_000}),
    ("a day that does not exist", {"last_day": "2023-02-30"}),
    ("no title", {"title": " "}),
    ("an unknown field", {"venue": "Hall 3"}),
]


@pytest.mark.parametrize("changes", [row[1] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
async def test_a_malformed_group_event_is_told_where(world: World, changes: dict[str, Any]) -> None:
    answer = await world.post("/group-events", HEMP, {**EXCHANGE, **changes})
    assert answer.status_code == 422
    assert answer.json()["errors"]
