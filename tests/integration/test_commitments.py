"""Commitments to Quality on real MongoDB: four tokens sign over HTTP, a change voids, files are verified."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from ops.cli import app
from services.matching.use_cases.join_pool import join_pool
from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.envelope import CloudEvent
from shared.messaging.outbox import unpack
from shared.storage.store import OUTBOX
from tests.builders import a_host_party
from tests.integration.apis import (
    AUDITOR,
    EXTERNAL,
    NOBODY,
    OTHER_STAFF,
    STAFF,
    STRANGER,
    SUPPORT_OFFICE,
    WOOL_STAFF,
    Api,
    As,
    participant,
    pointers,
    problem,
)
from tests.integration.test_api_matching import SPRING, a_host, a_visitor, agreed
from tests.unit.matching.builders import a_host_profile

pytestmark = pytest.mark.integration

cli = CliRunner()


async def approved(api: Api, **of_host: Any) -> tuple[str, As, As]:
    """The path of an approved match, and its visitor and host; its partnerships are HempClub and WoolClub."""
    visitor, host = await a_visitor(api), await a_host(api, **of_host)
    path = await agreed(api, visitor, host)
    for staff in (STAFF, WOOL_STAFF):
        answer = await api.post(f"{path}/approve", staff)
    assert answer.json()["state"] == "approved"
    return path, participant(visitor), participant(host)


async def commitment(api: Api, path: str, caller: As = SUPPORT_OFFICE) -> dict[str, Any]:
    answer = await api.get(f"{path}/commitment", caller)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def sign(api: Api, path: str, *callers: As) -> None:
    for caller in callers:
        seen = await commitment(api, path, caller)
        answer = await api.post(f"{path}/commitment/sign", caller, {"sha256": seen["sha256"]})
        assert answer.status_code == 200, answer.text


def as_sent(read: dict[str, Any], **changes: Any) -> dict[str, Any]:
    fields = ("version", "goals", "agenda", "expected_results")
    return {**{name: read[name] for name in fields}, **changes}


async def download(api: Api, path: str, caller: As) -> bytes:
    answer = await api.get(f"{path}/commitment.pdf", caller)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    return answer.content


async def told(api: Api, commitment_id: str) -> list[Any]:
    """The events about a commitment that wait to be published, in their order."""
    rows = await api.root.database[OUTBOX].find({}).sort("position", 1).to_list(None)
    envelopes = [CloudEvent.model_validate_json(m.value) for row in rows for m in unpack(row)]
    return [EVENT_MODELS[e.type].model_validate(e.data) for e in envelopes if e.subject == commitment_id]


async def test_four_tokens_sign_and_the_downloaded_file_is_verified_without_a_platform(
    matching: Api, tmp_path: Path
) -> None:
    path, visitor, host = await approved(matching)
    draft = await commitment(matching, path, visitor)
    assert (draft["state"], draft["missing"]) == ("open", ["HO", "HOP", "VO", "VOP"])
    agenda = [
        {"day": "2090-02-14", "begins": "09:30", "ends": "12:00", "title": "The mill", "responsible": "Host"},
        {"day": "2090-02-16", "title": "Ռեզյումե, özet, σύνοψη", "responsible": "Both"},
    ]
    written = await matching.call(
        "PUT", f"{path}/commitment", host, json=as_sent(draft, goals="Spin hemp together.", agenda=agenda)
    )
    assert written.status_code == 200, written.text
    assert written.json()["version"] == draft["version"] + 1

    await sign(matching, path, WOOL_STAFF, visitor, STAFF)
    assert (await commitment(matching, path))["missing"] == ["HO"]
    await sign(matching, path, host)
    complete = await commitment(matching, path)
    assert complete["state"] == "complete"
    assert [one["role"] for one in complete["signatures"]] == ["HOP", "VO", "VOP", "HO"]

    files = [await download(matching, path, caller) for caller in (visitor, host, STAFF, AUDITOR)]
    assert len(set(files)) == 1
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(files[0])).pages)
    for said in ("Spin hemp together.", "Ռեզյումե, özet, σύνοψη", "09:30–12:00", complete["sha256"]):
        assert said in text

    file = tmp_path / "commitment.pdf"
    file.write_bytes(files[0])
    result = await asyncio.to_thread(cli.invoke, app, ["commitment", "verify", str(file)])
    assert result.exit_code == 0, result.output
    place = files[0].index(b"Spin hemp")
    file.write_bytes(files[0][:place] + b"Sell hemp" + files[0][place + 9 :])
    result = await asyncio.to_thread(cli.invoke, app, ["commitment", "verify", str(file)])
    assert (result.exit_code, "The content was changed" in result.output) == (1, True)

    events = await told(matching, complete["id"])
    assert [type(event).__name__ for event in events] == [
        "CommitmentDrawnUp",
        *["CommitmentSigned"] * 4,
        "CommitmentCompleted",
    ]
    assert events[-1].document_sha256 == complete["sha256"]


async def test_a_change_voids_what_was_signed_and_those_who_had_signed_sign_anew(matching: Api) -> None:
    path, visitor, host = await approved(matching)
    await sign(matching, path, visitor, STAFF)
    seen = await commitment(matching, path)
    stale = as_sent(seen, version=seen["version"] - 1, goals="Mine.")
    problem(await matching.call("PUT", f"{path}/commitment", host, json=stale), 409, "commitment-changed")
    changed = await matching.call("PUT", f"{path}/commitment", host, json=as_sent(seen, goals="Ours."))
    assert (changed.json()["signatures"], changed.json()["state"]) == ([], "open")
    old = await matching.post(f"{path}/commitment/sign", visitor, {"sha256": seen["sha256"]})
    problem(old, 409, "commitment-changed")
    await sign(matching, path, visitor)
    [voided] = [event for event in await told(matching, seen["id"]) if hasattr(event, "voided")]
    assert (voided.voided, voided.final) == (["VO", "VOP"], False)


async def test_a_registration_accepted_anew_voids_and_a_cancelled_match_ends_it(matching: Api) -> None:
    path, visitor, host = await approved(matching)
    await sign(matching, path, visitor)
    assert host.organisation is not None
    renamed = a_host_party(host.organisation, organisation="Another name (sample)", partnership="woolclub")
    profile = a_host_profile(availability=SPRING, host_places=3)
    await matching.root.transactions.run(lambda uow: join_pool(uow, renamed, profile, version=5))
    now = await commitment(matching, path)
    assert (now["host"]["organisation"], now["signatures"]) == ("Another name (sample)", [])

    await sign(matching, path, visitor, host)
    assert (await matching.post(f"{path}/cancel", host, {"reason": "Moved."})).status_code == 200
    void = await commitment(matching, path)
    assert (void["state"], void["void_because"]) == ("void", "Moved.")
    refused = await matching.post(f"{path}/commitment/sign", STAFF, {"sha256": void["sha256"]})
    assert problem(refused, 409, "commitment-void")["detail"].endswith("Moved.")
    assert b"%PDF-" in await download(matching, path, visitor)


async def test_of_two_who_sign_at_once_both_are_in_the_chain(matching: Api) -> None:
    path, visitor, host = await approved(matching)
    sha256 = (await commitment(matching, path))["sha256"]
    answers = await asyncio.gather(
        *(
            matching.post(f"{path}/commitment/sign", caller, {"sha256": sha256})
            for caller in (visitor, host, STAFF, WOOL_STAFF)
        )
    )
    assert [answer.status_code for answer in answers] == [200] * 4
    signatures = (await commitment(matching, path))["signatures"]
    assert {one["role"] for one in signatures} == {"HO", "HOP", "VO", "VOP"}
    assert [one["previous"] for one in signatures] == [sha256, *(one["sha256"] for one in signatures[:-1])]


VISITOR, HOST = "the visitor", "the host"
#          caller                        reads writes signs
MATRIX: list[tuple[str, Any, int, int, int]] = [
    ("the visitor", VISITOR, 200, 200, 200),
    ("the host", HOST, 200, 200, 200),
    ("the visitor's staff", STAFF, 200, 200, 200),
    ("the host's staff", WOOL_STAFF, 200, 200, 200),
    ("another organisation", STRANGER, 404, 404, 404),
    ("staff of neither", OTHER_STAFF, 404, 404, 404),
    ("the support office", SUPPORT_OFFICE, 200, 403, 403),
    ("an auditor", AUDITOR, 200, 403, 403),
    ("an external system", EXTERNAL, 404, 404, 404),
    ("nobody", NOBODY, 401, 401, 401),
]


@pytest.fixture(scope="module")
async def a_match(matching: Api) -> tuple[str, As, As]:
    return await approved(matching)


@pytest.mark.parametrize(
    ("caller", "reads", "writes", "signs"), [row[1:] for row in MATRIX], ids=[row[0] for row in MATRIX]
)
async def test_who_may_do_what_with_a_commitment(
    matching: Api, a_match: tuple[str, As, As], caller: Any, reads: int, writes: int, signs: int
) -> None:
    path, visitor, host = a_match
    who: As | None = {VISITOR: visitor, HOST: host}.get(caller, caller)
    seen = await commitment(matching, path)
    before = await matching.stored()
    assert (await matching.get(f"{path}/commitment", who)).status_code == reads
    assert (await matching.get(f"{path}/commitment.pdf", who)).status_code == reads
    written = await matching.call("PUT", f"{path}/commitment", who, json=as_sent(seen))
    assert written.status_code == writes, written.text
    assert await matching.stored() == before
    signed = await matching.post(f"{path}/commitment/sign", who, {"sha256": seen["sha256"]})
    assert signed.status_code == signs, signed.text


async def test_a_match_that_is_not_approved_has_none_yet(matching: Api) -> None:
    visitor = await a_visitor(matching)
    path = await agreed(matching, visitor, await a_host(matching))
    answer = await matching.get(f"{path}/commitment", participant(visitor))
    assert "drawn up with the last approval" in problem(answer, 404, "not-found")["detail"]


ITEM = {"day": "2090-02-14", "title": "The mill", "responsible": "Host"}
BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"version": "two"}, ["/version"]),
    ({"version": True}, ["/version"]),
    ({"goals": "x" * 4001}, ["/goals"]),
    ({"agenda": [{**ITEM, "begins": "9 o'clock"}]}, ["/agenda/0/begins"]),
    ({"agenda": [{**ITEM, "day": "the 14th"}]}, ["/agenda/0/day"]),
    ({"agenda": [{**ITEM, "title": " "}]}, ["/agenda/0/title"]),
    (
        {"agenda": [{**ITEM, "title": "x" * 201, "responsible": "x" * 121}]},
        ["/agenda/0/title", "/agenda/0/responsible"],
    ),
    ({"agenda": [ITEM] * 61}, ["/agenda"]),
    ({"stay": {}}, ["/stay"]),
]


@pytest.mark.parametrize(("changes", "where"), BAD)
async def test_malformed_commitments_are_told_where(
    matching: Api, a_match: tuple[str, As, As], changes: dict[str, Any], where: list[str]
) -> None:
    path, visitor, _ = a_match
    body = as_sent(await commitment(matching, path), **changes)
    answer = await matching.call("PUT", f"{path}/commitment", visitor, json=body)
    assert pointers(problem(answer, 422, "malformed")) == where


async def test_a_hash_that_is_none_is_malformed(matching: Api, a_match: tuple[str, As, As]) -> None:
    path, visitor, _ = a_match
    answer = await matching.post(f"{path}/commitment/sign", visitor, {"sha256": "abc"})
    body = problem(answer, 422, "malformed")
    assert body["detail"].startswith("/sha256: is not a SHA-256 in hexadecimal: 64 digits")
