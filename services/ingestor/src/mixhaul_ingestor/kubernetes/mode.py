"""The in-cluster mode put together: the set of sources, and who may try to lead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from mixhaul_ingestor.kubernetes import access
from mixhaul_ingestor.kubernetes.client import Kube
from mixhaul_ingestor.kubernetes.cluster_sources import ClusterSources
from mixhaul_ingestor.kubernetes.lease import LeaseElector
from mixhaul_ingestor.settings import IngestorSettings
from mixhaul_runtime.clock import Clock

log = structlog.get_logger("mixhaul_ingestor.kubernetes.mode")


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the cluster decides."""

    sources: ClusterSources
    elector: LeaseElector


@asynccontextmanager
async def cluster(settings: IngestorSettings, *, holder: str, clock: Clock) -> AsyncIterator[Cluster]:
    """Watches run inside of the block; an API server that is away is waited for, never an error."""
    found = await access.find(settings.service_account_dir)
    log.info("in a cluster", api_server=found.configuration.host, namespace=found.namespace, lease=settings.lease_name)
    async with AsyncExitStack() as stack:

        def connected() -> Kube:
            kube = Kube(found.client)
            stack.push_async_callback(kube.close)
            return kube

        sources = ClusterSources(sources=connected(), secrets=connected(), namespace=found.namespace, clock=clock)
        elector = LeaseElector(
            calls=connected(),
            watches=connected(),
            name=settings.lease_name,
            namespace=found.namespace,
            holder=holder,
            timing=settings.timing(),
            clock=clock,
        )
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(sources.run())
            try:
                yield Cluster(sources=sources, elector=elector)
            finally:
                watching.cancel()
