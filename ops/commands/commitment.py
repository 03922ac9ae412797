"""`cxc commitment verify`: whether a downloaded Commitment to Quality holds, without a running platform."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
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
from services.matching.commitment_pdf import ATTACHMENT, PRINTED_BY, printed
from services.matching.domain.commitment_document import SignedDocument
from shared.signing import Finding, canonical

_LARGEST: Final = 20 * 1024 * 1024
_WITHIN_S: Final = 30.0


def verify(
    file: str, *, state: Path, record: bool, api: str | None, token: str | None, as_json: bool
) -> bool:
    """Print what holds of the document and what does not; whether all of it does."""
    content = _content(file)
    document, found = examined(content)
    if document is not None and (record or api is not None):
        found += _compared(document, _recorded(document.content.match_id, state, api, token))
    holds = all(finding.holds for finding in found)
    if as_json:
        rows = [finding._asdict() for finding in found]
        typer.echo(json.dumps({"holds": holds, "findings": rows}, ensure_ascii=False, indent=2))
        return holds
    for finding in found:
        typer.echo(f"{'holds' if finding.holds else 'FAILS'}  {printable(finding.sentence)}")
    typer.echo("The commitment holds." if holds else "The commitment does not hold as it is here.")
    return holds


def examined(content: bytes) -> tuple[SignedDocument | None, list[Finding]]:
    """The document in a PDF of the platform, or in the JSON attached to one, and what was found of it."""
    is_pdf = content.startswith(b"%PDF-")
    attached, printed_by = _attachment(content) if is_pdf else (content, None)
    if attached is None:
        return None, [
            Finding(
                False, f"The file has no readable attachment {ATTACHMENT}: it is no commitment, or damaged."
            )
        ]
    try:
        document = SignedDocument.model_validate_json(attached)
    except ValidationError as error:
        why = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(map(str, why["loc"]))
        return None, [Finding(False, f"This is no commitment, or it was changed: {where} {why['msg']}.")]
    found = document.examined()
    if canonical(document) != attached:
        found.append(
            Finding(
                False, "Content and signatures are not written as the platform writes them: changed later."
            )
        )
    if is_pdf:
        found.append(_of_pages(content, document, printed_by))
    return document, found


def _of_pages(content: bytes, document: SignedDocument, printed_by: str | None) -> Finding:
    if printed(document) == content:
        return Finding(True, "The pages show that content and those signatures, byte for byte.")
    if printed_by == PRINTED_BY:
        return Finding(
            False,
            "The pages, or the file around them, are not what is printed from that content: they were "
            "changed. (Only a Python with another zlib than the platform's prints other bytes, too.)",
        )
    return Finding(
        False,
        f"The file was printed by “{printed_by}”, and this is “{PRINTED_BY}”: whether its pages show the "
        f"content cannot be told here. Verify it with that version, or its attachment {ATTACHMENT} alone.",
    )


def _content(file: str) -> bytes:
    try:
        if file == "-":
            content = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from error
    if len(content) > _LARGEST:
        raise CommandFailed(f"{file} is larger than any commitment: over {_LARGEST} bytes.")
    return content


def _attachment(content: bytes) -> tuple[bytes | None, str | None]:
    """The attached JSON, and what the file says it was printed by; None for what cannot be read."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(content))
        attached = reader.attachments.get(ATTACHMENT, [])
        printed_by = reader.xmp_metadata.pdf_producer if reader.xmp_metadata else None
    except Exception:  # noqa: BLE001 - a damaged file can fail anywhere in the reader
        return None, None
    return (attached[0] if len(attached) == 1 else None), printed_by


def _recorded(match_id: str, state: Path, api: str | None, token: str | None) -> dict[str, Any]:
    if api is None:
        run = running(state)
        if run is None:
            raise CommandFailed(
                f"No platform runs on {state.resolve()}: start one with 'cxc up', or name the matching API "
                "of another one with --api https://… and a token with --token."
            )
        api = run["urls"]["matching-api"]
        key, issuer = issuer_of(state)
        token = token or issue_token(key, issuer=issuer, role="support_office")
    if token is None:
        raise CommandFailed("Give a token of that platform's issuer, with --token or in CXC_TOKEN.")
    url = f"{api.rstrip('/')}/matches/{quote(match_id, safe='')}/commitment"
    try:
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=_WITHIN_S)
        body: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise CommandFailed(f"The matching API does not answer: {error}.") from error
    if not answer.is_success:
        raise CommandFailed(printable(f"The platform has no record to compare with: {body.get('detail')}"))
    return body


def _compared(document: SignedDocument, record: dict[str, Any]) -> Iterator[Finding]:
    if record["void_because"] is not None and document.void_because is None:
        yield Finding(False, f"On the platform the commitment is void: {record['void_because']}")
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
