"""`docs/metrics.md`, made from what the programs register, with a word on each about what to do with it.

A metric without such a word, or a word without its metric, is an error: nothing is exported that nobody can use.
It wants a process of its own: which package registers what is seen by importing them one after the other.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

# Package that declares a metric -> programs that export it.
EXPORTED_BY: Final = {
    "mixhaul_runtime": "all",
    "mixhaul_mix": "ingestor",
    "mixhaul_store": "all with a database",
    "mixhaul_ingestor": "ingestor",
    "mixhaul_api": "api",
    "mixhaul_operator": "operator",
}

# Declared beside the database's code, and moved by those who call MiX.
_MOVED_BY: Final = {"mixhaul_upstream_budget_wait_seconds": "ingestor"}

ADVICE: Final = {
    "mixhaul_build_info": "Which versions run; the alerts `Mixhaul...Down` watch it.",
    "mixhaul_upstream_requests_total": "Rate by `code`: what MiX answers. The operator exports the syncs' calls too.",
    "mixhaul_upstream_request_duration_seconds": "Quantiles by `endpoint`: whether MiX is slow.",
    "mixhaul_upstream_retries_total": "Rises with trouble on the way; alone it is no fault.",
    "mixhaul_upstream_budget_wait_seconds": "By `priority`: backfill may wait for long, the feed may not.",
    "mixhaul_upstream_budget_used_ratio": "1 for long while the lag grows: the fleet needs a higher limit of MiX.",
    "mixhaul_token_refreshes_total": '`grant="password"` more than now and then: refreshing fails.',
    "mixhaul_credential_expiry_timestamp_seconds": "`x - time()`: negative for long means that nobody renews it.",
    "mixhaul_ingest_pages_total": "Rate by `result`; errors beside data are weather, errors alone an outage.",
    "mixhaul_ingest_page_duration_seconds": "By `stage`: fetch is MiX, decode is us, write is the database.",
    "mixhaul_ingest_events_total": "What was stored. `quarantined` raises `MixhaulEventsQuarantined`.",
    "mixhaul_ingest_last_poll_timestamp_seconds": "`time() - x`: when MiX was last read well.",
    "mixhaul_ingest_last_data_timestamp_seconds": "`time() - x`: a quiet fleet has a high one, which is no fault.",
    "mixhaul_ingest_cursor_timestamp_seconds": "`time() - x` is the lag: `MixhaulIngestLagging`.",
    "mixhaul_ingest_cursor_expiry_timestamp_seconds": "`x - time()`: what is left of 7 days; `MixhaulCursorExpiring`.",
    "mixhaul_ingest_open_gap_seconds": "More than 0: `MixhaulGapOpen` if nothing of it is read.",
    "mixhaul_leader": "The sum of a release is 1: `MixhaulNoLeader`, `MixhaulSplitBrain`.",
    "mixhaul_leader_transitions_total": "Many in an hour: look at the pods' restarts and at the API server.",
    "mixhaul_leader_task_last_success_timestamp_seconds": "`time() - x` by `task`: what the leader does each day.",
    "mixhaul_leader_task_failures_total": "Rising: the ingestor's log says why the task fails.",
    "mixhaul_work_requests_total": "By `kind` and `result`: what was asked for and how it ended.",
    "mixhaul_sync_short_lists_total": "Lists that were not believed: look at what MiX lists before the next sync.",
    "mixhaul_ingest_missing_events": "More than 0 for a day raises `MixhaulEventsMissing`.",
    "mixhaul_compared_events_total": '`outcome="missing"` rising: see `reconciliations.explanations`.',
    "mixhaul_comparisons_total": "Three a day and organisation; `incomplete`: not all was filled.",
    "mixhaul_amendments_total": '`type="unknown"`: MiX has amendments of a kind that decides nothing here.',
    "mixhaul_backfill_unread_seconds": "Shrinks while gaps are filled; after 2 h without, `MixhaulGapOpen`.",
    "mixhaul_backfill_windows_total": '`result="failed"` rising: history does not answer, the log says why.',
    "mixhaul_backfill_events_total": '`outcome="inserted"`: what the stream had missed.',
    "mixhaul_fenced_writes_total": "Each is a write that was prevented; look who was stopped or cut off.",
    "mixhaul_source_condition": "1 for the status that holds: `MixhaulSourceNotReady`, `MixhaulCredentialsRejected`.",
    "mixhaul_source_suspended": "Silences the other alerts of the source.",
    "mixhaul_sync_last_success_timestamp_seconds": "`time() - x`; 0: never.",
    "mixhaul_sync_overdue": "`MixhaulSyncOverdue`; the operator knows the schedule.",
    "mixhaul_sync_runs_total": "Rate by `result`.",
    "mixhaul_reconcile_total": "`error` rising: the operator's log says why.",
    "mixhaul_reconcile_duration_seconds": "A slow API server shows here first.",
    "mixhaul_progress_readings_total": "The operator's readings of the database.",
    "mixhaul_progress_reading_failures_total": "Rising: PostgreSQL does not answer, `MixhaulDatabaseUnreachable`.",
    "mixhaul_api_requests_total": "Rate by `route` and `code`; 5xx spend the error budget.",
    "mixhaul_api_request_duration_seconds": "Quantiles by `route`; above half a second spends the latency budget.",
    "mixhaul_api_answers_total": "`made` against the rest: how much the database is spared.",
    "mixhaul_api_audited_views_total": "`lost` above 0: a stopping process could not record who saw what; `delayed` "
    "rising: the primary does not take the audit log.",
    "mixhaul_api_watermark_failures_total": "Rising: every answer costs a query until it stops.",
    "mixhaul_api_requests_in_progress": "Grows without end: something behind the API hangs.",
    "mixhaul_db_pool_connections": "All `busy` and none `idle` with waits: raise `databaseConnections`.",
    "mixhaul_db_pool_waits_total": "`MixhaulDatabasePoolExhausted`.",
    "mixhaul_db_query_duration_seconds": "By `query`: which one is slow.",
    "mixhaul_db_errors_total": "By `kind`, as `mixhaul_store.errors` names them: `DatabaseFull` needs room, "
    "`TooManyConnections` fewer replicas; one `Deadlock` or `CommitUnknown` now and then has been tried again.",
    "mixhaul_retention_deleted_rows_total": "What `spec.retention` let go; of dropped months about how many.",
}

_HEAD: Final = """\
<!-- Generated from the programs' registries by `make generate`. Do not edit. -->

