"""Runs the leader's own tasks when they are due, each by itself. When they last ran is in the database.

A task that fails is tried again sooner than its period, and keeps nothing else waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from mixhaul_ingestor import metrics
from mixhaul_ingestor.ending import Ending, pause, unless
from mixhaul_ingestor.jobs import Leading, Task
from mixhaul_mix.errors import MixError
from mixhaul_store import leader_tasks
from mixhaul_store.errors import StaleEpoch, StoreError

log = structlog.get_logger("mixhaul_ingestor.task_runner")

# The database's clock may be moved while we sleep.
LONGEST_SLEEP_SECONDS: Final = 300.0
DATABASE_RETRY_SECONDS: Final = 15.0


class TaskRunner:
    """Runs some tasks under one epoch."""

    def __init__(self, leading: Leading, tasks: Sequence[Task]) -> None:
        self._leading = leading
        self._tasks = tasks

    async def run(self) -> None:
        """Until the end of leading. Raises `StaleEpoch` only."""
        async with asyncio.TaskGroup() as group:
            for task in self._tasks:
                metrics.TASK_FAILURES.labels(task.name)
                group.create_task(self._repeat(task))

    async def _repeat(self, task: Task) -> None:
        ending, database = self._leading.ending, self._leading.wiring.database
        while not ending.is_set():
            try:
                state = await leader_tasks.read(database, task.name)
                wait = leader_tasks.due_in(state, every=task.every, retry=task.retry).total_seconds()
                if state is not None and state.succeeded_at is not None:
                    metrics.TASK_SUCCESS.labels(task.name).set(state.succeeded_at.timestamp())
                if wait <= 0:
                    await self._once(task)
                    continue
            except StaleEpoch:
                metrics.FENCED_WRITES.inc()
                raise
            except Ending:
                return  # due again as if it had failed
            except StoreError as error:
                log.warning("a task waits for the database", task=task.name, error=str(error))
                wait = DATABASE_RETRY_SECONDS
            await pause(ending, min(wait, LONGEST_SLEEP_SECONDS))

    async def _once(self, task: Task) -> None:
        database = self._leading.wiring.database
        await leader_tasks.begin(database, task.name, epoch=self._leading.epoch)
        error: str | None = None
        try:
            await unless(self._leading.ending, task.run(self._leading))
        except (Ending, StaleEpoch):
            raise
        except (MixError, StoreError) as trouble:
            log.warning("a task failed; it is tried again", task=task.name, error=str(trouble))
            error = str(trouble)
        except Exception as defect:  # the edge of a loop
            log.critical("this is a defect", task=task.name, exc_info=defect)
            error = f"a defect: {type(defect).__name__}"
        if error is not None:
            metrics.TASK_FAILURES.labels(task.name).inc()
        await leader_tasks.end(database, task.name, error=error)
