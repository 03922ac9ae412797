"""The attendance certificate of a stay: who was where and when, once the report on it is validated."""

from __future__ import annotations

from datetime import date, datetime

from services.funding.domain.grant import Grant
from shared.contracts.common import Party
from shared.contracts.envelope import Contract
from shared.contracts.vocabulary import GateState, GrantState
from shared.errors import CxcError, RuleBroken

_DID_NOT_TAKE_PLACE = (GrantState.CANCELLED,)


class NotAttendedYet(RuleBroken):
    """Attendance is certified once the report is validated, and only of a stay that took place."""

    code = "not-attended-yet"


class NamesErased(CxcError):
    """A certificate names both organisations; the name of one was erased."""

    code = "names-erased"
    status = 410
    title = "Erased"


class Attended(Contract):
    """One side of the stay."""

    organisation: str
    city: str
    country: str
    partnership: str | None
    """The name of the partnership that managed it."""


class Certificate(Contract):
    """What is certified; nothing of it is of the moment it is printed."""

    match_id: str
    visitor: Attended
    host: Attended
    first_day: date
    last_day: date
    working_days: int | None
    issuer: str
    """The name of the partnership that validated the report."""
    issued_at: datetime
    """When it did."""

    @classmethod
    def of(cls, grant: Grant, names: dict[str, str]) -> Certificate:
        """The certificate for a grant's stay; `names` are those of the partnerships.

        Raises `NotAttendedYet`, and `NamesErased`.
        """
        if grant.state in _DID_NOT_TAKE_PLACE or grant.match_ended is not None:
            raise NotAttendedYet(f"Match {grant.match_id} was cancelled: there is no attendance to certify.")
        report = grant.gates.report
        if report.state is not GateState.PASSED:
            whose = "visitor" if report.state is GateState.WAITS_FOR_VISITOR else "visitor's partnership"
            raise NotAttendedYet(
                "The certificate is issued when the report on the stay is validated; at present that waits "
                f"for the {whose}."
            )
        if grant.erased:
            raise NamesErased(
                "A certificate names both organisations, and the data of one of them were erased."
            )
        return cls(
            match_id=grant.match_id,
            visitor=_attended(grant.visitor, names),
            host=_attended(grant.host, names),
            first_day=grant.days.first_day,
            last_day=grant.days.last_day,
            working_days=grant.lump_sum.working_days if grant.lump_sum else None,
            issuer=names.get(grant.partnership, grant.partnership),
            issued_at=report.since,
        )


def _attended(party: Party, names: dict[str, str]) -> Attended:
    return Attended(
        organisation=party.organisation,
        city=party.place.city,
        country=party.place.country,
        partnership=names.get(party.partnership, party.partnership) if party.partnership else None,
    )
