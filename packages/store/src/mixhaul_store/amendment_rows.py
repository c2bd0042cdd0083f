"""Whom amended events count against: the latest amendment of each decides, whenever it came.

Every writer of events asks `drivers` before it writes, under the organisation's lock; whoever stores amendments calls
`apply` for the events that are there already. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

# By MiX's date; of one date a quarantine goes first, so that nobody is blamed by chance, then the lower driver's id:
# the same whatever the order in which they came. One that names no driver counts against nobody.
_DECIDED = """
SELECT DISTINCT ON (external_id) external_id,
       CASE amendment_type WHEN 'ReassignedEvent' THEN new_driver_external_id END AS driver
  FROM amendments
 WHERE organisation_id = %(organisation)s AND external_id = ANY(%(ids)s::bigint[])
   AND amendment_type IN ('QuarantinedEvent', 'ReassignedEvent')
 ORDER BY external_id, amended_at DESC NULLS LAST, amendment_type, new_driver_external_id NULLS FIRST
"""
_APPLY = f"""
WITH decided AS ({_DECIDED}), found AS (
    SELECT k.external_id, k.occurred_at, d.driver FROM decided d
      JOIN event_keys k ON k.organisation_id = %(organisation)s AND k.external_id = d.external_id
)
UPDATE telemetry_events e SET driver_external_id = f.driver
  FROM found f
 WHERE e.organisation_id = %(organisation)s AND e.external_id = f.external_id AND e.occurred_at = f.occurred_at
   AND e.driver_external_id IS DISTINCT FROM f.driver
"""


async def drivers(
    connection: AsyncConnection[Any], organisation_id: int, events: Sequence[int]
) -> dict[int, int | None]:
    """Those of these events that were amended, and whom they count against: None for nobody."""
    if not events:
        return {}
    cursor = await connection.execute(_DECIDED, _values(organisation_id, events), prepare=True, binary=True)
    return dict(await cursor.fetchall())


async def apply(connection: AsyncConnection[Any], organisation_id: int, events: Sequence[int]) -> int:
    """Make the stored ones of these events count against whom their amendments say; how many were changed."""
    if not events:
        return 0
    # Some ids against any number of events: only index look-ups make sense, and no statistics say so.
    await connection.execute(
        "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
        " set_config('enable_seqscan', 'off', true)"
    )
    cursor = await connection.execute(_APPLY, _values(organisation_id, events), prepare=False)
    return cursor.rowcount


def _values(organisation_id: int, events: Sequence[int]) -> dict[str, Any]:
    return {"organisation": organisation_id, "ids": f"{{{','.join(map(str, events))}}}"}
