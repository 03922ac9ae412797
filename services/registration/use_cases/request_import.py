"""Somebody sends a spreadsheet of registrations."""

from __future__ import annotations

from typing import Final

from services.registration.domain.audit import Action
from services.registration.domain.spreadsheet_import import SpreadsheetImport
from services.registration.repositories import RegistrationUnitOfWork
from shared.contracts.envelope import new_id
from shared.errors import Forbidden, RuleBroken
from shared.security import Caller, CallerRole
from shared.storage.files import StoredFile

MAX_UNFINISHED: Final = 20


class TooManyImports(RuleBroken):
    """Enough of the sender's spreadsheets are waiting already."""

    code = "too-many-imports"


async def request_import(
    uow: RegistrationUnitOfWork, *, by: Caller, file: StoredFile, name: str, dry_run: bool
) -> SpreadsheetImport:
    """Put the stored file in line for a worker; raises `Forbidden` and `TooManyImports`."""
    await require_importer(uow, by)
    requested = SpreadsheetImport.request(
        id=new_id(),
        by=by.subject,
        role=by.role,
        partnership=by.partnership if by.role is CallerRole.STAFF else None,
        file_name=name,
        file=file.id,
        size=file.size,
        dry_run=dry_run,
        created_at=uow.now,
    )
    uow.imports.add(requested)
    uow.trail.note(
        by,
        Action.IMPORT,
        partnership=requested.partnership,
        after={"import": requested.id, "file": name, "sha256": file.sha256, "dry_run": dry_run},
    )
    return requested


async def require_importer(uow: RegistrationUnitOfWork, by: Caller) -> None:
    """Raises `Forbidden` for those who send no spreadsheets, and `TooManyImports`."""
    if by.role not in (CallerRole.STAFF, CallerRole.EXTERNAL):
        raise Forbidden(
            "Spreadsheets are sent by staff of a partnership and by external systems; an organisation "
            "registers at POST /registrations."
        )
    if await uow.imports.count_unfinished(by) >= MAX_UNFINISHED:
        raise TooManyImports(
            f"{MAX_UNFINISHED} of your spreadsheets are waiting or being read; wait until one is done."
        )
