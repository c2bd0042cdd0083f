"""What an exception means to the caller: the problem document that it becomes at the edge.

What nobody thought of is a 500 that says nothing; the log has it under the request's id.
"""

from __future__ import annotations

import orjson
import structlog
from sanic import HTTPResponse, Request
from sanic import exceptions as sanic_errors
from sanic.response import raw

from mixhaul_api import problems as known
from mixhaul_api.errors import KeysUnavailable, TokenRefused
from mixhaul_api.problems import RETRY, Problem
from mixhaul_store.errors import PermissionDenied, SchemaTooNew, StatementFailed, StoreError

log = structlog.get_logger("mixhaul_api.request")


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
            return Problem(known.UNAVAILABLE, "The token issuer's keys can't be read now.", headers=RETRY)
        case PermissionDenied() | StatementFailed() | SchemaTooNew():
            log.error("the database refused a statement", error=str(error), request_id=request.ctx.request_id)
            return Problem(known.INTERNAL, "The database refused a statement; the server's log says which.")
        case StoreError():
            log.warning("the database is away", error=str(error), request_id=request.ctx.request_id)
            return Problem(known.UNAVAILABLE, "The database does not answer now.", headers=RETRY)
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
            return Problem(known.UNAVAILABLE, "The answer took too long.", headers=RETRY)
        case _ if 400 <= error.status_code < 500:
            return Problem(known.BAD_REQUEST, "The request is no HTTP that this API understands.")
    log.error("a request failed in the server", exc_info=error, request_id=request.ctx.request_id)
    return Problem(known.INTERNAL, "An error that nobody thought of; the server's log has it under this request id.")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
