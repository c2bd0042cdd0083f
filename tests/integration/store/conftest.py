"""A leader with one organisation, in a database that the tests of this folder share: emptied before each of them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from mixhaul_store.database import Database
from support.postgres import Server
from support.store_haul import Haul, begin

# What belongs to these goes with them.
EMPTY = "; ".join(
    f"DELETE FROM {table}"
    for table in (
        "telemetry_events",
        "event_keys",
        "raw_pages",
        "quarantined_records",
        "organisations",
        "request_budgets",
        "api_credentials",
        "leader_epochs",
        "work_requests",
        "sync_runs",
        "organisation_conflicts",
        "upstream_totals",
    )
)


@pytest.fixture(scope="session")
def shared_url(postgres_server: Server) -> Iterator[str]:
    """One database for the folder: making one for each test costs more than the tests."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def database_url(shared_url: str) -> str:
    """The shared database, empty. Sequences go on."""
    with psycopg.connect(shared_url, autocommit=True) as connection:
        connection.execute(EMPTY.encode())
    return shared_url


@pytest.fixture
async def haul(database: Database) -> Haul:
    """Ready to deliver pages."""
    return await begin(database)
