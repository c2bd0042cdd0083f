"""Reads the windows of one owner, a gap's or a request's, one after the other until nothing is left.

A window goes in the transaction that stores what it brought. One that can't be read keeps its reason and its turn
comes again; it holds up none of the others.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from psycopg import AsyncConnection

from mixhaul_ingestor import history, metrics
from mixhaul_ingestor.ending import Ending, UntilEnding, pause
from mixhaul_ingestor.wiring import Wiring
from mixhaul_mix.client import MixClient
from mixhaul_mix.errors import MixError, TerminalMixError
from mixhaul_source.manifest import Source
from mixhaul_store import gaps, windows, work
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch
from mixhaul_store.intervals import LONGEST_WINDOW
from mixhaul_store.organisations import Organisation
from mixhaul_store.page_rows import Written
from mixhaul_store.windows import Owner, Window

log = structlog.get_logger("mixhaul_ingestor.filler")

LONGEST_SLEEP_SECONDS: Final = 30.0
# The stream asks for the same request, so that there is one in this time.
SYNC_SECONDS: Final = 300.0


class Filler:
    """Fills for one organisation, with the login of its source. How much may be asked for at once is learned here.

    `tries`: a window that has failed so often, or that can't be made smaller, is given up, and what MiX refuses is
    raised. None: everything is tried for ever.
    """

    def __init__(
        self,
        *,
        wiring: Wiring,
        source: Source,
        client: MixClient,
        organisation: Organisation,
        epoch: Epoch,
        ending: asyncio.Event,
        tries: int | None = None,
    ) -> None:
        self._wiring = wiring
        self._client = client
        self._organisation = organisation
        self._epoch = epoch
        self._ending = ending
        self._tries = tries
        self._budget = UntilEnding(wiring.history_budget(source, organisation, priority="backfill"), ending)
        self._first_wait = timedelta(seconds=wiring.settings.backoff_seconds)
        self._longest = LONGEST_WINDOW
        self._labels = (source.key, str(organisation.external_id))
        self._log = log.bind(source=source.key, organisation=str(organisation.external_id))
        self.inserted = 0
        self.unknown_references = False

    async def step(self, owner: Owner) -> bool:
        """Read the next window, or wait a while for one. False: nothing is left that will be tried. Raises `Ending` and
        errors of the store."""
        found = await windows.next_of(self._wiring.database, owner)
        if found.window is None:
            if found.wait is None:
                return False
            if await pause(self._ending, min(found.wait.total_seconds(), LONGEST_SLEEP_SECONDS)):
                raise Ending
            return True
        window = await windows.narrow(self._wiring.database, found.window, self._longest, epoch=self._epoch)
        if window is not None:
            await self._read(window)
        return True

    async def _read(self, window: Window) -> None:
        loop = asyncio.get_running_loop()
        try:
            answer = await history.fetch(self._client, self._organisation, window.span, budget=self._budget)
        except MixError as error:
            await self._failed(window, error)
            return
        seconds = loop.time() - (self._budget.granted_at or loop.time())

        async def then(connection: AsyncConnection[Any], written: Written) -> None:
            if await windows.done(connection, window, written) and window.gap_id is not None:
                await gaps.part_was_read(connection, window.gap_id)

        result = await history.store(
            self._wiring.database, self._organisation, window.span, answer, epoch=self._epoch, then=then
        )
        self.inserted += result.inserted
        self.unknown_references |= result.unknown_references
        self._longest = history.after_answer(
            self._longest, window=window.span.length, body_bytes=len(answer.body), seconds=seconds
        )
        metrics.BACKFILL_WINDOWS.labels(*self._labels, "read").inc()
        counts = (result.inserted, result.updated, result.unchanged, result.quarantined, result.expired)
        for outcome, count in zip(metrics.EVENT_OUTCOMES, counts, strict=True):
            metrics.BACKFILL_EVENTS.labels(*self._labels, outcome).inc(count)
        self._log.info(
            "history read",
            begin=window.span.start.isoformat(),
            end=window.span.end.isoformat(),
            records=len(answer.records),
            inserted=result.inserted,
            updated=result.updated,
        )

    async def _failed(self, window: Window, error: MixError) -> None:
        what = history.after_failure(
            error, window=window.span.length, attempts=window.attempts, first_wait=self._first_wait
        )
        if isinstance(what, history.Narrow):
            self._longest = what.longest
            metrics.BACKFILL_WINDOWS.labels(*self._labels, "narrowed").inc()
            self._log.info("history is asked for in smaller windows", error=str(error), seconds=what.longest.seconds)
            return
        metrics.BACKFILL_WINDOWS.labels(*self._labels, "failed").inc()
        self._log.log(40 if what.floor else 30, "history can't be read now", error=str(error))
        after: timedelta | None = what.after
        if self._tries is not None:
            if isinstance(error, TerminalMixError):
                raise error
            if what.floor or window.attempts + 1 >= self._tries:
                after = None
        await windows.failed(self._wiring.database, window, epoch=self._epoch, error=str(error), after=after)


async def ask_for_sync(database: Database, source: str, *, now: datetime) -> None:
    """Events name drivers, vehicles or types that the lists lack."""
    slot = int(now.timestamp() // SYNC_SECONDS)
    await work.ask(
        database,
        source=source,
        request_id=f"unknown-references-{slot}",
        kind="sync",
        parameters={"reason": "unknown references"},
    )
