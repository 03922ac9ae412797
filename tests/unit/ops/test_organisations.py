"""Files of real organisations: each row becomes what it says, and what is wrong with it stays wrong."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ops.organisations import Row, UnreadableFile, registrations_from_csv
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import Ecosystem, OrganisationKind

START = date(2026, 3, 2)
HEADER = "id,vat,name,short_name,sme,activity_type,street,postcode,city,country,lat,lon,sectors,topics"
REAL_FILE = os.environ.get("CXC_TEST_ORGANISATIONS")


def rows_of(tmp_path: Path, content: str | bytes, **options: Any) -> list[Row]:
    file = tmp_path / "organisations.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(registrations_from_csv(file, start=START, **options))


def only_row(tmp_path: Path, cells: str, **options: Any) -> Row:
    (row,) = rows_of(tmp_path, f"{HEADER}\n{cells}\n", **options)
    return row


def taken(row: Row) -> Submission:
    """The row as the platform reads it from the wire; raises ValidationError where it refuses."""
    return Submission.model_validate_json(json.dumps(row.data))


def problems(row: Row) -> dict[str, object]:
    """Pointer to what the sender gave there."""
    with pytest.raises(ValidationError) as refused:
        taken(row)
    return {
        "/".join(str(part) for part in problem["loc"]): problem["input"]
        for problem in refused.value.errors(include_url=False)
    }


def test_a_clean_row_becomes_a_submission_with_what_it_says(tmp_path: Path) -> None:
    row = only_row(
        tmp_path,
        "111222333,ATU00000000,Sample Weavers,SW,Y,PRC, Webgasse 1 ,1060,WIEN,AT,48.2,16.35,health|digital,",
    )
    submission = taken(row)
    organisation = submission.organisation
    assert row.reference == "111222333"
    assert (organisation.name, organisation.city, organisation.country) == ("Sample Weavers", "WIEN", "AT")
    assert (organisation.pic, organisation.vat) == ("111222333", "ATU00000000")
    assert (organisation.street, organisation.postcode) == ("Webgasse 1", "1060")
    assert (organisation.lat, organisation.lon) == (48.2, 16.35)
    assert organisation.memberships == []
    assert submission.ecosystems == [Ecosystem.HEALTH, Ecosystem.DIGITAL]
    assert submission.offers == ["health", "digital"]
    assert submission.participant.email == "office@org-111222333.example"


@pytest.mark.parametrize(
    ("activity", "sme", "kind"),
    [
        ("HES", "N", "research_institute"),
        ("REC", "", "research_institute"),
        ("REC", "Y", "research_institute"),
        ("PUB", "N", "public_authority"),
        ("PRC", "Y", "sme"),
        ("PRC", "True", "sme"),
        ("PRC", "N", "large_company"),
        ("PRC", "False", "large_company"),
        ("PRC", "", "other"),
        ("OTH", "N", "other"),
        ("", "", "other"),
    ],
)
def test_the_kind_follows_from_activity_and_size(
    tmp_path: Path, activity: str, sme: str, kind: OrganisationKind
) -> None:
    row = only_row(tmp_path, f"1,,Sample,,{sme},{activity},,,Wien,AT,,,digital,")
    assert taken(row).organisation.kind == kind


@pytest.mark.parametrize(
    ("cells", "wrong"),
    [
        ("1,,Sample,,,REC,,,Espoo,FI;FI,,,digital,", {"organisation/country": "FI;FI"}),
        ("1,,Sample,,,PRC;PRC,,,Espoo,FI,,,digital,", {"organisation/kind": "PRC;PRC"}),
        ("1,,Sample,,Y;N,PRC,,,Espoo,FI,,,digital,", {"organisation/kind": "PRC, SME: Y;N"}),
        ("1,,Sample,,,REC,,,Espoo,FI,north,24.8,digital,", {"organisation/lat": "north"}),
        ("1,,Sample,,,REC,,,Espoo,FI,nan,24.8,digital,", {"organisation/lat": "nan"}),
        ("1,,Sample,,,REC,,,Espoo,FI,160.2,24.8,digital,", {"organisation/lat": 160.2}),
        ("1,,Sample,,,REC,,,Espoo,FI,,,,", {"ecosystems": []}),
        ("1,,Sample,,,REC,,,Espoo,FI,,,environment,", {"ecosystems": []}),
        ("1,,Sample,,,REC,,,Espoo,FI,,,digital,,shifted", {"surplus_cells": ["shifted"]}),
    ],
)
def test_what_is_wrong_goes_through_as_it_is_and_is_refused_where_it_stands(
    tmp_path: Path, cells: str, wrong: dict[str, object]
) -> None:
    assert problems(only_row(tmp_path, cells)) == wrong


def test_a_row_that_ends_early_is_refused_for_what_it_lacks(tmp_path: Path) -> None:
    assert {"organisation/city", "organisation/country", "ecosystems"} <= set(
        problems(only_row(tmp_path, "1,,Sample,,,REC"))
    )


def test_the_caller_may_say_which_ecosystem_to_assume_where_a_row_names_none(tmp_path: Path) -> None:
    silent = only_row(tmp_path, "1,,Sample,,,REC,,,Espoo,FI,,,,", assume_ecosystem=Ecosystem.TEXTILE)
    outspoken = only_row(tmp_path, "1,,Sample,,,REC,,,Espoo,FI,,,health,", assume_ecosystem=Ecosystem.TEXTILE)
    assert taken(silent).ecosystems == [Ecosystem.TEXTILE]
    assert taken(outspoken).ecosystems == [Ecosystem.HEALTH]


def test_rows_are_visitor_and_host_in_turn_but_kinds_that_only_host_are_hosts(tmp_path: Path) -> None:
    cells = ["REC", "REC", "PUB", "PUB", "HES"]
    rows = rows_of(
        tmp_path, "\n".join([HEADER, *(f"1,,Sample,,,{kind},,,Espoo,FI,,,digital," for kind in cells)])
    )
    assert [row.data["roles"] for row in rows] == [["visitor"], ["host"], ["host"], ["host"], ["visitor"]]


def test_blank_lines_count_for_nothing_and_a_row_without_id_is_named_by_its_number(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{HEADER}\n\n,,,,\n,,Sample,,,REC,,,Espoo,FI,,,digital,\n")
    assert [(row.number, row.reference) for row in rows] == [(1, "row-1")]


def test_a_raw_export_is_understood_by_its_own_column_names(tmp_path: Path) -> None:
    (row,) = rows_of(
        tmp_path,
        "projectID;organisationID;vatNumber;name;SME;activityType;street;postCode;city;country;"
        "geolocation;organizationURL\n"
        '42;111222333;FI00000000;"Sample; Weavers";True;PRC;Tie 1;2150;Espoo;FI;'
        "60.2, 24.8;www.weavers.example\n",
        assume_ecosystem=Ecosystem.TEXTILE,
    )
    organisation = taken(row).organisation
    assert (organisation.name, organisation.kind, organisation.pic) == ("Sample; Weavers", "sme", "111222333")
    assert (organisation.lat, organisation.lon) == (60.2, 24.8)
    assert (organisation.postcode, organisation.website) == ("2150", "www.weavers.example")


def test_an_innovation_hub_brings_its_rated_sectors_and_what_it_offers(tmp_path: Path) -> None:
    (row,) = rows_of(
        tmp_path,
        "id,name,title,kind,city,country,lat,lon,website,sectors,services,technologies,description\n"
        "HUB-1,SH,Sample Hub,EDIH,Zadar,HR,44.1,15.2,,"
        "Retail|wholesale or distribution - 5|Textiles - 4|Energy - 2,"
        "Prototyping - 3,Robotics - 5,What we do\n",
    )
    submission = taken(row)
    assert submission.organisation.name == "Sample Hub"
    assert submission.organisation.kind is OrganisationKind.INNOVATION_HUB
    assert submission.organisation.pic is None
    assert submission.ecosystems == [Ecosystem.DIGITAL, Ecosystem.RETAIL, Ecosystem.TEXTILE]
    assert submission.offers == ["robotics", "prototyping"]
    assert submission.motivation == "What we do"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_usual_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    text = f"{HEADER}\r\n1,,Smörgås Übung,,,REC,,,Malmö,SE,,,digital,\r\n"
    (row,) = rows_of(tmp_path, text.encode(encoding))
    assert row.data["organisation"]["name"] == "Smörgås Übung"
    assert row.data["organisation"]["city"] == "Malmö"


def test_one_line_in_another_encoding_spoils_no_other_line(tmp_path: Path) -> None:
    line = "{0},,Übung,,,REC,,,Malmö,SE,,,digital,\n"
    content = HEADER.encode() + b"\n" + line.format(1).encode("cp1252") + line.format(2).encode()
    assert [row.data["organisation"]["name"] for row in rows_of(tmp_path, content)] == ["Übung", "Übung"]


@pytest.mark.parametrize("content", ["", "a,b,c\n1,2,3\n", "name;city\nSample;Espoo\n"])
def test_a_file_of_something_else_is_refused_naming_the_missing_columns(tmp_path: Path, content: str) -> None:
    with pytest.raises(UnreadableFile, match=r"has no column .*country"):
        rows_of(tmp_path, content)


def test_a_quote_that_never_closes_is_an_error_and_not_one_giant_cell(tmp_path: Path) -> None:
    swallowed = "2,,Sample,,,REC,,,Espoo,FI,,,digital,\n" * 5000
    with pytest.raises(UnreadableFile, match="cannot be read on"):
        rows_of(tmp_path, f'{HEADER}\n1,,"Sample,,,REC,,,Espoo,FI,,,digital,\n{swallowed}')


def test_rows_before_an_unreadable_place_have_come_already(tmp_path: Path) -> None:
    file = tmp_path / "organisations.csv"
    row = "1,,Sample,,,REC,,,Espoo,FI,,,digital,\n"
    file.write_text(f'{HEADER}\n{row}2,,"Sample{row * 5000}')
    rows = registrations_from_csv(file, start=START)
    assert next(rows).number == 1
    with pytest.raises(UnreadableFile):
        next(rows)


@pytest.mark.skipif(not REAL_FILE, reason="CXC_TEST_ORGANISATIONS names no file of real organisations")
def test_every_row_of_the_given_file_is_a_submission_or_a_list_of_problems() -> None:
    rows = 0
    for row in registrations_from_csv(Path(REAL_FILE or ""), start=START):
        rows = row.number
        assert row.reference
        try:
            taken(row)
        except ValidationError as refused:
            unnamed = [problem for problem in refused.errors() if not (problem["loc"] and problem["msg"])]
        else:
            unnamed = []
        assert unnamed == []
    assert rows > 0
