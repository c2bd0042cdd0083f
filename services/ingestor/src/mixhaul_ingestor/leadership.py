"""Leading: work runs only between an epoch that was taken and the moment from which another process may take it.

Who may *try* is decided by a candidacy: standalone anybody, in a cluster whoever has the Lease. Who *writes* is decided
by the epoch check inside of each transaction. It does not guarantee that two processes never believe to lead at the
same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

import structlog

from mixhaul_ingestor.metrics import LEADER, LEADER_TRANSITIONS
from mixhaul_store.elections import Epoch, LeaderRow
from mixhaul_store.errors import StaleEpoch, StoreError, TransientStoreError

log = structlog.get_logger("mixhaul_ingestor.leadership")

Work = Callable[[Epoch, asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations of the election, in seconds: `renew_deadline` < `lease_duration`."""

    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0


class Term(Protocol):
    """The permission to try."""

    @property
    def force(self) -> bool:
        """Whether also against a leader whose heartbeat is fresh."""

    @property
    def over(self) -> asyncio.Event:
        """Set once it has come to its end."""


class Candidacy(Protocol):
    """Decides who may try to lead."""

    def term(self, stop: asyncio.Event) -> AbstractAsyncContextManager[Term | None]:
        """Wait for a term, and give it back at the end of the block; None when `stop` came first."""


@dataclass(frozen=True, slots=True)
class OpenTerm:
    """A term that never ends by itself."""

    over: asyncio.Event
    force: bool = False


class Anybody:
    """Everybody may try at any time: the row of the database is the whole election."""

    @asynccontextmanager
    async def term(self, stop: asyncio.Event) -> AsyncIterator[Term | None]:
        """At once."""
        yield None if stop.is_set() else OpenTerm(over=asyncio.Event())


class _Outcome(Enum):
    FINISHED = auto()
    TERM_OVER = auto()
    EPOCH_LOST = auto()
    DATABASE_AWAY = auto()


class Leadership:
    """Takes the epoch, runs the work, renews the heartbeat, and ends the work when it can't be renewed in time."""

    def __init__(
        self,
        row: LeaderRow,
        *,
        timing: Timing,
        lease: str,
        candidacy: Candidacy | None = None,
        grace_seconds: float = 8.0,
    ) -> None:
        self._row = row
        self._timing = timing
        self._lease = lease
        self._candidacy = candidacy or Anybody()
        self._grace = grace_seconds

    async def run(self, work: Work, *, stop: asyncio.Event) -> None:
        """Lead whenever possible until `stop` is set or the work ends by itself.

        `work` gets its epoch and an event that asks it to come to an end; it has the grace time to do so, then it is
        cancelled. Errors of the work are raised, but for a stale epoch; a database that is away is waited for.
        """
        LEADER.labels(self._lease).set(0)
        LEADER_TRANSITIONS.labels(self._lease)
        while not stop.is_set():
            async with self._candidacy.term(stop) as term:
                outcome = _Outcome.FINISHED if term is None else await self._serve(term, work, stop)
            if outcome is _Outcome.FINISHED:
                return
            if outcome is _Outcome.DATABASE_AWAY:
                # The next try is for others, who may reach it.
                await _either(stop, seconds=self._timing.retry_period)

    async def _serve(self, term: Term, work: Work, stop: asyncio.Event) -> _Outcome:
        """Lead for as long as the term goes on and the database answers."""
        force = term.force
        while not stop.is_set() and not term.over.is_set():
            try:
                epoch = await self._acquire(term, force=force)
            except TransientStoreError as error:
                log.warning("election waits for the database", error=str(error))
                return _Outcome.DATABASE_AWAY
            if epoch is None:
                await _either(stop, term.over, seconds=self._timing.retry_period)
                continue
            outcome = await self._lead(epoch, work, stop, term)
            if outcome is not _Outcome.EPOCH_LOST:
                return outcome
            # Somebody leads without our Lease. Taking the epoch back by force would go to and fro.
            force = False
        return _Outcome.FINISHED if stop.is_set() else _Outcome.TERM_OVER

    async def _acquire(self, term: Term, *, force: bool) -> Epoch | None:
        """The next epoch, or None; given up when the term is over, lest it be taken from the next one."""
        acquiring = asyncio.ensure_future(self._row.acquire(force=force))
        ending = asyncio.create_task(term.over.wait())
        try:
            await asyncio.wait({acquiring, ending}, return_when=asyncio.FIRST_COMPLETED)
            return acquiring.result() if acquiring.done() else None
        finally:
            await _cancelled(acquiring, ending)

    async def _lead(self, epoch: Epoch, work: Work, stop: asyncio.Event, term: Term) -> _Outcome:
        log.info("leading", epoch=epoch.epoch, holder=epoch.holder)
        LEADER.labels(self._lease).set(1)
        LEADER_TRANSITIONS.labels(self._lease).inc()
        try:
            return await self._work(epoch, work, stop, term)
        except StaleEpoch as error:
            log.warning("no longer leading: a write was refused", error=str(error), epoch=epoch.epoch)
            return _Outcome.EPOCH_LOST
        finally:
            LEADER.labels(self._lease).set(0)
            await self._release(epoch)

    async def _work(self, epoch: Epoch, work: Work, stop: asyncio.Event, term: Term) -> _Outcome:
        """Until the work ends by itself, `stop` asks for it, or leading is over."""
        ending = asyncio.Event()
        working = asyncio.ensure_future(work(epoch, ending))
        renewing = asyncio.create_task(self._renew_until_lost(epoch))
        over = asyncio.create_task(term.over.wait())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, renewing, over, stopping}, return_when=asyncio.FIRST_COMPLETED)
            ending.set()
            if not (working.done() or renewing.done() or over.done()):
                await asyncio.wait({working, renewing, over}, timeout=self._grace, return_when=asyncio.FIRST_COMPLETED)
            outcome = _Outcome.FINISHED
            if not working.done():
                if over.done():
                    log.warning("no longer leading: the term is over", epoch=epoch.epoch)
                    outcome = _Outcome.TERM_OVER
                elif renewing.done():
                    outcome = renewing.result()
                working.cancel()
            try:
                await working
            except asyncio.CancelledError:
                if not working.cancelled():
                    raise
            return outcome
        finally:
            await _cancelled(working, renewing, over, stopping)

    async def _renew_until_lost(self, epoch: Epoch) -> _Outcome:
        """Return when the epoch is another's, or when the deadline since the last good renewal has passed."""
        loop = asyncio.get_running_loop()
        good = loop.time()
        while True:
            began = loop.time()
            left = good + self._timing.renew_deadline - began
            if left <= 0:
                log.warning("no longer leading: the heartbeat could not be renewed in time", epoch=epoch.epoch)
                return _Outcome.DATABASE_AWAY
            try:
                async with asyncio.timeout(left):
                    if not await self._row.renew(epoch):
                        log.warning("no longer leading: another process took over", epoch=epoch.epoch)
                        return _Outcome.EPOCH_LOST
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


async def _cancelled(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _either(*events: asyncio.Event, seconds: float) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancelled(*waiting)
