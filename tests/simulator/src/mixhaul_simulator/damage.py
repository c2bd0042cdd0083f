"""What the faults do to an answer as a whole: instead of it, or on its way."""

from __future__ import annotations

import gzip
from email.utils import formatdate
from time import time
from typing import Final

import orjson

from mixhaul_simulator.faults import Fault
from mixhaul_simulator.http import Response, Wire

_HTML: Final = "<!DOCTYPE html><html><head><title>{title}</title></head><body><p>Tente mais tarde.</p></body></html>"
_LOGIN: Final = "/core/login?signin=expirada"
UNUSABLE: Final = frozenset(
    {"reset-mid-body", "truncated-body", "truncated-json", "half-headers", "hang-mid-body", "gzip-corrupt"}
)
"""After these, whatever the headers said, the client has no whole answer."""


def refusal(status: int, message: str) -> Response:
    """An error as the data API words it."""
    return Response(status, orjson.dumps({"Message": message}))


def throttled(retry_after_seconds: float | None, *, as_date: bool = False) -> Response:
    """429, with or without `Retry-After`, which is whole seconds or an HTTP date."""
    response = refusal(429, "API calls quota exceeded")
    if retry_after_seconds is not None:
        seconds = int(retry_after_seconds) + (retry_after_seconds % 1 > 0)
        value = formatdate(time() + seconds, usegmt=True) if as_date else str(seconds)
        response.headers.append(("Retry-After", value))
    return response


def html(status: int, title: str) -> Response:
    return Response(status, _HTML.format(title=title).encode(), "text/html; charset=utf-8")


def instead(fault: Fault) -> Response:
    """The answer that comes instead."""
    match fault.kind:
        case "status-500":
            return refusal(500, "An error has occurred.")
        case "status-502":
            return html(502, "502 Bad Gateway")
        case "status-503":
            return html(503, "503 Service Unavailable")
        case "status-429":
            return throttled(None)
        case "retry-after-429":
            return throttled(fault.seconds(2), as_date=bool(fault.parameters.get("http_date")))
        case "html-200":
            return html(200, "Manutenção programada")
        case "redirect-login":
            response = html(302, "Object moved")
            response.headers.append(("Location", _LOGIN))
            return response
        case "unauthorised-once" | "forbidden-organisation":
            return refusal(401, "Authorization has been denied for this request.")
        case "reset-before":
            return Response(500, wire=Wire(silent=True, ending="reset"))
        case _:
            limit = fault.seconds(0)
            wire = Wire(silent=True, delay_seconds=limit, ending="fin" if limit else "hang")
            return Response(500, wire=wire)


def on_the_way(response: Response, fault: Fault) -> None:
    """Damage an answer that is ready."""
    share = float(fault.parameters.get("share", 0.5))
    match fault.kind:
        case "reset-mid-body":
            response.wire = Wire(cut=share, ending="reset")
        case "truncated-body":
            response.wire = Wire(cut=share, ending="fin")
        case "hang-mid-body":
            response.wire = Wire(cut=share, ending="hang")
        case "half-headers":
            response.wire = Wire(cut_head=True, ending="fin")
        case "slow-headers":
            response.wire = Wire(delay_seconds=fault.seconds(3))
        case "slow-body":
            response.wire = Wire(trickle_seconds=fault.seconds(3))
        case "truncated-json":
            response.body = response.body[: max(1, int(len(response.body) * share))] if response.body else b""
        case _:
            _corrupt(response)


def _corrupt(response: Response) -> None:
    packed = bytearray(gzip.compress(response.body, 1))
    middle = len(packed) // 2
    for place in (middle, len(packed) - 6, len(packed) - 3):
        packed[place] ^= 0xFF
    response.body = bytes(packed)
    response.headers = [header for header in response.headers if header[0] != "Content-Encoding"]
    response.headers.append(("Content-Encoding", "gzip"))


def whole_body(response: Response, *, bom: bool) -> None:
    """A byte order mark in front, as some proxies and writers add."""
    if bom:
        response.body = b"\xef\xbb\xbf" + response.body
