"""Partnerships' own texts: used where they are sound, named where they are not, and never in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.notifications.bootstrap import load_deadlines
from services.notifications.domain.recipients import about, serve
from services.notifications.domain.wording import Wording
from services.notifications.examples import examples
from services.notifications.overrides import Overrides, read_own_texts
from services.notifications.texts import TEMPLATES
from services.notifications.words import Words
from shared.contracts.envelope import Event
from shared.contracts.matching import MatchApproved, MatchCancelled
from tests.unit.notifications import samples

EXAMPLES = list(examples(samples.RULES, load_deadlines()))
BODY = "{% block body %}Benvenuti da {{ host }}, {{ stay }}.{% endblock %}"


def reading(folder: Path, **texts: str) -> Overrides:
    """The folder with these texts; `hempclub__match_approved__it` is a file's name."""
    for name, text in texts.items():
        partnership, template, language = name.split("__")
        path = folder / partnership / f"{template}.{language}.txt.j2"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Overrides.read(folder, samples.DESKS, samples.WORDS.names(), EXAMPLES)


def problems(folder: Path, text: str, template: str = "match_approved") -> list[str]:
    """What is wrong with HempClub's own text in English."""
    read = reading(folder, **{f"hempclub__{template}__en": text})
    assert len(read) == (0 if read.problems else 1)
    return [str(problem) for problem in read.problems]


def words_of(overrides: Overrides) -> Words:
    return Words(samples.DESKS, samples.PUBLIC_URL, overrides=overrides)


def told(words: Words, event: Event, role: str, language: str) -> Wording:
    """What the event says to the first recipient in that role."""
    served = serve(event, samples.RULES.rules_for(event.TYPE), samples.DESKS)
    recipient, rule = next((who, rule) for who, rule in served if who.role == role)
    link = samples.RULES.link_for(event.TYPE)
    return words.word(
        rule.template, event, recipient, about=about(event), link=link, why=rule.why, language=language
    )


def failures() -> float:
    return REGISTRY.get_sample_value("cxc_own_texts_failed_total", {"partnership": "hempclub"}) or 0.0


def test_a_text_of_its_own_takes_the_place_of_the_shipped_one_for_its_recipients_in_that_language(
    tmp_path: Path,
) -> None:
    words = words_of(reading(tmp_path, hempclub__match_approved__it=BODY))
    approved = samples.a_match(MatchApproved)
    own = told(words, approved, "visitor", "it")
    assert own.text == "Benvenuti da Navigli Textile Tech Centre (sample), 14–16 febbraio 2023."
    shipped = told(samples.WORDS, approved, "visitor", "it")
    assert (own.subject, own.link) == (shipped.subject, shipped.link)
    for role, language in (("visitor", "en"), ("visitor", "de"), ("host", "it")):
        assert told(words, approved, role, language) == told(samples.WORDS, approved, role, language)


def test_subject_and_body_can_each_be_its_own(tmp_path: Path) -> None:
    subject = "{% block subject %}  Yes:\n {{ visitor }} {% endblock %}"
    words = words_of(reading(tmp_path, hempclub__match_approved__en=subject))
    approved = samples.a_match(MatchApproved)
    said = told(words, approved, "visitor", "en")
    assert said.subject == "Yes: Tagus Fibre Works (sample)"
    assert said.text == told(samples.WORDS, approved, "visitor", "en").text


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("{% block body %}\n{% if %}", 2, "Expected an expression"),
        (
            "{% block body %}\nDear {{ vistor }},\n{% endblock %}",
            2,
            "there is no 'vistor' in this message; there",
        ),
        ("{% block body %}\n\n{{ host.organisaton }}\n{% endblock %}", 3, "has no attribute 'organisaton'"),
        ("{% block body %}\n{{ stay | dayz }}\n{% endblock %}", 2, "No filter named 'dayz'"),
        ("Dear all,", None, "neither a block subject nor a block body"),
        ("{% block body %}Yes.{% endblock %}\n{% block boddy %}{% endblock %}", 2, "no block boddy"),
        ("{% block subject %}{{ partner.region }}{% endblock %}", 1, "has no attribute 'region'"),
        ("{% block subject %} {% endblock %}", None, "its subject says nothing"),
        ("{% include '/etc/passwd' %}\n{% block body %}Yes.{% endblock %}", 1, "cannot take in other files"),
        (
            "{% extends 'match_agreed.txt.j2' %}{% block body %}Yes.{% endblock %}",
            1,
            "cannot take in other files",
        ),
    ],
)
def test_a_broken_text_is_named_with_its_file_and_line(
    tmp_path: Path, text: str, line: int | None, says: str
) -> None:
    [problem] = problems(tmp_path, text)
    assert problem.startswith("hempclub/match_approved.en.txt.j2" + (f", line {line}: " if line else ": "))
    assert says in problem


