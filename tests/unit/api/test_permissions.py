"""What each role may, and that nobody sees more."""

from __future__ import annotations

from typing import Any

import pytest

from mixhaul_api.auth.callers import Caller
from mixhaul_api.auth.permissions import MAY, Permission, Role, roles_that_may
from mixhaul_api.privacy import PERSONAL, hidden_from, masked
from mixhaul_api.subjects import drivers_in

EVERYBODY = {role.value for role in Role}
# The table of docs/api.md, written down a second time.
TABLE = {
    Permission.EMPLOYEE_NUMBER: EVERYBODY - {"reader"},
    Permission.CONTACT: EVERYBODY - {"reader"},
    Permission.OTHERS_RANKING: EVERYBODY - {"reader"},
    Permission.FORMER_DRIVER: {"auditor"},
    Permission.RAW_RECORD: {"auditor"},
    Permission.AUDIT_LOG: {"auditor"},
    Permission.CLASSIFY: {"admin"},
    Permission.ERASE: {"admin"},
}


def caller(*roles: Role) -> Caller:
    return Caller("maria", frozenset({"1"}), frozenset(roles), 0.0)


@pytest.mark.parametrize("permission", Permission, ids=str)
def test_who_may_is_as_documented(permission: Permission) -> None:
    assert roles_that_may(permission) == TABLE[permission]


def test_roles_add_up() -> None:
    assert caller(Role.READER).permissions == frozenset()
    assert caller(Role.ADMIN, Role.AUDITOR).permissions == MAY[Role.ADMIN] | MAY[Role.AUDITOR]
    assert caller().permissions == frozenset()


ANSWER: dict[str, Any] = {
    "items": [{"id": "1", "name": "João", **dict.fromkeys(PERSONAL, "secret")}, [{"deeper": {"email": "secret"}}]],
    "email": "secret",
    "text": "email",
}


@pytest.mark.parametrize("role", Role, ids=str)
def test_a_mask_takes_members_out_wherever_they_are(role: Role) -> None:
    shown = masked(ANSWER, caller(role))
    hidden = {name for name, needed in PERSONAL.items() if needed not in MAY[role]}
    assert hidden_from(caller(role)) == hidden
    assert set(PERSONAL) - hidden == set(shown["items"][0]) - {"id", "name"}
    assert (shown["text"], shown["items"][0]["name"]) == ("email", "João")
    assert ("email" in shown, "email" in shown["items"][1][0]["deeper"]) == (role is not Role.READER,) * 2
    assert ANSWER["email"] == "secret", "the original was changed"


def test_drivers_are_found_wherever_they_are_in_an_answer() -> None:
    answer = {
        "items": [
            {"id": "1", "isSystemDriver": False, "organisationId": "10"},
            {"id": "2", "driverId": "-3", "organisationId": "11", "vehicle": {"id": "4", "defaultDriverId": None}},
            {"id": "5", "driver": {"id": "6", "name": None}, "formerDriver": None, "formerDriverId": "7"},
        ],
        "driver": {"id": "8", "isSystemDriver": False},
        "vehicle": {"id": "9", "defaultDriver": {"id": "12"}},
        "nextCursor": None,
    }
    found = sorted(drivers_in(answer), key=lambda one: one[1])
    assert found == [(None if number not in (1, -3) else {1: "10", -3: "11"}[number], number) for _, number in found]
    assert [number for _, number in found] == [-3, 1, 6, 7, 8, 12]
