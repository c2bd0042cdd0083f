"""Leading: work runs only between an epoch that was taken and the moment from which another process may take it.

This decides who *tries*; who *writes* is decided by the epoch check inside of each transaction. It does not
guarantee that two processes never believe to lead at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from mixhaul_ingestor.metrics import LEADER, LEADER_TRANSITIONS
from mixhaul_store.elections import Epoch, LeaderRow
from mixhaul_store.errors import StoreError, TransientStoreError

log = structlog.get_logger("mixhaul_ingestor.leadership")

Work = Callable[[Epoch, asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations of the election, in seconds: `renew_deadline` < `lease_duration`."""

    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0


class Leadership:
    """Takes the epoch, runs the work, renews the heartbeat, and ends the work when it can't be renewed in time."""

    def __init__(self, row: LeaderRow, *, timing: Timing, lease: str, grace_seconds: float = 8.0) -> None:
        self._row = row
        self._timing = timing
        self._lease = lease
        self._grace = grace_seconds

    async def run(self, work: Work, *, stop: asyncio.Event) -> None:
        """Lead whenever possible until `stop` is set or the work ends by itself.

        `work` gets its epoch and an event that asks it to come to an end; it has the grace time to do so, then it is
        cancelled. Errors of the work are raised; a database that is away is waited for.
        """
        LEADER.labels(self._lease).set(0)
        LEADER_TRANSITIONS.labels(self._lease)
        while not stop.is_set():
            epoch = await self._acquire()
            if epoch is None:
                await _wait(stop, self._timing.retry_period)
                continue
            log.info("leading", epoch=epoch.epoch, holder=epoch.holder)
            LEADER.labels(self._lease).set(1)
            LEADER_TRANSITIONS.labels(self._lease).inc()
            try:
                finished = await self._lead(epoch, work, stop)
            finally:
                LEADER.labels(self._lease).set(0)
                await self._release(epoch)
            if finished:
                return

    async def _acquire(self) -> Epoch | None:
        try:
            return await self._row.acquire()
        except TransientStoreError as error:
            log.warning("election waits for the database", error=str(error))
            return None

    async def _lead(self, epoch: Epoch, work: Work, stop: asyncio.Event) -> bool:
        """Whether the work ended by itself or because of `stop`; False when the epoch was lost."""
        ending = asyncio.Event()
        working = asyncio.ensure_future(work(epoch, ending))
        renewing = asyncio.create_task(self._renew_until_lost(epoch))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, renewing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            lost = renewing.done() and not working.done()
            if not working.done():
                ending.set()
                if not lost:
                    await asyncio.wait({working, renewing}, timeout=self._grace, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
            try:
                await working
            except asyncio.CancelledError:
                if not working.cancelled():
                    raise
            return not lost
        finally:
            for task in (working, renewing, stopping):
                task.cancel()
            await asyncio.gather(working, renewing, stopping, return_exceptions=True)

    async def _renew_until_lost(self, epoch: Epoch) -> None:
        """Return when the epoch is another's, or when the deadline since the last good renewal has passed."""
        loop = asyncio.get_running_loop()
        good = loop.time()
        while True:
            began = loop.time()
            left = good + self._timing.renew_deadline - began
            if left <= 0:
                log.warning("no longer leading: the heartbeat could not be renewed in time", epoch=epoch.epoch)
                return
            try:
                async with asyncio.timeout(left):
                    if not await self._row.renew(epoch):
                        log.warning("no longer leading: another process took over", epoch=epoch.epoch)
                        return
                good = began
            except (StoreError, TimeoutError) as error:
                log.warning("heartbeat failed", error=str(error) or "timed out", epoch=epoch.epoch)
            left = good + self._timing.renew_deadline - loop.time()
            await asyncio.sleep(max(0.0, min(self._timing.retry_period, left)))

    async def _release(self, epoch: Epoch) -> None:
        try:
            async with asyncio.timeout(2):
                await self._row.release(epoch)
        except (StoreError, TimeoutError) as error:
            log.warning("the lead was not released; it runs out by itself", error=str(error) or "timed out")


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
