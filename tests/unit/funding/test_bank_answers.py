"""What the bank answers: paid, rejected, returned, known already, or nothing of ours."""

from __future__ import annotations

import copy
from datetime import date
from decimal import Decimal

import pytest

from services.funding.bank_messages import read_bank_message
from services.funding.domain.bank_answer import AnswerOutcome
from services.funding.domain.grant import BookedBefore
from services.funding.domain.payment import Payment, PaymentState, PaymentStateForbids, SameOfficer
from services.funding.domain.settlement import Settlement
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.apply_bank_answers import Taken, apply_bank_answers
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.give_up_payment import give_up_payment
from services.funding.use_cases.release_payment import FileGivenUp
from services.funding.use_cases.settle_lump_sum import settle_lump_sum
from services.funding.use_cases.withdraw_payment import withdraw_payment
from shared.errors import Forbidden, Malformed
from shared.security import Caller
from tests.builders import a_cancelled_match
from tests.unit.funding.builders import a_match
from tests.unit.funding.paying import (
    AUDITOR,
    OTHER_STAFF,
    PREPARER,
    RELEASER,
    Desk,
    a_notification,
    a_status,
    a_status_report,
    a_visitor,
    an_entry,
)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def take_in(desk: Desk, content: bytes, *, by: Caller = PREPARER) -> list[Taken]:
    return await desk.transactions.run(lambda uow: apply_bank_answers(uow, read_bank_message(content), by=by))


async def outcomes(desk: Desk, content: bytes, *, by: Caller = PREPARER) -> list[str]:
    return [taken.outcome.value for taken in await take_in(desk, content, by=by)]


def names(payment: Payment) -> list[str]:
    return [transfer.end_to_end_id for transfer in payment.transfers]


async def two_released(desk: Desk) -> tuple[Payment, str, str]:
    payment = await desk.released(await desk.grant("m1"), await desk.grant("m2"))
    return payment, *names(payment)  # type: ignore[return-value]


async def test_a_booked_debit_is_paid_on_its_day(desk: Desk) -> None:
    payment, one, two = await two_released(desk)
    assert await outcomes(desk, a_notification(an_entry(one))) == ["applied"]
    assert await desk.states() == {"grant-m1": "paid", "grant-m2": "released"}
    grant = (await desk.grants())["grant-m1"]
    assert (grant.paid_on, grant.reference) == (date(2023, 2, 22), f"REF-{one[-6:]}")
    assert desk.budget() == {"reserved": 0, "committed": 450, "paid": 450}
    assert (await desk.payment(payment.id)).state is PaymentState.RELEASED
    await take_in(desk, a_notification(an_entry(two)))
    assert (await desk.payment(payment.id)).state is PaymentState.SETTLED
    assert desk.budget() == {"reserved": 0, "committed": 0, "paid": 900}


@pytest.mark.parametrize("version", ["02", "04", "08", "12"])
async def test_the_same_file_twice_changes_nothing_and_says_so(desk: Desk, version: str) -> None:
    _, one, two = await two_released(desk)
    booked = an_entry(one, version=version)
    returned = an_entry(two, side="CRDT", returned="AC04", version=version)
    notice = a_notification(booked, booked, returned, version=version)
    assert await outcomes(desk, notice) == ["applied", "already_known", "applied"]
    before = copy.deepcopy(desk.transactions.database.collections)
    assert await outcomes(desk, notice) == ["already_known"] * 3
    assert desk.transactions.database.collections == before


async def test_what_is_not_ours_or_another_amount_or_currency_is_told_and_changes_nothing(desk: Desk) -> None:
    _, one, two = await two_released(desk)
    before = copy.deepcopy(desk.transactions.database.collections)
    taken = await take_in(
        desk,
        a_notification(
            an_entry("NOTPROVIDED"),
            an_entry(one, "449.99"),
            an_entry(two, currency="SEK"),
            an_entry(two, booked="PDNG"),
        ),
    )
    assert [one.outcome for one in taken] == [
        AnswerOutcome.NOT_OURS,
        AnswerOutcome.AMOUNT_DIFFERS,
        AnswerOutcome.AMOUNT_DIFFERS,
        AnswerOutcome.NOTHING_TO_DO,
    ]
    assert taken[1].sentence == "the bank speaks of EUR 449.99, the transfer is of EUR 450.00"
    assert "SEK" in taken[2].sentence
    # Another partnership's staff has the very file: to them, none of it is theirs.
    assert await outcomes(desk, a_notification(an_entry(one)), by=OTHER_STAFF) == ["not_ours"]
    assert desk.transactions.database.collections == before


