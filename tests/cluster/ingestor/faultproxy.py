"""A TCP proxy that misbehaves as networks do, between a process and its API server. TLS goes through untouched.

It runs an event loop in a thread of its own; every method may be called from the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self

Mode = Literal["pass", "hang", "refuse"]


@dataclass(eq=False)
class _Link:
    """One connection from a client, and ours to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    dead: bool = False
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class FaultProxy:
    """`port` is where to connect. What hangs is delivered later; what is half-open never is."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._mode: Mode = "pass"
        self._delay = 0.0
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0
        self.accepted = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._start)
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    # -- what the test does

    def passing(self, *, delay: float = 0.0) -> None:
        """Let everything through, each chunk so many seconds late; what hung comes now."""
        self._set("pass", delay)

    def hang(self) -> None:
        """Connections stay, new ones are taken, nothing gets through: until `passing`."""
        self._set("hang", 0.0)

    def refuse(self) -> None:
        """New connections are reset at once; those that are there stay."""
        self._set("refuse", 0.0)

    def half_open(self) -> None:
        """Every connection that is there is dead without knowing it; new ones work."""

        def kill() -> None:
            for link in self._links:
                link.dead = True

        self._do(kill)

    def reset(self) -> None:
        """Every connection that is there is reset; new ones work."""

        def abort() -> None:
            for link in list(self._links):
                _abort(link)

        self._do(abort)

    # -- the loop

    def _do(self, what: Callable[[], None]) -> None:
        async def run() -> None:
            what()

        self._call(run)

    def _call(self, what: Callable[[], object]) -> None:
        async def run() -> None:
            found = what()
            if asyncio.iscoroutine(found):
                await found

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=20)

    def _set(self, mode: Mode, delay: float) -> None:
        def change() -> None:
            self._mode, self._delay = mode, delay
            if mode == "hang":
                self._passing.clear()
            else:
                self._passing.set()

        self._do(change)

    async def _start(self) -> None:
        self._passing.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for link in list(self._links):
            _abort(link)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = _Link(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._links.add(link)
        try:
            if self._mode == "refuse":
                return
            await self._passing.wait()
            from_server, link.server = await asyncio.open_connection(*self._target)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, link.server, link))
                pumps.create_task(self._pump(from_server, writer, link))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            _abort(link)
            self._links.discard(link)
            self._tasks.discard(task)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: _Link) -> None:
        while chunk := await source.read(65536):
            await self._passing.wait()
            if self._delay:
                await asyncio.sleep(self._delay)
            if link.dead:
                continue
            sink.write(chunk)
            await sink.drain()
        if link.dead:
            # Nobody hears of the end either.
            await asyncio.Event().wait()
        await self._passing.wait()
        with contextlib.suppress(OSError):
            sink.write_eof()
        # TLS over TCP: the other half ends on its own.


def _abort(link: _Link) -> None:
    for writer in (link.client, link.server):
        if writer is not None:
            writer.transport.abort()
