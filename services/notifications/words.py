"""The templates of all messages: facts in, wording out, in the language of whoever reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, UndefinedError
from prometheus_client import Counter

from services.notifications.domain.recipients import Desk, Recipient
from services.notifications.domain.rules import Link
from services.notifications.domain.wording import FootLine, Wording
from services.notifications.languages import SOURCE, Language, language_for
from services.notifications.overrides import Overrides
from services.notifications.texts import (
    BODY,
    SUBJECT,
    SUFFIX,
    TEMPLATES,
    blocks,
    facts_of,
    forgiving,
    names_in,
    ready,
    texts_in,
)
from shared.contracts.envelope import Event

_log = structlog.get_logger(__name__)

GAPS: Final = Counter(
    "cxc_texts_with_gaps_total", "Messages that lacked something their template has a place for", ["template"]
)


class Words:
    """Every template of a folder; a template has a block `subject` and a block `body`.

    A template knows the event's own fields, and `you` (the recipient's organisation, none for staff),
    `partner` (the other organisation of a match), `role`, `amended` and `partnership` (its name). Where
    one stands in a sentence, it is written as the reader's language writes it: an organisation by its
    name, a window as days, an amount with its currency.

    strict: an unknown name, or one that holds nothing, raises jinja2's UndefinedError or TypeError, as in
    the tests. Otherwise the message goes out with a gap, which is logged and counted.

    Templates are compiled when they are first needed. Where a partnership has a text of its own, its
    recipients get that.
    """

    def __init__(
        self,
        desks: Mapping[str, Desk],
        public_url: str,
        folder: Path = TEMPLATES,
        *,
        overrides: Overrides | None = None,
        strict: bool = False,
    ) -> None:
        self._public_url = public_url.rstrip("/")
        self._desks = desks
        self._names = names_in(folder)
        self._folder = folder
        self._strict = strict
        self._texts: dict[tuple[str, bool], Environment] = {}
        self._templates: dict[tuple[str, str, bool], Template] = {}
        self._overrides = overrides
        self._layout = _layout(folder)

    def names(self) -> list[str]:
        """The templates there are."""
        return list(self._names)

    def word(
        self,
        template: str,
        event: Event,
        recipient: Recipient,
        *,
        about: str,
        link: Link,
        why: str = "",
        language: str = SOURCE,
    ) -> Wording:
        """What this recipient is told about the event; in English where its language has no texts."""
        return self.say(
            template,
            facts_of(event, recipient, self._desks, language_for(language)),
            about=about,
            link=link,
            why=why,
            language=language,
            partnership=recipient.partnership,
        )

    def say(
        self,
        template: str,
        facts: dict[str, Any],
        *,
        about: str,
        link: Link,
        why: str,
        language: str,
        partnership: str | None = None,
    ) -> Wording:
        """What a template says of these facts, which may be of no single event."""
        reader = language_for(language)
        said = self._shipped(template, facts, reader)
        if self._overrides is not None:
            said |= self._overrides.say(partnership, template, reader.code, facts)
        return Wording(
            subject=said[SUBJECT],
            text=said[BODY],
            link=self._public_url + link.path.format_map({**facts, "about": about}),
            link_label=reader.gettext(link.label),
            why=reader.gettext(why) if why else "",
        )

    def _shipped(self, template: str, facts: dict[str, Any], reader: Language) -> dict[str, str]:
        try:
            return blocks(self._template(template, reader), facts)
        except (UndefinedError, TypeError) as error:
            if self._strict:
                raise
            GAPS.labels(template).inc()
            _log.error("text_has_gaps", template=template, language=reader.code, problem=str(error))
        return blocks(self._template(template, reader, strict=False), facts)

    def _template(self, name: str, reader: Language, *, strict: bool = True) -> Template:
        template = self._templates.get((name, reader.code, strict))
        if template is None:
            template = ready(self._texts_for(reader, strict=strict).get_template(name + SUFFIX))
            self._templates[name, reader.code, strict] = template
        return template

    def _texts_for(self, reader: Language, *, strict: bool) -> Environment:
        texts = self._texts.get((reader.code, strict))
        if texts is None:
            texts = texts_in(reader, self._desks, Environment(loader=FileSystemLoader(self._folder)))
            self._texts[reader.code, strict] = texts if strict else forgiving(texts)
        return texts

    def footer(self, why: str, *, language: str, wishes: str = "", unsubscribe: str = "") -> list[FootLine]:
        """What stands below a mail; a link that is empty is left out."""
        gettext = language_for(language).gettext
        lines = [FootLine(gettext("Why you get this mail: %(why)s") % {"why": why})]
        if wishes:
            lines.append(FootLine(gettext("Choose which messages you get, how and when"), wishes))
        if unsubscribe:
            lines.append(FootLine(gettext("Get no more mails of this kind"), unsubscribe))
        return lines

    def html(
        self,
        *,
        subject: str,
        text: str,
        link: str,
        link_label: str,
        footer: Sequence[FootLine],
        language: str = SOURCE,
        partnership: str | None = None,
    ) -> str:
        """The HTML part of a mail: the text's paragraphs and lists, and the link as a button.

        Of digests also headings, lines that begin with "# ", and links, "label: address" of the platform.
        """
        return self._layout.render(
            language=language_for(language).code,
            sender=self._desks[partnership].name if partnership and partnership in self._desks else "",
            subject=subject,
            preheader=text.partition("\n")[0],
            paragraphs=[paragraph.splitlines() for paragraph in text.split("\n\n")],
            ours=self._public_url + "/",
            link=link,
            link_label=link_label,
            footer=footer,
        )


def _layout(folder: Path) -> Template:
    layouts = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    return ready(layouts.get_template("layout.html.j2"))
