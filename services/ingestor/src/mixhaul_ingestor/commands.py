"""What the commands do once their arguments are read: open the database, run, close."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version

import orjson
import structlog
import typer
from rich.console import Console

from mixhaul_ingestor import backfill_command, retention_command, verify_command
from mixhaul_ingestor import live as live_view
from mixhaul_ingestor.ending import Ending, pause, unless
from mixhaul_ingestor.errors import Interrupted
from mixhaul_ingestor.garbage import collect_seldom
from mixhaul_ingestor.leadership import Anybody, Candidacy, Leadership
from mixhaul_ingestor.ledger import CallLedger
from mixhaul_ingestor.reprocess import reprocess as run_reprocess
from mixhaul_ingestor.reprocess import summary
from mixhaul_ingestor.settings import IngestorSettings
from mixhaul_ingestor.source_set import FixedSources, SourceSet
from mixhaul_ingestor.standalone import cipher, database_url
from mixhaul_ingestor.state import View
from mixhaul_ingestor.status import as_json as status_json
from mixhaul_ingestor.status import as_table
from mixhaul_ingestor.stream import Stream
from mixhaul_ingestor.sync import sync_source
from mixhaul_ingestor.wiring import Wiring
from mixhaul_runtime.admin import AdminServer
from mixhaul_runtime.clock import Clock, SystemClock
from mixhaul_runtime.metrics import set_build_info
from mixhaul_runtime.shutdown import stop_event
from mixhaul_source.manifest import Source
from mixhaul_store import progress, reprocessing, schema
from mixhaul_store.database import Database
from mixhaul_store.elections import LeaderRow
from mixhaul_store.errors import TransientStoreError
from mixhaul_store.reprocessing import Selection

log = structlog.get_logger("mixhaul_ingestor.commands")

LEASE = "ingestor"
STALLED_LOOP_SECONDS = 30.0
# After a signal; Kubernetes would wait for 30 s, and a person not even that.
END_WITHIN_SECONDS = 9.5


def holder(settings: IngestorSettings) -> str:
    """The process's name in elections: the host or pod, shortened to what PostgreSQL keeps, and a random part."""
    return f"{(settings.holder or socket.gethostname())[:40]}-{secrets.token_hex(4)}"


@asynccontextmanager
async def _opened(settings: IngestorSettings, *, connections: int) -> AsyncIterator[Wiring]:
    """The database (embedded where none is named), checked, and what belongs to it."""
    async with AsyncExitStack() as stack:
        url = stack.enter_context(database_url(settings))
        name = holder(settings)
        database = await stack.enter_async_context(
            Database(url, application_name=f"mixhaul:{name}", min_size=1, max_size=connections)
        )
        yield Wiring(database=database, cipher=cipher(settings), holder=name, settings=settings)


async def stream(
    settings: IngestorSettings, sources: Sequence[Source] | None, *, until_caught_up: bool, live: bool
) -> None:
    """Lead and read, until a signal comes or, where asked for, everything is caught up.

    Without sources it is the cluster that says which there are, and its Lease who tries to lead.
    """
    stop = stop_event(within_seconds=END_WITHIN_SECONDS)
    clock = SystemClock()
    set_build_info("ingestor")
    collect_seldom()
    view = View()
    ready = _Readiness()
    beat = _Heartbeat()
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(
            AdminServer(
                settings.admin_port,
                host=settings.admin_host,
                ready=ready.trouble,
                live=beat.trouble,
            )
        )
        log.info("admin port", port=admin.port)
        wiring = await stack.enter_async_context(_opened(settings, connections=settings.database_connections))
        # A pod may be there before its database; a person is told at once.
        await _schema(wiring.database, stop, patient=sources is None)
        source_set, candidacy = await _mode(settings, sources, wiring=wiring, clock=clock, ready=ready, stack=stack)
        timing = settings.timing()
        row = LeaderRow(wiring.database, lease=LEASE, holder=wiring.holder, duration_seconds=timing.lease_duration)
        work = Stream(source_set=source_set, wiring=wiring, view=view, clock=clock, until_caught_up=until_caught_up)
        done = asyncio.Event()
        background = [asyncio.create_task(beat.run(done))]
        if live:
            background.append(asyncio.create_task(live_view.show(view, clock=clock, console=Console(), ending=done)))
        try:
            await Leadership(row, timing=timing, lease=LEASE, candidacy=candidacy).run(work.lead, stop=stop)
        finally:
            done.set()
            await asyncio.gather(*background)
    if until_caught_up and not stop.is_set():
        failures = view.failures()
        for failure in failures[1:]:
            log.error("not caught up", error=str(failure))
        if failures:
            raise failures[0]


async def sync(settings: IngestorSettings, sources: Sequence[Source]) -> None:
    """Sync each source once; raises the first cause where something failed."""
    clock, ledger = SystemClock(), CallLedger()
    set_build_info("sync")
    stop = stop_event(within_seconds=END_WITHIN_SECONDS)
    async with _opened(settings, connections=4) as wiring:
        await _schema(wiring.database, stop)
        try:
            outcomes = [
                await unless(stop, sync_source(source, wiring=wiring, reason="sync", clock=clock, ledger=ledger))
                for source in sources
                if not source.spec.suspend
            ]
        except Ending:
            raise Interrupted from None
    for outcome in outcomes:
        for organisation, counts in outcome.counts.items():
            listed = ", ".join(f"{count} {what}" for what, count in counts.items())
            typer.echo(f"{outcome.source}, organisation {organisation}: {listed or 'nothing'}")
    causes = [cause for outcome in outcomes for cause in outcome.causes]
    for outcome in outcomes:
        for sentence in outcome.errors:
            log.error("sync failed", source=outcome.source, error=sentence)
    if causes:
        raise causes[0]


