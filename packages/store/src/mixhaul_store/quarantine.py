"""Records that can't be stored typed: kept with their own bytes and the reason, each once.

One that comes again is noted: what it says is as new as its last answer. `reprocessing` tries them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from mixhaul_store.event_rows import Place
from mixhaul_store.records import Rejected

_ADD = """
INSERT INTO quarantined_records AS q
       (organisation_id, feed, digest, external_id, reason, record, raw_page_id, observed_at)
SELECT %s, %s, r.digest, r.external_id, r.reason, r.record, %s, %s
  FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bytea[]) AS r(digest, external_id, reason, record)
ON CONFLICT (organisation_id, feed, digest) DO UPDATE
   SET last_raw_page_id = excluded.raw_page_id, last_observed_at = excluded.observed_at, resolved_at = NULL
 WHERE coalesce(q.last_observed_at, q.observed_at) < excluded.observed_at
RETURNING q.last_raw_page_id IS NULL
"""
_RESOLVE = """
UPDATE quarantined_records SET resolved_at = clock_timestamp()
 WHERE organisation_id = %s AND feed = %s AND digest = ANY(%s::bigint[]) AND resolved_at IS NULL
   AND coalesce(last_raw_page_id, raw_page_id) <= %s
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
    return sum(new for (new,) in await cursor.fetchall())


async def resolve(connection: AsyncConnection[Any], digests: Sequence[int], *, feed: str, place: Place) -> int:
    """Note that these can be read by now, where this was the last page that had them; how many that is news of."""
    if not digests:
        return 0
    values = (place.organisation_id, feed, list(digests), place.raw_page_id)
    return (await connection.execute(_RESOLVE, values)).rowcount
