"""Support data: drivers, vehicles, event types and sites, upserted as whole lists in one transaction each.

A row that MiX no longer lists is kept and gets `removed_at`, but only where the list is believed (`plausibility`). Only
rows that differ are rewritten. A NUL in a text becomes U+FFFD: support data is not byte-exact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection

from mixhaul_store.classification import propose
from mixhaul_store.page_rows import LOCK_ORGANISATION
from mixhaul_store.plausibility import History, Verdict, judge

# A NUL in JSON text: an escape whose own backslash is not escaped.
_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A row of `drivers`."""

    external_id: int
    name: str | None = None
    employee_number: str | None = None
    site_external_id: int | None = None
    mobile_number: str | None = None
    email: str | None = None
    fm_driver_id: int | None = None
    is_system_driver: bool | None = None
    extended_driver_id: str | None = None
    extended_driver_id_type: str | None = None
    country: str | None = None
    image_uri: str | None = None
    additional_detail_fields: list[Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A row of `vehicles`."""

    external_id: int
    description: str | None = None
    registration_number: str | None = None
    fleet_number: str | None = None
    make: str | None = None
    model: str | None = None
    year: str | None = None
    vin_number: str | None = None
    site_external_id: int | None = None
    fuel_type: str | None = None
    odometer_km: Decimal | None = None
    engine_hours: str | None = None
    engine_seconds: float | None = None
    default_driver_external_id: int | None = None
    user_state: str | None = None
    created_at: datetime | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """A row of `event_types`, without its classification."""

    external_id: int
    description: str | None = None
    event_type: str | None = None
    display_units: str | None = None
    format_type: str | None = None
    value_name: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A row of `sites`."""

    external_id: int
    parent_external_id: int | None = None
    name: str | None = None
    type: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """Rows by what happened to them. `doubted`: the length of the last good list, where this one is too short to be
    believed, so that nothing was marked removed."""

    inserted: int
    updated: int
    unchanged: int
    removed: int
    doubted: int | None = None


async def upsert_drivers(
    conn: AsyncConnection[Any], organisation_id: int, rows: Sequence[Driver], *, seen_at: datetime
) -> UpsertResult:
    """The whole list of an organisation's drivers."""
    return await _upsert(conn, "drivers", organisation_id, [_values(row) for row in rows], seen_at=seen_at)


async def upsert_vehicles(
    conn: AsyncConnection[Any], organisation_id: int, rows: Sequence[Vehicle], *, seen_at: datetime
) -> UpsertResult:
    """The whole list of an organisation's vehicles."""
    return await _upsert(conn, "vehicles", organisation_id, [_values(row) for row in rows], seen_at=seen_at)


async def upsert_sites(
    conn: AsyncConnection[Any], organisation_id: int, rows: Sequence[Site], *, seen_at: datetime
) -> UpsertResult:
    """The whole tree of an organisation's sites."""
    return await _upsert(conn, "sites", organisation_id, [_values(row) for row in rows], seen_at=seen_at)


async def upsert_event_types(
    conn: AsyncConnection[Any], organisation_id: int, rows: Sequence[EventType], *, seen_at: datetime
) -> UpsertResult:
    """The whole library, with a proposal of what counts as an infraction for types that no person decided."""
    values = []
    for row in rows:
        proposal = propose(row.description)
        values.append(
            _values(row)
            | {"family": proposal.family, "is_infraction": proposal.is_infraction, "severity": proposal.severity}
        )
    return await _upsert(conn, "event_types", organisation_id, values, seen_at=seen_at)


# A proposal follows the description, until a person decides. What was proposed once for the same description stays,
# also when a later version would propose otherwise.
_PROPOSED: Final = (
    "CASE WHEN t.classification_origin = 'person' OR t.description IS NOT DISTINCT FROM excluded.description"
    " THEN t.{column} ELSE excluded.{column} END"
)


_PROPOSALS: Final = ("family", "is_infraction", "severity")


def _assignment(column: str) -> str:
    return _PROPOSED.format(column=column) if column in _PROPOSALS else f"excluded.{column}"


_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "drivers": tuple(each.name for each in fields(Driver)),
    "vehicles": tuple(each.name for each in fields(Vehicle)),
    "sites": tuple(each.name for each in fields(Site)),
    "event_types": (*(each.name for each in fields(EventType)), *_PROPOSALS),
}


