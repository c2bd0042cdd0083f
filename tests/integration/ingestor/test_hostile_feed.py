"""`stream` against answers that no simulator gives: clocks that lie, odd tokens, records that are too deep."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest

from faults.bed import Bed
from support.http_script import Headers, Received, ScriptedServer, Step, answer, hang, page

ORGANISATION = "-9223372036854775808"
SINCE = re.compile(r"/api/events/groups/createdsince/organisation/-?\d+/sincetoken/([^/]+)/quantity/\d+")
TOKEN = {"access_token": "a", "refresh_token": "r", "expires_in": 3600, "token_type": "Bearer"}

Feed = Callable[[str, int], Step]


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)


def token_of(time: datetime) -> str:
    return time.strftime("%Y%m%d%H%M%S") + f"{time.microsecond // 1000:03d}"


def mix(feed: Feed, *, offset: timedelta | None = None, asked: list[str]) -> ScriptedServer:
    """Logs everybody in, and answers the n-th feed call by `feed(token, n)`; its clock is off by `offset`."""

    async def step(request: Received, writer: asyncio.StreamWriter) -> None:
        headers: Headers = (("Content-Type", "application/json"),)
        if offset is not None:
            headers += (("Date", format_datetime(datetime.now(UTC) + offset, usegmt=True)),)
        if request.target == "/core/connect/token":
            await answer(200, json.dumps(TOKEN).encode(), headers)(request, writer)
            return
        match = SINCE.fullmatch(request.target)
        assert match is not None, request.target
        asked.append(match[1])
        await feed(match[1], len(asked))(request, writer)

    return ScriptedServer(otherwise=step)


def records(*ids: int) -> bytes:
    return json.dumps([{"EventId": one, "StartDateTime": "2026-01-02T03:04:05"} for one in ids]).encode()


def source(bed: Bed, server: ScriptedServer, *, start_from: str = "Oldest", page_size: int = 1000) -> str:
    """The path of a manifest."""
    manifest = bed.folder / "hostile.yaml"
    manifest.write_text(
        f"""
apiVersion: v1
kind: Secret
metadata: {{name: login}}
stringData: {{clientID: c, clientSecret: s, username: u, password: p}}
---
apiVersion: mixhaul.io/v1alpha1
kind: MixSource
metadata: {{name: hostile}}
spec:
  endpoint: {{apiURL: {server.url}, identityURL: {server.url}/core, insecure: true}}
  secretRef: {{name: login}}
  organisationIDs: ["{ORGANISATION}"]
  stream: {{periodSeconds: 1, startFrom: {start_from}, pageSize: {page_size}}}
  rateLimit: {{requestsPerMinute: 600, pauseSeconds: 1}}
