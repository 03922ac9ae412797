"""`cxc eligibility check`: what the rules say of one registration, without a running platform."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import typer
from pydantic import ValidationError

from ops.commands import CommandFailed
from ops.commands.given import as_json, content_of, json_in, malformed
from ops.commands.rules import partnerships_in_use, rules_in_use
from services.registration.assessment import assess
from services.registration.domain.identifiers import identify
from services.registration.domain.rule_sets import NoRulesInForce, RuleSets
from shared.contracts.registration import FieldProblem, Submission
from shared.errors import CxcError, Malformed
from shared.partnerships import Partnerships, UnknownPartnership

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
            content_of(file),
            rules=rules_in_use(rules, known),
            partnerships=known,
            on=on,
            partnership=partnership,
            visit_used=visit_used,
        )
    except CxcError as refused:
        typer.echo(as_json(refused.problem()))
        return False
    except NoRulesInForce as missing:
        raise CommandFailed(str(missing)) from missing
    typer.echo(as_json(answer))
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
    document = json_in(content, "a registration")
    inside: Sequence[str] = ()
    if isinstance(document, dict) and not _ENVELOPE.isdisjoint(document):
        document, inside = _data_of(document), ("data",)
    try:
        return Submission.model_validate(document)
    except ValidationError as error:
        raise malformed(error, inside) from error


def _data_of(event: dict[str, Any]) -> Any:
    """What a CloudEvent from outside asks to be registered."""
    from shared.contracts.catalogue import INBOX, upcast
    from shared.contracts.envelope import CloudEvent

    try:
        newest = upcast(CloudEvent.model_validate(event))
    except ValidationError as error:
        raise malformed(error) from error
    if not issubclass(INBOX.get(newest.type, object), Submission):
        possible = [type for type, model in INBOX.items() if issubclass(model, Submission)]
        why = f"'{newest.type}' carries no registration; that is {' or '.join(sorted(possible))}"
        raise Malformed(f"/type: {why}", errors=[{"pointer": "/type", "detail": why}])
    return newest.data
