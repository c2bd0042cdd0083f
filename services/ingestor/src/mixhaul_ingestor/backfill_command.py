"""`mixhaul-ingestor backfill`: asks for the interval, follows the work, and prints what came of it.

On a terminal it shows a bar, elsewhere a line now and then. The work goes on where the leader does it and this process
is ended; running it again follows the same request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mixhaul_ingestor import backfilling
from mixhaul_ingestor.asking import Wanted, done_by_leader
from mixhaul_ingestor.backfilling import Asked, meant
from mixhaul_ingestor.errors import BackfillIncomplete, NothingToBackfill
from mixhaul_ingestor.status import duration
from mixhaul_ingestor.wiring import Wiring
from mixhaul_runtime.clock import Clock
from mixhaul_source.manifest import Source
from mixhaul_store import organisations
from mixhaul_store.database import Database
from mixhaul_store.intervals import Interval, windows
from mixhaul_store.organisations import Organisation
from mixhaul_store.work import WorkState

LINE_SECONDS: Final = 10.0

Found = list[tuple[str, Source | None, list[Organisation]]]


async def backfill(
    wiring: Wiring,
    *,
    clock: Clock,
    stop: asyncio.Event,
    sources: Sequence[Source] | None,
    only_source: str | None,
    organisation: int | None,
    begin: datetime,
    end: datetime | None,
    dry_run: bool,
) -> None:
    """Raises `NothingToBackfill`, and `BackfillIncomplete` where a part could not be read."""
    now = clock.now()
    asked = Asked(begin, end or now, organisation)
    span = asked.span(now=now)
    found = await _found(wiring.database, sources, only_source=only_source, organisation=organisation)
    if span is None or not found:
        raise NothingToBackfill
    if dry_run:
        for key, _, mine in found:
            for one in mine:
                typer.echo(plan(key, one, span))
        return
    parameters = {"from": asked.begin.isoformat(), "to": asked.end.isoformat()}
    if organisation is not None:
        parameters["organisation"] = str(organisation)
    failures: list[str] = []
    with _Shown(clock) as shown:
        for key, source, _ in found:
            wanted = Wanted(key, backfilling.BACKFILL, parameters, source)
            state = await done_by_leader(wanted, wiring=wiring, clock=clock, stop=stop, show=shown.show)
            if state.state == "failed":
                failures.append(f"{key}: {state.message}")
            else:
                typer.echo(f"{key}: {state.message}")
    if failures:
        raise BackfillIncomplete("; ".join(failures))


def plan(source: str, organisation: Organisation, span: Interval) -> str:
    """What would be asked for, in words."""
    calls = len(windows(span))
    return (
        f"{source}, organisation {organisation.external_id}: {span.start.isoformat()} to {span.end.isoformat()}, "
        f"{calls} call{'' if calls == 1 else 's'} or more"
    )


async def _found(
    database: Database, sources: Sequence[Source] | None, *, only_source: str | None, organisation: int | None
) -> Found:
    """Whose data: the manifest's sources, or those that have an organisation. Suspended ones make no calls."""
    if sources is not None:
        keys: dict[str, Source | None] = {source.key: source for source in sources if not source.spec.suspend}
    else:
        keys = dict.fromkeys(await organisations.sources(database))
        if only_source is not None:
            keys = {key: None for key in keys if only_source in (key, key.partition("/")[2])}
    found: Found = []
    for key, source in keys.items():
        wanted = source.spec.organisation_ids if source else ()
        mine = meant(await organisations.by_source(database, key), wanted=wanted, only=organisation)
        if mine:
            found.append((key, source, mine))
    return found


class _Shown:
    """The progress, for a person who looks and for a log."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        console = Console(stderr=True)
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[new]:,} new"),
                console=console,
                transient=True,
            )
        self._rows: dict[int, Any] = {}
        self._last: tuple[float, str] = (0.0, "")

    def __enter__(self) -> _Shown:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, state: WorkState) -> None:
        """How far a request is."""
        total, left = state.progress.get("total_seconds"), state.progress.get("left_seconds")
        new = int(state.progress.get("inserted", 0))
        if self._bar is not None:
            if state.id not in self._rows:
                self._rows[state.id] = self._bar.add_task(state.source, total=None, new=0)
            done = None if total is None or left is None else total - left
            self._bar.update(self._rows[state.id], total=total, completed=done, new=new)
            return
        line = f"{state.source}: {state.state}"
        if left is not None:
            line += f", {duration(left)} left to read, {new:,} events were new"
        at, before = self._last
        now = self._clock.monotonic()
        if line != before and (now - at >= LINE_SECONDS or not before):
            typer.echo(line, err=True)
            self._last = (now, line)