"""
    )
    return str(manifest)


async def haul(bed: Bed, server: ScriptedServer, *, start_from: str = "Oldest", page_size: int = 1000) -> int:
    """`stream --until-caught-up` to its end."""
    manifest = source(bed, server, start_from=start_from, page_size=page_size)
    run = await asyncio.to_thread(
        bed.run, "stream", "--manifest", manifest, "--no-live", "--until-caught-up", timeout=40
    )
    return run.returncode


def rows(bed: Bed, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(bed.url) as connection:
        return connection.execute(query.encode()).fetchall()


def within_seven_days(token: str, *, now: datetime) -> bool:
    return now - timedelta(days=7) <= moment(token) <= now + timedelta(minutes=1)


@pytest.mark.parametrize("days", [10, 2_900_000])
async def test_a_date_that_lies_ends_no_living_token_and_skips_nothing(bed: Bed, days: int) -> None:
    now = datetime.now(UTC)
    given = [token_of(now - timedelta(days=6 - number)) for number in range(4)]
    asked: list[str] = []

    def feed(token: str, number: int) -> Step:
        if not within_seven_days(unquote(token), now=datetime.now(UTC)):
            return answer(400, b"{}", lie)
        more = "True" if number < 4 else "False"
        return page(records(number), more=more, token=given[number - 1], headers=lie)

    lie = (("Date", "Fri, 31 Dec 9999 23:59:59 GMT"),)
    if abs(days) < 1_000:
        lie = (("Date", format_datetime(now + timedelta(days=days), usegmt=True)),)
    async with mix(feed, asked=asked) as server:
        assert await haul(bed, server) == 0
    first, *others = (one for one in asked if within_seven_days(one, now=now))
    assert moment(first) < now - timedelta(days=6, hours=23)
    assert others == given[:3]
    assert rows(bed, "SELECT count(*) FROM event_keys") == [(4,)]
    assert rows(bed, "SELECT count(*) FROM gaps") == [(0,)]


@pytest.mark.parametrize("days", [-8, 8])
async def test_where_mix_has_another_day_the_feed_begins_by_its_clock(bed: Bed, days: int) -> None:
    offset = timedelta(days=days)
    asked: list[str] = []

    def feed(token: str, _: int) -> Step:
        there = datetime.now(UTC) + offset
        if not within_seven_days(token, now=there):
            return answer(400, b"{}", (("Date", format_datetime(there, usegmt=True)),))
        return page(records(1), token=token_of(there))

    async with mix(feed, offset=offset, asked=asked) as server:
        assert await haul(bed, server) == 0
    assert rows(bed, "SELECT count(*) FROM event_keys") == [(1,)]
    assert len(asked) == 2


async def test_a_dead_token_that_is_no_time_leaves_a_gap_from_where_it_may_have_been(bed: Bed) -> None:
    asked: list[str] = []

    def feed(token: str, number: int) -> Step:
        if number == 1:
            return page(records(1), more="True", token="an~opaque:one")
        return answer(400, b"{}") if token == "an~opaque:one" else page(records(2), token="fresh")

    async with mix(feed, asked=asked) as server:
        # Every size of page is tried three times before; here there is only one.
        assert await haul(bed, server, page_size=1) == 0
    assert asked.count("an~opaque:one") == 3
    ((begin, end),) = rows(bed, "SELECT from_time, to_time FROM gaps")
    ((received,),) = rows(bed, "SELECT min(observed_at) FROM event_keys")
    assert begin == received - timedelta(days=7)
    assert moment(asked[-1]) - timedelta(seconds=1) <= end <= moment(asked[-1]) + timedelta(seconds=1)


async def test_where_new_brings_no_page_nothing_since_then_is_lost(bed: Bed) -> None:
    asked: list[str] = []

    def feed(_: str, number: int) -> Step:
        return answer(503) if number < 3 else page(records(1), token="x")

    before = datetime.now(UTC) - timedelta(seconds=1)
    async with mix(feed, asked=asked) as server:
        assert await haul(bed, server, start_from="Now") == 0
    assert asked[0] == "NEW"
    assert asked[1] == asked[2]
    assert before < moment(asked[1]) < before + timedelta(seconds=15)


async def test_odd_records_and_tokens_cost_nobody_else(bed: Bed) -> None:
    deep = [f'{{"EventId": {depth}, "X": {"[" * depth}{"]" * depth}}}' for depth in (99, 150, 600, 900, 1_100, 100_000)]
    twice = '{"EventId": 1, "Value": 1}, {"EventId": 1, "Value": 2}'
    numbers = (
        '{"EventId": 2, "TotalTimeSeconds": 1e3, "StartOdometerKilometres": 12345678901234567890.12345678901234567890}'
    )
    edges = '{"EventId": -9223372036854775808}, {"EventId": 9223372036854775807}, {"EventId": 3, "EventId": 4}'
    body = f"[{','.join(deep)}, {twice}, {numbers}, {edges}]".encode()
    token = "aZ09-._~:+=!$&'()*,;@" * 9
    asked: list[str] = []

    def feed(_: str, number: int) -> Step:
        return page(body, more=" true ", token=token) if number == 1 else page(token=f"{token}==")

    async with mix(feed, asked=asked) as server:
        assert await haul(bed, server) == 0
    assert asked[1:] == [token]
    stored = dict(rows(bed, "SELECT external_id, value FROM telemetry_events"))
    ((quarantined,),) = rows(bed, "SELECT count(*) FROM quarantined_records")
    # How deep a record may be is the decoder's and PostgreSQL's business: it is stored or kept aside, and never lost.
    within = {depth for depth in (150, 600, 900, 1_100, 100_000) if depth in stored}
    assert stored.keys() - within == {1, 2, 4, 99, -(2**63), 2**63 - 1}
    assert (stored[1], quarantined) == (2.0, 5 - len(within))
    ((seconds, odometer),) = rows(
        bed, "SELECT total_time_seconds, start_odometer_km::text FROM telemetry_events WHERE external_id = 2"
    )
    assert (seconds, odometer) == (1000, "12345678901234567890.12345678901234567890")


async def test_a_sync_ends_by_a_signal_while_mix_gives_no_answer(bed: Bed) -> None:
    async with ScriptedServer(otherwise=hang()) as server:
        process = bed.start("sync", "--manifest", source(bed, server))
        while not server.requests:
            await asyncio.sleep(0.02)
        process.terminate()
        assert await asyncio.to_thread(process.wait, 60) == 143
    log = (bed.folder / "commands.log").read_text(encoding="utf-8")
    assert "Ended by a signal before everything was done" in log
    assert "not ended in time" not in log
