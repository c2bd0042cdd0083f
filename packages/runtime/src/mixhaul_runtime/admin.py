"""`/livez`, `/readyz` and `/metrics` on a port of their own: a tiny HTTP server on asyncio.

Small on purpose: it reads one bounded request a connection, answers and closes. It does not guarantee anything to
clients that are slow or talk rubbish: they are answered with 4xx or cut off, and never hold more than their place.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import structlog

from mixhaul_runtime import metrics
from mixhaul_runtime.errors import PortTaken

__all__ = ["AdminServer", "Check", "PortTaken"]

log = structlog.get_logger("mixhaul_runtime.admin")

Check = Callable[[], str | None]

_LONGEST_REQUEST: Final = 16 * 1024
_SECONDS_TO_ASK: Final = 5.0
_SECONDS_TO_READ: Final = 10.0
_MOST_CONNECTIONS: Final = 64
_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    accept: str


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = _TEXT


class AdminServer:
    """Serves while its context is open.

    `ready` and `live` return None when all is well, otherwise the sentence that says what is not: it becomes the body
    of a 503. They run in the event loop, so they look at variables and never wait.
    """

    def __init__(self, port: int, *, host: str = "127.0.0.1", ready: Check, live: Check) -> None:
        self.port = port
        self._host = host
        self._ready = ready
        self._live = live
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(
                self._connected, self._host, self.port, limit=_LONGEST_REQUEST, backlog=128
            )
        except (OSError, OverflowError) as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise PortTaken(host=self._host, port=self.port, reason=reason) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= _MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.transport.abort()
        except asyncio.CancelledError:
            # Only our own closing cancels a connection; asyncio's streams would report it as an error.
            writer.transport.abort()
        except Exception:
            writer.transport.abort()
            log.exception("an admin request failed")
        finally:
            self._connections.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_SECONDS_TO_ASK):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.LimitOverrunError:
                head = None
        if head is None:
            request, answer = None, _plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request is too long")
        else:
            request = _parse(head)
            answer = self._answer(request)
        async with asyncio.timeout(_SECONDS_TO_READ):
            writer.write(_render(answer, body=request is None or request.method != "HEAD"))
            await writer.drain()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _answer(self, request: _Request | None) -> _Answer:
        if request is None:
            return _plain(HTTPStatus.BAD_REQUEST, "this is no HTTP request")
        if request.path not in ("/livez", "/readyz", "/metrics"):
            return _plain(HTTPStatus.NOT_FOUND, "there are /livez, /readyz and /metrics")
        if request.method not in ("GET", "HEAD"):
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED, "GET or HEAD only")
        if request.path == "/metrics":
            return _Answer(HTTPStatus.OK, *metrics.exposition(request.accept))
        return _checked(request.path, self._live if request.path == "/livez" else self._ready)


def _checked(name: str, check: Check) -> _Answer:
    try:
        problem = check()
    except Exception as error:
        log.exception("a health check failed itself", check=name)
        problem = f"the check itself failed: {type(error).__name__}"
    if problem is None:
        return _plain(HTTPStatus.OK, "ok")
    return _plain(HTTPStatus.SERVICE_UNAVAILABLE, problem)


def _plain(status: HTTPStatus, sentence: str) -> _Answer:
    return _Answer(status, sentence.encode("utf-8", "replace") + b"\n")


def _parse(head: bytes) -> _Request | None:
    """The parts of a request that matter here; None where it is no HTTP/1 request."""
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[1].startswith("/") or not parts[0].isalpha():
        return None
    headers = (line.partition(":") for line in lines if line)
    accept = ", ".join(value.strip() for name, _, value in headers if name.strip().lower() == "accept")
    return _Request(method=parts[0], path=parts[1].partition("?")[0], accept=accept)


def _render(answer: _Answer, *, body: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append("Allow: GET, HEAD")
    head = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
    return head + answer.body if body else head
