"""The API's settings: environment variables with the prefix `MIXHAUL_`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, HttpUrl, field_validator

from mixhaul_api.auth.permissions import Role
from mixhaul_api.cors import origins
from mixhaul_api.report.settings import ReportSettings
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
        description="Where the OpenID Connect issuer publishes its keys (JWKS). Absent, and no static key either: "
        "discovered from `MIXHAUL_JWT_ISSUER`. Tokens must then be signed by an asymmetric algorithm, and "
        "`MIXHAUL_JWT_ISSUER` and `MIXHAUL_JWT_AUDIENCE` must be set.",
    )
    jwt_key_file: Path | None = Field(
        default=None,
        description="File with a static key of at least 32 bytes, for trying out: tokens are signed by HS256 with it.",
    )
    jwt_organisations_claim: str = Field(
        default="organisations",
        min_length=1,
        description="The claim with the organisations that a bearer may see. A name, or a path with dots into objects.",
    )
    jwt_sites_claim: str = Field(
        default="sites",
        min_length=1,
        description="The claim with the only sites that a bearer may see. A token without it is not limited.",
    )
    jwt_roles_claim: str = Field(
        default="roles", min_length=1, description="The claim with a bearer's roles, such as `realm_access.roles`."
    )
    jwt_role_map: str = Field(
        default="",
        description="The issuer's names of our roles: `fleet-managers=analyst,fleet-it=admin`. Empty: our own names, "
        "`reader`, `analyst`, `auditor` and `admin`. Names that are not listed are passed over.",
    )

    @field_validator("jwt_role_map")
    @classmethod
    def _a_role_map(cls, text: str) -> str:
        role_map(text)
        return text


def role_map(text: str) -> dict[str, Role]:
    """An issuer's names of our roles; ValueError with a sentence where the text is no such list."""
    if not text.strip():
        return {role.value: role for role in Role}
    found: dict[str, Role] = {}
    for pair in text.split(","):
        name, _, role = (part.strip() for part in pair.rpartition("="))
        if not name or role not in set(Role):
            raise ValueError(
                "must be pairs such as fleet-it=admin, with reader, analyst, auditor or admin behind the ="
            )
        if found.setdefault(name, Role(role)) is not Role(role):
            raise ValueError(f"gives {name} two roles")
    return found


class ApiSettings(ReportSettings, TokenSettings, DatabaseSettings, CommonSettings):
    """All that `mixhaul-api` reads from its environment."""

    for_programs: ClassVar[tuple[str, ...]] = ("mixhaul-api",)

    api_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address that the API listens on; `0.0.0.0` in a container."
    )
    api_port: int = Field(
        default=8080, ge=0, le=65535, description="Port that the API listens on; 0: any free one, which the log names."
    )
    api_cors_origins: str = Field(
        default="",
        description="Origins whose pages may call the API from a browser: `https://a.example,https://b.example`, "
        "or `*` for all. Empty: none but the API's own.",
    )
    api_requests_per_minute: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="How many requests a caller (`sub` of the token) may make in a minute to one API process; 0: any.",
    )
    api_cache_megabytes: int = Field(
        default=32,
        ge=0,
        le=4096,
        description="How much memory one API process uses for answers that are still right; 0: none.",
    )
    api_connections: int = Field(
        default=8, ge=1, le=100, description="How many connections to PostgreSQL one API process holds at most."
    )

    @field_validator("api_cors_origins")
    @classmethod
    def _origins(cls, text: str) -> str:
        origins(text)
        return text
