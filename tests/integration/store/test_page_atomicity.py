"""All of a page or nothing: fencing, a cursor that is elsewhere, sessions that end at any point, writers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from mixhaul_runtime import checkpoints
from mixhaul_store import cursors
from mixhaul_store.elections import LeaderRow
from mixhaul_store.errors import CommitUnknown, CursorMoved, DatabaseUnavailable, StaleEpoch, StoreError
from support.store_haul import FEED, NOON, Haul, event, later, rejected

COUNTS = """
SELECT (SELECT count(*) FROM telemetry_events) AS events, (SELECT count(*) FROM event_keys) AS keys,
       (SELECT count(*) FROM raw_pages) AS pages, (SELECT count(*) FROM quarantined_records) AS quarantined,
       (SELECT min(watermark) FROM organisations) AS watermark, c.last_successful_sincetoken AS token,
       (SELECT sum(value) FROM telemetry_events) AS total
  FROM etl_control c
"""
Hook = Callable[[str, Callable[[], None]], None]


@pytest.fixture
def at_checkpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    def install(name: str, act: Callable[[], None]) -> None:
        def hook(reached: str) -> None:
            if reached == name:
                monkeypatch.setattr(checkpoints, "hook", lambda _: None)
                act()

        monkeypatch.setattr(checkpoints, "hook", hook)

    yield install


def terminator(url: str) -> Callable[[], None]:
    """Ends every session of the leader."""

    def act() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            query = (
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'mixhaul:test'"
            )
            connection.execute(query)

    return act


async def test_a_stale_leader_cannot_commit(haul: Haul) -> None:
    await haul.deliver(event(1, NOON, value=1.0))
    before = await haul.row(COUNTS)
    await LeaderRow(haul.database, holder="leader-2", duration_seconds=15).acquire(force=True)
    with pytest.raises(StaleEpoch):
        await haul.deliver(event(1, NOON, value=2.0), event(2), at=later(1))
    # Nor one that has the right number under another name.
    holder = replace(haul.epoch, epoch=haul.epoch.epoch + 1)
    rows = [event(3)]
    with pytest.raises(StaleEpoch):
        await haul.commit(haul.page(rows), rows, epoch=holder)
    assert await haul.row(COUNTS) == before


@pytest.mark.parametrize("expected", ["elsewhere", None])
async def test_a_cursor_that_is_elsewhere_stops_the_page(haul: Haul, expected: str | None) -> None:
    await haul.deliver(event(1))
    before = await haul.row(COUNTS)
    haul.token = expected
    with pytest.raises(CursorMoved):
        await haul.deliver(event(2), bad=[rejected(None, b"x")])
    assert await haul.row(COUNTS) == before


async def test_a_cursor_without_its_organisation_stops_the_page(haul: Haul) -> None:
    async with haul.database.connection() as connection:
        await connection.execute("DELETE FROM organisations")
    with pytest.raises(CursorMoved):
        await haul.deliver(event(1))
    assert (await haul.rows(), await haul.rows("SELECT FROM raw_pages")) == ([], [])


async def test_a_feed_without_a_row_has_no_cursor_to_move(haul: Haul) -> None:
    async with haul.database.connection() as connection:
        await connection.execute("DELETE FROM etl_control")
    with pytest.raises(CursorMoved):
        await haul.deliver(event(1))


@pytest.mark.parametrize("point", ["keys_copied", "rows_copied", "before_commit", "after_commit"])
async def test_a_session_that_ends_leaves_all_or_nothing(
    haul: Haul, at_checkpoint: Hook, database_url: str, point: str
) -> None:
    await haul.deliver(event(1, NOON, value=1.0))
    before = await haul.row(COUNTS)
    rows = [event(1, NOON, value=2.0), *(event(n, NOON, value=1.0) for n in range(2, 50))]
    page = haul.page(rows, at=later(1), bad=[rejected(None, b"x")])
    at_checkpoint(point, terminator(database_url))
    if point == "after_commit":
        await haul.commit(page, rows)
    else:
        with pytest.raises((DatabaseUnavailable, CommitUnknown)):
            await haul.commit(page, rows)
        assert await haul.row(COUNTS) == before
        await haul.commit(page, rows)
    after = await haul.row(COUNTS)
    assert after == {
        "events": 49,
        "keys": 49,
        "pages": 2,
        "quarantined": 1,
        "watermark": before["watermark"] + 1,
        "token": page.next_token,
        "total": 50.0,
    }
    # Whoever does not know the outcome asks again, and finds it done.
    haul.token = page.next_token
    again = haul.page(rows, at=later(2), bad=[rejected(None, b"x")])
    assert (await haul.commit(again, rows)).unchanged == 50
    assert (await haul.row(COUNTS)) == after | {"pages": 3, "token": again.next_token}


async def test_a_defect_in_the_caller_s_decoder_writes_nothing(haul: Haul, at_checkpoint: Hook) -> None:
    before = await haul.row(COUNTS)

    def act() -> None:
        raise ZeroDivisionError

    at_checkpoint("rows_copied", act)
    with pytest.raises(ZeroDivisionError):
        await haul.deliver(event(1))
    assert await haul.row(COUNTS) == before
    assert (await haul.deliver(event(1))).inserted == 1


async def test_a_cancelled_page_writes_nothing(haul: Haul, at_checkpoint: Hook) -> None:
    before = await haul.row(COUNTS)
    delivering = asyncio.ensure_future(haul.deliver(event(1), body=b"x" * 100_000))
    at_checkpoint("rows_copied", lambda: bool(delivering.cancel()) and None)
    with pytest.raises(asyncio.CancelledError):
        await delivering
    assert await haul.row(COUNTS) == before
    assert (await haul.deliver(event(1))).inserted == 1


async def test_writers_of_one_organisation_queue_up(haul: Haul) -> None:
    """Two feeds that bring the same new events at once: each is stored once, and the newer version stays."""
    other = Haul(haul.database, haul.organisation_id, haul.epoch)
    async with haul.database.connection() as connection:
        await cursors.read_cursor(connection, haul.organisation_id, "history")

    async def history(value: float, seconds: float) -> Any:
        rows = [event(n, NOON, value=value) for n in range(300)]
        return await other.commit(replace(other.page(rows, at=later(seconds)), feed="history"), rows)

    rows = [event(n, NOON, value=2.0) for n in range(299, -1, -1)]
    first, second = await asyncio.gather(haul.deliver(*rows, at=later(2)), history(1.0, 1))
    assert first.inserted + second.inserted == 300
    assert {row["value"] for row in await haul.rows()} == {2.0}
    assert len(await haul.rows("SELECT FROM event_keys")) == 300


async def test_other_organisations_keep_the_same_ids_apart(haul: Haul) -> None:
    async with haul.database.connection() as connection:
        cursor = await connection.execute(
            "INSERT INTO organisations (api_url, external_id, source) VALUES ('https://uat', -4242, 's') RETURNING id"
        )
        (number,) = await cursor.fetchone() or (0,)
        await cursors.read_cursor(connection, number, FEED)
    uat = Haul(haul.database, number, haul.epoch)
    await haul.deliver(event(1, NOON, value=1.0))
    assert (await uat.deliver(event(1, NOON, value=2.0))).inserted == 1
    assert (await uat.deliver(event(1, NOON, value=3.0), at=later(1))).updated == 1
    assert sorted(row["value"] for row in await haul.rows()) == [1.0, 3.0]


async def test_an_insert_that_needs_the_organisation_does_not_wait_for_a_page(
    haul: Haul, at_checkpoint: Hook, database_url: str
) -> None:
    done: list[str] = []

    def act() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("SET lock_timeout = '3s'")
            connection.execute(
                "INSERT INTO sync_runs (source, organisation_id, reason) SELECT 's', id, 'r' FROM organisations"
            )
            done.append("inserted")

    at_checkpoint("before_commit", act)
    await haul.deliver(event(1))
    assert done == ["inserted"]


async def test_errors_of_the_database_come_as_our_types(haul: Haul) -> None:
    async with haul.database.connection() as connection:
        await connection.execute("ALTER TABLE raw_pages RENAME COLUMN body TO away")
    try:
        with pytest.raises(StoreError):
            await haul.deliver(event(1))
    finally:
        async with haul.database.connection() as connection:
            await connection.execute("ALTER TABLE raw_pages RENAME COLUMN away TO body")
