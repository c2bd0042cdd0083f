"""The records of one answer on their way into rows and quarantine, inside of their writer's transaction.

Whoever writes has locked the organisation and commits or gives up; nothing here does. An event that is older than its
organisation keeps events is counted and not stored, however often it comes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from mixhaul_store import amendment_rows, event_rows, quarantine, references
from mixhaul_store.event_rows import DATA_ERRORS, Connection, Place, Version
from mixhaul_store.intervals import lateness
from mixhaul_store.records import Decoder, Record, Rejected

# Records that are decoded while the server stores those before them.
_BATCH = 50

# FOR NO KEY UPDATE serialises writers just as well, and lets rows that refer to the organisation be inserted meanwhile.
# Gives the time before which events are not kept any more, and no row where the data is being deleted.
LOCK_ORGANISATION = (
    "SELECT clock_timestamp() - make_interval(days => event_days) FROM organisations"
    " WHERE id = %s AND deletion_began_at IS NULL FOR NO KEY UPDATE"
)
_PROBE = "SELECT external_id, digest FROM event_keys WHERE organisation_id = %s AND external_id = ANY(%s::bigint[])"
# A key whose row retention has taken: an event without a time of its own, or of a month that is just being dropped.
_FORGET_ROWLESS = """
DELETE FROM event_keys k
 WHERE k.organisation_id = %s AND k.external_id = ANY(%s::bigint[]) AND k.occurred_at < %s
   AND NOT EXISTS (SELECT FROM telemetry_events e WHERE e.organisation_id = k.organisation_id
                      AND e.external_id = k.external_id AND e.occurred_at = k.occurred_at)
