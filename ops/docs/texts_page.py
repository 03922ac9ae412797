"""Every message on one page, made from the templates and the golden examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.notifications.bootstrap import load_deadlines, load_rules
from services.notifications.domain.recipients import about
from services.notifications.domain.rules import RuleTable
from services.notifications.examples import DESKS, Example, examples
from services.notifications.words import Words

PUBLIC_URL: Final = "https://cxc.example"

_INTRODUCTION: Final = """\
<!-- Made from services/notifications/data and shared/contracts/examples by 'make docs'; change those. -->

# What messages say

Each message that is told of an event or a deadline, in English, as it reads for one example: the golden
examples of the events, with one visit from Lisbon to Milan in most of them.

| on a narrow screen | on a wide one, dark, in German |
|---|---|
| ![a mail on a phone](texts/narrow.png) | ![a mail in a mail program](texts/wide.png) |

## How they are made

A message says what happened, what its reader needs to do and by when, and has one link. Its template in
`services/notifications/data/templates` has a block `subject` and a block `body`. Whole sentences stand in
`{% trans %}`; the facts in them are written as the reader's language writes them:

| fact | English | German |
|---|---|---|
| `{{ stay }}`, a span of days | 14 to 16 February 2023 | 14.–16. Februar 2023 |
| `{{ due }}`, a day | 2 March 2023 | 2. März 2023 |
| `{{ amount }}`, a `Decimal` | EUR 1,100.00 | 1.100,00 € |
| `{{ host }}`, an organisation | its name | its name |
| `{% trans place=host.place %}{{ place }}` | Milan (Italy) | Milan (Italien) |
| `{{ partnership }}` | the name of the partnership that has the case | the same |

What a person has written, such as a reason, stays as it is; so do the sentences in which rules say what they
found.

`make texts` gathers the sentences into the catalogues of `services/notifications/locales`, one a language,
and keeps what is translated; `python -m ops.texts --check` says what is missing or cannot be right. A
language is added by its code in `languages.py`, `make texts`, and a translator.

## Texts of a partnership

A partnership may word a message itself. `CXC_TEXTS` names a folder, read when a process of the service
starts:

```
texts/hempclub/match_approved.it.txt.j2
```

The file has a block `subject`, a block `body`, or both, and knows what the shipped template knows:

```
{% block body %}
Benvenuti da {{ host }}: la visita del {{ stay }} è approvata.

Scrivete a {{ host.email }} per preparare l'agenda. Vi aiuta il nostro ufficio.
{% endblock %}
```

It goes to the partnership's staff and to the organisations whose cases it has, where their language is that
of the file; link and footer stay. Try a folder before it is used:

```
cxc notifications texts check texts
```

names each file that cannot be used, with line and reason. Such a file stops nothing: the service logs
`own_text_unusable`, counts it in `cxc_own_texts_unusable` and sends the shipped text; so it does for one
message when a text fails on a real event only (`own_text_failed`). A text can read the facts of its message,
and neither call nor include anything.
"""


def texts_page() -> str:
    """The page as Markdown, the same for the same templates and examples."""
    rules, deadlines = load_rules(), load_deadlines()
    words = Words(DESKS, PUBLIC_URL, strict=True)
    reminders = deadlines.templates() - rules.templates()
    first: dict[str, Example] = {}
    for one in examples(rules, deadlines):
        first.setdefault(one.template, one)
    groups: dict[str, list[str]] = {}
    for one in first.values():
        label = "Reminders" if one.template in reminders else _kind(one, rules)
        groups.setdefault(label, []).extend(_shown(one, words))
    parts = [_INTRODUCTION.rstrip()]
    for label, messages in groups.items():
        parts += [f"## {label}", *messages]
    return "\n\n".join(parts) + "\n"


def _kind(one: Example, rules: RuleTable) -> str:
    return rules.kinds[rules.kind_for(one.event.TYPE)].label


def _shown(one: Example, words: Words) -> Iterator[str]:
    wording = words.word(
        one.template, one.event, one.recipient, about=about(one.event), link=one.link, why=one.why
    )
    [foot] = words.footer(wording.why, language="en")
    yield f"### {one.template}"
    yield f"To: {one.recipient.role}, about `{one.event.TYPE}`"
    said = f"**{wording.subject}**\n\n{wording.text}\n\n[{wording.link_label}]({wording.link})\n\n{foot.text}"
    yield "\n".join(f"> {line}".rstrip() for line in said.splitlines())
