"""`python -m ops.texts` gathers the sentences of messages and pages and brings translations up to date.

`--check` writes nothing and says what a translator has to look at.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import yaml
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from services.console import languages as of_pages
from services.console.rendering import TEMPLATES as PAGES
from services.notifications import languages as of_messages
from services.notifications.texts import TEMPLATES as MESSAGES
from shared.contracts.common import ERASED

WORDED_IN_YAML: Final = ("label", "why")
"""What stands under these keys in the tables of a service is told to people."""
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")
_NOTES: Final = ["TRANSLATORS:"]
_IN_TEMPLATES: Final = ("_", "gettext", "ngettext")
_AS_COMPILED: Final = {"extensions": "jinja2.ext.do", "trimmed": "true", "newstyle_gettext": "true"}
_PROJECT: Final = "ClusterXchange"
_HEADER: Final = "# What ClusterXchange %s. 'make texts' adds what is new and drops what is gone."
_PASSING: Final = re.compile(
    r'^"(POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team|Report-Msgid-Bugs-To|Generated-By)'
    r': .*"\n',
    re.MULTILINE,
)
"""Headers that would change with each run, or say nothing."""


@dataclass(frozen=True, eq=False)
class Texts:
    """All that one service says to people, and its translations."""

    service: Path
    says: str
    """What it does with them, for the head of the catalogues."""
    templates: str
    """How their names end."""
    locales: Path
    domain: str
    languages: tuple[str, ...]
    source: str
    in_code: Mapping[str, tuple[int, ...] | None]
    """The functions whose arguments are sentences."""
    more: tuple[str, ...] = ()
    """Sentences that stand elsewhere."""
    complete: tuple[str, ...] = ("",)
    """Where a sentence stands that has to be translated: how the names of these files begin."""

    @cached_property
    def others(self) -> tuple[str, ...]:
        """The languages but the one everything is written in."""
        return tuple(code for code in self.languages if code != self.source)

    def catalogue_file(self, code: str) -> Path:
        """The translations into a language."""
        return self.locales / code / "LC_MESSAGES" / f"{self.domain}.po"

    @cached_property
    def sentences(self) -> Catalog:
        """Every sentence that is said, with the files it stands in."""
        catalogue = self._empty(None)
        for path in self._files(self.templates):
            with path.open("rb") as file:
                for _, _, said, comments in babel_extract(file, _IN_TEMPLATES, _NOTES, _AS_COMPILED):
                    self._add(catalogue, [form for form in _forms(said) if form], path, comments)
        for path in self._files(".py"):
            with path.open("rb") as file:
                for _, said, comments, _ in extract("python", file, self.in_code, _NOTES):
                    self._add(catalogue, [form for form in _forms(said) if form], path, comments)
        for path in sorted((self.service / "data").glob("*.yaml")):
            for sentence in _worded(yaml.safe_load(path.read_text(encoding="utf-8"))):
                self._add(catalogue, [sentence], path)
        for sentence in self.more:
            self._add(catalogue, [sentence], self.service / "languages.py")
        return catalogue

    def translations(self, code: str) -> Catalog:
        """A language's catalogue as it is on file; an empty one for a language that has none yet."""
        path = self.catalogue_file(code)
        if not path.exists():
            return self._empty(code)
        with path.open("rb") as file:
            return read_po(file, locale=code, domain=self.domain)

    def generated(self) -> dict[Path, str]:
        """What each catalogue has to contain, by file: every sentence once, and what was translated of it."""
        files = {self.locales / f"{self.domain}.pot": _text(self.sentences)}
        for code in self.others:
            catalogue = self.translations(code)
            catalogue.header_comment = self._empty(code).header_comment
            catalogue.update(self.sentences, no_fuzzy_matching=True)
            files[self.catalogue_file(code)] = _text(catalogue)
        return files

    def problems(self, code: str) -> list[str]:
        """What is missing from the translations into a language, or cannot be right."""
        there, problems = self.translations(code), []
        for original in self.sentences:
            if not original.id or not any(path.startswith(self.complete) for path, _ in original.locations):
                continue
            message = there.get(original.id)
            if message is None:
                problems.append(f"{code}: {_first(original)!r} is not in the catalogue; run 'make texts'")
            else:
                problems += [f"{code}: {_first(original)!r} {problem}" for problem in _flaws(message)]
        return problems

    def write(self) -> list[Path]:
        """Write the catalogues; returns those that changed."""
        files = self.generated()
        changed = [
            path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text
        ]
        for path in changed:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
        return changed

    def _files(self, suffix: str) -> Iterator[Path]:
        for path in sorted(self.service.rglob(f"*{suffix}")):
            if "node_modules" not in path.parts:
                yield path

    def _empty(self, code: str | None) -> Catalog:
        header = _HEADER % self.says
        return Catalog(
            locale=code, domain=self.domain, project=_PROJECT, version="1", header_comment=header, fuzzy=False
        )

    def _add(self, catalogue: Catalog, forms: list[str], path: Path, comments: Sequence[str] = ()) -> None:
        if not forms:  # of a sentence that comes from elsewhere
            return
        place = (path.relative_to(self.service).as_posix(), 1)
        id = forms[0] if len(forms) == 1 else (forms[0], forms[1])
        catalogue.add(id, locations=[place], auto_comments=comments)


