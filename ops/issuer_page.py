"""The page of the embedded issuer on which one chooses whom to sign in as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from shared.partnerships import Partnership

SEATS: Final = (1, 2, 3)
"""Officers of each partnership one can be: who releases a payment is never who prepared it."""

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f2933; --soft: #52606d; --line: #cbd2d9; --paper: #fff;
  --ground: #f4f6f8; --strong: #0b5d3b; --on-strong: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #f1f4f7; --soft: #b3bdc8; --line: #48535f;
  --paper: #1c232b; --ground: #12171c; --strong: #7fd6ae; --on-strong: #0b1f16; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 0 0 .25rem; }
p { margin: 0 0 .75rem; }
.soft { color: var(--soft); }
section { background: var(--paper); border: 1px solid var(--line); border-radius: .5rem;
  padding: 1rem; margin-top: 1rem; }
form { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; margin: 0; }
form + form { margin-top: .75rem; }
.row { display: flex; flex-wrap: wrap; gap: .75rem; }
.row form { flex: 0 1 auto; margin: 0; }
label { display: grid; gap: .25rem; flex: 1 1 12rem; font-weight: 600; }
input, select, button { font: inherit; min-height: 2.75rem; padding: .4rem .75rem; border-radius: .375rem;
  border: 1px solid var(--soft); background: var(--paper); color: var(--ink); width: 100%; min-width: 0;
  font-weight: 400; }
button { flex: 0 0 auto; width: auto; background: var(--strong); border-color: var(--strong);
  color: var(--on-strong); font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid #1d70b8; outline-offset: 2px; }
@media (max-width: 30rem) { .row form { flex: 1 1 100%; } button { flex: 1 1 100%; } }
"""

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – ClusterXchange trial sign-in</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<main>
{main}
</main>
</body>
</html>
"""


def choice_page(
    *, action: str, partnerships: Sequence[Partnership], organisations: Mapping[str, str], asked: str
) -> str:
    """Whom to be: one form a kind of person, each posting to `action`.

    organisations: some that are registered, by what a participant's token says, in words.
    asked: an organisation to begin with.
    """

    def form(role: str, fields: str, label: str = "Sign in") -> str:
        return (
            f'<form method="post" action="{escape(action)}"><input type="hidden" name="role" value="{role}">'
            f"{fields}<button>{label}</button></form>"
        )

    def line(name: str, label: str, value: str) -> str:
        return (
            f'<label>{label}<input name="{name}" value="{escape(value)}" required maxlength="100" '
            'autocomplete="off"></label>'
        )

    def choice(name: str, label: str, options: Iterable[tuple[str, str]]) -> str:
        offered = "".join(f'<option value="{escape(id)}">{escape(words)}</option>' for id, words in options)
        return f'<label>{label}<select name="{name}">{offered}</select></label>'

    registered = form("participant", choice("organisation", "One that is registered", organisations.items()))
    desk = choice("partnership", "Partnership", ((one.id, one.name) for one in partnerships))
    seat = choice("seat", "Who there", ((str(seat), f"Officer {seat}") for seat in SEATS))
    return _page(
        "Choose whom to sign in as",
        f"""<h1>Whom do you want to sign in as?</h1>
<p class="soft">This is a trial platform: nobody has an account, and you can be whoever you like. On a real
platform your organisation’s own sign-in is here instead.</p>
<section>
<h2>An organisation that takes part</h2>
<p class="soft">Visits others, or hosts them. For a new one type any name, such as <i>green-fibre</i>, and
register it; with the same name you find it again.</p>
{form("participant", line("organisation", "Organisation", asked))}
{registered if organisations else ""}
</section>
<section>
<h2>Staff of a partnership</h2>
<p class="soft">Decides registrations and matches, and pays. A payment needs two different officers.</p>
{form("staff", desk + seat)}
</section>
<section>
<h2>Those who oversee the scheme</h2>
<p class="soft">The support office reads everything and looks after the platform; an auditor only reads.</p>
<div class="row">
{form("support_office", "", "Sign in as the support office")}
{form("auditor", "", "Sign in as an auditor")}
</div>
</section>
<section>
<h2>A system outside</h2>
<p class="soft">Sends registrations and has events delivered to it.</p>
{form("external", line("system", "Name of the system", "/sample/crm"))}
</section>""",
    )


def message_page(title: str, text: str) -> str:
    """A page that only says something."""
    return _page(title, f"<h1>{escape(title)}</h1>\n<p>{escape(text)}</p>")


def _page(title: str, main: str) -> str:
    return _PAGE.format(title=escape(title), main=main)
