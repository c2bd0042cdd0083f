"""Metrics of the API's requests. The route is its template, never a path: paths hold ids."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

UNMATCHED: Final = "(none)"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

REQUESTS = Counter(
    "mixhaul_api_requests_total", "Requests to the API by route, method and status.", ["route", "method", "code"]
)
DURATION = Histogram(
    "mixhaul_api_request_duration_seconds",
    "Seconds from a request's arrival to its answer.",
    ["route", "method", "code"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
IN_PROGRESS = Gauge("mixhaul_api_requests_in_progress", "Requests that are being answered.", ["route", "method"])

ANSWERS = Counter(
    "mixhaul_api_answers_total",
    "Answers to watermarked routes: kept (from memory), unchanged (304) or made (from the database).",
    ["origin"],
)
AUDITED = Counter(
    "mixhaul_api_audited_views_total", "Entries of the audit log about views, by what became of them.", ["result"]
)
for _origin in ("kept", "unchanged", "made"):
    ANSWERS.labels(_origin)
WATERMARK_FAILURES = Counter(
    "mixhaul_api_watermark_failures_total", "Looks at the watermarks that failed: nothing is answered from memory then."
)
for _result in ("written", "delayed", "lost"):
    AUDITED.labels(_result)


def known_method(method: str) -> str:
    """The method as a label: whatever a client invents must not become a series."""
    return method if method in _METHODS else "OTHER"
