"""Whatever happens to reports and grants, in any order: a partnership's progress counts what counts, once."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.funding.domain.grant import Grant, grant_id
from services.funding.domain.report import ReportForm
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.erase_grants import erase_grants
from services.funding.use_cases.read_progress import read_progress
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.funding.use_cases.return_report import return_report
from services.funding.use_cases.save_report import save_report
from services.funding.use_cases.submit_report import submit_report
from services.funding.use_cases.validate_report import validate_report
from shared.contracts.vocabulary import GateState, GrantState
from shared.errors import CxcError
from shared.security import Caller, CallerRole
from tests.builders import a_cancelled_match
from tests.fakes import MemoryTransactions
from tests.unit.funding.builders import a_match, a_partnership, transactions
from tests.unit.funding.reporting import STAFF, a_form

Funding = MemoryTransactions[FundingUnitOfWork]
MATCHES = {name: a_match(name) for name in ("m1", "m2", "m3")}
STEPS = ("submit", "submit too short", "validate", "return", "pay", "prepare", "recover", "cancel", "erase")


async def take(funding: Funding, step: str, name: str) -> None:
    """One step with one grant, as far as its state allows."""
    id = grant_id(name)
    visitor = Caller("visitor-1", CallerRole.PARTICIPANT, organisation=f"visitor-{name}")

    async def on_the_grant(uow: FundingUnitOfWork) -> None:
        grant = await uow.grants.get(id)
        match step:
            case "prepare":
                for gate in ("agreement", "evidence"):
                    grant.turn_gate(gate, GateState.PASSED, at=uow.now)
                grant.prepare("p-1")
            case "pay":
                grant.release()
                grant.mark_paid(uow.now.date(), "reference")
            case _:
                grant.recover(grant.amount, "The visit did not take place.")

    async def hand_in(uow: FundingUnitOfWork) -> None:
        last_day = "2023-02-14" if step == "submit too short" else "2023-02-17"
        form = ReportForm.model_validate(
            a_form(
                first_day="2023-02-13", last_day=last_day, activities=[{"day": "2023-02-13", "what": "Tour."}]
            )
        )
        await save_report(uow, id, form, edition=None, by=visitor)
        await submit_report(uow, id, by=visitor)

    async def validate(uow: FundingUnitOfWork) -> None:
        report = await uow.reports.of(await uow.grants.get(id))
        await validate_report(uow, id, edition=report.edition, accepted_days=[], by=STAFF)

    work: dict[str, Any] = {
        "submit": hand_in,
        "submit too short": hand_in,
        "validate": validate,
        "return": lambda uow: return_report(uow, id, "Please say more.", by=STAFF),
        "cancel": lambda uow: cancel_grant(uow, a_cancelled_match(MATCHES[name])),
        "erase": lambda uow: erase_grants(uow, f"visitor-{name}"),
    }
    with contextlib.suppress(CxcError):  # forbidden in that state, and nothing was changed
        await funding.run(work.get(step, on_the_grant))


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(sorted(MATCHES))), max_size=25))
async def test_progress_is_the_number_of_grants_that_count(steps: list[tuple[str, str]]) -> None:
    funding = transactions(a_partnership(budget="2000.00"))
    for match in MATCHES.values():
        await funding.run(lambda uow, match=match: reserve_lump_sum(uow, match))  # type: ignore[misc]
    for step, name in steps:
        await take(funding, step, name)
        grants = [Grant.from_document(one) for one in funding.database[Grant.COLLECTION].values()]
        counting = [
            grant
            for grant in grants
            if grant.gates.report.state is GateState.PASSED
            and grant.amount
            and grant.state
            not in (GrantState.REFUSED, GrantState.CANCELLED, GrantState.RECOVERED, GrantState.NEEDS_REVIEW)
        ]
        progress = await funding.read(lambda uow: read_progress(uow, a_partnership()))
        assert progress.done == 23 + len(counting)
        assert [grant.id for grant in grants if grant.counted] == [grant.id for grant in counting]


async def test_a_whole_exchange_counts_and_counts_no_more_once_all_of_it_came_back() -> None:
    funding = transactions(a_partnership())
    await funding.run(lambda uow: reserve_lump_sum(uow, MATCHES["m1"]))
    done = []
    for step in ("submit", "validate", "prepare", "pay", "cancel", "recover"):
        await take(funding, step, "m1")
        done.append((await funding.read(lambda uow: read_progress(uow, a_partnership()))).done)
    assert done == [23, 24, 24, 24, 24, 23]
