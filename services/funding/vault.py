"""Bank data at rest: encrypted with keys of the settings, readable only by who has them."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from services.funding.domain.sealed import Sealed
from shared.errors import CxcError

_NONCE: Final = 12


class NoBankKey(CxcError):
    """This process has no key for bank data, or not the one they were closed with."""

    code = "no-bank-key"
    status = 503
    title = "The platform is not set up for this"


class Vault:
    """Closes with the first of the secrets, opens with any of them (AES-256-GCM)."""

    def __init__(self, given: Sequence[SecretStr] = ()) -> None:
        keys = [hashlib.sha256(secret.get_secret_value().encode()).digest() for secret in given]
        self._keys = {hashlib.sha256(b"fingerprint" + key).hexdigest()[:12]: AESGCM(key) for key in keys}

    @property
    def has_keys(self) -> bool:
        """Whether it can close anything."""
        return bool(self._keys)

    @property
    def current(self) -> str:
        """The fingerprint of the key it closes with; raises `NoBankKey`."""
        if not self._keys:
            raise NoBankKey("CXC_BANK_KEYS is not set; ask those who run the platform to set it.")
        return next(iter(self._keys))

    def close(self, content: bytes, *, of: str) -> Sealed:
        """The content for nobody else to read, bound to what it is of: moved elsewhere it does not open."""
        key, nonce = self.current, secrets.token_bytes(_NONCE)
        closed = nonce + self._keys[key].encrypt(nonce, content, of.encode())
        return Sealed(key=key, content=base64.b64encode(closed).decode())

    def open(self, sealed: Sealed, *, of: str) -> bytes:
        """What was closed; raises `NoBankKey`, and `ValueError` where it was changed or moved."""
        key = self._keys.get(sealed.key)
        if key is None:
            raise NoBankKey(
                f"Bank data are closed with the key {sealed.key}, which is not among this process's "
                "CXC_BANK_KEYS; ask those who run the platform."
            )
        closed = base64.b64decode(sealed.content)
        try:
            return key.decrypt(closed[:_NONCE], closed[_NONCE:], of.encode())
        except InvalidTag:
            raise ValueError(f"the bank data of {of} were changed, or moved there from elsewhere") from None

    def reclose(self, sealed: Sealed, *, of: str) -> Sealed:
        """The same content, closed with the first key."""
        return self.close(self.open(sealed, of=of), of=of)
