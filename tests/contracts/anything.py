"""What outsiders might send by mistake or on purpose: nearly right, half right, or no message at all."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

from shared.contracts.catalogue import INBOX
from shared.contracts.envelope import CloudEvent
from shared.messaging.message import Message
from shared.messaging.topics import REGISTRATION_INBOX
from tests.builders import a_host_submission, a_submission

ATTRIBUTES = [*CloudEvent.model_fields, "data_base64", "comexampleextension"]

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
near_events = st.dictionaries(st.sampled_from(ATTRIBUTES), json_values).flatmap(
    lambda given: st.sampled_from(
        [given, {"specversion": "1.0", "id": "1", "source": "s", "type": "t", **given}]
    )
)
header_names = (
    st.sampled_from(
        ["ce_" + name for name in ATTRIBUTES]
        + ["CE_SPECVERSION", "content-type", "Content-Type", "cxc-source"]
    )
    | st.text()
)
header_values = st.binary() | st.sampled_from([b"1.0", b"application/json", b"application/json; charset=x"])
headers = st.lists(st.tuples(header_names, header_values), max_size=8)

awkward_values = json_values | st.sampled_from(
    [
        "",
        " ",
        "\0",
        "a\0b",
        "\u202e",
        "𝟙",
        "-1",
        "9" * 400,
        "2023-02-30",
        "0001-01-01",
        "9999-12-31",
        10**30,
        -0.0,
        [],
        {},
    ]
)


@st.composite
def changed(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """The same with something put, taken away or changed at a few places, however deep."""
    value = copy.deepcopy(whole)
    for _ in range(draw(st.integers(0, 3))):
        place: Any = value
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            what = draw(st.sampled_from(["change", "take away", "put"]))
            if what == "change":
                place[key] = draw(awkward_values)
            elif what == "take away":
                del place[key]
            elif isinstance(place, dict):
                place[draw(st.text(max_size=8))] = draw(awkward_values)
            break
    return value


almost_right = st.builds(
    lambda data, type, id, source, subject: {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": type,
        "subject": subject,
        "data": data,
    },
    changed(a_submission()) | changed(a_host_submission()) | changed({"reason": "No time."}),
    st.sampled_from(sorted(INBOX)),
    # Few, so that ids, sources and subjects meet.
    st.sampled_from(["e-1", "e-2", "e-3"]) | st.text(max_size=5),
    st.sampled_from(["/sample/crm", "/sample/portal"]),
    st.sampled_from(["REG-1", "REG-2", "REG-3", "\0", "a|b"]),
)


def as_json(value: Any) -> bytes:
    """As a careless writer would send it: with `Infinity`, and numbers larger than any reader takes."""
    return json.dumps(value).encode()


surrogates = almost_right.map(lambda event: as_json(event).replace(b"Lisbon", b"\\ud800"))
values: st.SearchStrategy[bytes | None] = st.one_of(
    st.none(),
    st.binary(),
    st.just(b"[" * 100_000),
    surrogates,
    json_values.map(as_json),
    near_events.map(as_json),
    almost_right.map(as_json),
    almost_right.map(as_json),
)
messages = st.builds(
    lambda value, key, given: Message(REGISTRATION_INBOX, 0, 0, key, value, tuple(given), 1_700_000_000_000),
    values,
    st.none() | st.binary(max_size=8),
    st.just([]) | headers,
)
batches = st.lists(messages, min_size=1, max_size=6)
