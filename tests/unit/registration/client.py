"""Somebody who calls the registration API, on a database in memory."""

from __future__ import annotations

import httpx
from fastapi import FastAPI

from services.registration.repositories import RegistrationUnitOfWork
from shared.security import Caller
from tests.fakes import MemoryFiles, MemoryTransactions
from tests.unit.registration.service import A_PARTICIPANT


class Client(httpx.AsyncClient):
    """Calls the API as somebody."""

    app: FastAPI
    store: MemoryTransactions[RegistrationUnitOfWork]
    files: MemoryFiles
    caller: Caller = A_PARTICIPANT
