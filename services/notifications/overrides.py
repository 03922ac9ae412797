"""Partnerships' own texts in place of the shipped ones: tried when they are read, and never trusted after."""

from __future__ import annotations

import re
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import structlog
from jinja2 import Template, TemplateSyntaxError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from prometheus_client import Counter, Gauge
from pydantic import BaseModel

from services.notifications.domain.deadlines import DeadlineTable
from services.notifications.domain.recipients import Desk
from services.notifications.domain.rules import RuleTable
from services.notifications.examples import Example, examples
from services.notifications.languages import LANGUAGES, SOURCE, Language, language_for
from services.notifications.texts import BODY, SUBJECT, SUFFIX, blocks, facts_of, names_in, texts_in

_log = structlog.get_logger(__name__)

UNUSABLE: Final = Gauge("cxc_own_texts_unusable", "Texts of partnerships that are not used: they are broken")
FAILED: Final = Counter(
    "cxc_own_texts_failed_total",
    "Messages sent in the shipped words, as the partnership's own text failed",
    ["partnership"],
)

MOST_CHARACTERS: Final = 100_000
"""Of a message; more than any digest has."""
_DEEPEST: Final = 2
"""So many loops may be in one another."""
_FILTERS: Final = re.compile(
    "abs|capitalize|count|d|default|first|int|items|last|length|list|lower|map|max|min|reject|rejectattr"
    "|reverse|select|selectattr|sort|title|trim|truncate|unique|upper"
)
"""Those that make nothing much longer than it was."""
_NAME: Final = re.compile(r"(?P<template>[a-z0-9_]+)\.(?P<language>[a-z]{2})" + re.escape(SUFFIX))


@dataclass(frozen=True)
class Problem:
    """What keeps a text from being used."""

    file: str
    line: int | None
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}{f', line {self.line}' if self.line else ''}: {self.sentence}"


class Overrides:
    """The texts of a folder: `<partnership>/<template>.<language>.txt.j2`, with one or both blocks.

    One in which anything is wrong is not used and is named in `problems`. One that fails only when a real
    event is worded says nothing then; that is logged and counted.
    """

    def __init__(self, texts: Mapping[tuple[str, str, str], Template], problems: Sequence[Problem]) -> None:
        self._texts = texts
        self.problems = problems

    @classmethod
    def read(
        cls, folder: Path, desks: Mapping[str, Desk], known: Collection[str], tries: Sequence[Example]
    ) -> Self:
        """Read them, and try each on what is to be worded by its template; `known`: the templates there are.

        Raises OSError when the folder cannot be read.
        """
        texts: dict[tuple[str, str, str], Template] = {}
        problems: list[Problem] = []
        next(folder.iterdir(), None)  # rglob is content with a folder that cannot be read
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or any(part.startswith(".") for part in path.relative_to(folder).parts):
                continue
            found = _Text(folder, path, desks, known, tries)
            problems += (broken := found.problems())
            if not broken:
                texts[found.key] = found.template
        return cls(texts, problems)

    def __len__(self) -> int:
        return len(self._texts)

    def say(
        self, partnership: str | None, template: str, language: str, facts: dict[str, Any]
    ) -> dict[str, str]:
        """Subject or body or both in the partnership's own words; nothing where it has none, or they fail."""
        text = self._texts.get((partnership or "", template, language))
        if text is None:
            return {}
        try:
            said = _blocks(text, facts)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the shipped words go out
            FAILED.labels(partnership).inc()
            _log.error("own_text_failed", file=text.name, line=_line(text, error), problem=str(error))
            return {}
        return {name: words for name, words in said.items() if words}


def read_own_texts(
    folder: Path, desks: Mapping[str, Desk], rules: RuleTable, deadlines: DeadlineTable
) -> Overrides:
    """The texts of the partnerships; those that are broken are logged and counted, and not used.

    Raises OSError when the folder cannot be read.
    """
    read = Overrides.read(folder, desks, names_in(), list(examples(rules, deadlines)))
    UNUSABLE.set(len(read.problems))
    for problem in read.problems:
        _log.error("own_text_unusable", file=problem.file, line=problem.line, problem=problem.sentence)
    return read


class TextSandbox(ImmutableSandboxedEnvironment):
    """For texts written elsewhere: they read facts, and call nothing but the forms of a sentence."""

    intercepted_binops = frozenset({"+"})

    def __init__(self) -> None:
        super().__init__()
        self.globals.clear()
        known = {name: one for name, one in self.filters.items() if _FILTERS.fullmatch(name)}
        self.filters = {**known, "join": _joined, "round": round}

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Numbers are added; texts and lists could be doubled until there is no room."""
        if isinstance(left, str | list) or isinstance(right, str | list):
            raise SecurityError("only numbers are added; write texts one after the other")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """The fields of contracts, and no methods: pydantic's can read files."""
        if isinstance(obj, BaseModel):
            return attr in type(obj).model_fields
        return super().is_safe_attribute(obj, attr, value) and not callable(value)

    def is_safe_callable(self, obj: Any) -> bool:
        """Only what chooses the form that goes with a number."""
        return bool(obj == self.globals["ngettext"])


def _joined(several: Iterable[Any], between: str = "") -> str:
    texts = [str(one) for one in several]
    if sum(map(len, texts)) + len(texts) * len(str(between)) > MOST_CHARACTERS:
        raise SecurityError(f"it would be longer than {MOST_CHARACTERS} characters")
    return str(between).join(texts)