def _statement(table: str) -> str:
    columns = _COLUMNS[table]
    others = [column for column in columns if column != "external_id"]
    names = ", ".join(columns)
    set_to = {column: _assignment(column) for column in others}
    return f"""
WITH listed AS (
    SELECT DISTINCT ON (external_id) {names}
      FROM jsonb_populate_recordset(NULL::{table}, %(rows)s::jsonb) WITH ORDINALITY AS r
     ORDER BY external_id, ordinality DESC
), before AS (
    SELECT count(*) FILTER (WHERE removed_at IS NULL) AS known FROM {table} WHERE organisation_id = %(organisation)s
), written AS (
    INSERT INTO {table} AS t (organisation_id, {names}, first_seen_at, last_seen_at)
    SELECT %(organisation)s, {names}, %(seen)s, %(seen)s FROM listed
    ON CONFLICT (organisation_id, external_id) DO UPDATE
       SET {", ".join(f"{column} = {value}" for column, value in set_to.items())},
           removed_at = NULL, last_seen_at = excluded.last_seen_at
     WHERE (t.removed_at, {", ".join(f"t.{column}" for column in others)})
           IS DISTINCT FROM (NULL::timestamptz, {", ".join(set_to.values())})
    RETURNING xmax = 0 AS is_new
)
SELECT (SELECT known FROM before), (SELECT count(*) FROM listed),
       count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written
"""


_STATEMENTS: Final = {table: _statement(table) for table in _COLUMNS}


async def _upsert(
    conn: AsyncConnection[Any], table: str, organisation_id: int, rows: list[dict[str, Any]], *, seen_at: datetime
) -> UpsertResult:
    ids = list({row["external_id"] for row in rows})
    values: dict[str, Any] = {
        "organisation": organisation_id,
        "rows": _NUL.sub(rb"\1\\ufffd", msgspec.json.encode(rows)).decode(),
        "seen": seen_at,
        "ids": ids,
    }
    async with conn.transaction():
        await conn.execute(LOCK_ORGANISATION, (organisation_id,))
        cursor = await conn.execute(_STATEMENTS[table].encode(), values)
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  (an aggregate)
        known, listed, inserted, updated = row
        # Rows that are the same were not rewritten above: only their time of sight moves, which answers show too.
        cursor = await conn.execute(
            f"UPDATE {table} SET last_seen_at = %(seen)s"
            " WHERE organisation_id = %(organisation)s AND external_id = ANY(%(ids)s) AND last_seen_at < %(seen)s",
            values,
        )
        seen = cursor.rowcount
        removed = 0
        history, short_at = await _history(conn, organisation_id, table, known=known)
        verdict, good = judge(listed, history), history.good_rows
        if verdict is not Verdict.DOUBTED:
            cursor = await conn.execute(
                f"UPDATE {table} SET removed_at = %(seen)s WHERE organisation_id = %(organisation)s"
                " AND removed_at IS NULL AND NOT external_id = ANY(%(ids)s)"
                # A row of the first short list was there after the last good one: it was not missed twice.
                " AND (%(short_at)s::timestamptz IS NULL OR last_seen_at < %(short_at)s)",
                values | {"short_at": short_at if verdict is Verdict.CONFIRMED else None},
            )
            removed = cursor.rowcount
        await conn.execute(
            _REMEMBER_DOUBT if verdict is Verdict.DOUBTED else _REMEMBER_GOOD,
            {"organisation": organisation_id, "list": table, "rows": listed, "good": good, "at": seen_at},
        )
        if inserted or updated or removed or seen:
            await conn.execute("UPDATE organisations SET watermark = watermark + 1 WHERE id = %s", (organisation_id,))
    return UpsertResult(
        inserted=inserted,
        updated=updated,
        unchanged=listed - inserted - updated,
        removed=removed,
        doubted=good if verdict is Verdict.DOUBTED else None,
    )


_REMEMBER_GOOD: Final = """
INSERT INTO support_lists (organisation_id, list, good_rows, good_at)
VALUES (%(organisation)s, %(list)s, %(rows)s, %(at)s)
ON CONFLICT (organisation_id, list) DO UPDATE
   SET good_rows = excluded.good_rows, good_at = excluded.good_at, short_rows = NULL, short_at = NULL
"""
_REMEMBER_DOUBT: Final = """
INSERT INTO support_lists (organisation_id, list, good_rows, good_at, short_rows, short_at)
VALUES (%(organisation)s, %(list)s, %(good)s, %(at)s, %(rows)s, %(at)s)
ON CONFLICT (organisation_id, list) DO UPDATE SET short_rows = excluded.short_rows, short_at = excluded.short_at
"""


async def _history(
    conn: AsyncConnection[Any], organisation_id: int, table: str, *, known: int
) -> tuple[History, datetime | None]:
    """How long the list was before, and when a short one came; where nobody wrote that down, what is known counts."""
    cursor = await conn.execute(
        "SELECT good_rows, short_rows, short_at FROM support_lists WHERE organisation_id = %s AND list = %s",
        (organisation_id, table),
    )
    row = await cursor.fetchone()
    return (History(known), None) if row is None else (History(row[0], row[1]), row[2])


def _values(row: Driver | Vehicle | EventType | Site) -> dict[str, Any]:
    return {each.name: getattr(row, each.name) for each in fields(row)}
