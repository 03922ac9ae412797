"""Partners invited by a link: who may, what the link tells, and what becomes of the two."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.matching.api import create_app
from services.matching.domain.invitation import Invitation
from services.matching.repositories import MatchingUnitOfWork
from services.matching.settings import MatchingSettings
from services.matching.use_cases.expire_invitations import expire_invitations
from shared.contracts.common import Party
from shared.contracts.matching import InvitationSent, MatchProposed
from shared.contracts.registration import RegistrationErased, RegistrationWithdrawn
from shared.contracts.vocabulary import Role
from shared.http import authenticated
from shared.partnerships import Partnerships
from shared.sealed import Seal
from shared.security import Caller, CallerRole
from tests.builders import A_MOMENT, A_SECRET, a_host_party, a_party, an_envelope
from tests.unit.matching.builders import (
    HISTORY,
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

SEAL = Seal(A_SECRET)
INVITATION = {
    "email": "office@new-partner.example",
    "role": "host",
    "first_day": "2023-02-14",
    "last_day": "2023-02-16",
    "message": "We met at the fair.",
}
VISITOR = a_party("v", partnership="vop")
HOST = a_host_party("h", partnership="hop", owner="owner of h")
BOTH = [Role.VISITOR, Role.HOST]


class Sealing(Service):
    """The service with a seal key."""

    seal: Seal = SEAL

    def _open_unit(self, store: Any) -> MatchingUnitOfWork:
        return MatchingUnitOfWork(
            store,
            partnerships=self.partnerships,
            weights=HISTORY,
            pool=self.pool,
            seal=self.seal,
            clock=lambda: self.clock_at,
        )


class Client(httpx.AsyncClient):
    """Calls the API as somebody."""

    app: FastAPI
    service: Sealing
    caller: Caller = participant_of("v")

    def by(self, caller: Caller) -> Client:
        self.caller = caller
        return self

    async def invite(self, id: str = "v", **changes: Any) -> httpx.Response:
        return await self.post(f"/registrations/{id}/invitations", json={**INVITATION, **changes})

    async def token(self, **changes: Any) -> str:
        """The token of a new invitation by the visitor, as its mail has it."""
        answer = await self.by(participant_of("v")).invite(**changes)
        assert answer.status_code == 201, answer.text
        return SEAL.open(self.sent()[-1].sealed)["token"]

    def said(self) -> list[str]:
        """The names of the events about invitations and matches, in order."""
        names = [type(event).__name__ for event in self.service.published()]
        return [name for name in names if name.startswith(("Invitation", "Match"))]

    def sent(self) -> list[InvitationSent]:
        return [event for event in self.service.published() if isinstance(event, InvitationSent)]

    async def accept(self, token: str, id: str = "h", owner: str = "owner of h") -> httpx.Response:
        self.by(participant_of(owner))
        return await self.post(f"/invitations/{token}/accept", json={"registration_id": id})


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    for name, value in {
        "CXC_MONGO_URL": "mongodb://nowhere.example",
        "CXC_KAFKA_BOOTSTRAP": "nowhere.example:9092",
        "CXC_ISSUER": "https://issuer.example",
        "CXC_JWKS_URL": "https://issuer.example/keys",
    }.items():
        monkeypatch.setenv(name, value)
    app = create_app(MatchingSettings.load())
    client = Client(transport=httpx.ASGITransport(app), base_url="http://matching.example")
    client.app = app
    client.service = Sealing(
        Partnerships([a_partnership("vop", auto_approve=True), a_partnership("hop", auto_approve=True)])
    )
    await client.service.consume(accepted(VISITOR, a_profile()))
    app.state.root = SimpleNamespace(transactions=client.service.transactions)
    app.dependency_overrides[authenticated] = lambda: client.caller
    async with client:
        yield client


def problem(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, code), answer.text
    detail: str = answer.json()["detail"]
    assert detail.endswith(".") or status == 422
    return detail


# ── inviting ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("caller", [participant_of("v"), staff_of("vop")])
async def test_an_organisation_or_its_staff_invite_and_only_the_mail_has_the_link(
    api: Client, caller: Caller
) -> None:
    answer = await api.by(caller).invite()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": answer.json()["id"],
        "state": "open",
        "role": "host",
        "stay": {"first_day": "2023-02-14", "last_day": "2023-02-16"},
        "sent_at": "2023-01-16T09:30:00Z",
        "expires_on": "2023-01-30",
        "accepted_by": None,
    }
    [sent] = api.sent()
    assert (sent.party.registration_id, sent.invited_as, sent.message) == ("v", "host", "We met at the fair.")
    opened = SEAL.open(sent.sealed)
    assert opened["email"] == "office@new-partner.example"
    stored = str(api.service.transactions.database[Invitation.COLLECTION])
    for secret in (opened["token"], opened["email"]):
        assert secret not in sent.model_dump_json()
    assert opened["token"] not in stored


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        (participant_of("somebody else"), 404),
        (staff_of("hop"), 404),
        (Caller("crm", CallerRole.EXTERNAL), 404),
        (Caller("office", CallerRole.SUPPORT_OFFICE), 403),
        (Caller("auditor", CallerRole.AUDITOR), 403),
    ],
)
async def test_nobody_else_invites_in_its_name(api: Client, caller: Caller, status: int) -> None:
    assert (await api.by(caller).invite()).status_code == status
    assert api.sent() == []


FORBIDDEN: list[tuple[str, dict[str, Any], int, str]] = [
    ("its own role", {"role": "visitor"}, 409, "partners-do-not-fit"),
    ("days the wrong way round", {"last_day": "2023-02-13"}, 409, "stay-out-of-bounds"),
    ("more than a month", {"last_day": "2023-03-20"}, 409, "stay-out-of-bounds"),
    ("days that are past", {"first_day": "2023-01-10", "last_day": "2023-01-20"}, 409, "stay-out-of-bounds"),
    ("no address", {"email": "somebody"}, 422, "malformed"),
    ("no role of the scheme", {"role": "guest"}, 422, "malformed"),
    ("too many words", {"message": "x" * 1001}, 422, "malformed"),
    ("a field too many", {"phone": "1"}, 422, "malformed"),
]


@pytest.mark.parametrize(
    ("changes", "status", "code"), [row[1:] for row in FORBIDDEN], ids=[row[0] for row in FORBIDDEN]
)
async def test_an_invitation_that_cannot_come_true_is_not_sent(
    api: Client, changes: dict[str, Any], status: int, code: str
) -> None:
    problem(await api.invite(**changes), status, code)
    assert api.sent() == []


async def test_who_is_out_of_the_pool_invites_nobody(api: Client) -> None:
    problem(await api.invite("unheard-of"), 404, "not-found")
    await api.service.consume(amended(VISITOR))
    problem(await api.invite(), 409, "not-in-pool")


async def test_without_a_seal_key_nobody_is_invited(api: Client) -> None:
    api.service.seal = Seal(None)
    assert "CXC_SEAL_KEY" in problem(await api.invite(), 503, "nothing-to-seal-with")
    assert api.sent() == []


async def test_at_most_five_are_out_and_a_withdrawn_one_counts_until_its_last_day(api: Client) -> None:
    tokens = [await api.token() for _ in range(5)]
    detail = problem(await api.invite(), 409, "too-many-invitations")
    assert "after 2023-01-30" in detail
    first, second = api.sent()[0].invitation_id, tokens[1]
    assert (await api.post(f"/invitations/{first}/withdraw")).json()["state"] == "withdrawn"
    problem(await api.invite(), 409, "too-many-invitations")
    assert (await api.accept(second)).status_code == 200
    await api.token()
    api.service.clock_at += timedelta(days=15)
    await api.token()


# ── following the link ───────────────────────────────────────────────────────────────────────


async def test_the_link_tells_who_invites_and_when_and_nobody_s_address(api: Client) -> None:
    token = await api.token()
    del api.app.dependency_overrides[authenticated]  # no account is needed
    answer = await api.get(f"/invitations/{token}")
    assert answer.json() == {
        "organisation": "Tagus Fibre Works (sample)",
        "city": "Lisbon",
        "country": "PT",
        "role": "host",
        "stay": {"first_day": "2023-02-14", "last_day": "2023-02-16"},
        "expires_on": "2023-01-30",
    }
    assert answer.headers["cache-control"] == "no-store"
    assert (await api.post(f"/invitations/{token}/accept", json={"registration_id": "h"})).status_code == 401


async def test_a_link_that_is_over_says_so(api: Client) -> None:
    problem(await api.get(f"/invitations/{'x' * 43}"), 404, "not-found")
    used, withdrawn, late = [await api.token() for _ in range(3)]
    await api.accept(used)
    await api.by(staff_of("vop")).post(f"/invitations/{api.sent()[1].invitation_id}/withdraw")
    for token, status, code in ((used, 409, "invitation-used"), (withdrawn, 410, "invitation-over")):
        problem(await api.get(f"/invitations/{token}"), status, code)
        problem(await api.accept(token, "h2", "owner of h2"), status, code)
    api.service.clock_at += timedelta(days=14)
    assert (await api.get(f"/invitations/{late}")).status_code == 200
    api.service.clock_at += timedelta(days=1)
    assert "until 2023-01-30" in problem(await api.get(f"/invitations/{late}"), 410, "invitation-over")
    problem(await api.accept(late), 410, "invitation-over")


async def test_who_sent_invitations_sees_what_became_of_them(api: Client) -> None:
    await api.accept(await api.token())
    await api.token()
    for caller in (participant_of("v"), staff_of("vop"), Caller("auditor", CallerRole.AUDITOR)):
        answer = await api.by(caller).get("/registrations/v/invitations")
        assert [one["state"] for one in answer.json()] == ["open", "accepted"]
    for stranger in (participant_of("h"), staff_of("hop"), Caller("crm", CallerRole.EXTERNAL)):
        problem(await api.by(stranger).get("/registrations/v/invitations"), 404, "not-found")


@pytest.mark.parametrize("caller", [participant_of("h"), staff_of("hop")])
async def test_only_who_sent_it_withdraws_it(api: Client, caller: Caller) -> None:
    await api.token()
    answer = await api.by(caller).post(f"/invitations/{api.sent()[0].invitation_id}/withdraw")
    problem(answer, 404, "not-found")


async def test_the_link_ends_with_the_registration_that_sent_it(api: Client) -> None:
    token = await api.token()
    await api.service.consume(gone(RegistrationWithdrawn, VISITOR))
    problem(await api.get(f"/invitations/{token}"), 410, "invitation-over")
    assert "InvitationWithdrawn" in api.said()


async def test_an_address_is_kept_while_the_invitation_is_open_and_no_longer(api: Client) -> None:
    def held() -> str:
        return str(api.service.transactions.database[Invitation.COLLECTION])

    used = await api.token()
    await api.accept(used)
    assert "new-partner" not in held()
    assert "fair" not in held()
    await api.token()
    assert "new-partner" in held()
    api.service.clock_at += timedelta(days=15)
    ids = list(api.service.transactions.database[Invitation.COLLECTION])
    await api.service.transactions.run(lambda uow: expire_invitations(uow, ids))
    assert "new-partner" not in held()

    api.service.clock_at = A_MOMENT
    await api.token()
    erased = RegistrationErased(party=VISITOR.erased(), on_behalf_of="organisation")
    await api.service.consume(
        amended(VISITOR, 3), an_envelope(erased, service="registration", subject="v", sequence=4)
    )
    assert "new-partner" not in held()


async def test_who_asks_what_is_held_is_told_of_its_invitations_and_of_no_token(api: Client) -> None:
    await api.token()
    kinds = {kind["name"]: kind for kind in (await api.get("/held/v")).json()["kinds"]}
    [told] = kinds["invitations"]["documents"]
    assert told["email"] == "office@new-partner.example"
    assert "token_hash" not in told


# ── accepting ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("joins", ["before", "after"])
async def test_the_two_are_partners_whenever_the_invited_joins(api: Client, joins: str) -> None:
    joining = accepted(HOST, a_host_profile())
    if joins == "before":
        await api.service.consume(joining)
    answer = await api.accept(await api.token())
    assert (answer.json()["state"], answer.json()["accepted_by"]) == ("accepted", "h")
    if joins == "after":
        assert "MatchProposed" not in api.said()
        await api.service.consume(joining)
    # Both have said yes, and both partnerships take pre-agreed partners at once.
    assert api.said() == ["InvitationSent", "InvitationAccepted", *AGREED_AT_ONCE]
    assert api.service.dead_letters() == []


AGREED_AT_ONCE = ["MatchProposed", "MatchAgreed", "MatchEndorsed", "MatchApproved"]


async def test_the_two_are_partners_though_the_inviter_is_out_of_the_pool_for_a_while(api: Client) -> None:
    token = await api.token()
    await api.service.consume(amended(VISITOR, 3))
    assert (await api.accept(token)).status_code == 200
    await api.service.consume(accepted(HOST, a_host_profile()))
    assert "MatchProposed" not in api.said()
    await api.service.consume(accepted(VISITOR, a_profile(), 4))
    assert [name for name in api.said() if name.startswith("Match")][:2] == AGREED_AT_ONCE[:2]


async def test_the_invitation_says_who_visits_where_both_could(api: Client) -> None:
    await api.service.consume(
        accepted(a_party("a", owner="a", roles=BOTH, partnership="vop"), a_profile()),
        accepted(a_host_party("h", owner="owner of h", roles=BOTH, partnership="hop"), a_host_profile()),
    )
    assert (await api.by(participant_of("a")).invite("a", role="visitor", first_day="2023-02-20",
            last_day="2023-02-24")).status_code == 201  # fmt: skip
    await api.accept(SEAL.open(api.sent()[-1].sealed)["token"])
    proposal = next(event for event in api.service.published() if isinstance(event, MatchProposed))
    assert proposal.visitor.registration_id == "h"
    assert proposal.stay.first_day == date(2023, 2, 20)


async def test_a_word_for_a_registration_of_somebody_else_counts_for_nothing(api: Client) -> None:
    answer = await api.accept(await api.token(), "h", owner="a stranger")
    assert answer.status_code == 200  # nothing was heard of the registration yet
    await api.service.consume(accepted(HOST, a_host_profile()))
    # What is left is that the visitor names it: the host is asked, as about any partner.
    assert [name for name in api.said() if name.startswith("Match")] == ["MatchProposed"]


REFUSED: list[tuple[str, Party | None, str, str, int, str]] = [
    ("a registration of somebody else", HOST, "h", "a stranger", 404, "not-found"),
    ("its own registration", None, "v", "v", 409, "partners-do-not-fit"),
    ("another one of the same organisation", None, "w", "v", 409, "partners-do-not-fit"),
    (
        "one that is no host",
        a_party("w", owner="owner of w", partnership="hop"),
        "w",
        "owner of w",
        409,
        "partners-do-not-fit",
    ),
]


@pytest.mark.parametrize(
    ("party", "id", "owner", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
async def test_it_is_not_used_up_by_who_cannot_take_it(
    api: Client, party: Party | None, id: str, owner: str, status: int, code: str
) -> None:
    token = await api.token()
    if party is not None:
        await api.service.consume(accepted(party, a_profile()))
    problem(await api.accept(token, id, owner), status, code)
    assert (await api.get(f"/invitations/{token}")).status_code == 200


async def test_only_an_organisation_accepts(api: Client) -> None:
    token = await api.token()
    api.by(staff_of("hop"))
    answer = await api.post(f"/invitations/{token}/accept", json={"registration_id": "h"})
    problem(answer, 403, "forbidden")


async def test_two_who_have_a_match_have_no_use_for_an_invitation(api: Client) -> None:
    await api.service.consume(accepted(HOST, a_host_profile()))
    proposal = {
        "visitor_registration_id": "v",
        "host_registration_id": "h",
        "first_day": "2023-02-20",
        "last_day": "2023-02-22",
    }
    assert (await api.by(participant_of("v")).post("/matches", json=proposal)).status_code == 201
    problem(await api.accept(await api.token()), 409, "already-matched")
