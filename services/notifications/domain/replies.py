"""What a mail server's no speaks of: the address, how fast we are, or the mail; read from its code and words.

Enhanced status codes are those of RFC 3463 and its registry at IANA. Servers use them with little care, so
only what hardly can mean anything else counts against an address.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class Bounce(StrEnum):
    """What a final no says of the address."""

    HARD = "hard"
    """There is no such mailbox: no mail will ever arrive."""
    SOFT = "soft"
    """The mailbox is full, or its server does not answer: the next mail may arrive."""


_ENHANCED: Final = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
_HARD: Final = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10"})
"""No such mailbox, no such domain, not an address, moved away, a domain without mail (null MX)."""
_SOFT: Final = frozenset({"2.0", "2.1", "2.2", "3.2", "4.0", "4.1", "4.4", "4.6", "4.7"})
"""Disabled or full, its server takes no mail now, cannot be reached or found, or not in time."""
_NO_MAILBOX: Final = re.compile(
    r"(user|recipient|mailbox|account|address)( is| was)? (unknown|not found|invalid|disabled)"
    r"|(unknown|no such|invalid|nonexistent|non-existent) (local )?(user|recipient|mailbox|account|address)"
    r"|(user|recipient|mailbox|account|address) (does not|doesn't) exist",
    re.IGNORECASE,
)
_FULL: Final = re.compile(r"over ?quota|quota exceeded|mailbox( is)? full", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"[^\s<>()\[\]:;,\"']+@[\w.-]*\w")
_TOO_FAST: Final = re.compile(
    r"too many|too fast|too quickly|rate limit|throttl|slow down|concurren|try again more slowly",
    re.IGNORECASE,
)


def bounce_of(code: int, text: str) -> Bounce | None:
    """What a final no says of the address; None where it turns down the mail, or us.

    `code` is the basic code of the reply (550), which an enhanced one (5.1.1) at the beginning of the text
    overrules. Policy, spam, size and content (x.5 to x.7) say nothing of the address.
    """
    if enhanced := _ENHANCED.match(text):
        detail = f"{enhanced[2]}.{enhanced[3]}"
        if detail in _HARD:
            return Bounce.HARD if enhanced[1] == "5" else Bounce.SOFT
        return Bounce.SOFT if detail in _SOFT else None
    if code == 556 or (code in (550, 551, 553) and _NO_MAILBOX.search(text)):
        return Bounce.HARD
    return Bounce.SOFT if _FULL.search(text) else None


def asks_to_slow_down(code: int, text: str) -> bool:
    """Whether a no for now is about how much we send, so that another mail would fare no better at once."""
    return code == 421 or (400 <= code < 500 and bool(_TOO_FAST.search(text)))


def without_addresses(said: str) -> str:
    """What a server said without mail addresses: it likes to repeat the one, or tells where that leads."""
    return _ADDRESS.sub("the address", said)
