"""Permits on a real database: shared by processes, kept through deaths, and the feed's pause with them."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from mixhaul_runtime.clock import SystemClock
from mixhaul_store import permits
from mixhaul_store.budgets import FeedPause, Permit, PermitBudget, used
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, LeaderRow
from mixhaul_store.errors import DatabaseUnavailable, StaleEpoch, StoreError
from mixhaul_store.permits import Granted
from support import budget_caller
from support.store_haul import FEED, Haul

KEY = "organisation:1"
PAUSE, TRANSIT, SEND_WITHIN = 30.0, 10.0, 2.0


def budget(database: Database, priority: str = "sync", *, limit: int = 3, **options: object) -> PermitBudget:
    values: dict[str, object] = {"key": KEY, "holder": "h", "transit_seconds": TRANSIT}
    return PermitBudget(database, requests_per_minute=limit, priority=priority, **(values | options))  # type: ignore[arg-type]


def feed_budget(haul: Haul, *, epoch: Epoch | None = None, **options: object) -> PermitBudget:
    pause = FeedPause(haul.organisation_id, FEED, PAUSE, epoch or haul.epoch)
    return budget(haul.database, "feed", limit=20, feed=pause, **options)


async def ask(one: PermitBudget) -> Granted | timedelta:
    """A permit, or how long to wait: without waiting."""
    return await permits.ask(one.db, one.account, budget=await permits.budget_id(one.db, one.account.key))


async def waits(one: PermitBudget) -> float:
    """How long the next call has to wait; 0 where it may be made at once, and then it isn't."""
    answer = await ask(one)
    if isinstance(answer, timedelta):
        return answer.total_seconds()
    await permits.give_back(one.db, one.account, answer)
    return 0.0


async def test_a_permit_takes_a_slot_until_long_after_its_answer(database: Database) -> None:
    before = REGISTRY.get_sample_value("mixhaul_upstream_budget_wait_seconds_count", {"priority": "feed"})
    one = budget(database, "feed", limit=1)
    assert await used(database, KEY) == 0
    async with one.permit() as permit:
        assert permit.observed_at.tzinfo is not None
        assert await used(database, KEY) == 1
        assert 60 + TRANSIT < await waits(one) <= 60 + TRANSIT + SEND_WITHIN
        await permit.answered()
    assert await used(database, KEY) == 1
    assert 50 < await waits(one) <= 60
    after = REGISTRY.get_sample_value("mixhaul_upstream_budget_wait_seconds_count", {"priority": "feed"})
    assert (before, after) == (before, (before or 0) + 1)


async def test_an_unknown_outcome_keeps_the_slot(database: Database) -> None:
    one = budget(database, "feed", limit=1)
    with pytest.raises(ConnectionResetError):
        async with one.permit():
            raise ConnectionResetError
    assert 60 < await waits(one) <= 60 + TRANSIT + SEND_WITHIN


async def test_what_is_not_sent_gives_the_slot_back(database: Database) -> None:
    one = budget(database, limit=1)
    async with one.permit() as permit:
        await permit.not_sent()
    assert (await used(database, KEY), await waits(one)) == (0, 0)


async def test_lower_priorities_leave_slots_to_the_feed(database: Database) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(budget(database, "feed").permit())
        assert await waits(budget(database, "sync")) > 0
        assert await waits(budget(database, "amendments")) > 0
        assert await waits(budget(database, "feed")) == 0
        assert await waits(budget(database, "sync", key="organisation:2")) == 0


async def test_429_closes_the_budget_for_everybody(database: Database) -> None:
    async with budget(database, limit=20).permit() as permit:
        await permit.throttled(retry_after_seconds=None)
    assert 50 < await waits(budget(database, "feed")) <= 60
    async with database.connection() as connection:
        await connection.execute("UPDATE request_budgets SET closed_until = clock_timestamp()")
    async with budget(database, limit=20).permit() as permit:
        await permit.throttled(retry_after_seconds=700)
    assert 690 < await waits(budget(database, "feed")) <= 700
    assert await waits(budget(database, "feed", key="organisation:2")) == 0


