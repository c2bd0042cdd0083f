"""Does a piece of the leader's own work for every organisation of every source that is not suspended.

A few organisations at a time; one that fails costs the others nothing, and the first failure is told at the end, so
that the task is tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from mixhaul_ingestor.ending import pause
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

Work = Callable[[Source, Organisation, MixClient], Awaitable[None]]


async def each_organisation(leading: Leading, work: Work, *, task: str) -> None:
    """Raises the first error that came, once everything was tried; `StaleEpoch` at once.

    A leader that has just begun does not know its sources yet: they are waited for.
    """
    while not leading.sources():
        if await pause(leading.ending, WAIT_SECONDS):
            return
    turns = asyncio.Semaphore(AT_ONCE)
    failures: list[MixError | StoreError] = []

    async def one(source: Source, organisation: Organisation, client: MixClient) -> None:
        async with turns:
            try:
                await work(source, organisation, client)
            except (StaleEpoch, CursorMoved) as error:
                if isinstance(error, StaleEpoch):
                    raise
                log.info("the organisation is gone", task=task, organisation=str(organisation.external_id))
            except (MixError, StoreError) as error:
                log.warning(
                    "failed for an organisation",
                    task=task,
                    source=source.key,
                    organisation=str(organisation.external_id),
                    error=str(error),
                )
                failures.append(error)

    async def of_source(source: Source) -> None:
        mine = await organisations.by_source(leading.wiring.database, source.key)
        wanted = source.spec.organisation_ids
        async with leading.wiring.client(source) as client, asyncio.TaskGroup() as tasks:
            for organisation in mine:
                if not wanted or organisation.external_id in wanted:
                    tasks.create_task(one(source, organisation, client))

    try:
        async with asyncio.TaskGroup() as tasks:
            for source in leading.sources().values():
                if not source.spec.suspend:
                    tasks.create_task(of_source(source))
    except* StaleEpoch as group:
        raise StaleEpoch(lease=leading.epoch.lease, epoch=leading.epoch.epoch) from group
    if failures:
        raise failures[0]
