"""A real PostgreSQL for tests: one server a session (and xdist worker), one fresh, migrated database a test.

`MIXHAUL_TEST_POSTGRES=15` runs Debian's server of that version instead of the embedded one.
Programs that are no tests use `running_server` and `Server.database` as context managers.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from mixhaul_store.database import Database
from mixhaul_store.embedded import EmbeddedPostgres
from mixhaul_store.schema import migrate

TEMPLATE = "mixhaul_template"


def binaries() -> Path | None:
    """Where the chosen PostgreSQL is; None is the embedded one."""
    wanted = os.environ.get("MIXHAUL_TEST_POSTGRES")
    if not wanted:
        return None
    folder = Path(f"/usr/lib/postgresql/{wanted}/bin")
    if not (folder / "initdb").exists():
        raise RuntimeError(f"MIXHAUL_TEST_POSTGRES={wanted}, but there is no {folder}: install postgresql-{wanted}")
    return folder


@contextmanager
def reachable_folder(name: str = "mixhaul test") -> Iterator[Path]:
    """A folder that `nobody` may enter, with a blank in its path; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name} "))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class Server:
    """A running server; `url` is its own database, with the right to do anything."""

    url: str
    embedded: EmbeddedPostgres
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _template_made: bool = False

    def url_of(self, database: str, *, user: str | None = None, password: str | None = None) -> str:
        """The URL of another database of this server, and of another role."""
        parts = conninfo_to_dict(self.url)
        name, word = user or parts["user"], password or parts["password"]
        return f"postgresql://{name}:{word}@{parts['host']}:{parts['port']}/{database}"

    def execute(self, *statements: str) -> None:
        """Each in its own transaction, outside of any block."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a fresh database, dropped afterwards."""
        if migrated and not self._template_made:
            self._make(TEMPLATE, None)
            migrate(self.url_of(TEMPLATE))
            self._template_made = True
        name = f"test_{next(self._numbers)}"
        self._make(name, TEMPLATE if migrated else None)
        try:
            yield self.url_of(name)
        finally:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _make(self, name: str, template: str | None) -> None:
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            # Copies files instead of writing each page to the log: much faster where nothing has to last.
            statement += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running_server(*, durable: bool = False, settings: dict[str, str] | None = None) -> Iterator[Server]:
    """A server in a folder of its own, gone afterwards."""
    with reachable_folder() as folder:
        embedded = EmbeddedPostgres(folder / "data", durable=durable, settings=settings, binaries=binaries())
        with embedded as url:
            yield Server(url=url, embedded=embedded)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The session's server."""
    with running_server() as server:
        yield server


@pytest.fixture
def empty_database_url(postgres_server: Server) -> Iterator[str]:
    """A fresh database without a schema."""
    with postgres_server.database(migrated=False) as url:
        yield url


@pytest.fixture
def database_url(postgres_server: Server) -> Iterator[str]:
    """A fresh database at the current schema."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The same, opened."""
    async with Database(database_url, application_name="mixhaul:test") as opened:
        yield opened
