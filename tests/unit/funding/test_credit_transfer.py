"""The file for the bank: valid by the official schema, in the banks' letters, the same bytes each time."""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from services.funding.domain.bank_account import AccountDetails, AccountGiven
from services.funding.domain.credit_transfer import (
    NAMESPACE,
    CreditTransfer,
    credit_transfers,
    remittance,
)
from services.funding.domain.sepa import in_bank_letters
from services.funding.use_cases.reseal_bank_data import reseal_payments
from services.funding.vault import Vault
from shared.contracts.common import Window
from tests.unit.funding.paying import A_KEY, ANOTHER_KEY, Desk, account_facts

MILAN = Window(first_day=date(2023, 2, 14), last_day=date(2023, 2, 16))
MATCH = "0185ca2f-ac00-7945-a70f-a7f9c13fe193"


@cache
def schema() -> xmlschema.XMLSchema:
    """ISO 20022's own, as a package of the test environment ships it."""
    return xmlschema.XMLSchema(str(resources.files("sepaxml") / "schemas" / "pain.001.001.09.xsd"))


def details(**changes: Any) -> AccountDetails:
    return AccountGiven.model_validate(account_facts(**changes)).details


def written(*transfers: CreditTransfer, debtor: AccountDetails | None = None) -> bytes:
    return credit_transfers(
        message_id="a" * 32,
        created=datetime(2023, 2, 20, 9, 30, tzinfo=UTC),
        execute_on=date(2023, 2, 21),
        debtor=debtor or details(iban="IT60X0542811101000000123456"),
        transfers=transfers,
    )


def texts(content: bytes, path: str) -> list[str | None]:
    root = ET.fromstring(content)
    return [
        found.text for found in root.findall(".//" + "/".join(f"{{{NAMESPACE}}}{n}" for n in path.split("/")))
    ]


async def test_a_released_payment_is_a_valid_file_with_what_was_agreed() -> None:
    desk = Desk()
    payment = await desk.released(await desk.grant("m1"), await desk.grant("m2", full=True))
    content = await desk.file(payment)
    schema().validate(content.decode())
    assert texts(content, "GrpHdr/MsgId") == texts(content, "PmtInf/PmtInfId") == [payment.message_id]
    assert texts(content, "GrpHdr/CreDtTm") == ["2023-02-20T09:00:00Z"]
    assert texts(content, "NbOfTxs") == ["2", "2"]
    assert texts(content, "CtrlSum") == ["1350.00", "1350.00"]
    assert texts(content, "SvcLvl/Cd") == ["SEPA"]
    assert texts(content, "ChrgBr") == ["SLEV"]
    assert texts(content, "ReqdExctnDt/Dt") == ["2023-02-20"]
    assert texts(content, "DbtrAcct/Id/IBAN") == ["IT60X0542811101000000123456"]
    assert texts(content, "EndToEndId") == [one.end_to_end_id for one in payment.transfers]
    assert len(set(texts(content, "EndToEndId"))) == 2
    assert texts(content, "InstdAmt") == ["450.00", "900.00"]
    assert texts(content, "Cdtr/PstlAdr/TwnNm") == ["Lisboa", "Lisboa"]
    assert texts(content, "Cdtr/PstlAdr/BldgNb") == ["12", "12"]
    assert not texts(content, "PstlAdr/AdrLine")
    assert texts(content, "RmtInf/Ustrd") == [
        "ClusterXchange lump sum, stay in Milan 13 to 15 February 2023, match m1",
        "ClusterXchange lump sum, stay in Milan 13 to 17 February 2023, match m2",
    ]


async def test_the_file_is_the_same_byte_for_byte_later_elsewhere_and_under_another_key() -> None:
    desk = Desk()
    payment = await desk.released(await desk.grant("m1"))
    content = await desk.file(payment)
    assert payment.file_sha256 == hashlib.sha256(content).hexdigest()
    desk.at += timedelta(days=400)
    assert await desk.file(payment) == content
    desk.vault = Vault([ANOTHER_KEY, A_KEY])
    await desk.transactions.run(lambda uow: reseal_payments(uow, [payment.id], vault=desk.vault))
    assert await desk.file(payment) == content
    # What was opened and written anew would be the same, too.
    transfer = CreditTransfer("E1", Decimal("450.00"), details(), "Text")
    assert written(transfer) == written(transfer)


def test_names_are_written_in_letters_every_bank_takes() -> None:
    content = written(
        CreditTransfer(
            "E1",
            Decimal("1100.00"),
            details(
                holder="Ćwiklińska & Söhne Ελληνική Ένωση «Україна»",
                address={
                    "street": "Вулиця Прикладна",
                    "post_code": "LV-1010",
                    "town": "Rīga",
                    "country": "LV",
                },
            ),
            remittance("Łódź", MILAN, MATCH),
        )
    )
    schema().validate(content.decode())
    assert texts(content, "Cdtr/Nm") == ["Cwiklinska + Sohne Elliniki Enosi Ukraina"]
    assert texts(content, "RmtInf/Ustrd") == [
        f"ClusterXchange lump sum, stay in Lodz 14 to 16 February 2023, match {MATCH}"
    ]
    assert content.isascii()


def test_a_bic_is_given_where_the_bank_needs_it() -> None:
    inside, outside = details(), details(iban="GB29NWBK60161331926819")
    content = written(
        *(CreditTransfer(f"E{n}", Decimal("1.00"), to, "Text") for n, to in enumerate((inside, outside)))
    )
    schema().validate(content.decode())
    assert texts(content, "CdtrAgt/FinInstnId/BICFI") == ["NWBKGB2LXXX"]
    assert texts(content, "DbtrAgt/FinInstnId/Othr/Id") == ["NOTPROVIDED"]


@given(st.text(max_size=200))
def test_bank_letters_are_those_of_the_guidelines(text: str) -> None:
    result = in_bank_letters(text)
    assert re.fullmatch(r"[A-Za-z0-9/\-?:().,'+ ]*", result)
    assert "//" not in result
    assert not result.startswith("/")
    assert not result.endswith("/")


@given(st.text(max_size=200), st.dates(date(2000, 1, 1), date(2099, 1, 1)), st.integers(0, 40))
def test_the_text_for_the_payee_fits_and_names_the_match(city: str, first: date, days: int) -> None:
    text = remittance(city, Window(first_day=first, last_day=first + timedelta(days=days)), MATCH)
    assert len(text) <= 140
    assert text.endswith(f"match {MATCH}")
