"""Files of the services, passed on: what a browser may show, and what it has to save."""

from __future__ import annotations

import httpx
import pytest

from services.console.apis import Api, ApiProblem
from services.console.files import passed_on


def funding(answer: httpx.Response) -> Api:
    """An API that has this one answer."""
    client = httpx.AsyncClient(
        base_url="https://funding.example", transport=httpx.MockTransport(lambda request: answer)
    )
    return Api("funding", client, "token")


def a_file(media_type: str) -> httpx.Response:
    return httpx.Response(
        200,
        content=b"content",
        headers={"Content-Type": media_type, "Content-Disposition": 'attachment; filename="pass.pdf"'},
    )


async def test_a_file_is_saved_under_its_name_and_stays_in_no_cache() -> None:
    answer = await passed_on(funding(a_file("application/pdf")), "/grants/g/evidence/f")
    assert answer.body == b"content"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="pass.pdf"'
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("media_type", ["application/pdf", "image/png", "image/svg+xml; charset=utf-8"])
async def test_what_a_browser_may_show_is_shown_and_runs_nothing(media_type: str) -> None:
    answer = await passed_on(funding(a_file(media_type)), "/grants/g/evidence/f", shown=True)
    assert answer.headers["Content-Disposition"] == 'inline; filename="pass.pdf"'
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


async def test_what_could_run_is_saved_even_if_it_is_to_be_shown() -> None:
    answer = await passed_on(funding(a_file("text/html")), "/grants/g/evidence/f", shown=True)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_a_refusal_is_told_as_it_is() -> None:
    refusal = {"title": "Known, but not entitled", "detail": "Only staff of hempclub can do this."}
    with pytest.raises(ApiProblem, match="Only staff of hempclub"):
        await passed_on(funding(httpx.Response(403, json=refusal)), "/payments/p/pain.001.xml")
