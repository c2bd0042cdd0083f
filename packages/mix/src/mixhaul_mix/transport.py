"""HTTP to MiX: one call, one attempt, one whole answer or an error that says what is known.

The only module that imports httpx. It guarantees that the body is whole by its own length, chunks and gzip, and within
a bound. It knows nothing of tokens, permits and pages, follows no redirect, keeps no cookie and reads no .netrc.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from mixhaul_mix import metrics
from mixhaul_mix.bodies import BodyBroken, BodyReader, BodyTooLarge
from mixhaul_mix.errors import (
    AnswerCutShort,
    AnswerTooLarge,
    ConnectionFailed,
    MixError,
    Timeout,
    UntrustedCertificate,
    UnusableCAFile,
    UnusableEndpoint,
)
from mixhaul_runtime.checkpoints import reached
from mixhaul_runtime.metrics import package_version

MAX_BODY_BYTES = 64 * 1024 * 1024
KEEPALIVE_SECONDS = 75.0
OFFSET_NOISE = timedelta(seconds=2)

BeforeSend = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds. The last four are for a whole call, from the moment its request is sent."""

    connect: float = 10.0
    write: float = 10.0
    pool: float = 10.0
    feed: float = 100.0
    history: float = 300.0
    support: float = 100.0
    identity: float = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """What to send. `endpoint` is its name in metrics and messages; headers and body may hold secrets."""

    endpoint: str
    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer, its body decoded. Header names are lower case; a repeated one is there repeatedly."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]


class _TooLateToSend(Exception):
    """The request may not be sent any more."""


