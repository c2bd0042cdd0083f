"""Whether events name drivers, vehicles or types that no sync has brought yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from mixhaul_store.records import EVENT_VALUE_COLUMNS, EventRow

_TABLES = {
    "drivers": EVENT_VALUE_COLUMNS.index("reported_driver_external_id"),
    "vehicles": EVENT_VALUE_COLUMNS.index("vehicle_external_id"),
    "event_types": EVENT_VALUE_COLUMNS.index("event_type_external_id"),
}
# Counted by = ANY, not searched one by one: a kept plan that chose a poor index costs one scan of a small table then.
_COUNTS = "SELECT " + ", ".join(
    f"(SELECT count(*) FROM {table} WHERE organisation_id = %(organisation)s"
    f" AND external_id = ANY(%({table})s::bigint[]))"
    for table in _TABLES
)


class Named:
    """Whom the events of a page name, gathered while they pass: the events themselves need not be kept for it."""

    def __init__(self) -> None:
        self._ids: dict[str, set[int | None]] = {table: set() for table in _TABLES}

    def add(self, events: Sequence[EventRow]) -> None:
        """Take note of these events."""
        for table, column in _TABLES.items():
            self._ids[table].update([event.values[column] for event in events])

    async def unknown(self, connection: AsyncConnection[Any], organisation_id: int) -> bool:
        """True where at least one id is missing from its table. An event that names nobody names nobody unknown."""
        named = {table: ids - {None} for table, ids in self._ids.items()}
        if not any(named.values()):
            return False
        values = {table: f"{{{','.join(map(str, ids))}}}" for table, ids in named.items()}
        cursor = await connection.execute(_COUNTS, values | {"organisation": organisation_id}, prepare=True)
        return await cursor.fetchone() != tuple(map(len, named.values()))
