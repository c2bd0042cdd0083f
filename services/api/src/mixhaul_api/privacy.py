"""The one place where personal data is taken out of an answer for those who may not see it.

It works by the names of members, wherever in an answer they are: whoever adds a member that holds personal data adds
its name to `PERSONAL`, and JSON, CSV and HTML that are made from a masked answer hold it no longer. It does not look
into texts: a name that a person wrote into a vehicle's description stays there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

from mixhaul_api.auth.callers import Caller
from mixhaul_api.auth.permissions import Permission

A = TypeVar("A")

# Members of answers, and what their reader must be permitted.
PERSONAL: Final[Mapping[str, Permission]] = {
    "employeeNumber": Permission.EMPLOYEE_NUMBER,
    "mobileNumber": Permission.CONTACT,
    "email": Permission.CONTACT,
    "extendedDriverId": Permission.CONTACT,
    "imageUri": Permission.CONTACT,
    "additionalDetails": Permission.CONTACT,
    "formerDriverId": Permission.FORMER_DRIVER,
    "formerDriver": Permission.FORMER_DRIVER,
}


def masked(answer: A, caller: Caller) -> A:
    """The same answer without the members that the caller may not see. The original is left alone."""
    hidden = hidden_from(caller)
    return cast("A", _without(answer, hidden)) if hidden else answer


def hidden_from(caller: Caller) -> frozenset[str]:
    """The names of the members that the caller may not see."""
    return frozenset(name for name, needed in PERSONAL.items() if needed not in caller.permissions)


def _without(value: Any, hidden: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_without(one, hidden) for one in value]
    if isinstance(value, Mapping):
        return {name: _without(member, hidden) for name, member in value.items() if name not in hidden}
    return value
