"""Serving: the port, the pool, the probes, and an end that cuts no request off."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, closing
from typing import Any, Final

import structlog

from mixhaul_api.answers import Answers
from mixhaul_api.app import create_app
from mixhaul_api.audit import Audit
from mixhaul_api.auth.setup import verifier
from mixhaul_api.call import Services
from mixhaul_api.cors import Cors, origins
from mixhaul_api.directory import Directory
from mixhaul_api.errors import PortUnavailable
from mixhaul_api.rate_limit import RateLimit
from mixhaul_api.report.form import form_of
from mixhaul_api.settings import ApiSettings
from mixhaul_api.state import State
from mixhaul_api.watch import wait_for_schema
from mixhaul_api.watermarks import Watermarks
from mixhaul_runtime import metrics
from mixhaul_runtime.admin import AdminServer
from mixhaul_runtime.clock import Clock
from mixhaul_store.database import Database

log = structlog.get_logger("mixhaul_api.server")

_STATEMENT_SECONDS: Final = 10.0
_POOL_SECONDS: Final = 3.0
_DRAIN_SECONDS: Final = 8.0
_DRAIN_LOOK_SECONDS: Final = 0.02
_ARRIVAL_SECONDS = 0.3


async def serve(settings: ApiSettings, database_url: str, *, clock: Clock, stop: asyncio.Event) -> None:
    """Answer until `stop` is set; then finish what was begun."""
    state = State()
    metrics.set_build_info("api")
    form = form_of(settings)
    with closing(listening(settings.api_host, settings.api_port)) as listener:
        primary = _database(database_url, settings, pool="main")
        replica = settings.read_database_url
        database = primary if replica is None else _database(replica.get_secret_value(), settings, pool="read")
        services = Services(
            database=database,
            primary=primary,
            directory=Directory(database, clock),
            verifier=verifier(settings, clock),
            state=state,
            form=form,
            watermarks=Watermarks(database, clock, listen=replica is None),
            answers=Answers(settings.api_cache_megabytes * 1024 * 1024),
            audit=Audit(primary, clock),
            rate_limit=RateLimit(settings.api_requests_per_minute, clock),
            cors=Cors(origins(settings.api_cors_origins)),
            clock=clock,
        )
        async with AsyncExitStack() as stack:
            admin = AdminServer(settings.admin_port, host=settings.admin_host, ready=state.unready, live=lambda: None)
            await stack.enter_async_context(admin)
            for opened in {primary, database}:
                await stack.enter_async_context(opened)
            async with _kept_up(services), _answering(services, listener):
                log.info("serving", url=url_of(listener), admin_port=admin.port)
                await _until_stopped(wait_for_schema(database, state, clock.sleep), stop)
                log.info("finishing open requests")


def _database(url: str, settings: ApiSettings, *, pool: str) -> Database:
    return Database(
        url,
        application_name="mixhaul:api",
        max_size=settings.api_connections,
        statement_timeout_seconds=_STATEMENT_SECONDS,
        wait_seconds=_POOL_SECONDS,
        pool=pool,
    )


@asynccontextmanager
async def _kept_up(services: Services) -> AsyncIterator[None]:
    """The tasks beside the requests; at the end, when all are answered, what was seen is recorded."""
    tasks = [
        asyncio.create_task(services.watermarks.keep(), name="watermarks"),
        asyncio.create_task(services.audit.keep(), name="audit"),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await services.audit.finish()


@asynccontextmanager
async def _answering(services: Services, listener: socket.socket) -> AsyncIterator[None]:
    """Sanic in this event loop; at the end no new connection, and every open request is answered."""
    os.environ.setdefault("SANIC_IGNORE_PRODUCTION_WARNING", "true")
    app = create_app(services)
    # Any, because Sanic's methods here have no types.
    server: Any = await app.create_server(sock=listener, return_asyncio_server=True, backlog=1024)
    await server.startup()
    await server.before_start()
    await server.start_serving()
    await server.after_start()
    try:
        yield
    finally:
        services.state.stopping = True
        server.close()
        # A connection that was accepted a moment ago is not idle: its request is on the way.
        await asyncio.sleep(_ARRIVAL_SECONDS)
        deadline = asyncio.get_running_loop().time() + _DRAIN_SECONDS
        while server.connections and asyncio.get_running_loop().time() < deadline:
            for connection in list(server.connections):
                connection.close_if_idle()
            await asyncio.sleep(_DRAIN_LOOK_SECONDS)
        for connection in list(server.connections):
            connection.abort()
        await server.before_stop()
        await server.after_stop()


async def _until_stopped(waiting: Coroutine[None, None, None], stop: asyncio.Event) -> None:
    """Wait for `stop`, and raise at once what the other one meets."""
    waiter = asyncio.create_task(waiting, name="waiting for the schema")
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({waiter, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if waiter.done():
            waiter.result()
        await stopped
    finally:
        for task in (waiter, stopped):
            task.cancel()
        await asyncio.gather(waiter, stopped, return_exceptions=True)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; PortUnavailable with a sentence where that can't be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except (OSError, UnicodeError) as error:
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number is not None and number > 0 else str(error)
        raise PortUnavailable(host=host, port=port, reason=reason) from error


def url_of(listener: socket.socket) -> str:
    """Where the API is."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
