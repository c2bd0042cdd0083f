"""Migrations: once, twice, two at once, and what programs say about the version they find."""

from __future__ import annotations

import asyncio
import threading

import psycopg
import pytest
from alembic.script import ScriptDirectory

from mixhaul_store import schema
from mixhaul_store.database import Database
from mixhaul_store.errors import SchemaTooNew, SchemaTooOld
from mixhaul_store.migrations import plain_sql


async def test_a_fresh_database_gets_the_schema_and_a_second_run_changes_nothing(empty_database_url: str) -> None:
    assert schema.migrate(empty_database_url) == schema.HEAD
    assert schema.migrate(empty_database_url) == schema.HEAD
    async with Database(empty_database_url, application_name="mixhaul:test") as database:
        await schema.require(database)


def test_data_of_an_older_schema_is_kept(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(plain_sql.read("0001_first.sql").encode())
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
        connection.execute("INSERT INTO leader_epochs VALUES ('ingestor', 7, 'me', now())")
        connection.execute(
            "INSERT INTO telemetry_events (organisation_id, external_id, occurred_at, observed_at, raw_page_id)"
            " VALUES (1, 1, now(), now(), 1)"
        )
    assert schema.migrate(empty_database_url) == schema.HEAD
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT epoch FROM leader_epochs").fetchone() == (7,)
        assert connection.execute("SELECT count(*) FROM telemetry_events").fetchone() == (1,)


def test_the_revisions_are_those_that_alembic_finds() -> None:
    script = ScriptDirectory.from_config(schema.alembic_config())
    assert [one.revision for one in script.walk_revisions()][::-1] == list(schema.REVISIONS)


def test_two_migrations_at_once_both_end_well(empty_database_url: str) -> None:
    outcomes: list[str | BaseException] = []

    def run() -> None:
        try:
            outcomes.append(schema.migrate(empty_database_url))
        except BaseException as error:  # noqa: BLE001  (shown by the assertion)
            outcomes.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [schema.HEAD] * 3


@pytest.mark.parametrize("programs_own", [True, False], ids=["migrate", "require"])
async def test_a_newer_schema_is_refused_and_left_alone(database_url: str, *, programs_own: bool) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew, match=r"9999, which is newer than this program's .*: run the version"):
        if programs_own:
            schema.migrate(database_url)
        else:
            async with Database(database_url, application_name="mixhaul:test") as database:
                await schema.require(database)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


@pytest.mark.parametrize("version", [None, "0001"])
async def test_an_older_schema_is_said_with_the_command_that_helps(database_url: str, version: str | None) -> None:
    with psycopg.connect(database_url) as connection:
        if version is None:
            connection.execute("DROP TABLE alembic_version")
        else:
            connection.execute("UPDATE alembic_version SET version_num = %s", (version,))
    async with Database(database_url, application_name="mixhaul:test") as database:
        with pytest.raises(SchemaTooOld, match="run `mixhaul-ingestor migrate`") as caught:
            await schema.require(database)
    assert (caught.value.found, caught.value.wanted) == (version, schema.HEAD)


async def test_a_pod_waits_until_the_schema_is_there(empty_database_url: str) -> None:
    looked = 0

    async def sleep(_: float) -> None:
        nonlocal looked
        looked += 1
        if looked == 2:
            await asyncio.to_thread(schema.migrate, empty_database_url)

    async with Database(empty_database_url, application_name="mixhaul:test") as database:
        await schema.wait(database, asyncio.Event(), sleep)
        await schema.require(database)
    assert looked == 2


async def test_waiting_ends_when_the_program_is_asked_to_stop(empty_database_url: str) -> None:
    stop = asyncio.Event()

    async def sleep(_: float) -> None:
        stop.set()

    async with Database(empty_database_url, application_name="mixhaul:test") as database:
        await schema.wait(database, stop, sleep)
        with pytest.raises(SchemaTooOld):
            await schema.require(database)
