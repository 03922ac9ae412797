"""From a lump sum reserved to the money in the bank: both sign, the visitor reports, two officers pay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple

from fpdf import FPDF

from ops.demo.bank import booked
from ops.demo.people import People
from ops.platform import Platform
from shared.contracts.funding import GrantReserved
from shared.contracts.vocabulary import COUNTRIES, Goal

DAYS_AHEAD: Final = 730
"""So far ahead of the calendar the funding service of the demo lives: all stays are over by then."""
# The registry of IBANs gives it as its example; where the money would go if there were any.
_IBAN: Final = "DE89 3704 0044 0532 0130 00"


class PaidFile(NamedTuple):
    """A payment the bank has booked."""

    partnership: str
    message_id: str
    total: str
    grants: int
    answer: str
    """What the platform said to the bank's answer."""


async def bring_to_payment(
    people: People, platform: Platform, grants: Sequence[GrantReserved], told: Callable[[], None]
) -> list[PaidFile]:
    """All that has to happen before these are paid, and the payment; one file for each partnership."""
    paid: list[PaidFile] = []
    by_partnership = sorted(grants, key=lambda grant: grant.partnership)
    for partnership, due in groupby(by_partnership, key=lambda grant: grant.partnership):
        ids: list[str] = []
        for grant in due:
            await open_gates(people, platform, grant)
            ids.append(grant.grant_id)
            told()
        paid.append(await _pay(people, platform.api_url("funding"), partnership, ids))
    return paid


async def open_gates(people: People, platform: Platform, grant: GrantReserved) -> None:
    """Account and financial agreement, report, evidence: what the visitor gives, its partnership accepts."""
    url = f"{platform.api_url('funding')}/grants/{grant.grant_id}"
    visitor, staff = people.organisation(grant.visitor), people.staff(grant.partnership)
    await people.call("PUT", f"{url}/bank-account", visitor, json=_account(grant))
    agreement = (await people.call("GET", f"{url}/agreement", visitor)).json()
    for signer in (visitor, staff):
        await people.call("POST", f"{url}/agreement/signatures", signer, json={"sha256": agreement["sha256"]})
    await people.call("PUT", f"{url}/report", visitor, json=_report(grant))
    await people.call("POST", f"{url}/report/submission", visitor)
    report = (await people.call("GET", f"{url}/report", staff)).json()
    await people.call("POST", f"{url}/report/validation", staff, json={"edition": report["edition"]})
    pages = _attendance_list(grant)
    about = {"kind": "attendance_list", "name": "attendance.pdf"}
    await people.call("POST", f"{url}/evidence", visitor, params=about, content=pages)
    await people.call("POST", f"{url}/evidence/submission", visitor)
    evidence = (await people.call("GET", f"{url}/evidence", staff)).json()
    await people.call("POST", f"{url}/evidence/acceptance", staff, json={"edition": evidence["edition"]})


async def _pay(people: People, funding: str, partnership: str, ids: Sequence[str]) -> PaidFile:
    """One officer prepares, another releases; the bank takes the file and says what it booked."""
    preparing = people.staff(partnership, "payments-preparing")
    releasing = people.staff(partnership, "payments-releasing")
    payment = (await people.call("POST", f"{funding}/payments", preparing, json={"grants": list(ids)})).json()
    url = f"{funding}/payments/{payment['id']}"
    payment = (await people.call("POST", f"{url}/release", releasing, json={})).json()
    file = (await people.call("GET", f"{url}/pain.001.xml", releasing)).content
    answer = await people.call(
        "POST",
        f"{funding}/payments/bank-answers",
        releasing,
        content=booked(file, date.fromisoformat(payment["execute_on"])),
        headers={"Content-Type": "application/xml"},
    )
    return PaidFile(
        partnership=partnership,
        message_id=payment["message_id"],
        total=payment["total"],
        grants=payment["grants"],
        answer=answer.json()["sentence"],
    )


def _account(grant: GrantReserved) -> dict[str, Any]:
    place = grant.visitor.place
    return {
        "holder": grant.visitor.organisation,
        "address": {
            "street": "1 Sample Street",
            "town": place.city,
            "post_code": "0000",
            "country": place.country,
        },
        "iban": _IBAN,
    }


def _report(grant: GrantReserved) -> dict[str, Any]:
    stay = grant.stay
    days = [stay.first_day + timedelta(days=n) for n in range((stay.last_day - stay.first_day).days + 1)]
    host = f"{grant.host.organisation}, {COUNTRIES[grant.host.place.country]}"
    return {
        "first_day": str(stay.first_day),
        "last_day": str(stay.last_day),
        "goals": [{"goal": Goal.LEARN_FROM_CLUSTER, "reached": "fully", "how": "Saw how the cluster works."}],
        "activities": [{"day": str(day), "what": f"Work with {host}."} for day in days],
        "results": "A plan for two joint projects.",
        "satisfaction": 5,
    }


def _attendance_list(grant: GrantReserved) -> bytes:
    page = FPDF()
    page.add_page()
    page.set_font("helvetica", size=12)
    page.write(
        text=f"Attendance list, grant {grant.grant_id}, {grant.stay.first_day} to {grant.stay.last_day}"
    )
    return bytes(page.output())
