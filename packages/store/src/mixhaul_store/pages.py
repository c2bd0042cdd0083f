"""The page transaction: an answer's events, its bytes, its quarantine and the cursor, all or nothing.

Re-delivered events that say the same write nothing. This does not wait, retry or ask for anything: a transaction that
fails leaves the cursor where it was, and the caller asks for the page again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from itertools import chain
from threading import local

from zstandard import ZstdCompressor

from mixhaul_runtime.checkpoints import reached
from mixhaul_store import event_rows, quarantine, references
from mixhaul_store.elections import Epoch, assert_epoch
from mixhaul_store.errors import CursorMoved
from mixhaul_store.event_rows import DATA_ERRORS, Connection, Place, Version
from mixhaul_store.metrics import measured
from mixhaul_store.records import Decoder, Page, PageResult, Record, Rejected

# Records are mostly digits, which the higher levels pack no smaller: 190 KB a page at level 1, 200 KB at level 3.
_LEVEL = 1
# Records that are decoded while the server stores those before them.
_BATCH = 50
_thread = local()

# FOR NO KEY UPDATE serialises writers just as well, and lets rows that refer to the organisation be inserted meanwhile.
LOCK_ORGANISATION = "SELECT FROM organisations WHERE id = %s FOR NO KEY UPDATE"
_PROBE = "SELECT external_id, digest FROM event_keys WHERE organisation_id = %s AND external_id = ANY(%s::bigint[])"
_RAW_PAGE = """
INSERT INTO raw_pages (organisation_id, feed, observed_at, requested_token, next_token, has_more_items, records,
                       body_bytes, body)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
"""
_ADVANCE = """
WITH watermark AS (
    UPDATE organisations SET watermark = watermark + 1 WHERE id = %(organisation)s AND %(changed)s
)
UPDATE etl_control
   SET last_successful_sincetoken = %(token)s, token_received_at = %(at)s, has_more_items = %(more)s,
       last_poll_at = %(at)s, last_data_at = CASE WHEN %(data)s THEN %(at)s ELSE last_data_at END,
       caught_up_at = CASE WHEN %(more)s THEN caught_up_at ELSE %(at)s END,
       consecutive_errors = 0, last_error = NULL, last_error_kind = NULL, updated_at = clock_timestamp()
 WHERE organisation_id = %(organisation)s AND feed = %(feed)s
   AND last_successful_sincetoken IS NOT DISTINCT FROM %(expected)s
