"""The financial agreement of a grant, from its draft to two signatures, and what makes them void."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest

from services.funding.domain.agreement import (
    Agreement,
    AgreementChanged,
    AgreementVoid,
    AlreadySigned,
    VisitorSignsFirst,
)
from services.funding.domain.grant import Grant
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.draw_up_agreement import draw_up_agreement
from services.funding.use_cases.erase_grants import erase_grants
from services.funding.use_cases.recalculate_grant import recalculate_grant
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.funding.use_cases.sign_agreement import sign_agreement
from services.funding.use_cases.tell_what_is_held import tell_what_is_held
from shared.contracts.common import ERASED, Window
from shared.contracts.types import EventType
from shared.contracts.vocabulary import GateState, GrantState
from shared.errors import Forbidden, NotFound
from shared.messaging.outbox import unpack
from shared.security import Caller, CallerRole
from shared.storage.store import OUTBOX
from tests.builders import a_cancelled_match
from tests.fakes import MemoryTransactions
from tests.unit.funding.builders import a_lump_sum, a_match, a_partnership, transactions

Funding = MemoryTransactions[FundingUnitOfWork]

MATCH = a_match("m1")
GRANT = "grant-m1"
VO = Caller("office of the visitor", CallerRole.PARTICIPANT, organisation="visitor-m1")
VOP = Caller("officer", CallerRole.STAFF, partnership="hempclub")
HOP = Caller("officer of the host", CallerRole.STAFF, partnership="other")
AUDITOR = Caller("auditor", CallerRole.AUDITOR)
STRANGER = Caller("somebody", CallerRole.PARTICIPANT, organisation="elsewhere")
SHORTER = Window(first_day=date(2023, 2, 13), last_day=date(2023, 2, 15))


@pytest.fixture
async def funding() -> Funding:
    """A grant of EUR 900 is reserved, whose host is another partnership's."""
    funding = transactions(a_partnership(), a_partnership("other"))
    match = MATCH.model_copy(update={"host": MATCH.host.model_copy(update={"partnership": "other"})})
    await funding.run(lambda uow: reserve_lump_sum(uow, match))
    return funding


async def agreement(funding: Funding, by: Caller = AUDITOR) -> Agreement:
    return await funding.run(lambda uow: draw_up_agreement(uow, GRANT, by=by))


async def sign(funding: Funding, *signers: Caller) -> Agreement:
    for signer in signers:
        seen = (await agreement(funding)).content.sha256
        await funding.run(lambda uow: sign_agreement(uow, GRANT, by=signer, seen_sha256=seen))  # noqa: B023
    return await agreement(funding)


async def grant(funding: Funding) -> Grant:
    return await funding.read(lambda uow: uow.grants.get(GRANT))


async def recalculate(funding: Funding, real_stay: Window | None = None, **changes: Any) -> None:
    async def again(uow: FundingUnitOfWork) -> None:
        answer = a_lump_sum(**changes)
        found = await uow.grants.get(GRANT)
        await recalculate_grant(uow, found, answer, real_stay=real_stay, reason="The real days are known.")

    await funding.run(again)


async def cancel(funding: Funding) -> None:
    await funding.run(lambda uow: cancel_grant(uow, a_cancelled_match(MATCH)))


def told(funding: Funding) -> list[tuple[str, dict[str, Any]]]:
    """What was published after the reservation, in order."""
    rows = sorted(funding.database[OUTBOX].values(), key=lambda row: row["position"])
    events = [orjson.loads(message.value) for row in rows for message in unpack(row)]
    return [(event["type"], event["data"]) for event in events][1:]


def types(funding: Funding) -> list[str]:
    return [type.removeprefix("cxc.").removesuffix(".v1") for type, _ in told(funding)]


# ── drawn up ─────────────────────────────────────────────────────────────────────────────────


async def test_reserving_a_grant_draws_up_nothing_yet(funding: Funding) -> None:
    assert told(funding) == []
    assert not funding.database[Agreement.COLLECTION]


