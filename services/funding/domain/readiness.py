"""How ready a grant is to be paid: what is missing, from whom, and by when; one line of the board a grant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, get_args

from services.funding.domain.rates import written
from shared.contracts.envelope import Contract
from shared.contracts.funding import Gates
from shared.contracts.vocabulary import GateName, GateState, GrantState

ON_BOARD: Final = (
    GrantState.RESERVED,
    GrantState.COMMITTED,
    GrantState.PAYABLE,
    GrantState.PREPARED,
    GrantState.RELEASED,
)
"""States of cases under way, in their order."""

PAYING: Final = (GrantState.PAYABLE, GrantState.PREPARED, GrantState.RELEASED)
"""States in which the clock of the payment runs."""


class WaitsFor(StrEnum):
    """Who has to do something next."""

    VISITOR = "visitor"
    PARTNERSHIP = "partnership"
    BANK = "bank"


_WAITS: Final = {
    GateState.WAITS_FOR_VISITOR: WaitsFor.VISITOR,
    GateState.WAITS_FOR_PARTNERSHIP: WaitsFor.PARTNERSHIP,
}
_PAYERS: Final = {
    GrantState.PAYABLE: WaitsFor.PARTNERSHIP,
    GrantState.PREPARED: WaitsFor.PARTNERSHIP,
    GrantState.RELEASED: WaitsFor.BANK,
}


class BoardPlace(Contract):
    """Where the board lists a case, and by what it is found there; stored with the grant, and indexed."""

    clock: str
    """The day that matters and the grant's id: those whose time is up come first."""
    due: str | None
    """The same while the payment's clock runs: what is before a day is overdue on it."""
    gates: list[GateName]
    """Those that are open."""
    waits_for: list[WaitsFor]
    """Each once."""
    stands: str
    """State and whom it waits for in one, as the board's totals count it; `counted_as` reads it."""


def counted_as(stands: str) -> tuple[GrantState, list[WaitsFor]]:
    """State and whom a case waits for."""
    state, waits = stands.split("/")
    return GrantState(state), [WaitsFor(one) for one in waits.split("+")]


def board_place(
    id: str, state: GrantState, gates: Gates, *, due: date | None, strict_due: date
) -> BoardPlace | None:
    """The place of a grant; None where nothing is to be paid, or all is."""
    if state not in ON_BOARD:
        return None
    waits = [_WAITS[getattr(gates, name).state] for name in open_gates(gates)]
    if state in _PAYERS:
        waits = [_PAYERS[state]]
    waits = sorted(set(waits))
    return BoardPlace(
        clock=f"{due or strict_due}/{id}",
        due=f"{due}/{id}" if due and state in PAYING else None,
        gates=open_gates(gates),
        waits_for=waits,
        stands=f"{state}/{'+'.join(waits)}",
    )


def open_gates(gates: Gates) -> list[GateName]:
    """Those not passed, in their order."""
    return [name for name in get_args(GateName) if getattr(gates, name).state is not GateState.PASSED]


PREPARE_WITHOUT_ACCOUNT: Final = (
    "The partnership has to prepare the payment, and the visitor to say first to which account."
)


class Missing(NamedTuple):
    """One thing to be done before the money is with the visitor."""

    waits_for: WaitsFor
    sentence: str


def missing(
    state: GrantState,
    gates: Gates,
    *,
    last_day: date,
    today: date,
    match_ended: bool = False,
    has_account: bool = True,
) -> list[Missing]:
    """What has to be done next, and by whom, in plain words; `last_day` is the stay's."""
    if match_ended and state is GrantState.PREPARED:
        return [
            Missing(
                WaitsFor.PARTNERSHIP,
                "The match was cancelled: the partnership has to take it out of the payment.",
            )
        ]
    match state:
        case GrantState.PAYABLE if not has_account:
            return [Missing(WaitsFor.PARTNERSHIP, PREPARE_WITHOUT_ACCOUNT)]
        case GrantState.PAYABLE:
            return [Missing(WaitsFor.PARTNERSHIP, "The partnership has to prepare the payment.")]
        case GrantState.PREPARED:
            return [
                Missing(
                    WaitsFor.PARTNERSHIP, "Another officer of the partnership has to release the payment."
                )
            ]
        case GrantState.RELEASED:
            return [Missing(WaitsFor.BANK, "The bank has to carry the payment out, and say so.")]
        case _:
            return list(_at_gates(gates, last_day, last_day >= today))


def _at_gates(gates: Gates, last_day: date, stays: bool) -> Iterator[Missing]:
    for name in open_gates(gates):
        waits_for = _WAITS[getattr(gates, name).state]
        match name, waits_for:
            case "agreement", WaitsFor.VISITOR:
                sentence = "The visitor has to sign the financial agreement."
            case "agreement", _:
                sentence = "The partnership has to sign the financial agreement."
            case "report", WaitsFor.VISITOR if stays:
                sentence = f"The visitor reports after the stay, which ends on {written(last_day)}."
            case "report", WaitsFor.VISITOR:
                sentence = "The visitor has to send the report."
            case "report", _:
                sentence = "The partnership has to validate the report, or to return it."
            case _, WaitsFor.VISITOR if stays:
                sentence = "The visitor hands in evidence after the stay."
            case _, WaitsFor.VISITOR:
                sentence = "The visitor has to hand in evidence of the stay."
            case _:
                sentence = "The partnership has to accept the evidence, or to return it."
        yield Missing(waits_for, sentence)


class Clock(NamedTuple):
    """How much time is left for the payment, in days; negative when it is over."""

    due: date | None
    """Ten calendar days after the last gate; None while one is open."""
    strict_due: date
    """By the stricter reading: ten days after the stay's last day."""
    days_left: int
    """To `due`, while there is none to `strict_due`."""
    overdue: bool
    """Whether `due` is over: all gates are passed and the money is not with the visitor."""


def clock(state: GrantState, *, due: date | None, strict_due: date, today: date) -> Clock:
    """What the clock of a case shows on a day."""
    counted_to = due or strict_due
    overdue = state in PAYING and due is not None and due < today
    return Clock(due, strict_due, (counted_to - today) // timedelta(days=1), overdue)
