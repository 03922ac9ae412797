"""Whatever bytes arrive, reading them as a CloudEvent gives one or a sentence for the sender."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.contracts.envelope import CloudEvent, NotACloudEvent, parse
from tests.contracts.anything import headers, json_values, near_events


def _read(value: bytes | None, given_headers: list[tuple[str, bytes]]) -> None:
    with contextlib.suppress(NotACloudEvent):
        event = parse(value, given_headers)
        assert parse(event.to_json()) == CloudEvent.model_validate_json(event.to_json())


@given(value=st.none() | st.binary(), given_headers=headers)
@example(value=b"[" * 100_000, given_headers=[])
@example(value=b"[" * 100_000, given_headers=[("ce_specversion", b"1.0")])
@example(value=b'"\\ud800"', given_headers=[("ce_specversion", b"1.0")])
@example(value=b'{"specversion": "1.0", "id": "\\ud800", "source": "s", "type": "t"}', given_headers=[])
@settings(deadline=None)
def test_any_bytes_with_any_headers(value: bytes | None, given_headers: list[tuple[str, bytes]]) -> None:
    _read(value, given_headers)


@given(event=near_events, given_headers=headers)
@settings(deadline=None)
def test_any_json_that_is_nearly_an_event(event: Any, given_headers: list[tuple[str, bytes]]) -> None:
    _read(orjson.dumps(event), given_headers)


@given(data=json_values, given_headers=headers)
@settings(deadline=None)
def test_any_data_in_binary_mode(data: Any, given_headers: list[tuple[str, bytes]]) -> None:
    whole = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"s"), ("ce_type", b"t.v1")]
    _read(orjson.dumps(data), [*whole, *given_headers])