"""


class _Unstorable(Exception):
    """A value that its column does not take: which one is found by a second, slower pass."""


async def commit_page(
    conn: Connection, page: Page, *, epoch: Epoch, decode: Decoder, expected_token: str | None
) -> PageResult:
    """Store a page and move the cursor from `expected_token` to its next token, in one transaction.

    Raises `StaleEpoch` where another process leads and `CursorMoved` where the cursor is elsewhere or its organisation
    is gone; nothing is written then. `conn` is in autocommit mode and outside of a transaction. psycopg's errors leave
    as they are.
    """
    packed: asyncio.Future[bytes] | None = None
    if page.records or page.rejected:
        # In a thread: it needs no interpreter lock, so the locks, the probe and the decoder go on meanwhile.
        packed = asyncio.ensure_future(asyncio.to_thread(_compressed, page.body))
    transaction = _Transaction(conn, page, epoch=epoch, decode=decode, expected_token=expected_token, packed=packed)
    try:
        with measured("commit_page"):
            try:
                return await transaction.run(bisect=False)
            except _Unstorable:
                return await transaction.run(bisect=True)
    finally:
        if packed is not None:
            packed.cancel()


class _Transaction:
    """One page on its way into the database."""

    def __init__(
        self,
        conn: Connection,
        page: Page,
        *,
        epoch: Epoch,
        decode: Decoder,
        expected_token: str | None,
        packed: asyncio.Future[bytes] | None,
    ) -> None:
        self._conn = conn
        self._page = page
        self._epoch = epoch
        self._decode = decode
        self._expected = expected_token
        self._packed = packed
        self._rejected: list[Rejected] = []

    async def run(self, *, bisect: bool) -> PageResult:
        """All of it. `bisect`: find the records that can't be stored instead of giving up on the page."""
        page, conn = self._page, self._conn
        self._rejected = list(page.rejected)
        inserted = updated = quarantined = 0
        unknown = False
        async with conn.transaction():
            await assert_epoch(conn, self._epoch)
            if (await conn.execute(LOCK_ORGANISATION, (page.organisation_id,), prepare=True)).rowcount != 1:
                raise CursorMoved(page.organisation_id, page.feed)
            if self._packed is not None:
                new, changed, earlier = await self._split()
                place = Place(page.organisation_id, page.observed_at, await self._raw_page(await self._packed))
                named = references.Named()
                batches = self._batches(new, earlier, named)
                if bisect:
                    inserted = await self._bisected(event_rows.insert, [*chain.from_iterable(batches)], place)
                    updated = await self._bisected(event_rows.update, self._decoded(changed, earlier), place)
                else:
                    inserted = await self._whole(event_rows.insert_batches(conn, batches, place)) if new else 0
                    updated = await self._whole(event_rows.update(conn, self._decoded(changed, earlier), place))
                quarantined = await quarantine.add(conn, self._rejected, feed=page.feed, place=place)
                unknown = await named.unknown(conn, page.organisation_id)
            await self._advance(changed=inserted + updated > 0)
            reached("before_commit")
        reached("after_commit")
        return PageResult(
            inserted=inserted,
            updated=updated,
            unchanged=len(page.records) + len(page.rejected) - inserted - updated - quarantined,
            quarantined=quarantined,
            unknown_references=unknown,
        )

    async def _split(self) -> tuple[list[Record], list[Record], dict[int, list[Record]]]:
        """Unknown records, those that differ from what is known, and older versions of ids that came twice."""
        records = self._page.records
        newest = {record.external_id: record for record in records}
        earlier: dict[int, list[Record]] = {}
        if len(newest) != len(records):
            for record in records:
                if newest[record.external_id] is not record:
                    earlier.setdefault(record.external_id, []).append(record)
        ids = f"{{{','.join(map(str, newest))}}}"
        cursor = await self._conn.execute(_PROBE, (self._page.organisation_id, ids), prepare=True, binary=True)
        stored: dict[int, int] = dict(await cursor.fetchall())
        new = [record for record in newest.values() if record.external_id not in stored]
        known = [record for record in newest.values() if record.external_id in stored]
        changed = [record for record in known if record.digest != stored[record.external_id]]
        return new, changed, earlier

    def _batches(
        self, records: Sequence[Record], earlier: dict[int, list[Record]], named: references.Named
    ) -> Iterator[list[Version]]:
        """Typed versions of some records at a time, decoded when they are asked for and then forgotten: few of them
        fit into the processor's cache, a whole page does not."""
        for start in range(0, len(records), _BATCH):
            batch = self._decoded(records[start : start + _BATCH], earlier)
            named.add([one.event for one in batch])
            yield batch

    def _decoded(self, records: Sequence[Record], earlier: dict[int, list[Record]]) -> list[Version]:
        """Typed versions. Where the last version of an id can't be read, the one before it in the page counts."""
        if not records:
            return []
        rows, rejected = self._decode(records)
        if not rejected:
            return list(map(Version, rows, records))
        by_id = {record.external_id: record for record in records}
        self._rejected += rejected
        versions = [Version(row, by_id[row.external_id]) for row in rows]
        again = [earlier[one.external_id].pop() for one in rejected if one.external_id and earlier.get(one.external_id)]
        return versions + self._decoded(again, earlier)

    async def _raw_page(self, body: bytes) -> int:
        page = self._page
        cursor = await self._conn.execute(
            _RAW_PAGE,
            (
                page.organisation_id,
                page.feed,
                page.observed_at,
                page.requested_token,
                page.next_token,
                page.has_more,
                len(page.records) + len(page.rejected),
                len(page.body),
                body,
            ),
            prepare=True,
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  (INSERT of one row)
        raw_page_id: int = row[0]
        return raw_page_id

    async def _whole(self, written: Awaitable[int]) -> int:
        try:
            return await written
        except DATA_ERRORS as error:
            raise _Unstorable from error

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
            self._rejected.append(
                Rejected(record.external_id, record.digest, record.raw, reason=event_rows.refusal(error))
            )
            return 0

    async def _advance(self, *, changed: bool) -> None:
        page = self._page
        values = {
            "organisation": page.organisation_id,
            "feed": page.feed,
            "token": page.next_token,
            "at": page.observed_at,
            "more": page.has_more,
            "data": self._packed is not None,
            "changed": changed,
            "expected": self._expected,
        }
        if (await self._conn.execute(_ADVANCE, values, prepare=True)).rowcount != 1:
            raise CursorMoved(page.organisation_id, page.feed)


def _compressed(body: bytes) -> bytes:
    compressor: ZstdCompressor | None = getattr(_thread, "compressor", None)
    if compressor is None:
        compressor = _thread.compressor = ZstdCompressor(level=_LEVEL)
    return compressor.compress(body)
