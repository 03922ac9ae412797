"""`python -m ops.texts` gathers the sentences of all messages and brings their translations up to date.

`--check` writes nothing and says what a translator has to look at.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from services.notifications.languages import DOMAIN, LANGUAGES, LOCALES, SOURCE, catalogue_file
from services.notifications.texts import TEMPLATES
from shared.contracts.common import ERASED

SERVICE: Final = TEMPLATES.parents[1]
WORDED_IN_YAML: Final = ("label", "why")
"""What stands under these keys in the tables of the service is told to people."""
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")
_NOTES: Final = ["TRANSLATORS:"]
_AS_COMPILED: Final = {"trimmed": "true", "newstyle_gettext": "true"}
_PROJECT: Final = "ClusterXchange"
_HEADER: Final = (
    "# What ClusterXchange writes to people. 'make texts' adds what is new and drops what is gone."
)
_PASSING: Final = re.compile(
    r'^"(POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team|Report-Msgid-Bugs-To|Generated-By)'
    r': .*"\n',
    re.MULTILINE,
)
"""Headers that would change with each run, or say nothing."""


@cache
def sentences() -> Catalog:
    """Every sentence that messages are made of, with the files it stands in."""
    catalogue = _empty(None)
    for path in sorted(SERVICE.rglob("*.j2")):
        with path.open("rb") as file:
            for _, _, said, comments in babel_extract(file, ("gettext", "ngettext"), _NOTES, _AS_COMPILED):
                _add(catalogue, [form for form in _forms(said) if form], path, comments)
    for path in sorted(SERVICE.rglob("*.py")):
        with path.open("rb") as file:
            for _, said, comments, _ in extract("python", file, {"gettext": None}, _NOTES):
                _add(catalogue, [str(said)], path, comments)
    for path in sorted((SERVICE / "data").glob("*.yaml")):
        for sentence in _worded(yaml.safe_load(path.read_text(encoding="utf-8"))):
            _add(catalogue, [sentence], path)
    _add(catalogue, [ERASED], SERVICE / "languages.py")
    return catalogue


def translations(code: str) -> Catalog:
    """A language's catalogue as it is on file; an empty one for a language that has none yet."""
    path = catalogue_file(code)
    if not path.exists():
        return _empty(code)
    with path.open("rb") as file:
        return read_po(file, locale=code, domain=DOMAIN)


def generated() -> dict[Path, str]:
    """What each catalogue has to contain, by its file: every sentence once, and what was translated of it."""
    found = sentences()
    files = {LOCALES / f"{DOMAIN}.pot": _text(found)}
    for code in LANGUAGES:
        if code != SOURCE:
            catalogue = translations(code)
            catalogue.update(found, no_fuzzy_matching=True)
            files[catalogue_file(code)] = _text(catalogue)
    return files


def problems(code: str) -> list[str]:
    """What is missing from the translations into a language, or cannot be right."""
    there, problems = translations(code), []
    for original in sentences():
        message = there.get(original.id)
        if original.id and message is None:
            problems.append(f"{code}: {_first(original)!r} is not in the catalogue; run 'make texts'")
        elif original.id and message is not None:
            problems += [f"{code}: {_first(original)!r} {problem}" for problem in _flaws(message)]
    return problems


def write() -> list[Path]:
    """Write the catalogues; returns those that changed."""
    files = generated()
    changed = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
    return changed


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ops.texts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when there is work")
    if not parser.parse_args(arguments).check:
        for path in write():
            print(f"{path.relative_to(SERVICE)} written")
        return 0
    found = [problem for code in LANGUAGES if code != SOURCE for problem in problems(code)]
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


def _empty(code: str | None) -> Catalog:
    return Catalog(
        locale=code, domain=DOMAIN, project=_PROJECT, version="1", header_comment=_HEADER, fuzzy=False
    )


def _add(catalogue: Catalog, forms: list[str], path: Path, comments: Sequence[str] = ()) -> None:
    place = (path.relative_to(SERVICE).as_posix(), 1)
    id = forms[0] if len(forms) == 1 else (forms[0], forms[1])
    catalogue.add(id, locations=[place], auto_comments=comments)


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
