"""The answers of MiX as they came: compressed, and put beside what they changed."""

from __future__ import annotations

from datetime import datetime
from threading import local
from typing import Any

from psycopg import AsyncConnection
from zstandard import ZstdCompressor

# Records are mostly digits, which the higher levels pack no smaller: 190 KB a page at level 1, 200 KB at level 3.
_LEVEL = 1
_thread = local()

_ADD = """
INSERT INTO raw_pages (organisation_id, feed, observed_at, requested_token, next_token, has_more_items, records,
                       body_bytes, body)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
"""


def packed(body: bytes) -> bytes:
    """Compressed, without holding the interpreter's lock: for a thread."""
    compressor: ZstdCompressor | None = getattr(_thread, "compressor", None)
    if compressor is None:
        compressor = _thread.compressor = ZstdCompressor(level=_LEVEL)
    return compressor.compress(body)


async def add(
    connection: AsyncConnection[Any],
    body: bytes,
    *,
    length: int,
    organisation_id: int,
    feed: str,
    observed_at: datetime,
    records: int,
    requested: str,
    next_token: str | None = None,
    has_more: bool | None = None,
) -> int:
    """Keep a packed answer, whose own length is given, in the caller's transaction; its id.

    `requested` is the token that asked for it, or the interval where there is no token.
    """
    cursor = await connection.execute(
        _ADD,
        (organisation_id, feed, observed_at, requested, next_token, has_more, records, length, body),
        prepare=True,
    )
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101  (INSERT of one row)
    raw_page_id: int = row[0]
    return raw_page_id


async def forget(connection: AsyncConnection[Any], *, organisation_id: int, feed: str, observed_at: datetime) -> None:
    """Take an answer out again that changed nothing, in the transaction that put it there."""
    await connection.execute(
        "DELETE FROM raw_pages WHERE organisation_id = %s AND feed = %s AND observed_at = %s",
        (organisation_id, feed, observed_at),
        prepare=False,
    )