async def test_a_rejected_transfer_is_payable_again_with_the_banks_reason_in_words(desk: Desk) -> None:
    payment, one, two = await two_released(desk)
    report = a_status_report(payment.message_id, a_status(one, "RJCT", "AC04"), a_status(two, "ACSC"))
    assert await outcomes(desk, report) == ["applied", "applied"]
    assert await desk.states() == {"grant-m1": "payable", "grant-m2": "paid"}
    settled = await desk.payment(payment.id)
    assert settled.transfers[0].reason == "AC04, the account is closed"
    again = (await desk.prepare("grant-m1")).payment
    # The old rejection, once more, says nothing about the new transfer.
    assert await outcomes(desk, report) == ["already_known", "already_known"]
    assert (await desk.states())["grant-m1"] == "prepared"
    assert names(again) != [one]


async def test_a_whole_file_that_is_rejected_rejects_each_transfer(desk: Desk) -> None:
    payment, _, _ = await two_released(desk)
    report = a_status_report(payment.message_id, group="RJCT")
    assert await outcomes(desk, report) == ["applied", "applied"]
    assert set((await desk.states()).values()) == {"payable"}
    assert await outcomes(desk, report) == ["already_known", "already_known"]


@pytest.mark.parametrize("code", ["AM05", "DUPL", "DU01"])
async def test_a_file_handed_over_twice_does_not_make_its_grants_payable_again(desk: Desk, code: str) -> None:
    payment, one, _ = await two_released(desk)
    report = a_status_report(payment.message_id, a_status(one, "RJCT", code))
    [taken] = await take_in(desk, report)
    assert taken.outcome is AnswerOutcome.CONTRADICTS
    assert "handed over twice" in taken.sentence
    assert set((await desk.states()).values()) == {"released"}
    assert await outcomes(desk, a_notification(an_entry(one))) == ["applied"]
    assert await outcomes(desk, report) == ["contradicts"]
    assert (await desk.states())["grant-m1"] == "paid"


async def test_a_rejected_transfer_of_a_match_that_has_ended_is_not_paid_again(desk: Desk) -> None:
    payment, one, _ = await two_released(desk)
    await desk.transactions.run(lambda uow: cancel_grant(uow, a_cancelled_match(a_match("m1", full=False))))
    [taken] = await take_in(desk, a_status_report(payment.message_id, a_status(one, "RJCT", "AC01")))
    assert taken.sentence.endswith("its match had ended, the money is free")
    assert (await desk.states())["grant-m1"] == "cancelled"


async def test_a_file_the_bank_never_took_is_given_up_by_another_officer(desk: Desk) -> None:
    payment, one, _ = await two_released(desk)

    async def give_up(by: Caller) -> Payment:
        return await desk.transactions.run(
            lambda uow: give_up_payment(uow, payment.id, reason="Its day was over.", by=by)
        )

    with pytest.raises(SameOfficer):
        await give_up(RELEASER)
    given_up = await give_up(PREPARER)
    assert given_up.state is PaymentState.SETTLED
    assert set((await desk.states()).values()) == {"payable"}
    with pytest.raises(FileGivenUp):
        await desk.file(payment)
    with pytest.raises(PaymentStateForbids):
        await give_up(PREPARER)
    again = await desk.released("grant-m1", "grant-m2")
    # The bank took it after all: no money is moved here, and a person is told.
    assert await outcomes(desk, a_notification(an_entry(one))) == ["contradicts"]
    await take_in(desk, a_notification(an_entry(names(again)[0])))
    with pytest.raises(PaymentStateForbids):
        await desk.transactions.run(lambda uow: give_up_payment(uow, again.id, reason="No.", by=PREPARER))


@pytest.mark.parametrize("status", ["ACCP", "ACTC", "ACSP", "PDNG", "RCVD"])
async def test_on_its_way_is_not_paid(desk: Desk, status: str) -> None:
    payment, one, _ = await two_released(desk)
    assert await outcomes(desk, a_status_report(payment.message_id, group=status)) == ["nothing_to_do"]
    report = a_status_report(payment.message_id, a_status(one, status))
    assert await outcomes(desk, report) == ["nothing_to_do"]
    assert set((await desk.states()).values()) == {"released"}


