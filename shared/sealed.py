"""What only the platform's own services may read, though it travels in an event that others see."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import cast

from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr

from shared.errors import CxcError


class NothingToSealWith(CxcError):
    """The platform runs without a seal key."""

    code = "nothing-to-seal-with"
    status = 503
    title = "The platform is not set up for this"


class Seal:
    """Closes and opens with a secret that the services concerned share (Fernet: AES-128-CBC, HMAC-SHA256)."""

    def __init__(self, secret: SecretStr | None) -> None:
        self._fernet: Fernet | None = None
        if secret is not None:
            digest = hashlib.sha256(secret.get_secret_value().encode()).digest()
            self._fernet = Fernet(base64.urlsafe_b64encode(digest))

    def close(self, **content: str) -> str:
        """The content as text nobody else can read; raises `NothingToSealWith`."""
        return self._key().encrypt(json.dumps(content).encode()).decode()

    def open(self, sealed: str) -> dict[str, str]:
        """What was closed; raises `NothingToSealWith`, and `ValueError` where another key closed it."""
        try:
            opened = json.loads(self._key().decrypt(sealed.encode()))
        except InvalidToken:
            raise ValueError("it was sealed with another CXC_SEAL_KEY than this service has") from None
        return cast("dict[str, str]", opened)

    def _key(self) -> Fernet:
        if self._fernet is None:
            raise NothingToSealWith("CXC_SEAL_KEY is not set; ask those who run the platform to set it.")
        return self._fernet
