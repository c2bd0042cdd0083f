"""The edge of HTTP: each request goes through here once, whatever becomes of it.

Everything that is known to go wrong becomes a problem document; what is not is a 500 with a log line. A line and the
metrics of each request hold its route and never its path or query, which hold ids and names.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
import structlog
from sanic import HTTPResponse, Request
from sanic import exceptions as sanic_errors
from sanic.compat import Header
from sanic.handlers import ErrorHandler
from sanic.http import Http
from sanic.response import raw

from mixhaul_api import docs_page, metrics, parsing
from mixhaul_api import problems as known
from mixhaul_api.call import Call, Services
from mixhaul_api.docs_page import Asset
from mixhaul_api.failures import RETRY, problem_response
from mixhaul_api.parameters.common import NOTHING
from mixhaul_api.problems import Problem
from mixhaul_api.representation import JSON, Representation, accepted
from mixhaul_api.routes import ROUTES, Route
from mixhaul_api.state import State

if TYPE_CHECKING:
    import asyncio

log = structlog.get_logger("mixhaul_api.request")

LONGEST_ADDRESS: Final = 4096
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TEMPLATES: Final = {route.operation: route.path for route in ROUTES}

KEPT: Final = "private, no-cache"

Handler = Callable[..., Coroutine[Any, Any, HTTPResponse | None]]


def handler_of(route: Route[Any, Any], services: Services) -> Handler:
    """Sanic's handler for a route."""

    async def handle(request: Request, **path: str) -> HTTPResponse | None:
        method = metrics.known_method(request.method)
        _begin(request)
        with metrics.IN_PROGRESS.labels(route.path, method).track_inprogress():
            try:
                answer = await _answer(route, services, request, path)
                if isinstance(answer, Representation) and not isinstance(answer.body, bytes):
                    return await _stream(request, answer, answer.body, route=route.path, state=services.state)
                response = _whole(answer)
            except Exception as error:  # noqa: BLE001  (the edge of a request)
                response = problem_response(request, error)
        return _finish(request, response, route=route.path, stopping=services.state.stopping)

    return handle


def _whole(answer: Mapping[str, object] | Representation) -> HTTPResponse:
    kept = {"Cache-Control": KEPT}
    if isinstance(answer, Representation):
        return HTTPResponse(answer.body, content_type=answer.content_type, headers=kept | dict(answer.headers))
    return HTTPResponse(orjson.dumps(answer), content_type=JSON, headers=kept)


async def _stream(
    request: Request, answer: Representation, body: AsyncIterator[bytes], *, route: str, state: State
) -> HTTPResponse | None:
    """Send a stream. What fails before its first piece is a problem document; what fails later cuts it off."""
    first = await anext(body, b"")
    headers = {"Cache-Control": KEPT} | dict(answer.headers)
    response = HTTPResponse(headers=headers, content_type=answer.content_type)
    _finish(request, response, route=route, stopping=state.stopping)
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
    return None


async def _answer(
    route: Route[Any, Any], services: Services, request: Request, path: dict[str, str]
) -> Mapping[str, object] | Representation:
    if len(request.url) > LONGEST_ADDRESS:
        raise Problem(known.URI_TOO_LONG, f"The address is longer than {LONGEST_ADDRESS} characters.")
    caller = await services.verifier.caller(request.headers.get("authorization"))
    if caller.roles.isdisjoint(route.roles):
        needed = ", ".join(sorted(route.roles))
        raise Problem(known.FORBIDDEN, f"This needs a token with one of these in its claim `roles`: {needed}.")
    if route.whole_organisation and caller.sites is not None:
        raise Problem(known.FORBIDDEN, "This needs a token that is not limited to some sites.")
    accept = accepted(request.headers.get("accept"), (JSON, *route.media)) if route.media else JSON
    parameters = parsing.parameters(route.parameters, path=path, query=request.query_string)
    body: object = NOTHING
    if route.has_body:
        body = parsing.body(route.body, content_type=request.headers.get("content-type"), raw=request.body)
    if services.state.waiting_for is not None:
        raise Problem(known.UNAVAILABLE, f"The API is starting: {services.state.waiting_for}.", headers=RETRY)
    return await route.handler(
        Call(
            services=services,
            caller=caller,
            scope=await services.directory.permitted(caller),
            parameters=parameters,
            body=body,
            request_id=request.ctx.request_id,
            accept=accept,
        )
    )


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
        response = problem_response(request, exception)
        return _finish(request, response, route=_template(request), stopping=self._services.state.stopping)


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
        return _finish(request, response, route=route, stopping=services.state.stopping)

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


def _finish(request: Request, response: HTTPResponse, *, route: str, stopping: bool) -> HTTPResponse:
    seconds = time.perf_counter() - request.ctx.began
    method = metrics.known_method(request.method)
    code = str(int(response.status))
    metrics.REQUESTS.labels(route, method, code).inc()
    metrics.DURATION.labels(route, method, code).observe(seconds)
    response.headers["X-Request-ID"] = request.ctx.request_id
    response.headers["X-Content-Type-Options"] = "nosniff"
    if stopping and isinstance(request.stream, Http):
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
