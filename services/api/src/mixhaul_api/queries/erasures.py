"""Erasing a driver: the row of `erasures` does it, by the schema's own trigger, and keeps doing it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from mixhaul_api.queries.execution import fetched

# What the trigger takes away.
_MEMBERS: Final = (
    "name",
    "employee_number",
    "mobile_number",
    "email",
    "fm_driver_id",
    "extended_driver_id",
    "extended_driver_id_type",
    "country",
    "image_uri",
    "additional_detail_fields",
)


class Affected(NamedTuple):
    """What an erasure takes and leaves."""

    members: list[str]
    vehicles: int
    events: int
    audit_entries: int


_HELD: Final = ", ".join(f"CASE WHEN {one} IS NOT NULL THEN '{one}' END" for one in _MEMBERS)
_AFFECTED: Final = f"""
SELECT coalesce((SELECT array_remove(ARRAY[{_HELD}, CASE WHEN extra <> '{{}}' THEN 'extra' END], NULL)
        FROM drivers WHERE organisation_id = %(organisation)s::bigint AND external_id = %(driver)s::bigint), '{{}}'),
       (SELECT count(*) FROM vehicles
        WHERE organisation_id = %(organisation)s::bigint AND default_driver_external_id = %(driver)s::bigint),
       (SELECT count(*) FROM telemetry_events
        WHERE organisation_id = %(organisation)s::bigint AND driver_external_id = %(driver)s::bigint),
       (SELECT count(*) FROM audit_log
        WHERE organisation_id = %(organisation)s::bigint AND subject_ids @> ARRAY[%(driver)s::bigint])
"""


async def affected(connection: AsyncConnection[Any], organisation_id: int, driver_id: int) -> Affected:
    """As it is now."""
    given = {"organisation": organisation_id, "driver": driver_id}
    (row,) = await fetched(connection, "erasures.affected", _AFFECTED, given)
    return Affected(*row)


_DONE: Final = """
SELECT organisation_id, erased_at FROM erasures
WHERE organisation_id = ANY(%s::bigint[]) AND driver_external_id = %s::bigint
"""


async def done(
    connection: AsyncConnection[Any], organisation_ids: Sequence[int], driver_id: int
) -> dict[int, datetime]:
    """When the driver was erased, by organisation."""
    rows = await fetched(connection, "erasures.done", _DONE, (list(organisation_ids), driver_id))
    return {row[0]: row[1] for row in rows}


# The lock of the organisation first, as every writer takes it, so that two who erase at once don't wait for each other.
_LOCK: Final = "SELECT FROM organisations WHERE id = %s::bigint FOR NO KEY UPDATE"
_ERASE: Final = """
INSERT INTO erasures (organisation_id, driver_external_id, requested_by, request_id)
VALUES (%s::bigint, %s::bigint, %s::text, %s::text) ON CONFLICT DO NOTHING RETURNING erased_at
"""


async def lock(connection: AsyncConnection[Any], organisation_id: int) -> None:
    """Hold off the organisation's writers until the transaction ends."""
    await fetched(connection, "erasures.lock", _LOCK, (organisation_id,))


async def erase(
    connection: AsyncConnection[Any], organisation_id: int, driver_id: int, *, by: str, request_id: str
) -> datetime | None:
    """Erase for good; None where that was done before."""
    rows = await fetched(connection, "erasures.erase", _ERASE, (organisation_id, driver_id, by, request_id))
    return rows[0][0] if rows else None
