"""A registration was erased: what the read model says of it goes."""

from __future__ import annotations

from services.console.repositories import ConsoleUnitOfWork


async def erase_case(uow: ConsoleUnitOfWork, registration_id: str) -> None:
    """Let go of its name, its place and all that anybody said; what counts and adds up stays."""
    # First: what is folded in this unit of work from now on finds the erasure.
    await uow.erasures.note(registration_id, uow.now)
    if (registration := await uow.registrations.find(registration_id)) is not None:
        registration.erase()
        for exchange in await uow.exchanges.get_all(registration.exchanges):
            exchange.erase(registration_id)
    for gathering in await uow.group_events.hosted_by(registration_id):
        gathering.forget_host()
    for happening in await uow.happenings.about(registration_id):
        happening.forget_words()
