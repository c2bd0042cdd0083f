"""`spec.retention`: told to the database at once when it changes, carried out once a day by the leader.

A source that waits, or that is gone, keeps everything: only what a source says now lets data go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog
from prometheus_client import Counter

from mixhaul_ingestor.ending import pause
from mixhaul_ingestor.jobs import Job, Leading, Outcome
from mixhaul_source.manifest import Source
from mixhaul_store import books, deletion, retention
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch
from mixhaul_store.errors import StaleEpoch, StoreError
from mixhaul_store.retention_plan import Policy

log = structlog.get_logger("mixhaul_ingestor.keeping")

RETRY_SECONDS: Final = 1.0
# Of a request for all sources.
EVERY_SOURCE: Final = "*"

RETIRED = Counter("mixhaul_retention_deleted_rows", "Rows that have outlived their retention.", ("table",))
for _table in ("telemetry_events", "raw_pages"):
    RETIRED.labels(_table)


def policies(sources: Mapping[str, Source]) -> dict[str, Policy]:
    """What the sources say, by key."""
    return {
        key: Policy(event_days=source.spec.retention.event_days, raw_days=source.spec.retention.raw_days)
        for key, source in sources.items()
    }


async def write_down(database: Database, sources: Mapping[str, Source], *, epoch: Epoch, ending: asyncio.Event) -> None:
    """Tell the database how long each source keeps events, for as many tries as it takes. Raises `StaleEpoch`."""
    while not ending.is_set():
        try:
            await retention.mirror(database, policies(sources), epoch=epoch)
        except StaleEpoch:
            raise
        except StoreError as error:
            log.warning("the retention of sources could not be written down", error=str(error))
            await pause(ending, RETRY_SECONDS)
        else:
            return


async def let_go(leading: Leading) -> str:
    """What has outlived its retention, and old lines of the books; what went, as a sentence."""
    database, epoch = leading.wiring.database, leading.epoch
    gone = await retention.run(database, policies(leading.sources()), epoch=epoch)
    rows: dict[str, int] = {"telemetry_events": 0, "raw_pages": 0}
    for month in gone.dropped:
        rows[month.table] += month.rows
    for part in gone.trimmed:
        rows[part.table] += part.rows
        log.info("rows went", table=part.table, source=part.source, organisation=str(part.external_id), rows=part.rows)
    for table, count in rows.items():
        RETIRED.labels(table).inc(count)
    old = await books.prune(database, epoch=epoch)
    await deletion.sweep(database, epoch=epoch)
    return (
        f"{len(gone.dropped)} months were dropped, {sum(part.rows for part in gone.trimmed)} rows went in batches, "
        f"and {sum(old.values())} old lines of the books."
    )


async def daily(leading: Leading) -> None:
    """The task."""
    log.info("retention was carried out", result=await let_go(leading))


async def on_request(job: Job) -> Outcome:
    """Now, because somebody asked."""
    return Outcome(True, await let_go(job.leading))
