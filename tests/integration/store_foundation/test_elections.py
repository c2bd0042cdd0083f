"""Who may write: takeovers, heartbeats, and a former leader that was stopped in the middle of a transaction."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from mixhaul_store import elections
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, LeaderRow, application_name, assert_epoch
from mixhaul_store.errors import LockTimeout, StaleEpoch, StatementCancelled

PROGRAM = Path(__file__).with_name("leader_program.py")


def candidate(database: Database, holder: str, *, duration_seconds: float = 30) -> LeaderRow:
    return LeaderRow(database, holder=holder, duration_seconds=duration_seconds)


async def may_write(database: Database, epoch: Epoch) -> bool:
    try:
        async with database.transaction() as connection:
            await assert_epoch(connection, epoch)
    except StaleEpoch:
        return False
    return True


async def grow_stale(database: Database) -> None:
    """As if the leader had not been heard of for long."""
    async with database.connection() as connection:
        await connection.execute("UPDATE leader_heartbeats SET renewed_at = clock_timestamp() - interval '1 hour'")


async def test_one_leads_and_the_other_waits_until_it_is_released(database: Database) -> None:
    one, two = candidate(database, "one"), candidate(database, "two")
    first = await one.acquire()
    assert first == Epoch("ingestor", 1, "one")
    assert await two.acquire() is None
    assert await one.renew(first)
    assert await may_write(database, first)
    await one.release(first)
    second = await two.acquire()
    assert second == Epoch("ingestor", 2, "two")
    assert not await may_write(database, first)
    assert not await one.renew(first)
    assert await may_write(database, second)
    await one.release(first)
    assert await one.acquire() is None, "a former leader can't release its successor's epoch"
    await two.release(second)


async def test_a_stale_heartbeat_is_taken_over_by_the_databases_clock(database: Database) -> None:
    first = await candidate(database, "one", duration_seconds=0.2).acquire()
    assert first is not None
    two = candidate(database, "two")
    async with asyncio.timeout(30):
        while (second := await two.acquire()) is None:
            await asyncio.sleep(0.02)
    assert second.epoch == first.epoch + 1
    assert not await may_write(database, first)


async def test_the_lease_of_kubernetes_may_overrule_a_fresh_heartbeat(database: Database) -> None:
    first = await candidate(database, "one").acquire()
    assert first is not None
    second = await candidate(database, "two").acquire(force=True)
    assert second is not None
    assert (second.epoch, await may_write(database, first)) == (2, False)


async def test_whoever_leads_already_gets_a_new_epoch_which_fences_its_own_old_work(database: Database) -> None:
    one = candidate(database, "one")
    first, second = await one.acquire(), await one.acquire()
    assert first is not None
    assert second is not None
    assert not await may_write(database, first)
    assert await may_write(database, second)


async def test_leases_are_apart(database: Database) -> None:
    one = await LeaderRow(database, lease="a", holder="one", duration_seconds=30).acquire()
    two = await LeaderRow(database, lease="b", holder="two", duration_seconds=30).acquire()
    assert one is not None
    assert two is not None
    assert await may_write(database, one)
    assert await may_write(database, two)


async def test_of_many_that_try_at_once_one_leads(database_url: str) -> None:
    async with Database(database_url, application_name="mixhaul:many", max_size=8) as database:
        for _ in range(5):
            found = await asyncio.gather(*(candidate(database, f"c{n}").acquire() for n in range(16)))
            assert len([one for one in found if one is not None]) == 1
            await grow_stale(database)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_only_the_last_epoch_may_write(database: Database, seed: int) -> None:
    random_ = random.Random(seed)
    rows = [candidate(database, f"holder-{n}") for n in range(3)]
    epochs: list[Epoch] = []
    for _ in range(40):
        row = random_.choice(rows)
        match random_.choice(["acquire", "acquire", "force", "stale", "renew", "release"]):
            case "acquire" | "force" as how:
                taken = await row.acquire(force=how == "force")
                if taken is not None:
                    assert taken.epoch == len(epochs) + 1
                    epochs.append(taken)
            case "stale":
                await grow_stale(database)
            case "renew" if epochs:
                some = random_.choice(epochs)
                assert await row.renew(some) is (some == epochs[-1])
            case "release" if epochs:
                await row.release(random_.choice(epochs[:-1] or epochs))
        latest = epochs[-3:]
        assert [await may_write(database, one) for one in latest] == [one is epochs[-1] for one in latest]
    for row in rows:
        await row.release(epochs[-1])


async def test_the_heartbeat_waits_neither_for_pages_nor_for_the_pool(database_url: str) -> None:
    async with Database(database_url, application_name="mixhaul:one", max_size=1, wait_seconds=0.2) as database:
        row = candidate(database, "one", duration_seconds=6)
        epoch = await row.acquire()
        assert epoch is not None
        async with database.transaction() as connection:
            await assert_epoch(connection, epoch)
            assert await row.renew(epoch)
        await row.release(epoch)


async def test_a_server_that_stands_still_does_not_hold_up_the_heartbeat(database: Database) -> None:
    row = candidate(database, "one", duration_seconds=0.9)
    epoch = await row.acquire()
    assert epoch is not None
    assert await row.renew(epoch)
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE query LIKE 'UPDATE leader_heartbeats%' AND state = 'idle'"
        )
        found = await cursor.fetchone()
    assert found is not None
    os.kill(found[0], signal.SIGSTOP)
    try:
        with pytest.raises(StatementCancelled):
            await row.renew(epoch)
    finally:
        os.kill(found[0], signal.SIGCONT)
    assert await row.renew(epoch), "on a new connection"
    await row.release(epoch)


async def test_the_check_is_refused_outside_of_a_transaction(database: Database) -> None:
    epoch = await candidate(database, "one").acquire()
    assert epoch is not None
    async with database.connection() as connection:
        with pytest.raises(RuntimeError, match="inside of a transaction"):
            await assert_epoch(connection, epoch)


@pytest.mark.parametrize("holder", ["", "x" * 56, "Äther", "two\nlines"])
def test_a_holder_that_postgresql_would_change_is_refused(database_url: str, holder: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        LeaderRow(Database(database_url, application_name="x"), holder=holder, duration_seconds=1)


async def test_a_stranger_that_holds_the_row_is_not_ended(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the former leader's sessions are: here somebody looks at the row in a transaction of another program."""
    monkeypatch.setattr(elections, "LOCK_TIMEOUT", "200ms")
    first = await candidate(database, "one").acquire()
    assert first is not None
    with psycopg.connect(database_url, application_name="psql") as stranger:
        stranger.execute("SELECT FROM leader_epochs FOR SHARE")
        with pytest.raises(LockTimeout):
            await candidate(database, "two").acquire(force=True)
        stranger.execute("SELECT 1")
    assert await may_write(database, first)


