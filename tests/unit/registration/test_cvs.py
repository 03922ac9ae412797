"""CVs: what is taken for one, who may have it, and that no file is lost or left."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.builders import a_submission
from tests.unit.registration.client import Client
from tests.unit.registration.pdfs import a_bomb, a_loop, a_pdf
from tests.unit.registration.service import (
    A_PORTAL,
    AN_AUDITOR,
    ANOTHER_PARTICIPANT,
    HEMPCLUB_STAFF,
    SUPPORT_OFFICE,
    WOOLCLUB_STAFF,
)


async def registered(api: Client) -> str:
    answer = await api.post("/registrations", json=a_submission())
    id: str = answer.json()["id"]
    return id


async def sent(api: Client, id: str, content: bytes, **params: str) -> Any:
    return await api.put(f"/registrations/{id}/cv", content=content, params=params)


async def test_a_cv_comes_back_as_it_was_sent_to_be_saved_and_not_shown(api: Client) -> None:
    id, content = await registered(api), a_pdf(2)
    answer = await sent(api, id, content, name="Lebenslauf „Büro“ 2027.PDF")
    kept = answer.json()
    assert (answer.status_code, kept["name"], kept["pages"]) == (200, "Lebenslauf „Büro“ 2027.pdf", 2)
    assert (kept["size"], kept["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert (await api.get(f"/registrations/{id}")).json()["cv"] == kept

    download = await api.get(f"/registrations/{id}/cv")
    assert download.content == content
    assert download.headers["content-type"] == "application/pdf"
    assert download.headers["x-content-type-options"] == "nosniff"
    assert download.headers["content-disposition"] == (
        "attachment; filename=\"cv.pdf\"; filename*=UTF-8''"
        "Lebenslauf%20%E2%80%9EB%C3%BCro%E2%80%9C%202027.pdf"
    )


async def test_a_list_does_not_say_who_has_a_cv(api: Client) -> None:
    await sent(api, await registered(api), a_pdf())
    [line] = (await api.get("/registrations")).json()["items"]
    assert "cv" not in line


async def test_a_new_cv_takes_the_place_of_the_old_one_of_which_nothing_is_left(api: Client) -> None:
    id = await registered(api)
    await sent(api, id, a_pdf(1))
    await sent(api, id, a_pdf(3))
    assert (await api.get(f"/registrations/{id}/cv")).content == a_pdf(3)
    assert list(api.files.stored.values()) == [a_pdf(3)]


async def test_a_removed_cv_is_gone_with_its_file(api: Client) -> None:
    id = await registered(api)
    await sent(api, id, a_pdf())
    assert (await api.delete(f"/registrations/{id}/cv")).status_code == 204
    assert (await api.delete(f"/registrations/{id}/cv")).status_code == 404
    assert (await api.get(f"/registrations/{id}/cv")).status_code == 404
    body = (await api.get(f"/registrations/{id}")).json()
    assert (body["cv"], api.files.stored) == (None, {})
    assert [step["why"] for step in body["history"][-2:]] == ["CV added", "CV removed"]


async def test_a_closed_registration_takes_no_cv_and_lets_go_of_the_one_it_has(api: Client) -> None:
    id = await registered(api)
    await sent(api, id, a_pdf())
    await api.post(f"/registrations/{id}/withdraw")
    refused = await sent(api, id, a_pdf(2))
    assert (refused.status_code, refused.json()["type"].rsplit("/")[-1]) == (409, "registration-state")
    assert list(api.files.stored.values()) == [a_pdf()]
    assert (await api.delete(f"/registrations/{id}/cv")).status_code == 204


@pytest.mark.parametrize(
    ("caller", "reads", "sends"),
    [
        (HEMPCLUB_STAFF, 200, 200),
        (SUPPORT_OFFICE, 200, 403),
        (AN_AUDITOR, 200, 403),
        (WOOLCLUB_STAFF, 404, 404),
        (ANOTHER_PARTICIPANT, 404, 404),
        (A_PORTAL, 404, 404),
    ],
    ids=lambda value: getattr(value, "subject", str(value)),
)
async def test_a_cv_is_for_those_who_may_see_the_registration(
    api: Client, caller: Any, reads: int, sends: int
) -> None:
    id = await registered(api)
    await sent(api, id, a_pdf())
    api.caller = caller
    assert (await api.get(f"/registrations/{id}/cv")).status_code == reads
    assert (await sent(api, id, a_pdf())).status_code == sends
    assert (await api.delete(f"/registrations/{id}/cv")).status_code == (204 if sends == 200 else sends)


async def test_the_system_that_registered_an_organisation_sends_and_reads_its_cv(api: Client) -> None:
    api.caller = A_PORTAL
    id = await registered(api)
    assert (await sent(api, id, a_pdf())).status_code == 200
    assert (await api.get(f"/registrations/{id}/cv")).content == a_pdf()


NO_CVS: list[tuple[str, Callable[[], bytes], int, str]] = [
    ("nothing", bytes, 422, "body is empty"),
    ("a web page", lambda: b"<html><script>alert(1)</script>", 422, "is not a PDF, whatever its name"),
    ("a web page before a PDF", lambda: b"<html>" + a_pdf(), 422, "is not a PDF, whatever its name"),
    ("no more than the beginning", lambda: a_pdf()[:100], 422, "cannot be opened"),
    ("the beginning and noise", lambda: b"%PDF-1.7\n" + bytes(range(256)) * 40, 422, "cannot be opened"),
    ("no pages", lambda: a_pdf(0), 422, "has no pages"),
    ("a password", lambda: a_pdf(password="secret"), 422, "protected by a password"),
    ("10,000 pages", lambda: a_pdf(10_000), 422, "has 10,000 pages; a CV may have 100"),
    ("pages within themselves", a_loop, 422, ""),
    ("what unfolds without end", a_bomb, 422, ""),
    ("over the limit", lambda: a_pdf() + bytes(6 << 20), 413, "the limit is 5242880"),
]


@pytest.mark.parametrize(
    ("content", "status", "said"), [row[1:] for row in NO_CVS], ids=[row[0] for row in NO_CVS]
)
async def test_what_is_no_cv_is_refused_with_what_to_do_and_nothing_is_kept(
    api: Client, content: Callable[[], bytes], status: int, said: str
) -> None:
    id = await registered(api)
    answer = await sent(api, id, content(), name="cv.pdf")
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert api.files.stored == {}
    assert (await api.get(f"/registrations/{id}")).json()["cv"] is None
