"""The operator as a whole: what runs beside what, and in which order it begins and ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import kopf
import structlog
from prometheus_client import REGISTRY

from mixhaul_operator import deletion, requests, watching
from mixhaul_operator.errors import DatabaseNotConfigured, KubeError, OperatorError, WatchEnded
from mixhaul_operator.health import Health
from mixhaul_operator.kube import connected
from mixhaul_operator.listing import Listing
from mixhaul_operator.metrics import SourceCollector
from mixhaul_operator.naming import FINALIZER
from mixhaul_operator.progress import Progress
from mixhaul_operator.reconcile import Reconciler
from mixhaul_operator.settings import OperatorSettings
from mixhaul_operator.steps import Tools
from mixhaul_operator.workqueue import WorkQueue
from mixhaul_operator.world import World
from mixhaul_runtime.admin import AdminServer
from mixhaul_runtime.clock import SystemClock
from mixhaul_runtime.metrics import set_build_info
from mixhaul_runtime.shutdown import stop_event
from mixhaul_store.database import Database
from mixhaul_store.errors import StoreError

log = structlog.get_logger("mixhaul_operator.running")

# What is deleted between our first LIST and the first of the watches is seen by neither.
_SECOND_LIST_SECONDS: Final = 5.0
_LIST_AGAIN_SECONDS: Final = 300.0
_FIRST_LIST_TRIES_SECONDS: Final = 2.0


async def run(settings: OperatorSettings) -> None:
    """Until SIGTERM, or until it can't go on: then an `OperatorError` says why."""
    if settings.database_url is None:
        raise DatabaseNotConfigured
    stop = stop_event()
    set_build_info("operator")
    clock, world = SystemClock(), World()
    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(connected())
        database = await stack.enter_async_context(
            Database(settings.database_url.get_secret_value(), application_name="mixhaul:operator", max_size=4)
        )
        reconciler: Reconciler | None = None

        async def work(name: str) -> None:
            assert reconciler is not None  # noqa: S101 - set before the queue runs
            await reconciler(name)

        queue = WorkQueue(
            work, workers=settings.workers, is_known=lambda error: isinstance(error, OperatorError | StoreError)
        )
        listing = Listing(
            kube, world, queue, clock=clock, namespace=settings.namespace, pod_template=settings.pod_template
        )
        incoming = watching.Incoming(world, queue, pod_template=settings.pod_template, relisted=listing.soon)
        progress = Progress(
            database,
            clock=clock,
            period_seconds=settings.progress_seconds,
            patience_seconds=settings.database_patience_seconds,
            wanted_requests=lambda: wanted_requests(world, namespace=settings.namespace),
            after_reading=incoming.everything,
        )
        reconciler = Reconciler(Tools(kube=kube, world=world, progress=progress, clock=clock, settings=settings))
        health = Health(kube=kube, listing=listing, clock=clock)
        admin = await stack.enter_async_context(
            AdminServer(settings.admin_port, host=settings.admin_host, ready=health.ready, live=health.live)
        )
        log.info("admin port", port=admin.port)
        collector = SourceCollector(
            sources=world.sources.values,
            totals=lambda: progress.snapshot.totals if progress.snapshot is not None else (),
            now=clock.now,
        )
        REGISTRY.register(collector)
        stack.callback(REGISTRY.unregister, collector)
        if not await _first_list(listing, stop):
            return
        log.info("watching", namespace=settings.namespace, sources=len(list(world.sources.names())))
        async with _running(
            health.run(),
            queue.run(),
            progress.run(),
            listing.run(first_seconds=_SECOND_LIST_SECONDS, every_seconds=_LIST_AGAIN_SECONDS),
        ) as end:
            await _watch(incoming, end=end, settings=settings, stop=stop)
    log.info("ended")


def wanted_requests(world: World, *, namespace: str) -> list[tuple[str, str]]:
    """The rows whose state is of interest: requests that are not answered for good, and deletions under way."""
    found = []
    for source in world.sources.values():
        metadata = source["metadata"]
        key = f"{namespace}/{metadata['name']}"
        want = requests.wanted(metadata.get("annotations") or {})
        last = (source.get("status") or {}).get("lastRequest")
        if want is not None and want.problem is None:
            answered = last is not None and last.get("id") == want.request_id and not requests.is_followed(last)
            if not answered:
                found.append((key, want.request_id))
        if metadata.get("deletionTimestamp") and FINALIZER in (metadata.get("finalizers") or ()):
            found.append((key, deletion.request_id(str(metadata["uid"]))))
    return found


async def _first_list(listing: Listing, stop: asyncio.Event) -> bool:
    """An API server that is away when we start is waited for; false when the wait was ended by a signal."""
    told: str | None = None
    while not stop.is_set():
        try:
            await listing.everything()
        except KubeError as error:
            if str(error) != told:
                told = str(error)
                log.warning("waiting for the API server", error=told)
            listing.trouble = str(error)
            try:
                async with asyncio.timeout(_FIRST_LIST_TRIES_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue
        else:
            return True
    return False


@asynccontextmanager
async def _running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Event]:
    """Our own tasks, beside whatever the body does. They end when the event is set, or with the body.

    kopf waits at its end for every task that was not there at its beginning, so ours have to be.
    """
    end = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(each) for each in work]

        async def finish() -> None:
            await end.wait()
            for each in running:
                each.cancel()

        finisher = tasks.create_task(finish())
        # Each begins before kopf does.
        await asyncio.sleep(0)
        try:
            yield end
        finally:
            end.set()
            await finisher


async def _watch(
    incoming: watching.Incoming, *, end: asyncio.Event, settings: OperatorSettings, stop: asyncio.Event
) -> None:
    async def cleanup() -> None:
        end.set()
        await asyncio.sleep(0)

    before = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=watching.registry(incoming, cleanup=cleanup),
        settings=watching.settings(pod_template=settings.pod_template),
        namespaces=[settings.namespace],
        standalone=True,
        stop_flag=stop,
    )
    # kopf has put its own handlers in place of ours, and the first signal would be lost on us.
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    try:
        await kopf.run_tasks(tasks, ignored=before)
    except Exception as error:
        raise WatchEnded(str(error) or type(error).__name__) from error
    if not stop.is_set():
        raise WatchEnded("kopf stopped by itself")
