"""The attendance certificate as a PDF: the same certificate gives the same bytes."""

from __future__ import annotations

from functools import lru_cache

from services.funding.domain.certificate import Attended, Certificate
from shared.pdf import GREY, NOTE, Paper, Style
from shared.words import counted, country, day, days

_LARGE = Style(13, 7.5)
_LABEL = Style(10, 6, GREY)


@lru_cache(maxsize=64)
def printed(certificate: Certificate) -> bytes:
    """The PDF: about 0.1 s of work, if not printed lately."""
    stay = days(certificate.first_day, certificate.last_day)
    paper = Paper(
        f"Attendance certificate, match {certificate.match_id}",
        at=certificate.issued_at,
        foot=("Attendance certificate", f"Match {certificate.match_id}"),
    )
    paper.title("Attendance certificate", f"Match {certificate.match_id}")
    paper.gap(8)
    visitor, host = certificate.visitor, certificate.host
    paper.paragraph(
        f"{certificate.issuer} certifies that {visitor.organisation} visited {host.organisation}, and that "
        f"{host.organisation} received {visitor.organisation}, in an exchange of ClusterXchange.",
        _LARGE,
    )
    paper.gap(8)
    paper.heading("The exchange")
    paper.pair(
        ("Visiting organisation", "Host organisation"),
        (visitor.organisation, host.organisation),
        (_place(visitor), _place(host)),
        (_managed(visitor), _managed(host)),
    )
    worked = (
        f"; {counted(certificate.working_days, 'working day')} at the host"
        if certificate.working_days
        else ""
    )
    paper.facts(
        ("Stay", f"{stay}, both days included{worked}"),
        ("Report on the stay", f"validated by {certificate.issuer}"),
    )
    paper.gap(16)
    paper.paragraph(f"Issued by {certificate.issuer}", _LARGE)
    paper.paragraph(day(certificate.issued_at.date()), _LABEL)
    paper.gap(10)
    paper.paragraph(
        "Issued by the platform of the scheme, and valid without a signature. It says that the stay took "
        "place; it says nothing of money.",
        NOTE,
    )
    paper.explain_boxes()
    return paper.printed()


def _place(side: Attended) -> str:
    return f"{side.city}, {country(side.country)}"


def _managed(side: Attended) -> str:
    return f"Partnership: {side.partnership}" if side.partnership else ""
