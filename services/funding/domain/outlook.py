"""What a partnership was warned of last, so that it hears of a change, and of nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import ClassVar

from services.funding.domain.forecast import EarlyWarning
from shared.aggregate import Aggregate
from shared.contracts.funding import ForecastConcern, ForecastWarning


class Outlook(Aggregate):
    """What the forecast of one partnership says is out of reach; its id is the partnership's."""

    COLLECTION: ClassVar[str] = "outlooks"

    concerns: list[str] = []
    """Codes of the warnings it was told of last, in order."""

    def take(self, warnings: Sequence[EarlyWarning], *, on: date) -> bool:
        """Tell of these warnings where they are others than before; whether they are.

        New figures in the same warning are no change: they move every day.
        """
        codes: list[str] = sorted(warning.code for warning in warnings)
        if codes == self.concerns:
            return False
        before, self.concerns = self.concerns, codes
        self._record(
            ForecastWarning(
                partnership=self.id,
                on=on,
                concerns=[ForecastConcern(code=one.code, sentence=one.sentence) for one in warnings],
                new=[code for code in codes if code not in before],
                cleared=[code for code in before if code not in codes],
            )
        )
        return True
