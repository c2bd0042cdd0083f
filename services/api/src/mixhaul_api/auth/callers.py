"""What a checked token says about its bearer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mixhaul_api import ids
from mixhaul_api.auth import permissions
from mixhaul_api.auth.permissions import Permission, Role
from mixhaul_api.errors import TokenRefused

# An organisation's MiX id; with `@` and the data API's address where two data centres use the same id.
ORGANISATION_PATTERN: Final = r"^-?[0-9]{1,19}(@[A-Za-z0-9.:_/\[\]-]{1,200})?$"
_ORGANISATION: Final = re.compile(ORGANISATION_PATTERN.removesuffix("$") + r"\Z")
_LONGEST_SUBJECT: Final = 255
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Claims:
    """Where a token says what its bearer may: claims by name or, inside of objects, by a path with dots.

    `role_map` are an issuer's own names of our roles; without one they go by our names.
    """

    organisations: str = "organisations"
    roles: str = "roles"
    sites: str = "sites"
    role_map: Mapping[str, Role] = field(default_factory=lambda: {role.value: role for role in Role})


OUR_CLAIMS: Final = Claims()


@dataclass(frozen=True, slots=True)
class Caller:
    """The bearer of a valid token: who it is, which organisations it may see and what it may do there.

    `sites` (MiX ids) limits it further, to these sites and those below them; None is no limit.
    """

    subject: str
    organisations: frozenset[str]
    roles: frozenset[Role]
    expires_at: float
    sites: frozenset[int] | None = None
    permissions: frozenset[Permission] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "permissions", permissions.permissions_of(self.roles))

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def sees_personal_data(self) -> bool:
        return self.may(Permission.CONTACT)


def is_organisation(text: str) -> bool:
    """Whether a text can name an organisation in a token."""
    return _ORGANISATION.match(text) is not None


def caller_of(claims: Mapping[str, Any], names: Claims = OUR_CLAIMS) -> Caller:
    """The bearer that verified claims describe; TokenRefused where they are not of the documented shape."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise TokenRefused("the claim `sub` must be a text of at most 255 printable characters")
    organisations = _texts(claims, names.organisations) or []
    if not all(map(is_organisation, organisations)):
        raise TokenRefused(f"the claim `{names.organisations}` must hold organisation ids as decimal strings")
    return Caller(
        subject=subject,
        organisations=frozenset(organisations),
        roles=frozenset(names.role_map[role] for role in _texts(claims, names.roles) or [] if role in names.role_map),
        expires_at=float(claims["exp"]),
        sites=_sites(claims, names.sites),
    )


def _sites(claims: Mapping[str, Any], name: str) -> frozenset[int] | None:
    texts = _texts(claims, name)
    if texts is None:
        return None
    try:
        return frozenset(map(ids.parse_id, texts))
    except ValueError as error:
        raise TokenRefused(f"the claim `{name}` must hold site ids as decimal strings") from error


def _texts(claims: Mapping[str, Any], name: str) -> list[str] | None:
    """The list in a claim, None where it is not there."""
    values = _claim(claims, name)
    if values is _ABSENT:
        return None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TokenRefused(f"the claim `{name}` must be a list of strings")
    return values


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """By its whole name first, which may hold dots of its own (`https://fleet.example/roles`), or else by the path."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return _ABSENT
        found = found[part]
    return found
