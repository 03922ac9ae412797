"""Whom an event concerns, what each reader may see of it, and what an erasure leaves.

The feed and webhooks go by it. Events are JSON objects here, not models: what was published is
handed on as it stands, fields that this version does not know included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError

from shared.contracts.common import ERASED, Party
from shared.contracts.registration import id_from_outside
from shared.contracts.types import EventType
from shared.security import Caller, CallerRole

Json = dict[str, Any]

EVERYTHING: Final = "all"
"""The scope of those who read all cases."""
WITHHELD: Final = "(withheld)"

_PARTNERSHIP: Final = "partnership:"
_SOURCE: Final = "source:"
_PARTIES: Final = ("party", "visitor", "host")
_MENTIONED: Final = re.compile(rb'"registration_id"\s*:\s*"([^"]+)"')


def scope_of_partnership(partnership: str) -> str:
    """The scope of a partnership's staff."""
    return _PARTNERSHIP + partnership


def scope_of_source(source: str) -> str:
    """The scope of an outside system: what concerns the registrations it submitted."""
    return _SOURCE + source


def partnership_of(scope: str) -> str | None:
    """The partnership whose staff's scope it is."""
    return scope.removeprefix(_PARTNERSHIP) if scope.startswith(_PARTNERSHIP) else None


def source_of(scope: str) -> str | None:
    """The outside system whose scope it is."""
    return scope.removeprefix(_SOURCE) if scope.startswith(_SOURCE) else None


def scope_of_reader(caller: Caller) -> str | None:
    """The scope of what concerns the caller; None for participants, who have none."""
    match caller.role:
        case CallerRole.SUPPORT_OFFICE | CallerRole.AUDITOR:
            return EVERYTHING
        case CallerRole.STAFF:
            assert caller.partnership is not None
            return scope_of_partnership(caller.partnership)
        case CallerRole.EXTERNAL:
            return scope_of_source(caller.subject)
        case CallerRole.PARTICIPANT:
            return None


def scopes_of(data: Json) -> list[str]:
    """Whom an event with this data concerns, everyone who reads everything first.

    The partnerships and outside systems of its parties; the partnerships it names as its own, or as
    the one that had the case before; the system whose message was refused, or whose endpoint it is
    about. Partners in somebody else's list of fits are not told. A mail's fate concerns the
    partnership whose staff it was for.
    """
    scopes = [EVERYTHING]
    for name in _PARTIES:
        party = data.get(name)
        if isinstance(party, dict):
            scopes += [scope_of_partnership(id) for id in _texts(party.get("partnership"))]
            scopes += [scope_of_source(source) for source in _texts(party.get("source"))]
    for name in ("partnership", "before", "partnerships"):
        scopes += [scope_of_partnership(id) for id in _texts(data.get(name))]
    for name in ("refused_source", "source"):
        scopes += [scope_of_source(source) for source in _texts(data.get(name))]
    return list(dict.fromkeys(scopes))


