"""Does a piece of the leader's own work for every organisation of every source that is not suspended.

First it is looked what is due, which costs a query; a client is made only where something is. A few organisations at
a time; one that fails costs the others nothing, and the first failure is told at the end, so that the task is tried
again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from mixhaul_ingestor.ending import Ending, pause
from mixhaul_ingestor.jobs import Leading
from mixhaul_mix.client import MixClient
from mixhaul_mix.errors import MixError
from mixhaul_source.manifest import Source
from mixhaul_store import organisations
from mixhaul_store.errors import CursorMoved, StaleEpoch, StoreError
from mixhaul_store.organisations import Organisation

log = structlog.get_logger("mixhaul_ingestor.everywhere")

AT_ONCE: Final = 4
WAIT_SECONDS: Final = 0.5

T = TypeVar("T")
Due = Callable[[Source, Organisation], Awaitable[T | None]]
"""What is due of an organisation, or None."""
Work = Callable[[Source, Organisation, MixClient, T], Awaitable[None]]


async def each_organisation(leading: Leading, *, task: str, due: Due[T], work: Work[T]) -> None:
    """Raises the first error that came, once everything was tried; `StaleEpoch` at once, and `Ending`.

    A leader that has just begun does not know its sources yet: they are waited for.
    """
    while not leading.sources():
        if await pause(leading.ending, WAIT_SECONDS):
            raise Ending
    turns = asyncio.Semaphore(AT_ONCE)
    failures: list[MixError | StoreError] = []

    async def guarded(source: Source, what: Awaitable[None], organisation: Organisation | None = None) -> None:
        try:
            await what
        except StaleEpoch:
            raise
        except Ending:
            pass  # the others end as well
        except CursorMoved as gone:
            log.info("an organisation is gone", task=task, source=source.key, detail=str(gone))
        except (MixError, StoreError) as error:
            log.warning(
                "a part of the leader's work failed",
                task=task,
                source=source.key,
                organisation=str(organisation.external_id) if organisation else None,
                error=str(error),
            )
            failures.append(error)

    async def found(source: Source) -> list[tuple[Organisation, T]]:
        wanted = source.spec.organisation_ids
        plans: list[tuple[Organisation, T]] = []
        async with turns:
            for organisation in await organisations.by_source(leading.wiring.database, source.key):
                if wanted and organisation.external_id not in wanted:
                    continue
                plan = await due(source, organisation)
                if plan is not None:
                    plans.append((organisation, plan))
        return plans

    async def of_source(source: Source) -> None:
        plans = await found(source)
        if not plans:
            return

        async def one(organisation: Organisation, plan: T) -> None:
            async with turns:
                await work(source, organisation, client, plan)

        async with leading.wiring.client(source) as client, asyncio.TaskGroup() as tasks:
            for organisation, plan in plans:
                tasks.create_task(guarded(source, one(organisation, plan), organisation))

    try:
        async with asyncio.TaskGroup() as tasks:
            for source in leading.sources().values():
                if not source.spec.suspend:
                    tasks.create_task(guarded(source, of_source(source)))
    except BaseExceptionGroup as group:
        # Not `except*`: before Python 3.11.4 it wraps what is raised within.
        if group.subgroup(StaleEpoch) is None:
            raise
        raise StaleEpoch(lease=leading.epoch.lease, epoch=leading.epoch.epoch) from group
    if leading.ending.is_set():
        raise Ending
    if failures:
        raise failures[0]
