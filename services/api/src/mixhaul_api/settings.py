"""The API's settings: environment variables with the prefix `MIXHAUL_`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, HttpUrl

from mixhaul_runtime.settings import CommonSettings, DatabaseSettings, MixhaulSettings


class TokenSettings(MixhaulSettings):
    """How bearer tokens are checked, and made for trying out."""

    for_programs: ClassVar[tuple[str, ...]] = ("mixhaul-api",)

    jwt_issuer: str | None = Field(
        default=None,
        min_length=1,
        description="The `iss` that a bearer token must have. With a static key the default is `mixhaul`.",
    )
    jwt_audience: str | None = Field(
        default=None,
        min_length=1,
        description="The `aud` that a bearer token must have. With a static key the default is `mixhaul-api`.",
    )
    jwt_jwks_url: HttpUrl | None = Field(
        default=None,
        description="Where the OpenID Connect issuer publishes its keys (JWKS). Tokens must then be signed by an "
        "asymmetric algorithm, and `MIXHAUL_JWT_ISSUER` and `MIXHAUL_JWT_AUDIENCE` must be set.",
    )
    jwt_key_file: Path | None = Field(
        default=None,
        description="File with a static key of at least 32 bytes, for trying out: tokens are signed by HS256 with it.",
    )


class ApiSettings(TokenSettings, DatabaseSettings, CommonSettings):
    """All that `mixhaul-api` reads from its environment."""

    for_programs: ClassVar[tuple[str, ...]] = ("mixhaul-api",)

    api_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address that the API listens on; `0.0.0.0` in a container."
    )
    api_port: int = Field(
        default=8080, ge=0, le=65535, description="Port that the API listens on; 0: any free one, which the log names."
    )
    api_connections: int = Field(
        default=8, ge=1, le=100, description="How many connections to PostgreSQL one API process holds at most."
    )
