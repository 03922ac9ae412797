"""The Commitment to Quality as a PDF, content and signatures attached as JSON.

The same document gives the same bytes. So the pages show what is attached if printing the attachment anew
gives the same file.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from services.matching.domain.commitment_document import Content, Signatory, SignedDocument
from services.matching.domain.words import country, days
from shared.pdf import QUIET, STRONG, Column, Paper, producer
from shared.signed_paper import signatures, signed_paper, standing
from shared.signing import canonical

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
    paper = signed_paper(
        "Commitment to Quality",
        f"match {content.match_id}",
        document,
        drawn_up_at=content.drawn_up_at,
        attachment=ATTACHMENT,
        printed_by=PRINTED_BY,
    )
    paper.title("Commitment to Quality", f"Stay of {_stay(content)}, match {content.match_id}")
    standing(paper, document)
    _sides(paper, content)
    _section(paper, "Goals of the exchange", content.goals, "No goals have been written down yet.")
    _agenda(paper, content)
    _section(
        paper, "Expected results", content.expected_results, "No expected results have been written down."
    )
    signatures(
        paper,
        document,
        "Each of the four commits to carry out the exchange as written here. They sign in the platform, "
        "each with its own access, the content whose SHA-256 stands at the foot of the page. Any change "
        "of it voids all signatures.",
        attachment=ATTACHMENT,
        height=95,
    )
    return paper.printed()


def _stay(content: Content) -> str:
    return days(content.first_day, content.last_day)


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


def _place(side: Signatory) -> str:
    return f"{side.city}, {country(side.country)}"


def _managed(side: Signatory) -> str:
    return f"Partnership: {side.partnership}"
