"""What pages are made of: every macro, written in each language."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from jinja2 import Environment

from services.console import icons
from services.console.apis import ApiProblem, Part
from services.console.assets import Assets
from services.console.domain.calendar import Mark, Span, months
from services.console.languages import LANGUAGES, language_for
from services.console.rendering import TEMPLATES, error_at, surroundings

RECEIPT = {
    "rule_set": "scheme, 1 January 2023",
    "facts": {"country": "IT", "days": [{"on": "2027-02-08", "is": "working day"}], "member": True},
    "outcomes": [
        {"rule": "r", "outcome": outcome, "sentence": "So it is.", "source": "CXC FAQ"}
        for outcome in ("passed", "failed", "needs_review", "not_applicable")
    ],
    "sentence": "You are eligible.",
}


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets.load()


@pytest.fixture(scope="module", params=LANGUAGES)
def pages(request: pytest.FixtureRequest, assets: Assets) -> Environment:
    return surroundings(language_for(request.param), assets)


def written(pages: Environment, source: str, **content: Any) -> str:
    """What a template with the macros makes of this content."""
    whole = '{% import "ui.html" as ui with context %}' + source
    language = language_for("en")
    return pages.from_string(whole).render(csrf="<token>", language=language, **content)


def test_a_form_carries_its_token_unless_it_only_asks(pages: Environment) -> None:
    source = '{% call ui.form("/x", method=method) %}{{ ui.submit("Go") }}{% endcall %}'
    assert 'name="csrf" value="&lt;token&gt;"' in written(pages, source, method="post")
    assert "csrf" not in written(pages, source, method="get")


@pytest.mark.parametrize(
    "call",
    [
        'ui.field("email", "Mail", "a@b.example", type="email", help="h", errors=errors)',
        'ui.textarea("email", "Words", "said", help="h", errors=errors)',
        'ui.select("email", "One", [("a", "A"), ("b", "B")], "b", help="h", errors=errors)',
    ],
)
def test_a_field_names_its_label_its_help_and_what_is_wrong_with_it(pages: Environment, call: str) -> None:
    html = written(pages, "{{ " + call + " }}", errors={"/email": "is not a mail address"})
    assert '<label class="form-label" for="email">' in html
    assert 'aria-describedby="email-help email-error"' in html
    assert 'id="email-help"' in html
    assert 'id="email-error"' in html
    assert "is not a mail address" in html
    assert 'aria-invalid="true"' in html


def test_what_is_wrong_is_found_by_its_pointer_in_whatever_says_it() -> None:
    said = [{"pointer": "/stay/first_day", "detail": "is over"}, {"pointer": "/a", "detail": "is blank"}]
    assert error_at(said, "/stay/first_day") == "is over"
    assert error_at(ApiProblem(422, "Malformed", "", said), "/a") == "is blank"
    assert error_at({"/a": "is blank"}, "/b") is None
    assert error_at(None, "/a") is None


@pytest.mark.parametrize(
    "source",
    [
        '{% call ui.head("A page", "what", [("Home", "/"), ("B", None)]) %}<a href="/">x</a>{% endcall %}',
        '{{ ui.head("A page") }}',
        '{{ ui.badge("needs_review") }}{{ ui.badge("not_known_yet") }}',
        '{{ ui.alert("info", "So it is.") }}{{ ui.alert("danger", "No.", "Refused") }}',
        "{{ ui.problem(problem) }}{{ ui.problem(None) }}",
        "{{ ui.part(away) }}{{ ui.part(refused) }}{{ ui.part(there) }}",
        '{{ ui.empty("Nothing yet", "Begin.", "/new", "New") }}{{ ui.empty("Nothing") }}',
        '{{ ui.checkbox("a", "A", True, help="h") }}',
        '{{ ui.checkboxes("a", "A", [("x", "X"), ("y", "Y")], ["y"], errors={"/a": "wrong"}) }}',
        '{{ ui.radios("a", "A", [("x", "X"), ("y", "Y")], "y", help="h", required=True) }}',
        '{{ ui.facts([("A", 1), ("B", None), ("C", "c")]) }}',
        '{{ ui.stat("Exchanges", 23, "of 80", "/") }}',
        '{{ ui.progress(23, 80, "Exchanges") }}{{ ui.progress(0, 0, "A") }}{{ ui.progress(90, 80, "B") }}',
        "{{ ui.timeline(entries) }}",
        "{{ ui.receipt(receipt) }}{{ ui.receipt(receipt, open=True, for_staff=True) }}",
        "{{ ui.calendar(months, marks) }}{{ ui.calendar_key(['working', 'holiday']) }}",
        '{{ ui.calendar(months_of(("2027-02-08", "2027-03-01")), {}, pick="first last") }}',
        "{% call ui.scroll() %}<table></table>{% endcall %}",
        '{{ ui.more("/x?after=1", "rows") }}{{ ui.more(None) }}',
        '{{ ui.tabs([("A", "/a", True), ("B", "/b", False)]) }}',
        '{{ ui.icon("check") }}{{ ui.icon("check", "Done") }}',
    ],
)
def test_every_macro_can_be_written(pages: Environment, source: str) -> None:
    html = written(
        pages,
        source,
        problem=ApiProblem(409, "A rule forbids this", "It is too late.", [{"pointer": "/a", "detail": "b"}]),
        away=Part(down="matching"),
        refused=Part(problem=ApiProblem(404, "Not found", "There is none.")),
        there=Part({}),
        entries=[
            {"title": "Registered", "at": "2026-11-26T18:15:14Z", "who": "you", "href": "/x"},
            {"title": "Wait", "kind": "now", "at": date(2027, 2, 8), "text": "Nothing to do."},
            {"title": "Sign", "kind": "late", "at": datetime(2027, 2, 8, 9, 30, tzinfo=UTC)},
        ],
        receipt=RECEIPT,
        months=months(Span(date(2027, 2, 8), date(2027, 3, 1))),
        marks={date(2027, 2, 8): Mark(("working", "chosen")), date(2027, 2, 9): Mark(("holiday",), "A day")},
    )
    assert "None" not in html
    assert "style=" not in html


def test_every_icon_of_a_template_is_in_the_picture() -> None:
    named = {
        name
        for template in TEMPLATES.rglob("*.html")
        for name in re.findall(r"""icon\(["']([a-z0-9-]+)["']""", template.read_text(encoding="utf-8"))
    }
    assert named <= icons.USED