RETURNING k.external_id
"""


class Unstorable(Exception):
    """A value that its column does not take: which one is found by a second, slower pass."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the records. `expired` counts those that are older than events are kept; `lateness` is that of
    the latest new event, where it is worth remembering."""

    inserted: int
    updated: int
    quarantined: int
    expired: int
    unknown_references: bool
    lateness: timedelta | None = None

    @property
    def changed(self) -> bool:
        """Whether an answer of the API may show another thing now."""
        return self.inserted + self.updated > 0


class PageRows:
    """Split the records first, then write them: between the two, the caller may make their raw page."""

    def __init__(
        self,
        conn: Connection,
        *,
        organisation_id: int,
        decode: Decoder,
        rejected: Sequence[Rejected],
        kept_since: datetime | None,
        bisect: bool,
    ) -> None:
        """`kept_since` is what `LOCK_ORGANISATION` gave. `bisect`: find the records that can't be stored instead of
        raising `Unstorable`."""
        self._conn = conn
        self._organisation = organisation_id
        self._decode = decode
        self._kept_since = kept_since
        self._bisect = bisect
        self._new: list[Record] = []
        self._changed: list[Record] = []
        self._earlier: dict[int, list[Record]] = {}
        self._amended: dict[int, int | None] = {}
        self._expired = 0
        self._lateness: timedelta | None = None
        self.rejected = list(rejected)

    async def split(self, records: Sequence[Record], *, again: bool = False) -> None:
        """Tell unknown records, those that differ from what is known, and older versions of ids that came twice.

        `again`: those that do not differ are looked at too.
        """
        newest = {record.external_id: record for record in records}
        if len(newest) != len(records):
            for record in records:
                if newest[record.external_id] is not record:
                    self._earlier.setdefault(record.external_id, []).append(record)
        ids = f"{{{','.join(map(str, newest))}}}"
        cursor = await self._conn.execute(_PROBE, (self._organisation, ids), prepare=True, binary=True)
        stored: dict[int, int] = dict(await cursor.fetchall())
        self._new = [record for record in newest.values() if record.external_id not in stored]
        known = [record for record in newest.values() if record.external_id in stored]
        self._changed = [record for record in known if again or record.digest != stored[record.external_id]]
        written = [record.external_id for record in (*self._new, *self._changed)]
        self._amended = await amendment_rows.drivers(self._conn, self._organisation, written)

    async def write(self, place: Place, *, feed: str, again: bool = False) -> Written:
        """Store what `split` found. `again`: versions that came with this very page are written anew where they differ
        from what the decoder makes of them now."""
        place = place._replace(amended=self._amended)
        named = references.Named()
        batches = self._batches(self._new, place, named)
        changed = self._changed
        if self._bisect:
            inserted = await self._bisected(event_rows.insert, [*chain.from_iterable(batches)], place)
            versions = self._decoded(changed)
            updated = await self._bisected(event_rows.rewrite if again else event_rows.update, versions, place)
        else:
            inserted = await self._whole(event_rows.insert_batches(self._conn, batches, place)) if self._new else 0
            versions = self._decoded(changed)
            write = event_rows.rewrite if again else event_rows.update
            updated = await self._whole(write(self._conn, versions, place))
        inserted += await self._revived(versions, place)
        return Written(
            inserted=inserted,
            updated=updated,
            quarantined=await quarantine.add(self._conn, self.rejected, feed=feed, place=place),
            expired=self._expired,
            unknown_references=await named.unknown(self._conn, self._organisation),
            lateness=self._lateness,
        )

    def _batches(self, records: Sequence[Record], place: Place, named: references.Named) -> Iterator[list[Version]]:
        """Typed versions of some records at a time, decoded when they are asked for and then forgotten: few of them
        fit into the processor's cache, a whole page does not."""
        for start in range(0, len(records), _BATCH):
            batch = self._decoded(records[start : start + _BATCH])
            if self._kept_since is not None:
                since, came = self._kept_since, place.observed_at
                kept = [one for one in batch if (one.event.occurred_at or came) >= since]
                self._expired += len(batch) - len(kept)
                batch = kept
            events = [one.event for one in batch]
            named.add(events)
            late = lateness(events, observed_at=place.observed_at)
            if late is not None and (self._lateness is None or late > self._lateness):
                self._lateness = late
            yield batch

    def _decoded(self, records: Sequence[Record]) -> list[Version]:
        """Typed versions. Where the last version of an id can't be read, the one before it in the page counts."""
        if not records:
            return []
        rows, rejected = self._decode(records)
        if not rejected:
            return list(map(Version, rows, records))
        by_id = {record.external_id: record for record in records}
        self.rejected += rejected
        versions = [Version(row, by_id[row.external_id]) for row in rows]
        earlier = self._earlier
        again = [earlier[one.external_id].pop() for one in rejected if one.external_id and earlier.get(one.external_id)]
        return versions + self._decoded(again)

    async def _revived(self, versions: Sequence[Version], place: Place) -> int:
        """Store anew what has a key and no row any more, where this version says that it is young after all."""
        since = self._kept_since
        if since is None:
            return 0
        young = [one for one in versions if one.event.occurred_at is not None and one.event.occurred_at >= since]
        if not young:
            return 0
        ids = [one.event.external_id for one in young]
        cursor = await self._conn.execute(_FORGET_ROWLESS, (self._organisation, ids, since), prepare=False)
        gone = {row[0] for row in await cursor.fetchall()}
        revived = [one for one in young if one.event.external_id in gone]
        if self._bisect:
            return await self._bisected(event_rows.insert, revived, place)
        return await self._whole(event_rows.insert(self._conn, revived, place))

    async def _whole(self, written: Awaitable[int]) -> int:
        try:
            return await written
        except DATA_ERRORS as error:
            raise Unstorable from error

    async def _bisected(self, write: event_rows.Write, versions: Sequence[Version], place: Place) -> int:
        """Write all but the records that PostgreSQL refuses; those join the quarantine."""
        if not versions:
            return 0
        try:
            async with self._conn.transaction():
                return await write(self._conn, versions, place)
        except DATA_ERRORS as error:
            if len(versions) > 1:
                half = len(versions) // 2
                return sum([await self._bisected(write, part, place) for part in (versions[:half], versions[half:])])
            record = versions[0].record
            self.rejected.append(
                Rejected(record.external_id, record.digest, record.raw, reason=event_rows.refusal(error))
            )
            return 0
