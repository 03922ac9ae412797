"""Every message on one page, made from the templates and the golden examples."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from services.notifications.bootstrap import load_deadlines, load_rules
from services.notifications.domain.digest import Item, by_case
from services.notifications.domain.notification import DIGEST
from services.notifications.domain.recipients import about, case, case_name
from services.notifications.domain.rules import RuleTable
from services.notifications.domain.wishes import Pace
from services.notifications.domain.wording import Wording
from services.notifications.examples import DESKS, Example, examples
from services.notifications.languages import SOURCE
from services.notifications.words import Words
from shared.contracts.examples import example

PUBLIC_URL: Final = "https://cxc.example"
_IN_THE_DIGEST: Final = (
    "staff_match_agreed",
    "staff_match_approved",
    "staff_grant_reserved",
    "staff_evidence_submitted",
    "staff_registration_to_decide",
)
_HEADING: Final = re.compile(r"^# (.*)$", re.MULTILINE)

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
and neither call nor include anything, nor grow: no filter that pads or repeats, two loops in one another at
the most, 100,000 characters.
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
    groups["Digests"] = list(_digest(first.values(), words, rules))
    parts = [_INTRODUCTION.rstrip()]
    for label, messages in groups.items():
        parts += [f"## {label}", *messages]
    return "\n\n".join(parts) + "\n"


def _kind(one: Example, rules: RuleTable) -> str:
    return rules.kinds[rules.kind_for(one.event.TYPE)].label


def _shown(one: Example, words: Words) -> Iterator[str]:
    yield f"### {one.template}"
    yield f"To: {one.recipient.role}, about `{one.event.TYPE}`"
    yield _quoted(_worded(one, words), words)


def _worded(one: Example, words: Words) -> Wording:
    return words.word(
        one.template, one.event, one.recipient, about=about(one.event), link=one.link, why=one.rule.why
    )


def _digest(tellable: Iterable[Example], words: Words, rules: RuleTable) -> Iterator[str]:
    """Some of the messages to HempClub's staff, as a digest of a day would put them together."""
    items = []
    for one in tellable:
        if one.recipient.key == "partnership:hempclub" and one.template in _IN_THE_DIGEST:
            wording = _worded(one, words)
            items.append(
                Item(
                    case=case(one.event),
                    name=case_name(one.event),
                    kind=rules.kind_for(one.event.TYPE),
                    subject=wording.subject,
                    link=wording.link,
                    link_label=wording.link_label,
                    at=datetime.fromisoformat(example(one.event.TYPE)["time"]),
                    asks=one.rule.asks,
                )
            )
    wording = words.say(
        DIGEST,
        by_case(items).facts(staff=True),
        about="0185e3a1-6c00-8000-8000-000000000001",
        link=rules.links[DIGEST],
        why=rules.digests[Pace.DAILY].why,
        language=SOURCE,
    )
    yield f"### {DIGEST}"
    yield "To: staff, once a day"
    yield _quoted(wording, words)


def _quoted(wording: Wording, words: Words) -> str:
    [foot] = words.footer(wording.why, language=SOURCE)
    # A heading of the mail is none of this page.
    text = _HEADING.sub(r"**\1**", wording.text)
    said = f"**{wording.subject}**\n\n{text}\n\n[{wording.link_label}]({wording.link})\n\n{foot.text}"
    return "\n".join(f"> {line}".rstrip() for line in said.splitlines())
