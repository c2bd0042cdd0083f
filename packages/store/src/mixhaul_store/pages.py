"""The page transaction: an answer's events, its bytes, its quarantine and the cursor, all or nothing; and the same
for an answer of history, which moves no cursor.

Re-delivered events that say the same write nothing. This does not wait, retry or ask for anything: a transaction that
fails leaves the cursor where it was, and the caller asks for the page again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mixhaul_runtime.checkpoints import reached
from mixhaul_store import raw_pages
from mixhaul_store.elections import Epoch, assert_epoch
from mixhaul_store.errors import CursorMoved
from mixhaul_store.event_rows import Connection, Place
from mixhaul_store.metrics import measured
from mixhaul_store.page_rows import LOCK_ORGANISATION, PageRows, Unstorable, Written
from mixhaul_store.records import Answer, Decoder, Page, PageResult

_ADVANCE = """
WITH watermark AS (
    UPDATE organisations SET watermark = watermark + 1 WHERE id = %(organisation)s AND %(changed)s
)
UPDATE etl_control
   SET last_successful_sincetoken = %(token)s, token_received_at = %(at)s, has_more_items = %(more)s,
       last_poll_at = %(at)s, last_data_at = CASE WHEN %(data)s THEN %(at)s ELSE last_data_at END,
       caught_up_at = CASE WHEN %(more)s THEN caught_up_at ELSE %(at)s END,
       largest_lateness = greatest(largest_lateness, %(lateness)s::interval),
       consecutive_errors = 0, last_error = NULL, last_error_kind = NULL, updated_at = clock_timestamp()
 WHERE organisation_id = %(organisation)s AND feed = %(feed)s
   AND last_successful_sincetoken IS NOT DISTINCT FROM %(expected)s
"""
_TOUCH = "UPDATE organisations SET watermark = watermark + 1 WHERE id = %s"

Then = Callable[[Connection, Written], Awaitable[object]]
"""What else belongs to an answer's transaction."""

_NOTHING = Written(inserted=0, updated=0, quarantined=0, expired=0, unknown_references=False)


async def commit_page(
    conn: Connection, page: Page, *, epoch: Epoch, decode: Decoder, expected_token: str | None
) -> PageResult:
    """Store a page and move the cursor from `expected_token` to its next token, in one transaction.

    Raises `StaleEpoch` where another process leads and `CursorMoved` where the cursor is elsewhere or its organisation
    is gone; nothing is written then. `conn` is in autocommit mode and outside of a transaction. psycopg's errors leave
    as they are.
    """

    async def advance(written: Written) -> None:
        values = {
            "organisation": page.organisation_id,
            "feed": page.feed,
            "token": page.next_token,
            "at": page.observed_at,
            "more": page.has_more,
            "data": bool(page.records or page.rejected),
            "changed": written.changed,
            "lateness": written.lateness,
            "expected": expected_token,
        }
        if (await conn.execute(_ADVANCE, values, prepare=True)).rowcount != 1:
            raise CursorMoved(page.organisation_id, page.feed)

    with measured("commit_page"):
        return await _commit(conn, page, epoch=epoch, decode=decode, settle=advance)


async def commit_answer(
    conn: Connection,
    answer: Answer,
    *,
    epoch: Epoch,
    decode: Decoder,
    then: Then | None = None,
) -> PageResult:
    """Store what history answered, by the same rules as a page and in one transaction with `then`; no cursor moves.

    Raises as `commit_page` does: `CursorMoved` where the organisation is gone.
    """

    async def settle(written: Written) -> None:
        if written.changed:
            await conn.execute(_TOUCH, (answer.organisation_id,), prepare=True)
        if then is not None:
            await then(conn, written)

    with measured("commit_answer"):
        return await _commit(conn, answer, epoch=epoch, decode=decode, settle=settle)


_Settle = Callable[[Written], Awaitable[None]]


async def _commit(conn: Connection, answer: Answer, *, epoch: Epoch, decode: Decoder, settle: _Settle) -> PageResult:
    packed: asyncio.Future[bytes] | None = None
    if answer.records or answer.rejected:
        # In a thread: it needs no interpreter lock, so the locks, the probe and the decoder go on meanwhile.
        packed = asyncio.ensure_future(asyncio.to_thread(raw_pages.packed, answer.body))
    transaction = _Transaction(conn, answer, epoch=epoch, decode=decode, settle=settle, packed=packed)
    try:
        try:
            return await transaction.run(bisect=False)
        except Unstorable:
            return await transaction.run(bisect=True)
    finally:
        if packed is not None:
            packed.cancel()


class _Transaction:
    """One answer on its way into the database."""

    def __init__(
        self,
        conn: Connection,
        answer: Answer,
        *,
        epoch: Epoch,
        decode: Decoder,
        settle: _Settle,
        packed: asyncio.Future[bytes] | None,
    ) -> None:
        self._conn = conn
        self._answer = answer
        self._epoch = epoch
        self._decode = decode
        self._settle = settle
        self._packed = packed

    async def run(self, *, bisect: bool) -> PageResult:
        """All of it. `bisect`: find the records that can't be stored instead of giving up on the page."""
        answer, conn = self._answer, self._conn
        written = _NOTHING
        async with conn.transaction():
            await assert_epoch(conn, self._epoch)
            organisation = await (
                await conn.execute(LOCK_ORGANISATION, (answer.organisation_id,), prepare=True)
            ).fetchone()
            if organisation is None:
                raise CursorMoved(answer.organisation_id, answer.feed)
            if self._packed is not None:
                rows = PageRows(
                    conn,
                    organisation_id=answer.organisation_id,
                    decode=self._decode,
                    rejected=answer.rejected,
                    kept_since=organisation[0],
                    bisect=bisect,
                )
                await rows.split(answer.records)
                place = Place(answer.organisation_id, answer.observed_at, await self._raw_page(await self._packed))
                # The same record by either way is quarantined once.
                written = await rows.write(place, feed=answer.feed.partition(":")[0])
            await self._settle(written)
            reached("before_commit")
        reached("after_commit")
        stored = written.inserted + written.updated + written.quarantined + written.expired
        return PageResult(
            inserted=written.inserted,
            updated=written.updated,
            unchanged=len(answer.records) + len(answer.rejected) - stored,
            quarantined=written.quarantined,
            unknown_references=written.unknown_references,
            expired=written.expired,
        )

    async def _raw_page(self, packed: bytes) -> int:
        answer = self._answer
        page = answer if isinstance(answer, Page) else None
        return await raw_pages.add(
            self._conn,
            packed,
            length=len(answer.body),
            organisation_id=answer.organisation_id,
            feed=answer.feed,
            observed_at=answer.observed_at,
            records=len(answer.records) + len(answer.rejected),
            requested=answer.requested_token,
            next_token=page.next_token if page else None,
            has_more=page.has_more if page else None,
        )
