"""Someone asks what the registration service holds about a registration."""

from __future__ import annotations

from typing import Any

from services.registration.domain.registration import Cv
from services.registration.repositories import RegistrationUnitOfWork
from shared.held import UNTIL_ERASED, Kind, nothing_held, require_may_know
from shared.security import Caller


async def tell_what_is_held(uow: RegistrationUnitOfWork, registration_id: str, *, by: Caller) -> list[Kind]:
    """What it said and says, what was decided and found, and its use of the one visit; raises `NotFound`."""
    registration = await uow.registrations.find(registration_id)
    if registration is None:
        raise nothing_held("registration", registration_id)
    require_may_know(by, [registration.party], "registration", registration_id)
    versions = await uow.sent_versions.of(registration_id)
    pairs = await uow.duplicates.of(registration_id)
    merges = await uow.merges.of(registration_id)
    rows = [
        row.model_dump(mode="json")
        for rows in await uow.imported_rows.about(registration)
        for row in rows.about(registration_id, registration.origin)
    ]
    visits = await uow.visits.used_by(registration_id)
    return [
        Kind(
            name="registration",
            what="What was sent, the verdict of the rules with its receipt, and every step so far: staff "
            "decide by it, and it explains the decision later.",
            kept=UNTIL_ERASED,
            documents=[registration.model_dump(mode="json", exclude={"cv"})],
        ),
        Kind(
            name="CV",
            what="The file that was sent with it, at this API; the export has it too.",
            kept=UNTIL_ERASED,
            documents=[_cv(registration.id, registration.cv)] if registration.cv is not None else [],
        ),
        Kind(
            name="earlier versions",
            what="What it said before it was amended: a decision is read with what it was taken on.",
            kept=UNTIL_ERASED,
            documents=[version.model_dump(mode="json") for version in versions],
        ),
        Kind(
            name="audit trail",
            what="Who decided or changed something, when and why.",
            kept="For the life of the scheme; words that may speak of a person go with the erasure.",
            documents=[entry.model_dump(mode="json") for entry in await uow.trail.of(registration_id)],
        ),
        Kind(
            name="lookalikes",
            what="How like it other registrations are that may be of the same organisation, by name, place "
            "and numbers; staff judge. Which ones they are is left out.",
            kept=UNTIL_ERASED,
            documents=[pair.model_dump(mode="json", include={"score", "state", "finding"}) for pair in pairs],
        ),
        Kind(
            name="merges",
            what="What staff found to be registrations of the same organisation, which has one visit.",
            kept="For as long as the one visit counts; the words of the finding go with the erasure. What "
            "the other registration shares by it stays until that one is erased.",
            documents=[merge.model_dump(mode="json") for merge in merges],
        ),
        Kind(
            name="rows of spreadsheets",
            what="What became of the rows by which it was sent, so that the sender can mend faulty ones.",
            kept="For the retention time of imports, thirty days unless set otherwise.",
            documents=rows,
        ),
        Kind(
            name="visit",
            what="The identifiers under which its one visit of the scheme is used up, and by which match.",
            kept="For the life of the scheme, also after an erasure: an organisation visits once, whoever "
            "registers it anew. It goes when the match is cancelled.",
            documents=[visit.model_dump(mode="json") for visit in visits],
        ),
    ]


def _cv(registration_id: str, cv: Cv) -> dict[str, Any]:
    return cv.model_dump(mode="json", exclude={"file_id"}) | {"link": f"/registrations/{registration_id}/cv"}