@pytest.mark.parametrize(
    "attack",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ visitor.__class__ }}",
        "{{ visitor.parse_file('/etc/passwd') }}",
        "{{ visitor.model_dump() }}",
        "{% set dump = visitor.model_dump_json %}{{ dump }}",
        "{{ visitor.organisation.format }}",
        "{{ self._TemplateReference__context }}",
        "{{ ngettext.__self__ }}",
        "{{ lipsum.__globals__ }}",
        "{{ range(10 ** 9) | list }}",
        "{{ visitor | attr('__class__') }}",
        "{{ 'x' * 10 ** 10 }}",
        "{{ '%09999999999d' % 1 }}",
        "{{ [visitor] | map(attribute='__class__') | first }}",
        "{{ 'x' | center(10000000000) }}",
        "{{ '%09999999999d' | format(1) }}",
        "{{ 2.5 | round(1000000000, 'ceil') }}",
        "{{ ['x'] | map('center', 10000000000) | first }}",
        "{{ 'xx' " + "| list | join('xxxxxxxxxx') " * 12 + "}}",
        "{{ 'x' " + "~ 'x' }}",
        "{% set x = 'xx' %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
        "{% set x = 'xx' %}" + "{% set x = [x, x] | first %}" * 40 + "{{ x }}",
        "{% set x %}xx{% endset %}{{ x }}",
        "{% with x = 'xx' %}{{ x }}{% endwith %}",
        "{% for x in 'xxxxxxxxxx' %}" * 12 + "x" + "{% endfor %}" * 12,
        "{% for x in 'x' | list %}" + "x" * 100_001 + "{% endfor %}",
        "{{ 'x' + visitor.organisation }}",
    ],
)
def test_a_text_reads_facts_and_runs_nothing(tmp_path: Path, attack: str) -> None:
    assert problems(tmp_path, "{% block body %}Hello " + attack + "{% endblock %}"), attack


@pytest.mark.parametrize("template", sorted(samples.WORDS.names()))
def test_every_shipped_text_could_be_one_s_own(tmp_path: Path, template: str) -> None:
    shipped = (TEMPLATES / f"{template}.txt.j2").read_text(encoding="utf-8")
    assert not problems(tmp_path, shipped, template)


def test_files_that_can_never_be_used_are_named(tmp_path: Path) -> None:
    for name, content in {
        "match_approved.en.txt.j2": BODY,
        "nobody/match_approved.en.txt.j2": BODY,
        "hempclub/old/match_approved.en.txt.j2": BODY,
        "hempclub/match_aproved.en.txt.j2": BODY,
        "hempclub/match_approved.el.txt.j2": BODY,
        "hempclub/match_approved.txt.j2": BODY,
        "hempclub/notes.md": "Ours are kind.",
        "hempclub/.match_approved.en.txt.j2.swp": "left by an editor",
        ".git/HEAD": "of no concern",
        "sampletex/match_approved.en.txt.j2": BODY,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "hempclub" / "match_agreed.en.txt.j2").write_bytes(b"\xff\xfe")
    read = reading(tmp_path)
    misnamed = "texts are called <template>.<language>.txt.j2, such as match_approved.it.txt.j2"
    assert {
        problem.file: problem.sentence.partition(";")[0].partition(":")[0] for problem in read.problems
    } == {
        "match_approved.en.txt.j2": "it has to lie in the folder of a partnership",
        "nobody/match_approved.en.txt.j2": "it has to lie in the folder of a partnership",
        "hempclub/old/match_approved.en.txt.j2": "it has to lie in the folder of a partnership",
        "hempclub/match_aproved.en.txt.j2": "there is no template 'match_aproved'",
        "hempclub/match_approved.el.txt.j2": "there are no texts in 'el'",
        "hempclub/match_approved.txt.j2": misnamed,
        "hempclub/notes.md": misnamed,
        "hempclub/match_agreed.en.txt.j2": "it cannot be read",
    }
    assert len(read) == 1


def test_a_text_that_fails_on_a_real_event_gives_way_to_the_shipped_one_and_is_counted(
    tmp_path: Path,
) -> None:
    # The examples of this template all have a reason that has a first word.
    text = "{% block body %}{{ (reason | list)[0] }}{{ reason }}{% endblock %}"
    overrides = reading(tmp_path, hempclub__match_cancelled__en=text)
    assert not overrides.problems
    words, before = words_of(overrides), failures()
    sound = samples.a_match(MatchCancelled, reason="Ill.", was_approved=False)
    assert told(words, sound, "visitor", "en").text == "IIll."
    assert failures() == before
    without = samples.a_match(MatchCancelled, reason="", was_approved=False)
    assert told(words, without, "visitor", "en") == told(samples.WORDS, without, "visitor", "en")
    assert failures() == before + 1


def test_a_text_that_has_nothing_to_say_gives_way_to_the_shipped_one(tmp_path: Path) -> None:
    text = "{% block body %}{% if reason %}{{ reason }}{% endif %}{% endblock %}"
    words = words_of(reading(tmp_path, hempclub__match_cancelled__en=text))
    without = samples.a_match(MatchCancelled, reason="", was_approved=False)
    assert told(words, without, "visitor", "en") == told(samples.WORDS, without, "visitor", "en")


def test_plurals_and_lists_work_in_texts_of_ones_own(tmp_path: Path) -> None:
    text = (
        "{% block body %}"
        "{% trans count=fits | length %}One fits.{% pluralize %}{{ count }} fit.{% endtrans %}\n\n"
        "{% for fit in fits %}\n- {{ fit.partner }}\n{% endfor %}\n{% endblock %}"
    )
    words = words_of(reading(tmp_path, hempclub__fits_found__en=text))
    name = "Navigli Textile Tech Centre (sample)"
    assert told(words, samples.some_fits(2), "visitor", "en").text == f"2 fit.\n\n- {name}\n- {name}"


def test_a_service_that_starts_counts_the_broken_texts_and_uses_the_others(tmp_path: Path) -> None:
    broken = "{% block body %}{{ gast }}"
    reading(tmp_path, hempclub__match_approved__it=BODY, hempclub__match_approved__de=broken)
    read = read_own_texts(tmp_path, samples.DESKS, samples.RULES, load_deadlines())
    assert (len(read), len(read.problems)) == (1, 1)
    assert REGISTRY.get_sample_value("cxc_own_texts_unusable") == 1


def test_every_template_that_is_told_of_an_event_has_an_example() -> None:
    there: dict[str, Any] = {one.template: one for one in EXAMPLES}
    assert there.keys() == samples.RULES.templates() | load_deadlines().templates()
