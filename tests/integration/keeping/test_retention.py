"""What goes when it has outlived its retention, what stays, and what becomes of it when it comes once more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from mixhaul_store import books, cursors, months, organisations, partitions, retention
from mixhaul_store.database import Database
from mixhaul_store.elections import LeaderRow
from mixhaul_store.errors import StaleEpoch
from mixhaul_store.retention_plan import Policy
from support.store_haul import FEED, Haul, begin, event

NOW = datetime.now(UTC)
SOURCE, OTHER = "fleet/mix", "fleet/other"
SMALL = {"telemetry_events": 3, "raw_pages": 2}


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def month(days: float) -> date:
    return months.month_of(ago(days))


async def let_go(haul: Haul, policies: dict[str, Policy]) -> retention.Outlook:
    return await retention.run(haul.database, policies, epoch=haul.epoch, pause_seconds=0, batch=SMALL)


async def another(haul: Haul) -> Haul:
    """A second organisation, of another source."""
    claimed = await organisations.claim(haul.database, api_url="https://integrate.example", external_id=7, source=OTHER)
    async with haul.database.connection() as connection:
        await cursors.read_cursor(connection, claimed.id, FEED)
    return Haul(haul.database, claimed.id, haul.epoch)


async def stored(haul: Haul) -> set[int]:
    """Ids of the events of the organisation, each of which has its key and nothing else has."""
    own = f"WHERE organisation_id = {haul.organisation_id}"
    rows = await haul.rows(f"SELECT external_id FROM telemetry_events {own}")
    keys = await haul.rows(f"SELECT external_id FROM event_keys {own}")
    assert {row["external_id"] for row in rows} == {row["external_id"] for row in keys}
    assert len(rows) == len(keys)
    return {row["external_id"] for row in rows}


async def test_months_that_nobody_keeps_are_dropped_and_the_rest_stays(haul: Haul) -> None:
    rows = [event(n, ago(n * 5)) for n in range(60)]
    await haul.deliver(*rows, at=NOW)
    foreseen = await retention.outlook(haul.database, {SOURCE: Policy(event_days=103)})
    gone = await let_go(haul, {SOURCE: Policy(event_days=103)})
    assert {one.month for one in gone.dropped} == {one.month for one in foreseen.dropped}
    assert [one.rows for one in gone.trimmed] == [one.rows for one in foreseen.trimmed]
    left = await stored(haul)
    assert left == {n for n in range(60) if ago(n * 5) >= ago(103)}
    async with haul.database.connection() as connection:
        there = await partitions.attached_months(connection, "telemetry_events")
    assert min(there) == month(103)
    assert (await let_go(haul, {SOURCE: Policy(event_days=103)})) == retention.Outlook((), ())


async def test_an_event_goes_by_its_own_time_and_never_by_when_it_came(haul: Haul) -> None:
    await haul.deliver(event(1, ago(5)), event(2, ago(301)), at=ago(300))
    await haul.deliver(event(3, ago(300)), event(4, ago(5)), at=NOW)
    await let_go(haul, {SOURCE: Policy(event_days=30)})
    assert await stored(haul) == {1, 4}


async def test_a_source_without_retention_keeps_everything_and_no_month_is_dropped(haul: Haul) -> None:
    other = await another(haul)
    rows = [event(n, ago(n * 10)) for n in range(30)]
    await haul.deliver(*rows)
    await other.deliver(*rows)
    gone = await let_go(haul, {SOURCE: Policy(event_days=45), OTHER: Policy()})
    assert gone.dropped == ()
    assert [(one.source, one.rows) for one in gone.trimmed] == [(SOURCE, 25)]
    assert await stored(haul) == {0, 1, 2, 3, 4}
    assert await stored(other) == set(range(30))
    # Nor where it is not known what the other wants.
    assert (await let_go(haul, {SOURCE: Policy(event_days=45)})).dropped == ()
    assert await stored(other) == set(range(30))


async def test_one_keeps_less_than_the_other(haul: Haul) -> None:
    other = await another(haul)
    rows = [event(n, ago(n * 10)) for n in range(30)]
    await haul.deliver(*rows)
    await other.deliver(*rows)
    gone = await let_go(haul, {SOURCE: Policy(event_days=45), OTHER: Policy(event_days=205)})
    assert max(one.month for one in gone.dropped) < month(205)
    assert await stored(haul) == {0, 1, 2, 3, 4}
    assert await stored(other) == set(range(21))


async def test_absurd_times_in_the_default_partition_go_too(haul: Haul) -> None:
    await haul.deliver(event(1, datetime(1970, 1, 1, tzinfo=UTC)), event(2, datetime(2099, 1, 1, tzinfo=UTC)), event(3))
    await let_go(haul, {SOURCE: Policy(event_days=36500 // 2)})
    assert await stored(haul) == {2, 3}


async def test_raw_pages_go_by_when_they_came(haul: Haul) -> None:
    other = await another(haul)
    for number, days in enumerate((1, 20, 40, 41, 42, 43, 100)):
        await haul.deliver(event(number, NOW), at=ago(days))
        await other.deliver(event(number, NOW), at=ago(days))
    await let_go(haul, {SOURCE: Policy(raw_days=30), OTHER: Policy(raw_days=70)})
    left = await haul.rows("SELECT organisation_id, count(*) AS n FROM raw_pages GROUP BY 1 ORDER BY 1")
    assert [row["n"] for row in left] == [2, 6]
    assert len(await stored(haul)) == len(await stored(other)) == 7


async def test_what_is_older_than_it_is_kept_is_counted_and_not_stored_however_often_it_comes(haul: Haul) -> None:
    old, young = event(1, ago(40)), event(2, ago(20))
    assert (await haul.deliver(old, young)).inserted == 2
    await let_go(haul, {SOURCE: Policy(event_days=30)})
    for _ in range(2):
        result = await haul.deliver(old, young, event(3, ago(31)))
        assert (result.inserted, result.updated, result.unchanged, result.expired) == (0, 0, 1, 2)
    assert await stored(haul) == {2}
    # MiX has found out that it happened later: it is young now.
    assert (await haul.deliver(event(1, ago(3)), at=NOW)).inserted == 1
    assert await stored(haul) == {1, 2}


async def test_an_event_without_a_time_is_not_taken_for_a_new_one(haul: Haul) -> None:
    await haul.deliver(event(1, None), at=ago(40))
    await let_go(haul, {SOURCE: Policy(event_days=30)})
    assert await haul.rows() == []
    assert (await haul.deliver(event(1, None), at=NOW)).unchanged == 1
    assert (await haul.deliver(event(1, None, value=2.0), at=NOW)).unchanged == 1
    assert await haul.rows() == []
    assert (await haul.deliver(event(1, ago(1)), at=NOW)).inserted == 1
    assert await stored(haul) == {1}


async def test_policies_are_written_down_and_forgotten_with_their_source(haul: Haul) -> None:
    await retention.mirror(haul.database, {SOURCE: Policy(30, 10)}, epoch=haul.epoch)
    assert await retention.mirrored(haul.database) == {SOURCE: Policy(30, 10)}
    assert await retention.back_days(haul.database) == 30
    assert (await haul.deliver(event(1, ago(40)))).expired == 1
    await retention.mirror(haul.database, {SOURCE: Policy()}, epoch=haul.epoch)
    assert (await haul.deliver(event(1, ago(40)))).inserted == 1
    assert await retention.back_days(haul.database) == 400
    await retention.mirror(haul.database, {SOURCE: Policy(30, 10)}, epoch=haul.epoch)
    await retention.mirror(haul.database, {}, epoch=haul.epoch)
    assert await retention.mirrored(haul.database) == {SOURCE: Policy()}


async def test_a_former_leader_lets_nothing_go(haul: Haul) -> None:
    await haul.deliver(event(1, ago(100)))
    await LeaderRow(haul.database, holder="leader-2", duration_seconds=15).acquire(force=True)
    with pytest.raises(StaleEpoch):
        await let_go(haul, {SOURCE: Policy(event_days=30)})
    with pytest.raises(StaleEpoch):
        await books.prune(haul.database, epoch=haul.epoch)
    assert await stored(haul) == {1}


async def test_a_run_that_was_cut_off_is_taken_up_by_the_next(
    haul: Haul, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    """Between the steps keys are without rows: an event of that month that became young meanwhile is not lost."""
    await haul.deliver(*[event(n, ago(100)) for n in range(10)])

    class CutOff(Exception):
        pass

    forget = retention.Keeper._forget

    async def cut_off(self: Any, of: date, organisation_id: int) -> None:
        if of == month(100):
            raise CutOff
        await forget(self, of, organisation_id)

    monkeypatch.setattr(retention.Keeper, "_forget", cut_off)
    with pytest.raises(CutOff):
        await let_go(haul, {SOURCE: Policy(event_days=30)})
    monkeypatch.undo()
    assert await haul.rows() == []
    assert len(await haul.rows("SELECT FROM event_keys")) == 10
    assert (await haul.deliver(event(4, ago(2)), event(5, ago(100), value=3.0), at=NOW)).inserted == 1
    # Making partitions ahead does not bring the month back.
    await partitions.ensure(haul.database, now=NOW)
    assert [row["external_id"] for row in await haul.rows()] == [4]
    await let_go(haul, {SOURCE: Policy(event_days=30)})
    assert await stored(haul) == {4}
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT relname FROM pg_class WHERE relname LIKE 'expired%'").fetchall() == []


async def test_a_long_query_makes_the_drop_wait_for_another_day_and_others_read_on(
    haul: Haul, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DETACH_LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(retention, "DETACH_TRIES", 3)
    await haul.deliver(event(1, ago(100)), event(2, ago(1)))
    reads = 0
    with psycopg.connect(database_url) as reader, psycopg.connect(database_url, autocommit=True) as other:
        reader.execute("SELECT count(*) FROM telemetry_events")
        letting_go = asyncio.create_task(let_go(haul, {SOURCE: Policy(event_days=30)}))
        other.execute("SET statement_timeout = '10s'")
        while not letting_go.done():
            await asyncio.to_thread(other.execute, "SELECT count(*) FROM telemetry_events")
            reads += 1
        assert (await letting_go).dropped == ()
    assert reads > 0
    assert await stored(haul) == {1, 2}
    assert (await let_go(haul, {SOURCE: Policy(event_days=30)})).dropped
    assert await stored(haul) == {2}


async def test_pages_go_on_while_data_goes(database_url: str) -> None:
    async with Database(database_url, application_name="mixhaul:many", max_size=6) as database:
        haul = await begin(database)
        other = await another(haul)
        old: Iterable[Any] = [event(n, ago(40.5 + n % 50)) for n in range(600)]
        await haul.deliver(*old)
        await other.deliver(*old)
        policies = {SOURCE: Policy(event_days=30), OTHER: Policy(event_days=60)}
        done = asyncio.Event()
        pages = 0

        async def write(one: Haul) -> None:
            nonlocal pages
            number = 1000
            while not done.is_set():
                number += 10
                await one.deliver(*[event(number + n, ago(n)) for n in range(10)], at=NOW)
                pages += 1

        async def keep() -> None:
            await retention.run(
                database, policies, epoch=haul.epoch, pause_seconds=0, batch={"telemetry_events": 50, "raw_pages": 5}
            )
            done.set()

        await asyncio.gather(write(haul), write(other), keep())
        assert pages > 4
        assert all(number >= 1000 for number in await stored(haul))
        assert {number for number in await stored(other) if number < 1000} == {n for n in range(600) if n % 50 < 20}


async def test_books_are_pruned_and_what_is_needed_stays(haul: Haul) -> None:
    async with haul.database.connection() as connection:
        await connection.execute(
            """
            INSERT INTO request_budgets (key) VALUES ('b');
            INSERT INTO request_permits (budget_id, priority, holder, granted_at, frees_at)
                 SELECT id, 'feed', 'h', now(), now() - n * interval '1 day'
                   FROM request_budgets, generate_series(0, 4) n;
            INSERT INTO sync_runs (source, reason, started_at, finished_at, result)
                 SELECT 's', 'schedule', now() - n * interval '40 days', now(), 'succeeded'
                   FROM generate_series(2, 6) n;
            INSERT INTO work_requests (source, request_id, kind, state, requested_at, finished_at) VALUES
                 ('s', '1', 'sync', 'succeeded', now(), now() - interval '91 days'),
                 ('s', '2', 'sync', 'pending', now() - interval '300 days', NULL);
            INSERT INTO quarantined_records
                   (organisation_id, feed, digest, reason, record, raw_page_id, observed_at, resolved_at)
                 SELECT id, 'events', n, 'r', 'x', 1, now() - n * interval '1 day',
                        CASE WHEN n = 3 THEN now() - interval '100 days' END
                   FROM organisations, generate_series(1, 5) n;
            INSERT INTO audit_log (at, actor, action) VALUES (now() - interval '9 years', 'a', 'b')
            """
        )
        await connection.execute("UPDATE organisations SET raw_days = 4")
    found = await books.outlook(haul.database)
    gone = await books.prune(haul.database, epoch=haul.epoch, batch=2, pause_seconds=0)
    assert found == gone == {"request_permits": 4, "sync_runs": 4, "work_requests": 1, "quarantined_records": 3}
    assert len(await haul.rows("SELECT FROM audit_log")) == 1
    assert [row["digest"] for row in await haul.rows("SELECT digest FROM quarantined_records ORDER BY 1")] == [1, 2]
