"""API and database: what the frontend meets, and what is behind it."""

from __future__ import annotations

from typing import Final

from dashboards.panels import Dashboard, Panel, Query

_IN: Final = 'namespace=~"$namespace"'
_DURATION: Final = f"mixhaul_api_request_duration_seconds_bucket{{{_IN}}}"
_QUERY: Final = f"mixhaul_db_query_duration_seconds_bucket{{{_IN}}}"
_POOL: Final = "{{pool}} {{state}} {{pod}}"

_API: Final = (
    Panel(
        "Requests by route",
        "The route is its template.",
        "reqps",
        (Query(f"sum by (route) (rate(mixhaul_api_requests_total{{{_IN}}}[$__rate_interval]))", "{{route}}"),),
        stacked=True,
    ),
    Panel(
        "Requests by status",
        "5xx count against the error budget. Alert: MixhaulAPIErrorBudgetBurn.",
        "reqps",
        (Query(f"sum by (code) (rate(mixhaul_api_requests_total{{{_IN}}}[$__rate_interval]))", "{{code}}"),),
        stacked=True,
    ),
    Panel(
        "Time to answer",
        "Median and 99th percentile over all routes. Alert: MixhaulAPILatencyBudgetBurn.",
        "s",
        tuple(
            Query(
                f"histogram_quantile({quantile}, sum by (le) (rate({_DURATION}[$__rate_interval])))",
                f"p{int(quantile * 100)}",
            )
            for quantile in (0.5, 0.99)
        ),
        limits=((0.5, "red"),),
    ),
    Panel(
        "Time to answer by route",
        "99th percentile.",
        "s",
        (Query(f"histogram_quantile(0.99, sum by (route, le) (rate({_DURATION}[$__rate_interval])))", "{{route}}"),),
    ),
    Panel(
        "In progress",
        "Requests that are being answered now.",
        "none",
        (Query(f"sum by (route) (mixhaul_api_requests_in_progress{{{_IN}}})", "{{route}}"),),
    ),
)

_DATABASE: Final = (
    Panel(
        "Connections",
        "Of the pools of all programs.",
        "none",
        (Query(f"sum by (pool, state, pod) (mixhaul_db_pool_connections{{{_IN}}})", _POOL),),
    ),
    Panel(
        "Waits for a connection",
        "Alert: MixhaulDatabasePoolExhausted.",
        "ops",
        (Query(f"sum by (pool) (rate(mixhaul_db_pool_waits_total{{{_IN}}}[$__rate_interval]))", "{{pool}}"),),
        limits=((0.2, "red"),),
    ),
    Panel(
        "Queries",
        "99th percentile by name.",
        "s",
        (Query(f"histogram_quantile(0.99, sum by (query, le) (rate({_QUERY}[$__rate_interval])))", "{{query}}"),),
    ),
    Panel(
        "Versions",
        "Which program runs in which version: two at once while an upgrade rolls.",
        "none",
        (Query(f"count by (component, version) (mixhaul_build_info{{{_IN}}})", "{{component}} {{version}}"),),
    ),
)

API_DATABASE: Final = Dashboard(
    uid="mixhaul-api-database",
    title="Mixhaul / API and database",
    description="What the frontend meets, and what is behind it.",
    rows=(("API", _API), ("Database", _DATABASE)),
)
