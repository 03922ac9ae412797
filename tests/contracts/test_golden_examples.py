"""Golden examples: messages of every type and version ever sent, read by today's code and written by it."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from shared.contracts.catalogue import EVENT_MODELS, INBOX, UPCASTERS, contracts, upcast
from shared.contracts.envelope import Cause, CloudEvent, parse, wrap
from shared.contracts.examples import CHECKSUMS, FOLDER, example, golden_examples
from shared.contracts.types import EventType

Json = dict[str, Any]

GOLDEN = golden_examples()
NEWEST = {name: golden for name, golden in GOLDEN.items() if golden["type"] in contracts()}
EVENTS = {name: golden for name, golden in NEWEST.items() if golden["type"] in EVENT_MODELS}

golden_names = pytest.mark.parametrize("name", GOLDEN)


@golden_names
def test_a_golden_example_is_read_by_todays_code(name: str) -> None:
    newest = upcast(parse(_bytes(name)))

    contracts()[newest.type].model_validate(newest.data)


@golden_names
def test_the_envelope_of_a_golden_example_survives_reading_and_writing(name: str) -> None:
    event = parse(_bytes(name))

    assert orjson.loads(event.to_json()) == GOLDEN[name]


@pytest.mark.parametrize("name", NEWEST)
def test_no_field_of_a_golden_example_is_lost_between_reading_and_writing(name: str) -> None:
    golden = GOLDEN[name]
    event = contracts()[golden["type"]].model_validate(golden["data"])

    assert event.model_dump(mode="json", exclude_unset=True) == golden["data"]


@pytest.mark.parametrize("name", EVENTS)
def test_a_service_still_says_all_that_the_golden_example_says(name: str) -> None:
    golden = GOLDEN[name]
    event = parse(_bytes(name))
    assert event.time is not None

    produced = wrap(
        EVENT_MODELS[golden["type"]].model_validate(golden["data"]),
        service=golden["source"].removeprefix("/cxc/"),
        subject=golden["subject"],
        sequence=int(golden["sequence"]),
        cause=Cause(
            correlation_id=golden["correlationid"],
            causation_id=golden.get("causationid"),
            traceparent=golden.get("traceparent"),
        ),
        at=event.time,
    )

    wire = {**orjson.loads(produced.to_json()), "id": golden["id"]}
    assert not list(_missing(golden, wire))


def test_every_type_has_a_golden_example_and_every_golden_example_a_type() -> None:
    shown = {name for name in GOLDEN if "--" not in name}

    assert shown == {*contracts(), *UPCASTERS}


def test_every_wire_name_has_one_model() -> None:
    assert {str(name) for name in EventType} == {str(name) for name in contracts()}
    assert not INBOX.keys() & EVENT_MODELS.keys()


@golden_names
def test_a_golden_example_lies_in_a_file_named_by_its_type(name: str) -> None:
    assert name.partition("--")[0] == GOLDEN[name]["type"]
    assert example(GOLDEN[name]["type"])["type"] == GOLDEN[name]["type"]


def test_golden_examples_are_frozen() -> None:
    listed = {name: digest for digest, name in map(str.split, CHECKSUMS.read_text().splitlines())}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("*.json")}

    changed = sorted(name for name in listed if listed[name] != found.get(name))
    assert not changed, (
        f"{', '.join(changed)}: golden examples never change and never go, because messages like them are in "
        "topics and archives. Restore the file. A change that old readers can pass over gets a further "
        "example (<type>--<case>.json); any other gets a new version of the type, with an upcaster."
    )
    new = sorted(found.keys() - listed.keys())
    assert not new, f"freeze what is new: in {FOLDER} run 'sha256sum {' '.join(new)} >> SHA256SUMS'"


def test_a_field_that_may_be_none_may_also_be_left_out() -> None:
    """None is left out on the wire: a field that is nullable but required could not be read back."""
    unreadable = [
        f"{model.__name__}.{name}"
        for model in _models_on_the_wire()
        for name, field in model.model_fields.items()
        if field.is_required() and _takes_none(model, name)
    ]

    assert unreadable == []


def test_every_field_says_what_it_means() -> None:
    models: list[type[BaseModel]] = [CloudEvent, *_models_on_the_wire()]
    silent = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if not field.description
    ]

    assert silent == []


def _bytes(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


def _missing(golden: Any, produced: Any, where: str = "") -> Any:
    """Where `produced` does not say what `golden` says; it may say more."""
    if isinstance(golden, dict) and isinstance(produced, dict):
        for key, value in golden.items():
            if key in produced:
                yield from _missing(value, produced[key], f"{where}/{key}")
            else:
                yield f"{where}/{key} is gone"
    elif isinstance(golden, list) and isinstance(produced, list) and len(golden) == len(produced):
        for index, (one, other) in enumerate(zip(golden, produced, strict=True)):
            yield from _missing(one, other, f"{where}/{index}")
    elif golden != produced:
        yield f"{where} is {produced!r}, was {golden!r}"


def _models_on_the_wire() -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    waiting: list[Any] = list(contracts().values())
    while waiting:
        one = waiting.pop()
        if isinstance(one, type) and issubclass(one, BaseModel):
            if one not in found:
                found.append(one)
                waiting += [field.annotation for field in one.model_fields.values()]
        else:
            waiting += getattr(one, "__args__", ())
    return found


def _takes_none(model: type[BaseModel], name: str) -> bool:
    return type(None) in getattr(model.model_fields[name].annotation, "__args__", ())
