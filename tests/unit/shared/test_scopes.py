"""Whom an event concerns, what each reader sees of it, what an erasure leaves."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.common import ERASED, Party
from shared.contracts.examples import golden_examples
from shared.contracts.registration import RegistrationAssigned, id_from_outside
from shared.scopes import (
    EVERYTHING,
    WITHHELD,
    as_seen_in,
    registrations_in,
    scopes_of,
    without_personal_data_of,
)
from tests.builders import a_host_party, a_party, an_approved_match, an_envelope

EVENTS = {name: golden for name, golden in golden_examples().items() if golden["type"] in EVENT_MODELS}


def parties_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    data = event["data"]
    found = [data[name] for name in ("party", "visitor", "host") if name in data]
    return found + [fit["partner"] for fit in data.get("fits", ())]


# ── whom it concerns ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("data", "concerned"),
    [
        ({"party": {"partnership": "hempclub"}}, ["partnership:hempclub"]),
        ({"party": {"partnership": None}}, []),
        ({"party": {"partnership": "hempclub", "source": "/crm"}}, ["partnership:hempclub", "source:/crm"]),
        (
            {"visitor": {"partnership": "hempclub", "source": "/crm"}, "host": {"partnership": "woolclub"}},
            ["partnership:hempclub", "source:/crm", "partnership:woolclub"],
        ),
        (
            {"visitor": {"partnership": "hempclub"}, "host": {"partnership": "hempclub"}},
            ["partnership:hempclub"],
        ),
        # A grant is the paying partnership's; staff are told what became of their mails.
        ({"partnership": "hempclub", "grant_id": "g"}, ["partnership:hempclub"]),
        ({"partnership": "hempclub", "fact_type": "cxc.match.agreed.v1"}, ["partnership:hempclub"]),
        ({"recipient": "participant", "about": "r"}, []),
        ({"endpoint_id": "e", "source": "/crm"}, ["source:/crm"]),
        # What was reminded of concerns everybody whose case it is; a plan's shares are no names.
        (
            {"reminder_id": "r", "partnerships": ["hempclub", "woolclub"]},
            ["partnership:hempclub", "partnership:woolclub"],
        ),
        ({"plan_id": "p", "partnerships": [{"partnership": "hempclub"}]}, []),
        # The one that had the case hears that it has it no longer.
        (
            {"party": {"partnership": "woolclub"}, "before": "hempclub"},
            ["partnership:woolclub", "partnership:hempclub"],
        ),
        ({"refused_source": "/crm", "refused_event_id": "1"}, ["source:/crm"]),
        ({"refused_source": None}, []),
        # A possible partner is not told in whose list it stands.
        (
            {"party": {"partnership": "hempclub"}, "fits": [{"partner": {"partnership": "woolclub"}}]},
            ["partnership:hempclub"],
        ),
    ],
)
def test_an_event_concerns(data: dict[str, Any], concerned: list[str]) -> None:
    assert scopes_of(data) == [EVERYTHING, *concerned]


def test_the_field_that_names_the_partnership_before_is_the_one_of_the_event() -> None:
    assert "before" in RegistrationAssigned.model_fields


@pytest.mark.parametrize("name", EVENTS)
def test_every_party_of_every_event_is_found_for_an_erasure(name: str) -> None:
    event = EVENTS[name]
    found = registrations_in(orjson.dumps(event), event["data"])
    assert {party["registration_id"] for party in parties_of(event)} <= found


def test_a_refusal_and_a_mail_are_about_the_registration_they_name_otherwise() -> None:
    refused = {"refused_source": "/crm", "refused_subject": "CRM-1"}
    assert registrations_in(b"{}", refused) == {id_from_outside("/crm", "CRM-1")}
    mail = {"about": "some-id", "fact_type": "cxc.registration.accepted.v1"}
    assert registrations_in(b"{}", mail) == {"some-id"}
    assert registrations_in(b"{}", {**mail, "fact_type": "cxc.match.agreed.v1"}) == set()


# ── what a reader sees ───────────────────────────────────────────────────────────────────────


def test_a_scope_sees_addresses_and_identifiers_of_its_own_parties_alone() -> None:
    visitor = a_party(source="/crm")
    host = a_host_party(partnership="woolclub")
    written = an_envelope(an_approved_match(visitor=visitor, host=host), service="matching", subject="m")

    def seen_in(scope: str) -> list[tuple[str, list[str]]]:
        parties = parties_of(as_seen_in(scope, orjson.loads(written.to_json())))
        return [(party["email"], party["identifiers"]) for party in parties]

    whole = [(party.email, party.identifiers) for party in (visitor, host)]
    hidden = (WITHHELD, list[str]())
    assert seen_in(EVERYTHING) == whole
    assert seen_in("partnership:hempclub") == [whole[0], hidden]
    assert seen_in("source:/crm") == [whole[0], hidden]
    assert seen_in("partnership:woolclub") == [hidden, whole[1]]


def test_addresses_in_a_list_of_fits_are_withheld_too() -> None:
    seen = as_seen_in("partnership:hempclub", copy.deepcopy(EVENTS["cxc.fits.found.v1"]))
    assert seen["data"]["party"]["email"] == "office@tagus-fibre.example"
    assert [fit["partner"]["email"] for fit in seen["data"]["fits"]] == [WITHHELD]


@pytest.mark.parametrize("name", EVENTS)
def test_what_is_seen_is_still_valid_by_its_schema(name: str) -> None:
    seen = as_seen_in("source:/nobody", copy.deepcopy(EVENTS[name]))
    EVENT_MODELS[seen["type"]].model_validate(seen["data"])


# ── what an erasure leaves ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", EVENTS)
def test_an_erased_event_says_nothing_of_who_it_was_and_is_still_valid(name: str) -> None:
    event = EVENTS[name]
    for party in parties_of(event):
        left = without_personal_data_of(party["registration_id"], copy.deepcopy(event))
        said = orjson.dumps(left).decode()
        for word in (party["organisation"], party["email"] or "@", *party.get("identifiers", ())):
            if word != ERASED:
                assert word not in said
        for attribute in ("id", "type", "time", "subject", "source", "sequence"):
            assert left[attribute] == event[attribute]
        EVENT_MODELS[left["type"]].model_validate(left["data"])
        again = without_personal_data_of(party["registration_id"], copy.deepcopy(left))
        assert again == left


def test_amounts_days_and_outcomes_stay_and_so_does_the_other_side() -> None:
    event = EVENTS["cxc.grant.reserved.v1"]
    visitor = event["data"]["visitor"]
    left = without_personal_data_of(visitor["registration_id"], copy.deepcopy(event))["data"]
    for kept in ("amount", "stay", "host", "grant_id"):
        assert left[kept] == event["data"][kept]
    assert [one["outcome"] for one in left["receipt"]["outcomes"]] == [
        one["outcome"] for one in event["data"]["receipt"]["outcomes"]
    ]
    assert left["receipt"]["facts"] == {}
    assert left["visitor"]["place"] == {"country": visitor["place"]["country"], "city": ERASED}


def test_a_name_is_blanked_inside_sentences_and_not_inside_other_words() -> None:
    party = a_party(organisation="Fibra Verde", place={"country": "PT", "city": "Faro"}).model_dump(
        mode="json"
    )
    data = {
        "party": party,
        "receipt": {"facts": {"city": "Faro"}, "sentence": "Fibra Verde of Faro is not in Farol."},
        "host": {**party, "registration_id": "other", "organisation": "Faro Textile Centre"},
    }
    left = without_personal_data_of(party["registration_id"], {"data": data})["data"]
    assert left["receipt"] == {"facts": {}, "sentence": f"{ERASED} of {ERASED} is not in Farol."}
    assert left["host"]["organisation"] == "Faro Textile Centre"


def test_a_refusal_keeps_its_kind_and_loses_its_words() -> None:
    refused = EVENTS["cxc.registration.refused.v1"]
    id = id_from_outside(refused["data"]["refused_source"], refused["data"]["refused_subject"])
    left = without_personal_data_of(id, copy.deepcopy(refused))["data"]
    assert (left["detail"], left["errors"]) == (ERASED, [])
    assert (left["type"], left["status"]) == (refused["data"]["type"], refused["data"]["status"])


def test_an_invitation_keeps_its_days_and_loses_its_words_and_what_is_sealed() -> None:
    sent = EVENTS["cxc.invitation.sent.v1"]
    id = sent["data"]["party"]["registration_id"]
    left = without_personal_data_of(id, copy.deepcopy(sent))["data"]
    assert (left["message"], left["sealed"]) == (ERASED, ERASED)
    assert left["stay"] == sent["data"]["stay"]


@pytest.mark.parametrize(
    ("name", "registration"),
    [
        ("cxc.address.suppressed.v1", "registration_id"),
        ("cxc.address.restored.v1", "registration_id"),
        ("cxc.notification.failed.v1", "about"),
    ],
)
def test_where_mails_to_it_went_and_what_came_back_is_gone(name: str, registration: str) -> None:
    event = EVENTS[name]
    event = {**event, "data": {**event["data"], "fact_type": "cxc.registration.accepted.v1"}}
    left = without_personal_data_of(event["data"][registration], copy.deepcopy(event))["data"]
    assert {left[said] for said in ("address", "reason") if said in left} == {ERASED}
    assert left[registration] == event["data"][registration]
    assert without_personal_data_of("another", copy.deepcopy(event)) == event


_OTHER_NAMES = ["party", "visitor", "fits", "receipt", "refused_source", "refused_subject", "before", "about"]
_NAMES = [*Party.model_fields, *_OTHER_NAMES]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(_NAMES), _JSON))
def test_whatever_shape_an_event_has_the_feed_takes_it(data: dict[str, Any]) -> None:
    event = {"id": "1", "data": data}
    scopes = scopes_of(data)
    assert scopes[0] == EVERYTHING
    for id in registrations_in(orjson.dumps(event), data):
        without_personal_data_of(id, copy.deepcopy(event))
    as_seen_in("source:x", copy.deepcopy(event))
