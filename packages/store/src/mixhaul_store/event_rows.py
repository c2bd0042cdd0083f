"""Writes event rows and their keys: binary COPY for new ones, one UPDATE for changed ones.

The caller holds the organisation's lock and has told new ids from known ones. Nothing here commits.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from math import isfinite
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import JsonbBinaryDumper

from mixhaul_runtime.checkpoints import reached
from mixhaul_store.records import EVENT_COLUMN_TYPES, EVENT_VALUE_COLUMNS, EventRow, Record

Connection = AsyncConnection[Any]

DATA_ERRORS = (psycopg.DataError, ValueError, TypeError, OverflowError, struct.error)
"""How a value that its column does not take shows itself, at the server or before."""


class Version(NamedTuple):
    """An event as it is to be stored, and the record that says so."""

    event: EventRow
    record: Record


_NONE_AMENDED: Mapping[int, int | None] = MappingProxyType({})


class Place(NamedTuple):
    """What all the rows of a page share. `amended` says whom events count against that were amended: None for nobody;
    the others count against whom they say."""

    organisation_id: int
    observed_at: datetime
    raw_page_id: int
    amended: Mapping[int, int | None] = _NONE_AMENDED


Write = Callable[[Connection, Sequence[Version], Place], Awaitable[int]]
"""`insert`, `update` or `rewrite`."""

_KEY_COLUMNS = {
    "organisation_id": "int8",
    "external_id": "int8",
    "occurred_at": "timestamptz",
    "observed_at": "timestamptz",
    "digest": "int8",
}
_ROW_COLUMNS = {
    "organisation_id": "int8",
    "external_id": "int8",
    "occurred_at": "timestamptz",
    "observed_at": "timestamptz",
    "raw_page_id": "int8",
    "driver_external_id": "int8",
} | EVENT_COLUMN_TYPES
_COPY_KEYS = f"COPY event_keys ({', '.join(_KEY_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_COPY_ROWS = f"COPY telemetry_events ({', '.join(_ROW_COLUMNS)}) FROM STDIN (FORMAT BINARY)"

# An event without any time keeps the moment when it was first seen, which its key remembers. Joins are by index only,
# whatever the planner believes about sizes: see `_update`.
_UPDATE = f"""
WITH incoming AS (
    SELECT r.*, k.occurred_at AS place, coalesce(r.at, k.observed_at) AS new_place
      FROM json_to_recordset(%(rows)s::json)
           AS r(id bigint, digest bigint, at timestamptz, driver bigint,
                {", ".join(f"{column} {kind}" for column, kind in EVENT_COLUMN_TYPES.items())})
      JOIN event_keys k ON k.organisation_id = %(organisation)s AND k.external_id = r.id
), written AS (
    UPDATE telemetry_events e
       SET occurred_at = r.new_place, observed_at = %(observed_at)s, raw_page_id = %(raw_page)s,
           driver_external_id = r.driver,
           {", ".join(f"{c} = r.{c}" for c in EVENT_VALUE_COLUMNS)}
      FROM incoming r
     WHERE e.organisation_id = %(organisation)s AND e.external_id = r.id AND e.occurred_at = r.place
       AND (e.observed_at < %(observed_at)s OR (%(again)s AND e.raw_page_id = %(raw_page)s))
       AND (e.occurred_at, {", ".join(f"e.{c}" for c in EVENT_VALUE_COLUMNS)})
           IS DISTINCT FROM (r.new_place, {", ".join(f"r.{c}" for c in EVENT_VALUE_COLUMNS)})
    RETURNING e.external_id, e.occurred_at, r.digest
)
UPDATE event_keys k
   SET occurred_at = w.occurred_at, digest = w.digest
  FROM written w
 WHERE k.organisation_id = %(organisation)s AND k.external_id = w.external_id
"""


class _JsonText(JsonbBinaryDumper):
    """A jsonb value is given as its JSON text, which goes out as it is."""

    def dump(self, obj: Any) -> bytes:
        return b"\x01" + (obj if isinstance(obj, bytes) else obj.encode())


_INT4 = itemgetter(*(number for number, kind in enumerate(EVENT_COLUMN_TYPES.values()) if kind == "int4"))


def _check_int4(versions: Sequence[Version]) -> None:
    """psycopg's binary form of int4 cuts off what does not fit, without a word; an array of C ints raises."""
    array("i", filter(None, chain.from_iterable(map(_INT4, (one.event.values for one in versions)))))


