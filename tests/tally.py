"""A service small enough to test the machinery with: it counts approved matches by host."""

from __future__ import annotations

from typing import ClassVar

from shared.aggregate import Aggregate
from shared.contracts.common import Receipt
from shared.contracts.envelope import CloudEvent
from shared.contracts.funding import GrantNeedsReview
from shared.contracts.matching import MatchApproved
from shared.contracts.registration import Submission
from shared.errors import RuleBroken
from shared.messaging.handlers import Handlers
from shared.storage.store import Store
from shared.storage.unit_of_work import Repository, UnitOfWork


class Tally(Aggregate):
    """How many matches a host has had."""

    COLLECTION: ClassVar[str] = "tallies"

    matches: list[str] = []

    def count(self, event: MatchApproved) -> None:
        """Count one match; a second time it is an error, which shows doubled effects."""
        if event.match_id in self.matches:
            raise RuleBroken(f"Match {event.match_id} is counted already.")
        self.matches.append(event.match_id)
        self._record(
            GrantNeedsReview(
                grant_id=self.id,
                match_id=event.match_id,
                partnership="hempclub",
                visitor=event.visitor,
                host=event.host,
                stay=event.stay,
                receipt=Receipt(rule_set="tally", sentence=f"Match number {len(self.matches)}."),
            )
        )

    def count_and_stumble(self, event: MatchApproved) -> None:
        """Change something, then fail: what is left behind must not be stored."""
        self.count(event)
        raise RuntimeError("stumbled half way")


class Tallies(Repository[Tally]):
    """All tallies, by host."""

    model = Tally


class TallyUnitOfWork(UnitOfWork):
    """The tally service's unit of work."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, service="funding")
        self.tallies = Tallies(self)


handlers: Handlers[TallyUnitOfWork] = Handlers("funding")


@handlers.on(MatchApproved)
async def on_match_approved(event: MatchApproved, uow: TallyUnitOfWork) -> None:
    """Count it; a visitor named 'Refuse' fails before any change, one named 'Stumble' half way."""
    if event.visitor.organisation == "Refuse":
        raise RuleBroken("Refused before anything was changed.")
    tally = await uow.tallies.find(event.host.registration_id)
    if tally is None:
        tally = Tally(id=event.host.registration_id)
        uow.tallies.add(tally)
    if event.visitor.organisation == "Stumble":
        tally.count_and_stumble(event)
    tally.count(event)


@handlers.on_enveloped(Submission)
async def on_submission(event: Submission, uow: TallyUnitOfWork, envelope: CloudEvent) -> None:
    """Count a registration under its subject."""
    if envelope.subject is None:
        raise RuleBroken("Name your registration in 'subject'.")
    uow.tallies.add(Tally(id=envelope.subject, version=1))