async def test_the_first_who_asks_finds_all_that_is_to_be_signed(funding: Funding) -> None:
    content = (await agreement(funding, VO)).content
    assert (content.visitor.name, content.payer) == (MATCH.visitor.organisation, "Hempclub")
    assert content.host.name == MATCH.host.organisation
    assert (content.first_day, content.last_day) == (MATCH.stay.first_day, MATCH.stay.last_day)
    assert (content.amount, content.working_days) == (Decimal("900.00"), 5)
    assert content.in_short.startswith("EUR 900.00 for a stay in Italy of 5 working days")
    assert "The full rate of Italy on 13 February 2023 is EUR 900.00." in content.calculation
    conditions = " ".join(content.conditions)
    for said in ("within 10 calendar days", "EUR 1,100.00", "fewer than 3 working days", "visits once"):
        assert said in conditions
    [(wire_type, event)] = told(funding)
    assert wire_type == EventType.AGREEMENT_DRAWN_UP
    assert (event["document_sha256"], event["missing"]) == (content.sha256, ["VO", "VOP"])
    assert (event["amount"], event["edition"]) == ("900.00", 1)


async def test_who_asks_later_finds_the_same_document(funding: Funding) -> None:
    first, second = await agreement(funding, VO), await agreement(funding, VOP)
    assert first.content == second.content
    assert types(funding) == ["agreement.drawn_up"]


async def test_there_is_none_while_the_budget_is_short() -> None:
    funding = transactions(a_partnership(budget="0.00"))
    await funding.run(lambda uow: reserve_lump_sum(uow, MATCH))
    with pytest.raises(NotFound, match="awaiting budget: there is one as soon as an amount is reserved"):
        await agreement(funding)


async def test_whoever_may_not_see_the_grant_finds_no_agreement(funding: Funding) -> None:
    with pytest.raises(NotFound):
        await agreement(funding, STRANGER)


# ── signed ───────────────────────────────────────────────────────────────────────────────────


async def test_the_visitor_and_then_its_partnership_sign_and_the_grant_is_committed(funding: Funding) -> None:
    signed = await sign(funding, VO)
    assert (signed.state, signed.missing) == ("open", ["VOP"])
    assert (await grant(funding)).gates.agreement.state is GateState.WAITS_FOR_PARTNERSHIP
    signed = await sign(funding, VOP)
    assert signed.state == "complete"
    assert [one.by for one in signed.signatures] == ["office of the visitor", "officer"]
    assert all(finding.holds for finding in signed.document.examined())
    found = await grant(funding)
    assert (found.state, found.gates.agreement.state) == (GrantState.COMMITTED, GateState.PASSED)
    assert sorted(types(funding)[1:]) == ["agreement.signed", "agreement.signed", "grant.committed"]
    budget = await funding.read(lambda uow: uow.budgets.get("hempclub"))
    assert (budget.reserved, budget.committed) == (Decimal(0), Decimal("900.00"))


async def test_the_partnership_does_not_sign_before_the_visitor(funding: Funding) -> None:
    with pytest.raises(VisitorSignsFirst, match="signs first"):
        await sign(funding, VOP)
    assert (await agreement(funding)).signatures == []


@pytest.mark.parametrize("caller", [HOP, AUDITOR, Caller("help", CallerRole.SUPPORT_OFFICE)])
async def test_who_may_only_read_it_cannot_sign(funding: Funding, caller: Caller) -> None:
    with pytest.raises(Forbidden, match="you can read it"):
        await sign(funding, caller)


async def test_nobody_signs_twice(funding: Funding) -> None:
    await sign(funding, VO)
    with pytest.raises(AlreadySigned, match="is signed for"):
        await sign(funding, VO)
    assert types(funding).count("agreement.signed") == 1


async def test_what_was_not_seen_cannot_be_signed(funding: Funding) -> None:
    with pytest.raises(AgreementChanged, match="read it again"):
        await funding.run(lambda uow: sign_agreement(uow, GRANT, by=VO, seen_sha256="0" * 64))
    assert not funding.database[Agreement.COLLECTION]


