"""What the client counts. Label values are names of ours or HTTP statuses, so their number is bounded."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Histogram

ENDPOINTS: Final = (
    "token",
    "organisations",
    "sites",
    "drivers",
    "vehicles",
    "event_types",
    "feed_events",
    "feed_positions",
    "feed_trips",
    "feed_activeevents",
    "history",
    "amendments",
)
GRANTS: Final = ("password", "refresh_token")
TOKEN_RESULTS: Final = ("succeeded", "refused", "failed", "unknown")

REQUESTS = Counter(
    "mixhaul_upstream_requests_total",
    "Calls to MiX by endpoint and status, or what came instead of an answer.",
    ["endpoint", "code"],
)
REQUEST_SECONDS = Histogram(
    "mixhaul_upstream_request_duration_seconds",
    "From sending a request to the last byte of its answer.",
    ["endpoint"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 100, 300),
)
RETRIES = Counter(
    "mixhaul_upstream_retries_total",
    "Calls repeated by the client itself, by endpoint and kind of error.",
    ["endpoint", "reason"],
)
TOKEN_REFRESHES = Counter(
    "mixhaul_token_refreshes_total",
    "Requests for an access token, by grant and result.",
    ["grant", "result"],
)

for _endpoint in ENDPOINTS:
    REQUESTS.labels(_endpoint, "200")
    REQUEST_SECONDS.labels(_endpoint)
for _grant in GRANTS:
    for _result in TOKEN_RESULTS:
        TOKEN_REFRESHES.labels(_grant, _result)
