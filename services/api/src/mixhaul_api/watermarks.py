"""What this process knows of the organisations' watermarks, and since when.

Each commit that an answer could show moves its organisation's watermark. One connection of its own reads all of them
several times a second, together with the feeds' progress, and hears of moves in between (not on a replica, which can't
be listened to). What is older than a second is not known any more: answers then come from the database.
It does not guarantee that a watermark is the newest, only that it was so at most a second ago; what this process
itself wrote is known at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from psycopg import AsyncConnection

from mixhaul_api import metrics
from mixhaul_api.freshness import Progress
from mixhaul_api.queries import progress, watermarks
from mixhaul_runtime.clock import Clock
from mixhaul_store.database import Database

log = structlog.get_logger("mixhaul_api.watermarks")

KNOWN_SECONDS: Final = 1.0
_READ_SECONDS: Final = 0.4
_STATEMENT_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Known:
    """The watermarks of some organisations at one moment, and their feeds' progress at that moment or before."""

    marks: tuple[tuple[int, int], ...]
    since: datetime | None
    progress: Mapping[int, Progress]


class Watermarks:
    """Kept up to date by `keep`, a task that lives as long as the server."""

    def __init__(self, database: Database, clock: Clock, *, listen: bool) -> None:
        self._database = database
        self._clock = clock
        self._listen = listen
        self._marks: dict[int, int] = {}
        self._progress: dict[int, Progress] = {}
        self._since: datetime | None = None
        self._read_at: float | None = None
        self._not_before = 0.0
        self._written: dict[int, int] = {}

    def known(self, organisation_ids: Sequence[int]) -> Known | None:
        """What is known of these organisations; None where that is nothing, too old, or behind our own writes."""
        if self._read_at is None or self._clock.monotonic() - self._read_at > KNOWN_SECONDS:
            return None
        if not all(one in self._marks for one in organisation_ids) or self.behind(organisation_ids):
            return None
        marks = tuple((one, self._marks[one]) for one in sorted(organisation_ids))
        return Known(marks, self._since, self._progress)

    def behind(self, organisation_ids: Sequence[int]) -> bool:
        """Whether what is read may lack something that this process wrote: then only the primary will do."""
        return any(self._written.get(one, 0) > self._marks.get(one, 0) for one in organisation_ids)

    async def wrote(self, primary: Database, organisation_ids: Sequence[int]) -> None:
        """Take note of a change that this process has just committed."""
        async with primary.connection() as connection:
            self._written |= await watermarks.of(connection, organisation_ids)
        if self._listen:
            # Read and written in the same place, so what was written can be read.
            self._marks |= {one: mark for one, mark in self._written.items() if mark > self._marks.get(one, -1)}

    def forget(self) -> None:
        """Know nothing until the next look."""
        self._read_at, self._not_before = None, self._clock.monotonic()

    async def keep(self) -> None:
        """Read and listen until cancelled."""
        trouble = ""
        while True:
            try:
                connection = await self._database.connect(statement_timeout_seconds=_STATEMENT_SECONDS)
                try:
                    await self._follow(connection)
                finally:
                    await connection.close()
            except Exception as error:  # noqa: BLE001  (the edge of a loop)
                metrics.WATERMARK_FAILURES.inc()
                if trouble != (trouble := type(error).__name__):
                    log.warning("watermarks can't be read: nothing is answered from memory", error=trouble)
                await self._clock.sleep(_AGAIN_SECONDS)

    async def _follow(self, connection: AsyncConnection[Any]) -> None:
        if self._listen:
            await watermarks.listen(connection)
        while True:
            await self.read(connection)
            if not self._listen:
                await self._clock.sleep(_READ_SECONDS)
                continue
            until = self._clock.monotonic() + _READ_SECONDS
            while (left := until - self._clock.monotonic()) > 0:
                async for told in connection.notifies(timeout=left, stop_after=1):
                    self._told(told.payload)

    async def read(self, connection: AsyncConnection[Any]) -> None:
        """All of it, as of one moment."""
        began = self._clock.monotonic()
        async with connection.transaction():
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            marks, since = await watermarks.every(connection)
            found = await progress.of(connection, list(marks))
        if since != self._since:
            self._since, self._written = since, {}
        elif self._listen:
            # What was told meanwhile is newer than this look.
            marks = {one: max(mark, self._written.get(one, 0)) for one, mark in marks.items()}
        # A look that had begun before all was forgotten counts for nothing.
        self._marks, self._read_at = marks, began if began >= self._not_before else None
        self._progress = {one.organisation_id: one for one in found}

    def _told(self, payload: str) -> None:
        organisation_id, _, mark = payload.partition(":")
        with contextlib.suppress(ValueError):
            one, moved = int(organisation_id), int(mark)
            if moved > self._marks.get(one, -1):
                self._marks[one] = moved