def _texts(value: Any) -> list[str]:
    """What a field names: a text or several; anything else names nobody."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str) and one]


def registrations_in(raw: bytes, data: Json) -> set[str]:
    """The ids of the registrations that an event, as written and as read, says something about."""
    found = {id.decode() for id in _MENTIONED.findall(raw)}
    if isinstance(about := _told_of(data), str):
        found.add(about)
    if (refused := _refused_registration(data)) is not None:
        found.add(refused)
    return found


def erased_by(event: Json) -> str | None:
    """The registration whose personal data are gone, where that is what the event says."""
    if event["type"] != EventType.REGISTRATION_ERASED:
        return None
    party = event["data"].get("party")
    id = party.get("registration_id") if isinstance(party, dict) else None
    return id if isinstance(id, str) else None


def as_seen_in(scope: str, event: Json) -> Json:
    """The event as readers of the scope see it: addresses and identifiers of their own parties only.

    What the two sides of a match may know of each other is said by matching's API once both agreed.
    """
    if scope != EVERYTHING:
        # A scope is named after the field of a party that makes it theirs.
        kind, _, name = scope.partition(":")
        for party in _parties_in(event.get("data")):
            if party.get(kind) != name:
                party["email"] = WITHHELD
                party["identifiers"] = []
    return event


def without_personal_data_of(registration_id: str, event: Json) -> Json:
    """The event without what it says of this registration's organisation; what adds up stays.

    Its name, place, address and identifiers are blanked wherever they stand, also inside sentences;
    of events about it, its own words and the facts of receipts too. Id, type, moment, state, verdict
    and amounts are left as they were.
    """
    data = event.get("data")
    if not isinstance(data, dict):
        return event
    words: set[str] = set()
    for party in _parties_in(data):
        if party["registration_id"] == registration_id:
            words |= _words_of(party)
            _erase(party)
    if any(_is(data.get(name), registration_id) for name in _PARTIES):
        _erase_facts(data, own=_is(data.get("party"), registration_id))
    if _refused_registration(data) == registration_id:
        data.update(detail=ERASED, errors=[])
    if registration_id in (data.get("registration_id"), _told_of(data)):
        # What mails to it came to: a domain is as good as a name.
        data.update({name: ERASED for name in ("address", "reason") if name in data})
    pattern = _any_of(words)
    return {**event, "data": _blanked(data, pattern) if pattern else data}


def _parties_in(value: Any) -> Iterator[Json]:
    """Every party, however deep: partners in a list of fits too."""
    if isinstance(value, dict):
        if isinstance(value.get("registration_id"), str) and isinstance(value.get("organisation"), str):
            yield value
        else:
            for inner in value.values():
                yield from _parties_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parties_in(inner)


def _refused_registration(data: Json) -> str | None:
    source, subject = data.get("refused_source"), data.get("refused_subject")
    return id_from_outside(source, subject) if isinstance(source, str) and isinstance(subject, str) else None


def _told_of(mail: Json) -> Any:
    """The registration that a mail is about, where that is what it is about."""
    return mail.get("about") if _is_about_a_registration(mail) else None


def _is_about_a_registration(mail: Json) -> bool:
    return str(mail.get("fact_type")).startswith("cxc.registration.")


def _is(party: Any, registration_id: str) -> bool:
    return isinstance(party, dict) and party.get("registration_id") == registration_id


def _words_of(party: Json) -> set[str]:
    """What would tell who it is in a sentence; numbers without the kind of number they are."""
    place, identifiers = party.get("place"), party.get("identifiers")
    words = [party["organisation"], party.get("email")]
    words += [place.get("city")] if isinstance(place, dict) else []
    words += [str(one).partition(":")[2] for one in identifiers] if isinstance(identifiers, list) else []
    return {word for word in words if isinstance(word, str) and len(word) > 2} - {ERASED}


def _erase(party: Json) -> None:
    try:
        left = Party.model_validate(party).erased().model_dump(mode="json", exclude_none=True)
    except ValidationError:  # of a version to come: keep the least
        left = {"registration_id": party["registration_id"], "organisation": ERASED}
    party.clear()
    party.update(left)


def _erase_facts(data: Json, *, own: bool) -> None:
    if isinstance(receipt := data.get("receipt"), dict):
        receipt["facts"] = {}
    if not own:
        return
    if isinstance(profile := data.get("profile"), dict):
        profile.update(motivation="", offers=[], needs=[], pre_agreed=[])
    for name in ("reason", "question", "message", "sealed"):
        if data.get(name):
            data[name] = ERASED
    data.pop("reference", None)


def _any_of(words: set[str]) -> re.Pattern[str] | None:
    if not words:
        return None
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


def _blanked(value: Any, pattern: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        # A single word is a value of a list, and names nobody.
        return pattern.sub(ERASED, value) if " " in value else value
    if isinstance(value, list):
        return [_blanked(inner, pattern) for inner in value]
    if isinstance(value, dict) and "organisation" not in value:
        return {name: _blanked(inner, pattern) for name, inner in value.items()}
    return value
