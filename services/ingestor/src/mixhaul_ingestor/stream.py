"""What the leader does: every source's feeds, the work that was asked for, and its own tasks."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from mixhaul_ingestor import keeping, metrics
from mixhaul_ingestor.backfill import Backfill
from mixhaul_ingestor.ending import pause
from mixhaul_ingestor.jobs import Leading
from mixhaul_ingestor.registry import KINDS, TASKS
from mixhaul_ingestor.runners import Runners
from mixhaul_ingestor.source_set import SourceSet
from mixhaul_ingestor.state import FeedView, View
from mixhaul_ingestor.task_runner import TaskRunner
from mixhaul_ingestor.wiring import Wiring
from mixhaul_ingestor.work_runner import WorkRunner
from mixhaul_runtime.clock import Clock
from mixhaul_store import progress
from mixhaul_store.elections import Epoch
from mixhaul_store.errors import StaleEpoch, StoreError

log = structlog.get_logger("mixhaul_ingestor.stream")

PROGRESS_SECONDS = 5.0
SUMMARY_SECONDS = 60.0


class Stream:
    """The leader's work under one epoch, for all sources that are wanted."""

    def __init__(
        self, *, source_set: SourceSet, wiring: Wiring, view: View, clock: Clock, until_caught_up: bool
    ) -> None:
        self._source_set = source_set
        self._wiring = wiring
        self._view = view
        self._clock = clock
        self._until_caught_up = until_caught_up

    async def lead(self, epoch: Epoch, ending: asyncio.Event) -> None:
        """Until `ending`, or until every feed has caught up where that was asked for. Raises `StaleEpoch`."""
        self._view.leading, self._view.epoch = True, epoch.epoch
        self._view.sources = {}
        runners = Runners(
            source_set=self._source_set,
            wiring=self._wiring,
            epoch=epoch,
            view=self._view,
            clock=self._clock,
            # No page is stored by what a source said of its retention before.
            before=partial(keeping.write_down, self._wiring.database, epoch=epoch, ending=ending),
        )
        leading = Leading(
            wiring=self._wiring, epoch=epoch, clock=self._clock, ending=ending, sources=lambda: runners.sources
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(runners.run(ending))
                tasks.create_task(WorkRunner(leading, KINDS).run())
                tasks.create_task(TaskRunner(leading, TASKS).run())
                tasks.create_task(Backfill(leading).run())
                tasks.create_task(self._look(ending))
                tasks.create_task(self._summarise(ending))
                if self._until_caught_up:
                    tasks.create_task(self._end_when_settled(ending))
        except BaseExceptionGroup as group:
            # Not `except*`: before Python 3.11.4 it wraps what is raised within.
            if group.subgroup(StaleEpoch) is None:
                raise
            raise StaleEpoch(lease=epoch.lease, epoch=epoch.epoch) from group
        finally:
            self._view.leading = False

    async def _end_when_settled(self, ending: asyncio.Event) -> None:
        while not await pause(ending, 0.1):
            if self._view.settled():
                ending.set()

    async def _look(self, ending: asyncio.Event) -> None:
        """Figures that only the database has: budget in use, open gaps."""
        while not await pause(ending, PROGRESS_SECONDS):
            try:
                rows = await progress.read(self._wiring.database)
            except StoreError as error:
                log.debug("progress can't be read", error=str(error))
                continue
            for row in rows:
                view = self._feed(row.source, row.organisation)
                if view is None:
                    continue
                view.budget_used = row.permits_used
                view.name = row.name or view.name
                metrics.BUDGET_USED.labels(str(row.organisation)).set(row.permits_used / max(1, view.budget_limit))
                metrics.OPEN_GAP.labels(row.source, str(row.organisation), row.feed).set(row.gap_seconds)
                metrics.MISSING_EVENTS.labels(row.source, str(row.organisation)).set(row.missing_events)
                if view.position is None:
                    # Nothing was read since this process leads: an outage must not hide how far behind the feed is.
                    metrics.show_cursor(row, now=self._clock.now())

    async def _summarise(self, ending: asyncio.Event) -> None:
        """One line a minute and feed."""
        while not await pause(ending, SUMMARY_SECONDS):
            at = self._clock.monotonic()
            for feed in self._view.feeds():
                log.info(
                    "minute",
                    source=feed.source,
                    organisation=feed.organisation,
                    feed=feed.feed,
                    state=feed.state,
                    events=feed.rate(at=at),
                    read_up_to=feed.position.isoformat() if feed.position else None,
                    error=feed.error,
                )

    def _feed(self, source: str, organisation: int) -> FeedView | None:
        view = self._view.sources.get(source)
        return view.feeds.get(organisation) if view else None
