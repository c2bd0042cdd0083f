"""The event feed against the truth: paging, tokens, headers, limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from integration.simulator.conftest import Caller


def token_at(ago: timedelta) -> str:
    return (datetime.now(UTC) - ago).strftime("%Y%m%d%H%M%S000")


OLDEST = timedelta(days=7) - timedelta(minutes=10)


async def walk(caller: Caller, token: str, quantity: int, *, feed: str = "events") -> tuple[dict[str, Any], str]:
    """The latest version of everything, by id as text, and the last token."""
    found: dict[str, Any] = {}
    while True:
        answer = await caller.page(token, quantity, feed=feed)
        assert answer.status_code == 200, answer.text
        for event in answer.json():
            found[str(event.get("EventId") or event.get("PositionId") or event.get("TripId"))] = event
        token = answer.headers["getsincetoken"]
        if answer.headers["hasmoreitems"] == "False":
            return found, token


def text_ids(value: Any) -> Any:
    """As the truth writes ids, by a way of its own."""
    if isinstance(value, dict):
        return {
            name: str(item) if name.endswith("Id") and isinstance(item, int) else text_ids(item)
            for name, item in value.items()
        }
    return value


async def truth_of(caller: Caller) -> dict[str, Any]:
    rows = (await caller.truth("events", organisation=caller.organisation, limit="100000"))["events"]
    return {row["EventId"]: {name: value for name, value in row.items() if name != "createdAt"} for row in rows}


@pytest.mark.parametrize("changes", [{}, {"token_style": "opaque"}, {"gzip": True}])
async def test_a_walk_gives_the_truth(start: Callable[..., Any], changes: dict[str, Any]) -> None:
    caller: Caller = await start(**changes)
    found, _ = await walk(caller, token_at(OLDEST), 50)
    truth = await truth_of(caller)
    assert {key: text_ids(event) for key, event in found.items()} == truth
    assert len(truth) > 200
    assert await caller.violations() == []


async def test_new_events_follow_and_an_empty_page_has_both_headers(caller: Caller) -> None:
    empty = await caller.page("NEW")
    assert (empty.status_code, empty.json(), empty.headers["hasmoreitems"]) == (200, [], "False")
    made = await caller.do("events", {"organisation": caller.organisation, "count": 7, "burst": True})
    page = await caller.page(empty.headers["getsincetoken"], 3)
    assert [str(event["EventId"]) for event in page.json()] == made["eventIds"]
    assert page.headers["hasmoreitems"] == "False"
    again = await caller.page(page.headers["getsincetoken"])
    assert (again.json(), again.headers["hasmoreitems"]) == ([], "False")


async def test_the_headers_are_spelt_as_mix_does(caller: Caller) -> None:
    raw = [name for name, _ in (await caller.page("NEW")).headers.raw]
    assert b"HasMoreItems" in raw and b"GetSinceToken" in raw


@pytest.mark.parametrize(
    ("token", "quantity", "status"),
    [
        (token_at(timedelta(days=8)), "10", 400),
        (token_at(timedelta(days=-1)), "10", 400),
        ("yesterday", "10", 400),
        ("20261301000000000", "10", 400),
        ("NEW", "1001", 400),
        ("NEW", "0", 400),
        ("NEW", "x", 400),
    ],
    # Not by the tokens, which differ from process to process.
    ids=["dead", "of-tomorrow", "word", "month-13", "1001", "0", "x"],
)
async def test_bad_tokens_and_quantities(caller: Caller, token: str, quantity: str, status: int) -> None:
    path = caller.since(token).rpartition("/")[0]
    answer = await caller.get(f"{path}/{quantity}")
    assert (answer.status_code, list(answer.json())) == (status, ["Message"])


async def test_a_cursor_dies_with_the_clock(caller: Caller) -> None:
    token = (await caller.page("NEW")).headers["getsincetoken"]
    await caller.do("clock", {"advanceSeconds": 6 * 86400})
    assert (await caller.page(token)).status_code == 200
    await caller.do("clock", {"advanceSeconds": 2 * 86400})
    assert (await caller.page(token)).status_code == 400


async def test_a_cursor_of_a_client_whose_own_clock_is_right(start: Callable[..., Any]) -> None:
    now = datetime.now(UTC)
    caller: Caller = await start(start_ms=int((now - timedelta(days=8)).timestamp() * 1000))
    token = (await caller.page("NEW")).headers["getsincetoken"]
    assert (await caller.page(token)).status_code == 200
    await caller.do("clock", {"set": now.isoformat()})
    assert (await caller.page(token)).status_code == 400
    assert (await caller.page(token_at(OLDEST))).status_code == 200
    assert await caller.violations() == []


async def test_a_token_of_ones_own_making_is_recorded(caller: Caller) -> None:
    token = (await caller.page(token_at(OLDEST), 20)).headers["getsincetoken"]
    token = (await caller.page(token, 20)).headers["getsincetoken"]
    await caller.page(str(int(token) + 1), 20)
    (violation,) = (await caller.records())["violations"]
    assert violation["kind"] == "token-not-given"
    assert violation["detail"]["token"] == str(int(token) + 1)


async def test_an_organisation_out_of_sight(caller: Caller) -> None:
    assert (await caller.get(caller.since("NEW", organisation="12345"))).status_code == 401
    assert (await caller.get(caller.since("NEW", organisation="x"))).status_code == 400
    await caller.do("organisations", {"organisation": caller.organisation, "forbidden": True})
    assert (await caller.page("NEW")).status_code == 401
    rows = (await caller.get("api/organisationgroups")).json()
    assert caller.organisation not in [str(row["GroupId"]) for row in rows]
    await caller.do("organisations", {"organisation": caller.organisation, "forbidden": False})
    assert (await caller.page("NEW")).status_code == 200


async def test_an_organisation_that_comes_later(caller: Caller) -> None:
    added = await caller.do("organisations", {"add": True, "name": "Nova Frota"})
    caller.organisation = added["GroupId"]
    assert (await caller.page("NEW")).json() == []


async def test_the_filtered_form(caller: Caller) -> None:
    truth = await truth_of(caller)
    wanted = next(iter(truth.values()))["EventTypeId"]
    answer = await caller.post(caller.since(token_at(OLDEST)), [int(wanted)])
    expected = {key for key, event in truth.items() if event["EventTypeId"] == wanted}
    assert {str(event["EventId"]) for event in answer.json()} == expected
    assert answer.headers["hasmoreitems"] == "False"
    for body in ({"ids": []}, ["5"], [True], "x"):
        assert (await caller.post(caller.since("NEW"), body)).status_code == 400


@pytest.mark.parametrize("feed", ["positions", "trips", "activeevents"])
async def test_the_other_feeds_page_by_the_same_rules(caller: Caller, feed: str) -> None:
    whole, token = await walk(caller, token_at(OLDEST), 1000, feed=feed)
    pieces, _ = await walk(caller, token_at(OLDEST), 20, feed=feed)
    assert pieces.keys() == whole.keys() and len(whole) > 50
    assert (await caller.page(token, feed=feed)).status_code == 200
    if feed == "trips":
        assert "SubTrips" not in next(iter(whole.values()))
        full = await caller.get(caller.since(token_at(OLDEST), feed="trips") + "?includeSubTrips=True")
        assert "SubTrips" in full.json()[0]
    assert await caller.violations() == []


async def test_paths_in_any_case_and_unknown_ones(caller: Caller) -> None:
    assert (await caller.get(caller.since("NEW").upper())).status_code == 200
    assert (await caller.get("api/nothing")).status_code == 404
    assert (await caller.post("api/organisationgroups", {})).status_code == 405


class TestLimits:
    async def test_the_21st_call_of_a_minute_is_refused(self, start: Callable[..., Any]) -> None:
        caller: Caller = await start(requests_per_minute=20)
        answers = [await caller.get(f"api/drivers/organisation/{caller.organisation}") for _ in range(21)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        other = (await caller.truth("organisations"))["organisations"][1]["GroupId"]
        assert (await caller.get(f"api/drivers/organisation/{other}")).status_code == 200
        assert await caller.violations() == ["rate"]

    async def test_the_pause_after_the_last_page(self, start: Callable[..., Any]) -> None:
        caller: Caller = await start(pause_seconds=30.0, retry_after=False)
        token = (await caller.page("NEW")).headers["getsincetoken"]
        early = await caller.page(token)
        assert (early.status_code, early.headers.get("retry-after")) == (429, None)
        (violation,) = (await caller.records())["violations"]
        assert violation["kind"] == "pause" and violation["detail"]["shortBySeconds"] > 20

    async def test_no_pause_while_there_is_more(self, start: Callable[..., Any]) -> None:
        caller: Caller = await start(pause_seconds=30.0)
        page = await caller.page(token_at(OLDEST), 20)
        assert page.headers["hasmoreitems"] == "True"
        assert (await caller.page(page.headers["getsincetoken"], 20)).status_code == 200

    async def test_record_only_refuses_nothing(self, start: Callable[..., Any]) -> None:
        caller: Caller = await start(pause_seconds=30.0, requests_per_minute=2, enforce=False)
        token = "NEW"
        for _ in range(3):
            answer = await caller.page(token)
            assert answer.status_code == 200
            token = answer.headers["getsincetoken"]
        assert sorted(await caller.violations()) == ["pause", "pause", "rate"]


async def test_the_records_tell_each_call(caller: Caller) -> None:
    first = (await caller.records())["next"]
    answer = await caller.page(token_at(OLDEST), 20)
    log = (await caller.http.get(f"{caller.control_url}/control/records", params={"since": str(first)})).json()
    (call,) = log["calls"]
    assert call["route"] == "feed" and call["organisation"] == caller.organisation
    assert call["tokenGiven"] == answer.headers["getsincetoken"] and call["hasMore"] is True
    assert call["records"] == len(answer.json()) and call["status"] == 200 and call["outcome"] == "sent"
    assert call["received"] <= call["answered"] and call["receivedAt"].endswith("Z")
    assert (await caller.control("DELETE", "records")).status_code == 200
    assert (await caller.records())["calls"] == []


async def test_an_endless_feed(start: Callable[..., Any]) -> None:
    caller: Caller = await start(endless=True)
    seen: set[int] = set()
    token = token_at(OLDEST)
    for _ in range(3):
        answer: httpx.Response = await caller.page(token)
        events = json.loads(answer.content)
        assert len(events) == 1000 and answer.headers["hasmoreitems"] == "True"
        seen.update(event["EventId"] for event in events)
        token = answer.headers["getsincetoken"]
    assert len(seen) == 3000
    counts = (await caller.truth("endless"))["organisations"][caller.organisation]
    assert counts == {"pages": 3, "distinctPages": 3, "events": 3000}
    assert "error" in await caller.truth("events", organisation=caller.organisation)
