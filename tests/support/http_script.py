"""A server over real sockets that answers each request with the next step of a script, byte for byte.

What HTTP libraries would never send (bodies cut short, odd headers, resets in the middle) is what it is for.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came."""

    method: str
    target: str
    headers: Headers
    body: bytes
    connection: int

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


Step = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


def raw(data: bytes, *, then: str = "close", pause_before: float = 0.0, pieces: tuple[bytes, ...] = ()) -> Step:
    """Send these bytes (and then these pieces, each on its own), then `close`, `reset`, `keep` or `hang`."""

    async def step(_: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(pause_before)
        for part in (data, *pieces):
            if part:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.01 if pieces else 0)
        if then == "hang":
            await asyncio.sleep(3600)
        if then == "reset":
            _reset(writer)
        elif then == "close":
            writer.close()

    return step


def message(status: int = 200, body: bytes = b"", headers: Headers = (), *, length: int | None = None) -> bytes:
    """The bytes of an answer with a Content-Length (`length` lies about it)."""
    lines = [f"HTTP/1.1 {status} Whatever"]
    lines += [f"{name}: {value}" for name, value in headers]
    if status != 204:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def answer(status: int = 200, body: bytes = b"", headers: Headers = (), *, gzipped: bool = False) -> Step:
    """A correct answer on a connection that stays open."""
    if gzipped:
        body, headers = gzip.compress(body), (*headers, ("Content-Encoding", "gzip"))
    return raw(message(status, body, headers), then="keep")


def page(
    body: bytes = b"[]",
    *,
    more: str | None = "False",
    token: str | None = "20260101000000000",
    status: int = 200,
    headers: Headers = (("Content-Type", "application/json"),),
    gzipped: bool = False,
) -> Step:
    """A page of a feed."""
    extra = tuple(
        (name, value) for name, value in (("HasMoreItems", more), ("GetSinceToken", token)) if value is not None
    )
    return answer(status, body, (*headers, *extra), gzipped=gzipped)


def reset() -> Step:
    """Break the connection with a RST instead of an answer."""
    return raw(b"", then="reset")


def hang() -> Step:
    """Never answer."""
    return raw(b"", then="hang")


class ScriptedServer:
    """Use as `async with`. `script` is consumed one step a request; then `otherwise` answers."""

    def __init__(self, *steps: Step, otherwise: Step | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.script: deque[Step] = deque(steps)
        self.otherwise = otherwise
        self.requests: list[Received] = []
        self.connections = 0
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Its base URL."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        try:
            while not writer.is_closing() and (request := await _read(reader, number)) is not None:
                self.requests.append(request)
                step = self.script.popleft() if self.script else self.otherwise
                if step is None:
                    raise AssertionError(f"no step left for {request.method} {request.target}")
                await step(request, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


async def _read(reader: asyncio.StreamReader, connection: int) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    return Received(method, target, headers, await reader.readexactly(length), connection)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
