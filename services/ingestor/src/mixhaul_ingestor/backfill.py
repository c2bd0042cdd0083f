"""Fills the gaps of the ledger by itself while this process leads: whatever organisation has an open one is read from
history, with what the budget leaves after the feed.

Each organisation is filled apart from the others. A gap that can't be filled stays open with its reason.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from mixhaul_ingestor import metrics
from mixhaul_ingestor.ending import Ending, pause
from mixhaul_ingestor.filler import Filler, ask_for_sync
from mixhaul_ingestor.jobs import Leading
from mixhaul_ingestor.source_set import streams_alike
from mixhaul_mix.errors import MixError
from mixhaul_source.manifest import Source
from mixhaul_store import gaps, organisations
from mixhaul_store.errors import CursorMoved, StaleEpoch, StoreError
from mixhaul_store.organisations import Organisation
from mixhaul_store.windows import Owner

log = structlog.get_logger("mixhaul_ingestor.backfill")

FEED: Final = "events"
LOOK_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 15.0
DEFECT_SECONDS: Final = 600.0


class Backfill:
    """Looks for open gaps and fills them under one epoch."""

    def __init__(self, leading: Leading, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._leading = leading
        self._look_seconds = look_seconds
        self._filling: dict[int, tuple[Source, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Until the end of leading. Raises `StaleEpoch` only."""
        async with asyncio.TaskGroup() as tasks:
            try:
                while not await pause(self._leading.ending, self._look_seconds):
                    self._end_what_changed()
                    try:
                        await self._look(tasks)
                    except StoreError as error:
                        log.debug("gaps can't be looked for", error=str(error))
            finally:
                for _, task in self._filling.values():
                    task.cancel()
                metrics.BACKFILL_UNREAD.clear()

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        database = self._leading.wiring.database
        left = {one.organisation_id: one for one in await gaps.left(database, FEED)}
        unread: dict[tuple[str, str], float] = {}
        for source in self._leading.sources().values() if left else ():
            wanted = source.spec.organisation_ids
            for organisation in await organisations.by_source(database, source.key):
                if organisation.id not in left or (wanted and organisation.external_id not in wanted):
                    continue
                unread[source.key, str(organisation.external_id)] = left[organisation.id].unread_seconds
                if organisation.id not in self._filling and not source.spec.suspend:
                    task = tasks.create_task(self._fill(source, organisation))
                    self._filling[organisation.id] = (source, task)
        # In one go: nobody scrapes an empty gauge.
        metrics.BACKFILL_UNREAD.clear()
        for labels, seconds in unread.items():
            metrics.BACKFILL_UNREAD.labels(*labels).set(seconds)

    async def _fill(self, source: Source, organisation: Organisation) -> None:
        """One organisation, until it has no open gap that can be read now."""
        wiring, ending = self._leading.wiring, self._leading.ending
        bound = log.bind(source=source.key, organisation=str(organisation.external_id))
        owner = Owner(organisation.id)
        try:
            async with wiring.client(source) as client:
                filler = Filler(
                    wiring=wiring,
                    source=source,
                    client=client,
                    organisation=organisation,
                    epoch=self._leading.epoch,
                    ending=ending,
                )
                planned = await gaps.plan(
                    wiring.database, epoch=self._leading.epoch, organisation_id=organisation.id, feed=FEED
                )
                bound.info("backfill begins", windows=planned)
                while await filler.step(owner):
                    pass
                if filler.unknown_references:
                    await ask_for_sync(wiring.database, source.key, now=self._leading.clock.now())
                bound.info("backfill has nothing left to read", inserted=filler.inserted)
        except Ending:
            pass
        except StaleEpoch:
            metrics.FENCED_WRITES.inc()
            raise
        except CursorMoved:
            bound.info("the organisation is gone")
        except (MixError, StoreError) as error:
            bound.warning("backfill waits", error=str(error))
            await pause(ending, RETRY_SECONDS)
        except Exception as error:  # noqa: BLE001  (the edge of a loop)
            bound.critical("this is a defect", exc_info=error)
            await pause(ending, DEFECT_SECONDS)
        finally:
            self._filling.pop(organisation.id, None)

    def _end_what_changed(self) -> None:
        """It goes on with the source as it is now."""
        sources = self._leading.sources()
        for source, task in self._filling.values():
            now = sources.get(source.key)
            if now is None or now.spec.suspend or not streams_alike(source, now):
                task.cancel()
