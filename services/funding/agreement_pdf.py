"""The financial agreement as a PDF, content and signatures attached; the same one gives the same bytes."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from services.funding.domain.agreement_document import Content, Organisation, SignedAgreement
from shared.pdf import GREY, STRONG, Paper, Style, producer
from shared.signed_paper import signatures, signed_paper, standing
from shared.signing import canonical
from shared.words import counted, country, day, days, eur

ATTACHMENT: Final = "agreement.json"
LAYOUT: Final = 1
"""To be raised with every change of what is printed: older files are then known to be of another make."""
PRINTED_BY: Final = producer(LAYOUT)

_SUM: Final = Style(18, 9, bold=True)
_SMALL: Final = Style(8.5, 4.4, GREY)


def printed(document: SignedAgreement) -> bytes:
    """The PDF of the document with the signatures there are: about 0.2 s of work, if not printed lately."""
    return _printed(canonical(document))


@lru_cache(maxsize=64)
def _printed(document_json: bytes) -> bytes:
    document = SignedAgreement.model_validate_json(document_json)
    content = document.content
    paper = signed_paper(
        "Financial agreement",
        f"number {content.number}, edition {content.edition}",
        document,
        drawn_up_at=content.drawn_up_at,
        attachment=ATTACHMENT,
        printed_by=PRINTED_BY,
    )
    paper.title(
        "Financial agreement",
        f"Number {content.number}, edition {content.edition}, drawn up on {day(content.drawn_up_at.date())}",
    )
    standing(paper, document)
    _parties(paper, content)
    _stay(paper, content)
    _amount(paper, content)
    paper.heading("Conditions")
    paper.numbered(content.conditions)
    paper.gap(3)
    signatures(
        paper,
        document,
        "Both agree to what is written here, the visiting organisation first. They sign in the platform, "
        "each with its own access, the content whose SHA-256 stands at the foot of the page. Any change of "
        "days, amount or parties voids both signatures.",
        attachment=ATTACHMENT,
        height=75,
    )
    return paper.printed()


def _parties(paper: Paper, content: Content) -> None:
    paper.heading("Between")
    paper.pair(
        ("Visiting organisation (VO)", "Partnership of the visitor (VOP)"),
        (content.visitor.name, content.payer),
        (_place(content.visitor), "decides on the visit, and pays for it"),
    )
    paper.gap(1)


def _stay(paper: Paper, content: Content) -> None:
    worked = content.working_days
    working_days = "" if worked is None else f"; {counted(worked, 'working day')}"
    paper.heading("The stay")
    paper.facts(
        ("Host organisation", f"{content.host.name}\n{_place(content.host)}"),
        ("Days at the host", f"{days(content.first_day, content.last_day)}, both included{working_days}"),
        ("Match", content.match_id),
        ("Grant", content.grant_id),
    )
    paper.gap(3)


def _amount(paper: Paper, content: Content) -> None:
    paper.need(60)
    paper.heading("The amount")
    paper.line(eur(content.amount), _SUM)
    paper.paragraph(content.in_short, STRONG)
    paper.gap(1)
    paper.bullets(content.calculation)
    paper.gap(1)
    paper.paragraph(f"Computed by: {content.rule_set}.", _SMALL)
    paper.gap(2)


def _place(organisation: Organisation) -> str:
    return f"{organisation.city}, {country(organisation.country)}"