class _Text:
    """One file, to be looked at."""

    def __init__(
        self,
        folder: Path,
        path: Path,
        desks: Mapping[str, Desk],
        known: Collection[str],
        tries: Sequence[Example],
    ) -> None:
        self._path, self._desks, self._known, self._tries = path, desks, known, tries
        self._file = path.relative_to(folder).as_posix()
        self._partnership = path.relative_to(folder).parent.as_posix()
        self.key = (self._partnership, "", "")
        self.template: Template

    def problems(self) -> list[Problem]:
        """All that is wrong with it; of what comes one after the other, the first."""
        if self._partnership not in self._desks:
            return [
                self._problem(
                    f"it has to lie in the folder of a partnership; there are {', '.join(self._desks)}"
                )
            ]
        name = _NAME.fullmatch(self._path.name)
        if name is None:
            return [
                self._problem(
                    f"texts are called <template>.<language>{SUFFIX}, such as match_approved.it{SUFFIX}"
                )
            ]
        if name["template"] not in self._known:
            return [self._problem(f"there is no template '{name['template']}'")]
        if name["language"] not in LANGUAGES:
            return [
                self._problem(f"there are no texts in '{name['language']}'; there are {', '.join(LANGUAGES)}")
            ]
        self.key = (self._partnership, name["template"], name["language"])
        return self._of_content(language_for(name["language"]))

    def _of_content(self, reader: Language) -> list[Problem]:
        texts = texts_in(reader, self._desks, TextSandbox())
        try:
            source = self._path.read_text(encoding="utf-8")
            if problems := list(self._of_structure(texts.parse(source, self._file))):
                return problems
            self.template = texts.from_string(source)
        except TemplateSyntaxError as error:
            return [self._problem(error.message or "it is no template", error.lineno)]
        except (OSError, UnicodeDecodeError) as error:
            return [self._problem(f"it cannot be read: {error}")]
        self.template.name = self._file
        return list(self._of_trial(reader))

    def _of_structure(self, parsed: nodes.Template) -> Iterator[Problem]:
        # What comes after, and compiling, reckon with constants, however large.
        for reckoning in parsed.find_all((nodes.Mul, nodes.Pow, nodes.Mod)):
            yield self._problem("it cannot reckon; write facts as they are", reckoning.lineno)
            return
        if (problem := next(self._of_growth(parsed), None)) is not None:
            yield problem
            return
        found = [block.name for block in parsed.find_all(nodes.Block)]
        if not found:
            yield self._problem(
                "it has neither a block subject nor a block body; write {% block body %} … {% endblock %}"
            )
        for block in parsed.find_all(nodes.Block):
            if block.name not in (SUBJECT, BODY):
                yield self._problem(
                    f"there is no block {block.name}; there are subject and body", block.lineno
                )
        for other in parsed.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
            yield self._problem("it cannot take in other files", other.lineno)
        for call in parsed.find_all((nodes.Call, nodes.Macro, nodes.CallBlock)):
            if not (isinstance(call, nodes.Call) and _chooses_form(call)):
                yield self._problem("it cannot call anything; write facts and filters only", call.lineno)
        names = {name for told in self._facts(language_for(SOURCE)) for name in told}
        if names:
            for name in sorted(meta.find_undeclared_variables(parsed) - names - {"ngettext"}):
                first = next(node for node in parsed.find_all(nodes.Name) if node.name == name)
                yield self._problem(
                    f"there is no '{name}' in this message; there are {', '.join(sorted(names))}",
                    first.lineno,
                )

    def _of_growth(self, parsed: nodes.Template) -> Iterator[Problem]:
        """What could make a few lines so long that no process has room for them."""
        for putting in parsed.find_all((nodes.Concat, nodes.With, nodes.AssignBlock)):
            yield self._problem(
                "it cannot put texts together; write them one after the other", putting.lineno
            )
        assigned = list(parsed.find_all(nodes.Assign))
        names = {name for one in assigned for name in _names(one.target)}
        for one in assigned:
            if _names(one.node) & names:
                yield self._problem("it cannot set a name to what was made of another one", one.lineno)
        if _depth(parsed) > _DEEPEST:
            yield self._problem(f"it has more than {_DEEPEST} loops in one another")

    def _of_trial(self, reader: Language) -> Iterator[Problem]:
        for facts in self._facts(reader):
            try:
                said = _blocks(self.template, facts)
            except Exception as error:  # noqa: BLE001 - anything may be wrong with it
                yield self._problem(f"it fails on an example: {error}", _line(self.template, error))
                return
            for name, words in said.items():
                if not words:
                    yield self._problem(f"its {name} says nothing, at least in one case")
                    return

    def _facts(self, reader: Language) -> Iterator[dict[str, Any]]:
        for one in self._tries:
            if one.template == self.key[1]:
                yield facts_of(one.event, one.recipient, self._desks, reader)

    def _problem(self, sentence: str, line: int | None = None) -> Problem:
        return Problem(self._file, line, sentence)


def _blocks(template: Template, facts: dict[str, Any]) -> dict[str, str]:
    said = blocks(template, facts)
    if any(len(words) > MOST_CHARACTERS for words in said.values()):
        raise SecurityError(f"it is longer than {MOST_CHARACTERS} characters")
    return said


def _names(node: nodes.Node) -> set[str]:
    return {one.name for one in (node, *node.find_all(nodes.Name)) if isinstance(one, nodes.Name)}


def _depth(node: nodes.Node) -> int:
    """How many loops of this part of a template are in one another."""
    return isinstance(node, nodes.For) + max(map(_depth, node.iter_child_nodes()), default=0)


def _chooses_form(call: nodes.Call) -> bool:
    return isinstance(call.node, nodes.Name) and call.node.name == "ngettext"


def _line(template: Template, error: BaseException) -> int | None:
    """The line of the template in which it failed."""
    frames = traceback.extract_tb(error.__traceback__)
    failed = [frame.lineno for frame in frames if frame.filename == "<template>" and frame.lineno]
    return template.get_corresponding_lineno(failed[-1]) if failed else None
