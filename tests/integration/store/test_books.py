"""Requests for work, sync runs and their lock, and the progress that `status` shows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from mixhaul_store import cursors, organisations, progress, syncs, work
from mixhaul_store.budgets import PermitBudget
from mixhaul_store.database import Database
from support.store_haul import FEED, NOON, Haul, event, later

SOURCES = ("fleet/mix",)


async def ask(database: Database, request_id: str, *, kind: str = "sync", source: str = "fleet/mix") -> bool:
    return await work.ask(database, source=source, request_id=request_id, kind=kind, parameters={"id": str(2**60)})


async def take(database: Database, **options: float) -> work.WorkRequest | None:
    return await work.take(database, kinds=("sync",), sources=SOURCES, **options)


async def test_work_is_done_once_however_often_it_is_asked_for(database: Database) -> None:
    assert await ask(database, "a")
    assert not await ask(database, "a")
    taken = await take(database)
    assert taken is not None
    assert (taken.source, taken.request_id, taken.kind, taken.parameters) == (
        "fleet/mix",
        "a",
        "sync",
        {"id": str(2**60)},
    )
    assert (await take(database), await ask(database, "a")) == (None, False)
    await work.finish(database, taken.id, ok=False, message="why \0")
    assert (await take(database, abandoned_after_seconds=0), await ask(database, "a")) == (None, False)
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT state, message FROM work_requests")).fetchone()
    assert row == ("failed", "why �")


async def test_the_oldest_comes_first_and_only_what_is_asked_for(database: Database) -> None:
    await ask(database, "other source", source="fleet/other")
    await ask(database, "other kind", kind="backfill")
    for name in ("first", "second"):
        await ask(database, name)
    taken = [await take(database) for _ in range(3)]
    assert [one.request_id if one else None for one in taken] == ["first", "second", None]


async def test_work_of_a_dead_worker_is_taken_again(database: Database) -> None:
    await ask(database, "a")
    first = await take(database)
    assert first is not None
    await work.note(database, first.id, {"read": 3})
    await work.note(database, first.id, {"of": 7})
    assert await take(database) is None
    again = await take(database, abandoned_after_seconds=0)
    assert again == replace(first, attempts=2, progress={"read": 3, "of": 7})
    # The request began 9 minutes ago, but its worker has just said that it lives.
    async with database.connection() as connection:
        await connection.execute("UPDATE work_requests SET started_at = now() - interval '9 min', heartbeat_at = NULL")
    await work.beat(database, [first.id])
    assert await take(database) is None
    async with database.connection() as connection:
        await connection.execute("UPDATE work_requests SET heartbeat_at = now() - interval '61 s'")
    assert await work.take(database, kinds=("sync",), sources=None, not_ids=(first.id,)) is None
    assert await work.take(database, kinds=("sync",), sources=None) is not None


async def test_work_that_was_given_back_waits_for_its_time(database: Database) -> None:
    await ask(database, "a")
    first = await take(database)
    assert first is not None
    await work.give_back(database, first.id, after_seconds=3600, message="MiX is away")
    assert await take(database) is None
    state = await work.read(database, source="fleet/mix", request_id="a")
    assert state is not None
    assert (state.state, state.message, state.heartbeat_at) == ("pending", "MiX is away", None)
    same = {"id": str(2**60)}
    assert await work.unfinished(database, source="fleet/mix", kind="sync", parameters=same) == "a"
    assert await work.unfinished(database, source="fleet/mix", kind="sync", parameters={"id": "1"}) is None
    await work.give_back(database, first.id)  # it runs no more: nothing happens
    assert await take(database) is None
    async with database.connection() as connection:
        await connection.execute("UPDATE work_requests SET not_before = now()")
    assert await take(database) is not None
    await work.finish(database, first.id, ok=True, message="done")
    assert await work.unfinished(database, source="fleet/mix", kind="sync", parameters=same) is None
    assert await work.read(database, source="fleet/mix", request_id="b") is None


async def test_workers_at_once_take_different_work(database: Database) -> None:
    for number in range(4):
        await ask(database, str(number))
    taken = await asyncio.gather(*(take(database) for _ in range(4)))
    assert {one.request_id for one in taken if one} == {"0", "1", "2", "3"}


async def test_syncs_of_one_organisation_wait_for_each_other(database: Database) -> None:
    order: list[str] = []

    async def sync(name: str, organisation: int) -> None:
        async with syncs.lock(database, organisation):
            order.append(f"{name} begins")
            await asyncio.sleep(0.05)
            order.append(f"{name} ends")

    await asyncio.gather(sync("a", 1), sync("b", 1))
    assert order in (["a begins", "a ends", "b begins", "b ends"], ["b begins", "b ends", "a begins", "a ends"])
    order.clear()
    async with syncs.lock(database, 1):
        await sync("other", 2)
    assert order == ["other begins", "other ends"]


async def test_a_lock_goes_with_a_failure_and_leaves_the_session_as_it_was(database_url: str) -> None:
    async with Database(database_url, application_name="mixhaul:test", max_size=1) as database:
        with pytest.raises(ZeroDivisionError):
            async with syncs.lock(database, 1):
                raise ZeroDivisionError
        async with database.connection() as connection:
            row = await (await connection.execute("SHOW statement_timeout")).fetchone()
            locks = await (
                await connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            ).fetchone()
    assert (row, locks) == (("1min",), (0,))


async def test_progress_of_a_feed(haul: Haul) -> None:
    database = haul.database
    other = await organisations.claim(database, api_url="https://x", external_id=2**60, source="a/first", name="B")
    await haul.deliver(event(1), at=later(1))
    await haul.deliver(at=later(2), more=False)
    for since in (0, 3):
        await cursors.reseed(
            database,
            epoch=haul.epoch,
            organisation_id=haul.organisation_id,
            feed=FEED,
            gap_from=NOON + timedelta(hours=since),
            gap_to=NOON + timedelta(hours=since + 1),
            cause="x",
        )
    async with database.connection() as connection:
        await connection.execute("UPDATE gaps SET filled_up_to = from_time + interval '15 minutes' WHERE id % 2 = 0")
    key = f"organisation:{haul.organisation_id}"
    async with PermitBudget(database, key=key, requests_per_minute=20, priority="sync", holder="h").permit():
        pass
    good = await syncs.start(database, source="fleet/mix", organisation_id=haul.organisation_id, reason="cron")
    await syncs.finish(database, good, error=None, counts={"drivers": 3})
    unbegun, begun = await progress.read(database)
    assert (unbegun.source, unbegun.organisation, unbegun.name, unbegun.feed) == (
        "a/first",
        other.external_id,
        "B",
        FEED,
    )
    assert (unbegun.token, unbegun.open_gaps, unbegun.permits_used, unbegun.last_sync_at) == (None, 0, 0, None)
    assert (begun.organisation, begun.last_poll_at, begun.last_data_at, begun.caught_up_at) == (
        -4242,
        later(2),
        later(1),
        later(2),
    )
    assert (begun.token, begun.token_received_at, begun.open_gaps, begun.gap_seconds) == (None, later(2), 2, 6300.0)
    assert (begun.permits_used, begun.last_sync_result, begun.last_sync_error) == (1, "succeeded", None)
    # A run that failed as a whole is every organisation's.
    bad = await syncs.start(database, source="fleet/mix", organisation_id=None, reason="cron")
    assert (await progress.read(database))[1].last_sync_result == "succeeded"
    await syncs.finish(database, bad, error="no list", counts={})
    rows = await progress.read(database)
    assert [(row.last_sync_result, row.last_sync_error) for row in rows] == [(None, None), ("failed", "no list")]
