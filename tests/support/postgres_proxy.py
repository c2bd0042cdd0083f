"""Stands between a program and PostgreSQL, and loses a COMMIT or its answer when it is told to.

It knows as much of the protocol as that takes: where messages begin, which ones carry COPY data, and which is a COMMIT.
No TLS.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Loss = Literal["request", "answer"]

_STARTUP_CODES = {80877102, 80877103, 80877104}


@dataclass
class Proxy:
    """`port` is where it listens on 127.0.0.1. `lose` is what happens to the next COMMIT after COPY data."""

    port: int
    lose: Loss | None = None
    lost: list[Loss] = field(default_factory=list)


@contextmanager
def postgres_proxy(port: int) -> Iterator[Proxy]:
    """Forwards to the server at that port of 127.0.0.1, from a thread of its own."""
    proxy = Proxy(port=0)
    loop = asyncio.new_event_loop()
    ready, end = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with asyncio.TaskGroup() as tasks:

            async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await tasks.create_task(_connection(proxy, port, reader, writer))

            server = await asyncio.start_server(accepted, "127.0.0.1", 0)
            proxy.port = server.sockets[0].getsockname()[1]
            ready.set()
            await end.wait()
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            loop.close()

    thread = threading.Thread(target=run, name="proxy of PostgreSQL")
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()


async def _connection(proxy: Proxy, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.transport.abort()
        return
    answers = asyncio.create_task(_answers(server_reader, writer))
    try:
        await _requests(proxy, reader, server_writer, answers)
    except (OSError, asyncio.IncompleteReadError, _Lost):
        pass
    finally:
        answers.cancel()
        await asyncio.gather(answers, return_exceptions=True)
        writer.transport.abort()
        server_writer.transport.abort()


class _Lost(Exception):
    """The connection ends here."""


async def _requests(
    proxy: Proxy, reader: asyncio.StreamReader, server: asyncio.StreamWriter, answers: asyncio.Task[None]
) -> None:
    await _start_up(reader, server)
    copied = False
    while True:
        head = await reader.readexactly(5)
        (length,) = struct.unpack("!I", head[1:])
        body = await reader.readexactly(length - 4)
        kind = head[:1]
        copied = copied or kind == b"d"
        if kind == b"Q" and body.upper().startswith(b"COMMIT"):
            if copied and proxy.lose is not None:
                loss, proxy.lose = proxy.lose, None
                if loss == "answer":
                    answers.cancel()
                    await asyncio.gather(answers, return_exceptions=True)
                    server.write(head + body)
                    await server.drain()
                    # Long enough for the server, which has nobody to tell.
                    await asyncio.sleep(0.3)
                proxy.lost.append(loss)
                raise _Lost
            copied = False
        server.write(head + body)
        await server.drain()


async def _start_up(reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
    """Packets without a type: requests for encryption, and the one that names user and database."""
    while True:
        head = await reader.readexactly(8)
        length, code = struct.unpack("!II", head)
        server.write(head + await reader.readexactly(length - 8))
        await server.drain()
        if code not in _STARTUP_CODES:
            return


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.transport.abort()
