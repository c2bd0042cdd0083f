"""Logging in: both ways of client authentication, rotation, and what is refused."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from integration.simulator.conftest import ACCOUNT, LOGIN, Caller

BODY_ONLY = {name: value for name, value in LOGIN.items() if not name.startswith("client_")}


async def test_password_then_refresh_with_rotation(caller: Caller) -> None:
    first = (await caller.token()).json()
    assert first["token_type"] == "Bearer" and first["expires_in"] == 3600
    second = await caller.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert second.json()["refresh_token"] != first["refresh_token"]
    again = await caller.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    records = await caller.records()
    assert [violation["kind"] for violation in records["violations"]] == ["refresh-token-reused"]
    assert [(entry["ok"], entry["clientAuth"]) for entry in records["refreshes"]] == [(True, "body"), (False, "body")]
    assert first["refresh_token"] not in str(records) and ACCOUNT.password not in str(records)


async def test_without_rotation_the_token_stays(start: Callable[..., Any]) -> None:
    caller: Caller = await start(rotate=False)
    first = (await caller.token()).json()["refresh_token"]
    assert (await caller.token(grant_type="refresh_token", refresh_token=first)).json()["refresh_token"] == first


@pytest.mark.parametrize(("encode", "status"), [(str, 200), (lambda text: quote(text, safe=""), 400)])
async def test_basic_is_raw(caller: Caller, encode: Callable[[str], str], status: int) -> None:
    pair = f"{encode(ACCOUNT.client_id)}:{encode(ACCOUNT.client_secret)}"
    header = "Basic " + base64.b64encode(pair.encode()).decode()
    answer = await caller.http.post(
        f"{caller.url}/core/connect/token", data=BODY_ONLY, headers={"Authorization": header}
    )
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"password": "wrong"}, "invalid_grant"),
        ({"username": "wrong"}, "invalid_grant"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"scope": "MiX.Integrate"}, "invalid_scope"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "never"}, "invalid_grant"),
    ],
)
async def test_refusals(caller: Caller, fields: dict[str, str], error: str) -> None:
    answer = await caller.token(**fields)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_credentials_in_the_url_are_refused_and_recorded(caller: Caller) -> None:
    answer = await caller.http.post(f"{caller.url}/core/connect/token?client_secret=x", data=LOGIN)
    assert answer.status_code == 400
    assert await caller.violations() == ["bad-auth"]


async def test_the_control_port_changes_and_revokes(caller: Caller) -> None:
    refresh = (await caller.token()).json()["refresh_token"]
    await caller.do("credentials", {"revokeRefreshTokens": True})
    assert (await caller.token(grant_type="refresh_token", refresh_token=refresh)).status_code == 400
    await caller.do("credentials", {"password": "outra"})
    assert (await caller.token()).status_code == 400
    assert (await caller.token(password="outra")).status_code == 200
    await caller.do("credentials", {"revokeClient": True})
    assert (await caller.token(password="outra")).json()["error"] == "invalid_client"
    assert (await caller.get("api/organisationgroups")).status_code == 200
    await caller.do("credentials", {"revokeAccessTokens": True})
    assert (await caller.get("api/organisationgroups")).status_code == 401
    assert await caller.violations() == []


async def test_a_short_life_and_a_lost_answer(caller: Caller) -> None:
    await caller.do("faults", {"kind": "expires-short", "count": 1, "seconds": 0})
    short = (await caller.token()).json()
    assert short["expires_in"] == 0
    caller.access = short["access_token"]
    assert (await caller.get("api/organisationgroups")).status_code == 401


async def test_no_bearer_no_data(caller: Caller) -> None:
    caller.access = "made-up"
    assert (await caller.page("NEW")).status_code == 401
    answer = await caller.http.get(f"{caller.url}/api/organisationgroups")
    assert answer.status_code == 401
    assert await caller.violations() == ["bad-auth"]
