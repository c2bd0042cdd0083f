"""Which key a token must be signed with: one static secret, or the public keys of an OpenID Connect issuer.

The issuer's keys are fetched off the event loop, kept, and fetched again when they are five minutes old or a token
names a key that is not among them. While the issuer is away the known keys go on; a key that the issuer withdrew is
therefore trusted until the next fetch that succeeds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import jwt
import structlog
from jwt.exceptions import PyJWKClientError, PyJWKError, PyJWKSetError

from mixhaul_api.errors import KeysUnavailable, TokenRefused
from mixhaul_runtime.clock import Clock

log = structlog.get_logger("mixhaul_api.auth.keys")

STATIC_ALGORITHM: Final = "HS256"
ASYMMETRIC_ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
_FRESH_SECONDS: Final = 300.0
_PAUSE_SECONDS: Final = 10.0
_PAUSE_WITHOUT_KEYS_SECONDS: Final = 1.0
_FETCH_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the one algorithm that it is used with."""

    key: jwt.PyJWK | bytes
    algorithm: str


class KeyRing(Protocol):
    """Finds the key for a token's header."""

    async def find(self, header: Mapping[str, Any]) -> Key:
        """The key; TokenRefused where there is none, KeysUnavailable where that can't be known now."""


class StaticKey:
    """One secret for all tokens."""

    def __init__(self, secret: bytes) -> None:
        self._key = Key(secret, STATIC_ALGORITHM)

    async def find(self, header: Mapping[str, Any]) -> Key:
        return self._key


def fetch_key_set(url: str) -> dict[str, Any]:
    """Read a JWKS over HTTP; blocks."""
    client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=_FETCH_SECONDS)
    found: dict[str, Any] = client.fetch_data()
    return found


class IssuerKeys:
    """The public keys that an issuer publishes."""

    def __init__(self, url: str, *, clock: Clock, fetch: Callable[[str], dict[str, Any]] = fetch_key_set) -> None:
        self._url = url
        self._clock = clock
        self._fetch = fetch
        self._lock = asyncio.Lock()
        self._keys: dict[str | None, Key] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._failure = "they were never asked for"
        self._refreshing: asyncio.Task[None] | None = None

    async def find(self, header: Mapping[str, Any]) -> Key:
        kid = header.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise TokenRefused("the token's `kid` is no text")
        key = self._lookup(kid)
        if key is None:
            await self._refresh()
            key = self._lookup(kid)
        elif self._stale():
            self._refresh_behind()
        if key is not None:
            return key
        if not self._keys:
            raise KeysUnavailable(self._failure)
        raise TokenRefused("the token is signed with a key that its issuer does not publish")

    async def close(self) -> None:
        """Wait for a fetch that is under way; it ends by its own time-out."""
        if self._refreshing is not None:
            await asyncio.gather(self._refreshing, return_exceptions=True)

    def _lookup(self, kid: str | None) -> Key | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    def _stale(self) -> bool:
        return self._fetched_at is None or self._clock.monotonic() - self._fetched_at >= _FRESH_SECONDS

    def _refresh_behind(self) -> None:
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh(), name="issuer's keys")

    async def _refresh(self) -> None:
        """Fetch, unless that was tried a moment ago: tokens with invented key names must not become requests."""
        async with self._lock:
            now = self._clock.monotonic()
            pause = _PAUSE_SECONDS if self._keys else _PAUSE_WITHOUT_KEYS_SECONDS
            if self._tried_at is not None and now - self._tried_at < pause:
                return
            self._tried_at = now
            try:
                keys = _usable(await asyncio.to_thread(self._fetch, self._url))
            except (PyJWKClientError, PyJWKError, PyJWKSetError, OSError, ValueError) as error:
                self._failure = type(error).__name__
                log.warning(
                    "the issuer's keys can't be read; known ones go on", error=str(error), known=len(self._keys)
                )
                return
            if not keys:
                self._failure = "none of them is an asymmetric signing key"
                log.warning("the issuer publishes no usable key; known ones go on", known=len(self._keys))
                return
            self._keys = keys
            self._fetched_at = self._clock.monotonic()


def _usable(document: object) -> dict[str | None, Key]:
    """The signing keys of a JWKS that are asymmetric and whose algorithm is known."""
    if not isinstance(document, dict):
        raise PyJWKSetError("the answer is no JSON object")
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise PyJWKSetError("the answer has no list of keys")
    found: dict[str | None, Key] = {}
    for one in listed:
        if not isinstance(one, dict) or one.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK.from_dict(one)
        except (PyJWKError, jwt.InvalidKeyError, ValueError):
            continue
        if key.algorithm_name in ASYMMETRIC_ALGORITHMS:
            found[key.key_id] = Key(key, key.algorithm_name)
    return found