async def insert(connection: Connection, versions: Sequence[Version], place: Place) -> int:
    """COPY rows and keys of events that are not there yet. Raises one of DATA_ERRORS where a value can't be stored."""
    return await insert_batches(connection, [versions], place) if versions else 0


async def insert_batches(connection: Connection, batches: Iterable[Sequence[Version]], place: Place) -> int:
    """As `insert`, drawing a batch whenever the one before was sent: the server stores it while the next is made."""
    organisation, observed, raw_page, amended = place
    keys: list[tuple[Any, ...]] = []

    def rows() -> Iterator[tuple[Any, ...]]:
        for versions in batches:
            _check_int4(versions)
            for (external_id, occurred_at, values), record in versions:
                at = occurred_at or observed
                keys.append((organisation, external_id, at, observed, record.digest))
                driver = amended.get(external_id, values[0]) if amended else values[0]
                yield (organisation, external_id, at, observed, raw_page, driver, *values)

    await _copy(connection, _COPY_ROWS, _ROW_COLUMNS, rows())
    reached("rows_copied")
    await _copy(connection, _COPY_KEYS, _KEY_COLUMNS, keys)
    reached("keys_copied")
    return len(keys)


async def update(connection: Connection, versions: Sequence[Version], place: Place) -> int:
    """Bring known events up to date where this version is newer and says something else; how many were written."""
    return await _update(connection, versions, place, again=False)


async def rewrite(connection: Connection, versions: Sequence[Version], place: Place) -> int:
    """As `update`, and also where the stored version came with this very page and reads differently now."""
    return await _update(connection, versions, place, again=True)


async def _update(connection: Connection, versions: Sequence[Version], place: Place, *, again: bool) -> int:
    if not versions:
        return 0
    # A handful of ids against any number of events: only index look-ups make sense, and no statistics say so.
    await connection.execute(
        "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
        " set_config('enable_seqscan', 'off', true)",
        prepare=True,
    )
    cursor = await connection.execute(
        _UPDATE,
        {
            "rows": orjson.dumps([_as_object(one, place.amended) for one in versions], default=str).decode(),
            "organisation": place.organisation_id,
            "observed_at": place.observed_at,
            "raw_page": place.raw_page_id,
            "again": again,
        },
        # A plan that was kept from when a month was empty would search all of it through the wrong index.
        prepare=False,
    )
    return cursor.rowcount


async def _copy(
    connection: Connection, statement: str, columns: dict[str, str], rows: Iterable[tuple[Any, ...]]
) -> None:
    async with connection.cursor() as cursor:
        cursor.adapters.register_dumper(None, _JsonText)
        async with cursor.copy(statement) as copy:
            copy.set_types(list(columns.values()))
            # As copy.write_row does, but awaiting only where there is something to send.
            write_row, write = copy.formatter.write_row, copy.writer.write
            for row in rows:
                if data := write_row(row):
                    await write(data)


def _as_object(version: Version, amended: Mapping[int, int | None]) -> dict[str, Any]:
    event, record = version
    given: dict[str, Any] = {
        "id": event.external_id,
        "digest": record.digest,
        "at": event.occurred_at,
        "driver": amended.get(event.external_id, event.values[0]),
    }
    for (name, kind), value in zip(EVENT_COLUMN_TYPES.items(), event.values, strict=True):
        if value is None:
            continue
        if kind == "jsonb":
            given[name] = orjson.Fragment(value)
        elif isinstance(value, float) and not isfinite(value):
            given[name] = str(value)
        else:
            given[name] = value
    return given


def refusal(error: Exception) -> str:
    """Why a record was refused, without what it says."""
    if not isinstance(error, psycopg.Error):
        return f"a value does not fit its column ({type(error).__name__})"
    column = re.search(r"column (\w+)", error.diag.context or "")
    return f"PostgreSQL refused {column[1] if column else 'a value'}: {type(error).__name__} ({error.sqlstate})"