async def test_money_that_comes_back_is_owed_again(desk: Desk) -> None:
    _, one, _ = await two_released(desk)
    # The return stands before the booking in the file: the bank booked it before all the same.
    notice = a_notification(an_entry(one, side="CRDT", returned="AC01"), an_entry(one))
    assert await outcomes(desk, notice) == ["applied", "applied"]
    assert (await desk.states())["grant-m1"] == "payable"
    assert desk.budget() == {"reserved": 0, "committed": 900, "paid": 0}


async def test_what_contradicts_is_told_and_changes_no_money(desk: Desk) -> None:
    payment, one, two = await two_released(desk)
    await take_in(desk, a_notification(an_entry(one)))
    await take_in(desk, a_status_report(payment.message_id, a_status(two, "RJCT", "MS03")))
    states = await desk.states()
    assert await outcomes(desk, a_status_report(payment.message_id, a_status(one, "RJCT"))) == ["contradicts"]
    third = (await desk.prepare("grant-m2")).payment
    assert await outcomes(desk, a_notification(an_entry(names(third)[0]))) == ["contradicts"]
    assert await desk.states() == {**states, "grant-m2": "prepared"}


async def test_what_is_booked_though_it_was_rejected_is_paid_and_not_payable_again(desk: Desk) -> None:
    payment, one, two = await two_released(desk)
    await take_in(
        desk, a_status_report(payment.message_id, a_status(one, "RJCT", "MS03"), a_status(two, "ACSC"))
    )
    notice = a_notification(an_entry(one))
    assert await outcomes(desk, notice) == ["applied"]
    assert (await desk.states())["grant-m1"] == "paid"
    assert (await desk.grants())["grant-m1"].payment_id == payment.id
    assert desk.budget() == {"reserved": 0, "committed": 0, "paid": 900}
    assert await outcomes(desk, notice) == ["already_known"]
    assert await outcomes(desk, a_notification(an_entry(one, side="CRDT", returned="AC04"))) == ["applied"]
    assert (await desk.states())["grant-m1"] == "payable"


async def test_no_second_payment_is_released_once_the_first_is_booked_though_rejected(desk: Desk) -> None:
    payment, one, _ = await two_released(desk)
    await take_in(desk, a_status_report(payment.message_id, a_status(one, "RJCT", "MS03")))
    second = (await desk.prepare("grant-m1")).payment
    notice = a_notification(an_entry(one))
    [taken] = await take_in(desk, notice)
    assert taken.outcome is AnswerOutcome.CONTRADICTS
    assert "take it out of the payment first" in taken.sentence
    with pytest.raises(BookedBefore):
        await desk.release(second)
    await desk.transactions.run(
        lambda uow: withdraw_payment(uow, second.id, None, reason="The bank had booked it.", by=PREPARER)
    )
    with pytest.raises(BookedBefore):
        await desk.prepare("grant-m1")
    # Who prepares all that can be paid now is not kept from it.
    await desk.grant("m3")
    assert [transfer.grant_id for transfer in (await desk.prepare()).payment.transfers] == ["grant-m3"]
    assert await outcomes(desk, notice) == ["applied"]
    assert (await desk.states())["grant-m1"] == "paid"


async def test_a_booking_of_another_amount_than_is_payable_by_now_is_for_a_person(desk: Desk) -> None:
    payment, one, _ = await two_released(desk)
    await take_in(desk, a_status_report(payment.message_id, a_status(one, "RJCT", "MS03")))
    agreed = Settlement(reason="The partnership pays less.", agreed_amount=Decimal("400.00"))
    await desk.transactions.run(lambda uow: settle_lump_sum(uow, "grant-m1", agreed, by=PREPARER))
    [taken] = await take_in(desk, a_notification(an_entry(one)))
    assert taken.outcome is AnswerOutcome.CONTRADICTS
    assert "EUR 400.00 by now, and EUR 450.00 were booked" in taken.sentence
    with pytest.raises(BookedBefore):
        await desk.prepare("grant-m1")


async def test_one_entry_for_a_whole_file_pays_all_of_it_when_the_sum_is_right(desk: Desk) -> None:
    payment, _, _ = await two_released(desk)

    def batch(amount: str) -> bytes:
        return a_notification(
            f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>'
            f"<BookgDt><DtTm>2023-02-22T10:00:00</DtTm></BookgDt><BkTxCd/><NtryDtls><Btch>"
            f"<PmtInfId>{payment.message_id}</PmtInfId></Btch></NtryDtls></Ntry>",
            version="02",
        )

    assert await outcomes(desk, batch("899.00")) == ["amount_differs"]
    twice = batch("900.00").replace(b"<Ntry>", b"<Ntry/><Ntry>")
    entry = twice[twice.index(b"<Ntry>") : twice.index(b"</Ntry>") + 7]
    assert await outcomes(desk, twice.replace(entry, entry * 3)) == ["not_ours", "applied", "applied"]
    assert await outcomes(desk, batch("900.00")) == ["already_known", "already_known"]
    assert desk.budget()["paid"] == 900