# ── what makes it void ───────────────────────────────────────────────────────────────────────


async def test_real_days_void_the_signatures_and_open_the_gate_again(funding: Funding) -> None:
    await sign(funding, VO, VOP)
    before = len(told(funding))
    await recalculate(funding, SHORTER, last_day="2023-02-15")
    found, anew = await grant(funding), await agreement(funding)
    assert (found.state, found.gates.agreement.state) == (GrantState.RESERVED, GateState.WAITS_FOR_VISITOR)
    assert (anew.state, anew.signatures, anew.content.edition) == ("open", [], 2)
    assert (anew.content.amount, anew.content.last_day) == (Decimal("450.00"), date(2023, 2, 15))
    events = dict(told(funding)[before:])
    voided = events[EventType.AGREEMENT_VOIDED]
    assert voided["reason"] == (
        "The amount is EUR 450.00 instead of EUR 900.00 and the stay is 13 to 15 February 2023 instead of "
        "13 to 17 February 2023."
    )
    assert (voided["voided"], voided["was_complete"], voided["final"]) == (["VO", "VOP"], True, False)
    assert (voided["amount"], voided["edition"]) == ("900.00", 1)
    drawn_up = events[EventType.AGREEMENT_DRAWN_UP]
    assert (drawn_up["amount"], drawn_up["edition"]) == ("450.00", 2)
    assert drawn_up["document_sha256"] == anew.content.sha256
    assert events[EventType.GRANT_REOPENED]["reason"] == voided["reason"]
    budget = await funding.read(lambda uow: uow.budgets.get("hempclub"))
    assert (budget.reserved, budget.committed) == (Decimal("450.00"), Decimal(0))
    assert (await sign(funding, VO, VOP)).state == "complete"
    assert (await grant(funding)).state is GrantState.COMMITTED


async def test_what_has_changed_is_said_also_where_it_reads_alike(funding: Funding) -> None:
    await sign(funding, VO)
    alike = Window(first_day=date(2023, 2, 3), last_day=date(2023, 2, 17))
    await recalculate(funding, alike, first_day="2023-02-03")
    assert dict(told(funding))[EventType.AGREEMENT_VOIDED]["reason"] == (
        "The stay is 3 to 17 February 2023 instead of 13 to 17 February 2023."
    )


async def test_an_amount_confirmed_on_the_days_as_planned_leaves_the_signatures(funding: Funding) -> None:
    await sign(funding, VO, VOP)
    await recalculate(funding, MATCH.stay)
    assert (await agreement(funding)).state == "complete"
    assert (await grant(funding)).state is GrantState.COMMITTED


async def test_an_unsigned_one_is_drawn_up_anew_and_nobody_is_told_that_it_is_void(funding: Funding) -> None:
    await agreement(funding)
    await recalculate(funding, SHORTER, last_day="2023-02-15")
    assert (await agreement(funding)).content.edition == 2
    assert types(funding) == ["agreement.drawn_up", "grant.recalculated", "agreement.drawn_up"]


async def test_a_signature_on_the_edition_before_is_refused(funding: Funding) -> None:
    seen = (await agreement(funding)).content.sha256
    await recalculate(funding, SHORTER, last_day="2023-02-15")
    with pytest.raises(AgreementChanged):
        await funding.run(lambda uow: sign_agreement(uow, GRANT, by=VO, seen_sha256=seen))


async def test_a_cancelled_match_takes_its_agreement_along(funding: Funding) -> None:
    await sign(funding, VO)
    await cancel(funding)
    void = await agreement(funding)
    assert (void.state, void.void_because) == ("void", "The match was cancelled.")
    assert types(funding)[-1] == "agreement.voided"
    with pytest.raises(AgreementVoid):
        await sign(funding, VOP)


