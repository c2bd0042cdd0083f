"""The MixSources of the namespace with their Secrets, as a set of sources that changes.

Two reflectors feed it. A source whose objects did not change stays the very same object, so that nobody who runs it is
disturbed. A Secret's values stay in memory as long as it is in the namespace.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from mixhaul_ingestor.kubernetes.client import Kube, Object, namespaced
from mixhaul_ingestor.kubernetes.errors import SourceWaits
from mixhaul_ingestor.kubernetes.reflector import Reflector
from mixhaul_ingestor.kubernetes.resolving import fingerprint, resolve
from mixhaul_ingestor.source_set import Wanted
from mixhaul_runtime.clock import Clock
from mixhaul_source.certificates import written_certificates
from mixhaul_source.crd import PLURAL
from mixhaul_source.manifest import Source
from mixhaul_source.model import API_VERSION

# Releases of helm are the largest Secrets of a namespace, and no concern of ours.
_SECRETS = {"fieldSelector": "type!=helm.sh/release.v1"}


class ClusterSources:
    """A `SourceSet`. `run` has to run for it to be up to date."""

    def __init__(self, *, sources: Kube, secrets: Kube, namespace: str, clock: Clock) -> None:
        self._changed = asyncio.Event()
        self._sources = Reflector(
            sources, path=namespaced(API_VERSION, namespace, PLURAL), clock=clock, changed=self._changed.set
        )
        self._secrets = Reflector(
            secrets,
            path=namespaced("v1", namespace, "secrets"),
            clock=clock,
            changed=self._changed.set,
            query=_SECRETS,
        )
        self._wanted: Wanted | None = None
        self._resolved: dict[str, tuple[tuple[object, ...], Source | SourceWaits]] = {}
        self._files: dict[str, Path] = {}

    async def run(self) -> None:
        """For ever: both watches."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sources.run())
            tasks.create_task(self._secrets.run())

    def trouble(self) -> str | None:
        """Why nothing can be said about what is wanted; None once both have been listed."""
        for what, reflector in (("MixSources", self._sources), ("Secrets", self._secrets)):
            if not reflector.synced:
                return f"the {what} are not known yet: {reflector.trouble}"
        return None

    async def after(self, seen: Wanted | None) -> Wanted:
        """See `SourceSet`."""
        while True:
            self._changed.clear()
            if self.trouble() is None:
                self._resolve()
                if self._wanted is not None and self._wanted != seen:
                    return self._wanted
            await self._changed.wait()

    def _resolve(self) -> None:
        secrets = self._secrets.objects
        resolved = {}
        for value in self._sources.objects.values():
            if _is_leaving(value):
                continue
            key = f"{value['metadata']['namespace']}/{value['metadata']['name']}"
            resolved[key] = self._one(key, value, secrets)
        self._resolved = resolved
        wanted = Wanted(
            sources={key: found for key, (_, found) in resolved.items() if isinstance(found, Source)},
            waiting={key: found for key, (_, found) in resolved.items() if isinstance(found, SourceWaits)},
        )
        if wanted != self._wanted:
            self._wanted = wanted

    def _one(
        self, key: str, value: Object, secrets: dict[str, Object]
    ) -> tuple[tuple[object, ...], Source | SourceWaits]:
        mark = fingerprint(value, secrets)
        before = self._resolved.get(key)
        if before is not None and before[0] == mark:
            return before
        return mark, resolve(value, secrets, file_of=self._file_of)

    def _file_of(self, pem: str) -> Path:
        if pem not in self._files:
            self._files[pem] = written_certificates(pem)
        return self._files[pem]


def _is_leaving(value: Object) -> bool:
    """It is being deleted, and its data with it: nothing may be written any more."""
    return "deletionTimestamp" in value["metadata"] and (value.get("spec") or {}).get("deletionPolicy") == "Delete"
