"""`cxc commitment verify`, `cxc agreement verify`: whether a downloaded document holds."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import typer
from pydantic import ValidationError
from pypdf import PdfReader

from ops.commands import CommandFailed
from ops.commands.shown import printable
from ops.commands.token import issuer_of
from ops.issuer import issue_token
from ops.platform import running
from services.funding import agreement_pdf
from services.funding.domain.agreement_document import SignedAgreement
from services.matching import commitment_pdf
from services.matching.domain.commitment_document import SignedDocument
from shared.signing import Finding, Signed, canonical

Document = Signed[Any]

_LARGEST: Final = 20 * 1024 * 1024
_WITHIN_S: Final = 30.0


@dataclass(frozen=True)
class Kind:
    """A kind of document that is signed in the platform."""

    name: str
    """As it stands in a sentence: commitment, agreement."""
    model: type[Document]
    attachment: str
    printed: Callable[[Any], bytes]
    printed_by: str
    service: str
    """Whose API has the record."""
    record: Callable[[Any], str]
    """Where the record is, from the document's content; a path of that API."""


COMMITMENT: Final = Kind(
    name="commitment",
    model=SignedDocument,
    attachment=commitment_pdf.ATTACHMENT,
    printed=commitment_pdf.printed,
    printed_by=commitment_pdf.PRINTED_BY,
    service="matching",
    record=lambda content: f"/matches/{quote(content.match_id, safe='')}/commitment",
)
AGREEMENT: Final = Kind(
    name="agreement",
    model=SignedAgreement,
    attachment=agreement_pdf.ATTACHMENT,
    printed=agreement_pdf.printed,
    printed_by=agreement_pdf.PRINTED_BY,
    service="funding",
    record=lambda content: f"/grants/{quote(content.grant_id, safe='')}/agreement",
)


def verify(
    kind: Kind, file: str, *, state: Path, record: bool, api: str | None, token: str | None, as_json: bool
) -> bool:
    """Print what holds of the document and what does not; whether all of it does."""
    content = _content(kind, file)
    document, found = examined(kind, content)
    if document is not None and (record or api is not None):
        found += _compared(document, _recorded(kind, kind.record(document.content), state, api, token))
    holds = all(finding.holds for finding in found)
    if as_json:
        rows = [finding._asdict() for finding in found]
        typer.echo(json.dumps({"holds": holds, "findings": rows}, ensure_ascii=False, indent=2))
        return holds
    for finding in found:
        typer.echo(f"{'holds' if finding.holds else 'FAILS'}  {printable(finding.sentence)}")
    typer.echo(f"The {kind.name} holds." if holds else f"The {kind.name} does not hold as it is here.")
    return holds


def examined(kind: Kind, content: bytes) -> tuple[Document | None, list[Finding]]:
    """The document in a PDF of the platform, or in the JSON attached to one, and what was found of it."""
    is_pdf = content.startswith(b"%PDF-")
    attached, printed_by = _attachment(content, kind.attachment) if is_pdf else (content, None)
    if attached is None:
        return None, [
            Finding(
                False,
                f"The file has no readable attachment {kind.attachment}: it is no {kind.name}, or damaged.",
            )
        ]
    try:
        document = kind.model.model_validate_json(attached)
    except ValidationError as error:
        why = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(map(str, why["loc"]))
        return None, [Finding(False, f"This is no {kind.name}, or it was changed: {where} {why['msg']}.")]
    found = document.examined()
    if canonical(document) != attached:
        found.append(
            Finding(
                False, "Content and signatures are not written as the platform writes them: changed later."
            )
        )
    if is_pdf:
        found.append(_of_pages(kind, content, document, printed_by))
    return document, found


def _of_pages(kind: Kind, content: bytes, document: Document, printed_by: str | None) -> Finding:
    if kind.printed(document) == content:
        return Finding(True, "The pages show that content and those signatures, byte for byte.")
    if printed_by == kind.printed_by:
        return Finding(
            False,
            "The pages, or the file around them, are not what is printed from that content: they were "
            "changed. (Only a Python with another zlib than the platform's prints other bytes, too.)",
        )
    return Finding(
        False,
        f"The file was printed by “{printed_by}”, and this is “{kind.printed_by}”: whether its pages show "
        "the content cannot be told here. Verify it with that version, or its attachment "
        f"{kind.attachment} alone.",
    )


def _content(kind: Kind, file: str) -> bytes:
    try:
        if file == "-":
            content = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from error
    if len(content) > _LARGEST:
        raise CommandFailed(f"{file} is larger than any {kind.name}: over {_LARGEST} bytes.")
    return content


def _attachment(content: bytes, name: str) -> tuple[bytes | None, str | None]:
    """The attached JSON, and what the file says it was printed by; None for what cannot be read."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(content))
        attached = reader.attachments.get(name, [])
        printed_by = reader.xmp_metadata.pdf_producer if reader.xmp_metadata else None
    except Exception:  # noqa: BLE001 - a damaged file can fail anywhere in the reader
        return None, None
    return (attached[0] if len(attached) == 1 else None), printed_by


def _recorded(kind: Kind, path: str, state: Path, api: str | None, token: str | None) -> dict[str, Any]:
    if api is None:
        run = running(state)
        if run is None:
            raise CommandFailed(
                f"No platform runs on {state.resolve()}: start one with 'cxc up', or name the {kind.service} "
                "API of another one with --api https://… and a token with --token."
            )
        api = run["urls"][f"{kind.service}-api"]
        key, issuer = issuer_of(state)
        token = token or issue_token(key, issuer=issuer, role="support_office")
    if token is None:
        raise CommandFailed("Give a token of that platform's issuer, with --token or in CXC_TOKEN.")
    url = f"{api.rstrip('/')}{path}"
    try:
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=_WITHIN_S)
        body: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise CommandFailed(f"The {kind.service} API does not answer: {error}.") from error
    if not answer.is_success:
        raise CommandFailed(printable(f"The platform has no record to compare with: {body.get('detail')}"))
    return body


def _compared(document: Document, record: dict[str, Any]) -> Iterator[Finding]:
    if record["void_because"] is not None and document.void_because is None:
        kind = document.content.KIND
        yield Finding(False, f"On the platform the {kind} is void: {record['void_because']}")
    if record["sha256"] != document.content.sha256:
        yield Finding(False, f"The platform's record has other content, with SHA-256 {record['sha256']}.")
        return
    yield Finding(True, "The platform's record has the same content.")
    given = [signature.sha256 for signature in document.signatures]
    recorded = [signature["sha256"] for signature in record["signatures"]]
    if given == recorded:
        yield Finding(True, "The platform's record has the same signatures.")
    elif given == recorded[: len(given)]:
        yield Finding(False, "The platform's record has further signatures: download the document again.")
    else:
        yield Finding(False, "The platform's record has other signatures.")
