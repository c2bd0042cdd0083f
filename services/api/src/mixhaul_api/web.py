"""The edge of HTTP: each request goes through here once, whatever becomes of it.

Everything that is known to go wrong becomes a problem document; what is not is a 500 with a log line. A line and the
metrics of each request hold its route and never its path or query, which hold ids and names.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, Final

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
from mixhaul_api.errors import KeysUnavailable, TokenRefused
from mixhaul_api.parameters.common import NOTHING
from mixhaul_api.problems import Problem
from mixhaul_api.routes import ROUTES, Route
from mixhaul_store.errors import PermissionDenied, SchemaTooNew, StatementFailed, StoreError

log = structlog.get_logger("mixhaul_api.request")

LONGEST_ADDRESS: Final = 4096
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_RETRY: Final = {"Retry-After": "2"}
_TEMPLATES: Final = {route.operation: route.path for route in ROUTES}

Handler = Callable[..., Coroutine[Any, Any, HTTPResponse]]


def handler_of(route: Route[Any, Any], services: Services) -> Handler:
    """Sanic's handler for a route."""

    async def handle(request: Request, **path: str) -> HTTPResponse:
        method = metrics.known_method(request.method)
        _begin(request)
        with metrics.IN_PROGRESS.labels(route.path, method).track_inprogress():
            try:
                answer = await _answer(route, services, request, path)
                response = raw(orjson.dumps(answer), content_type="application/json")
                response.headers["Cache-Control"] = "private, no-cache"
            except Exception as error:  # noqa: BLE001  (the edge of a request)
                response = problem_response(request, error)
        return _finish(request, response, route=route.path, stopping=services.state.stopping)

    return handle


async def _answer(route: Route[Any, Any], services: Services, request: Request, path: dict[str, str]) -> object:
    if len(request.url) > LONGEST_ADDRESS:
        raise Problem(known.URI_TOO_LONG, f"The address is longer than {LONGEST_ADDRESS} characters.")
    caller = await services.verifier.caller(request.headers.get("authorization"))
    if caller.roles.isdisjoint(route.roles):
        needed = ", ".join(sorted(route.roles))
        raise Problem(known.FORBIDDEN, f"This needs a token with one of these in its claim `roles`: {needed}.")
    parameters = parsing.parameters(route.parameters, path=path, query=request.query_string)
    body: object = NOTHING
    if route.has_body:
        body = parsing.body(route.body, content_type=request.headers.get("content-type"), raw=request.body)
    if services.state.waiting_for is not None:
        raise Problem(known.UNAVAILABLE, f"The API is starting: {services.state.waiting_for}.", headers=_RETRY)
    return await route.handler(
        Call(
            services=services,
            caller=caller,
            scope=await services.directory.permitted(caller),
            parameters=parameters,
            body=body,
            request_id=request.ctx.request_id,
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


def problem_response(request: Request, error: Exception) -> HTTPResponse:
    """The answer that an exception is."""
    problem = as_problem(error, request)
    document = problem.document(instance=request.path, request_id=request.ctx.request_id)
    headers = {"Cache-Control": "no-store"} | problem.headers
    return raw(orjson.dumps(document), status=problem.kind.status, headers=headers, content_type=known.CONTENT_TYPE)


def as_problem(error: Exception, request: Request) -> Problem:
    """What an exception means to the caller."""
    match error:
        case Problem():
            return error
        case TokenRefused():
            return _unauthenticated(error, had_token=request.headers.get("authorization") is not None)
        case KeysUnavailable():
            log.warning("no key to check tokens with", reason=error.reason, request_id=request.ctx.request_id)
            return Problem(known.UNAVAILABLE, "The token issuer's keys can't be read now.", headers=_RETRY)
        case PermissionDenied() | StatementFailed() | SchemaTooNew():
            log.error("the database refused a statement", error=str(error), request_id=request.ctx.request_id)
            return Problem(known.INTERNAL, "The database refused a statement; the server's log says which.")
        case StoreError():
            log.warning("the database is away", error=str(error), request_id=request.ctx.request_id)
            return Problem(known.UNAVAILABLE, "The database does not answer now.", headers=_RETRY)
        case sanic_errors.SanicException():
            return _of_sanic(error, request)
    log.error("a request failed", exc_info=error, request_id=request.ctx.request_id)
    return Problem(known.INTERNAL, "An error that nobody thought of; the server's log has it under this request id.")


def _unauthenticated(error: TokenRefused, *, had_token: bool) -> Problem:
    challenge = 'Bearer realm="mixhaul"'
    if had_token:
        # The reasons are sentences of ours without quotes of their own.
        challenge += f', error="invalid_token", error_description="{error.reason.replace(chr(96), "")}"'
    return Problem(known.UNAUTHENTICATED, f"{_sentence(error.reason)}.", headers={"WWW-Authenticate": challenge})


def _of_sanic(error: sanic_errors.SanicException, request: Request) -> Problem:
    match error:
        case sanic_errors.NotFound():
            return Problem(known.NOT_FOUND, "There is no such route; /docs shows those that there are.")
        case sanic_errors.MethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods or ()))
            return Problem(known.METHOD_NOT_ALLOWED, f"This route takes {allowed} only.", headers={"Allow": allowed})
        case sanic_errors.PayloadTooLarge() if request.method == "NONE":
            return Problem(known.HEADERS_TOO_LARGE, "The address and the header together are too large.")
        case sanic_errors.PayloadTooLarge():
            return Problem(known.TOO_LARGE, "The body is larger than this API takes.")
        case sanic_errors.RequestTimeout():
            return Problem(known.REQUEST_TIMEOUT, "The request came too slowly.")
        case sanic_errors.ExpectationFailed():
            return Problem(known.EXPECTATION_FAILED, "The header Expect can't be met.")
        case sanic_errors.ServiceUnavailable():
            return Problem(known.UNAVAILABLE, "The answer took too long.", headers=_RETRY)
        case _ if 400 <= error.status_code < 500:
            return Problem(known.BAD_REQUEST, "The request is no HTTP that this API understands.")
    log.error("a request failed in the server", exc_info=error, request_id=request.ctx.request_id)
    return Problem(known.INTERNAL, "An error that nobody thought of; the server's log has it under this request id.")


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


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
