"""The templates of all messages, compiled once: facts in, wording out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.notifications.domain.recipients import Desk, Recipient, parties
from services.notifications.domain.rules import Link
from services.notifications.domain.wording import Wording
from shared.contracts.common import Window
from shared.contracts.envelope import Event
from shared.contracts.registration import RegistrationAmended

TEMPLATES: Final = Path(__file__).parent / "data" / "templates"
_SUFFIX: Final = ".txt.j2"
_BLANK_LINES: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


class Words:
    """Every template of a folder; a template has a block `subject` and a block `body`.

    A body knows the event's own fields, and `you` (the recipient's organisation, none for staff),
    `partner` (the other organisation of a match), `role` and `amended`. An unknown name raises
    jinja2's UndefinedError.
    """

    def __init__(self, desks: Mapping[str, Desk], public_url: str, folder: Path = TEMPLATES) -> None:
        self._public_url = public_url.rstrip("/")
        text = _environment(folder, autoescape=False)
        text.filters["partnership"] = lambda id: desks[id].name if id in desks else "your partnership"
        self._templates = {
            path.name.removesuffix(_SUFFIX): text.get_template(path.name)
            for path in sorted(folder.glob(f"*{_SUFFIX}"))
        }
        self._layout = _environment(folder, autoescape=True).get_template("layout.html.j2")

    def names(self) -> list[str]:
        """The templates there are."""
        return list(self._templates)

    def word(self, template: str, event: Event, recipient: Recipient, *, about: str, link: Link) -> Wording:
        """What this recipient is told about the event."""
        chosen = self._templates[template]
        facts: dict[str, Any] = {name: getattr(event, name) for name in type(event).model_fields}
        facts["role"] = recipient.role
        facts["amended"] = isinstance(event, RegistrationAmended)
        if recipient.party is not None:
            facts["you"] = recipient.party
        for role, party in parties(event).items():
            if recipient.party is not None and role != recipient.role and party is not recipient.party:
                facts["partner"] = party
        context = chosen.new_context(facts)
        subject, body = ("".join(chosen.blocks[name](context)) for name in ("subject", "body"))
        return Wording(
            subject=" ".join(subject.split()),
            text=_BLANK_LINES.sub("\n\n", body.replace("\r", "").strip()),
            link=self._public_url + link.path.format_map({**facts, "about": about}),
            link_label=link.label,
        )

    def html(self, *, subject: str, text: str, link: str, link_label: str, footer: str) -> str:
        """The HTML part of a mail: the text's paragraphs and lists, and the link as a button."""
        paragraphs = [paragraph.splitlines() for paragraph in text.split("\n\n")]
        return self._layout.render(
            subject=subject, paragraphs=paragraphs, link=link, link_label=link_label, footer=footer
        )


def _environment(folder: Path, *, autoescape: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(eur=eur, day=day, days=days)
    return environment


def eur(amount: Decimal) -> str:
    """`EUR 1,100.00`."""
    return f"EUR {amount:,.2f}"


def day(value: date) -> str:
    """`14 February 2023`."""
    return f"{value.day} {value:%B %Y}"


def days(window: Window) -> str:
    """`14 to 16 February 2023`, naming month and year once where they are the same."""
    first, last = window.first_day, window.last_day
    if first == last:
        return day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {day(last)}"
    if first.year == last.year:
        return f"{first.day} {first:%B} to {day(last)}"
    return f"{day(first)} to {day(last)}"