# Metrics

Every program serves `/metrics` on its admin port (`MIXHAUL_ADMIN_PORT`). Base units, `_total` on counters, times as
Unix seconds. `source` is `namespace/name` of a MixSource, `organisation` MiX's id; no label ever holds a driver, a
vehicle, a path or anything that a person typed. What is batch work (a sync) is exported by the operator from rows that
only grow.

An ingestor exports the series of a feed while it leads and reads that feed, and removes its gauges when it stops: use
`max by (source, organisation, feed)`. The series of a source that was deleted go with it.

| metric | type | labels | from | meaning | what to do with it |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Described:
    """One metric as the page shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    programs: str
    text: str


def render() -> str:
    """The whole page."""
    found = described()
    without = sorted(found.keys() - ADVICE.keys())
    gone = sorted(ADVICE.keys() - found.keys())
    if without or gone:
        raise LookupError(f"ADVICE in tools/metrics_docs.py lacks {without} and has {gone}, which no program registers")
    return _HEAD + "".join(_row(found[name]) for name in sorted(found))


def described() -> dict[str, Described]:
    """Every metric that a program of ours can export, by its name in queries."""
    found: dict[str, Described] = {}
    for package in EXPORTED_BY:
        before = set(_collectors())
        for module in _metric_modules(package):
            importlib.import_module(module)
        for collector in set(_collectors()) - before:
            for one in _of(collector, EXPORTED_BY[package]):
                found[one.name] = one
    for name, programs in _MOVED_BY.items():
        found[name] = replace(found[name], programs=programs)
    # Only now: importing it registers what other packages declare.
    source_collector = importlib.import_module("mixhaul_operator.metrics").SourceCollector
    never = datetime.fromtimestamp(0, UTC)
    for family in source_collector(sources=lambda: (), totals=lambda: (), now=lambda: never).collect():
        one = _family(family, EXPORTED_BY["mixhaul_operator"])
        if one.name in found:
            found[one.name] = replace(found[one.name], programs="ingestor, operator")
        else:
            found[one.name] = one
    return found


def _metric_modules(package: str) -> Iterator[str]:
    """Modules that declare metrics, wherever in the package: those that import prometheus_client."""
    root = importlib.import_module(package)
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        spec = importlib.util.find_spec(module.name)
        origin = None if spec is None else spec.origin
        if origin is not None and "prometheus_client" in Path(origin).read_text(encoding="utf-8"):
            yield module.name


def _collectors() -> list[Any]:
    return [each for each in REGISTRY._collector_to_names if any(n.startswith("mixhaul_") for n in _names(each))]


def _names(collector: Any) -> list[str]:
    return REGISTRY._collector_to_names[collector]


def _of(collector: Any, programs: str) -> Iterator[Described]:
    if isinstance(collector, MetricWrapperBase):
        kind = collector._type
        name = f"{collector._name}_total" if kind == "counter" else collector._name
        yield Described(name, str(kind), tuple(collector._labelnames), programs, collector._documentation)
    else:
        for family in collector.collect():
            yield _family(family, programs)


def _family(family: Metric, programs: str) -> Described:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels: tuple[str, ...] = tuple(getattr(family, "_labelnames", ()))
    return Described(name, str(family.type), labels, programs, family.documentation)


def _row(one: Described) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels)
    return f"| `{one.name}` | {one.kind} | {labels} | {one.programs} | {one.text} | {ADVICE[one.name]} |\n"


if __name__ == "__main__":
    print(render(), end="")
