"""What each role may do: the one table that routes, handlers, the documentation and the tests read.

A token's roles add up. Everything that is not listed here, each role may.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a bearer is. Each may read; see `MAY` for the rest."""

    READER = "reader"
    ANALYST = "analyst"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Permission(StrEnum):
    """Something that not every role may do or see."""

    EMPLOYEE_NUMBER = "employee-number"  # see it, and find drivers by it
    CONTACT = "contact"  # mobile number, e-mail, the driver's identification, picture, additional details
    OTHERS_RANKING = "others-ranking"  # how other drivers rank, beside the one that is asked for
    FORMER_DRIVER = "former-driver"  # whom an event counted against before it was amended
    RAW_RECORD = "raw-record"  # an event's own bytes as MiX sent them
    AUDIT_LOG = "audit-log"  # who saw and changed what
    CLASSIFY = "classify"  # decide which types of events count as infractions
    ERASE = "erase"  # erase a driver's personal data


EVERY_ROLE: Final = frozenset(Role)

_SEES: Final = frozenset({Permission.EMPLOYEE_NUMBER, Permission.CONTACT, Permission.OTHERS_RANKING})

MAY: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.READER: frozenset(),
    Role.ANALYST: _SEES,
    Role.AUDITOR: _SEES | {Permission.FORMER_DRIVER, Permission.RAW_RECORD, Permission.AUDIT_LOG},
    Role.ADMIN: _SEES | {Permission.CLASSIFY, Permission.ERASE},
}


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """What these roles may together."""
    return frozenset().union(*(MAY[role] for role in roles))


def roles_that_may(permission: Permission) -> frozenset[Role]:
    """For a route that needs it."""
    return frozenset(role for role, may in MAY.items() if permission in may)
