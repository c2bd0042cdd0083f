"""What the leader does beside reading feeds: jobs that somebody asked for, and tasks that come round by themselves.

Here are the shapes only. `registry` lists which there are, `work_runner` and `task_runner` run them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from mixhaul_ingestor.wiring import Wiring
from mixhaul_runtime.clock import Clock
from mixhaul_source.manifest import Source
from mixhaul_store import work
from mixhaul_store.elections import Epoch
from mixhaul_store.work import WorkRequest


@dataclass(frozen=True, slots=True)
class Leading:
    """What all of it works with. `sources` are those that are wanted at the moment, suspended ones too, by key."""

    wiring: Wiring
    epoch: Epoch
    clock: Clock
    ending: asyncio.Event
    sources: Callable[[], Mapping[str, Source]]


@dataclass(frozen=True, slots=True)
class Job:
    """A request that was taken. `source` is None where its kind needs none and it is gone."""

    request: WorkRequest
    source: Source | None
    leading: Leading

    @property
    def of(self) -> Source:
        """The source, for kinds that need one."""
        if self.source is None:
            raise RuntimeError(f"a job of the kind {self.request.kind!r} was begun without its source")
        return self.source

    async def note(self, **figures: Any) -> None:
        """Keep figures of the progress with the request: they are there again when it is taken up after a restart."""
        await work.note(self.leading.wiring.database, self.request.id, figures)


class Outcome(NamedTuple):
    """How a job ended, and what to tell whoever asked: one or two plain sentences."""

    ok: bool
    message: str


class Postponed(Exception):
    """Raised by a handler that can't go on now: the request is taken again later."""

    def __init__(self, reason: str, *, after_seconds: float) -> None:
        self.reason, self.after_seconds = reason, after_seconds
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job. The handler is safe to run twice for the same request, and to be cancelled anywhere.

    What it raises: `Postponed`, errors of MiX and of the store (tried again where they are transient), `StaleEpoch`.
    Where `needs_source`, it waits until its source is there and is not suspended, and begins anew when that changes.
    """

    name: str
    handler: Callable[[Job], Awaitable[Outcome]]
    needs_source: bool = True


@dataclass(frozen=True, slots=True)
class Task:
    """Something that the leader does once in a period, for all sources; `run` is safe to repeat and to be cancelled."""

    name: str
    every: timedelta
    run: Callable[[Leading], Coroutine[Any, Any, None]]
    retry: timedelta = timedelta(minutes=1)
