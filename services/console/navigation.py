"""What the top of every page offers whoever looks at it."""

from __future__ import annotations

from typing import Final, NamedTuple

from services.console.people import Person


def _(sentence: str) -> str:
    # Marks what is told to people; it is translated where it is written.
    return sentence


class Entry(NamedTuple):
    """One page, and where it is; pages below it belong to it."""

    label: str
    href: str
    below: tuple[str, ...] = ()
    """Where else pages that belong to it are."""
    counted: bool = False
    """Whether it says how much is unread."""

    def leads_to(self, path: str) -> bool:
        """Whether a page belongs to this entry."""
        return any(path == own or path.startswith(f"{own}/") for own in (self.href, *self.below))


PUBLIC: Final = (
    Entry(_("The programme"), "/", ("/programmes",)),
    Entry(_("Check yourself"), "/check"),
    Entry(_("What you would get"), "/calculator"),
    Entry(_("Events"), "/group-events"),
    Entry(_("Map"), "/map"),
)
PARTICIPANT: Final = (
    Entry(_("Home"), "/home", ("/registrations", "/drafts", "/invitations")),
    Entry(_("Find partners"), "/catalogue"),
    Entry(_("My exchanges"), "/matches", ("/grants",)),
    Entry(_("Events"), "/group-events"),
    Entry(_("Messages"), "/inbox", ("/messages", "/wishes"), counted=True),
    Entry(_("My data"), "/my-data"),
)
STAFF: Final = (
    Entry(_("Today"), "/today"),
    Entry(_("Cases"), "/cases"),
    Entry(_("Registrations"), "/registrations", ("/imports", "/duplicates", "/decisions")),
    Entry(_("Matches"), "/matches"),
    Entry(_("Plans"), "/plans"),
    Entry(_("Events"), "/group-events"),
    Entry(_("Money"), "/money", ("/grants", "/payments", "/readiness", "/partnerships", "/reports")),
    Entry(_("Messages"), "/notifications", ("/inbox", "/wishes", "/previews", "/webhooks", "/suppressions")),
    Entry(_("Audit"), "/audit"),
)
EXTERNAL: Final = (Entry(_("Webhooks"), "/webhooks"),)
OPERATIONS: Final = Entry(_("Operations"), "/operations")


def entries_for(person: Person | None) -> tuple[Entry, ...]:
    """What somebody finds at the top of a page."""
    if person is None:
        return PUBLIC
    if person.is_participant:
        return PARTICIPANT
    if person.operates:
        return (*STAFF, OPERATIONS)
    if person.is_staff or person.oversees:
        return STAFF
    return (*PUBLIC, *EXTERNAL)


def current(entries: tuple[Entry, ...], path: str) -> Entry | None:
    """The entry a page belongs to; the most particular one."""
    fitting = [entry for entry in entries if entry.leads_to(path)]
    return max(fitting, key=lambda entry: len(entry.href), default=None)
