"""docs/schema.md is what the database says, and its queries answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from mixhaul_store.schema_docs import generate
from mixhaul_store.schema_examples import EXAMPLES, Example
from support.postgres import Server

DOCUMENT = Path(__file__).parents[3] / "docs" / "schema.md"

SEED = """
INSERT INTO organisations (api_url, external_id, name, source)
    VALUES ('https://api.example', -7000000000000000001, 'Transportes Águia', 'default/fleet');
INSERT INTO drivers (organisation_id, external_id, name) VALUES (1, 11, 'João Conceição');
INSERT INTO vehicles (organisation_id, external_id, registration_number) VALUES (1, 21, 'ABC1D23');
INSERT INTO event_types (organisation_id, external_id, description, is_infraction)
    VALUES (1, 31, '(Tr) Excesso de Velocidade 70 Km', true);
INSERT INTO event_keys (organisation_id, external_id, occurred_at, observed_at, digest)
    VALUES (1, 5000000000000000001, '2026-11-05 12:00+00', '2026-11-06 12:00+00', 1);
INSERT INTO telemetry_events (organisation_id, external_id, occurred_at, observed_at, raw_page_id,
    driver_external_id, vehicle_external_id, event_type_external_id, value, value_units, total_occurrences)
    VALUES (1, 5000000000000000001, '2026-11-05 12:00+00', '2026-11-06 12:00+00', 1, 11, 21, 31, 91.5, 'km/h', 1),
           (1, 5000000000000000002, '2026-11-05 13:00+00', '2026-11-06 12:00+00', 1, 11, 21, 99, NULL, NULL, 1);
INSERT INTO etl_control (organisation_id, feed) VALUES (1, 'events');
INSERT INTO quarantined_records (organisation_id, feed, digest, reason, record, raw_page_id, observed_at)
    VALUES (1, 'events', 1, 'EventId is missing', '{}', 1, now());
"""


def test_the_document_is_what_the_database_says(empty_database_url: str) -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == generate(empty_database_url), (
        "run `python -m mixhaul_store.schema_docs docs/schema.md` and commit what it writes"
    )


@pytest.fixture(scope="module")
def seeded(postgres_server: Server) -> Iterator[str]:
    """A database with a few rows of everything that the queries ask for."""
    with postgres_server.database() as url:
        with psycopg.connect(url) as connection:
            connection.execute(SEED.encode())
        yield url


@pytest.mark.parametrize("example", EXAMPLES, ids=[one.question[:40] for one in EXAMPLES])
def test_each_query_of_the_document_finds_something(seeded: str, example: Example) -> None:
    with psycopg.connect(seeded) as connection:
        assert connection.execute(example.query).fetchall()


def test_every_column_and_table_has_a_meaning(seeded: str) -> None:
    with psycopg.connect(seeded) as connection:
        silent = connection.execute(
            "SELECT c.relname, a.attname FROM pg_class c"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND c.relname <> 'alembic_version' AND col_description(c.oid, a.attnum) IS NULL"
            " UNION ALL SELECT relname, NULL FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace"
            " AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND obj_description(c.oid) IS NULL"
            " AND relname <> 'alembic_version'"
        ).fetchall()
    assert silent == []
