"""Partitions made ahead, and the DEFAULT one emptied, while others write and read."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from mixhaul_store import partitions
from mixhaul_store.database import Database
from mixhaul_store.errors import PartitionsChanged

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
INSERT = (
    "INSERT INTO telemetry_events (organisation_id, external_id, occurred_at, observed_at, raw_page_id, value)"
    " VALUES (%s, %s, %s, now(), 1, %s)"
)


async def rows(database: Database, query: str, *values: object) -> list[tuple[object, ...]]:
    async with database.connection() as connection:
        cursor = await connection.execute(query.encode(), values)
        return await cursor.fetchall()


async def months(database: Database, table: str) -> list[object]:
    return [row[0] for row in await rows(database, "SELECT month FROM mixhaul_partition_months(%s)", table)]


async def places(database: Database) -> list[tuple[object, ...]]:
    return await rows(database, "SELECT external_id, tableoid::regclass::text FROM telemetry_events ORDER BY 1")


async def insert(database: Database, *events: tuple[int, datetime]) -> None:
    async with database.transaction() as connection:
        await connection.cursor().executemany(INSERT.encode(), [(1, number, at, 0.0) for number, at in events])


async def test_the_migration_has_made_them_and_a_later_day_adds_its_months(database: Database) -> None:
    today = datetime.now(UTC)
    assert await partitions.ensure(database, now=today) == 0
    events, pages = await months(database, "telemetry_events"), await months(database, "raw_pages")
    oldest, newest = (today - timedelta(days=400)).date(), (today + timedelta(days=60)).date()
    assert (events[0], events[-1]) == (oldest.replace(day=1), newest.replace(day=1))
    assert (pages[0], pages[-1]) == ((today - timedelta(days=31)).date().replace(day=1), newest.replace(day=1))
    later = today + timedelta(days=62)
    assert await partitions.ensure(database, now=later) >= 4
    assert await partitions.ensure(database, now=later) == 0


async def test_a_partition_looks_like_one_that_the_migration_made(database: Database) -> None:
    """Primary key, index, storage of the compressed pages, and the identity column of the parent."""
    await partitions.ensure(database, now=NOW + timedelta(days=4000))
    await rows(
        database,
        "INSERT INTO raw_pages (organisation_id, feed, observed_at, records, body_bytes, body)"
        " VALUES (1, 'events', %s, 1, 1, 'x') RETURNING id",
        NOW + timedelta(days=4000),
    )
    found = await rows(
        database,
        "SELECT count(*) FILTER (WHERE NOT EXISTS (SELECT FROM pg_inherits p WHERE p.inhrelid = x.indexrelid)),"
        " count(DISTINCT x.indexrelid) / count(DISTINCT i.inhrelid), (SELECT attstorage FROM pg_attribute"
        " WHERE attrelid = 'raw_pages_2037_11'::regclass AND attname = 'body')"
        " FROM pg_inherits i JOIN pg_index x ON x.indrelid = i.inhrelid"
        " WHERE i.inhparent IN ('telemetry_events'::regclass, 'raw_pages'::regclass)",
    )
    assert found == [(0, 3, "e")], "every index belongs to one of the parent, three a partition"


async def test_several_processes_may_care_at_once(database_url: str) -> None:
    async with Database(database_url, application_name="mixhaul:many", max_size=6) as database:
        async with database.connection() as connection:
            await connection.execute("DROP TABLE telemetry_events_2026_11, raw_pages_2026_11")
        later = NOW + timedelta(days=120)
        made = await asyncio.gather(*(partitions.ensure(database, now=later) for _ in range(4)))
        assert max(made) > 0
        assert await partitions.ensure(database, now=later) == 0
        found = await months(database, "telemetry_events")
        assert len(found) == len(set(found))


async def test_whole_months_move_out_of_the_default_partition_and_absurd_ones_stay(database: Database) -> None:
    await insert(
        database,
        (1, datetime(1970, 1, 1, tzinfo=UTC)),
        (2, datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)),
        (3, datetime(2024, 3, 1, tzinfo=UTC)),
        (4, datetime(2027, 6, 1, tzinfo=UTC)),
        (5, datetime(2099, 1, 1, tzinfo=UTC)),
        (6, datetime(2026, 11, 1, tzinfo=UTC)),
    )
    assert await partitions.drain_default(database, table="telemetry_events", now=NOW) == 3
    assert await places(database) == [
        (1, "telemetry_events_default"),
        (2, "telemetry_events_2024_02"),
        (3, "telemetry_events_2024_03"),
        (4, "telemetry_events_2027_06"),
        (5, "telemetry_events_default"),
        (6, "telemetry_events_2026_11"),
    ]
    assert await partitions.drain_default(database, table="telemetry_events", now=NOW) == 0
    await insert(database, (7, datetime(2024, 3, 31, 23, 59, 59, tzinfo=UTC)))
    assert (await places(database))[-1] == (7, "telemetry_events_2024_03")


async def test_raw_pages_move_with_their_numbers(database: Database) -> None:
    old = datetime(2025, 1, 15, tzinfo=UTC)
    ids = await rows(
        database,
        "INSERT INTO raw_pages (organisation_id, feed, observed_at, records, body_bytes, body)"
        " SELECT 1, 'events', %s, 1, 1, 'x' FROM generate_series(1, 3) RETURNING id",
        old,
    )
    assert await partitions.drain_default(database, table="raw_pages", now=NOW) == 3
    assert await rows(database, "SELECT id FROM raw_pages_2025_01 ORDER BY id") == sorted(ids)


async def test_a_month_is_moved_under_the_hands_of_writers_and_nothing_is_lost_or_doubled(database_url: str) -> None:
    """Three organisations insert and change rows of the month all the while."""
    month = datetime(2024, 5, 1, tzinfo=UTC)
    done = asyncio.Event()
    expected: dict[int, float] = dict.fromkeys(range(1, 20001), 0.0)
    refused = 0

    async def write(organisation: int) -> None:
        nonlocal refused
        number = organisation * 1_000_000
        while not done.is_set():
            number += 1
            at = month + timedelta(minutes=number % 40_000)
            try:
                async with database.transaction() as connection:
                    await lock(connection, organisation)
                    await connection.execute(INSERT.encode(), (organisation, number, at, 0.0), prepare=True)
            except PartitionsChanged:
                refused += 1
                continue
            async with database.transaction() as connection:
                await lock(connection, organisation)
                cursor = await connection.execute(
                    "UPDATE telemetry_events SET value = value + 1"
                    " WHERE organisation_id = %s AND external_id = %s AND occurred_at = %s",
                    (organisation, number, at),
                    prepare=True,
                )
                assert cursor.rowcount == 1, "the row was not found while it moved"
            expected[number] = 1.0

    async def move() -> None:
        while len(expected) < 20_100:
            await asyncio.sleep(0.01)
        while not await partitions.drain_default(database, table="telemetry_events", now=NOW):
            await asyncio.sleep(0)
        seen = len(expected)
        while len(expected) < seen + 100:
            await asyncio.sleep(0.01)
        done.set()

    async with Database(database_url, application_name="mixhaul:many", max_size=6) as database:
        async with database.connection() as connection:
            await connection.execute(
                "INSERT INTO organisations (api_url, external_id, source)"
                " SELECT 'a', n, 's' FROM generate_series(1, 3) AS n"
            )
        await insert(database, *((n, month + timedelta(minutes=n)) for n in range(1, 20_001)))
        async with asyncio.timeout(100), asyncio.TaskGroup() as group:
            for organisation in (1, 2, 3):
                group.create_task(write(organisation))
            group.create_task(move())
        found = await rows(database, "SELECT external_id, value FROM telemetry_events ORDER BY 1")
        assert found == sorted(expected.items())
        assert await rows(database, "SELECT count(*) FROM telemetry_events_default") == [(0,)]
        assert refused <= 3, "at most the one statement of each that was under way"


async def lock(connection: psycopg.AsyncConnection[object], organisation: int) -> None:
    """What every writer of events does first."""
    await connection.execute("SELECT FROM organisations WHERE id = %s FOR UPDATE", (organisation,))


async def test_a_row_on_its_way_to_the_default_partition_while_its_month_gets_one(database_url: str) -> None:
    """The writer has looked at the partitions and waits at the DEFAULT one: its row must not end up there."""
    async with Database(database_url, application_name="mixhaul:two") as database:
        with psycopg.connect(database_url) as attacher:
            attacher.execute("SELECT mixhaul_create_partition('telemetry_events', '2024-05-01')")
            attacher.execute("LOCK TABLE telemetry_events_default")
            writing = asyncio.create_task(insert(database, (1, datetime(2024, 5, 5, tzinfo=UTC))))
            async with asyncio.timeout(30):
                while not attacher.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
                    await asyncio.sleep(0.01)
            attacher.execute("SELECT mixhaul_attach_partition('telemetry_events', '2024-05-01')")
        with pytest.raises(PartitionsChanged, match="tried again"):
            await writing
        await insert(database, (1, datetime(2024, 5, 5, tzinfo=UTC)))
        assert await places(database) == [(1, "telemetry_events_2024_05")]


async def test_a_long_query_makes_the_move_wait_for_another_day_and_loses_nothing(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LOCK_TIMEOUT", "100ms")
    await insert(database, (1, datetime(2024, 5, 1, tzinfo=UTC)))
    later = NOW + timedelta(days=500)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT (SELECT count(*) FROM telemetry_events), (SELECT count(*) FROM raw_pages)")
        assert await partitions.drain_default(database, table="telemetry_events", now=NOW) == 0
        assert await partitions.ensure(database, now=later) == 0
        assert await places(database) == [(1, "telemetry_events_default")]
    assert await partitions.drain_default(database, table="telemetry_events", now=NOW) == 1
    assert await partitions.ensure(database, now=later) > 0
    assert await places(database) == [(1, "telemetry_events_2024_05")]


@pytest.mark.parametrize("table", ["event_keys", "pg_class", "telemetry_events_default"])
async def test_the_functions_work_on_the_two_tables_only(database: Database, table: str) -> None:
    for function in ("create_partition", "attach_partition", "move_month"):
        async with database.connection() as connection:
            with pytest.raises(psycopg.errors.InvalidParameterValue):
                await connection.execute(f"SELECT mixhaul_{function}(%s, %s)".encode(), (table, date(2026, 1, 1)))
