"""LISTs of our own: all at the start, so that nothing is decided on half of the picture, and again every few minutes.

The later ones find what a broken watch has missed, such as a deletion in between, and prove that the API server is
there. They read; an operator with nothing to do writes nothing.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from mixhaul_operator.errors import CRDMissing, KubeError, NotFound
from mixhaul_operator.kube import Kube, namespaced
from mixhaul_operator.watching import SECRETS_FIELD_SELECTOR
from mixhaul_operator.workqueue import WorkQueue
from mixhaul_operator.world import World
from mixhaul_runtime.clock import Clock
from mixhaul_source.crd import PLURAL
from mixhaul_source.model import API_VERSION

log = structlog.get_logger("mixhaul_operator.listing")

_SETTLING_SECONDS: Final = 2.0


class Listing:
    """`trouble` is the last error, until a LIST went well again."""

    def __init__(
        self, kube: Kube, world: World, queue: WorkQueue, *, clock: Clock, namespace: str, pod_template: str
    ) -> None:
        self._kube = kube
        self._world = world
        self._queue = queue
        self._clock = clock
        self._namespace = namespace
        self._pod_template = pod_template
        self._hint = asyncio.Event()
        self.trouble: str | None = "the first LIST is not done"

    async def everything(self) -> None:
        """Secrets and CronJobs before the MixSources that need them. `CRDMissing` where the kind is unknown."""
        secrets, version = await self._kube.list(self._path("v1", "secrets"), {"fieldSelector": SECRETS_FIELD_SELECTOR})
        changed_secrets = self._world.secrets.replace(secrets, version=version)
        selector = {"fieldSelector": f"metadata.name={self._pod_template}"}
        templates, version = await self._kube.list(self._path("v1", "podtemplates"), selector)
        changed_templates = self._world.templates.replace(templates, version=version)
        cron_jobs, version = await self._kube.list(self._path("batch/v1", "cronjobs"))
        before = {name: self._world.cron_jobs.get(name) for name in self._world.cron_jobs.names()}
        changed_cron_jobs = self._world.cron_jobs.replace(cron_jobs, version=version)
        try:
            sources, version = await self._kube.list(self._path(API_VERSION, PLURAL))
        except NotFound as error:
            raise CRDMissing(API_VERSION) from error
        concerned = self._world.replace_sources(sources, version=version)
        for name in changed_secrets:
            concerned.update(self._world.sources_with_secret(name))
        for name in changed_cron_jobs:
            cron_job = self._world.cron_jobs.get(name) or before.get(name)
            if cron_job is not None:
                concerned.update(self._world.concerned(cron_job))
        if changed_templates:
            concerned.update(self._world.sources.names())
        for name in concerned:
            self._queue.add(name)
        self.trouble = None

    async def run(self, *, first_seconds: float, every_seconds: float) -> None:
        """Until cancelled."""
        await self._clock.sleep(first_seconds)
        while True:
            # What came before this LIST is seen by it.
            self._hint.clear()
            try:
                await self.everything()
            except (KubeError, CRDMissing) as error:
                if self.trouble is None:
                    log.warning("the cluster can't be read", error=str(error))
                self.trouble = str(error)
            await self._pause(every_seconds)

    def soon(self) -> None:
        """A watch has begun anew: what was deleted while it was silent is seen by a LIST only."""
        self._hint.set()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._hint.wait()
        except TimeoutError:
            return
        # Each watch that begins anew says so for each of its objects.
        await self._clock.sleep(_SETTLING_SECONDS)

    def _path(self, group_version: str, plural: str) -> str:
        return namespaced(group_version, self._namespace, plural)
