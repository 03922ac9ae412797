"""The people of the demo, by role: organisations propose and accept, staff decide, all through the APIs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Literal, Self

import httpx

from ops.issuer import issue_token
from ops.platform import Platform
from shared.contracts.common import Party
from shared.contracts.matching import Fit, FitsFound
from shared.contracts.registration import RegistrationScreened


class People:
    """Speaks to the APIs with everyone's own token."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._client = httpx.AsyncClient(timeout=20)
        self._tokens: dict[tuple[str, str, str], str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def accept_registrations(
        self, screened: Sequence[RegistrationScreened], told: Callable[[], None]
    ) -> None:
        """Staff go through their queues, eight at a time."""
        desks = asyncio.Semaphore(8)

        async def decide(one: RegistrationScreened) -> None:
            async with desks:
                await self._accept_registration(one)
                told()

        await asyncio.gather(*map(decide, screened))

    async def _accept_registration(self, screened: RegistrationScreened) -> None:
        """Staff of the partnership take the registration into the pool, with their reason."""
        party = screened.party
        reason = "Eligible." if screened.verdict == "eligible" else "Reviewed: the open points are settled."
        url = f"{self._platform.api_url('registration')}/registrations/{party.registration_id}/accept"
        answer = await self._post(url, self.staff(party.partnership), {"reason": reason})
        answer.raise_for_status()

    async def make_matches(self, fits: Sequence[FitsFound], wanted: int, told: Callable[[], None]) -> int:
        """Bring matches about until so many are approved: each visitor asks its best fit that is free."""
        made = 0
        for found in fits:
            if made == wanted:
                break
            if await self._one_match(found):
                made += 1
                told()
        return made

    async def _one_match(self, found: FitsFound) -> bool:
        for fit in found.fits[:3]:
            match_id = await self._propose(found.party, fit)
            if match_id is None:
                continue
            steps = [
                (self.organisation(fit.partner), "accept"),
                *((self.staff(id), "approve") for id in {found.party.partnership, fit.partner.partnership}),
            ]
            answers = [await self._step(match_id, step, token) for token, step in steps]
            if all(answers):
                return True
        return False

    async def _propose(self, visitor: Party, fit: Fit) -> str | None:
        """The visitor asks for the first days that suit both; None where a rule forbids it."""
        body = {
            "visitor_registration_id": visitor.registration_id,
            "host_registration_id": fit.partner.registration_id,
            **_a_week(fit),
        }
        url = f"{self._platform.api_url('matching')}/matches"
        answer = await self._post(url, self.organisation(visitor), body)
        return str(answer.json()["id"]) if answer.status_code == 201 else None

    async def _step(self, match_id: str, step: str, token: str) -> bool:
        url = f"{self._platform.api_url('matching')}/matches/{match_id}/{step}"
        return (await self._post(url, token)).is_success

    async def call(self, method: str, url: str, token: str, **what: Any) -> httpx.Response:
        """One request with somebody's token; raises `httpx.HTTPStatusError` where it is turned down."""
        headers = {"Authorization": f"Bearer {token}"} | what.pop("headers", {})
        answer = await self._client.request(method, url, headers=headers, **what)
        return answer.raise_for_status()

    def organisation(self, party: Party) -> str:
        """The token of somebody who acts for the organisation."""
        return self._token("participant", party.owner)

    def staff(self, partnership: str | None, desk: str = "desk") -> str:
        """The token of somebody of the partnership's staff; at another desk sits somebody else."""
        return self._token("staff", partnership or "", desk)

    async def _post(self, url: str, token: str, body: dict[str, Any] | None = None) -> httpx.Response:
        return await self._client.post(url, json=body, headers={"Authorization": f"Bearer {token}"})

    def _token(self, role: Literal["staff", "participant"], whose: str, desk: str = "desk") -> str:
        if (role, whose, desk) not in self._tokens:
            self._tokens[role, whose, desk] = issue_token(
                self._platform.issuer_key,
                issuer=self._platform.issuer_url,
                role=role,
                partnership=whose if role == "staff" else None,
                organisation=whose if role == "participant" else None,
                subject=f"{desk}@{whose}",
            )
        return self._tokens[role, whose, desk]


def _a_week(fit: Fit) -> dict[str, str]:
    """Monday to Friday where the days both have in common allow it, else their first days."""
    first, last = fit.window.first_day, fit.window.last_day
    monday = first + timedelta(days=-first.weekday() % 7)
    if monday + timedelta(days=4) <= last:
        first = monday
    return {"first_day": str(first), "last_day": str(min(last, first + timedelta(days=4)))}
