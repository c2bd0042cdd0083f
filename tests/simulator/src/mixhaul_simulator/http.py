"""A small HTTP/1.1 server with a hand on every byte: answers can be late, slow, cut short or reset.

It speaks to test clients on loopback: keep-alive, Content-Length bodies, no TLS, no chunked request bodies.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import unquote

from mixhaul_simulator.errors import BadRequest

log = logging.getLogger(__name__)

_LONGEST_HEAD: Final = 64 * 1024
_LONGEST_BODY: Final = 16 * 1024 * 1024
_REASONS: Final = {
    200: "OK",
    204: "No Content",
    206: "Partial Content",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


@dataclass(slots=True)
class Request:
    """One request, whole. `path` is percent-decoded, `query` is not."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    received: float

    @property
    def accepts_gzip(self) -> bool:
        return "gzip" in self.headers.get("accept-encoding", "")


@dataclass(slots=True)
class Wire:
    """What happens to an answer on its way. `cut` is the share of the body that still gets out."""

    delay_seconds: float = 0.0
    trickle_seconds: float = 0.0
    cut: float | None = None
    cut_head: bool = False
    ending: Literal["fin", "reset", "hang"] = "fin"
    silent: bool = False


@dataclass(slots=True)
class Response:
    """One answer. `started` is called with the first byte, `sent` with the last one of a whole answer.

    Not `usable`: whatever arrives, a client can't take it for the answer.
    """

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: list[tuple[str, str]] = field(default_factory=list)
    wire: Wire | None = None
    usable: bool = True
    started: Callable[[], None] | None = None
    sent: Callable[[], None] | None = None

    def head(self, *, close: bool) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Unknown')}"]
        if self.status != 204:
            lines.append(f"Content-Type: {self.content_type}")
            lines.append(f"Content-Length: {len(self.body)}")
        lines.extend(f"{name}: {value}" for name, value in self.headers)
        if close:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


Handler = Callable[[Request], Awaitable[Response]]


class Connection(asyncio.Protocol):
    """One client: requests are answered one after the other; the running answer ends with the connection."""

    def __init__(self, handler: Handler, open_connections: set[Connection]) -> None:
        self._handler = handler
        self._open = open_connections
        self._buffer = bytearray()
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._continued = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._pump()

    def abort(self) -> None:
        self._transport.abort()

    def _pump(self) -> None:
        if self._task is not None or self._transport.is_closing():
            return
        try:
            request = self._parse()
        except BadRequest as error:
            self._transport.write(Response(400, str(error).encode(), "text/plain; charset=utf-8").head(close=True))
            self._transport.write(str(error).encode())
            self._transport.close()
            return
        if request is not None:
            self._task = asyncio.get_running_loop().create_task(self._answer(request))

    def _parse(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_HEAD:
                raise BadRequest("the head of the request is too long")
            return None
        method, path, query, headers = parse_head(bytes(self._buffer[:end]))
        length = body_length(headers)
        if len(self._buffer) < end + 4 + length:
            if headers.get("expect", "").lower() == "100-continue" and not self._continued:
                self._continued = True
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        self._continued = False
        return Request(method, path, query, headers, body, time.monotonic())

    async def _answer(self, request: Request) -> None:
        try:
            try:
                response = await self._handler(request)
            except Exception:  # the edge of a request: the simulator must outlive its own mistakes
                log.exception("the simulator failed at %s %s", request.method, request.path)
                response = Response(500, b'{"Message":"The simulator itself failed; see its log."}')
            close = request.headers.get("connection", "").lower() == "close"
            await self._deliver(response, close=close)
            await self._writable.wait()
        finally:
            self._task = None
        self._pump()

    async def _deliver(self, response: Response, *, close: bool) -> None:
        wire = response.wire
        if wire is None:
            if response.started is not None:
                response.started()
            self._transport.writelines((response.head(close=close), response.body))
            if response.sent is not None:
                response.sent()
            if close:
                self._transport.close()
            return
        await self._deliver_damaged(response, wire, close=close)

    async def _deliver_damaged(self, response: Response, wire: Wire, *, close: bool) -> None:
        if wire.delay_seconds:
            await asyncio.sleep(wire.delay_seconds)
        if wire.silent:
            await self._end(wire)
            return
        if response.started is not None:
            response.started()
        head = response.head(close=close)
        if wire.cut_head:
            self._transport.write(head[: len(head) // 2])
            await self._end(wire)
            return
        self._transport.write(head)
        body = response.body if wire.cut is None else response.body[: int(len(response.body) * wire.cut)]
        if wire.trickle_seconds:
            pieces = 10
            size = len(body) // pieces + 1
            for start in range(0, len(body), size):
                await asyncio.sleep(wire.trickle_seconds / pieces)
                self._transport.write(body[start : start + size])
        else:
            self._transport.write(body)
        if wire.cut is not None:
            await self._writable.wait()
            await self._end(wire)
            return
        if response.sent is not None:
            response.sent()
        if close:
            self._transport.close()

    async def _end(self, wire: Wire) -> None:
        if wire.ending == "hang":
            await asyncio.Event().wait()  # until connection_lost cancels it
        if wire.ending == "reset":
            # Let what was written leave first; with linger 0 the close is an RST.
            await asyncio.sleep(0.02)
            endpoint: socket.socket | None = self._transport.get_extra_info("socket")
            if endpoint is not None:
                endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
            return
        self._transport.close()


def parse_head(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    """Method, decoded path, raw query and headers with lower-case names."""
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest("the request line is not HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest("a header line has no colon")
        headers[name.strip().lower()] = value.strip()
    path, _, query = parts[1].partition("?")
    return parts[0], unquote(path), query, headers


def body_length(headers: dict[str, str]) -> int:
    """How many bytes of body follow the head."""
    if "transfer-encoding" in headers:
        raise BadRequest("send a Content-Length: chunked requests are not read here")
    text = headers.get("content-length", "0")
    if not text.isdecimal() or int(text) > _LONGEST_BODY:
        raise BadRequest(f"Content-Length must be a number up to {_LONGEST_BODY}")
    return int(text)


class Server:
    """A listening port. `stop` drops every connection at once."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, *, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self._handler, self._connections), host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.sleep(0)
