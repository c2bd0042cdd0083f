"""A copy of all objects of one kind in one namespace, kept up to date: list, then watch from there, resume, list again.

A watch that ends, breaks or falls silent goes on from the last resource version; one that the API server has forgotten
(410) begins with a new list, and what has vanished meanwhile is noticed then. The copy may be some seconds behind.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

import structlog

from mixhaul_ingestor.kubernetes.client import Kube, Object
from mixhaul_ingestor.kubernetes.errors import Gone, KubeError, TransientKubeError
from mixhaul_runtime.clock import Clock

log = structlog.get_logger("mixhaul_ingestor.kubernetes.reflector")

CALL_SECONDS: Final = 15.0
# The API server ends each watch after so long, and sends a bookmark before: a connection that is silent for longer is
# dead. Short, since that is how long a change may stay unnoticed on a half-open one.
WATCH_SECONDS: Final = 25
SILENCE_SECONDS: Final = WATCH_SECONDS + 5.0
FIRST_WAIT_SECONDS: Final = 0.5
LONGEST_WAIT_SECONDS: Final = 15.0


class Reflector:
    """`objects` by name; `changed` is called after each change, and once the first list is there."""

    def __init__(
        self,
        kube: Kube,
        *,
        path: str,
        clock: Clock,
        changed: Callable[[], None],
        query: Mapping[str, str] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.objects: dict[str, Object] = {}
        self.synced = False
        self.trouble: str | None = "it has not been listed yet"
        self._kube = kube
        self._path = path
        self._query = dict(query or {})
        self._clock = clock
        self._changed = changed
        self._chance = chance
        self._version = ""
        self._log = log.bind(path=path)

    async def run(self) -> None:
        """For ever."""
        failures = 0
        while True:
            try:
                if not self._version:
                    await self._list()
                began = self._clock.monotonic()
                await self._watch()
                # One that the server ends at once, again and again, is a failure, too.
                failures = 0 if self._clock.monotonic() - began > FIRST_WAIT_SECONDS else failures + 1
            except Gone as error:
                self._log.info("listed anew", reason=str(error))
                self._version = ""
                failures += 1
            except KubeError as error:
                failures += 1
                self.trouble = str(error)
                level = 30 if isinstance(error, TransientKubeError) else 40
                self._log.log(level, "the watch is broken; tried again", error=str(error))
            if failures:
                await self._clock.sleep(backoff(failures, chance=self._chance))

    async def _list(self) -> None:
        items, self._version = await self._kube.list(self._path, self._query, seconds=CALL_SECONDS)
        self.objects = {name_of(each): each for each in items}
        self.synced, self.trouble = True, None
        self._changed()

    async def _watch(self) -> None:
        query = {
            **self._query,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        events = self._kube.watch(self._path, query, silence=SILENCE_SECONDS)
        async with aclosing(events):
            async for kind, value in events:
                self.trouble = None
                self._version = str(value["metadata"]["resourceVersion"])
                if take(self.objects, kind, value):
                    self._changed()


def take(objects: dict[str, Object], kind: str, value: Object) -> bool:
    """Put one event into the copy. Whether it changed anything: a bookmark does not."""
    name = name_of(value)
    match kind:
        case "ADDED" | "MODIFIED":
            objects[name] = value
            return True
        case "DELETED":
            return objects.pop(name, None) is not None
    return False


def name_of(value: Mapping[str, Any]) -> str:
    """The object's name; blank for a bookmark."""
    return str(value["metadata"].get("name", ""))


def backoff(failures: int, *, chance: Callable[[], float]) -> float:
    """Seconds before the next try: doubled up to a limit, and spread."""
    seconds = min(FIRST_WAIT_SECONDS * 2.0 ** min(failures - 1, 10), LONGEST_WAIT_SECONDS)
    return seconds * (0.5 + 0.5 * chance())
