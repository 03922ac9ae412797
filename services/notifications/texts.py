"""How the template of a text is compiled for readers of one language, and what comes out of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from jinja2 import ChainableUndefined, Environment, StrictUndefined, Template, nodes
from jinja2.ext import Extension, InternationalizationExtension

from services.notifications.domain.recipients import Desk, Recipient, parties
from services.notifications.languages import Language
from shared.contracts.envelope import Event
from shared.contracts.registration import RegistrationAmended

TEMPLATES: Final = Path(__file__).parent / "data" / "templates"
SUFFIX: Final = ".txt.j2"
SUBJECT: Final = "subject"
BODY: Final = "body"
GAP: Final = "…"
_TAG_ALONE: Final = re.compile(r"^[ \t]*\{%((?:(?!%\}).)*)%\}[ \t]*\n", re.MULTILINE)
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")
_BLANK_LINES: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def names_in(folder: Path = TEMPLATES) -> list[str]:
    """The templates of a folder."""
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))


def texts_in(reader: Language, desks: Mapping[str, Desk], texts: Environment) -> Environment:
    """The environment, set up for texts in a language: strict, and facts written as its readers do."""
    texts.undefined = StrictUndefined
    texts.auto_reload = False
    texts.finalize = reader.write
    texts.filters.update(day=reader.day, days=reader.days, eur=reader.eur, country=reader.country)
    texts.filters["partnership"] = partial(partnership_name, desks, reader)
    texts.policies["ext.i18n.trimmed"] = True
    texts.add_extension(TagsAlone)
    texts.add_extension(Translated)
    texts.extend(reader=reader)
    texts.newstyle_gettext = True  # type: ignore[attr-defined]
    texts.globals["ngettext"] = reader.counted
    return texts


class Gap(ChainableUndefined):
    """Stands where something is missing that nobody missed in the tests."""

    def __str__(self) -> str:
        return GAP


def forgiving(texts: Environment) -> Environment:
    """The same environment, which leaves a gap for what is not there or cannot be written."""
    write = texts.finalize
    assert write is not None

    def written(value: Any) -> str:
        try:
            return str(write(value))
        except TypeError:
            return GAP

    texts.undefined, texts.finalize = Gap, written
    return texts


def partnership_name(desks: Mapping[str, Desk], reader: Language, id: str | None) -> str:
    """The name of a partnership; for one that is not on file, words that can stand in its place."""
    return desks[id].name if id is not None and id in desks else reader.gettext("your partnership")


def facts_of(
    event: Event, recipient: Recipient, desks: Mapping[str, Desk], reader: Language
) -> dict[str, Any]:
    """What a text knows of an event: its fields, and what they mean to this recipient."""
    facts: dict[str, Any] = dict(event)
    facts["role"] = recipient.role
    facts["amended"] = isinstance(event, RegistrationAmended)
    if recipient.party is not None:
        facts["you"] = recipient.party
    concerned = parties(event)
    for role, party in concerned.items():
        if recipient.party is not None and role != recipient.role and party is not recipient.party:
            facts["partner"] = party
    if "partnership" not in facts:
        first = next(iter(concerned.values()), None)
        facts["partnership"] = first.partnership if first is not None else None
    facts["partnership"] = partnership_name(desks, reader, facts["partnership"])
    return facts


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


def ready(template: Template) -> Template:
    """The same, to be used often: Jinja goes through its chain of globals for every message, a plain
    dictionary is copied."""
    template.globals = dict(template.globals)
    return template


def blocks(template: Template, facts: dict[str, Any]) -> dict[str, str]:
    """What the blocks of a template say: the subject on one line, the body in paragraphs and lists."""
    context = template.new_context(facts)
    said = {name: "".join(block(context)) for name, block in template.blocks.items()}
    if SUBJECT in said:
        said[SUBJECT] = " ".join(said[SUBJECT].split())
    if BODY in said:
        said[BODY] = _BLANK_LINES.sub("\n\n", said[BODY].replace("\r", "").strip())
    return said
