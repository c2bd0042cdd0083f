"""Overview: is it us, MiX or the database? And how much of the budgets is left."""

from __future__ import annotations

from typing import Final

from dashboards.panels import Dashboard, Panel, Query

_REQUESTS: Final = 'mixhaul_api_requests_total{namespace=~"$namespace"'
_CALLS: Final = 'mixhaul_upstream_requests_total{namespace=~"$namespace"'
_LAG: Final = (
    'time() - max by (source, organisation, feed) (mixhaul_ingest_cursor_timestamp_seconds{namespace=~"$namespace"})'
)

_NOW: Final = (
    Panel(
        "Worst lag",
        "How far the feed that is furthest behind has been read. Alert: MixhaulIngestLagging.",
        "s",
        (Query(f"max({_LAG})"),),
        width=4,
        one_number=True,
        limits=((300, "orange"), (600, "red")),
    ),
    Panel(
        "Sources not Ready",
        "MixSources whose condition Ready is not True, without the suspended ones. Alert: MixhaulSourceNotReady.",
        "none",
        (
            Query(
                'count((max by (source) (mixhaul_source_condition{namespace=~"$namespace", type="Ready",'
                ' status="True"}) == 0) unless on (source) (max by (source) (mixhaul_source_suspended'
                '{namespace=~"$namespace"}) == 1))'
                " or vector(0)"
            ),
        ),
        width=4,
        one_number=True,
        limits=((1, "red"),),
    ),
    Panel(
        "MiX answers",
        "Share of the calls to MiX that were answered well. Low: MiX or the way there.",
        "percentunit",
        (Query(f'sum(rate({_CALLS}, code=~"2.."}}[5m])) / (sum(rate({_CALLS}}}[5m])) > 0)'),),
        width=4,
        one_number=True,
        limits=((0.8, "orange"), (0.95, "green")),
        low_is_bad=True,
    ),
    Panel(
        "Database answers",
        "Share of the operator's readings that PostgreSQL answered. Alert: MixhaulDatabaseUnreachable.",
        "percentunit",
        (
            Query(
                '1 - sum(increase(mixhaul_progress_reading_failures_total{namespace=~"$namespace"}[5m]))'
                ' / (sum(increase(mixhaul_progress_readings_total{namespace=~"$namespace"}[5m])) > 0)'
            ),
        ),
        width=4,
        one_number=True,
        limits=((0.8, "orange"), (0.99, "green")),
        low_is_bad=True,
    ),
    Panel(
        "API succeeds",
        "Share of the API's requests without a 5xx. Alert: MixhaulAPIErrorBudgetBurn.",
        "percentunit",
        (Query(f'1 - (sum(rate({_REQUESTS}, code=~"5.."}}[5m])) or vector(0)) / (sum(rate({_REQUESTS}}}[5m])) > 0)'),),
        width=4,
        one_number=True,
        limits=((0.99, "orange"), (0.999, "green")),
        low_is_bad=True,
    ),
    Panel(
        "Leaders",
        "Ingestors that lead: one for each release. Alerts: MixhaulNoLeader, MixhaulSplitBrain.",
        "none",
        (Query('sum(mixhaul_leader{namespace=~"$namespace"})'),),
        width=4,
        one_number=True,
        limits=((1, "green"),),
        low_is_bad=True,
    ),
)

_COMPLETE: Final = (
    Panel(
        "Lag",
        "How far each feed has been read: the ten that are furthest behind.",
        "s",
        (Query(f"topk(10, {_LAG})", "{{source}} {{organisation}} {{feed}}"),),
        limits=((600, "red"),),
    ),
    Panel(
        "Events stored",
        "Events of committed pages by outcome.",
        "cps",
        (
            Query(
                'sum by (outcome) (rate(mixhaul_ingest_events_total{namespace=~"$namespace"}[$__rate_interval]))',
                "{{outcome}}",
            ),
        ),
        stacked=True,
    ),
    Panel(
        "Open gaps",
        "Creation time that the stream may have missed and that is not filled yet. Alert: MixhaulGapOpen.",
        "s",
        (
            Query(
                "sum by (source) (max by (source, organisation, feed)"
                ' (mixhaul_ingest_open_gap_seconds{namespace=~"$namespace"}))',
                "{{source}}",
            ),
        ),
    ),
    Panel(
        "Missing events",
        "What the last reconciliations found in MiX and not here, and did not fill. Alert: MixhaulEventsMissing.",
        "none",
        (
            Query(
                "sum by (source) (max by (source, organisation)"
                ' (mixhaul_ingest_missing_events{namespace=~"$namespace"}))',
                "{{source}}",
            ),
        ),
    ),
)

_BUDGETS: Final = (
    Panel(
        "Error budget left, 30 days",
        "Of one failed request in a thousand. Below 0: spent.",
        "percentunit",
        (
            Query(
                f'1 - (sum(increase({_REQUESTS}, code=~"5.."}}[30d])) or vector(0))'
                f" / (sum(increase({_REQUESTS}}}[30d])) > 0) / 0.001",
                "left",
            ),
        ),
        width=8,
    ),
    Panel(
        "Calls to MiX in use",
        "Share of the calls a minute that MiX permits: the ten organisations that use most.",
        "percentunit",
        (
            Query(
                'topk(10, max by (organisation) (mixhaul_upstream_budget_used_ratio{namespace=~"$namespace"}))',
                "{{organisation}}",
            ),
        ),
        width=8,
        limits=((1, "red"),),
    ),
    Panel(
        "Time to the token's death",
        "The ten feeds whose token dies first: seven days where all is well. Alert: MixhaulCursorExpiring.",
        "s",
        (
            Query(
                "bottomk(10, max by (source, organisation, feed)"
                ' (mixhaul_ingest_cursor_expiry_timestamp_seconds{namespace=~"$namespace"}) - time())',
                "{{source}} {{organisation}} {{feed}}",
            ),
        ),
        width=8,
        limits=((21600, "orange"), (86400, "green")),
        low_is_bad=True,
    ),
)

OVERVIEW: Final = Dashboard(
    uid="mixhaul-overview",
    title="Mixhaul / Overview",
    description="Is it us, MiX or the database?",
    rows=(("Now", _NOW), ("Fresh and complete", _COMPLETE), ("Budgets", _BUDGETS)),
)
