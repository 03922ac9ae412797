"""Signing on a page: what somebody has to say before a signature is given in their name."""

from __future__ import annotations

from fastapi import Request

from services.console.apis import ApiProblem
from services.console.forms import SentForm
from services.console.rendering import language_of


def not_meant(request: Request, form: SentForm, organisation: str) -> ApiProblem | None:
    """Why nothing is signed: the document was not read, or another name is typed; None where all is said.

    The name is compared without regard to case and blanks.
    """
    _ = language_of(request).gettext
    errors = []
    if _folded(form.text("signed_for")) != _folded(organisation):
        wrong = _("is not the name you sign for: write it as it stands above")
        errors.append({"pointer": "/signed_for", "detail": wrong})
    if form.text("read") != "true":
        errors.append({"pointer": "/read", "detail": _("say that you have read the document")})
    if not errors:
        return None
    return ApiProblem(422, _("Not signed"), _("Nothing is signed yet."), errors)


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