async def test_a_429_that_asks_for_less_does_not_open_again(database: Database) -> None:
    async with budget(database, limit=9).permit() as first, budget(database, limit=9).permit() as second:
        await first.throttled(retry_after_seconds=700)
        await second.throttled(retry_after_seconds=1)
    assert await waits(budget(database, limit=9)) > 690


async def test_the_feed_rests_while_its_call_is_under_way(haul: Haul) -> None:
    one = feed_budget(haul)
    async with one.permit() as permit:
        assert PAUSE + TRANSIT < await waits(one) <= PAUSE + TRANSIT + SEND_WITHIN
        assert await waits(budget(haul.database, "sync", limit=20)) == 0
        await permit.answered(has_more=True)
    assert await waits(one) == 0


@pytest.mark.parametrize("outcome", ["no page", "not sent"])
async def test_an_answer_that_is_no_page_ends_the_rest(haul: Haul, outcome: str) -> None:
    one = feed_budget(haul)
    async with one.permit() as permit:
        await (permit.answered() if outcome == "no page" else permit.not_sent())
    assert (await waits(one), (await haul.cursor()).not_before) == (0, None)


async def test_a_429_ends_the_rest_but_closes(haul: Haul) -> None:
    one = feed_budget(haul)
    async with one.permit() as permit:
        await permit.throttled(retry_after_seconds=5)
    assert 0 < await waits(one) <= 5
    assert (await haul.cursor()).not_before is None


async def test_no_more_begins_the_pause(haul: Haul) -> None:
    one = feed_budget(haul)
    async with one.permit() as permit:
        await permit.answered(has_more=False)
    assert PAUSE - 10 < await waits(one) <= PAUSE
    # Another process that takes over waits as well.
    taken = await LeaderRow(haul.database, holder="next", duration_seconds=15).acquire(force=True)
    assert PAUSE - 10 < await waits(feed_budget(haul, epoch=taken)) <= PAUSE


async def test_an_unknown_outcome_counts_as_no_more(haul: Haul) -> None:
    one = feed_budget(haul)
    async with one.permit():
        pass
    assert PAUSE < await waits(one) <= PAUSE + TRANSIT + SEND_WITHIN


async def test_a_call_under_way_for_long_is_covered_all_along(haul: Haul) -> None:
    one = feed_budget(haul, transit_seconds=0.1, send_within_seconds=0.2)

    async def not_before() -> object:
        return (await haul.cursor()).not_before

    async with one.permit() as permit:
        at_grant = await not_before()
        frees = await haul.row("SELECT frees_at FROM request_permits")
        while await not_before() == at_grant or await haul.row("SELECT frees_at FROM request_permits") == frees:
            await asyncio.sleep(0.02)
        await permit.answered(has_more=True)
        assert await not_before() is None
    assert await not_before() is None


async def test_a_stale_leader_gets_no_permit(haul: Haul) -> None:
    await LeaderRow(haul.database, holder="next", duration_seconds=15).acquire(force=True)
    with pytest.raises(StaleEpoch):
        async with feed_budget(haul).permit():
            pytest.fail("granted")
    assert await haul.rows("SELECT FROM request_permits") == []
    assert (await haul.cursor()).not_before is None


@pytest.mark.parametrize("outcome", ["more", "no more", "no page", "not sent", "throttled"])
async def test_a_late_outcome_of_a_stale_leader_does_not_end_the_next_one_s_rest(haul: Haul, outcome: str) -> None:
    async with feed_budget(haul).permit() as stale:
        taken = await LeaderRow(haul.database, holder="next", duration_seconds=15).acquire(force=True)
        async with haul.database.connection() as connection:
            await connection.execute("UPDATE etl_control SET not_before = NULL")
        async with feed_budget(haul, epoch=taken).permit():
            rest = (await haul.cursor()).not_before
            assert rest is not None
            await {
                "more": lambda: stale.answered(has_more=True),
                "no more": lambda: stale.answered(has_more=False),
                "no page": stale.answered,
                "not sent": stale.not_sent,
                "throttled": lambda: stale.throttled(retry_after_seconds=0),
            }[outcome]()
            found = (await haul.cursor()).not_before
            assert found is not None
            assert found >= rest


