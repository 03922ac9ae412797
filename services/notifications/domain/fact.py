"""What makes two events the same fact, however often and under whatever ids it is told."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from shared.contracts.envelope import Event

_MOMENT: Final = re.compile(rb'"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)"')


def fact_key(event: Event, subject: str) -> str:
    """The same for two events that say the same about the same, apart from when: 32 hex digits."""
    content = event.__pydantic_serializer__.to_json(event, exclude_none=True)
    # Said twice, it is said at two moments; days are what it says.
    said = _MOMENT.sub(b'""', content)
    return sha256(b"\0".join((event.TYPE.encode(), subject.encode(), said))).hexdigest()[:32]
