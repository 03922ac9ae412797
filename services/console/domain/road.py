"""The way of a lump sum from the approved match to the payment: what is done, what is now, what comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

Kind = Literal["done", "now", "next", "late"]
Say = Callable[[str], str]
"""A sentence in the reader's language, or a day as its readers write it."""

_ENDED: Final = ("refused", "cancelled")
_MONEY: Final = ("committed", "payable", "prepared", "released", "paid", "recovered")
"""States in which the amount is promised, in their order."""


@dataclass(frozen=True)
class Step:
    """One step, as a timeline shows it."""

    title: str
    kind: Kind
    at: str | None = None
    text: str = ""
    who: str = ""
    href: str | None = None


def road(grant: Mapping[str, Any], *, today: date, say: Say, day: Say) -> list[Step]:
    """The steps of one lump sum, in their order; `grant` as the funding API tells it."""
    id, state = grant["id"], grant["state"]
    if state in _ENDED:
        refused = state == "refused"
        ended = say("Nothing is paid for this visit") if refused else say("The match was cancelled")
        return [Step(ended, "done", text=grant["reason"] or grant["sentence"])]
    last_day = (grant["real_stay"] or grant["stay"])["last_day"]
    handed_in = grant["gates"]["report"]["state"] != "waits_for_visitor"
    over = handed_in or date.fromisoformat(last_day) < today
    signed, validated, accepted = (
        say("Financial agreement signed by both"),
        say("Report validated"),
        say("Evidence accepted"),
    )
    steps = [
        _reserved(grant, say),
        _gate(grant, "agreement", signed, f"/grants/{id}#agreement", say),
        Step(say("The stay"), "done" if over else "next", at=last_day),
        _gate(grant, "report", validated, f"/grants/{id}/report", say),
        _gate(grant, "evidence", accepted, f"/grants/{id}/evidence", say),
    ]
    steps += _payment(grant, say, day)
    return _with_one_now(steps)


def _reserved(grant: Mapping[str, Any], say: Say) -> Step:
    if grant["state"] == "awaiting_budget":
        return Step(
            say("Waits for budget"),
            "now",
            text=say("The budget is short; it goes on by itself when money is freed."),
        )
    if grant["state"] == "needs_review":
        return Step(
            say("The amount needs a decision"),
            "now",
            text=grant["sentence"],
            who=say("the partnership"),
            href=f"/grants/{grant['id']}/settlement",
        )
    return Step(say("Money reserved"), "done")


def _gate(grant: Mapping[str, Any], name: str, title: str, href: str, say: Say) -> Step:
    gate = grant["gates"][name]
    if gate["state"] == "passed":
        return Step(title, "done", at=gate["since"], href=href)
    waits = {
        "waits_for_visitor": say("waits for the visitor"),
        "waits_for_partnership": say("waits for the partnership"),
    }
    kind: Kind = "now" if gate["state"] == "waits_for_partnership" else "next"
    return Step(title, kind, who=waits[gate["state"]], href=href)


def _payment(grant: Mapping[str, Any], say: Say, day: Say) -> list[Step]:
    state = grant["state"]
    reached = _MONEY.index(state) if state in _MONEY else -1
    href = f"/payments/{grant['payment_id']}" if grant["payment_id"] else "/payments"

    def kind(done_at: str, now_at: str) -> Kind:
        if reached >= _MONEY.index(done_at):
            return "done"
        return "now" if state == now_at else "next"

    return [
        Step(say("Payment prepared"), kind("prepared", "payable"), href=href, text=_due(grant, say, day)),
        Step(say("Released by a second officer"), kind("released", "prepared"), href=href),
        Step(say("Paid, as the bank says"), kind("paid", "released"), at=grant["paid_on"], href=href),
    ]


def _due(grant: Mapping[str, Any], say: Say, day: Say) -> str:
    return say("To be paid by %s") % day(grant["due"]) if grant["due"] and not grant["paid_on"] else ""


def _with_one_now(steps: list[Step]) -> list[Step]:
    """Where nothing waits for the partnership, the first step that is not done is the one it is about."""
    if any(step.kind == "now" for step in steps):
        return steps
    first = next((number for number, step in enumerate(steps) if step.kind == "next"), None)
    if first is None:
        return steps
    now = steps[first]
    return [
        *steps[:first],
        Step(now.title, "now", now.at, now.text, now.who, now.href),
        *steps[first + 1 :],
    ]
