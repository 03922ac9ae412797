"""Every page of the console: who may see it; the tests of all pages go through this list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Who = Literal["anybody", "participant", "host", "staff", "officer", "support_office", "auditor"]
"""`participant` owns the visitor's registration of the case, `host` the other side's; `staff` work for
HempClub, and so does `officer`, who is somebody else."""

EVERYBODY: Final[tuple[Who, ...]] = (
    "anybody",
    "participant",
    "host",
    "staff",
    "officer",
    "support_office",
    "auditor",
)
PEOPLE: Final = EVERYBODY[1:]
BOTH_SIDES: Final[tuple[Who, ...]] = ("participant", "host")
DESK: Final[tuple[Who, ...]] = ("staff", "officer")
OVERSEERS: Final[tuple[Who, ...]] = ("support_office", "auditor")


@dataclass(frozen=True)
class Shown:
    """A page. `path` may name what the sample programme has: `{registration}`, `{match}`, `{grant}`,
    `{payment}`, `{host_registration}`, `{partnership}`; conftest.py says which there are."""

    path: str
    who: tuple[Who, ...]
    """Who sees it; anybody else is refused, or signs in first."""
    like: str | None = None
    """Of pages that look alike, the one that is looked at in a browser; the others only by their status."""
    leads_on: bool = False
    """Leads others to a page of theirs."""

    @property
    def id(self) -> str:
        """The path as tests name it."""
        return self.path.strip("/") or "home"


CHECKED: Final = "?roles=visitor&kind=sme&country=PT&membership=cluster&ecosystems=textile"
CALCULATED: Final = (
    "?visitor_city=Lisbon&visitor_country=PT&host_city=Milan&host_country=IT"
    "&first_day=2023-02-14&last_day=2023-02-18&travel=240&living=500"
)

PAGES: Final[tuple[Shown, ...]] = (
    # for everybody
    Shown("/", EVERYBODY),
    Shown("/programmes/{partnership}", EVERYBODY),
    Shown("/map", EVERYBODY),
    Shown("/check", EVERYBODY, like="/check" + CHECKED),
    Shown("/check" + CHECKED, EVERYBODY),
    Shown("/calculator", EVERYBODY, like="/calculator" + CALCULATED),
    Shown("/calculator" + CALCULATED, EVERYBODY),
    # the desk: what waits, registrations, matches, messages
    Shown("/today", DESK + OVERSEERS),
    Shown("/today/registration", DESK + OVERSEERS),
    Shown("/registrations", DESK + OVERSEERS, like="/registrations?waiting_for=staff"),
    Shown("/registrations?waiting_for=staff", DESK + OVERSEERS),
    Shown("/registrations.csv", DESK + OVERSEERS, like="/registrations?waiting_for=staff"),
    Shown("/duplicates", DESK + OVERSEERS),
    Shown("/decisions", DESK + OVERSEERS),
    Shown("/imports", DESK + OVERSEERS),
    Shown("/matches", PEOPLE),
    Shown("/matches?step=agreed", PEOPLE, like="/matches"),
    Shown("/notifications", DESK + OVERSEERS),
    Shown("/previews", DESK + OVERSEERS),
    Shown("/suppressions", DESK + OVERSEERS),
    # the search over everything, and who did what
    Shown("/cases", DESK + OVERSEERS),
    Shown("/cases?what=exchanges", DESK + OVERSEERS),
    Shown("/audit", DESK + OVERSEERS),
    Shown("/audit?what=happenings", DESK + OVERSEERS),
    # from finding a partner to the money
    Shown("/catalogue", PEOPLE),
    Shown("/catalogue?side=visitors&country=IT", PEOPLE),
    Shown("/catalogue/{host_registration}?side=hosts", PEOPLE),
    Shown("/registrations/{registration}/suggestions", ("participant", *DESK, *OVERSEERS)),
    Shown("/matches/new?visitor={registration}&host={host_registration}", ("participant",)),
    Shown("/matches/{match}", PEOPLE),
    Shown("/matches/{match}/commitment", PEOPLE),
    Shown("/matches/{match}/commitment.pdf", PEOPLE, like="/matches/{match}/commitment"),
    Shown("/grants/{grant}", ("participant", *DESK, *OVERSEERS)),
    Shown("/grants/{grant}/agreement.pdf", ("participant", *DESK, *OVERSEERS), like="/grants/{grant}"),
    Shown("/grants/{grant}/report", ("participant", *DESK, *OVERSEERS)),
    Shown("/grants/{grant}/evidence", ("participant", *DESK, *OVERSEERS)),
    Shown("/grants/{grant}/certificate.pdf", PEOPLE, like="/grants/{grant}"),
    # the desk: plans, group events, money
    Shown("/plans", DESK + OVERSEERS),
    Shown("/plans/new", DESK + OVERSEERS),
    Shown("/plans/compare", DESK + OVERSEERS),
    Shown("/group-events", EVERYBODY),
    Shown("/group-events/new", DESK),
    Shown("/money", DESK + OVERSEERS),
    Shown("/money/ahead", DESK + OVERSEERS),
    Shown("/readiness", DESK + OVERSEERS),
    Shown("/grants", PEOPLE),
    Shown("/grants/{grant}/settlement", DESK + OVERSEERS),
    Shown("/payments", DESK + OVERSEERS),
    Shown("/payments/{payment}", DESK + OVERSEERS),
    Shown("/partnerships/{partnership}/ledger", DESK + OVERSEERS),
    Shown("/partnerships/{partnership}/forecast", DESK + OVERSEERS),
    Shown("/partnerships/{partnership}/report", DESK + OVERSEERS),
    Shown("/reports", DESK + OVERSEERS),
    # organisations: registering and their own data
    Shown("/home", BOTH_SIDES, leads_on=True),
    Shown("/registrations/new", BOTH_SIDES),
    Shown("/drafts", BOTH_SIDES),
    *(
        Shown(f"/drafts/{{draft}}/{step}?look=1", ("participant",))
        for step in ("who", "where", "what", "when", "how", "check", "discard")
    ),
    Shown("/registrations/{registration}", ("participant", *DESK, *OVERSEERS)),
    Shown("/registrations/{host_registration}", (*DESK, *OVERSEERS, "host")),
    Shown("/registrations/{registration}/versions/1", ("participant", *DESK, *OVERSEERS)),
    Shown("/registrations/{registration}/amend", ("participant",)),
    Shown("/registrations/{registration}/withdraw", ("participant",)),
    Shown("/my-data", BOTH_SIDES),
    Shown("/my-data/{registration}", ("participant",)),
    Shown("/my-data/{registration}/held.json", ("participant",), like="/my-data/{registration}"),
    Shown("/my-data/{registration}/held.zip", ("participant",), like="/my-data/{registration}"),
    Shown("/my-data/{registration}/erase", ("participant",)),
    # signing in, what one is told, and operations
    Shown("/signed-out", EVERYBODY),
    Shown("/inbox", (*BOTH_SIDES, *DESK)),
    Shown("/inbox?archived=true", (*BOTH_SIDES, *DESK), like="/inbox"),
    Shown("/wishes", (*BOTH_SIDES, *DESK)),
    Shown("/webhooks", DESK + OVERSEERS),
    Shown("/operations", ("support_office",)),
    Shown("/operations/queues", ("support_office",)),
    Shown("/operations/dead-letters", ("support_office",)),
)
