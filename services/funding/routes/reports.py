"""The visitor's report on its stay: write, submit, return, validate."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Self

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.funding.domain.grant import Grant
from services.funding.domain.lump_sum import LumpSum
from services.funding.domain.report import Report, ReportForm, ReportState
from services.funding.domain.stay import AcceptedDay, DayOfStay
from services.funding.repositories import FundingUnitOfWork
from services.funding.routes.root import Root, change
from services.funding.use_cases.return_report import return_report
from services.funding.use_cases.save_report import save_report
from services.funding.use_cases.submit_report import submit_report
from services.funding.use_cases.validate_report import Validation, preview_validation, validate_report
from shared.contracts.common import Window
from shared.contracts.registration import FieldProblem
from shared.contracts.vocabulary import BlankIsNone, Line, NotTruth, Text
from shared.http import Authenticated, problem_responses
from shared.security import Caller

router = APIRouter(tags=["reports"])


class ReportView(BaseModel):
    """A report, and where it stands."""

    grant_id: str
    state: ReportState
    edition: int
    """Counts what was saved, submitted and returned; saving and validating name the one they are based on."""
    planned: Window
    """The days the match was approved for."""
    form: ReportForm | None
    """What is written; null for all but the visitor before it was first submitted."""
    lacks: list[FieldProblem]
    """What keeps it from being submitted, by JSON pointers into the form; empty once nothing does."""
    submitted_at: datetime | None
    returned_because: str | None
    """What is to be corrected."""
    accepted_days: list[AcceptedDay]
    """Saturdays, Sundays and holidays that were counted when it was validated."""
    validated_at: datetime | None

    @classmethod
    def of(cls, report: Report, grant: Grant, caller: Caller) -> Self:
        """The report as this caller sees it."""
        shown = report.seen or caller.acts_for(grant.visitor.owner)
        return cls(
            grant_id=report.grant_id,
            state=report.state,
            edition=report.edition,
            planned=grant.stay,
            form=report.form if shown else None,
            lacks=report.form.lacks() if shown else [],
            submitted_at=report.submitted_at,
            returned_because=report.returned_because,
            accepted_days=report.accepted_days,
            validated_at=report.validated_at,
        )


Edition = Annotated[int, Field(ge=0), NotTruth]


class ReportSent(ReportForm):
    """The report as far as it is written; it takes the place of what was saved before."""

    edition: Annotated[Edition | None, BlankIsNone] = None
    """The one that was read: another one by now is refused. Left out, it is saved all the same."""

    @property
    def form(self) -> ReportForm:
        """Without what is not of the report."""
        return ReportForm(**{name: getattr(self, name) for name in ReportForm.model_fields})


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReturnSent(_Sent):
    """What is to be corrected."""

    reason: Annotated[Text, StringConstraints(min_length=1, max_length=2000)]


class AcceptedDaySent(_Sent):
    """A Saturday, Sunday or holiday that counts as a working day."""

    day: DayOfStay
    reason: Line


class ValidationSent(_Sent):
    """What is validated, and on which days it was worked."""

    edition: Edition
    """The edition of the report that was read: another one by now is refused."""
    accepted_days: Annotated[list[AcceptedDaySent], Field(max_length=31)] = []
    """Days of the stay that count although they are no working days, with the reason.

    What was accepted before stays so, unless a settlement says `no_longer_accepted`."""

    @property
    def days(self) -> list[AcceptedDay]:
        """As the lump sum takes them."""
        return [AcceptedDay(day=day.day, reason=day.reason) for day in self.accepted_days]


class ValidationPreview(BaseModel):
    """What validating the report now would do to the lump sum; nothing is stored."""

    planned: Window
    real: Window
    amount_before: Decimal | None
    """EUR; null where none is certain."""
    amount: Decimal | None
    """EUR; 0.00 where nothing would be due, null where a person must settle it first."""
    changes: bool
    """Whether it is computed again at all."""
    difference: str
    """What changes, and why, in plain words."""
    covered: bool
    """Whether the budget has what it is more; if not, validating is refused."""
    not_counted: list[date]
    """Days with a programme, as the report says, that are no working days and not accepted here."""
    lump_sum: LumpSum
    """The calculation, day by day, with its receipt."""

    @classmethod
    def of(cls, validation: Validation) -> Self:
        """The preview as it is sent."""
        return cls(
            planned=validation.planned,
            real=validation.real,
            amount_before=validation.before,
            amount=validation.after.amount,
            changes=validation.changes,
            difference=validation.difference,
            covered=validation.covered,
            not_counted=validation.claimed,
            lump_sum=validation.after,
        )


@router.get(
    "/grants/{id}/report",
    summary="Read the report",
    response_description="The report, an empty one where nothing is written yet.",
    responses=problem_responses(401, 404),
)
async def read(id: str, caller: Authenticated, funding: Root) -> ReportView:
    """For whoever may see the grant: the visitor, staff of both partnerships, support office, auditors.

    What is written is the visitor's alone until it is first submitted.
    """

    async def current(uow: FundingUnitOfWork) -> ReportView:
        grant = await uow.grants.get_visible_to(caller, id)
        return ReportView.of(await uow.reports.of(grant), grant, caller)

    return await funding.transactions.read(current)


@router.put(
    "/grants/{id}/report",
    summary="Save the report",
    response_description="The report as it is saved, with what it lacks.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def save(
    id: str, sent: ReportSent, caller: Authenticated, funding: Root, request: Request
) -> ReportView:
    """As a draft, as often as one likes, before, during and after the stay; for the visitor.

    The days are those at the host as they were, travel excluded. Dates and lengths are checked at once;
    what is missing is only listed, in `lacks`.
    """

    async def saved(uow: FundingUnitOfWork) -> ReportView:
        report = await save_report(uow, id, sent.form, edition=sent.edition, by=caller)
        return ReportView.of(report, await uow.grants.get(id), caller)

    return await change(funding, request, saved)


@router.post(
    "/grants/{id}/report/submission",
    summary="Submit the report",
    response_description="The report, with the partnership now.",
    responses=problem_responses(401, 403, 404, 409),
)
async def submit(id: str, caller: Authenticated, funding: Root, request: Request) -> ReportView:
    """For the visitor, from the stay's last day on; what it lacks is a 409 whose `errors` say where."""

    async def submitted(uow: FundingUnitOfWork) -> ReportView:
        report = await submit_report(uow, id, by=caller)
        return ReportView.of(report, await uow.grants.get(id), caller)

    return await change(funding, request, submitted)


