"""From an `Authorization` header to a `Caller`, or TokenRefused.

The algorithm is that of the key, never the token's wish. What was verified is kept for a minute, or until the token
expires, because a signature check costs more than most queries; a withdrawn key is noticed that much later.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import jwt

from mixhaul_api.auth.callers import OUR_CLAIMS, Caller, Claims, caller_of
from mixhaul_api.auth.keys import KeyRing
from mixhaul_api.errors import TokenRefused
from mixhaul_runtime.clock import Clock

LEEWAY_SECONDS: Final = 30
_KEPT_SECONDS: Final = 60.0
_MOST_KEPT: Final = 1024
_LONGEST_TOKEN: Final = 8192


@dataclass(frozen=True, slots=True)
class _Kept:
    caller: Caller
    until: float


class Verifier:
    """Checks bearer tokens of one issuer for one audience."""

    def __init__(self, keys: KeyRing, *, issuer: str, audience: str, clock: Clock, claims: Claims = OUR_CLAIMS) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._names = claims
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def caller(self, authorization: str | None) -> Caller:
        """The bearer of the token in this header."""
        if not authorization:
            raise TokenRefused("the request has no bearer token")
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise TokenRefused("the header Authorization must be `Bearer` and a token")
        if len(token) > _LONGEST_TOKEN or not token.isascii():
            raise TokenRefused("the token is no JSON Web Token, or too long")
        kept = self._kept.get(token)
        if kept is not None and kept.until > self._clock.now().timestamp():
            return kept.caller
        caller = caller_of(await self._claims(token), self._names)
        self._keep(token, caller)
        return caller

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise TokenRefused("the token is no JSON Web Token") from error
        key = await self._keys.find(header)
        if header.get("alg") != key.algorithm:
            raise TokenRefused("the token is not signed with the algorithm that this API expects")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise TokenRefused(_reason(error)) from error
        return claims

    def _keep(self, token: str, caller: Caller) -> None:
        now = self._clock.now().timestamp()
        self._kept[token] = _Kept(caller, min(now + _KEPT_SECONDS, caller.expires_at + LEEWAY_SECONDS))
        self._kept.move_to_end(token)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)


def _reason(error: jwt.PyJWTError) -> str:
    """What the bearer may know, and needs to."""
    match error:
        case jwt.ExpiredSignatureError():
            return "the token has expired"
        case jwt.InvalidAudienceError():
            return "the token is not made for this API (`aud`)"
        case jwt.InvalidIssuerError():
            return "the token is of another issuer (`iss`)"
        case jwt.MissingRequiredClaimError():
            return f"the token lacks the claim `{error.claim}`"
        case jwt.ImmatureSignatureError():
            return "the token is not valid yet"
        case jwt.InvalidSignatureError():
            return "the token's signature is not right"
        case _:
            return "the token is not valid"
