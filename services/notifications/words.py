"""The templates of all messages: facts in, wording out, in the language of whoever reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, nodes
from jinja2.ext import Extension, InternationalizationExtension

from services.notifications.domain.recipients import Desk, Recipient, parties
from services.notifications.domain.rules import Link
from services.notifications.domain.wording import FootLine, Wording
from services.notifications.languages import SOURCE, Language, language_for
from shared.contracts.envelope import Event
from shared.contracts.registration import RegistrationAmended

TEMPLATES: Final = Path(__file__).parent / "data" / "templates"
SUFFIX: Final = ".txt.j2"
_TAG_ALONE: Final = re.compile(r"^[ \t]*\{%((?:(?!%\}).)*)%\}[ \t]*\n", re.MULTILINE)
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")
_BLANK_LINES: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


class Words:
    """Every template of a folder; a template has a block `subject` and a block `body`.

    A template knows the event's own fields, and `you` (the recipient's organisation, none for staff),
    `partner` (the other organisation of a match), `role`, `amended` and `partnership` (its name). Where
    one stands in a sentence, it is written as the reader's language writes it: an organisation by its
    name, a window as days, an amount with its currency. An unknown name raises jinja2's UndefinedError.

    Templates are compiled when they are first needed.
    """

    def __init__(self, desks: Mapping[str, Desk], public_url: str, folder: Path = TEMPLATES) -> None:
        self._public_url = public_url.rstrip("/")
        self._desks = desks
        self._names = sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))
        self._folder = folder
        self._texts: dict[str, Environment] = {}
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
        facts = self._facts(event, recipient, language_for(language))
        return self.say(template, facts, about=about, link=link, why=why, language=language)

    def say(
        self, template: str, facts: dict[str, Any], *, about: str, link: Link, why: str, language: str
    ) -> Wording:
        """What a template says of these facts, which may be of no single event."""
        reader = language_for(language)
        subject, text = self.compose(template, facts, language=language)
        return Wording(
            subject=subject,
            text=text,
            link=self._public_url + link.path.format_map({**facts, "about": about}),
            link_label=reader.gettext(link.label),
            why=reader.gettext(why) if why else "",
        )

    def _facts(self, event: Event, recipient: Recipient, reader: Language) -> dict[str, Any]:
        facts: dict[str, Any] = {name: getattr(event, name) for name in type(event).model_fields}
        facts["role"] = recipient.role
        facts["amended"] = isinstance(event, RegistrationAmended)
        if recipient.party is not None:
            facts["you"] = recipient.party
        concerned = parties(event)
        for role, party in concerned.items():
            if recipient.party is not None and role != recipient.role and party is not recipient.party:
                facts["partner"] = party
        if "partnership" not in facts:
            party = next(iter(concerned.values()), None)
            facts["partnership"] = party.partnership if party is not None else None
        facts["partnership"] = self._partnership(reader, facts["partnership"])
        return facts

    def _partnership(self, reader: Language, id: str | None) -> str:
        return self._desks[id].name if id in self._desks else reader.gettext("your partnership")

    def compose(self, template: str, facts: dict[str, Any], *, language: str = SOURCE) -> tuple[str, str]:
        """Subject and text of a message that holds these facts."""
        return blocks(self._texts_in(language_for(language)).get_template(template + SUFFIX), facts)

    def _texts_in(self, reader: Language) -> Environment:
        if reader.code not in self._texts:
            texts = texts_in(reader, Environment(loader=FileSystemLoader(self._folder), cache_size=-1))
            texts.filters["partnership"] = partial(self._partnership, reader)
            self._texts[reader.code] = texts
        return self._texts[reader.code]

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
            sender=self._desks[partnership].name if partnership in self._desks else "",
            subject=subject,
            preheader=text.partition("\n")[0],
            paragraphs=[paragraph.splitlines() for paragraph in text.split("\n\n")],
            ours=self._public_url + "/",
            link=link,
            link_label=link_label,
            footer=footer,
            home=f": {self._public_url}/",
        )


def texts_in(reader: Language, texts: Environment) -> Environment:
    """The environment, set up for texts in a language: strict, and facts written as its readers do."""
    texts.undefined = StrictUndefined
    texts.auto_reload = False
    texts.finalize = reader.write
    texts.filters.update(day=reader.day, days=reader.days, eur=reader.eur, country=reader.country)
    texts.policies["ext.i18n.trimmed"] = True
    texts.add_extension(TagsAlone)
    texts.add_extension(Translated)
    texts.extend(reader=reader)
    texts.newstyle_gettext = True  # type: ignore[attr-defined]
    texts.globals["ngettext"] = reader.counted
    return texts


class TagsAlone(Extension):
    """A tag that stands alone on its line leaves no line behind; one at the end of a sentence leaves it be.

    Jinja's trim_blocks would run a paragraph that ends with a tag into the next one.
    """

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Move the line's end into the tag, so that lines keep their numbers in messages."""
        return _TAG_ALONE.sub(r"{%\1\n%}", source)


class Translated(InternationalizationExtension):
    """`{% trans %}`, translated when its template is compiled: at each message, that costs twice the time.

    Only the form that goes with a number is looked up when a message is worded.
    """

    def _make_node(
        self,
        singular: str,
        plural: str | None,
        context: str | None,
        variables: dict[str, nodes.Expr],
        plural_expr: nodes.Expr | None,
        vars_referenced: bool,
        num_called_num: bool,
    ) -> nodes.Output:
        if plural_expr is not None:
            return super()._make_node(
                singular, plural, context, variables, plural_expr, vars_referenced, num_called_num
            )
        reader: Language = self.environment.reader  # type: ignore[attr-defined]
        words, *rest = _PLACEHOLDER.split(reader.gettext(singular))
        parts: list[nodes.Expr] = [nodes.TemplateData(words.replace("%%", "%"))]
        for name, words in zip(rest[::2], rest[1::2], strict=True):
            parts += [variables[name], nodes.TemplateData(words.replace("%%", "%"))]
        return nodes.Output(parts)


def blocks(template: Template, facts: dict[str, Any]) -> tuple[str, str]:
    """Subject and text by a template that has the two blocks."""
    context = template.new_context(facts)
    subject, body = "".join(template.blocks["subject"](context)), "".join(template.blocks["body"](context))
    return " ".join(subject.split()), _BLANK_LINES.sub("\n\n", body.replace("\r", "").strip())


def _layout(folder: Path) -> Template:
    layouts = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    return layouts.get_template("layout.html.j2")
