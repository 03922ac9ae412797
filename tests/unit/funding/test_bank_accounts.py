"""Bank accounts: typos told in words, numbers kept closed, gone when nothing needs them."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from services.funding.bootstrap import debtors_among
from services.funding.domain.bank_account import AccountGiven, AccountInUse, account_id
from services.funding.domain.grant import grant_id
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.erase_grants import erase_grants
from services.funding.use_cases.forget_bank_data import forget_bank_accounts, forget_payment_files
from services.funding.use_cases.give_bank_account import NothingToPay, give_bank_account, read_bank_account
from services.funding.use_cases.release_payment import FileForgotten
from services.funding.use_cases.reseal_bank_data import reseal_bank_accounts, reseal_payments
from services.funding.use_cases.tell_what_is_held import tell_what_is_held
from services.funding.use_cases.withdraw_payment import withdraw_payment
from services.funding.vault import NoBankKey, Vault
from shared.errors import Forbidden, NotFound
from shared.messaging.outbox import unpack
from shared.partnerships import Partnerships
from shared.security import Caller, CallerRole
from tests.builders import a_cancelled_match
from tests.unit.funding.builders import a_match
from tests.unit.funding.paying import (
    A_KEY,
    ANOTHER_KEY,
    AUDITOR,
    IBAN,
    OTHER_STAFF,
    PREPARER,
    Desk,
    a_notification,
    a_paying_partnership,
    a_visitor,
    account_facts,
    an_entry,
)
from tests.unit.funding.test_bank_answers import take_in


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def give(desk: Desk, match_id: str = "m1", *, by: Caller | None = None, **changes: Any) -> None:
    given = AccountGiven.model_validate(account_facts(**changes))
    await desk.transactions.run(
        lambda uow: give_bank_account(
            uow, grant_id(match_id), given, by=by or a_visitor(match_id), vault=desk.vault
        )
    )


def stored(desk: Desk) -> dict[str, Any]:
    return desk.transactions.database["bank_accounts"]


def everything(desk: Desk) -> str:
    """All that is stored, and all messages, as text."""
    rows = desk.transactions.database["outbox"].values()
    messages = [message.value.decode() for row in rows for message in unpack(row)]
    collections = {
        name: documents
        for name, documents in desk.transactions.database.collections.items()
        if name != "outbox"
    }
    return json.dumps(collections, default=str, ensure_ascii=False) + "\n".join(messages)


# ── what is given ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("iban", "said"),
    [
        ("PT50 0002 0123 1234 5678 9015 5", "check digits"),
        ("PT05 0002 0123 1234 5678 9015 4", "check digits"),
        ("PT50 0002 0123 1234 5678 9051 4", "check digits"),
        ("PT50 0002 0123 1234 5678 9015", "has 24 characters, an IBAN of Portugal has 25: 1 missing"),
        ("PT50 0002 0123 1234 5678 9015 44", "1 too many"),
        ("PT50 OOO2 0123 1234 5678 9015 4", "a digit at place 5: not the letter O"),
        ("IT60 5054 2811 1010 0000 0123 456", "a letter at place 5"),
        ("PT50/0002/0123", "neither a letter nor a digit"),
        ("50 0002 0123", "two letters of its country"),
        ("", "two letters of its country"),
        ("ZZ50 0002", "no IBANs of 'ZZ'"),
        ("AM50 0002", "no IBANs of Armenia"),
        ("UA21 3223 1300 0002 6007 2335 6600 1", "of Ukraine, which SEPA credit transfers do not reach"),
        ("BE41 5390 0754 7035", "national check digits"),
    ],
)
def test_what_is_wrong_with_an_iban_is_said_and_the_number_is_not(iban: str, said: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        AccountGiven.model_validate(account_facts(iban=iban))
    [error] = refusal.value.errors(include_input=False, include_context=False)
    assert error["loc"] == ("iban",)
    assert said in error["msg"]
    assert iban[4:] == "" or iban[4:] not in error["msg"]


@pytest.mark.parametrize(
    "iban",
    [
        "pt50000201231234567890154",
        " PT50-0002-0123-1234-5678-9015-4\u200b",
        "DE89 3704 0044 0532 0130 00",
        "FR14 2004 1010 0505 0001 3M02 606",
        "NO93 8601 1117 947",
        "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
    ],
)
def test_an_iban_is_taken_however_it_is_written(iban: str) -> None:
    given = AccountGiven.model_validate(account_facts(iban=iban))
    assert given.iban.isalnum()
    assert given.bic is None


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"iban": "CH93 0076 2011 6238 5295 7"}, ("bic",)),
        ({"bic": "BCOMPTP"}, ("bic",)),
        ({"holder": "A" * 71}, ("holder",)),
        ({"holder": "ß" * 36}, ("holder",)),
        ({"holder": "!!!"}, ("holder",)),
        ({"address": {**account_facts()["address"], "town": "T" * 36}}, ("address", "town")),
        ({"address": {**account_facts()["address"], "country": "PX"}}, ("address", "country")),
        ({"currency": "EUR"}, ("currency",)),
    ],
)
def test_what_a_bank_would_refuse_is_refused_when_it_is_given(changes: Any, where: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as refusal:
        AccountGiven.model_validate(account_facts(**changes))
    assert [error["loc"] for error in refusal.value.errors()] == [where]


def test_a_partnership_whose_account_is_wrong_keeps_the_service_from_starting() -> None:
    partnership = a_paying_partnership()
    assert partnership.account is not None
    wrong = partnership.account.model_copy(update={"iban": "IT60X0542811101000000123457"})
    with pytest.raises(ValueError, match=r"account of partnership hempclub .* check digits") as refusal:
        debtors_among(Partnerships([partnership.model_copy(update={"account": wrong})]))
    assert "123457" not in str(refusal.value)


# ── who gives and sees it ────────────────────────────────────────────────────────────────────


async def test_only_the_visitor_gives_it_and_the_hosts_partnership_does_not_see_it(desk: Desk) -> None:
    await desk.grant("m1", account=False, payer="other")  # hosted by HempClub
    for caller in (PREPARER, OTHER_STAFF, AUDITOR):
        with pytest.raises(Forbidden):
            await give(desk, by=caller)
    with pytest.raises(NotFound):
        await give(desk, by=a_visitor("m2"))
    await give(desk)

    async def shown_to(caller: Caller) -> str:
        account = await desk.transactions.read(lambda uow: read_bank_account(uow, "grant-m1", by=caller))
        return account.shown

    for caller in (a_visitor("m1"), OTHER_STAFF, AUDITOR):
        assert await shown_to(caller) == "PT50 •••• … 0154"
    with pytest.raises(Forbidden):
        await shown_to(PREPARER)


async def test_no_account_is_taken_for_a_grant_that_is_over(desk: Desk) -> None:
    await desk.grant("m1", passed=[], account=False)
    await desk.transactions.run(lambda uow: cancel_grant(uow, a_cancelled_match(a_match("m1", full=False))))
    with pytest.raises(NothingToPay):
        await give(desk)


async def test_it_stays_as_it_is_while_a_payment_goes_to_it(desk: Desk) -> None:
    grant = await desk.grant("m1")
    payment = (await desk.prepare(grant)).payment
    with pytest.raises(AccountInUse):
        await give(desk, iban="DE89370400440532013000")
    await give(desk)  # the same again changes nothing
    await desk.transactions.run(
        lambda uow: withdraw_payment(uow, payment.id, None, reason="The account changes.", by=PREPARER)
    )
    await give(desk, iban="DE89370400440532013000")
    released = await desk.released(grant)
    assert b"DE89370400440532013000" in await desk.file(released)
    with pytest.raises(AccountInUse):
        await give(desk)
    await take_in(desk, a_notification(an_entry(released.transfers[0].end_to_end_id)))
    await give(desk)


async def test_giving_it_is_told_without_a_digit(desk: Desk) -> None:
    await desk.grant("m1")
    await give(desk)
    await give(desk, holder="Tagus Fibre Works II (sample)")
    rows = desk.transactions.database["outbox"].values()
    told = [json.loads(message.value) for row in rows for message in unpack(row)]
    given = [event["data"] for event in told if event["type"] == "cxc.bank_account.given.v1"]
    assert [data["changed"] for data in given] == [False, True]
    assert not {"iban", "holder", "account", "shown", "sealed"} & given[0].keys()


async def test_who_asks_what_is_held_sees_payments_and_the_account_masked(desk: Desk) -> None:
    await desk.released(await desk.grant("m1"), await desk.grant("m2"))
    kinds = await desk.transactions.read(lambda uow: tell_what_is_held(uow, "visitor-m1", by=a_visitor("m1")))
    held = {kind.name: kind.documents for kind in kinds}
    assert [document["shown"] for document in held["bank_accounts"]] == ["PT50 •••• … 0154"]
    assert [document["grant_id"] for document in held["payments"]] == ["grant-m1"]
    assert "sealed" not in held["bank_accounts"][0]
    assert IBAN[4:-4] not in json.dumps(held, default=str)


# ── kept closed ──────────────────────────────────────────────────────────────────────────────


async def test_no_number_and_no_holder_is_stored_or_told_in_the_clear(desk: Desk) -> None:
    holder = "Holder Of No Other Name (sample)"
    grant = await desk.grant("m1", account=False)
    await give(desk, holder=holder)
    payment = await desk.released(grant)
    await take_in(desk, a_notification(an_entry(payment.transfers[0].end_to_end_id)))
    text = everything(desk)
    for secret in (IBAN, IBAN[4:-4], "IT60X0542811101000000123456", holder, "Rua do Exemplo"):
        assert secret not in text
    assert "PT50 •••• … 0154" in text


async def test_without_a_key_nothing_is_taken_and_the_answer_says_why(desk: Desk) -> None:
    await desk.grant("m1", account=False)
    desk.vault = Vault()
    with pytest.raises(NoBankKey, match="CXC_BANK_KEYS"):
        await give(desk)
    assert not stored(desk)


async def test_keys_are_rotated_without_a_loss(desk: Desk) -> None:
    first = await desk.released(await desk.grant("m1"))
    second = (await desk.prepare(await desk.grant("m2"))).payment
    content, old = await desk.file(first), desk.vault.current

    desk.vault = Vault([ANOTHER_KEY])
    with pytest.raises(NoBankKey, match=old):
        await desk.file(first)

    desk.vault = both = Vault([ANOTHER_KEY, A_KEY])
    assert await desk.file(first) == content
    ids = [first.id, second.id]
    await desk.transactions.run(lambda uow: reseal_bank_accounts(uow, stored(desk), vault=both))
    await desk.transactions.run(lambda uow: reseal_payments(uow, ids, vault=both))
    assert old not in everything(desk)

    desk.vault = Vault([ANOTHER_KEY])
    assert await desk.file(first) == content
    released = await desk.release(second)
    assert IBAN.encode() in await desk.file(released)
    with pytest.raises(NoBankKey):
        Vault([A_KEY]).open((await desk.payment(first.id)).file, of=f"{first.id}/file")  # type: ignore[arg-type]


def test_what_was_changed_or_moved_does_not_open() -> None:
    vault = Vault([A_KEY])
    sealed = vault.close(b"an account", of="account-1")
    assert vault.open(sealed, of="account-1") == b"an account"
    with pytest.raises(ValueError, match="account-2"):
        vault.open(sealed, of="account-2")
    changed = sealed.model_copy(update={"content": "AAAA" + sealed.content[4:]})
    with pytest.raises(ValueError, match="changed"):
        vault.open(changed, of="account-1")
    assert sealed.content != vault.close(b"an account", of="account-1").content
    assert SecretStr("x" * 32).get_secret_value() not in repr(vault)


# ── gone ─────────────────────────────────────────────────────────────────────────────────────


async def test_an_erasure_takes_the_account_once_nothing_is_owed_to_it(desk: Desk) -> None:
    grant = await desk.grant("m1")
    payment = await desk.released(grant)

    async def forget(uow: FundingUnitOfWork) -> None:
        await forget_bank_accounts(uow, list(stored(desk)), before=desk.at - timedelta(days=1826))

    await desk.transactions.run(lambda uow: erase_grants(uow, "visitor-m1"))
    await desk.transactions.run(forget)
    assert list(stored(desk)) == [account_id("visitor-m1")]
    await take_in(desk, a_notification(an_entry(payment.transfers[0].end_to_end_id)))
    await desk.transactions.run(forget)
    assert not stored(desk)


async def test_an_erasure_takes_the_account_of_a_cancelled_grant_at_once(desk: Desk) -> None:
    await desk.grant("m1", passed=[])
    await desk.transactions.run(lambda uow: cancel_grant(uow, a_cancelled_match(a_match("m1", full=False))))
    await desk.transactions.run(lambda uow: erase_grants(uow, "visitor-m1"))
    assert not stored(desk)


async def test_accounts_and_files_go_when_accounts_have_been_kept_long_enough(desk: Desk) -> None:
    payment = await desk.released(await desk.grant("m1"))
    await desk.grant("m2")
    await take_in(desk, a_notification(an_entry(payment.transfers[0].end_to_end_id)))
    content = await desk.file(payment)

    async def forget(uow: FundingUnitOfWork) -> None:
        before = desk.at - timedelta(days=1826)
        await forget_bank_accounts(uow, list(stored(desk)), before=before)
        await forget_payment_files(uow, [payment.id], before=before)

    desk.at += timedelta(days=1826)
    await desk.transactions.run(forget)
    assert await desk.file(payment) == content
    desk.at += timedelta(days=1)
    await desk.transactions.run(forget)
    assert list(stored(desk)) == [account_id("visitor-m2")]  # its grant is still to be paid
    with pytest.raises(FileForgotten):
        await desk.file(payment)
    left = await desk.payment(payment.id)
    assert (left.total, left.transfers[0].account) == (Decimal("450.00"), "")


async def test_another_role_of_the_same_partnership_sees_no_account(desk: Desk) -> None:
    await desk.grant("m1")
    outside = Caller("crm", CallerRole.EXTERNAL, partnership="hempclub")
    with pytest.raises(NotFound):
        await desk.transactions.read(lambda uow: read_bank_account(uow, "grant-m1", by=outside))
