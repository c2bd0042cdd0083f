"""The pool against a real server: what callers get when it is away, full, read-only, old, or comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from prometheus_client import REGISTRY

from mixhaul_store import schema
from mixhaul_store.database import Database
from mixhaul_store.errors import (
    AuthenticationFailed,
    CommitUnknown,
    DatabaseFull,
    DatabaseNotFound,
    DatabaseReadOnly,
    DatabaseUnavailable,
    InvalidDatabaseUrl,
    LockTimeout,
    MissingExtension,
    PoolExhausted,
    StatementCancelled,
    StatementFailed,
    StoreError,
    TooManyConnections,
    UnsupportedEncoding,
    UnsupportedServer,
)
from support.postgres import Server, running_server

PASSWORD = "pl4nted-s3cret"


@asynccontextmanager
async def opened(url: str, *, wait_seconds: float = 2, max_size: int = 2) -> AsyncIterator[Database]:
    async with Database(url, application_name="mixhaul:test", max_size=max_size, wait_seconds=wait_seconds) as database:
        yield database


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is bound and not listened on: connections are refused, and nobody else gets it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


async def test_connections_are_autocommit_and_in_utc(database: Database) -> None:
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT current_setting('TimeZone'), current_setting('application_name'),"
            " current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
        )
        assert await cursor.fetchone() == ("UTC", "mixhaul:test", "1min", "1min")
        await connection.execute("INSERT INTO leader_epochs VALUES ('a', 1, 'me', now())")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_a_transaction_is_committed_or_rolled_back_whole(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO leader_epochs VALUES ('kept', 1, 'me', now())")
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO leader_epochs VALUES ('lost', 1, 'me', now())")
            raise ZeroDivisionError
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT lease FROM leader_epochs")
        assert await cursor.fetchall() == [("kept",)]


async def test_a_good_server_passes_the_check(database: Database) -> None:
    await database.check()


async def test_nobody_there(closed_port: int) -> None:
    async with opened(f"postgresql://someone:{PASSWORD}@127.0.0.1:{closed_port}/fleet") as database:
        with pytest.raises(DatabaseUnavailable) as caught:
            await database.check()
    assert str(caught.value) == (
        f"PostgreSQL at 127.0.0.1:{closed_port}/fleet can't be reached (connection refused): "
        "check that it runs and that MIXHAUL_DATABASE_URL names it"
    )
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


async def test_a_server_that_never_answers() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://someone:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/fleet"
        async with opened(url, wait_seconds=0.5) as database:
            with pytest.raises(DatabaseUnavailable, match="no answer in time"):
                await database.check()


@pytest.mark.parametrize(
    ("user", "password", "name", "kind"),
    [
        pytest.param(None, PASSWORD, None, AuthenticationFailed, id="wrong password"),
        pytest.param("nosuchrole", PASSWORD, None, AuthenticationFailed, id="unknown role"),
        pytest.param(None, None, "nosuchdatabase", DatabaseNotFound, id="unknown database"),
    ],
)
async def test_refused_logins(
    postgres_server: Server, user: str | None, password: str | None, name: str | None, kind: type[StoreError]
) -> None:
    url = postgres_server.url_of(name or "mixhaul", user=user, password=password)
    async with opened(url, wait_seconds=1) as database:
        with pytest.raises(kind) as caught:
            await database.check()
    with pytest.raises(kind):
        schema.migrate(url)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_a_bad_url_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(InvalidDatabaseUrl):
        Database(f"postgresql://someone:{PASSWORD}@x@127.0.0.1/fleet", application_name="mixhaul:test")
    with pytest.raises(InvalidDatabaseUrl):
        schema.migrate("")


async def test_a_read_only_database(postgres_server: Server, database_url: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    postgres_server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    async with opened(database_url) as database:
        with pytest.raises(DatabaseReadOnly, match="must name the primary"):
            await database.check()
        await database.check(writable=False)
        with pytest.raises(DatabaseReadOnly):
            async with database.transaction() as connection:
                await connection.execute("DELETE FROM gaps")
    with pytest.raises(DatabaseReadOnly):
        schema.migrate(database_url)


@pytest.mark.parametrize(
    ("shadow", "kind", "says"),
    [
        pytest.param(
            "CREATE FUNCTION public.current_setting(name text) RETURNS text LANGUAGE sql RETURN CASE name"
            " WHEN 'server_version_num' THEN '140011' WHEN 'server_version' THEN '14.11 (Debian)'"
            " ELSE pg_catalog.current_setting(name) END",
            UnsupportedServer,
            r"is version 14\.11 \(Debian\): Mixhaul needs PostgreSQL 15 or later",
            id="PostgreSQL 14",
        ),
        pytest.param(
            "CREATE VIEW public.pg_available_extensions AS SELECT * FROM pg_catalog.pg_available_extensions"
            " WHERE name <> 'unaccent'",
            MissingExtension,
            "lacks unaccent: install PostgreSQL's contrib",
            id="no contrib",
        ),
    ],
)
async def test_a_server_that_will_not_do(
    postgres_server: Server, empty_database_url: str, shadow: str, kind: type[StoreError], says: str
) -> None:
    """What the server says of itself is shadowed, so that the real one answers like the unsuitable one."""
    name = psycopg.conninfo.conninfo_to_dict(empty_database_url)["dbname"]
    postgres_server.execute(f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(shadow.encode())
    async with opened(empty_database_url) as database:
        with pytest.raises(kind, match=says):
            await database.check()
    with pytest.raises(kind, match=says):
        schema.migrate(empty_database_url)


async def test_a_database_that_is_not_utf_8(postgres_server: Server) -> None:
    postgres_server.execute(
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
    )
    try:
        async with opened(postgres_server.url_of("latin")) as database:
            with pytest.raises(UnsupportedEncoding, match="holds text as LATIN1"):
                await database.check()
    finally:
        postgres_server.execute("DROP DATABASE latin WITH (FORCE)")


async def test_a_full_disk(postgres_server: Server, database_url: str) -> None:
    """The table's file is where every write says that no space is left."""
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE wide (x text)")
        connection.execute("CREATE TABLE narrow (x text)")
        row = connection.execute("SELECT pg_relation_filepath('wide')").fetchone()
    assert row is not None
    file: Path = postgres_server.embedded.cluster / row[0]
    _fill(file)
    async with opened(database_url) as database:
        with pytest.raises(DatabaseFull, match="has no disk space left: make room; nothing is lost"):
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO narrow VALUES ('a')")
                await connection.execute("INSERT INTO wide VALUES ('a')")
        async with database.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM narrow")
            assert await cursor.fetchone() == (0,)
    file.unlink()  # noqa: ASYNC240


