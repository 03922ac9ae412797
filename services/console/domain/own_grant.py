"""The way to the money as the visiting organisation sees it: what it does, and what others do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["done", "now", "next"]
Say = Callable[[str], str]
"""A sentence in the reader's language."""

ENDED: Final = ("refused", "cancelled")
_SENT: Final = ("released", "paid", "recovered")
"""States in which the bank has been asked to pay."""


@dataclass(frozen=True)
class Step:
    """One step, as a timeline shows it."""

    title: str
    kind: Kind
    text: str = ""
    who: str = ""
    at: str | None = None
    href: str | None = None
    yours: bool = False
    """Whether whoever reads it acts next."""
    task: str = ""
    """What whoever acts next does, such as `Sign the financial agreement`."""


def commitment_step(commitment: Mapping[str, Any], side: Literal["visitor", "host"], *, say: Say) -> Step:
    """The Commitment to Quality, as one of the two organisations sees it."""
    title = say("Commitment to Quality written together, and signed")
    href = f"/matches/{commitment['match_id']}/commitment"
    if commitment["state"] == "complete":
        return Step(title, "done", href=href)
    yours = {"visitor": "VO", "host": "HO"}[side] in commitment["missing"]
    if yours:
        task = say("Write the Commitment to Quality together, and sign it")
        return Step(title, "now", who=say("You"), href=href, yours=True, task=task)
    return Step(title, "now", who=say("The others"), href=href, task=say("Sign the Commitment to Quality"))


def own_steps(
    grant: Mapping[str, Any], *, has_account: bool, say: Say, day: Callable[[str | None], str]
) -> list[Step]:
    """What is done, what waits for whom; `grant` as the funding API tells it."""
    if grant["state"] in ENDED:
        return []
    here, gates = f"/grants/{grant['id']}", grant["gates"]
    you, they = say("You"), say("Your partnership")
    who = {"waits_for_visitor": you, "waits_for_partnership": they, "passed": ""}

    def gate(name: str, title: str, href: str, task: str, their_task: str, *, open_now: bool = True) -> Step:
        state = gates[name]["state"]
        if state == "passed":
            return Step(title, "done", at=gates[name]["since"], href=href)
        yours = state == "waits_for_visitor"
        now = open_now or not yours
        return Step(
            title,
            "now" if now else "next",
            who=who[state],
            href=href,
            yours=yours,
            task=task if yours else their_task,
        )

    certain = grant["state"] not in ("awaiting_budget", "needs_review")
    text = "" if certain else grant["sentence"]
    if grant["state"] == "awaiting_budget":
        text = say("The budget is short at the moment. It goes on by itself when money is free.")
    steps = [
        Step(
            say("The amount is set aside for you"),
            "done" if certain else "now",
            text=text,
            who="" if certain else they,
            task=say("Set the amount aside"),
        ),
        gate(
            "agreement",
            say("Financial agreement signed"),
            f"{here}#agreement",
            say("Sign the financial agreement"),
            say("Sign the financial agreement"),
            open_now=certain,
        ),
        Step(
            say("Bank account given"),
            "done" if has_account else "now" if certain else "next",
            who="" if has_account else you,
            href=f"{here}#account",
            yours=not has_account,
            task=say("Say where your lump sum is to be paid"),
        ),
        gate(
            "report",
            say("Report written, and validated"),
            f"{here}/report",
            say("Write the report on your stay"),
            say("Validate your report"),
        ),
        gate(
            "evidence",
            say("Evidence sent, and accepted"),
            f"{here}/evidence",
            say("Send your evidence"),
            say("Accept your evidence"),
        ),
    ]
    return [*steps, _payment(grant, they, say, day)]


def _payment(grant: Mapping[str, Any], they: str, say: Say, day: Callable[[str | None], str]) -> Step:
    title = say("Paid to your account")
    if grant["paid_on"] is not None:
        return Step(title, "done", at=grant["paid_on"])
    task = say("Pay you")
    if grant["state"] in _SENT:
        return Step(title, "now", text=say("The bank has the order."), who=they, task=task)
    if grant["due"] is not None:
        due = say("Due by %s.") % day(grant["due"])
        return Step(title, "now", text=due, who=they, task=task)
    return Step(title, "next", text=say("At the latest ten days after all of the above is there."), who=they)
