"""The runners of all sources under one epoch: begun, ended and begun anew as what is wanted changes.

Each source has a lane of its own, so that one whose runner takes its time to end keeps nobody else waiting. A page in
flight is committed before its runner ends, unless that takes longer than the grace time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

import structlog

from mixhaul_ingestor.source_set import SourceSet, Wanted, streams_alike
from mixhaul_ingestor.sources import SourceRunner
from mixhaul_ingestor.state import SourceView, View
from mixhaul_ingestor.wiring import Wiring
from mixhaul_runtime.clock import Clock
from mixhaul_source.manifest import Source
from mixhaul_store.elections import Epoch

log = structlog.get_logger("mixhaul_ingestor.runners")

GRACE_SECONDS: Final = 10.0


async def _nothing(_: Mapping[str, Source]) -> None:
    """Nothing needs to be known before."""


class Runners:
    """One runner for each source that is wanted. `sources` is what is wanted just now."""

    def __init__(
        self,
        *,
        source_set: SourceSet,
        wiring: Wiring,
        epoch: Epoch,
        view: View,
        clock: Clock,
        grace_seconds: float = GRACE_SECONDS,
        before: Callable[[Mapping[str, Source]], Awaitable[None]] = _nothing,
    ) -> None:
        """`before` is awaited with the sources that are wanted, before anything is begun for them."""
        self._source_set = source_set
        self._wiring = wiring
        self._epoch = epoch
        self._view = view
        self._clock = clock
        self._grace = grace_seconds
        self._before = before
        self._wanted = Wanted()
        self._lanes: dict[str, asyncio.Event] = {}

    @property
    def sources(self) -> Mapping[str, Source]:
        """By key."""
        return self._wanted.sources

    async def run(self, ending: asyncio.Event) -> None:
        """Until `ending` is set and every runner has ended. Raises what a runner raises: `StaleEpoch`."""
        async with asyncio.TaskGroup() as tasks:
            seen: Wanted | None = None
            while (wanted := await _unless(ending, self._source_set.after(seen))) is not None:
                await self._before(wanted.sources)
                self._take_up(wanted, tasks, ending)
                seen = wanted
            for changed in self._lanes.values():
                changed.set()

    def _take_up(self, wanted: Wanted, tasks: asyncio.TaskGroup, ending: asyncio.Event) -> None:
        before, self._wanted = self._wanted, wanted
        for key, reason in wanted.waiting.items():
            if str(before.waiting.get(key)) != str(reason):
                log.warning("the source waits", source=key, reason=str(reason))
            if key not in self._lanes:
                self._view.sources[key] = SourceView(key=key, error=str(reason), terminal=reason)
        for key in self._view.sources.keys() - wanted.sources.keys() - wanted.waiting.keys() - self._lanes.keys():
            del self._view.sources[key]
        for changed in self._lanes.values():
            changed.set()
        for key in wanted.sources.keys() - self._lanes.keys():
            self._lanes[key] = asyncio.Event()
            tasks.create_task(self._lane(key, self._lanes[key], ending))

    async def _lane(self, key: str, changed: asyncio.Event, ending: asyncio.Event) -> None:
        """One source: a runner for as long as it stays the same, then the next one."""
        try:
            while not ending.is_set() and (source := self._wanted.sources.get(key)) is not None:
                self._view.sources[key] = SourceView(key=key)
                await self._run(source, changed, ending)
        finally:
            # No wait between the last look at what is wanted and this: a source that comes back gets a new lane.
            del self._lanes[key]
            reason = self._wanted.waiting.get(key)
            if reason is not None:
                self._view.sources[key] = SourceView(key=key, error=str(reason), terminal=reason)
            elif key not in self._wanted.sources:
                self._view.sources.pop(key, None)

    async def _run(self, source: Source, changed: asyncio.Event, ending: asyncio.Event) -> None:
        """Until the source is another, isn't wanted any more, or the end comes."""
        runner = SourceRunner(
            source=source,
            wiring=self._wiring,
            epoch=self._epoch,
            view=self._view.sources[source.key],
            clock=self._clock,
        )
        end = asyncio.Event()
        log.info("source begins", source=source.key)
        running = asyncio.ensure_future(runner.run(end))
        try:
            while not running.done() and not ending.is_set() and self._goes_on(source):
                changed.clear()
                waiting = asyncio.ensure_future(changed.wait())
                try:
                    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
            end.set()
            # At the end of leading, whoever leads has its own patience.
            await asyncio.wait({running}, timeout=None if ending.is_set() else self._grace)
            if not running.done():
                log.warning("source did not end in time", source=source.key, seconds=self._grace)
                running.cancel()
                await asyncio.wait({running})
            if not running.cancelled():
                running.result()
        finally:
            # Also for who loses a cancellation: Python 3.11's `wait_for` does, where its result comes at the same time.
            end.set()
            if not running.done():
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        log.info("source ended", source=source.key)

    def _goes_on(self, source: Source) -> bool:
        now = self._wanted.sources.get(source.key)
        return now is not None and streams_alike(source, now)


async def _unless(ending: asyncio.Event, work: Coroutine[Any, Any, Wanted]) -> Wanted | None:
    """The result of `work`, or None once the end has come."""
    working, ended = asyncio.ensure_future(work), asyncio.ensure_future(ending.wait())
    try:
        await asyncio.wait({working, ended}, return_when=asyncio.FIRST_COMPLETED)
        return None if ending.is_set() else working.result()
    finally:
        for task in (working, ended):
            task.cancel()
        await asyncio.gather(working, ended, return_exceptions=True)