async def test_a_cancelled_wait_leaves_no_permit(haul: Haul) -> None:
    one = feed_budget(haul)
    for _ in range(20):
        waiting = asyncio.ensure_future(one.permit().__aenter__())
        await asyncio.sleep(0.002)
        waiting.cancel()
        result = (await asyncio.gather(waiting, return_exceptions=True))[0]
        if isinstance(result, Permit):
            await result.not_sent()
    assert await haul.rows("SELECT FROM request_permits") == []
    assert (await haul.cursor()).not_before is None


@dataclass
class StandsStill(SystemClock):
    """A process that is stopped for a minute between asking for a permit and getting it, the first time."""

    looks: int = 0

    def monotonic(self) -> float:
        self.looks += 1
        return super().monotonic() + (60.0 if self.looks >= 4 else 0.0)


async def test_a_permit_that_is_too_old_is_given_back_and_asked_for_anew(haul: Haul) -> None:
    clock = StandsStill()
    await waits(feed_budget(haul))
    before = await haul.row("SELECT last_value FROM request_permits_id_seq")
    async with feed_budget(haul, clock=clock).permit() as permit:
        only = await haul.row("SELECT id, granted_at FROM request_permits")
        assert permit.observed_at == only["granted_at"]
        assert only["id"] == before["last_value"] + 2


async def test_without_the_database_no_call(database_url: str) -> None:
    async with Database("postgresql://nobody@127.0.0.1:1/none", application_name="x", wait_seconds=1) as nowhere:
        with pytest.raises(DatabaseUnavailable):
            async with budget(nowhere).permit():
                pytest.fail("granted")


async def test_a_pause_that_could_not_be_written_is_kept_by_the_process(haul: Haul) -> None:
    sleeps: list[float] = []

    class Clock(SystemClock):
        async def sleep(self, seconds: float) -> None:
            sleeps.append(seconds)
            if len(sleeps) > 1:
                raise KeyboardInterrupt

    one = feed_budget(haul, clock=Clock())
    async with one.permit() as permit:
        async with haul.database.connection() as connection:
            await connection.execute("ALTER TABLE request_permits RENAME TO away")
        with pytest.raises(StoreError):
            await permit.answered(has_more=False)
        async with haul.database.connection() as connection:
            await connection.execute("ALTER TABLE away RENAME TO request_permits")
            await connection.execute("UPDATE etl_control SET not_before = NULL")
    with pytest.raises(KeyboardInterrupt):
        async with one.permit():
            pytest.fail("granted")
    assert sleeps == [5.0, 5.0]


@pytest.fixture
def callers(database_url: str) -> Iterator[list[subprocess.Popen[str]]]:
    program = Path(budget_caller.__file__)
    started = [
        subprocess.Popen(
            [sys.executable, str(program), database_url, f"caller-{number}"],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        )
        for number in range(3)
    ]
    try:
        yield started
    finally:
        for one in started:
            one.kill()
            one.wait()
            if one.stdout:
                one.stdout.close()


async def test_processes_together_keep_the_limit(callers: list[subprocess.Popen[str]], database: Database) -> None:
    """One is killed, one stopped and continued; what arrived never exceeds the limit in any window."""

    async def until(number: int) -> None:
        query = "SELECT count(*) FILTER (WHERE frees_at < clock_timestamp()) FROM request_permits"
        while True:
            async with database.connection() as connection:
                row = await (await connection.execute(query)).fetchone()
            if row and row[0] >= number:
                return
            await asyncio.sleep(0.05)

    await until(6)
    callers[0].kill()
    callers[1].send_signal(signal.SIGSTOP)
    await until(14)
    callers[1].send_signal(signal.SIGCONT)
    await until(24)
    for one in callers:
        one.kill()
    arrivals = sorted(float(line) for one in callers for line in one.communicate()[0].split())
    assert len(arrivals) > budget_caller.LIMIT
    for first, last in zip(arrivals, arrivals[budget_caller.LIMIT :], strict=False):
        assert last - first >= budget_caller.WINDOW
