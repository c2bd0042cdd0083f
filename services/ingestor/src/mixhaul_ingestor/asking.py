"""Asks the leader for work from the command line, and follows it to its end.

Where nobody leads and this process has the source's manifest, it leads for as long as that takes, and does this work
only: no feed is read. What was asked for stays asked for when this process is ended.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from mixhaul_ingestor.ending import pause
from mixhaul_ingestor.errors import Interrupted, NobodyLeads
from mixhaul_ingestor.jobs import Kind, Leading
from mixhaul_ingestor.leadership import Leadership
from mixhaul_ingestor.wiring import Wiring
from mixhaul_ingestor.work_runner import WorkRunner
from mixhaul_runtime.clock import Clock
from mixhaul_source.manifest import Source
from mixhaul_store import work
from mixhaul_store.elections import Epoch, LeaderRow
from mixhaul_store.work import WorkState

log = structlog.get_logger("mixhaul_ingestor.asking")

LEASE: Final = "ingestor"
LOOK_SECONDS: Final = 0.5
# Longer than a change of leaders takes.
PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Work to ask for. `source` is there where this process may do it itself."""

    key: str
    kind: Kind
    parameters: Mapping[str, Any]
    source: Source | None = None


async def done_by_leader(
    wanted: Wanted,
    *,
    wiring: Wiring,
    clock: Clock,
    stop: asyncio.Event,
    show: Callable[[WorkState], None] = lambda _: None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> WorkState:
    """How it ended. Raises `Interrupted`, and `NobodyLeads` where nobody is there to do it."""
    database = wiring.database
    found = await work.unfinished(database, source=wanted.key, kind=wanted.kind.name, parameters=wanted.parameters)
    request_id = found or f"cli-{secrets.token_hex(8)}"
    if found is None:
        await work.ask(
            database,
            source=wanted.key,
            request_id=request_id,
            kind=wanted.kind.name,
            parameters=wanted.parameters,
        )
    done = asyncio.Event()
    leading = asyncio.create_task(_lead(wanted, wiring=wiring, clock=clock, stop=done))
    try:
        patient_until = clock.monotonic() + patience_seconds
        while True:
            state = await work.read(database, source=wanted.key, request_id=request_id)
            if state is not None:
                show(state)
                if state.state in ("succeeded", "failed"):
                    return state
                if state.state == "running":
                    patient_until = clock.monotonic() + patience_seconds
            if leading.done():
                leading.result()
            if wanted.source is None and clock.monotonic() > patient_until:
                raise NobodyLeads(wanted.kind.name)
            if await pause(stop, LOOK_SECONDS):
                raise Interrupted
    finally:
        done.set()
        await asyncio.gather(leading, return_exceptions=True)


async def _lead(wanted: Wanted, *, wiring: Wiring, clock: Clock, stop: asyncio.Event) -> None:
    """Take the lead if nobody has it. Whoever has the Lease of a cluster takes it from us."""
    if wanted.source is None:
        return
    source = wanted.source
    timing = wiring.settings.timing()
    row = LeaderRow(wiring.database, lease=LEASE, holder=wiring.holder, duration_seconds=timing.lease_duration)

    async def lead(epoch: Epoch, ending: asyncio.Event) -> None:
        log.info("nobody leads: this process does the work itself", kind=wanted.kind.name)
        leading = Leading(wiring=wiring, epoch=epoch, clock=clock, ending=ending, sources=lambda: {source.key: source})
        await WorkRunner(leading, (wanted.kind,), look_seconds=LOOK_SECONDS).run()

    await Leadership(row, timing=timing, lease=LEASE).run(lead, stop=stop)
