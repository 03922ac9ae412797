"""Evidence of a stay: what is taken, who may have it, what becomes of it; no file is lost or left."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from services.funding.domain.evidence import EvidenceFile
from services.funding.use_cases.add_evidence import add_evidence
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.erase_grants import erase_grants
from shared.contracts.envelope import new_id
from shared.contracts.vocabulary import EvidenceKind, GateState, GrantState
from shared.security import Caller, CallerRole
from tests.builders import a_cancelled_match, a_party
from tests.unit.funding.reporting import (
    AUDITOR,
    EXTERNAL,
    GRANT,
    HOST,
    HOST_STAFF,
    OTHER_STAFF,
    STAFF,
    STRANGER,
    SUPPORT_OFFICE,
    VISITOR,
    Service,
    a_service,
    a_visit,
    problem,
)
from tests.unit.registration.pdfs import a_pdf
from tests.unit.shared.pictures import a_jpeg, a_noisy_jpeg, a_png, a_png_bomb, an_archive

EVIDENCE = f"/grants/{GRANT}/evidence"
WAITS_FOR_VISITOR, WAITS_FOR_PARTNERSHIP, PASSED = GateState


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with a_service() as running:
        await running.approve(a_visit())
        yield running


async def send(
    service: Service, content: bytes, caller: Caller = VISITOR, /, **params: str
) -> httpx.Response:
    given = {"kind": "boarding_pass", "name": "pass.pdf", **params}
    return await service.call("POST", EVIDENCE, caller, content=content, params=given)


async def sent(service: Service, content: bytes, **params: str) -> dict[str, Any]:
    """The file as it is listed once it is sent."""
    answer = await send(service, content, **params)
    assert answer.status_code == 201, answer.text
    file: dict[str, Any] = answer.json()["files"][-1]
    return file


async def have(service: Service, *, name: str = "pass.pdf", kind: str = "boarding_pass") -> dict[str, Any]:
    """Another file, as it is listed: there without having been looked into, as many tests need some."""
    content = f"{name} {len(service.files.stored)}".encode()
    id = new_id()
    service.files.stored[id] = content
    file = EvidenceFile(
        id=id,
        kind=EvidenceKind(kind),
        note="",
        name=name,
        media_type="application/pdf",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        pages=1,
        uploaded_at=service.at,
    )
    await service.transactions.run(lambda uow: add_evidence(uow, GRANT, file, most=40, by=VISITOR))
    return file.model_dump(mode="json")


async def submitted(service: Service) -> int:
    """The edition to accept."""
    answer = await service.post(f"{EVIDENCE}/submission", VISITOR)
    assert answer.status_code == 200, answer.text
    edition: int = answer.json()["edition"]
    return edition


async def accept(service: Service, edition: int, caller: Caller = STAFF) -> httpx.Response:
    return await service.post(f"{EVIDENCE}/acceptance", caller, {"edition": edition})


# ── sending ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "given", "kept", "media_type", "pages"),
    [
        (a_pdf(2), "Rechnung „Hotel“.PDF", "Rechnung „Hotel“.pdf", "application/pdf", 2),
        (a_jpeg(), "IMG_0001.JPEG", "IMG_0001.jpg", "image/jpeg", 1),
        (a_png(), "", "boarding-pass.png", "image/png", 1),
        (a_png(), "../../pass.pdf", "pass.pdf.png", "image/png", 1),
    ],
)
async def test_a_file_comes_back_as_it_was_sent_to_be_saved_and_not_shown(
    service: Service, content: bytes, given: str, kept: str, media_type: str, pages: int
) -> None:
    file = await sent(service, content, name=given, note=" The way out. ")
    assert (file["name"], file["media_type"], file["pages"]) == (kept, media_type, pages)
    assert (file["kind"], file["note"]) == ("boarding_pass", "The way out.")
    assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    download = await service.get(f"{EVIDENCE}/{file['id']}", STAFF)
    assert download.content == content
    assert download.headers["content-type"] == media_type
    assert download.headers["content-disposition"].startswith("attachment; filename=")
    assert download.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in download.headers["content-security-policy"]
    assert download.headers["content-length"] == str(len(content))


NOT_TAKEN: list[tuple[str, Callable[[], bytes], int, str]] = [
    ("nothing", bytes, 422, "body is empty"),
    ("a web page", lambda: b"<html><script>alert(1)</script>", 422, "neither PDF, JPEG nor PNG"),
    ("an archive", an_archive, 422, "neither PDF, JPEG nor PNG"),
    ("half a picture", lambda: a_noisy_jpeg()[:3000], 422, "cannot be opened to its end"),
    ("a picture and an archive", lambda: a_png() + an_archive(), 422, "an archive (ZIP) too"),
    ("a picture that unfolds without end", a_png_bomb, 422, "8,000 × 8,000 points"),
    ("a PDF with a password", lambda: a_pdf(password="secret"), 422, "protected by a password"),
    ("more than the limit", lambda: a_pdf() + b"\n" * (11 << 20), 413, "the limit is 10485760"),
]


@pytest.mark.parametrize(
    ("content", "status", "said"), [row[1:] for row in NOT_TAKEN], ids=[row[0] for row in NOT_TAKEN]
)
async def test_what_is_no_evidence_is_refused_with_what_to_do_and_nothing_is_kept(
    service: Service, content: Callable[[], bytes], status: int, said: str
) -> None:
    answer = await send(service, content())
    assert said in problem(answer, status, "too-large" if status == 413 else "malformed")["detail"]
    assert service.files.stored == {}
    assert (await service.get(EVIDENCE)).json()["files"] == []


async def test_a_body_whose_length_is_not_told_is_cut_off_at_the_limit_too(service: Service) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield a_pdf()
        for _ in range(11):
            yield bytes(1 << 20)

    answer = await service.call("POST", EVIDENCE, VISITOR, content=chunks(), params={"kind": "other"})
    problem(answer, 413, "too-large")
    assert service.files.stored == {}


async def test_the_same_file_twice_is_told_and_kept_once(service: Service) -> None:
    await sent(service, a_jpeg(), name="pass.jpg")
    refused = problem(await send(service, a_jpeg(), name="other.jpg"), 409, "evidence-sent-before")
    assert "pass.jpg, sent on 2023-02-17" in refused["detail"]
    assert list(service.files.stored.values()) == [a_jpeg()]


async def test_there_is_a_limit_to_the_number_of_files_and_it_is_told_before_the_file_is_read() -> None:
    async with a_service(evidence_max_files=2) as service:
        await service.approve(a_visit())
        await sent(service, a_pdf(1))
        await sent(service, a_pdf(2))
        refused = problem(await send(service, b"<html>"), 409, "too-many-files")
        assert "2 are the most" in refused["detail"]


@pytest.mark.parametrize(
    "params",
    [{"kind": "selfie"}, {"note": "a\u0000b"}, {"kind": ""}, {"note": "x" * 301}, {"name": "x" * 201}],
)
async def test_what_is_said_of_a_file_is_checked(service: Service, params: dict[str, str]) -> None:
    problem(await send(service, a_pdf(), **params), 422, "malformed")


# ── deleting ─────────────────────────────────────────────────────────────────────────────────


async def test_a_deleted_file_is_gone(service: Service) -> None:
    file = await have(service)
    left = await service.call("DELETE", f"{EVIDENCE}/{file['id']}", VISITOR)
    assert (left.status_code, left.json()["files"]) == (200, [])
    assert service.files.stored == {}
    problem(await service.get(f"{EVIDENCE}/{file['id']}"), 404, "not-found")
    problem(await service.call("DELETE", f"{EVIDENCE}/{file['id']}", VISITOR), 404, "not-found")


async def test_a_file_whose_content_is_gone_is_not_found_rather_than_half_sent(service: Service) -> None:
    file = await have(service)
    service.files.stored.clear()
    problem(await service.get(f"{EVIDENCE}/{file['id']}"), 404, "not-found")


# ── submitting, accepting, returning ─────────────────────────────────────────────────────────


async def test_accepted_evidence_passes_the_gate_and_stays_as_it_is(service: Service) -> None:
    file = await have(service)
    assert await service.gate("evidence") is WAITS_FOR_VISITOR
    edition = await submitted(service)
    assert await service.gate("evidence") is WAITS_FOR_PARTNERSHIP
    accepted = await accept(service, edition)
    assert (accepted.json()["state"], await service.gate("evidence")) == ("accepted", PASSED)
    problem(await send(service, a_png()), 409, "evidence-state-forbids")
    problem(await service.call("DELETE", f"{EVIDENCE}/{file['id']}", VISITOR), 409, "evidence-state-forbids")
    problem(await accept(service, edition), 409, "evidence-state-forbids")
    problem(await service.post(f"{EVIDENCE}/submission", VISITOR), 409, "evidence-state-forbids")
    told = [(event.type, event.data) for event in service.events("cxc.evidence")]
    assert [type for type, _ in told] == ["cxc.evidence.submitted.v1", "cxc.evidence.accepted.v1"]
    assert told[0][1]["kinds"] == ["boarding_pass"]
    assert told[1][1]["files"] == [{"kind": "boarding_pass", "sha256": file["sha256"]}]


async def test_nothing_is_submitted_without_a_file(service: Service) -> None:
    problem(await service.post(f"{EVIDENCE}/submission", VISITOR), 409, "evidence-not-ready")


async def test_evidence_the_visitor_has_not_submitted_is_neither_accepted_nor_returned(
    service: Service,
) -> None:
    await have(service)
    problem(await accept(service, 1), 409, "evidence-state-forbids")
    refused = await service.post(f"{EVIDENCE}/return", STAFF, {"reason": "Where is the invoice?"})
    problem(refused, 409, "evidence-state-forbids")


@pytest.mark.parametrize("change", ["one more", "one less"])
async def test_what_changes_after_it_was_submitted_has_to_be_submitted_again(
    service: Service, change: str
) -> None:
    file = await have(service)
    await have(service)
    edition = await submitted(service)
    if change == "one more":
        await have(service)
    else:
        await service.call("DELETE", f"{EVIDENCE}/{file['id']}", VISITOR)
    assert await service.gate("evidence") is WAITS_FOR_VISITOR
    problem(await accept(service, edition), 409, "evidence-state-forbids")
    again = await submitted(service)
    assert "at edition 3" in problem(await accept(service, edition), 409, "evidence-changed")["detail"]
    assert (await accept(service, again)).status_code == 200


async def test_returned_files_are_replaced_before_the_evidence_is_submitted_again(service: Service) -> None:
    good, bad = await have(service), await sent(service, a_png(), name="blurred.png")
    await submitted(service)
    returned = await service.post(
        f"{EVIDENCE}/return",
        STAFF,
        {"files": [{"id": bad["id"], "reason": "It cannot be read."}], "reason": "The invoice is missing."},
    )
    shown = returned.json()
    assert (shown["state"], shown["returned_because"]) == ("returned", "The invoice is missing.")
    assert [file["returned_because"] for file in shown["files"]] == [None, "It cannot be read."]
    assert await service.gate("evidence") is WAITS_FOR_VISITOR
    refused = await service.post(f"{EVIDENCE}/submission", VISITOR)
    assert "blurred.png" in problem(refused, 409, "evidence-not-ready")["detail"]
    await service.call("DELETE", f"{EVIDENCE}/{bad['id']}", VISITOR)
    await have(service, kind="invoice")
    assert (await accept(service, await submitted(service))).status_code == 200
    [event] = [one for one in service.events("cxc.evidence") if one.type.endswith("returned.v1")]
    assert event.data["files"] == [
        {"name": "blurred.png", "kind": "boarding_pass", "reason": "It cannot be read."}
    ]
    assert good["id"] in [file["id"] for file in (await service.get(EVIDENCE)).json()["files"]]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "malformed"),
        ({"files": [{"id": "x", "reason": " "}]}, 422, "malformed"),
        ({"files": [{"id": "unheard-of", "reason": "Why not?"}]}, 404, "not-found"),
    ],
)
async def test_a_return_says_of_which_file_and_why(
    service: Service, body: dict[str, Any], status: int, code: str
) -> None:
    await have(service)
    await submitted(service)
    problem(await service.post(f"{EVIDENCE}/return", STAFF, body), status, code)
    assert await service.gate("evidence") is WAITS_FOR_PARTNERSHIP


async def test_accepted_evidence_can_be_returned_until_the_payment_is_prepared(service: Service) -> None:
    await have(service)
    await accept(service, await submitted(service))
    why = {"reason": "It is of another flight."}
    assert (await service.post(f"{EVIDENCE}/return", STAFF, why)).json()["state"] == "returned"
    assert service.events("cxc.evidence")[-1].data["was_accepted"] is True
    await accept(service, await submitted(service))

    async def pass_and_prepare(uow: Any) -> None:
        grant = await uow.grants.get(GRANT)
        for gate in ("agreement", "report"):
            grant.turn_gate(gate, PASSED, at=uow.now)
        grant.prepare("p-1")

    await service.transactions.run(pass_and_prepare)
    problem(await service.post(f"{EVIDENCE}/return", STAFF, why), 409, "grant-state-forbids")
    assert (await service.get(EVIDENCE)).json()["state"] == "accepted"


async def test_of_a_cancelled_grant_no_evidence_is_taken(service: Service) -> None:
    await service.transactions.run(lambda uow: cancel_grant(uow, a_cancelled_match(a_visit())))
    problem(await send(service, a_pdf()), 409, "grant-state-forbids")
    assert service.files.stored == {}


# ── who may ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("caller", "reads", "sends", "judges"),
    [
        (VISITOR, 200, 201, 403),
        (STAFF, 200, 403, 200),
        (SUPPORT_OFFICE, 200, 403, 403),
        (AUDITOR, 200, 403, 403),
        (HOST_STAFF, 403, 403, 403),
        (HOST, 404, 404, 404),
        (OTHER_STAFF, 404, 404, 404),
        (STRANGER, 404, 404, 404),
        (EXTERNAL, 404, 404, 404),
        (None, 401, 401, 401),
    ],
    ids=lambda value: getattr(value, "subject", str(value)),
)
async def test_evidence_is_for_the_visitor_and_its_partnership(
    service: Service, caller: Any, reads: int, sends: int, judges: int
) -> None:
    file = await have(service)
    edition = await submitted(service)
    path = f"{EVIDENCE}/{file['id']}"
    assert (await service.get(EVIDENCE, caller)).status_code == reads
    assert (await service.get(path, caller)).status_code == reads
    assert (await accept(service, edition, caller)).status_code == judges
    assert (await service.post(f"{EVIDENCE}/return", caller, {"reason": "No."})).status_code == judges
    assert (await send(service, a_png(), caller)).status_code == sends
    submission = await service.post(f"{EVIDENCE}/submission", caller)
    assert submission.status_code == (200 if sends == 201 else sends)
    deleted = await service.call("DELETE", path, caller)
    assert deleted.status_code == (200 if sends == 201 else sends)


async def test_a_file_of_another_stay_is_not_found(service: Service) -> None:
    await service.approve(a_visit("m2"))
    file = await have(service)
    problem(await service.get(f"/grants/grant-m2/evidence/{file['id']}"), 404, "not-found")


async def test_who_judges_a_file_sees_that_it_was_sent_for_another_grant_too(service: Service) -> None:
    visitor = a_party("other", owner="other")
    await service.approve(a_visit("m2", visitor=visitor))
    other = Caller("other-1", CallerRole.PARTICIPANT, organisation="other")
    await sent(service, a_pdf())
    params = {"kind": "invoice"}
    await service.call("POST", "/grants/grant-m2/evidence", other, content=a_pdf(), params=params)
    for caller, told in [(STAFF, ["grant-m2"]), (AUDITOR, ["grant-m2"]), (VISITOR, [])]:
        [file] = (await service.get(EVIDENCE, caller)).json()["files"]
        assert file["sent_for"] == told


# ── erasing ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("first", ["erased", "cancelled"])
async def test_evidence_stays_where_money_is_due_and_goes_where_none_is(service: Service, first: str) -> None:
    file = await have(service, name="pass of somebody.pdf")
    steps = {
        "erased": lambda uow: erase_grants(uow, "visitor"),
        "cancelled": lambda uow: cancel_grant(uow, a_cancelled_match(a_visit())),
    }
    await service.transactions.run(steps.pop(first))
    kept = (await service.get(EVIDENCE, STAFF)).json()["files"]
    assert [one["id"] for one in kept] == [file["id"]]
    await service.transactions.run(*steps.values())
    assert (await service.grant()).state is GrantState.CANCELLED
    assert (await service.get(EVIDENCE, STAFF)).json()["files"] == []
    assert "somebody" not in str(service.transactions.database["evidence"])