async def status(settings: IngestorSettings, *, as_json: bool) -> None:
    """Print the progress of every feed."""
    async with _opened(settings, connections=1) as wiring:
        await schema.require(wiring.database)
        rows = await progress.read(wiring.database)
    now = datetime.now(UTC)
    if as_json:
        typer.echo(orjson.dumps(status_json(rows, now=now), option=orjson.OPT_INDENT_2).decode())
    else:
        Console().print(as_table(rows, now=now))


async def reprocess(settings: IngestorSettings, selection: Selection, *, dry_run: bool, anew: bool) -> None:
    """Make the typed rows of stored answers anew, and print what that changed."""
    stop = stop_event(within_seconds=END_WITHIN_SECONDS)
    async with _opened(settings, connections=2) as wiring:
        await _schema(wiring.database, stop)
        run = await reprocessing.begin(
            wiring.database, selection, version=version("mixhaul-ingestor"), dry=dry_run, anew=anew
        )
        if run.resumed:
            typer.echo(f"Goes on where it was cut off: {run.pages} pages are left.")
        total = await run_reprocess(wiring.database, run, stop=stop, console=Console(stderr=True), dry=dry_run)
    typer.echo(summary(total, dry=dry_run))


async def backfill(
    settings: IngestorSettings,
    sources: Sequence[Source] | None,
    *,
    only_source: str | None,
    organisation: int | None,
    begin: datetime,
    end: datetime | None,
    dry_run: bool,
) -> None:
    """Read an interval from history once more, and print what came of it."""
    stop, clock = stop_event(within_seconds=END_WITHIN_SECONDS), SystemClock()
    async with _opened(settings, connections=4) as wiring:
        await _schema(wiring.database, stop)
        await backfill_command.backfill(
            wiring,
            clock=clock,
            stop=stop,
            sources=sources,
            only_source=only_source,
            organisation=organisation,
            begin=begin,
            end=end,
            dry_run=dry_run,
        )


async def verify(
    settings: IngestorSettings,
    sources: Sequence[Source] | None,
    *,
    only_source: str | None,
    organisation: int | None,
    begin: datetime,
    end: datetime | None,
    as_json: bool,
) -> None:
    """Compare days with MiX, fill what is missing, and print what came of it."""
    stop, clock = stop_event(within_seconds=END_WITHIN_SECONDS), SystemClock()
    async with _opened(settings, connections=4) as wiring:
        await _schema(wiring.database, stop)
        await verify_command.verify(
            wiring,
            clock=clock,
            stop=stop,
            sources=sources,
            only_source=only_source,
            organisation=organisation,
            begin=begin,
            end=end or clock.now(),
            as_json=as_json,
        )


async def retention(settings: IngestorSettings, sources: Sequence[Source] | None, *, dry_run: bool) -> None:
    """Show what has outlived its retention, or have the leader let it go."""
    stop, clock = stop_event(within_seconds=END_WITHIN_SECONDS), SystemClock()
    async with _opened(settings, connections=2) as wiring:
        await _schema(wiring.database, stop)
        if dry_run:
            await retention_command.show(wiring, sources=sources)
        else:
            await retention_command.let_go(wiring, clock=clock, stop=stop)


async def _mode(
    settings: IngestorSettings,
    sources: Sequence[Source] | None,
    *,
    wiring: Wiring,
    clock: Clock,
    ready: _Readiness,
    stack: AsyncExitStack,
) -> tuple[SourceSet, Candidacy]:
    """Who says what to haul, and who may try to lead."""
    if sources is not None:
        ready.look = _no_trouble
        return FixedSources(sources), Anybody()
    # Imported here: it costs 20 MB and a quarter of a second, and standalone nobody needs it.
    from mixhaul_ingestor.kubernetes import mode

    cluster = await stack.enter_async_context(mode.cluster(settings, holder=wiring.holder, clock=clock))
    ready.look = cluster.sources.trouble
    return cluster.sources, cluster.elector


def _no_trouble() -> str | None:
    return None


async def _schema(database: Database, stop: asyncio.Event, *, patient: bool = False) -> None:
    """Wait until the schema is this version's; a newer one is an error, and an absent database unless `patient`."""
    told: str | None = None
    while not stop.is_set():
        try:
            await database.check()
            break
        except TransientStoreError as error:
            if not patient:
                raise
            if str(error) != told:
                told = str(error)
                log.warning("waiting for the database", reason=told)
        await pause(stop, 2.0)

    async def sleep(seconds: float) -> None:
        await pause(stop, seconds)

    await schema.wait(database, stop=stop, sleep=sleep)


class _Readiness:
    """Readiness: the schema is there, and it is known what to haul."""

    def __init__(self) -> None:
        self.look: Callable[[], str | None] = lambda: "the database's schema is not there yet"

    def trouble(self) -> str | None:
        return self.look()


class _Heartbeat:
    """Liveness: that the event loop moves, never that data flows."""

    def __init__(self) -> None:
        self._last: float | None = None

    async def run(self, done: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while not done.is_set():
            self._last = loop.time()
            await pause(done, 1.0)

    def trouble(self) -> str | None:
        if self._last is None:
            return None
        late = asyncio.get_running_loop().time() - self._last
        return f"the event loop stood still for {late:.0f} s" if late > STALLED_LOOP_SECONDS else None
