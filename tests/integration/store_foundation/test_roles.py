"""Each role against each table, by trying; and what each role must be able to do for its work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql

from mixhaul_store import partitions, schema
from mixhaul_store.database import Database
from mixhaul_store.elections import LeaderRow, assert_epoch
from mixhaul_store.errors import PermissionDenied
from support.postgres import Server

WRITER, API, OPERATOR = "mixhaul_writer", "mixhaul_api", "mixhaul_operator"
PROGRESS = {
    "organisations",
    "etl_control",
    "gaps",
    "sync_runs",
    "upstream_totals",
    "request_budgets",
    "request_permits",
    "leader_epochs",
    "leader_heartbeats",
    "work_requests",
    "reconciliations",
    "organisation_conflicts",
}
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def granted(postgres_server: Server) -> Iterator[str]:
    """A database that was migrated while the roles existed."""
    for role in (WRITER, API, OPERATOR):
        postgres_server.execute(
            f"DO $$ BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role}; END IF; END $$",
            f"ALTER ROLE {role} LOGIN PASSWORD 'test'",
        )
    with postgres_server.database(migrated=False) as url:
        schema.migrate(url)
        yield url


def as_role(url: str, role: str) -> str:
    parts = psycopg.conninfo.conninfo_to_dict(url)
    return f"postgresql://{role}:test@{parts['host']}:{parts['port']}/{parts['dbname']}"


def expected(role: str, table: str) -> set[str]:
    """The rules of the design, written down a second time."""
    append_only = table in ("audit_log", "erasures")
    if table == "alembic_version":
        return {"SELECT"}
    if role == WRITER:
        return {"SELECT", "INSERT"} if append_only else {"SELECT", "INSERT", "UPDATE", "DELETE"}
    if role == API:
        if table == "api_credentials":
            return set()
        return {"SELECT", "INSERT"} if append_only else {"SELECT"}
    rights = {"SELECT"} if table in PROGRESS else set()
    return rights | ({"INSERT"} if table == "work_requests" else set())


def tries(table: str, column: str) -> dict[str, sql.Composed]:
    """A statement for each right, which changes nothing and needs no other right."""
    name = sql.Identifier(table)
    return {
        "SELECT": sql.SQL("SELECT * FROM {} LIMIT 0").format(name),
        "INSERT": sql.SQL("INSERT INTO {} DEFAULT VALUES").format(name),
        "UPDATE": sql.SQL("UPDATE {} SET {} = NULL WHERE false").format(name, sql.Identifier(column)),
        "DELETE": sql.SQL("DELETE FROM {} WHERE false").format(name),
        "TRUNCATE": sql.SQL("TRUNCATE {}").format(name),
        "DROP": sql.SQL("DROP TABLE {} CASCADE").format(name),
    }


def allowed(connection: psycopg.Connection, statement: sql.Composed) -> bool:
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return False
    except psycopg.errors.IntegrityError:
        return True  # allowed, and only then found to be incomplete
    return True


@pytest.mark.parametrize("role", [WRITER, API, OPERATOR])
def test_each_role_may_do_what_the_design_says_and_no_more(granted: str, role: str) -> None:
    with psycopg.connect(granted) as owner:
        tables = owner.execute(
            "SELECT c.relname, (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 1"
            " AND NOT a.attisdropped AND a.attidentity = '' ORDER BY a.attnum LIMIT 1) FROM pg_class c"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1"
        ).fetchall()
    partitions_of = {"telemetry_events", "raw_pages"}
    with psycopg.connect(as_role(granted, role), autocommit=True) as connection:
        for table, column in tables:
            parent = next((one for one in partitions_of if table.startswith(f"{one}_")), None)
            if parent is not None:
                rights = {"SELECT"} if role == WRITER and table.endswith("_default") else set()
            else:
                rights = expected(role, table)
            column = column or "version_num"
            found = {right for right, statement in tries(table, column).items() if allowed(connection, statement)}
            assert found == rights, f"{role} on {table}"
        assert not allowed(connection, sql.SQL("CREATE TABLE mine ()").format())


def test_the_api_classifies_event_types_and_touches_nothing_else_of_them(granted: str) -> None:
    with psycopg.connect(as_role(granted, API), autocommit=True) as connection:
        for column, may in (
            ("is_infraction", True),
            ("family", True),
            ("classification_origin", True),
            ("classified_by", True),
            ("classified_at", True),
            ("severity", True),
            ("description", False),
            ("removed_at", False),
        ):
            statement = sql.SQL("UPDATE event_types SET {} = DEFAULT WHERE organisation_id = 0")
            assert allowed(connection, statement.format(sql.Identifier(column))) is may, column
        moved = sql.SQL("UPDATE organisations SET watermark = watermark + 1 WHERE id = 0").format()
        assert allowed(connection, moved)
        assert allowed(connection, sql.SQL("SELECT FROM organisations WHERE id = 0 FOR UPDATE").format())
        assert not allowed(connection, sql.SQL("UPDATE organisations SET source = 'mine'").format())


def test_the_operator_counts_quarantined_records_without_seeing_them(granted: str) -> None:
    with psycopg.connect(as_role(granted, OPERATOR), autocommit=True) as connection:
        assert allowed(connection, sql.SQL("SELECT reason, count(*) FROM quarantined_records GROUP BY 1").format())
        assert not allowed(connection, sql.SQL("SELECT record FROM quarantined_records").format())


def test_the_operator_learns_of_refused_logins_and_sees_no_token(granted: str) -> None:
    with psycopg.connect(as_role(granted, OPERATOR), autocommit=True) as connection:
        assert allowed(connection, sql.SQL("SELECT refused_error, refused_until FROM api_credentials").format())
        for token in ("access_token", "refresh_token"):
            statement = sql.SQL("SELECT {} FROM api_credentials").format(sql.Identifier(token))
            assert not allowed(connection, statement), token


async def test_the_writer_leads_and_cares_for_partitions_that_it_does_not_own(granted: str) -> None:
    with psycopg.connect(granted) as owner:
        owner.execute("DROP TABLE telemetry_events_2026_10")
        owner.execute(
            "INSERT INTO telemetry_events (organisation_id, external_id, occurred_at, observed_at, raw_page_id)"
            " VALUES (1, 1, '2026-10-05 12:00Z', now(), 1), (1, 2, '2020-01-05 12:00Z', now(), 1)"
        )
    async with Database(as_role(granted, WRITER), application_name="mixhaul:w") as database:
        await database.check()
        await schema.require(database)
        assert await partitions.ensure(database, now=NOW) == 0, "October's rows are in the way"
        assert await partitions.drain_default(database, table="telemetry_events", now=NOW) == 2
        assert await partitions.ensure(database, now=NOW, ahead_days=90) > 0
        async with database.connection() as connection:
            cursor = await connection.execute("SELECT tableoid::regclass::text FROM telemetry_events ORDER BY 1")
            assert await cursor.fetchall() == [("telemetry_events_2020_01",), ("telemetry_events_2026_10",)]
        row = LeaderRow(database, holder="w", duration_seconds=30)
        epoch = await row.acquire()
        assert epoch is not None
        async with database.transaction() as connection:
            await assert_epoch(connection, epoch)
        assert await row.renew(epoch)
        await row.release(epoch)


@pytest.mark.parametrize("role", [API, OPERATOR])
async def test_nobody_else_may_change_partitions_or_lead(granted: str, role: str) -> None:
    async with Database(as_role(granted, role), application_name="mixhaul:x") as database:
        await schema.require(database)
        with pytest.raises(PermissionDenied, match="mixhaul_create_partition"):
            await partitions.ensure(database, now=NOW, ahead_days=900)
        with pytest.raises(PermissionDenied, match="leader_epochs"):
            await LeaderRow(database, holder="x", duration_seconds=30).acquire(force=True)


def test_privileges_that_somebody_added_are_taken_back_by_the_next_migration(granted: str) -> None:
    with psycopg.connect(granted) as owner:
        owner.execute("GRANT SELECT ON api_credentials TO mixhaul_api")
        owner.execute("GRANT UPDATE (description) ON event_types TO mixhaul_api")
    schema.migrate(granted)
    with psycopg.connect(as_role(granted, API), autocommit=True) as connection:
        assert not allowed(connection, sql.SQL("SELECT FROM api_credentials").format())
        assert not allowed(connection, sql.SQL("UPDATE event_types SET description = ''").format())


def test_a_role_that_may_not_migrate_is_told_so(postgres_server: Server, granted: str) -> None:
    with postgres_server.database(migrated=False) as url, pytest.raises(PermissionDenied, match="as the owner"):
        schema.migrate(as_role(url, WRITER))
