"""Stays and units of work that the funding tests start from."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from services.funding.domain.lump_sum import LumpSum, lump_sum
from services.funding.domain.stay import Stay
from services.funding.repositories import FundingUnitOfWork
from services.funding.rules_on_file import policies_in
from shared.contracts.common import Place, Window
from shared.contracts.matching import MatchApproved
from shared.contracts.vocabulary import Ecosystem
from shared.partnerships import Partnership, Partnerships, StaffContact
from tests.builders import a_host_party, a_party, an_approved_match
from tests.fakes import MemoryTransactions

POLICIES = policies_in()

LISBON = {"city": "Lisbon", "country": "PT"}


def stay_facts(**changes: Any) -> dict[str, Any]:
    """Lisbon to Milan, Monday to Friday without a holiday, as JSON: the full rate of EUR 900."""
    return {
        "host_country": "IT",
        "host_place": {"city": "Milan", "country": "IT"},
        "visitor_place": LISBON,
        "visitor_country": "PT",
        "first_day": "2023-02-13",
        "last_day": "2023-02-17",
        **changes,
    }


def a_lump_sum(**changes: Any) -> LumpSum:
    """The answer for that stay, with changes."""
    return lump_sum(Stay.model_validate(stay_facts(**changes)), POLICIES)


def hosted_in(country: str, city: str, **changes: Any) -> LumpSum:
    """The answer for a visitor from Lisbon in this city, Monday to Friday."""
    return a_lump_sum(host_country=country, host_place={"city": city, "country": country}, **changes)


def a_partnership(id: str = "hempclub", *, budget: str = "64000.00") -> Partnership:
    """A partnership with this budget in EUR, and HempClub's objective."""
    return Partnership(
        id=id,
        name=id.title(),
        ecosystems=[Ecosystem.TEXTILE],
        staff=[StaffContact(email=f"staff@{id}.example")],
        budget=Decimal(budget),
        objective=80,
        done=23,
    )


def transactions(*partnerships: Partnership) -> MemoryTransactions[FundingUnitOfWork]:
    """Units of work of the funding service on a database in memory."""
    known = Partnerships(partnerships or [a_partnership()])
    return MemoryTransactions(lambda store: FundingUnitOfWork(store, policies=POLICIES, partnerships=known))


def a_match(
    match_id: str, *, full: bool = True, country: str = "IT", city: str = "Milan", payer: str = "hempclub"
) -> MatchApproved:
    """An approved match of five working days (the full rate), or of three (half of it)."""
    last_day = date(2023, 2, 17) if full else date(2023, 2, 15)
    return an_approved_match(
        match_id,
        visitor=a_party(f"visitor-{match_id}", partnership=payer),
        host=a_host_party(f"host-{match_id}", place=Place(country=country, city=city)),
        stay=Window(first_day=date(2023, 2, 13), last_day=last_day),
    )
