"""A small token issuer for the embedded platform: a key of its own, JWKS, and tokens for any role.

Everywhere else the tokens come from the organisation's own OpenID Connect provider.
`python -m ops.issuer --port 8080 --key var/issuer/key.pem --issuer http://127.0.0.1:8080`
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import secrets
import time
import uuid
from pathlib import Path
from typing import Any, Final, Literal

import jwt
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

AUDIENCE: Final = "clusterxchange"
_ALGORITHM: Final = "RS256"

Role = Literal["participant", "staff", "support_office", "auditor", "external"]


def ensure_key(path: Path) -> Path:
    """Make the signing key unless it is there; only its owner may read it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pem = generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _keep(path, pem)
    return path


def ensure_secret(path: Path) -> str:
    """A random secret that stays the same; only its owner may read its file."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _keep(path, secrets.token_urlsafe(32).encode())
    return path.read_text(encoding="ascii")


def _keep(path: Path, content: bytes) -> None:
    # Linked into place whole: of two that start at once, the first one's key is everybody's.
    own = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink()


def issue_token(
    key_path: Path,
    *,
    issuer: str,
    role: Role,
    partnership: str | None = None,
    organisation: str | None = None,
    subject: str | None = None,
    lifetime_s: int = 3600,
) -> str:
    """A signed JWT that the services accept where they trust `issuer`.

    Staff need a partnership, participants an organisation. Raises FileNotFoundError before the issuer's
    first start.
    """
    key = _key(key_path)
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": subject or f"{role}@{partnership or organisation or 'cxc'}",
        "iat": now,
        "exp": now + lifetime_s,
        "cxc_role": role,
        "cxc_partnership": partnership,
        "cxc_organisation": organisation,
    }
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, key, algorithm=_ALGORITHM, headers={"kid": jwk(key)["kid"]})


def jwk(key: RSAPrivateKey) -> dict[str, Any]:
    """The public half as a JSON Web Key, its id being its thumbprint (RFC 7638)."""
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    named = {name: public[name] for name in ("e", "kty", "n")}
    digest = hashlib.sha256(json.dumps(named, separators=(",", ":")).encode()).digest()
    thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {**named, "kid": thumbprint, "alg": _ALGORITHM, "use": "sig"}


def web_app(key_path: Path, issuer: str) -> Starlette:
    """What a service asks an OpenID Connect provider for: the configuration and the public keys."""
    keys = {"keys": [jwk(_key(key_path))]}
    configuration = {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/jwks.json",
        "id_token_signing_alg_values_supported": [_ALGORITHM],
    }

    async def openid_configuration(request: Request) -> Response:
        return JSONResponse(configuration)

    async def jwks(request: Request) -> Response:
        return JSONResponse(keys)

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", openid_configuration),
            Route("/jwks.json", jwks),
        ]
    )


def _key(path: Path) -> RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(f"{path} is not an RSA key")
    return key


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--issuer", required=True, help="the `iss` of the tokens, an URL")
    given = parser.parse_args()
    app = web_app(ensure_key(given.key), given.issuer)
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