async def test_an_amount_that_came_back_in_part_before_is_for_a_person(desk: Desk) -> None:
    _, one, _ = await two_released(desk)
    await take_in(desk, a_notification(an_entry(one)))

    async def came_back(uow: object) -> None:
        grant = await uow.grants.get("grant-m1")  # type: ignore[attr-defined]
        grant.recover(grant.amount / 9, "Two nights were paid by the host.")

    await desk.transactions.run(came_back)
    assert await outcomes(desk, a_notification(an_entry(one, side="CRDT", returned="CUST"))) == [
        "contradicts"
    ]
    assert (await desk.states())["grant-m1"] == "paid"


async def test_only_staff_take_in_what_a_bank_answers(desk: Desk) -> None:
    for caller in (AUDITOR, a_visitor("m1")):
        with pytest.raises(Forbidden):
            await take_in(desk, a_notification(), by=caller)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not XML"),
        (b"<Document", "is not XML"),
        (b"\xff\xfe\x00", "is not XML"),
        (b'<?xml version="1.0" encoding="x-none"?><Document/>', "is not XML"),
        (b"<html/>", "neither a pain.002 nor a camt.054"),
        (a_notification().replace(b"camt.054", b"camt.053"), "account statement"),
        (a_status_report("x").replace(b"pain.002", b"pain.001"), "payment file itself"),
        (b'<!DOCTYPE d [<!ENTITY a "b">]>' + a_notification()[38:], "document type or entities"),
        (a_notification(an_entry("x", "1e9")), "an amount that is none"),
        (a_notification(an_entry("x")).replace(b"2023-02-22</Dt>", b"2023-02-30</Dt>"), "a day that is none"),
        (a_notification().replace(b"BkToCstmrDbtCdtNtfctn", b"Other"), "has no BkToCstmrDbtCdtNtfctn"),
    ],
)
def test_a_file_that_is_none_is_refused_with_a_reason(content: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=said) as refusal:
        read_bank_message(content)
    assert "Document>" not in refusal.value.detail


async def test_the_notice_of_the_payees_bank_is_not_taken_for_a_return(desk: Desk) -> None:
    _, one, two = await two_released(desk)
    await take_in(desk, a_notification(an_entry(two)))
    # It names the same transfers, with the amount coming in.
    notice = a_notification(an_entry(one, side="CRDT"), an_entry(two, side="CRDT"))
    assert await outcomes(desk, notice) == ["contradicts", "contradicts"]
    assert await desk.states() == {"grant-m1": "released", "grant-m2": "paid"}


@pytest.mark.parametrize(
    "sign",
    [
        "<RvslInd>true</RvslInd>",
        "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>RRTN</SubFmlyCd></Fmly></Domn></BkTxCd>",
    ],
)
async def test_a_return_without_a_reason_is_known_by_what_the_bank_calls_the_booking(
    desk: Desk, sign: str
) -> None:
    _, one, _ = await two_released(desk)
    await take_in(desk, a_notification(an_entry(one)))
    returned = an_entry(one, side="CRDT").replace("<BkTxCd><Prtry><Cd>TRANSFER</Cd></Prtry></BkTxCd>", sign)
    assert await outcomes(desk, a_notification(returned)) == ["applied"]
    assert (await desk.states())["grant-m1"] == "payable"


async def test_what_was_claimed_back_is_not_payable_again_when_the_bank_returns_it(desk: Desk) -> None:
    _, one, _ = await two_released(desk)
    await take_in(desk, a_notification(an_entry(one)))

    async def claim(uow: FundingUnitOfWork) -> None:
        grant = await uow.grants.get("grant-m1")
        grant.claim_back(grant.amount, "The boarding pass was another person's.", return_by=date(2023, 3, 31))

    await desk.transactions.run(claim)
    [taken] = await take_in(desk, a_notification(an_entry(one, side="CRDT", returned="FOCR")))
    assert taken.outcome is AnswerOutcome.CONTRADICTS
    assert "note what the bank sent back as recovered" in taken.sentence
    assert (await desk.states())["grant-m1"] == "paid"
