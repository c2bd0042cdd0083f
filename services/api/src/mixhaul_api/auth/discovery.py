"""Finds an OpenID Connect issuer's keys from its own name (OpenID Connect Discovery 1.0).

The document is read with every fetch of the keys, so that an issuer may move them. Blocks, as `fetch_key_set` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jwt.exceptions import PyJWKSetError

from mixhaul_api.auth.keys import fetch_key_set

_WELL_KNOWN: Final = "/.well-known/openid-configuration"


def document_url(issuer: str) -> str:
    """Where the issuer describes itself."""
    return issuer.rstrip("/") + _WELL_KNOWN


def fetch_discovered_keys(issuer: str, *, fetch: Callable[[str], dict[str, Any]] = fetch_key_set) -> dict[str, Any]:
    """The issuer's key set. PyJWKSetError where its description is not its own or has no address of keys."""
    described: object = fetch(document_url(issuer))
    if not isinstance(described, dict) or described.get("issuer") != issuer:
        raise PyJWKSetError("the issuer's discovery document does not name this issuer")
    url = described.get("jwks_uri")
    # Keys that came in the clear would undo what the issuer's own https is for.
    secure = ("https://",) if issuer.startswith("https://") else ("https://", "http://")
    if not isinstance(url, str) or not url.startswith(secure):
        raise PyJWKSetError("the issuer's discovery document has no usable jwks_uri")
    return fetch(url)
