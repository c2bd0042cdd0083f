"""The operator and a real PostgreSQL, with the operator's own role: what it reads, asks, and may not see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from mixhaul_operator.facts import Away, Known, NotYet
from mixhaul_operator.progress import Progress
from mixhaul_runtime.clock import SystemClock
from mixhaul_source.conditions import Reason
from mixhaul_store import observation, schema, tokens, totals
from mixhaul_store.database import Database
from mixhaul_store.errors import PermissionDenied
from support.operator_inputs import spec_of
from support.postgres import Server

ROLE = "mixhaul_operator"


@pytest.fixture(scope="module")
def owner_url(postgres_server: Server) -> Iterator[str]:
    """A database that was migrated while the role existed."""
    postgres_server.execute(
        f"DO $$ BEGIN IF to_regrole('{ROLE}') IS NULL THEN CREATE ROLE {ROLE}; END IF; END $$",
        f"ALTER ROLE {ROLE} LOGIN PASSWORD 'test'",
    )
    with postgres_server.database(migrated=False) as url:
        schema.migrate(url)
        yield url


@pytest.fixture
async def database(owner_url: str) -> AsyncIterator[Database]:
    """As the operator opens it."""
    parts = psycopg.conninfo.conninfo_to_dict(owner_url)
    url = f"postgresql://{ROLE}:test@{parts['host']}:{parts['port']}/{parts['dbname']}"
    async with Database(url, application_name="mixhaul:operator") as opened:
        yield opened


def reader(
    database: Database,
    *,
    patience: float = 60.0,
    wanted: list[tuple[str, str]] | None = None,
    after_reading: Callable[[], None] = lambda: None,
) -> Progress:
    return Progress(
        database,
        clock=SystemClock(),
        period_seconds=0.05,
        patience_seconds=patience,
        wanted_requests=lambda: wanted or [],
        after_reading=after_reading,
    )


@asynccontextmanager
async def running(progress: Progress) -> AsyncIterator[None]:
    task = asyncio.create_task(progress.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_its_role_is_enough_and_sees_no_token(database: Database, owner_url: str) -> None:
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO api_credentials (identity_url, client_id, username, revision, refused_revision, refused_until,"
            " refused_error) VALUES ('https://id', 'c', 'me', 'r', 'r', '2026-11-24T13:00:00Z', 'invalid_grant'),"
            " ('https://id', 'c', 'changed', 'new', 'old', '2026-11-24T13:00:00Z', 'invalid_grant')"
        )
        owner.execute(
            "INSERT INTO sync_runs (source, reason, finished_at, result, error) VALUES"
            " ('fleet/a', 'sync', now() - interval '1 hour', 'failed', 'old'),"
            " ('fleet/a', 'sync', now(), 'failed', 'new')"
        )
    logins = {each.username: each for each in await observation.read_logins(database)}
    assert logins["me"].refused_at == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert logins["changed"].refused_at is None
    assert [each.error for each in await observation.read_whole_runs(database)] == ["new"]
    progress = reader(database, wanted=[("fleet/a", "r1"), ("fleet/a", "unknown")])
    await progress.ask(key="fleet/a", request_id="r1", kind="sync", parameters={})
    await progress.ask(key="fleet/a", request_id="r1", kind="sync", parameters={})
    async with running(progress):
        while not progress.request("fleet/a", "r1"):
            await asyncio.sleep(0.01)
    found = progress.knowledge(key="fleet/a", spec=spec_of(), login=None)
    assert isinstance(found, Known)
    assert list(found.facts.requests) == ["r1"]
    for column in ("access_token", "refresh_token", "*"):
        with pytest.raises(PermissionDenied):
            async with database.connection() as connection:
                await connection.execute(f"SELECT {column} FROM api_credentials".encode())


def test_a_refusal_lasts_as_long_as_the_query_thinks() -> None:
    assert timedelta(seconds=tokens.REFUSED_FOR_SECONDS) == timedelta(hours=1)


async def test_totals_grow(database: Database, owner_url: str) -> None:
    async with Database(owner_url, application_name="mixhaul:test") as owner:
        for result in ("failed", "succeeded", "failed"):
            async with owner.transaction() as connection:
                await totals.add(
                    connection, source="fleet/a", metric="sync_runs_total", labels={"result": result, "a": "b"}
                )
    assert await totals.read(database) == [
        totals.Total("fleet/a", "sync_runs_total", {"a": "b", "result": "failed"}, 2.0),
        totals.Total("fleet/a", "sync_runs_total", {"a": "b", "result": "succeeded"}, 1.0),
    ]


async def test_a_deletion_that_could_not_be_asked_is_asked_later(database: Database, owner_url: str) -> None:
    progress = reader(database)
    progress.ask_for_deletion_later(key="fleet/gone", request_id="delete:u1")
    async with running(progress):
        while progress.snapshot is None:
            await asyncio.sleep(0.01)
    with psycopg.connect(owner_url) as owner:
        row = owner.execute("SELECT kind, parameters FROM work_requests WHERE source = 'fleet/gone'").fetchone()
    assert row == ("delete", {"uid": "u1"})


@pytest.mark.parametrize(("patience", "known"), [(60.0, NotYet), (0.0, Away)])
async def test_an_old_schema_is_said_after_a_while(
    empty_database_url: str, patience: float, known: type[NotYet | Away]
) -> None:
    async with Database(empty_database_url, application_name="mixhaul:operator") as database:
        read = asyncio.Event()
        progress = reader(database, patience=patience, after_reading=read.set)
        async with running(progress):
            await read.wait()
            await asyncio.sleep(0)
            found = progress.knowledge(key="fleet/a", spec=spec_of(), login=None)
    assert isinstance(found, known)
    if isinstance(found, Away):
        assert found.reason is Reason.SCHEMA_TOO_OLD
