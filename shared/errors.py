"""Business errors: a code, an HTTP status and a sentence that says what to do (RFC 9457)."""

from __future__ import annotations

from typing import Any, ClassVar

PROBLEM_BASE = "https://clusterxchange.example/problems/"


class CxcError(Exception):
    """A request that cannot be met, in the words of the person who made it."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str, *, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or []

    def problem(self) -> dict[str, Any]:
        """The error as RFC 9457 problem details."""
        body: dict[str, Any] = {
            "type": PROBLEM_BASE + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = self.errors
        return body


class NotFound(CxcError):
    """There is no such thing, or the caller may not see it."""

    code = "not-found"
    status = 404
    title = "Not found"


class Forbidden(CxcError):
    """The caller is known but not entitled."""

    code = "forbidden"
    status = 403
    title = "Not allowed"


class Unauthenticated(CxcError):
    """No token, or one that does not hold."""

    code = "unauthenticated"
    status = 401
    title = "A valid token is needed"


class Malformed(CxcError):
    """The input has the wrong shape; `errors` says where, as JSON pointers."""

    code = "malformed"
    status = 422
    title = "The request is malformed"


class TooLarge(CxcError):
    """The input is over the size limit."""

    code = "too-large"
    status = 413
    title = "Too large"


class RuleBroken(CxcError):
    """The input is well formed, a rule of the scheme or the state of the case forbids it."""

    code = "rule-broken"
    status = 409
    title = "A rule forbids this"
