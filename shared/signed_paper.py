"""What all signed documents have on paper: where they stand, who signed, how to verify them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.pdf import ACCENT, GREY, NOTE, TERMS, WARNING, Attachment, Cell, Column, Paper
from shared.signing import ROLE_NAMES, Signed, canonical
from shared.words import moment


def signed_paper(
    name: str, id: str, document: Signed[Any], *, drawn_up_at: datetime, attachment: str, printed_by: str
) -> Paper:
    """An empty page, with content and signatures attached, and the content's hash at its foot."""
    return Paper(
        f"{name}, {id}",
        at=max((signature.at for signature in document.signatures), default=drawn_up_at),
        foot=(name, f"SHA-256 of the content: {document.document_sha256}"),
        printed_by=printed_by,
        attachments=[
            Attachment(
                attachment,
                canonical(document),
                "application/json",
                f"Content and signatures, for cxc {document.content.KIND} verify",
            )
        ],
    )


def standing(paper: Paper, document: Signed[Any]) -> None:
    """One sentence: void, not yet in force, or signed by all."""
    roles = document.content.ROLES
    if document.void_because is not None:
        paper.banner(f"VOID. {document.void_because}", WARNING)
    elif document.missing:
        given = len(roles) - len(document.missing)
        paper.banner(f"Not yet in force: {given} of {len(roles)} signatures.", GREY)
    else:
        paper.banner(f"Signed by {document.content.ALL.lower()}.", ACCENT)
    paper.gap(5)


def signatures(paper: Paper, document: Signed[Any], promise: str, *, attachment: str, height: float) -> None:
    """Who signed and who has to; `promise` is what they sign, `height` what is to stand on one page."""
    paper.need(height)
    paper.heading("Signatures")
    paper.paragraph(promise, TERMS)
    paper.gap(2)
    given = {signature.role: signature for signature in document.signatures}
    rows: list[tuple[str | Cell, ...]] = []
    for role in document.content.ROLES:
        signature = given.get(role)
        row = (Cell(role, bold=True), f"{document.content.name_of(role)}\n{ROLE_NAMES[role]}")
        if signature is None:
            rows.append((*row, Cell("not signed yet", colour=GREY, columns=2)))
        else:
            at = moment(signature.at).replace(", ", "\n")
            rows.append((*row, f"{signature.by}\n{signature.acting_as}", at))
    paper.table(
        [Column("Role", 14), Column("Signed for", 68), Column("By", 46), Column("When", 42)], rows, size=9
    )
    paper.gap(2)
    for number, signature in enumerate(document.signatures, 1):
        paper.line(f"{number}. {signature.role:<3}  SHA-256 {signature.sha256}", NOTE)
    paper.gap(1)
    paper.paragraph(
        "Each signature holds the hash of the one before it, the first that of the content. Content "
        f"and signatures are attached to this file as {attachment}; “cxc {document.content.KIND} verify "
        "FILE” says whether they hold and whether these pages show them.",
        NOTE,
    )
    paper.explain_boxes("; the attachment has them, and they are signed too")
