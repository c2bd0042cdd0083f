"""The static key for trying out: its file, and tokens signed with it."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt

from mixhaul_api import ids
from mixhaul_api.auth.callers import is_organisation
from mixhaul_api.auth.keys import STATIC_ALGORITHM
from mixhaul_api.auth.permissions import Role
from mixhaul_api.errors import BadTokenRequest, KeyFileUnusable

SHORTEST_KEY: Final = 32
LONGEST_TTL: Final = timedelta(days=366)
_LARGEST_FILE: Final = 65536


def read_key(path: Path) -> bytes:
    """The key in a file; a line break at its end is no part of it."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise KeyFileUnusable(path, "there is no such file (`mixhaul-api token --create-key` makes one)") from error
    except (OSError, ValueError) as error:
        raise KeyFileUnusable(path, getattr(error, "strerror", None) or "it is no path of a file") from error
    key = raw.removesuffix(b"\n").removesuffix(b"\r")
    if len(raw) > _LARGEST_FILE:
        raise KeyFileUnusable(path, f"it is larger than {_LARGEST_FILE} bytes")
    if len(key) < SHORTEST_KEY:
        raise KeyFileUnusable(path, f"it holds {len(key)} bytes, and a key needs at least {SHORTEST_KEY}")
    return key


def create_key(path: Path) -> bool:
    """Make a key file that only its owner may read; False where there is one already. Safe when two do it at once."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.urlsafe_b64encode(secrets.token_bytes(48)) + b"\n")
            try:
                path.hardlink_to(fresh)
            except FileExistsError:
                return False
        finally:
            fresh.unlink()
    except OSError as error:
        raise KeyFileUnusable(path, f"it can't be made: {error.strerror or type(error).__name__}") from error
    return True


def make_token(
    key: bytes,
    *,
    subject: str,
    organisations: Collection[str],
    roles: Collection[Role],
    issuer: str,
    audience: str,
    now: datetime,
    ttl: timedelta,
    sites: Collection[str] | None = None,
) -> str:
    """A bearer token for trying out."""
    wrong = [one for one in organisations if not is_organisation(one)]
    if wrong:
        raise BadTokenRequest(f"{wrong[0]!r} is no organisation: give the id that MiX uses, in decimal digits")
    for one in sites or ():
        try:
            ids.parse_id(one)
        except ValueError as error:
            raise BadTokenRequest(f"{one!r} is no site: give the id that MiX uses, in decimal digits") from error
    if not 0 < len(subject) <= 255 or not subject.isprintable():
        raise BadTokenRequest("the subject must be a text of at most 255 printable characters")
    if not timedelta(0) < ttl <= LONGEST_TTL:
        raise BadTokenRequest(f"a token lives between a second and {LONGEST_TTL.days} days")
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "iat": now,
        "exp": now + ttl,
        "organisations": sorted(organisations),
        "roles": sorted(role.value for role in roles),
    }
    if sites is not None:
        claims["sites"] = sorted(sites)
    return jwt.encode(claims, key, algorithm=STATIC_ALGORITHM)
