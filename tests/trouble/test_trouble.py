"""What goes wrong with databases, one by one: waited out or tried again, logged and counted; nothing lost or twice."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from faults.bed import wait_for
from support.postgres import reachable_folder
from support.postgres_proxy import Loss
from trouble.conftest import WRITER, World


def test_postgresql_is_restarted(world: World) -> None:
    world.server.embedded.stop()
    world.wait_until_said("can't be reached")
    assert world.server.embedded.start() == world.server.url
    world.end("DatabaseUnavailable")


def test_postgresql_is_killed(world: World) -> None:
    pid = world.server.embedded.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    world.wait_until_said("can't be reached")
    assert world.server.embedded.start() == world.server.url
    world.end("DatabaseUnavailable")


def test_the_sessions_turn_read_only(world: World) -> None:
    world.set("default_transaction_read_only", "on")
    try:
        world.wait_until_said("is read-only: MIXHAUL_DATABASE_URL must name the primary")
    finally:
        with psycopg.connect(world.url, options="-c default_transaction_read_only=off", autocommit=True) as connection:
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")
    world.end("DatabaseReadOnly")


def test_a_page_is_the_victim_of_a_deadlock(world: World) -> None:
    with psycopg.connect(world.url) as other:
        # Who looks first is the victim; this one would not look for a minute.
        other.execute("SET deadlock_timeout = '1min'")
        other.execute("LOCK TABLE event_keys IN ACCESS EXCLUSIVE MODE")
        wait_for(lambda: world.waits("%event_keys%"), what="a page at the table")
        waiting = threading.Thread(target=_until_cancelled, args=(other, "SELECT FROM organisations FOR UPDATE"))
        waiting.start()
        world.wait_until_said("two transactions waited for each other")
        other.cancel_safe()
        waiting.join()
    world.end("Deadlock")


def test_a_lock_is_not_to_be_had_in_time(world: World) -> None:
    world.set("lock_timeout", "200ms")
    try:
        with psycopg.connect(world.url) as other:
            other.execute("LOCK TABLE raw_pages IN ACCESS EXCLUSIVE MODE")
            world.wait_until_said("another transaction held a lock for too long")
    finally:
        world.set("lock_timeout", None)
    world.end("LockTimeout")


def test_a_statement_is_cancelled(world: World) -> None:
    with psycopg.connect(world.url) as other:
        other.execute("LOCK TABLE event_keys IN ACCESS EXCLUSIVE MODE")
        wait_for(lambda: world.waits("%event_keys%"), what="a page at the table")
        world.execute(
            f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = '{WRITER}'"
            " AND wait_event_type = 'Lock'"
        )
        world.wait_until_said("an administrator cancelled it")
    world.end("StatementCancelled")


def test_the_server_accepts_no_more_connections(world: World) -> None:
    world.execute(f"ALTER ROLE {WRITER} CONNECTION LIMIT 0")
    try:
        world.end_sessions()
        world.wait_until_said("accepts no more connections")
    finally:
        world.execute(f"ALTER ROLE {WRITER} CONNECTION LIMIT -1")
    world.end("TooManyConnections")


@pytest.mark.parametrize("loss", ["request", "answer"])
def test_the_answer_to_a_commit_is_lost(world: World, loss: Loss) -> None:
    """Committed or not, nobody tells: it is read from the database."""
    world.proxy.lost.clear()
    world.proxy.lose = loss
    wait_for(lambda: world.proxy.lost == [loss], what="a commit that is lost", seconds=60)
    world.wait_until_said("the connection broke while COMMIT was under way")
    world.end("CommitUnknown")


@pytest.mark.parametrize("kind", ["one that is as if it were full", "a small one"])
def test_the_disk_is_full(world: World, kind: str) -> None:
    """For pages there is no room; there is again, and the work goes on by itself."""
    filled = _small_disk if kind == "a small one" else _file_without_room
    with filled(world):
        world.wait_until_said("has no disk space left: make room; nothing is lost")
    world.end("DatabaseFull")


def _until_cancelled(connection: psycopg.Connection[tuple[Any, ...]], statement: str) -> None:
    with suppress(psycopg.errors.QueryCanceled):
        connection.execute(statement.encode())


@contextmanager
def _small_disk(world: World) -> Iterator[None]:
    """A real one of 8 MB, which a file fills."""
    with reachable_folder("mixhaul small disk") as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0777", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if mounted.returncode != 0:
            pytest.skip("no file system can be mounted here")
        ballast = folder / "ballast"
        try:
            space = folder / "space"
            space.mkdir()
            owner = world.server.embedded.cluster.stat()
            os.chown(space, owner.st_uid, owner.st_gid)
            world.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
            table = _move_pages_of_now(world, "small")
            with ballast.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(b"\0" * 4096)
            yield
            ballast.unlink()
            before = world.pages()
            wait_for(lambda: world.pages() > before, what="a page where there is room again", seconds=60)
            world.execute(f"ALTER TABLE {table} SET TABLESPACE pg_default", "DROP TABLESPACE small")
        finally:
            ballast.unlink(missing_ok=True)
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def _file_without_room(world: World) -> Iterator[None]:
    """The place where the next page goes is a device on which every write says that there is no space."""
    with world.admin() as connection:
        row = connection.execute(
            "SELECT pg_relation_filepath(mixhaul_partition_name('raw_pages',"
            " date_trunc('month', now(), 'UTC')::date)::regclass)"
        ).fetchone()
    assert row is not None
    file: Path = world.server.embedded.cluster / row[0]
    kept = file.with_name(f"{file.name}.kept")
    world.server.embedded.stop()
    file.rename(kept)
    file.symlink_to("/dev/full")
    world.server.embedded.start()
    try:
        yield
    finally:
        world.server.embedded.stop()
        file.unlink()
        kept.rename(file)
        world.server.embedded.start()


def _move_pages_of_now(world: World, tablespace: str) -> str:
    with world.admin() as connection:
        row = connection.execute(
            "SELECT mixhaul_partition_name('raw_pages', date_trunc('month', now(), 'UTC')::date)"
        ).fetchone()
        assert row is not None
        connection.execute(f"ALTER TABLE {row[0]} SET TABLESPACE {tablespace}".encode())
    return str(row[0])