class Transport:
    """One connection pool, for the data and the identity host."""

    def __init__(
        self, *, ca_file: Path | None = None, timeouts: Timeouts | None = None, max_body_bytes: int = MAX_BODY_BYTES
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self._max_body_bytes = max_body_bytes
        self._clock_offset = timedelta()
        # httpx logs each URL at INFO, httpcore each header at DEBUG.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = httpx.AsyncClient(
            verify=_tls(ca_file),
            trust_env=True,
            follow_redirects=False,
            http2=False,
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            limits=httpx.Limits(max_connections=256, max_keepalive_connections=128, keepalive_expiry=KEEPALIVE_SECONDS),
            headers={"User-Agent": f"mixhaul/{package_version()}", "Accept-Encoding": "gzip"},
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    @property
    def clock_offset(self) -> timedelta:
        """How far the servers' clock (`Date`, whole seconds) is ahead of ours; zero where it is noise."""
        return self._clock_offset

    async def call(
        self,
        request: Request,
        *,
        deadline_seconds: float,
        send_within_seconds: float | None = None,
        before_send: BeforeSend | None = None,
        max_body_bytes: int | None = None,
    ) -> Answer:
        """Send it once. `before_send` is awaited when the connection stands, just before the first byte leaves.

        A request that isn't sent `send_within_seconds` after this call is not sent at all, also where the process was
        stopped in between. `max_body_bytes` is a bound for this call alone.
        """
        began = asyncio.get_running_loop().time()
        call = _Call(self._client, request, self.timeouts, max_body_bytes or self._max_body_bytes)
        code = "cancelled"
        try:
            answer = await call.run(
                deadline_seconds=deadline_seconds, send_within_seconds=send_within_seconds, before_send=before_send
            )
            code = str(answer.status)
        except MixError as error:
            code = _code(error)
            raise
        finally:
            metrics.REQUESTS.labels(request.endpoint, code).inc()
            sent_at = call.sent_at if call.sent_at is not None else began
            metrics.REQUEST_SECONDS.labels(request.endpoint).observe(asyncio.get_running_loop().time() - sent_at)
        reached("answer_read")
        self._compare_clocks(answer)
        return answer

    def _compare_clocks(self, answer: Answer) -> None:
        dates = answer.header("date")
        try:
            theirs = parsedate_to_datetime(dates[0]) if dates else None
        except (ValueError, OverflowError):
            return
        if theirs is not None and theirs.tzinfo is not None:
            offset = theirs - datetime.now(UTC)
            self._clock_offset = offset if abs(offset) > OFFSET_NOISE else timedelta()


class _Call:
    """One attempt, and how far it came."""

    def __init__(self, client: httpx.AsyncClient, request: Request, timeouts: Timeouts, max_body_bytes: int) -> None:
        self._client = client
        self._request = request
        self._timeouts = timeouts
        self._max_body_bytes = max_body_bytes
        self._host = httpx.URL(request.url).host
        self._answering = False
        self.sent_at: float | None = None

    async def run(
        self, *, deadline_seconds: float, send_within_seconds: float | None, before_send: BeforeSend | None
    ) -> Answer:
        loop = asyncio.get_running_loop()
        send_before = None if send_within_seconds is None else loop.time() + send_within_seconds
        scope = asyncio.timeout_at(send_before)

        async def trace(name: str, info: dict[str, Any]) -> None:
            # A proxy's CONNECT passes here too; it carries nothing of ours.
            if name == "http11.send_request_headers.started" and info["request"].method != b"CONNECT":
                if before_send is not None:
                    await before_send()
                if send_before is not None and loop.time() > send_before:
                    raise _TooLateToSend
                scope.reschedule(loop.time() + deadline_seconds)
                self.sent_at = loop.time()
            elif name == "http11.send_request_body.complete" and self.sent_at is not None:
                reached("request_sent")

        timeout = httpx.Timeout(
            connect=self._timeouts.connect,
            write=self._timeouts.write,
            pool=self._timeouts.pool,
            read=deadline_seconds,
        )
        failure: MixError
        try:
            async with scope:
                return await self._exchange(timeout=timeout, trace=trace)
        except TimeoutError:
            if not scope.expired():
                raise
            failure = self._timeout("total" if self.sent_at is not None else "connect")
        except _TooLateToSend:
            failure = self._timeout("connect")
        except httpx.TimeoutException as error:
            failure = self._timeout(type(error).__name__.removesuffix("Timeout").lower())
        except (BodyTooLarge, BodyBroken) as error:
            failure = self._bad_body(error)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            failure = UnusableEndpoint("endpoint")
        except httpx.TransportError as error:
            failure = self._broken(error)
        # Raised out here, so that it has no context: httpx's errors carry the request with its secrets.
        raise failure

    async def _exchange(
        self, *, timeout: httpx.Timeout, trace: Callable[[str, dict[str, Any]], Awaitable[None]]
    ) -> Answer:
        async with self._client.stream(
            self._request.method,
            self._request.url,
            headers=self._request.headers,
            content=self._request.content,
            timeout=timeout,
            extensions={"trace": trace},
        ) as response:
            self._answering = True
            encoding = response.headers.get("content-encoding", "").strip().lower()
            reader = BodyReader(encoding, limit=self._max_body_bytes)
            async for chunk in response.aiter_raw():
                reader.feed(chunk)
            headers = tuple(
                (key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in response.headers.raw
            )
            return Answer(status=response.status_code, headers=headers, body=reader.whole())

    def _timeout(self, phase: str) -> Timeout:
        return Timeout(host=self._host, phase=phase, sent=self.sent_at is not None)

    def _bad_body(self, error: BodyTooLarge | BodyBroken) -> MixError:
        if isinstance(error, BodyTooLarge):
            return AnswerTooLarge(f"its body is larger than {self._max_body_bytes} bytes", answered=False)
        return AnswerCutShort(host=self._host, detail=str(error))

    def _broken(self, error: httpx.TransportError) -> MixError:
        causes = _chain(error)
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return UntrustedCertificate(host=self._host, detail=cause.verify_message)
        detail = next((word for word in map(_system_word, causes) if word), type(error).__name__)
        if self._answering:
            return AnswerCutShort(host=self._host, detail=detail)
        return ConnectionFailed(host=self._host, detail=detail, sent=self.sent_at is not None)


def base_url(text: str, *, which: str) -> str:
    """A base URL without its trailing slash. Raises UnusableEndpoint."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.query or url.fragment:
        raise UnusableEndpoint(which)
    return text.rstrip("/")


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError:  # SSLError is one
            raise UnusableCAFile(ca_file) from None
    return context


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain


def _system_word(error: BaseException) -> str | None:
    """The system's own word for it: all of these errors' texts that is safe to show."""
    match error:
        case ssl.SSLError():
            return f"TLS: {error.reason}" if error.reason else "TLS"
        case socket.gaierror():
            return error.strerror
        case OSError() if error.errno:
            return os.strerror(error.errno)
        case _:
            return None


def _code(error: MixError) -> str:
    match error:
        case Timeout():
            return "timeout"
        case AnswerCutShort():
            return "cut-short"
        case AnswerTooLarge():
            return "too-large"
        case ConnectionFailed():
            return "reset" if error.sent else "unreachable"
        case UntrustedCertificate():
            return "untrusted"
        case _:
            return "unusable"
