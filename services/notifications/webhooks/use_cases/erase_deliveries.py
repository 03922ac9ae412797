"""A registration was erased: what deliveries say of it goes; that they were made stays."""

from __future__ import annotations

from services.notifications.repositories import NotificationsUnitOfWork


async def erase_deliveries(uow: NotificationsUnitOfWork, registration_id: str) -> None:
    """Blank it in every delivery, those that still wait included: they go out without it."""
    for delivery in await uow.deliveries.naming(registration_id):
        delivery.erase(registration_id)
