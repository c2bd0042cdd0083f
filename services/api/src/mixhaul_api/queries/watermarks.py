"""The watermark of every organisation, and since when this PostgreSQL runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from mixhaul_api.queries.execution import fetched

CHANNEL: Final = "mixhaul_watermark"
_EVERY: Final = "SELECT id, watermark, pg_postmaster_start_time() FROM organisations"
_OF: Final = "SELECT id, watermark FROM organisations WHERE id = ANY(%s::bigint[])"


async def every(connection: AsyncConnection[Any]) -> tuple[dict[int, int], datetime | None]:
    """All watermarks. A server that was started again may have been set back, and its watermarks with it."""
    rows = await fetched(connection, "watermarks", _EVERY)
    return {row[0]: row[1] for row in rows}, rows[0][2] if rows else None


async def of(connection: AsyncConnection[Any], organisation_ids: Sequence[int]) -> dict[int, int]:
    """Those of these organisations."""
    return {row[0]: row[1] for row in await fetched(connection, "watermarks.of", _OF, (list(organisation_ids),))}


async def listen(connection: AsyncConnection[Any]) -> None:
    """Be told of each commit that moves one."""
    await connection.execute(f"LISTEN {CHANNEL}".encode())
