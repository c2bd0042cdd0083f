"""The edge of HTTP: each request goes through here once, whatever becomes of it.

Everything that is known to go wrong becomes a problem document; what is not is a 500 with a log line. A line and the
metrics of each request hold its route and never its path or query, which hold ids and names.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, cast

import structlog
from sanic import HTTPResponse, Request
from sanic import exceptions as sanic_errors
from sanic.compat import Header
from sanic.handlers import ErrorHandler
from sanic.http import Http
from sanic.response import raw

from mixhaul_api import docs_page, encoding, metrics
from mixhaul_api.answering import Answered, Asked, answer
from mixhaul_api.call import Services
from mixhaul_api.cors import Cors
from mixhaul_api.docs_page import Asset
from mixhaul_api.failures import problem_response
from mixhaul_api.routes import ROUTES, Route

if TYPE_CHECKING:
    import asyncio

log = structlog.get_logger("mixhaul_api.request")

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TEMPLATES: Final = {route.operation: route.path for route in ROUTES}

Handler = Callable[..., Coroutine[Any, Any, HTTPResponse | None]]


def handler_of(route: Route[Any, Any], services: Services) -> Handler:
    """Sanic's handler for a route."""

    async def handle(request: Request, **path: str) -> HTTPResponse | None:
        method = metrics.known_method(request.method)
        _begin(request)
        with metrics.IN_PROGRESS.labels(route.path, method).track_inprogress():
            try:
                answered = await answer(route, services, _asked(request, path))
                if not isinstance(answered.body, bytes):
                    await _stream(request, answered, answered.body, route=route, services=services)
                    return None
                response = _whole(request, answered, answered.body)
            except Exception as error:  # noqa: BLE001  (the edge of a request)
                response = problem_response(request, error)
        return _finish(request, response, route=route.path, services=services, negotiated=bool(route.media))

    return handle


def _asked(request: Request, path: dict[str, str]) -> Asked:
    header = request.headers.get
    return Asked(
        address=request.url,
        path=request.path,
        path_values=path,
        query=request.query_string,
        authorization=header("authorization"),
        accept=header("accept"),
        if_none_match=header("if-none-match"),
        content_type=header("content-type"),
        body=request.body,
        request_id=request.ctx.request_id,
        headers=request.ctx.headers,
    )


def _whole(request: Request, answered: Answered, body: bytes) -> HTTPResponse:
    headers = dict(answered.headers)
    coding = encoding.coding(request.headers.get("accept-encoding")) if len(body) >= encoding.SMALLEST else None
    if coding is not None:
        body = encoding.compressed(body, coding)
        headers["Content-Encoding"] = coding
    return HTTPResponse(body, status=answered.status, content_type=answered.content_type, headers=headers)


async def _stream(
    request: Request, answered: Answered, body: AsyncIterator[bytes], *, route: Route[Any, Any], services: Services
) -> None:
    """Send a stream. What fails before its first piece is a problem document; what fails later cuts it off."""
    coding = encoding.coding(request.headers.get("accept-encoding"))
    if coding is not None:
        body = encoding.stream(body, coding)
    first = await anext(body, b"")
    headers = dict(answered.headers) | ({} if coding is None else {"Content-Encoding": coding})
    response = HTTPResponse(status=answered.status, headers=headers, content_type=answered.content_type)
    _finish(request, response, route=route.path, services=services, negotiated=bool(route.media))
    sent = await request.respond(response)
    try:
        await sent.send(first)
        async for piece in body:
            await sent.send(piece)
        await sent.eof()
    except Exception:
        log.exception("a stream was cut off", request_id=request.ctx.request_id)
        # Without its last chunk the answer is seen to be incomplete.
        cast("asyncio.Transport", request.transport).abort()


class ApiRequest(Request):
    """Sanic answers rubbish through a request without a method, and fails once more where the URL is the rubbish."""

    def __init__(self, url_bytes: bytes, headers: Header, version: str, method: str, *rest: Any, **named: Any) -> None:
        try:
            super().__init__(url_bytes, headers, version, method, *rest, **named)
        except sanic_errors.BadURL:
            if method != "NONE":
                raise
            super().__init__(b"*", headers, version, method, *rest, **named)


class Errors(ErrorHandler):
    """What no route answered: no such route or method, bodies too large, rubbish instead of HTTP."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services

    def response(self, request: Request, exception: Exception) -> HTTPResponse:
        _begin(request)
        response = _preflight(request, exception, self._services.cors) or problem_response(request, exception)
        return _finish(request, response, route=_template(request), services=self._services)


def _preflight(request: Request, exception: Exception, cors: Cors) -> HTTPResponse | None:
    """The answer to a browser that asks whether a page may call a route; None where this is no such question."""
    if request.method != "OPTIONS" or not isinstance(exception, sanic_errors.MethodNotAllowed):
        return None
    if "access-control-request-method" not in request.headers:
        return None
    headers = cors.preflight(request.headers.get("origin"), exception.allowed_methods or ())
    return None if headers is None else HTTPResponse(status=204, headers=headers)


def constant(asset: Asset, services: Services, *, route: str) -> Handler:
    """A handler that always answers the same, to anybody."""

    async def handle(request: Request) -> HTTPResponse:
        _begin(request)
        headers = {
            "Cache-Control": "no-cache",
            "Content-Security-Policy": docs_page.POLICY,
            "Referrer-Policy": "no-referrer",
        }
        response = raw(asset.body, headers=headers, content_type=asset.content_type)
        return _finish(request, response, route=route, services=services)

    return handle


def _template(request: Request) -> str:
    """The route of a request whose handler did not get as far as to answer."""
    name = "" if request.route is None else request.route.name.rpartition(".")[2]
    return _TEMPLATES.get(name, metrics.UNMATCHED)


def _begin(request: Request) -> None:
    if hasattr(request.ctx, "request_id"):
        return
    sent = request.headers.get("x-request-id", "")
    request.ctx.request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
    request.ctx.began = time.perf_counter()
    # For the answer, whatever it will be.
    request.ctx.headers = {}


def _finish(
    request: Request, response: HTTPResponse, *, route: str, services: Services, negotiated: bool = False
) -> HTTPResponse:
    seconds = time.perf_counter() - request.ctx.began
    method = metrics.known_method(request.method)
    code = str(int(response.status))
    metrics.REQUESTS.labels(route, method, code).inc()
    metrics.DURATION.labels(route, method, code).observe(seconds)
    response.headers.update(request.ctx.headers)
    response.headers.update(services.cors.headers(request.headers.get("origin")))
    varies = ("Accept-Encoding", "Accept" if negotiated else "", "Origin" if services.cors.origins else "")
    response.headers["Vary"] = ", ".join(filter(None, varies))
    response.headers["X-Request-ID"] = request.ctx.request_id
    response.headers["X-Content-Type-Options"] = "nosniff"
    if services.state.stopping and isinstance(request.stream, Http):
        request.stream.keep_alive = False
    log.info(
        "request",
        method=method,
        route=route,
        status=int(response.status),
        milliseconds=round(seconds * 1000, 1),
        request_id=request.ctx.request_id,
    )
    return response
