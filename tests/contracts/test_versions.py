"""Old versions are lifted to the newest one; readers pass over what they do not know."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from shared.contracts.catalogue import (
    EVENT_MODELS,
    INBOX,
    UPCASTERS,
    Upcast,
    Upcaster,
    contracts,
    known_families,
    upcast,
)
from shared.contracts.envelope import CloudEvent, parse
from shared.contracts.examples import example
from shared.contracts.types import EventType, family
from tests.builders import a_submission, an_inbox_event

Data = dict[str, Any]


def _amount_to_cents(data: Data) -> Data:
    return {"cents": round(float(data["amount"]) * 100)}


def _cents_with_currency(data: Data) -> Data:
    return {**data, "currency": "EUR"}


STEPS: dict[str, tuple[str, Upcaster]] = {
    "cxc.example.noted.v1": ("cxc.example.noted.v2", _amount_to_cents),
    "cxc.example.noted.v2": ("cxc.example.noted.v3", _cents_with_currency),
}


def _event(wire_type: str, data: Any) -> CloudEvent:
    return CloudEvent(specversion="1.0", id="1", source="/example", type=wire_type, data=data)


@pytest.mark.parametrize(
    ("wire_type", "data"),
    [
        ("cxc.example.noted.v1", {"amount": "4.50"}),
        ("cxc.example.noted.v2", {"cents": 450}),
        ("cxc.example.noted.v3", {"cents": 450, "currency": "EUR"}),
    ],
)
def test_every_version_arrives_in_the_shape_of_the_newest(wire_type: str, data: Data) -> None:
    newest = upcast(_event(wire_type, data), steps=STEPS)

    assert newest == Upcast("cxc.example.noted.v3", {"cents": 450, "currency": "EUR"})


def test_a_version_newer_than_the_code_is_left_as_it_is() -> None:
    newest = upcast(_event("cxc.example.noted.v4", {"whatever": 1}), steps=STEPS)

    assert newest == Upcast("cxc.example.noted.v4", {"whatever": 1})


def test_every_upcaster_leads_one_version_on_and_ends_at_a_type_in_use() -> None:
    for old, (new, _) in UPCASTERS.items():
        assert family(old) == family(new)
        assert int(new.rpartition(".v")[2]) == int(old.rpartition(".v")[2]) + 1
        assert new in contracts() or new in UPCASTERS
        assert old not in contracts()


@pytest.mark.parametrize("wire_type", [str(name) for name in EventType])
def test_a_wire_name_ends_in_its_version(wire_type: str) -> None:
    head, _, version = wire_type.rpartition(".")

    assert family(wire_type) == head
    assert version[0] == "v"
    assert version[1:].isdigit()
    assert head in known_families()


@pytest.mark.parametrize("wire_type", EVENT_MODELS)
def test_unknown_fields_and_extensions_of_an_event_are_passed_over(wire_type: str) -> None:
    known = example(wire_type)
    richer = {**known, "tenant": "north", "data": _with_unknown_fields(known["data"])}

    event = parse(orjson.dumps(richer))
    data = EVENT_MODELS[wire_type].model_validate(event.data)

    assert orjson.loads(event.to_json()) == {**known, "data": richer["data"]}
    assert data.model_dump(mode="json", exclude_unset=True) == known["data"]


@pytest.mark.parametrize("wire_type", INBOX)
def test_an_unknown_field_of_a_command_is_refused_by_its_name(wire_type: str) -> None:
    data = {**example(wire_type)["data"], "partnershp": "hempclub"}

    with pytest.raises(ValidationError) as refused:
        INBOX[wire_type].model_validate(data)

    assert [(problem["loc"], problem["type"]) for problem in refused.value.errors()] == [
        (("partnershp",), "extra_forbidden")
    ]


def test_an_unknown_field_deep_inside_a_command_is_refused_too() -> None:
    data = a_submission()
    data["organisation"]["memberships"][0]["eccp"] = True

    with pytest.raises(ValidationError) as refused:
        INBOX[EventType.SUBMIT_REGISTRATION].model_validate(data)

    assert refused.value.errors()[0]["loc"] == ("organisation", "memberships", 0, "eccp")


def test_an_unknown_extension_of_a_command_is_passed_over() -> None:
    event = CloudEvent.model_validate({**an_inbox_event(a_submission()), "tenant": "north"})

    assert event.type == EventType.SUBMIT_REGISTRATION


def _with_unknown_fields(node: Any) -> Any:
    """A field nobody knows in every object, but for a receipt's facts, which are free."""
    if isinstance(node, list):
        return [_with_unknown_fields(item) for item in node]
    if not isinstance(node, dict):
        return node
    richer = {name: value if name == "facts" else _with_unknown_fields(value) for name, value in node.items()}
    return {**richer, "added_later": {"nested": [1, None, "x"]}}
