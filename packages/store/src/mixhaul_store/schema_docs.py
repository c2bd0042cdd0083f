"""Writes docs/schema.md from a migrated database: what PostgreSQL itself knows of tables, columns and roles.

    python -m mixhaul_store.schema_docs docs/schema.md

It starts an embedded PostgreSQL of its own for that. A test fails when the file is not what this writes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import structlog
from psycopg import Connection

from mixhaul_store.embedded import EmbeddedPostgres
from mixhaul_store.schema import migrate
from mixhaul_store.schema_examples import EXAMPLES

ROLES = ("mixhaul_writer", "mixhaul_api", "mixhaul_operator")

_INTRODUCTION = """# The schema

<!-- Made by `python -m mixhaul_store.schema_docs docs/schema.md` from the database itself: don't edit. -->

What Mixhaul keeps in PostgreSQL, for people who query it. Times are `timestamptz`; ids that MiX gives are `bigint`
(write them as text in JSON and spreadsheets: they are longer than a floating-point number is exact). A column that
MiX left out is null, never 0 or ''. Columns named `…external_id` hold MiX's ids, and `organisation_id` is our own.

Read with a role of your own (`GRANT mixhaul_api TO …`, or `GRANT SELECT` on what you need), and from a replica if your
queries are large. Events are partitioned by month of `occurred_at`: name an interval, and only its months are read.
"""

_TABLES: LiteralString = """
SELECT c.oid, c.relname, obj_description(c.oid), pg_get_partkeydef(c.oid)
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relname <> 'alembic_version'
ORDER BY c.relname"""
_COLUMNS: LiteralString = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(a.attrelid, a.attnum)
FROM pg_attribute a
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum"""
_CONSTRAINTS: LiteralString = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %s AND contype IN ('p', 'u', 'f', 'c')
ORDER BY array_position(ARRAY['p', 'u', 'f', 'c']::"char"[], contype), 1"""
_INDEXES: LiteralString = """
SELECT i.relname, pg_get_indexdef(x.indexrelid)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
WHERE x.indrelid = %s AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = x.indexrelid)
ORDER BY i.relname"""
_FUNCTIONS: LiteralString = """
SELECT p.oid::regprocedure::text, obj_description(p.oid, 'pg_proc')
FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'mixhaul%'
ORDER BY 1"""
_PRIVILEGES: LiteralString = """
SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY AS p (privilege, place)
WHERE has_table_privilege(%(role)s, %(table)s::oid, privilege) ORDER BY place"""
_COLUMN_PRIVILEGES: LiteralString = """
SELECT privilege, string_agg(a.attname, ', ' ORDER BY a.attnum)
FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) WITH ORDINALITY AS p (privilege, place)
CROSS JOIN pg_attribute a
WHERE a.attrelid = %(table)s::oid AND a.attnum > 0 AND NOT a.attisdropped
  AND has_column_privilege(%(role)s, %(table)s::oid, a.attname, privilege)
  AND NOT has_table_privilege(%(role)s, %(table)s::oid, privilege)
GROUP BY privilege, place ORDER BY place"""


@dataclass(frozen=True, slots=True)
class _Table:
    oid: int
    name: str
    comment: str | None
    partitioned: str | None


def render(connection: Connection[Any]) -> str:
    """The whole document. The three roles must exist."""
    tables = [_Table(*row) for row in connection.execute(_TABLES)]
    lines = [_INTRODUCTION, "## Tables", "", "| table | holds |", "|---|---|"]
    lines += [f"| [{table.name}](#{table.name}) | {_cell(table.comment)} |" for table in tables]
    lines += ["", "## Queries to begin with", ""]
    for example in EXAMPLES:
        lines += [example.question, "", "```sql", example.query, "```", ""]
    for table in tables:
        lines += _table(connection, table)
    lines += ["## Functions", "", "| function | what it does |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(comment)} |" for name, comment in connection.execute(_FUNCTIONS)]
    lines += ["", *_roles(connection, tables)]
    return "\n".join(lines).rstrip() + "\n"


def _table(connection: Connection[Any], table: _Table) -> Iterator[str]:
    yield from (f"## {table.name}", "", table.comment or "", "")
    yield from ("| column | type | null | meaning |", "|---|---|---|---|")
    for name, kind, not_null, comment in connection.execute(_COLUMNS, (table.oid,)):
        yield f"| `{name}` | {kind} | {'' if not_null else 'yes'} | {_cell(comment)} |"
    yield ""
    if table.partitioned:
        yield f"* Partitioned by `{table.partitioned}`, a month each, and a DEFAULT partition for the rest."
    for (definition,) in connection.execute(_CONSTRAINTS, (table.oid,)):
        yield f"* `{definition}`"
    for name, definition in connection.execute(_INDEXES, (table.oid,)):
        yield f"* Index `{name}`: `{definition.partition(' USING ')[2]}`"
    yield ""


def _roles(connection: Connection[Any], tables: list[_Table]) -> Iterator[str]:
    yield from (
        "## Roles",
        "",
        "`migrate` runs as the owner and grants this to the roles that exist (`CREATE ROLE … LOGIN` them first).",
        "With one role for everything all works the same, and privileges are not separated.",
        "",
        "| table | " + " | ".join(f"`{role}`" for role in ROLES) + " |",
        "|---|" + "---|" * len(ROLES),
    )
    for table in tables:
        yield f"| {table.name} | " + " | ".join(_privileges(connection, role, table) for role in ROLES) + " |"


def _privileges(connection: Connection[Any], role: str, table: _Table) -> str:
    values = {"role": role, "table": table.oid}
    whole = [privilege.lower() for (privilege,) in connection.execute(_PRIVILEGES, values)]
    parts = [f"{privilege.lower()} ({names})" for privilege, names in connection.execute(_COLUMN_PRIVILEGES, values)]
    return ", ".join(whole + parts)


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ")


def generate(url: str) -> str:
    """Create the roles and the schema in an empty database, and describe them."""
    with psycopg.connect(url, autocommit=True) as connection:
        for role in ROLES:
            if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
                connection.execute(f"CREATE ROLE {role}".encode())
    migrate(url)
    with psycopg.connect(url) as connection:
        return render(connection)


def main() -> None:
    """Write the document to the file that is named, or to standard output, which the log is kept out of."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "postgresql", durable=False) as url:
            text = generate(url)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
