"""Messages that are wrong on purpose: what a sender's mistakes come back as."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from typing import Any

from ops.sample.programme import sample_registrations
from shared.contracts.envelope import new_id
from shared.contracts.types import EventType
from shared.partnerships import Partnership

Data = dict[str, Any]


@dataclass(frozen=True)
class AwkwardMessage:
    """A message for the registration inbox and what is wrong with it; `value` None is Kafka's tombstone."""

    reference: str
    wrong: str
    value: bytes | None


def awkward_messages(
    *, start: date, partnerships: Iterable[Partnership], source: str = "/sample-programme"
) -> list[AwkwardMessage]:
    """Each message with one fault, the rest of it in order; event ids are new on every call."""
    sound = next(sample_registrations(0, 1, start=start, partnerships=partnerships)).data

    def submitted(
        name: str, wrong: str, spoil: Callable[[Data], object], **attributes: object
    ) -> AwkwardMessage:
        data = deepcopy(sound)
        spoil(data)
        event = {
            "specversion": "1.0",
            "id": new_id(),
            "source": source,
            "type": EventType.SUBMIT_REGISTRATION,
            "subject": f"awkward-{name}",
            "datacontenttype": "application/json",
            "data": data,
            **attributes,
        }
        return AwkwardMessage(f"awkward-{name}", wrong, json.dumps(event, ensure_ascii=False).encode())

    def reverse_dates(data: Data) -> None:
        span = data["availability"][0]
        span["first_day"], span["last_day"] = span["last_day"], span["first_day"]

    def untouched(data: Data) -> None:
        """The fault is in the envelope."""

    bare = json.dumps(sound, ensure_ascii=False).encode()
    return [
        AwkwardMessage("awkward-no-value", "no value at all", None),
        AwkwardMessage("awkward-not-json", "not JSON", b"Dear office, we would like to register."),
        AwkwardMessage("awkward-not-a-cloudevent", "a registration without its CloudEvents envelope", bare),
        submitted(
            "unknown-type", "an event type that does not exist", untouched, type="cxc.registration.enrol.v1"
        ),
        submitted(
            "unknown-country",
            "a country that does not exist",
            lambda data: data["organisation"].update(country="ZZ"),
        ),
        submitted("reversed-dates", "the last day before the first", reverse_dates),
        submitted(
            "unknown-partnership",
            "a partnership that does not exist",
            lambda data: data.update(partnership="no-such-partnership"),
        ),
        submitted("missing-field", "the goals are missing", lambda data: data.pop("goals")),
        submitted(
            "wrong-type",
            "the organisation is a text instead of an object",
            lambda data: data.update(organisation=data["organisation"]["name"]),
        ),
    ]