@pytest.mark.parametrize("where", ["locked", "copying"])
async def test_a_leader_stopped_in_a_transaction_is_followed_and_can_not_commit(
    database: Database, database_url: str, where: str
) -> None:
    with stoppable(database_url, "old-leader", where) as leader:
        assert await line(leader) == "epoch 1"
        assert await line(leader) == "there"
        leader.send_signal(signal.SIGSTOP)
        row = candidate(database, "new-leader")
        async with asyncio.timeout(60):
            while (epoch := await row.acquire()) is None:
                await asyncio.sleep(0.05)
        assert epoch == Epoch("ingestor", 2, "new-leader")
        assert _state(leader.pid) == "T", "it was taken over from while it stood still"
        async with database.transaction() as connection:
            await assert_epoch(connection, epoch)
            await connection.execute("INSERT INTO event_keys VALUES (1, 1, now(), now(), 99)")
        assert leader.stdin is not None
        leader.stdin.write("go on\n")
        leader.stdin.flush()
        leader.send_signal(signal.SIGCONT)
        assert await line(leader) in {"DatabaseUnavailable", "CommitUnknown"}
        assert await line(leader) == "StaleEpoch"
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT external_id, digest FROM event_keys")
        assert await cursor.fetchall() == [(1, 99)]


async def test_a_leader_that_is_not_stopped_commits_first(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side of the same: a takeover waits for a page that is about to be committed."""
    # However slow the machine: what counts here is the order, not that it gives up waiting at some point.
    monkeypatch.setattr(elections, "LOCK_TIMEOUT", "60s")
    with stoppable(database_url, "old-leader", "copying") as leader:
        assert await line(leader) == "epoch 1"
        assert await line(leader) == "there"
        taking = asyncio.create_task(candidate(database, "new-leader").acquire(force=True))
        async with asyncio.timeout(30):
            while not await _somebody_waits(database):
                await asyncio.sleep(0.01)
        assert leader.stdin is not None
        leader.stdin.write("go on\n")
        leader.stdin.flush()
        assert await line(leader) == "committed"
        assert await taking == Epoch("ingestor", 2, "new-leader")
        assert await line(leader) == "StaleEpoch"


def test_names_of_sessions() -> None:
    assert application_name("pod-7f9-1a2b") == "mixhaul:pod-7f9-1a2b"


@contextmanager
def stoppable(url: str, holder: str, where: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), url, holder, where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return (await asyncio.to_thread(process.stdout.readline)).strip()


async def _somebody_waits(database: Database) -> bool:
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT FROM pg_stat_activity WHERE query LIKE 'UPDATE leader_epochs%' AND wait_event_type = 'Lock'"
        )
        return await cursor.fetchone() is not None


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
