"""Validation errors in words a sender can act on: a JSON pointer to where, and what is wrong there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.contracts.registration import FieldProblem
from shared.contracts.vocabulary import FORMS

#: Parts of a request's location that name its carrier, not a field.
_CARRIERS = {"body", "query", "path", "header"}


def field_problems(errors: Iterable[Mapping[str, Any]]) -> list[FieldProblem]:
    """Pydantic's errors as pointers (`/organisation/country`) and sentences; 50 at the most.

    The pointer of the whole is empty (RFC 6901).
    """
    found: list[FieldProblem] = []
    for error in errors:
        location = [str(part) for part in error.get("loc", ())]
        if location and location[0] in _CARRIERS:
            location = location[1:]
        if error.get("type") == "json_invalid":
            location = []  # where it is counts characters, and names no field
        pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in location)
        found.append(FieldProblem(pointer=pointer, detail=_sentence(error)))
        if len(found) == 50:
            break
    return found


def in_words(problems: Sequence[FieldProblem], most: int) -> str:
    """The first of them in one line."""
    return "; ".join(
        f"{problem.pointer}: {problem.detail}" if problem.pointer else problem.detail
        for problem in problems[:most]
    )


def _sentence(error: Mapping[str, Any]) -> str:
    match error.get("type"):
        case "json_invalid":
            why = error.get("ctx", {}).get("error", "")
            return f"the body is not JSON: {why} at character {error.get('loc', ('?',))[-1]}"
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not a field of this; check the spelling or leave it out"
        case "value_error":
            return str(error.get("msg", "")).removeprefix("Value error, ")
        case "model_type" | "model_attributes_type" | "dict_type":
            return "is not a JSON object"
        case "too_short" if error["ctx"]["field_type"] == "List":
            least, given = (error["ctx"][name] for name in ("min_length", "actual_length"))
            return f"needs at least {least} item{'' if least == 1 else 's'}, and has {given}"
        case "too_long" if error["ctx"]["field_type"] == "List":
            return "can have {max_length} items at the most, and has {actual_length}".format_map(error["ctx"])
        case "too_short" | "string_too_short":
            least = error["ctx"]["min_length"]
            return "is empty" if least == 1 else f"needs {least} characters at least"
        case "too_long" | "string_too_long":
            return f"can have {error['ctx']['max_length']} characters at the most"
        case "string_pattern_mismatch" if error["ctx"]["pattern"] in FORMS:
            return f"is not {FORMS[error['ctx']['pattern']]}"
        case "date_type" | "date_parsing" | "date_from_datetime_parsing" | "date_from_datetime_inexact":
            return "is not a valid date; write it as 2027-02-08"
        case "enum" | "literal_error":
            return f"must be {error['ctx']['expected']}"
        case "string_type" | "string_sub_type" | "string_unicode":
            return "must be text"
        case "bool_type" | "bool_parsing":
            return "must be true or false"
        case "int_type" | "int_parsing" | "int_parsing_size" | "int_from_float":
            return "must be a whole number"
        case "float_type" | "float_parsing" | "finite_number":
            return "must be a number"
        case "decimal_type" | "decimal_parsing":
            return "must be a number, such as 450.00"
        case "decimal_max_places":
            return f"can have {error['ctx']['decimal_places']} decimal places at the most"
        case "decimal_max_digits" | "decimal_whole_digits":
            return "has too many digits"
        case "list_type":
            return "must be a list"
        case "greater_than_equal":
            return f"must be {_number(error['ctx']['ge'])} at least"
        case "less_than_equal":
            return f"must be {_number(error['ctx']['le'])} at the most"
        case _:
            return str(error.get("msg", "is not valid")).replace("Input", "the value", 1)


def _number(bound: object) -> str:
    return f"{bound:g}" if isinstance(bound, float) else str(bound)
