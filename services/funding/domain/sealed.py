"""What is stored encrypted, as the domain sees it."""

from __future__ import annotations

from shared.contracts.envelope import Contract


class Sealed(Contract):
    """Something closed with one of the installation's keys; the vault opens it."""

    key: str
    """Which key: its fingerprint."""
    content: str
    """Nonce and AES-256-GCM cipher text, base64."""
