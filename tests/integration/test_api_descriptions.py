"""What the four OpenAPI documents promise is valid, and is what the APIs do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from shared.http import PROBLEM_JSON
from tests.integration.apis import Api

pytestmark = pytest.mark.integration

SERVICES = ["registration", "matching", "funding", "notifications"]
PUBLIC = {
    "/live",
    "/ready",
    "/metrics",
    "/schemas/{type}.json",
    "/partnerships/{id}/progress",
    "/invitations/{token}",
    "/unsubscribe/{token}",
    "/eligibility/preview",
    "/lump-sums/preview",
}
NO_RULE_TO_BREAK = (
    "/eligibility",
    "/lump-sums",
    "/drafts",
    "/outgoing",
    "/bounces",
    "/previews",
    "/unsubscribe",
    "/suppressions",
    "/webhooks/{id}/secret",
    "/webhooks/{id}/deliveries",
    "/webhooks/{id}/replay",
)
"""Whoever may not touch a draft does not see it; the others depend on nothing's state."""


@pytest.fixture(params=SERVICES)
def api(request: pytest.FixtureRequest) -> Api:
    found: Api = request.getfixturevalue(request.param)
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, of_path in document["paths"].items()
        for method, operation in of_path.items()
    ]


async def test_the_document_is_valid_and_served(api: Api) -> None:
    served = await api.http.get("/openapi.json")
    assert served.json() == api.app.openapi()
    OpenAPIV31SpecValidator(served.json()).validate()
    assert served.json()["info"]["description"]


async def test_every_operation_names_the_problems_its_shape_leads_to(api: Api) -> None:
    for path, method, operation in operations(api.app.openapi()):
        responses = operation["responses"]
        where = f"{method} {path}"
        assert operation["summary"], where
        assert ("security" in operation) == (path not in PUBLIC), where
        if "security" in operation:
            assert {"401", "503"} <= responses.keys(), where
        if "requestBody" in operation:
            assert {"413", "422"} <= responses.keys(), where
        if "{id}" in path:
            assert "404" in responses or "suggestions" in path, where
        # What is deleted can be in any state.
        if method not in ("get", "delete") and not path.startswith(NO_RULE_TO_BREAK):
            assert {"403", "409"} <= responses.keys(), where
        if path in {"/live", "/ready", "/metrics"}:
            continue
        for status, response in responses.items():
            # People read that a link leads nowhere, in a browser.
            if status >= "400" and (path, status) != ("/unsubscribe/{token}", "404"):
                schema = {"$ref": "#/components/schemas/Problem"}
                assert response["content"] == {PROBLEM_JSON: {"schema": schema}}, where


async def test_a_model_has_one_name_whether_it_is_sent_or_received(api: Api) -> None:
    names = api.app.openapi()["components"]["schemas"]
    assert not [name for name in names if re.search(r"-(Input|Output)$|__|HTTPValidationError", name)]


async def test_health_and_metrics_answer_on_a_real_database(api: Api) -> None:
    assert (await api.http.get("/live")).json() == {"status": "live"}
    assert (await api.http.get("/ready")).json() == {"status": "ready", "mongodb": "ok"}
    metrics = await api.http.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert 'route="/ready",service="' in metrics.text.replace('method="GET",', "")
