"""Ingest: what the leader reads and writes, feed by feed."""

from __future__ import annotations

from typing import Final

from dashboards.panels import Dashboard, Panel, Query

_FEEDS: Final = 'namespace=~"$namespace", source=~"$source", organisation=~"$organisation"'
_LEGEND: Final = "{{source}} {{organisation}} {{feed}}"
_BY: Final = "max by (source, organisation, feed)"
_PAGE: Final = 'mixhaul_ingest_page_duration_seconds_bucket{namespace=~"$namespace"}'

_FLOW: Final = (
    Panel(
        "Lag",
        "Time since the creation up to which a feed was read.",
        "s",
        (Query(f"time() - {_BY} (mixhaul_ingest_cursor_timestamp_seconds{{{_FEEDS}}})", _LEGEND),),
        limits=((600, "red"),),
    ),
    Panel(
        "Time since the last events",
        "A quiet fleet is no fault: look at the lag.",
        "s",
        (Query(f"time() - {_BY} (mixhaul_ingest_last_data_timestamp_seconds{{{_FEEDS}}})", _LEGEND),),
    ),
    Panel(
        "Events by outcome",
        "inserted: new. updated: a later version. unchanged: delivered again. quarantined: kept, but not typed.",
        "cps",
        (Query(f"sum by (outcome) (rate(mixhaul_ingest_events_total{{{_FEEDS}}}[$__rate_interval]))", "{{outcome}}"),),
        stacked=True,
    ),
    Panel(
        "Pages by result",
        "Requests of the feed; error and invalid ones are asked for again.",
        "reqps",
        (Query(f"sum by (result) (rate(mixhaul_ingest_pages_total{{{_FEEDS}}}[$__rate_interval]))", "{{result}}"),),
        stacked=True,
    ),
    Panel(
        "A page's time by stage",
        "Median and 95th percentile: fetch is MiX, decode is us, write is the database.",
        "s",
        tuple(
            Query(
                f"histogram_quantile({quantile}, sum by (stage, le) (rate({_PAGE}[$__rate_interval])))",
                f"{{{{stage}}}} p{int(quantile * 100)}",
            )
            for quantile in (0.5, 0.95)
        ),
    ),
    Panel(
        "Quarantined in the last hour",
        "Records that can't be stored typed. Alert: MixhaulEventsQuarantined.",
        "none",
        (
            Query(
                "sum by (source, organisation)"
                f' (increase(mixhaul_ingest_events_total{{{_FEEDS}, outcome="quarantined"}}[1h]))',
                "{{source}} {{organisation}}",
            ),
        ),
    ),
)

_BOOKS: Final = (
    Panel(
        "Time to the token's death",
        "A token dies seven days after its page. Alert: MixhaulCursorExpiring.",
        "s",
        (Query(f"{_BY} (mixhaul_ingest_cursor_expiry_timestamp_seconds{{{_FEEDS}}}) - time()", _LEGEND),),
        limits=((21600, "orange"), (86400, "green")),
        low_is_bad=True,
    ),
    Panel(
        "Open gaps",
        "Creation time that is not filled yet. Alert: MixhaulGapOpen.",
        "s",
        (Query(f"{_BY} (mixhaul_ingest_open_gap_seconds{{{_FEEDS}}})", _LEGEND),),
    ),
    Panel(
        "Missing events",
        "What reconciliation found and did not fill. Alert: MixhaulEventsMissing.",
        "none",
        (
            Query(
                f"max by (source, organisation) (mixhaul_ingest_missing_events{{{_FEEDS}}})",
                "{{source}} {{organisation}}",
            ),
        ),
    ),
    Panel(
        "Syncs in the last day",
        "Support data: drivers, vehicles, event types, sites. Alert: MixhaulSyncOverdue.",
        "none",
        (
            Query(
                'sum by (source, result) (increase(mixhaul_sync_runs_total{namespace=~"$namespace",'
                ' source=~"$source"}[1d]))',
                "{{source}} {{result}}",
            ),
        ),
    ),
)

_LEADING: Final = (
    Panel(
        "Who leads",
        "1 for the process that leads. Alerts: MixhaulNoLeader, MixhaulSplitBrain.",
        "none",
        (Query('mixhaul_leader{namespace=~"$namespace"}', "{{pod}} {{instance}}"),),
        width=8,
    ),
    Panel(
        "Changes of leader",
        "Beginnings of leadership within an hour.",
        "none",
        (Query('sum(increase(mixhaul_leader_transitions_total{namespace=~"$namespace"}[1h]))', "changes"),),
        width=8,
    ),
    Panel(
        "Fenced writes",
        "Writes that the database refused because another process leads: each was prevented.",
        "none",
        (Query('sum(increase(mixhaul_fenced_writes_total{namespace=~"$namespace"}[1h]))', "fenced"),),
        width=8,
    ),
)

INGEST: Final = Dashboard(
    uid="mixhaul-ingest",
    title="Mixhaul / Ingest",
    description="What is read from MiX and written to PostgreSQL, feed by feed.",
    rows=(("Flow", _FLOW), ("Books", _BOOKS), ("Leadership", _LEADING)),
    variables=(
        ("namespace", "label_values(mixhaul_build_info, namespace)"),
        ("source", 'label_values(mixhaul_source_suspended{namespace=~"$namespace"}, source)'),
        ("organisation", 'label_values(mixhaul_ingest_events_total{source=~"$source"}, organisation)'),
    ),
)
