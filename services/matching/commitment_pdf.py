"""The Commitment to Quality as a PDF, content and signatures attached as JSON.

The same document gives the same bytes. So the pages show what is attached if printing the attachment anew
gives the same file.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from services.matching.domain.commitment_document import Content, Signatory, SignedDocument
from services.matching.domain.words import country, days
from shared.pdf import (
    ACCENT,
    GREY,
    NOTE,
    QUIET,
    STRONG,
    TERMS,
    WARNING,
    Attachment,
    Cell,
    Column,
    Paper,
    producer,
)
from shared.signing import ROLE_NAMES, canonical
from shared.words import moment

ATTACHMENT: Final = "commitment.json"
LAYOUT: Final = 1
"""To be raised with every change of what is printed: older files are then known to be of another make."""
PRINTED_BY: Final = producer(LAYOUT)


def printed(document: SignedDocument) -> bytes:
    """The PDF of the document with the signatures there are: about 0.2 s of work, if not printed lately."""
    return _printed(canonical(document))


@lru_cache(maxsize=64)
def _printed(document_json: bytes) -> bytes:
    document = SignedDocument.model_validate_json(document_json)
    content = document.content
    paper = Paper(
        f"Commitment to Quality, match {content.match_id}",
        at=max((signature.at for signature in document.signatures), default=content.drawn_up_at),
        foot=("Commitment to Quality", f"SHA-256 of the content: {document.document_sha256}"),
        printed_by=PRINTED_BY,
        attachments=[
            Attachment(
                ATTACHMENT,
                document_json,
                "application/json",
                "Content and signatures, for cxc commitment verify",
            )
        ],
    )
    paper.title("Commitment to Quality", f"Stay of {_stay(content)}, match {content.match_id}")
    _state(paper, document)
    paper.gap(5)
    _sides(paper, content)
    _section(paper, "Goals of the exchange", content.goals, "No goals have been written down yet.")
    _agenda(paper, content)
    _section(
        paper, "Expected results", content.expected_results, "No expected results have been written down."
    )
    _signatures(paper, document)
    return paper.printed()


def _stay(content: Content) -> str:
    return days(content.first_day, content.last_day)


def _state(paper: Paper, document: SignedDocument) -> None:
    if document.void_because is not None:
        paper.banner(f"VOID. {document.void_because}", WARNING)
    elif document.missing:
        given = len(document.content.ROLES) - len(document.missing)
        paper.banner(f"Not yet in force: {given} of 4 signatures.", GREY)
    else:
        paper.banner("Signed by all four.", ACCENT)


def _sides(paper: Paper, content: Content) -> None:
    visitor, host = content.visitor, content.host
    paper.heading("The exchange")
    paper.pair(
        ("Visiting organisation", "Host organisation"),
        (visitor.organisation, host.organisation),
        (_place(visitor), _place(host)),
        (_managed(visitor), _managed(host)),
    )
    paper.paragraph(f"Stay at the host: {_stay(content)}, both days included.", STRONG)
    paper.gap(2)


def _section(paper: Paper, heading: str, text: str, if_empty: str) -> None:
    paper.heading(heading)
    if text.strip():
        paper.paragraph(text)
    else:
        paper.paragraph(if_empty, QUIET)
    paper.gap(2)


def _agenda(paper: Paper, content: Content) -> None:
    if not content.agenda:
        _section(paper, "Agenda", "", "No agenda has been written down yet.")
        return
    paper.heading("Agenda")
    paper.table(
        [Column("Day", 30), Column("Time", 25), Column("What", 75), Column("Responsible", 40)],
        [
            (
                f"{item.day:%a} {item.day.day} {item.day:%b %Y}",
                "–".join(filter(None, (item.begins, item.ends))),
                item.title,
                item.responsible,
            )
            for item in content.agenda
        ],
    )
    paper.gap(3)


def _signatures(paper: Paper, document: SignedDocument) -> None:
    paper.need(95)
    paper.heading("Signatures")
    paper.paragraph(
        "Each of the four commits to carry out the exchange as written here. They sign in the platform, "
        "each with its own access, the content whose SHA-256 stands at the foot of the page. Any change "
        "of it voids all signatures.",
        TERMS,
    )
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
        f"and signatures are attached to this file as {ATTACHMENT}; “cxc commitment verify FILE” says "
        "whether they hold and whether these pages show them.",
        NOTE,
    )
    paper.explain_boxes("; the attachment has them, and they are signed too")


def _place(side: Signatory) -> str:
    return f"{side.city}, {country(side.country)}"


def _managed(side: Signatory) -> str:
    return f"Partnership: {side.partnership}"
