"""The catalogues: every sentence of every message is in them, translated, and holds the same facts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from ops.texts import ALL, OF_MESSAGES, Texts
from services.console.rendering import TEMPLATES as PAGES
from services.notifications.texts import TEMPLATES, TagsAlone

NAMES = {"ClusterXchange", "CSV", "XLSX", "PDF", "SHA", "KiB", "kB", "MB", "ms"}
"""What is called so in every language."""


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.txt.j2")), ids=lambda path: path.name)
def test_no_words_of_a_template_are_out_of_reach_of_translators(template: Path) -> None:
    reading = Environment(extensions=["jinja2.ext.i18n", TagsAlone])
    parsed = reading.parse(template.read_text(encoding="utf-8"))
    plain = [data.data for data in parsed.find_all(nodes.TemplateData)]
    assert not [text for text in plain if any(map(str.isalpha, text))]


@pytest.mark.parametrize("page", sorted(PAGES.rglob("*/*.html")), ids=lambda path: path.name)
def test_no_words_of_a_page_are_out_of_reach_of_translators(page: Path) -> None:
    parsed = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"]).parse(page.read_text("utf-8"))
    shown = re.sub(
        r"<kbd>[^<]*</kbd>|<[^>]*>", "", "\n".join(data.data for data in parsed.find_all(nodes.TemplateData))
    )
    words = set(re.findall(r"[^\W\d_]{2,}", shown)) - NAMES
    assert not words


@pytest.mark.parametrize("texts", ALL, ids=lambda texts: texts.domain)
def test_the_catalogues_hold_what_the_templates_say_now(texts: Texts) -> None:
    behind = [path for path, text in texts.generated().items() if path.read_text(encoding="utf-8") != text]
    assert not behind, "run 'make texts'"


@pytest.mark.parametrize(
    ("texts", "code"), [(texts, code) for texts in ALL for code in texts.others], ids=lambda of: str(of)[-2:]
)
def test_every_sentence_is_translated_and_holds_the_same_facts(texts: Texts, code: str) -> None:
    assert texts.problems(code) == []


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    """All that is written to people, with catalogues to be written by the test."""
    (tmp_path / "de" / "LC_MESSAGES").mkdir(parents=True)
    return replace(OF_MESSAGES, locales=tmp_path)


@pytest.fixture
def german(texts: Texts) -> Path:
    """A catalogue to be written by the test."""
    return texts.catalogue_file("de")


@pytest.mark.parametrize(
    ("translated", "problem"),
    [
        ('msgstr ""', "is not translated"),
        ('msgstr "Gründe: %(grund)s"', "holds other facts in its translation: grund, reason"),
        ('msgstr "Der Grund."', "holds other facts in its translation: reason"),
        ('msgstr "Zu 100 % der Grund: %(reason)s"', "has a '%' in its translation that is not written %%"),
    ],
)
def test_a_translation_that_cannot_be_right_is_found(
    texts: Texts, german: Path, translated: str, problem: str
) -> None:
    german.write_text(f'msgid "The reason: %(reason)s"\n{translated}\n', encoding="utf-8")
    found = [line for line in texts.problems("de") if "'The reason: %(reason)s'" in line]
    assert found == [f"de: 'The reason: %(reason)s' {problem}"]


def test_a_guess_is_no_translation(texts: Texts, german: Path) -> None:
    german.write_text('#, fuzzy\nmsgid "The reason: %(reason)s"\nmsgstr "Grund: %(reason)s"\n')
    assert "de: 'The reason: %(reason)s' is only a guess (fuzzy)" in texts.problems("de")


def test_what_is_translated_stays_and_what_is_gone_goes(texts: Texts, german: Path) -> None:
    german.write_text(
        'msgid "The reason: %(reason)s"\nmsgstr "Der Grund: %(reason)s"\n\nmsgid "Gone."\nmsgstr "Weg."\n',
        encoding="utf-8",
    )
    again = texts.generated()[german]
    assert 'msgid "The reason: %(reason)s"\nmsgstr "Der Grund: %(reason)s"' in again
    assert "Weg." not in again
