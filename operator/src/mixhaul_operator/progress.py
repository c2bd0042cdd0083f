"""The one background task that reads the progress of all sources, and what is known while it can't.

Each reading is one query a table for all sources together. A database that is away for a moment changes nothing; away
for longer, the conditions say Unknown. It never stops: an error is the state until the next reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import structlog

from mixhaul_operator import metrics
from mixhaul_operator.facts import Away, Knowledge, Known, NotYet
from mixhaul_operator.reading import Snapshot, facts_of, snapshot
from mixhaul_runtime.clock import Clock
from mixhaul_source.conditions import Reason
from mixhaul_source.model import MixSourceSpec
from mixhaul_store import observation, progress, schema, totals, work
from mixhaul_store.database import Database
from mixhaul_store.errors import SchemaTooNew, SchemaTooOld, StoreError

log = structlog.get_logger("mixhaul_operator.progress")

_EAGER_SECONDS: Final = 2.0


class Progress:
    """Reads again and again; `knowledge` says what is known of one source at this moment."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        period_seconds: float,
        patience_seconds: float,
        wanted_requests: Callable[[], Sequence[tuple[str, str]]],
        after_reading: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._period = period_seconds
        self._patience = patience_seconds
        self._wanted_requests = wanted_requests
        self._after_reading = after_reading
        self._good_at = clock.monotonic()
        self._trouble: Away | None = None
        self._hurry = asyncio.Event()
        self._eager = period_seconds
        self._unasked_deletions: dict[str, str] = {}
        self.snapshot: Snapshot | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._read_once()
            self._after_reading()
            try:
                async with asyncio.timeout(self._wait_seconds()):
                    await self._hurry.wait()
            except TimeoutError:
                continue
            # Several who are in a hurry get one reading.
            await self._clock.sleep(1.0)
            self._hurry.clear()
            self._eager = _EAGER_SECONDS

    def soon(self) -> None:
        """Read again within a second or so, and then more and more seldom: an answer is waited for."""
        self._hurry.set()

    def _wait_seconds(self) -> float:
        seconds = min(self._eager, self._period)
        self._eager = min(self._eager * 2, self._period)
        return seconds

    def knowledge(self, *, key: str, spec: MixSourceSpec | None, login: str | None) -> Knowledge:
        """What the conditions may rest on."""
        if self._trouble is not None and self._clock.monotonic() - self._good_at > self._patience:
            return self._trouble
        if self.snapshot is None or spec is None:
            return NotYet()
        return Known(at=self.snapshot.at, facts=facts_of(self.snapshot, key=key, spec=spec, login=login))

    def request(self, key: str, request_id: str) -> bool:
        """Whether the row of a request was seen."""
        return self.snapshot is not None and request_id in self.snapshot.requests.get(key, {})

    async def ask(self, *, key: str, request_id: str, kind: str, parameters: dict[str, str]) -> None:
        """Put a request into the database; a `StoreError` when that can't be done now."""
        await work.ask(self._database, source=key, request_id=request_id, kind=kind, parameters=parameters)
        self.soon()

    def ask_for_deletion_later(self, *, key: str, request_id: str) -> None:
        """Of a source that is gone before the database could be asked: it's asked once it is back.

        Not kept over a restart of the operator: data that stays is better than data deleted by mistake, which
        concluding from an absent MixSource would risk.
        """
        self._unasked_deletions[request_id] = key

    async def _read_once(self) -> None:
        metrics.READINGS.inc()
        try:
            self.snapshot = await self._read()
        except SchemaTooOld as error:
            self._failed(Away(Reason.SCHEMA_TOO_OLD, str(error)))
        except StoreError as error:
            self._failed(Away(Reason.DATABASE_UNAVAILABLE, str(error)))
        else:
            if self._trouble is not None:
                log.info("the database answers again")
            self._trouble, self._good_at = None, self._clock.monotonic()

    def _failed(self, trouble: Away) -> None:
        metrics.FAILED_READINGS.inc()
        if self._trouble != trouble:
            log.warning("progress can't be read", error=trouble.sentence)
        self._trouble = trouble

    async def _read(self) -> Snapshot:
        try:
            await schema.require(self._database)
        except SchemaTooNew as error:
            # While a release is upgraded: what this version reads is still there.
            log.info("the schema is newer than this operator", detail=str(error))
        for request_id, key in list(self._unasked_deletions.items()):
            await work.ask(
                self._database,
                source=key,
                request_id=request_id,
                kind="delete",
                parameters={"uid": request_id.partition(":")[2]},
            )
            del self._unasked_deletions[request_id]
        return snapshot(
            at=self._now(),
            progress=await progress.read(self._database),
            logins=await observation.read_logins(self._database),
            whole_runs=await observation.read_whole_runs(self._database),
            requests=await observation.read_requests(self._database, self._wanted_requests()),
            totals=await totals.read(self._database),
            conflicts=await observation.read_conflicts(self._database),
        )

    def _now(self) -> datetime:
        return self._clock.now()