OF_MESSAGES: Final = Texts(
    service=MESSAGES.parents[1],
    says="writes to people",
    templates=".j2",
    locales=of_messages.LOCALES,
    domain=of_messages.DOMAIN,
    languages=of_messages.LANGUAGES,
    source=of_messages.SOURCE,
    in_code={"gettext": None},
    more=(ERASED,),
)
OF_PAGES: Final = Texts(
    service=PAGES.parent,
    says="shows on its pages",
    templates=".html",
    locales=of_pages.LOCALES,
    domain=of_pages.DOMAIN,
    languages=of_pages.LANGUAGES,
    source=of_pages.SOURCE,
    in_code={"_": None, "gettext": None, "say": None, "counted": (1, 2)},
    complete=(
        "navigation.py",
        "pages/public.py",
        "templates/errors/",
        "templates/group_events/programme.html",
        "templates/group_events/public_",
        "templates/layout.html",
        "templates/public/",
        "templates/signing_in/",
        "templates/ui.html",
        "words.py",
    ),
)
ALL: Final = (OF_MESSAGES, OF_PAGES)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ops.texts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when there is work")
    if not parser.parse_args(arguments).check:
        for texts in ALL:
            for path in texts.write():
                print(f"{path.relative_to(texts.service.parents[1])} written")
        return 0
    found = [problem for texts in ALL for code in texts.others for problem in texts.problems(code)]
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


def _worded(table: Any) -> Iterator[str]:
    if isinstance(table, dict):
        for key, value in table.items():
            if key in WORDED_IN_YAML and isinstance(value, str):
                yield value
            else:
                yield from _worded(value)
    elif isinstance(table, list):
        for value in table:
            yield from _worded(value)


def _flaws(message: Message) -> Iterator[str]:
    originals, translated = _forms(message.id), _forms(message.string)
    if not all(translated):
        yield "is not translated"
        return
    if message.fuzzy:
        yield "is only a guess (fuzzy)"
    fewest, most = (set(_PLACEHOLDER.findall(text)) for text in (originals[0], originals[-1]))
    for form in translated:
        held = set(_PLACEHOLDER.findall(form))
        if not fewest & most <= held <= fewest | most:
            yield f"holds other facts in its translation: {', '.join(sorted(held ^ most))}"
        if _PLACEHOLDER.sub("", form).replace("%%", "").count("%"):
            yield "has a '%' in its translation that is not written %%"


def _first(message: Message) -> str:
    return _forms(message.id)[0]


def _forms(said: Any) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said or ())


def _text(catalogue: Catalog) -> str:
    written = io.BytesIO()
    write_po(written, catalogue, width=110, ignore_obsolete=True, include_lineno=False, sort_by_file=True)
    return _PASSING.sub("", written.getvalue().decode())


if __name__ == "__main__":
    sys.exit(main())