@router.post(
    "/grants/{id}/report/return",
    summary="Return the report",
    response_description="The report, with the visitor again.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def send_back(
    id: str, sent: ReturnSent, caller: Authenticated, funding: Root, request: Request
) -> ReportView:
    """To be corrected, with the reason; for staff of the visitor's partnership.

    Also one that is validated, until the amount is in a payment: the exchange counts no longer then.
    """

    async def returned(uow: FundingUnitOfWork) -> ReportView:
        report = await return_report(uow, id, sent.reason, by=caller)
        return ReportView.of(report, await uow.grants.get(id), caller)

    return await change(funding, request, returned)


@router.post(
    "/grants/{id}/report/validation/preview",
    summary="Preview the validation",
    response_description="The lump sum on the real days beside the one before, and the difference.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def preview(id: str, sent: ValidationSent, caller: Authenticated, funding: Root) -> ValidationPreview:
    """What `validation` with the same body would do now; for staff of the visitor's partnership."""
    return ValidationPreview.of(
        await funding.transactions.read(
            lambda uow: preview_validation(uow, id, edition=sent.edition, accepted_days=sent.days, by=caller)
        )
    )


@router.post(
    "/grants/{id}/report/validation",
    summary="Validate the report",
    response_description="The validated report; the grant says what became of the lump sum.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def validate(
    id: str, sent: ValidationSent, caller: Authenticated, funding: Root, request: Request
) -> ReportView:
    """The exchange counts, and the lump sum is computed on the real days; for staff of its partnership.

    Where the days are those it was computed on, it stays what it is. A larger amount has to be in the
    budget. Days that are no working days count if they are accepted here, each with a reason.
    """

    async def validated(uow: FundingUnitOfWork) -> ReportView:
        report = await validate_report(uow, id, edition=sent.edition, accepted_days=sent.days, by=caller)
        return ReportView.of(report, await uow.grants.get(id), caller)

    return await change(funding, request, validated)
