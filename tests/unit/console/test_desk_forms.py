"""What the forms of the desk ask the services for."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from starlette.datastructures import FormData

from services.console.forms import SentForm
from services.console.pages.decisions import proposed
from services.console.pages.notifications import searched
from services.console.pages.previews import examples, moment


def a_form(sent: str) -> SentForm:
    return SentForm(FormData([*parse_qsl(sent, keep_blank_values=True)]))


def test_a_decision_is_about_what_is_ticked() -> None:
    form = a_form(
        "decision=accept&words=Looked+up&choice=ticked&registrations=r-1&registrations=r-2&filter=x"
    )
    assert proposed(form) == {
        "decision": "accept",
        "reason": "Looked up",
        "registrations": ["r-1", "r-2"],
    }


def test_a_decision_about_all_that_match_takes_the_filter_of_the_address() -> None:
    form = a_form(
        "decision=reject&words=Closed&choice=all&registrations=r-1&filter=state%3Dineligible%26sort%3Did"
    )
    assert proposed(form) == {
        "decision": "reject",
        "reason": "Closed",
        "filter": {"state": ["ineligible"]},
    }


def test_only_a_question_has_a_day_to_answer_by() -> None:
    form = "words=Which+cluster%3F&answer_by=2027-03-01&registrations=r-1&decision="
    assert proposed(a_form(form + "ask")) == {
        "decision": "ask",
        "question": "Which cluster?",
        "answer_by": "2027-03-01",
        "registrations": ["r-1"],
    }
    assert "answer_by" not in proposed(a_form(form + "accept"))


def test_messages_are_looked_for_from_midnight_to_midnight_in_brussels() -> None:
    asked = searched({"words": "approved", "first_day": "2027-03-27", "last_day": "2027-03-28"})
    assert asked == {
        "words": "approved",
        "since": "2027-03-27T00:00:00+01:00",
        "before": "2027-03-29T00:00:00+02:00",
    }


def test_what_is_no_day_bounds_nothing() -> None:
    assert searched({"first_day": "yesterday", "state": "failed"}) == {"state": "failed"}


@pytest.mark.parametrize(
    ("entered", "sent"),
    [("2027-02-01T22:30", "2027-02-01T22:30:00+01:00"), ("soon", "soon")],
)
def test_a_moment_is_by_the_clock_of_the_pages(entered: str, sent: str) -> None:
    assert moment(entered) == sent


def test_examples_to_preview_are_events_and_no_commands() -> None:
    assert "cxc.match.approved.v1" in examples()
    assert "cxc.registration.submit.v1" not in examples()
