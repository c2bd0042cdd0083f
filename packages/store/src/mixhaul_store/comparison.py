"""Compares records of history with what is stored, by id and by content, without changing an event.

An event is stored where its key *and* its row are there. Content is compared by the digest of the record's own bytes;
whether other bytes say something else is found out by storing them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, assert_epoch
from mixhaul_store.intervals import Interval
from mixhaul_store.page_rows import LOCK_ORGANISATION
from mixhaul_store.records import Record, Rejected

Connection = AsyncConnection[Any]

_STORED = """
SELECT k.external_id, k.digest, k.observed_at
  FROM event_keys k
 WHERE k.organisation_id = %(organisation)s AND k.external_id = ANY(%(ids)s::bigint[])
   AND EXISTS (SELECT FROM telemetry_events e WHERE e.organisation_id = k.organisation_id
                  AND e.external_id = k.external_id AND e.occurred_at = k.occurred_at)
"""
_QUARANTINED = """
SELECT digest FROM quarantined_records
 WHERE organisation_id = %s AND feed = %s AND digest = ANY(%s::bigint[])
"""
_ONLY_HERE = """
SELECT count(*) FROM telemetry_events
 WHERE organisation_id = %s AND occurred_at >= %s AND occurred_at < %s AND external_id <> ALL(%s::bigint[])
"""
_FORGET_ROWLESS = """
DELETE FROM event_keys k
 WHERE k.organisation_id = %s AND k.external_id = ANY(%s::bigint[])
   AND NOT EXISTS (SELECT FROM telemetry_events e WHERE e.organisation_id = k.organisation_id
                      AND e.external_id = k.external_id AND e.occurred_at = k.occurred_at)
"""
_AMENDED = "SELECT count(DISTINCT external_id) FROM amendments WHERE organisation_id = %s AND external_id = ANY(%s)"
# Of a whole day's events, among a month's: longer than any statement of a page may take.
_LONG_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Differences:
    """What an answer and the database disagree about. `records` are those of the answer, each id once."""

    records: Sequence[Record]
    missing: Sequence[Record]
    differing: Sequence[Record]
    quarantined: int
    only_here: int
    # Records without a usable id that are not in quarantine yet.
    unkept: int

    @property
    def to_store(self) -> bool:
        """Whether storing the answer may change anything."""
        return bool(self.missing or self.differing or self.unkept)


@dataclass(frozen=True, slots=True)
class After:
    """What became of the missing and differing ones once they were stored, within the same transaction."""

    filled: int
    arrived: int
    kept_in_quarantine: int
    still_missing: tuple[int, ...]
    # Events that are older are not kept; None: all are.
    kept_since: datetime | None
    changed: int
    changed_and_amended: int


async def compare(
    db: Database,
    *,
    organisation_id: int,
    feed: str,
    span: Interval,
    records: Sequence[Record],
    rejected: Sequence[Rejected] = (),
) -> Differences:
    """The records of an answer about a span of event time."""
    newest = {one.external_id: one for one in records}
    async with db.transaction() as conn:
        await _by_index(conn)
        stored = await _stored(conn, organisation_id, newest)
        unknown = [one for one in newest.values() if one.external_id not in stored]
        kept = await _quarantined(
            conn, organisation_id, feed, [one.digest for one in unknown] + [one.digest for one in rejected]
        )
        cursor = await conn.execute(_ONLY_HERE, (organisation_id, span.start, span.end, list(newest)), prepare=False)
        row = await cursor.fetchone()
    return Differences(
        records=list(newest.values()),
        missing=[one for one in unknown if one.digest not in kept],
        differing=[
            one for one in newest.values() if one.external_id in stored and stored[one.external_id][0] != one.digest
        ],
        quarantined=sum(one.digest in kept for one in unknown),
        only_here=row[0] if row else 0,
        unkept=sum(one.digest not in kept for one in rejected),
    )


async def forget_rowless(db: Database, *, epoch: Epoch, organisation_id: int, missing: Iterable[Record]) -> int:
    """Forget the keys of missing events whose rows are gone, so that they can be stored again; how many those were."""
    async with db.transaction() as conn:
        await assert_epoch(conn, epoch)
        await conn.execute(LOCK_ORGANISATION, (organisation_id,))
        await _by_index(conn)
        ids = [one.external_id for one in missing]
        return (await conn.execute(_FORGET_ROWLESS, (organisation_id, ids), prepare=False)).rowcount


async def after_storing(
    conn: Connection, *, organisation_id: int, feed: str, differences: Differences, observed_at: datetime
) -> After:
    """Look again, in the transaction that stored the answer. `observed_at` is the answer's: rows of its own have it."""
    missing, differing = differences.missing, differences.differing
    ids = {one.external_id for one in (*missing, *differing)}
    stored = await _stored(conn, organisation_id, ids)
    there = [one for one in missing if one.external_id in stored]
    absent = [one for one in missing if one.external_id not in stored]
    kept = await _quarantined(conn, organisation_id, feed, [one.digest for one in absent])
    changed = [one.external_id for one in differing if stored.get(one.external_id, (None,))[0] == one.digest]
    since = await (await conn.execute(LOCK_ORGANISATION, (organisation_id,))).fetchone()
    ours = sum(stored[one.external_id][1] == observed_at for one in there)
    return After(
        filled=ours,
        arrived=len(there) - ours,
        kept_in_quarantine=sum(one.digest in kept for one in absent),
        still_missing=tuple(one.external_id for one in absent if one.digest not in kept),
        kept_since=since[0] if since else None,
        changed=len(changed),
        changed_and_amended=await _amended(conn, organisation_id, changed),
    )


async def _by_index(conn: Connection) -> None:
    """Ids against any number of events: only look-ups by index make sense, and no statistics say so."""
    await conn.execute(
        "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
        f" set_config('statement_timeout', '{_LONG_SECONDS}s', true)".encode()
    )


async def _stored(conn: Connection, organisation_id: int, ids: Collection[int]) -> dict[int, tuple[int, datetime]]:
    if not ids:
        return {}
    cursor = await conn.execute(_STORED, {"organisation": organisation_id, "ids": list(ids)}, prepare=False)
    return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}


async def _quarantined(conn: Connection, organisation_id: int, feed: str, digests: Sequence[int]) -> set[int]:
    if not digests:
        return set()
    cursor = await conn.execute(_QUARANTINED, (organisation_id, feed, list(digests)))
    return {row[0] for row in await cursor.fetchall()}


async def _amended(conn: Connection, organisation_id: int, ids: Sequence[int]) -> int:
    if not ids:
        return 0
    row = await (await conn.execute(_AMENDED, (organisation_id, list(ids)))).fetchone()
    return int(row[0]) if row else 0
