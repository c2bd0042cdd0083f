"""What a checked token says about its bearer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from mixhaul_api.errors import TokenRefused

# An organisation's MiX id; with `@` and the data API's address where two data centres use the same id.
ORGANISATION_PATTERN: Final = r"^-?[0-9]{1,19}(@[A-Za-z0-9.:_/\[\]-]{1,200})?$"
_ORGANISATION: Final = re.compile(ORGANISATION_PATTERN.removesuffix("$") + r"\Z")
_LONGEST_SUBJECT: Final = 255


class Role(StrEnum):
    """What a bearer may do. Each may read; only some see personal data; only `admin` changes anything."""

    READER = "reader"
    ANALYST = "analyst"
    AUDITOR = "auditor"
    ADMIN = "admin"


EVERY_ROLE: Final = frozenset(Role)
PERSONAL_DATA: Final = frozenset({Role.ANALYST, Role.AUDITOR, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Caller:
    """The bearer of a valid token: who it is, which organisations it may see and what it may do there."""

    subject: str
    organisations: frozenset[str]
    roles: frozenset[Role]
    expires_at: float

    @property
    def sees_personal_data(self) -> bool:
        return not self.roles.isdisjoint(PERSONAL_DATA)


def is_organisation(text: str) -> bool:
    """Whether a text can name an organisation in a token."""
    return _ORGANISATION.match(text) is not None


def caller_of(claims: Mapping[str, Any]) -> Caller:
    """The bearer that verified claims describe; TokenRefused where they are not of the documented shape."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise TokenRefused("the claim `sub` must be a text of at most 255 printable characters")
    organisations = _texts(claims, "organisations")
    if not all(map(is_organisation, organisations)):
        raise TokenRefused("the claim `organisations` must hold organisation ids as decimal strings")
    known = {role.value for role in Role}
    return Caller(
        subject=subject,
        organisations=frozenset(organisations),
        roles=frozenset(Role(role) for role in _texts(claims, "roles") if role in known),
        expires_at=float(claims["exp"]),
    )


def _texts(claims: Mapping[str, Any], name: str) -> list[str]:
    values = claims.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TokenRefused(f"the claim `{name}` must be a list of strings")
    return values
