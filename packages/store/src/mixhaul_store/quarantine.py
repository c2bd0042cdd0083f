"""Records that can't be stored typed: kept with their own bytes and the reason, each once.

Nothing here tries them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from mixhaul_store.event_rows import Place
from mixhaul_store.records import Rejected

_ADD = """
INSERT INTO quarantined_records (organisation_id, feed, digest, external_id, reason, record, raw_page_id, observed_at)
SELECT %s, %s, r.digest, r.external_id, r.reason, r.record, %s, %s
  FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bytea[]) AS r(digest, external_id, reason, record)
ON CONFLICT (organisation_id, feed, digest) DO NOTHING
"""


async def add(connection: AsyncConnection[Any], rejected: Sequence[Rejected], *, feed: str, place: Place) -> int:
    """Put records into quarantine; how many were not there yet."""
    if not rejected:
        return 0
    once = list({one.digest: one for one in rejected}.values())
    cursor = await connection.execute(
        _ADD,
        (
            place.organisation_id,
            feed,
            place.raw_page_id,
            place.observed_at,
            [one.digest for one in once],
            [one.external_id for one in once],
            [one.reason.replace("\0", "\ufffd") for one in once],
            [one.raw for one in once],
        ),
        prepare=True,
    )
    return cursor.rowcount
