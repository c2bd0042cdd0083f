"""The schema's version: brought up by `migrate`, asked for by every program that starts.

Alembic is imported only where a migration runs. `migrate` may run anywhere at any time, two at once too; it does not
take the schema back.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from mixhaul_store import server_check, urls
from mixhaul_store.connections import CONNECT_OPTIONS
from mixhaul_store.database import Database
from mixhaul_store.errors import LockTimeout, SchemaTooNew, SchemaTooOld, TransientStoreError
from mixhaul_store.partitions import ensure_now
from mixhaul_store.translation import translate

if TYPE_CHECKING:
    import asyncio

    from alembic.config import Config

log = structlog.get_logger("mixhaul_store.schema")

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
HEAD = REVISIONS[-1]

_LOCK = 6_203_114_872  # of nobody else, it is hoped
_LOCK_SECONDS = 300.0
_LOOK_SECONDS = 2.0


def migrate(url: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str:
    """Bring the database to HEAD, grant the roles what they need, make the partitions of these months.

    Returns the revision. Whoever comes second waits and finds everything done.
    """
    url = urls.checked(url)
    where = urls.shown(url)
    try:
        with psycopg.connect(url, **CONNECT_OPTIONS | {"application_name": "mixhaul:migrate"}) as connection:
            _check_server(connection, where)
            connection.execute("SELECT set_config('TimeZone', 'UTC', false)")
            with _locked(connection):
                found = _read(connection)
                if found != HEAD:
                    _compare(found, older_is_error=False)
                    _upgrade(connection)
                    log.info("schema migrated", before=found, revision=HEAD)
                _grant(connection)
                ensure_now(connection, now=now())
    except psycopg.Error as error:
        raise translate(error, where=where) from error
    return HEAD


async def require(database: Database) -> None:
    """Raise SchemaTooOld or SchemaTooNew unless the schema is this program's."""
    async with database.connection() as connection:
        # In one statement to_regclass would not help: the table is looked up before anything is evaluated.
        cursor = await connection.execute("SELECT to_regclass('public.alembic_version') IS NOT NULL")
        row = await cursor.fetchone()
        found = None
        if row is not None and row[0]:
            cursor = await connection.execute("SELECT version_num FROM public.alembic_version")
            row = await cursor.fetchone()
            found = None if row is None else row[0]
    _compare(found, older_is_error=True)


async def wait(database: Database, stop: asyncio.Event, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Return once the schema is this program's, or `stop` is set. A newer schema is an error at once."""
    told: str | None = None
    while not stop.is_set():
        try:
            await require(database)
        except TransientStoreError as error:
            if str(error) != told:
                told = str(error)
                log.warning("waiting for the schema", reason=told)
            await sleep(_LOOK_SECONDS)
        else:
            return


def alembic_config() -> Config:
    """Alembic's configuration, without a file of its own."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "mixhaul_store:migrations")
    return config


def _compare(found: str | None, *, older_is_error: bool) -> None:
    if found == HEAD:
        return
    if found is not None and found not in REVISIONS:
        raise SchemaTooNew(found=found, wanted=HEAD)
    if older_is_error:
        raise SchemaTooOld(found=found, wanted=HEAD)


def _check_server(connection: psycopg.Connection[Any], where: str) -> None:
    row = connection.execute(server_check.QUERY, server_check.PARAMETERS).fetchone()
    assert row is not None  # noqa: S101  (a SELECT without FROM)
    error = server_check.objection(server_check.Facts(*row), where=where, writable=True)
    if error is not None:
        raise error


@contextmanager
def _locked(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """One migration at a time. Asked for again and again rather than waited for, since a waiting transaction would
    itself be waited for by CREATE INDEX CONCURRENTLY."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        if row is not None and row[0]:
            break
        if time.monotonic() > deadline:
            raise LockTimeout
        time.sleep(0.1)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _read(connection: psycopg.Connection[Any]) -> str | None:
    row = connection.execute("SELECT to_regclass('public.alembic_version') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return None
    row = connection.execute("SELECT version_num FROM public.alembic_version").fetchone()
    return None if row is None else row[0]


def _upgrade(connection: psycopg.Connection[Any]) -> None:
    from alembic import command
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    config = alembic_config()
    connection.autocommit = False
    # The connection that holds the lock: whoever loses it loses the migration too.
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    try:
        with engine.connect() as bound:
            config.attributes["connection"] = bound
            command.upgrade(config, "head")
            bound.commit()
    except DBAPIError as error:
        raise (error.orig or error) from error
    finally:
        if not connection.closed:
            connection.rollback()
            connection.autocommit = True


def _grant(connection: psycopg.Connection[Any]) -> None:
    from mixhaul_store.migrations import plain_sql

    with connection.transaction():
        connection.execute(plain_sql.read("grants.sql").encode())
