"""The daily care of partitions: they exist beforehand, and what landed in a DEFAULT partition moves out of it."""

from __future__ import annotations

import structlog

from mixhaul_ingestor.jobs import Leading
from mixhaul_store import partitions as store_partitions
from mixhaul_store import retention

log = structlog.get_logger("mixhaul_ingestor.care")


async def partitions(leading: Leading) -> None:
    """Safe to run anywhere at any time."""
    database, now = leading.wiring.database, leading.clock.now()
    await store_partitions.ensure(database, now=now, back_days=await retention.back_days(database))
    for table in store_partitions.TABLES:
        moved = await store_partitions.drain_default(database, table=table, now=now)
        if moved:
            log.info("rows moved out of the default partition", table=table, rows=moved)
