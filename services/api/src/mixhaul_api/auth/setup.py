"""From the settings to a verifier."""

from __future__ import annotations

from typing import Final

from mixhaul_api.auth.callers import Claims
from mixhaul_api.auth.discovery import fetch_discovered_keys
from mixhaul_api.auth.keys import IssuerKeys, KeyRing, StaticKey
from mixhaul_api.auth.static_key import read_key
from mixhaul_api.auth.verifier import Verifier
from mixhaul_api.errors import AuthenticationNotSetUp
from mixhaul_api.settings import TokenSettings, role_map
from mixhaul_runtime.clock import Clock

STATIC_ISSUER: Final = "mixhaul"
STATIC_AUDIENCE: Final = "mixhaul-api"


def verifier(settings: TokenSettings, clock: Clock) -> Verifier:
    """What checks this API's tokens."""
    if settings.jwt_key_file is not None and settings.jwt_jwks_url is not None:
        raise AuthenticationNotSetUp("both a static key and an issuer's key set are given")
    claims = claims_of(settings)
    if settings.jwt_key_file is not None:
        keys: KeyRing = StaticKey(read_key(settings.jwt_key_file))
        return Verifier(
            keys, issuer=static_issuer(settings), audience=static_audience(settings), clock=clock, claims=claims
        )
    if settings.jwt_issuer is None and settings.jwt_jwks_url is None:
        raise AuthenticationNotSetUp("neither a static key nor an issuer's key set is given")
    if settings.jwt_issuer is None or settings.jwt_audience is None:
        raise AuthenticationNotSetUp("an issuer's keys need MIXHAUL_JWT_ISSUER and MIXHAUL_JWT_AUDIENCE")
    if settings.jwt_jwks_url is not None:
        keys = IssuerKeys(str(settings.jwt_jwks_url), clock=clock)
    elif settings.jwt_issuer.startswith(("https://", "http://")):
        keys = IssuerKeys(settings.jwt_issuer, clock=clock, fetch=fetch_discovered_keys)
    else:
        raise AuthenticationNotSetUp("MIXHAUL_JWT_ISSUER is no address, so its keys can't be discovered")
    return Verifier(keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience, clock=clock, claims=claims)


def claims_of(settings: TokenSettings) -> Claims:
    """Where tokens say what their bearer may."""
    return Claims(
        organisations=settings.jwt_organisations_claim,
        roles=settings.jwt_roles_claim,
        sites=settings.jwt_sites_claim,
        role_map=role_map(settings.jwt_role_map),
    )


def static_issuer(settings: TokenSettings) -> str:
    """`iss` of tokens that are signed with the static key."""
    return settings.jwt_issuer or STATIC_ISSUER


def static_audience(settings: TokenSettings) -> str:
    """`aud` of tokens that are signed with the static key."""
    return settings.jwt_audience or STATIC_AUDIENCE
