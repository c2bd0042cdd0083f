"""Upstream: MiX as we meet it, and what we spend of what it permits."""

from __future__ import annotations

from typing import Final

from dashboards.panels import Dashboard, Panel, Query

_IN: Final = 'namespace=~"$namespace"'
_DURATION: Final = f"mixhaul_upstream_request_duration_seconds_bucket{{{_IN}}}"

_CALLS: Final = (
    Panel(
        "Calls by endpoint",
        "Stream, sync, backfill and reconciliation together.",
        "reqps",
        (
            Query(
                f"sum by (endpoint) (rate(mixhaul_upstream_requests_total{{{_IN}}}[$__rate_interval]))", "{{endpoint}}"
            ),
        ),
        stacked=True,
    ),
    Panel(
        "Calls by status",
        "What came back, or what came instead of an answer.",
        "reqps",
        (Query(f"sum by (code) (rate(mixhaul_upstream_requests_total{{{_IN}}}[$__rate_interval]))", "{{code}}"),),
        stacked=True,
    ),
    Panel(
        "An answer's time",
        "95th percentile by endpoint, from sending to the last byte.",
        "s",
        (
            Query(
                f"histogram_quantile(0.95, sum by (endpoint, le) (rate({_DURATION}[$__rate_interval])))", "{{endpoint}}"
            ),
        ),
    ),
    Panel(
        "Calls tried again",
        "By the client itself, by kind of error.",
        "reqps",
        (Query(f"sum by (reason) (rate(mixhaul_upstream_retries_total{{{_IN}}}[$__rate_interval]))", "{{reason}}"),),
        stacked=True,
    ),
)

_BUDGET: Final = (
    Panel(
        "Budget in use",
        "Share of the calls a minute that MiX permits, by organisation.",
        "percentunit",
        (Query(f"max by (organisation) (mixhaul_upstream_budget_used_ratio{{{_IN}}})", "{{organisation}}"),),
        limits=((1, "red"),),
    ),
    Panel(
        "Wait for a permit",
        "95th percentile by priority: the feed comes first, backfill takes what is left.",
        "s",
        (
            Query(
                "histogram_quantile(0.95, sum by (priority, le)"
                f" (rate(mixhaul_upstream_budget_wait_seconds_bucket{{{_IN}}}[$__rate_interval])))",
                "{{priority}}",
            ),
        ),
    ),
    Panel(
        "Share of 429",
        "Calls that MiX refused as too many. Alert: MixhaulUpstreamThrottled.",
        "percentunit",
        (
            Query(
                f'(sum(rate(mixhaul_upstream_requests_total{{{_IN}, code="429"}}[$__rate_interval])) or vector(0))'
                f" / (sum(rate(mixhaul_upstream_requests_total{{{_IN}}}[$__rate_interval])) > 0)",
                "429",
            ),
        ),
        limits=((0.05, "red"),),
    ),
)

_LOGIN: Final = (
    Panel(
        "Access tokens asked for",
        "Password once, refresh afterwards: passwords that keep coming mean that refreshing fails.",
        "none",
        (
            Query(
                f"sum by (grant, result) (increase(mixhaul_token_refreshes_total{{{_IN}}}[1h]))",
                "{{grant}} {{result}}",
            ),
        ),
    ),
    Panel(
        "Time to the access token's end",
        "Negative for long: nobody renews it.",
        "s",
        (Query(f"max by (source) (mixhaul_credential_expiry_timestamp_seconds{{{_IN}}}) - time()", "{{source}}"),),
    ),
)

UPSTREAM: Final = Dashboard(
    uid="mixhaul-upstream",
    title="Mixhaul / Upstream",
    description="MiX as we meet it, and what we spend of what it permits.",
    rows=(("Calls", _CALLS), ("Budget", _BUDGET), ("Login", _LOGIN)),
)
