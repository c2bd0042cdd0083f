"""Watches, by kopf: every event goes into the world, and what it concerns into the queue.

kopf writes nothing: `on.event` needs no finalizer and keeps no progress, and its own handlers for changes would put
annotations on objects that are not ours. It also ignores errors of such handlers, so these have none to make.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import kopf

from mixhaul_operator.workqueue import WorkQueue
from mixhaul_operator.world import Object, Shelf, World
from mixhaul_source.crd import PLURAL
from mixhaul_source.model import GROUP, VERSION

# Releases of helm are the largest Secrets of a namespace, and no concern of ours.
SECRETS_FIELD_SELECTOR: Final = "type!=helm.sh/release.v1"


class Incoming:
    """What to do with one event of each kind; also with what a LIST brought."""

    def __init__(
        self, world: World, queue: WorkQueue, *, pod_template: str, relisted: Callable[[], None] = lambda: None
    ) -> None:
        self._world = world
        self._queue = queue
        self._pod_template = pod_template
        self._relisted = relisted

    def listed(self, kind: str | None) -> None:
        """A watch that begins anew tells what is there, in events without a kind, but not what has gone meanwhile."""
        if kind is None:
            self._relisted()

    def source(self, kind: str | None, value: Object) -> None:
        name = str(value["metadata"]["name"])
        changed = self._world.drop_source(value) if kind == "DELETED" else self._world.put_source(value)
        if changed:
            self._queue.add(name)

    def cron_job(self, kind: str | None, value: Object) -> None:
        if _taken(self._world.cron_jobs, kind, value):
            self._add(self._world.concerned(value))

    def secret(self, kind: str | None, value: Object) -> None:
        if _taken(self._world.secrets, kind, value):
            self._add(self._world.sources_with_secret(str(value["metadata"]["name"])))

    def template(self, kind: str | None, value: Object) -> None:
        if value["metadata"]["name"] == self._pod_template and _taken(self._world.templates, kind, value):
            self.everything()

    def everything(self) -> None:
        """Each source once."""
        self._add(list(self._world.sources.names()))

    def _add(self, names: set[str] | list[str]) -> None:
        for name in names:
            self._queue.add(name)


def registry(incoming: Incoming, *, cleanup: Callable[[], Any]) -> kopf.OperatorRegistry:
    """kopf's handlers; `cleanup` ends our own tasks before kopf looks for what is left running."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**arguments: Any) -> Any:
        return _in_pod(**arguments) or kopf.login_with_kubeconfig(**arguments)

    @kopf.on.cleanup(registry=handlers)
    async def end(**_: Any) -> None:
        await cleanup()

    def watch(group: str, version: str, plural: str, take: Callable[[str | None, Object], None]) -> None:
        @kopf.on.event(group, version, plural, id=f"{plural}", registry=handlers)
        async def event_came(event: Mapping[str, Any], **_: Any) -> None:
            incoming.listed(event.get("type"))
            take(event.get("type"), event["object"])

    watch(GROUP, VERSION, PLURAL, incoming.source)
    watch("batch", "v1", "cronjobs", incoming.cron_job)
    watch("", "v1", "secrets", incoming.secret)
    watch("", "v1", "podtemplates", incoming.template)
    return handlers


def _in_pod(**arguments: Any) -> kopf.ConnectionInfo | None:
    """By the variables, as all else here: kopf's own way needs the cluster's DNS."""
    found = kopf.login_with_service_account(**arguments)
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    if found is None or not host:
        return found
    address = f"[{host}]" if ":" in host else host
    return dataclasses.replace(found, server=f"https://{address}:{port or 443}")


class Backoffs:
    """kopf's waits between tries, without end: 0.5, 1, 2, 4, 5, 5... Finite ones would end the process after them."""

    def __iter__(self) -> Iterator[float]:
        seconds = 0.5
        while True:
            yield seconds
            seconds = min(seconds * 2, 5.0)


def settings(*, pod_template: str) -> kopf.OperatorSettings:
    """As measured on a real API server; docs/decisions/0005 says what for."""
    found = kopf.OperatorSettings()
    found.scanning.disabled = True
    found.posting.enabled = False
    # Not our own finalizer: one of this name kopf takes away where none of its handlers needs it.
    found.persistence.finalizer = f"{GROUP}/kopf"
    found.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP, v1=False)
    found.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP, v1=False)
    found.queueing.worker_limit = 20
    found.queueing.idle_timeout = 0.05
    found.networking.request_timeout = 15
    found.networking.connect_timeout = 5
    found.networking.error_backoffs = Backoffs()
    found.watching.connect_timeout = 5
    found.watching.server_timeout = 240
    found.watching.client_timeout = 270
    found.watching.chunk_size = 200
    found.watching.field_selectors["", "v1", "secrets"] = SECRETS_FIELD_SELECTOR
    found.watching.field_selectors["", "v1", "podtemplates"] = f"metadata.name={pod_template}"
    # "Handler succeeded", at each event.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    return found


def _taken(shelf: Shelf[Any], kind: str | None, value: Object) -> bool:
    return shelf.drop(value) if kind == "DELETED" else shelf.put(value)
