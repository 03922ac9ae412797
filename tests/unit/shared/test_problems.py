"""Problems in words a sender can act on."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from shared.contracts.registration import FieldProblem, Submission
from shared.errors import Malformed, NotFound, RuleBroken
from shared.problems import field_problems, in_words
from tests.builders import a_submission


def test_a_pointer_names_a_field_as_rfc_6901_writes_it() -> None:
    errors: list[dict[str, Any]] = [
        {"loc": ("body", "organisation", "country"), "type": "missing"},
        {"loc": ("query", "limit"), "type": "greater_than", "msg": "Input should be greater than 0"},
        {"loc": ("roles", 0), "type": "value_error", "msg": "Value error, no such role"},
        {"loc": ("body", "a/b~c"), "type": "extra_forbidden"},
        {"loc": ("body",), "type": "missing"},
    ]
    assert [(problem.pointer, problem.detail) for problem in field_problems(errors)] == [
        ("/organisation/country", "is missing"),
        ("/limit", "the value should be greater than 0"),
        ("/roles/0", "no such role"),
        ("/a~1b~0c", "is not a field of this; check the spelling or leave it out"),
        ("", "is missing"),
    ]


def test_a_syntax_error_points_at_no_field() -> None:
    error = {"loc": ("body", 7), "type": "json_invalid", "ctx": {"error": "Expecting value"}}
    [problem] = field_problems([error])
    assert (problem.pointer, problem.detail) == ("", "the body is not JSON: Expecting value at character 7")


def test_there_is_an_end_to_what_is_listed() -> None:
    class Numbers(BaseModel):
        numbers: list[int]

    with pytest.raises(ValidationError) as failed:
        Numbers(numbers=["x"] * 1000)
    assert len(field_problems(failed.value.errors())) == 50


@pytest.mark.parametrize(
    ("changes", "pointer", "said"),
    [
        ({"organisation": "Tagus"}, "/organisation", "is not a JSON object"),
        ({"goals": []}, "/goals", "needs at least 1 item, and has 0"),
        ({"roles": ["visitor"] * 3}, "/roles", "can have 2 items at the most, and has 3"),
        ({"languages": ["english"]}, "/languages/0", "is not a language code of two letters"),
        ({"participant": {"email": "office"}}, "/participant/email", "is not a mail address"),
        ({"partnership": "Hemp Club"}, "/partnership", "is not a partnership's id"),
        ({"host_places": True}, "/host_places", "is true or false where a number is asked for"),
    ],
)
def test_what_is_wrong_is_said_without_the_words_of_a_programmer(
    changes: dict[str, Any], pointer: str, said: str
) -> None:
    with pytest.raises(ValidationError) as failed:
        Submission.model_validate(a_submission(**changes))
    [problem] = field_problems(failed.value.errors())
    assert problem.pointer == pointer
    assert said in problem.detail


@pytest.mark.parametrize("day", ["01/02/2027", "2027-02-30", "", None, 0, 1.5, "86400", True, []], ids=repr)
def test_what_is_no_day_is_told_how_a_day_is_written(day: Any) -> None:
    availability = [{"first_day": day, "last_day": "2027-03-01"}]
    with pytest.raises(ValidationError) as failed:
        Submission.model_validate(a_submission(availability=availability))
    [problem] = field_problems(failed.value.errors())
    assert problem.pointer == "/availability/0/first_day"
    assert problem.detail == "is not a valid date; write it as 2027-02-08"


def test_a_day_may_be_the_midnight_a_program_wrote_for_it() -> None:
    submission = a_submission(availability=[{"first_day": "2027-02-01T00:00:00Z", "last_day": "2027-03-01"}])
    assert str(Submission.model_validate(submission).availability[0].first_day) == "2027-02-01"


def test_problems_in_one_line_begin_with_where_they_are() -> None:
    problems = [
        FieldProblem(pointer="", detail="is missing"),
        FieldProblem(pointer="/goals", detail="is missing"),
        FieldProblem(pointer="/roles", detail="is missing"),
    ]
    assert in_words(problems, 2) == "is missing; /goals: is missing"


def test_a_business_error_is_a_problem_of_rfc_9457() -> None:
    class TooLate(RuleBroken):
        code = "too-late"
        title = "Too late"

    assert TooLate("The call closed on 1 March.").problem() == {
        "type": "https://clusterxchange.example/problems/too-late",
        "title": "Too late",
        "status": 409,
        "detail": "The call closed on 1 March.",
    }
    assert "errors" not in NotFound("Gone.").problem()
    errors = [{"pointer": "/x", "detail": "is missing"}]
    assert Malformed("x", errors=errors).problem()["errors"] == errors
