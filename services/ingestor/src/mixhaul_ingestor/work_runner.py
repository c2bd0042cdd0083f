"""Takes requests for work and runs their handlers, apart from the feeds and from one another.

At most one job of a kind and source at a time. A handler that fails, by error or by defect, costs its request only. A
job that is cut off by the end of leading goes back and is taken up by the next leader.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from mixhaul_ingestor import metrics
from mixhaul_ingestor.ending import pause
from mixhaul_ingestor.jobs import Job, Kind, Leading, Outcome, Postponed
from mixhaul_ingestor.source_set import streams_alike
from mixhaul_mix.errors import MixError, TransientMixError
from mixhaul_source.manifest import Source
from mixhaul_store import work
from mixhaul_store.errors import StaleEpoch, StoreError, TransientStoreError

log = structlog.get_logger("mixhaul_ingestor.work_runner")

LOOK_SECONDS: Final = 2.0
BEAT_SECONDS: Final = 10.0
FIRST_RETRY_SECONDS: Final = 15.0
LONGEST_RETRY_SECONDS: Final = 900.0
GIVE_BACK_SECONDS: Final = 2.0


class WorkRunner:
    """Runs the jobs of some kinds under one epoch."""

    def __init__(self, leading: Leading, kinds: Sequence[Kind], *, look_seconds: float = LOOK_SECONDS) -> None:
        self._leading = leading
        self._kinds = kinds
        self._look_seconds = look_seconds
        self._running: dict[int, tuple[Job, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Until the end of leading. Raises `StaleEpoch` only."""
        ending = self._leading.ending
        metrics.declare_work([kind.name for kind in self._kinds])
        async with asyncio.TaskGroup() as tasks:
            beating = tasks.create_task(self._beat())
            while not await pause(ending, self._look_seconds):
                self._end_what_changed()
                for kind in self._kinds:
                    await self._take(kind, tasks)
            beating.cancel()
            for _, task in self._running.values():
                task.cancel()

    async def _take(self, kind: Kind, tasks: asyncio.TaskGroup) -> None:
        busy = {job.request.source for job, _ in self._running.values() if job.request.kind == kind.name}
        sources = self._leading.sources()
        free: list[str] | None = None
        if kind.needs_source:
            free = [key for key, source in sources.items() if key not in busy and not source.spec.suspend]
        if free == [] or (free is None and busy):
            return
        try:
            request = await work.take(
                self._leading.wiring.database, kinds=(kind.name,), sources=free, not_ids=tuple(self._running)
            )
        except StoreError as error:
            log.debug("work can't be looked for", kind=kind.name, error=str(error))
            return
        if request is None:
            return
        job = Job(request=request, source=sources.get(request.source), leading=self._leading)
        self._running[request.id] = (job, tasks.create_task(self._do(kind, job)))

    async def _do(self, kind: Kind, job: Job) -> None:
        """One job, to its end or to being cut off."""
        request = job.request
        bound = log.bind(source=request.source, kind=request.kind, request=request.request_id)
        bound.info("work begins", attempt=request.attempts)
        result = "given_back"
        try:
            try:
                outcome = await kind.handler(job)
            except (MixError, StoreError) as error:
                if isinstance(error, StaleEpoch):
                    raise
                outcome = _after(error, attempts=request.attempts)
            except (Postponed, asyncio.CancelledError):
                raise
            except Exception as error:  # noqa: BLE001  (the edge of a loop)
                bound.critical("this is a defect", exc_info=error)
                outcome, result = Outcome(False, f"A defect of Mixhaul: {type(error).__name__}, see the log."), "defect"
            await work.finish(self._leading.wiring.database, request.id, ok=outcome.ok, message=outcome.message)
            if result != "defect":
                result = "succeeded" if outcome.ok else "failed"
            bound.log(20 if outcome.ok else 30, "work ended", ok=outcome.ok, message=outcome.message)
        except Postponed as later:
            bound.warning("work is postponed", reason=later.reason, seconds=later.after_seconds)
            await self._give_back(job, after_seconds=later.after_seconds, message=later.reason)
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(job))
            raise
        except StaleEpoch:
            metrics.FENCED_WRITES.inc()
            raise
        except StoreError as error:
            # How it ended could not be written down: it is done again once its heartbeat is old.
            bound.warning("the end of work could not be written down", error=str(error))
        finally:
            metrics.WORK.labels(request.kind, result).inc()
            self._running.pop(request.id, None)

    async def _give_back(self, job: Job, *, after_seconds: float = 0.0, message: str | None = None) -> None:
        try:
            async with asyncio.timeout(GIVE_BACK_SECONDS):
                await work.give_back(
                    self._leading.wiring.database, job.request.id, after_seconds=after_seconds, message=message
                )
        except (StoreError, TimeoutError) as error:
            log.debug("work was not given back; its heartbeat runs out", error=str(error) or "timed out")

    def _end_what_changed(self) -> None:
        """A job goes by the spec and the login with which it began; with others it begins anew."""
        sources = self._leading.sources()
        for job, task in self._running.values():
            if job.source is not None and not _goes_on(job.source, sources.get(job.source.key)):
                log.info("work is cut off: its source changed", source=job.source.key, kind=job.request.kind)
                task.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if self._running:
                try:
                    await work.beat(self._leading.wiring.database, tuple(self._running))
                except StoreError as error:
                    log.warning("the heartbeat of work failed", error=str(error))


def _after(error: MixError | StoreError, *, attempts: int) -> Outcome:
    """Raises `Postponed` where another try may help."""
    if isinstance(error, TransientMixError | TransientStoreError):
        wait = min(FIRST_RETRY_SECONDS * 2.0 ** min(attempts - 1, 16), LONGEST_RETRY_SECONDS)
        asked = getattr(error, "retry_after_seconds", None) or 0.0
        raise Postponed(str(error), after_seconds=max(wait, asked)) from error
    return Outcome(False, str(error))


def _goes_on(began_with: Source, now: Source | None) -> bool:
    return now is not None and not now.spec.suspend and streams_alike(began_with, now)
