"""How far a partnership is: exchanges done, out of its objective."""

from __future__ import annotations

from services.funding.domain.progress import Progress
from shared.partnerships import Partnership


def read_progress(partnership: Partnership) -> Progress:
    """Exchanges counted for the partnership.

    An exchange counts once its report is validated; a reserved grant is a plan. There are no
    reports on this platform yet, so these are the exchanges the partnership brought along.
    """
    return Progress(partnership.done, partnership.objective)
