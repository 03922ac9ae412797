"""Identifiers: the same organisation, however it writes its numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.domain.identifiers import (
    Identifiers,
    identify,
    normal_euid,
    normal_pic,
    normal_vat,
)
from shared.contracts.registration import Organisation
from shared.contracts.vocabulary import OrganisationKind


@pytest.mark.parametrize(
    ("written", "country", "normal"),
    [
        ("PT501964843", "PT", "PT501964843"),
        ("pt 501 964 843", "PT", "PT501964843"),
        ("IT 007.431-10157", "IT", "IT00743110157"),
        ("501964843", "PT", "PT501964843"),  # the prefix is the country's
        ("EL094259216", "GR", "EL094259216"),
        ("GR 094259216", "GR", "EL094259216"),
        ("094259216", "GR", "EL094259216"),
        ("BE697449992", "BE", "BE0697449992"),  # the old nine digits get their zero
        ("ATU12345675", "AT", "ATU12345675"),
        ("XI980780684", "GB", "GB980780684"),  # of Northern Ireland: one number, two prefixes
        ("GB980780684", "GB", "GB980780684"),
        ("980780684", "GB", "GB980780684"),
        ("el094259216", "GR", "EL094259216"),
        ("EL094259216", "BE", "EL094259216"),
        ("094259216", "BE", None),  # without a prefix it is Belgium's, which it is not
        ("FRFR83404833048", "FR", "FR83404833048"),  # the prefix twice
        ("ELGR094259216", "GR", None),
        ("PT501964843;PT501964843", "PT", "PT501964843"),  # the number twice
        ("501964843 / 501964843", "PT", "PT501964843"),
        ("UA123456789;UA123456789", "UA", "UA123456789"),
        ("UAUA123456789", "UA", "UA123456789"),
        ("PT501964843;PT502011378", "PT", None),  # two numbers: which is meant?
        ("FI;FI", "FI", None),
        ("UA000000000", "UA", None),
        ("NL858714498B01", "BE", "NL858714498B01"),  # registered for VAT in another country
        ("RS101134702", "RS", "RS101134702"),
        ("UA123456789", "UA", "UA123456789"),  # no public check: taken by its shape
        ("PT501964842", "PT", None),
        ("FRFR83404833049", "FR", None),
        ("DE12345", "DE", None),
        ("n/a", "DE", None),
        ("n/a", "UA", None),
        ("0000", "UA", None),
        ("ΕΛ094259216", "GR", None),  # Greek letters that look like Latin ones
        ("²³¹²³¹²³¹", "UA", None),
    ],
)
def test_a_vat_number_is_normalised_and_checked_by_its_country(
    written: str, country: str, normal: str | None
) -> None:
    assert normal_vat(written, country) == normal


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("DEK1101R.HRB116737", "DEK1101R.HRB116737"),
        (" dek1101r.hrb 116737 ", "DEK1101R.HRB116737"),
        ("FRRCS.404833048_7", "FRRCS.404833048_7"),
        ("GRGEMI.000263401000", "ELGEMI.000263401000"),
        ("ELGEMI.000263401000", "ELGEMI.000263401000"),
        ("NOFOR.923609016", "NOFOR.923609016"),
        ("RSAPR.07726716", None),  # no register of Serbia is connected
        ("ZZ1.1", None),
        ("HRB116737", None),
        ("DE", None),
    ],
)
def test_an_euid_has_country_register_dot_and_number(written: str, normal: str | None) -> None:
    assert normal_euid(written) == normal


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("999978530", "999978530"),
        ("999 978 530", "999978530"),
        ("99997853", None),
        ("9999785301", None),
        ("PIC9999785", None),
        ("000000000", None),
        ("111 111 111", None),
        ("٩٩٩٩٧٨٥٣٠", None),
    ],
)
def test_a_pic_has_nine_digits(written: str, normal: str | None) -> None:
    assert normal_pic(written) == normal


def an_organisation(**identifiers: str) -> Organisation:
    return Organisation(name="Example", kind=OrganisationKind.SME, country="PT", city="Lisbon", **identifiers)


def test_faulty_identifiers_are_named_and_never_become_keys() -> None:
    found = identify(an_organisation(vat="PT501964842", euid="PTRC.1", pic="12"))
    assert found == Identifiers(keys=("euid:PTRC.1",), faulty=("VAT number PT501964842", "PIC 12"))


def test_blank_identifiers_count_as_not_given() -> None:
    assert identify(an_organisation(vat=" ", euid="", pic="  ")) == Identifiers()


@given(st.text(max_size=30), st.sampled_from(["PT", "GR", "UA", "XK", "CH"]))
def test_whatever_is_written_is_a_number_or_none_and_normalising_again_changes_nothing(
    written: str, country: str
) -> None:
    normal = normal_vat(written, country)
    assert normal is None or normal_vat(normal, country) == normal
