"""`cxc eligibility check`: what the rules say of one registration, without a running platform."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import typer
from pydantic import ValidationError

from ops.commands import CommandFailed
from ops.commands.rules import partnerships_in_use, rules_in_use
from services.registration.assessment import assess
from services.registration.domain.identifiers import identify
from services.registration.domain.rule_sets import NoRulesInForce, RuleSets
from shared.contracts.registration import FieldProblem, Submission
from shared.errors import CxcError, Malformed
from shared.partnerships import Partnerships, UnknownPartnership
from shared.problems import field_problems, in_words

#: Attributes that a CloudEvent must have, and a registration has not.
_ENVELOPE: Final = frozenset({"specversion", "type", "source"})


def check(
    file: str,
    *,
    on: date,
    partnership: str | None,
    visit_used: bool,
    rules: Path | None,
    partnerships: Path | None,
) -> bool:
    """Print the receipt as JSON; or, and then return False, what is wrong with the registration."""
    known = partnerships_in_use(partnerships)
    try:
        answer = checked(
            _content(file),
            rules=rules_in_use(rules, known),
            partnerships=known,
            on=on,
            partnership=partnership,
            visit_used=visit_used,
        )
    except CxcError as refused:
        typer.echo(_as_json(refused.problem()))
        return False
    except NoRulesInForce as missing:
        raise CommandFailed(str(missing)) from missing
    typer.echo(_as_json(answer))
    return True


def checked(
    content: bytes,
    *,
    rules: RuleSets,
    partnerships: Partnerships,
    on: date,
    partnership: str | None = None,
    visit_used: bool = False,
) -> dict[str, Any]:
    """The receipt of a registration, JSON as `POST /registrations` takes it or a CloudEvent around that.

    on: the day it is screened. partnership: as if it had chosen this one. visit_used: as if its one
    visit were used up. Raises `Malformed` and `UnknownPartnership`, as the API answers, and
    `NoRulesInForce`.
    """
    submission = submission_in(content)
    if partnership is not None:
        submission = submission.model_copy(update={"partnership": partnership})
    try:
        assessment = assess(
            submission,
            identify(submission.organisation),
            rules=rules,
            partnerships=partnerships,
            today=on,
            visit_used=visit_used,
        )
    except UnknownPartnership as error:
        where = FieldProblem(pointer="/partnership", detail=error.detail)
        raise UnknownPartnership(error.detail, errors=[where.model_dump()]) from error
    screening = assessment.screening
    receipt = screening.receipt.model_dump(mode="json")
    return {
        "verdict": screening.verdict,
        "sentence": receipt["sentence"],
        "for_staff": receipt["for_staff"],
        "verdict_by_role": screening.by_role,
        "partnership": assessment.partnership,
        "rule_set": receipt["rule_set"],
        "rules": receipt["outcomes"],
        "facts": receipt["facts"],
    }


def submission_in(content: bytes) -> Submission:
    """The registration in a file; raises `Malformed` with the place of what is wrong."""
    document = _document(content)
    inside: Sequence[str] = ()
    if isinstance(document, dict) and not _ENVELOPE.isdisjoint(document):
        document, inside = _data_of(document), ("data",)
    try:
        return Submission.model_validate(document)
    except ValidationError as error:
        raise _malformed(error, inside) from error


def _document(content: bytes) -> Any:
    if not content.strip():
        raise _unreadable("there is nothing in it; give a registration as JSON")
    try:
        document = json.loads(content)
        # JSON can spell half a character, which no text in UTF-8 can hold.
        json.dumps(document, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        why = f"it is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise _unreadable(why) from error
    except UnicodeEncodeError as error:
        raise _unreadable("it holds half of a character: a surrogate without its other half") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise _unreadable("it is not JSON in UTF-8, or it is nested too deeply") from error
    except ValueError as error:
        raise _unreadable("it holds a number of too many digits") from error
    return document


def _data_of(event: dict[str, Any]) -> Any:
    """What a CloudEvent from outside asks to be registered."""
    from shared.contracts.catalogue import INBOX, upcast
    from shared.contracts.envelope import CloudEvent

    try:
        newest = upcast(CloudEvent.model_validate(event))
    except ValidationError as error:
        raise _malformed(error) from error
    if not issubclass(INBOX.get(newest.type, object), Submission):
        possible = [type for type, model in INBOX.items() if issubclass(model, Submission)]
        why = f"'{newest.type}' carries no registration; that is {' or '.join(sorted(possible))}"
        raise Malformed(f"/type: {why}", errors=[{"pointer": "/type", "detail": why}])
    return newest.data


def _malformed(error: ValidationError, inside: Sequence[str] = ()) -> Malformed:
    problems = field_problems(
        {**problem, "loc": (*inside, *problem["loc"])}
        for problem in error.errors(include_url=False, include_input=False)
    )
    return Malformed(in_words(problems, 5), errors=[problem.model_dump() for problem in problems])


def _unreadable(why: str) -> Malformed:
    return Malformed(why, errors=[{"pointer": "", "detail": why}])


def _content(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from error


def _as_json(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False, indent=2).encode()