async def test_a_grant_refused_after_all_and_settled_later_is_signed_anew(funding: Funding) -> None:
    await sign(funding, VO, VOP)
    await recalculate(funding, last_day="2023-02-14")
    assert (await grant(funding)).state is GrantState.REFUSED
    assert (await agreement(funding)).void_because == "Nothing is paid for this stay."
    await recalculate(funding, MATCH.stay)
    found, anew = await grant(funding), await agreement(funding)
    assert (found.state, found.gates.agreement.state) == (GrantState.RESERVED, GateState.WAITS_FOR_VISITOR)
    assert (anew.state, anew.content.edition, anew.signatures) == ("open", 2, [])
    assert (await sign(funding, VO, VOP)).state == "complete"


async def test_a_grant_that_waits_for_budget_again_is_not_signed_before_it_is_reserved(
    funding: Funding,
) -> None:
    await sign(funding, VO)
    await recalculate(funding, last_day="2023-02-14")
    others = [a_match(f"o{number}") for number in range(72)]
    for match in others:
        await funding.run(lambda uow: reserve_lump_sum(uow, match))  # noqa: B023
    await recalculate(funding)
    assert (await grant(funding)).state is GrantState.AWAITING_BUDGET
    assert types(funding).count("agreement.drawn_up") == 1
    with pytest.raises(AgreementVoid):
        await sign(funding, VO)
    for match in others[:2]:
        await funding.run(lambda uow: cancel_grant(uow, a_cancelled_match(match)))  # noqa: B023
    assert (await grant(funding)).state is GrantState.RESERVED
    anew = await sign(funding, VO, VOP)
    assert (anew.state, anew.content.edition) == ("complete", 2)


# ── personal data ────────────────────────────────────────────────────────────────────────────


async def test_what_both_have_signed_is_kept_after_an_erasure(funding: Funding) -> None:
    signed = await sign(funding, VO, VOP)
    await funding.run(lambda uow: erase_grants(uow, "visitor-m1"))
    kept = await agreement(funding)
    assert kept.document == signed.document
    # Its name stays with the money, as in the grant; how to reach it does not.
    assert (kept.visitor.organisation, kept.visitor.email) == (MATCH.visitor.organisation, "")


async def test_nothing_personal_is_left_of_a_void_one(funding: Funding) -> None:
    await sign(funding, VO)
    await cancel(funding)
    await funding.run(lambda uow: erase_grants(uow, "visitor-m1"))
    await funding.run(lambda uow: erase_grants(uow, "host-m1"))
    stored = orjson.dumps(funding.database[Agreement.COLLECTION]).decode()
    for personal in (MATCH.visitor.organisation, MATCH.host.organisation, "office of the visitor"):
        assert personal not in stored


async def test_one_cancelled_after_the_erasure_is_blanked_with_it(funding: Funding) -> None:
    await sign(funding, VO, VOP)
    await funding.run(lambda uow: erase_grants(uow, "visitor-m1"))
    await cancel(funding)
    stored = orjson.dumps(funding.database[Agreement.COLLECTION]).decode()
    assert MATCH.visitor.organisation not in stored
    assert "office of the visitor" not in stored


async def test_an_open_one_goes_on_without_the_name_of_an_erased_host(funding: Funding) -> None:
    await sign(funding, VO)
    await funding.run(lambda uow: erase_grants(uow, "host-m1"))
    anew = await agreement(funding)
    assert (anew.content.host.name, anew.signatures) == (ERASED, [])
    assert (await grant(funding)).gates.agreement.state is GateState.WAITS_FOR_VISITOR


async def test_each_side_is_told_what_is_held_of_it_and_not_of_the_other(funding: Funding) -> None:
    await sign(funding, VO, VOP)
    for registration, other in (("visitor-m1", MATCH.host), ("host-m1", MATCH.visitor)):
        caller = Caller("one", CallerRole.PARTICIPANT, organisation=registration)
        kinds = await funding.read(lambda uow: tell_what_is_held(uow, registration, by=caller))  # noqa: B023
        [held] = [kind for kind in kinds if kind.name == "agreements"]
        assert len(held.documents) == 1
        assert other.organisation not in orjson.dumps(held.documents).decode()
