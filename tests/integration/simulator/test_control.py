"""The control port: every command says in a sentence what is wrong with its input."""

from __future__ import annotations

from typing import Any

import pytest

from integration.simulator.conftest import Caller

ORGANISATION = "ORGANISATION"


BAD_INPUT: list[tuple[str, str, dict[str, Any] | None, int, str]] = [
    ("GET", "nothing", None, 404, "there is no /control/nothing"),
    ("DELETE", "clock", None, 405, "does not take DELETE"),
    ("GET", "truth/events", None, 400, "say which organisation"),
    ("GET", "truth/events?organisation=5", None, 400, "there is no organisation 5"),
    ("GET", "truth/events?organisation=x", None, 400, "signed 64-bit id"),
    ("GET", "truth/drivers?colour=1", None, 400, "unknown parameter 'colour'"),
    ("GET", "records?since=-1", None, 400, "since must be"),
    ("POST", "clock", {"advanceSeconds": "x"}, 400, "advanceSeconds must be a number"),
    ("POST", "clock", {"set": "yesterday"}, 400, "ISO 8601"),
    ("POST", "clock", {"set": 5}, 400, "ISO 8601"),
    ("POST", "clock", {"freeze": "yes"}, 400, "true or false"),
    ("POST", "clock", {"jump": 1}, 400, "unknown field 'jump'"),
    ("POST", "clock", {"set": "2026-01-01", "advanceSeconds": 1}, 400, "not both"),
    ("POST", "faults", {"kind": "hang", "count": 1, "organisation": "5"}, 400, "there is no organisation 5"),
    ("POST", "events", {}, 400, "say which organisation"),
    ("POST", "events", {"organisation": ORGANISATION, "count": -1}, 400, "count must be"),
    ("POST", "events", {"organisation": ORGANISATION, "Colour": 1}, 400, "unknown field 'Colour'"),
    ("POST", "events", {"organisation": ORGANISATION, "overrides": {"Colour": 1}}, 400, "no field 'Colour'"),
    ("POST", "events", {"organisation": ORGANISATION, "overrides": 1}, 400, "overrides must be"),
    ("POST", "events", {"organisation": ORGANISATION, "DriverId": str(2**63)}, 400, "signed 64-bit id"),
    ("POST", "events", {"organisation": ORGANISATION, "StartDateTime": "x"}, 400, "ISO 8601"),
    ("POST", "events", {"organisation": ORGANISATION, "EventId": 1, "count": 2}, 400, "count can only be 1"),
    ("POST", "amendments", {"organisation": ORGANISATION, "eventId": "1"}, 400, "has no event 1"),
    ("POST", "support", {"organisation": ORGANISATION, "list": "x"}, 400, "list must be"),
    ("POST", "support", {"organisation": ORGANISATION, "remove": 1}, 400, "which list"),
    ("POST", "generate", {}, 400, "eventsPerMinute, until or stop"),
    ("POST", "generate", {"eventsPerMinute": -1}, 400, "eventsPerMinute must be"),
    ("POST", "credentials", {"password": 1}, 400, "must be text"),
    ("POST", "organisations", {"organisation": "5"}, 400, "there is no organisation 5"),
    ("POST", "limits", {"pauseSeconds": -1}, 400, "pauseSeconds must be"),
]


async def test_bad_input(caller: Caller) -> None:
    for method, path, body, status, sentence in BAD_INPUT:
        if body and body.get("organisation") == ORGANISATION:
            body = {**body, "organisation": caller.organisation}
        answer = await caller.control(method, path, body)
        assert (answer.status_code, sentence in answer.json()["error"]) == (status, True), answer.text


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
async def test_a_body_that_is_no_object(caller: Caller, body: bytes) -> None:
    answer = await caller.http.post(f"{caller.control_url}/control/clock", content=body)
    assert answer.status_code == 400


async def test_the_clock_stands_still_and_jumps(caller: Caller) -> None:
    frozen = await caller.do("clock", {"freeze": True})
    assert (await caller.do("clock", {}))["now"] == frozen["now"]
    moved = await caller.do("clock", {"set": "2031-05-06T07:08:09.010Z"})
    assert moved == {"now": "2031-05-06T07:08:09.010Z", "frozen": True}
    answer = await caller.page("NEW")
    assert answer.headers["getsincetoken"] == "20310506070809010"
    assert answer.headers["date"] == "Tue, 06 May 2031 07:08:09 GMT"


async def test_the_pace_can_be_turned(caller: Caller) -> None:
    await caller.do("clock", {"freeze": True})
    await caller.do("generate", {"eventsPerMinute": 6000})
    before = (await caller.truth("organisations"))["organisations"][0]["events"]
    await caller.do("clock", {"freeze": False})
    for _ in range(200):
        now = (await caller.truth("organisations"))["organisations"][0]["events"]
        if now > before:
            break
    assert now > before
    assert (await caller.do("generate", {"stop": True}))["eventsPerMinute"] == 0
    stopped = (await caller.truth("organisations"))["organisations"][0]["events"]
    assert (await caller.truth("organisations"))["organisations"][0]["events"] == stopped


async def test_limits_can_be_turned(caller: Caller) -> None:
    changed = await caller.do("limits", {"requestsPerMinute": 1, "pauseSeconds": 5, "enforce": True})
    assert changed == {"requestsPerMinute": 1, "pauseSeconds": 5.0, "enforce": True}
    path = f"api/drivers/organisation/{caller.organisation}"
    assert [(await caller.get(path)).status_code for _ in range(2)] == [200, 429]
    await caller.do("limits", {"reset": True})
    assert (await caller.get(path)).status_code == 200


async def test_the_state_at_a_glance(caller: Caller) -> None:
    state = (await caller.control("GET", "")).json()
    assert state["seed"] == 1 and len(state["organisations"]) == 2 and state["faults"] == []


async def test_truth_pages_are_steady_while_events_change(caller: Caller) -> None:
    async def page(offset: int) -> list[str]:
        answer = await caller.truth("events", organisation=caller.organisation, offset=str(offset), limit="50")
        return [event["EventId"] for event in answer["events"]]

    first = await page(0)
    await caller.do("events", {"organisation": caller.organisation, "EventId": first[10], "Value": 1})
    assert await page(0) == first
    assert set(first).isdisjoint(await page(50))