async def test_the_servers_limit_of_connections(postgres_server: Server, database_url: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    postgres_server.execute(
        "DO $$ BEGIN IF to_regrole('limited') IS NULL THEN CREATE ROLE limited LOGIN PASSWORD 'x'; END IF; END $$",
        "ALTER ROLE limited CONNECTION LIMIT 0",
    )
    async with opened(postgres_server.url_of(str(name), user="limited", password="x"), wait_seconds=1) as database:
        with pytest.raises(TooManyConnections):
            await database.check()


async def test_all_connections_of_the_process_are_busy(database_url: str) -> None:
    async with opened(database_url, max_size=1, wait_seconds=0.2) as database, database.connection():
        before = _waits()
        with pytest.raises(PoolExhausted, match="all 1 database connections of this process were busy"):
            async with database.connection():
                pass
        assert _waits() == before + 1
        busy = {"pool": "main", "state": "busy"}
        assert REGISTRY.get_sample_value("mixhaul_db_pool_connections", busy) == 1
    assert _waits() == before + 1, "a closed pool's waits stay counted"


async def test_writers_wait_for_their_turn_and_leave_connections_to_the_others(database_url: str) -> None:
    at_once = most = 0

    async def write(database: Database) -> None:
        nonlocal at_once, most
        async with database.writer() as connection:
            at_once += 1
            most = max(most, at_once)
            await connection.execute("SELECT pg_sleep(0.2)")
            at_once -= 1

    async with opened(database_url, max_size=4, wait_seconds=0.5) as database:
        writers = [asyncio.create_task(write(database)) for _ in range(10)]
        while at_once == 0:
            await asyncio.sleep(0.01)
        async with database.connection(), database.connection():
            assert at_once > 0
        await asyncio.gather(*writers)
    assert most == 2


async def test_errors_leave_both_contexts_translated_and_the_connection_stays_usable(database_url: str) -> None:
    async with opened(database_url, max_size=1) as database:
        with pytest.raises(StatementFailed, match=r"undefined table \(SQLSTATE 42P01\)"):
            async with database.connection() as connection:
                await connection.execute("SELECT * FROM nosuchtable")
        with pytest.raises(StatementFailed) as caught:
            async with database.transaction() as connection:
                await connection.execute("SELECT 'João da Silva'::bigint")
        assert "João" not in str(caught.value)
        with pytest.raises(StatementCancelled):
            async with database.transaction() as connection:
                await connection.execute("SET LOCAL statement_timeout = 20")
                await connection.execute("SELECT pg_sleep(30)")
        with psycopg.connect(database_url) as other, pytest.raises(LockTimeout):
            other.execute("LOCK TABLE gaps")
            async with database.transaction() as connection:
                await connection.execute("SET LOCAL lock_timeout = 20")
                await connection.execute("LOCK TABLE gaps")
        await database.check()


async def test_a_session_that_ended_while_idle_is_replaced_before_it_is_handed_out(
    postgres_server: Server, database_url: str
) -> None:
    async with opened(database_url, max_size=1) as database:
        async with database.connection() as connection:
            pid = connection.info.backend_pid
        postgres_server.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
        async with database.connection() as connection:
            assert connection.info.backend_pid != pid
            await connection.execute("SELECT 1")


async def test_a_lost_answer_to_commit_is_told_apart_from_a_failure(database_url: str) -> None:
    async with opened(database_url) as database:
        with pytest.raises(CommitUnknown, match="read from the database"):
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO leader_epochs VALUES ('a', 1, 'me', now())")
                await _terminate_from_elsewhere(database_url, connection.info.backend_pid)
        with pytest.raises(DatabaseUnavailable):
            async with database.transaction() as connection:
                await _terminate_from_elsewhere(database_url, connection.info.backend_pid)
                await connection.execute("SELECT 1")


async def test_a_definite_no_to_commit_is_not_unknown(database_url: str) -> None:
    async with opened(database_url) as database:
        async with database.connection() as connection:
            await connection.execute("CREATE TABLE one (x int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        with pytest.raises(StatementFailed, match="unique violation"):
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO one VALUES (1), (1)")


async def test_the_pool_recovers_by_itself_when_the_server_was_killed_and_comes_back() -> None:
    with running_server() as server:
        async with opened(server.url, wait_seconds=1) as database:
            await database.check()
            assert server.embedded.pid is not None
            os.kill(server.embedded.pid, signal.SIGKILL)
            with pytest.raises(DatabaseUnavailable):
                async with asyncio.timeout(60):
                    while True:
                        async with database.connection() as connection:
                            await connection.execute("SELECT 1")
                        await asyncio.sleep(0.01)
            assert await asyncio.to_thread(server.embedded.start) == server.url, "on the same port"
            async with asyncio.timeout(60):
                while not await _works(database):
                    await asyncio.sleep(0.01)


async def test_a_closed_pool_says_that_the_program_ends(database_url: str) -> None:
    async with opened(database_url) as database:
        pass
    with pytest.raises(DatabaseUnavailable, match="this program is ending"):
        async with database.connection():
            pass


def _fill(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/full")


async def _works(database: Database) -> bool:
    try:
        await database.check()
    except DatabaseUnavailable:
        return False
    return True


async def _terminate_from_elsewhere(url: str, pid: int) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def _waits() -> float:
    return REGISTRY.get_sample_value("mixhaul_db_pool_waits_total", {"pool": "main"}) or 0.0
