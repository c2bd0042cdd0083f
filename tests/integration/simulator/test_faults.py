"""What a client meets under each fault, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from integration.simulator.conftest import Caller, raw_request
from integration.simulator.test_feed import OLDEST, token_at, truth_of, walk


async def struck(caller: Caller, kind: str, **more: Any) -> httpx.Response:
    """One page under one fault."""
    await caller.do("faults", {"kind": kind, "count": 1, **more})
    return await caller.page(token_at(OLDEST), 100)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("status-500", 500),
        ("status-502", 502),
        ("status-503", 503),
        ("status-429", 429),
        ("retry-after-429", 429),
        ("html-200", 200),
        ("redirect-login", 302),
        ("unauthorised-once", 401),
        ("forbidden-organisation", 401),
    ],
)
async def test_another_answer_instead(caller: Caller, kind: str, status: int) -> None:
    answer = await struck(caller, kind)
    assert answer.status_code == status
    assert "getsincetoken" not in answer.headers
    assert answer.headers.get("retry-after") == ("2" if kind == "retry-after-429" else None)
    assert (await caller.page(token_at(OLDEST), 100)).status_code == 200
    assert (await caller.records())["calls"][-2]["fault"] == kind
    if kind in ("html-200", "redirect-login"):
        assert "text/html" in answer.headers["content-type"]


async def test_retry_after_as_a_date(caller: Caller) -> None:
    answer = await struck(caller, "retry-after-429", seconds=5, http_date=True)
    assert answer.headers["retry-after"].endswith("GMT")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset-before", httpx.ReadError),
        ("reset-mid-body", httpx.ReadError),
        ("truncated-body", httpx.RemoteProtocolError),
        ("half-headers", httpx.RemoteProtocolError),
        ("gzip-corrupt", httpx.DecodingError),
    ],
)
async def test_an_answer_that_dies_on_its_way(caller: Caller, kind: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await struck(caller, kind)
    assert (await caller.page(token_at(OLDEST), 100)).status_code == 200


async def test_a_json_cut_short(caller: Caller) -> None:
    answer = await struck(caller, "truncated-json")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("kind", ["hang", "hang-mid-body"])
async def test_a_hang_leaves_nothing_behind(caller: Caller, kind: str) -> None:
    before = len(asyncio.all_tasks())
    await caller.do("faults", {"kind": kind, "count": 3})
    for _ in range(3):
        with pytest.raises(httpx.ReadTimeout):
            await caller.http.get(
                f"{caller.url}/{caller.since('NEW')}",
                headers={"Authorization": f"Bearer {caller.access}"},
                timeout=0.1,
            )
    for _ in range(50):
        if len(asyncio.all_tasks()) <= before:
            break
        await asyncio.sleep(0.02)
    assert len(asyncio.all_tasks()) <= before


@pytest.mark.parametrize("kind", ["slow-headers", "slow-body"])
async def test_a_slow_answer_is_whole(caller: Caller, kind: str) -> None:
    answer = await struck(caller, kind, seconds=0.3)
    assert len(answer.json()) >= 100
    assert answer.elapsed >= timedelta(seconds=0.25)


async def test_headers_that_are_no_help(caller: Caller) -> None:
    assert "hasmoreitems" not in (await struck(caller, "missing-has-more")).headers
    assert (await struck(caller, "garbage-has-more")).headers["hasmoreitems"] == "Maybe"
    assert "getsincetoken" not in (await struck(caller, "missing-token")).headers


@pytest.mark.parametrize("kind", ["missing-has-more", "garbage-has-more", "truncated-json"])
async def test_the_token_of_such_a_page_must_not_be_used(caller: Caller, kind: str) -> None:
    token = (await struck(caller, kind)).headers["getsincetoken"]
    await caller.page(token, 100)
    assert await caller.violations() == ["token-not-given"]


async def test_an_empty_page_that_says_there_is_more(caller: Caller) -> None:
    answer = await struck(caller, "empty-page-more")
    assert (answer.json(), answer.headers["hasmoreitems"]) == ([], "True")
    found, _ = await walk(caller, answer.headers["getsincetoken"], 100)
    assert found.keys() == (await truth_of(caller)).keys()


async def test_204_and_206(caller: Caller) -> None:
    empty = await struck(caller, "status-204")
    assert (empty.status_code, empty.content, empty.headers["hasmoreitems"]) == (204, b"", "True")
    found, _ = await walk(caller, empty.headers["getsincetoken"], 100)
    assert found.keys() == (await truth_of(caller)).keys()
    partial = await struck(caller, "status-206")
    assert partial.status_code == 206 and len(partial.json()) >= 100


async def test_pages_of_other_sizes(caller: Caller) -> None:
    assert len((await struck(caller, "oversize-page")).json()) >= 150
    short = await struck(caller, "short-page")
    assert 33 <= len(short.json()) < 60 and short.headers["hasmoreitems"] == "True"


async def test_doubled_and_delivered_again(caller: Caller) -> None:
    doubled = [event["EventId"] for event in (await struck(caller, "duplicate-page-events")).json()]
    assert len(set(doubled)) < len(doubled)
    token = (await caller.page(token_at(OLDEST), 100)).headers["getsincetoken"]
    await caller.do("faults", {"kind": "redeliver", "count": 1})
    page = (await caller.page(token, 100)).json()
    earlier = {event["EventId"] for event in (await caller.page(token_at(OLDEST), 100)).json()}
    assert len([event for event in page if event["EventId"] in earlier]) >= 40


async def test_every_way_of_writing_keeps_the_values(caller: Caller) -> None:
    plain = (await caller.page(token_at(OLDEST), 100)).json()
    for kind in ("unknown-fields", "numbers-as-text", "dates-odd", "enum-number", "bom"):
        await caller.do("faults", {"kind": kind, "count": 1})
    answer = await caller.page(token_at(OLDEST), 100)
    assert answer.content.startswith(b"\xef\xbb\xbf")
    odd = json.loads(answer.content.decode("utf-8-sig"))
    assert [int(event["EventId"]) for event in odd] == [event["EventId"] for event in plain]
    for event, same in zip(odd, plain, strict=True):
        assert "FutureField" in event
        if same["Value"] is not None:
            assert Decimal(event["Value"]) == Decimal(str(same["Value"]))
        if same["StartPosition"] is not None:
            assert event["StartPosition"]["Source"].isdigit()


@pytest.mark.parametrize("kind", ["empty-support-list", "short-support-list", "status-204"])
async def test_lists_that_are_not_whole(caller: Caller, kind: str) -> None:
    path = f"api/libraryevents/organisation/{caller.organisation}"
    whole = (await caller.get(path)).json()
    await caller.do("faults", {"kind": kind, "count": 1, "route": "libraryevents"})
    answer = await caller.get(path)
    rows = answer.json() if answer.content else []
    assert len(rows) == (len(whole) // 3 if kind == "short-support-list" else 0)
    assert (await caller.get(path)).json() == whole


async def test_bad_records_reach_the_client_byte_for_byte(caller: Caller) -> None:
    token = (await caller.page("NEW")).headers["getsincetoken"]
    await caller.do("faults", {"kind": "bad-record", "rate": 1.0})
    await caller.do("faults", {"kind": "unknown-fields", "count": 1})
    await caller.do("events", {"organisation": caller.organisation, "count": 20})
    body = (await caller.page(token)).content
    bad = (await caller.truth("quarantinable", organisation=caller.organisation))["records"]
    assert len(bad) == 20 and len({record["variant"] for record in bad}) > 3
    for record in bad:
        assert base64.b64decode(record["record"]) in body
    assert body.count(b"FutureField") >= 20


async def test_a_lost_token_answer_spends_the_refresh_token(caller: Caller) -> None:
    refresh = (await caller.token()).json()["refresh_token"]
    await caller.do("faults", {"kind": "token-answer-lost", "count": 1})
    with pytest.raises(httpx.ReadError):
        await caller.token(grant_type="refresh_token", refresh_token=refresh)
    assert (await caller.token(grant_type="refresh_token", refresh_token=refresh)).json()["error"] == "invalid_grant"


async def test_the_token_route_fails_only_when_asked_to(caller: Caller) -> None:
    await caller.do("faults", {"kind": "status-503", "rate": 1.0})
    assert (await caller.token()).status_code == 200
    await caller.do("faults", {"kind": "status-503", "rate": 1.0, "route": "token"})
    assert (await caller.token()).status_code == 503
    assert (await caller.control("DELETE", "faults")).json() == {"faults": []}
    assert (await caller.token()).status_code == 200


async def test_http_at_its_edges(caller: Caller) -> None:
    def ask(text: str) -> bytes:
        return raw_request(caller.url, text)

    assert (await asyncio.to_thread(ask, "nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    two = "GET /core/login HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answers = await asyncio.to_thread(ask, two)
    assert answers.count(b"HTTP/1.1 200 OK") == 1 and answers.count(b"HTTP/1.1 404 Not Found") == 1
