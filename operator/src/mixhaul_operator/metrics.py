"""The operator's metrics: what it does, and what is known of each source at the moment of the scrape.

The series of a source that is gone are gone with it. Totals of batch work come from rows that only grow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cronsim import CronSimError
from prometheus_client import Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mixhaul_operator.schedule import Calendar
from mixhaul_operator.times import moment
from mixhaul_source.conditions import ConditionType
from mixhaul_store.totals import Total

RESULTS: Final = ("unchanged", "changed", "error")

RECONCILES: Final = Counter("mixhaul_reconcile", "Reconciliations of a MixSource.", ["result"])
RECONCILE_SECONDS: Final = Histogram(
    "mixhaul_reconcile_duration_seconds", "What one reconciliation of a MixSource took.", ["result"]
)
READINGS: Final = Counter("mixhaul_progress_readings", "Readings of the progress of all sources.")
FAILED_READINGS: Final = Counter("mixhaul_progress_reading_failures", "Those that the database did not answer.")

for _result in RESULTS:
    RECONCILES.labels(_result)
    RECONCILE_SECONDS.labels(_result)

_STATUSES: Final = ("True", "False", "Unknown")
_RUN_RESULTS: Final = ("succeeded", "failed")

# Beside sync_runs_total, which has a label `source`, these are summed over all sources.
_SUMMED: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "upstream_requests_total": ("Calls to MiX by syncs.", ("endpoint", "code")),
    "upstream_retries_total": ("Calls to MiX that syncs tried again.", ("endpoint", "reason")),
    "token_refreshes_total": ("Tokens that syncs asked for.", ("grant", "result")),
    "sync_short_lists_total": ("Support lists that were too short to be believed.", ("list",)),
}


class SourceCollector(Collector):
    """Reads the world when it is scraped; `sources` are raw MixSources, `totals` the last reading's, `now` is aware."""

    def __init__(
        self,
        *,
        sources: Callable[[], Iterable[Mapping[str, Any]]],
        totals: Callable[[], Sequence[Total]],
        now: Callable[[], datetime],
    ) -> None:
        self._sources = sources
        self._totals = totals
        self._now = now
        self._calendar = Calendar()

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: registering must not scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        sources = list(self._sources())
        yield _conditions(sources)
        yield _suspended(sources)
        yield _last_success(sources)
        yield self._overdue(sources)
        totals = self._totals()
        yield _sync_runs(sources, totals)
        yield from _summed(totals)

    def _overdue(self, sources: Sequence[Mapping[str, Any]]) -> Metric:
        family = GaugeMetricFamily(
            "mixhaul_sync_overdue", "Whether the last two syncs that were due both failed to come.", labels=["source"]
        )
        now = self._now()
        for source in sources:
            family.add_metric([_key(source)], float(_missed_two(source, self._calendar, now=now)))
        return family


def _missed_two(source: Mapping[str, Any], calendar: Calendar, *, now: datetime) -> bool:
    """A source that is younger than both of them has missed none; one that is suspended is not asked."""
    spec = source.get("spec") or {}
    schedule = spec.get("sync") or {}
    if spec.get("suspend") or not {"schedule", "timeZone"} <= schedule.keys():
        return False
    try:
        due = calendar.times(schedule["schedule"], schedule["timeZone"], now=now).before_last
    except (CronSimError, KeyError, ValueError):
        return False  # Stalled says so
    created = moment(source["metadata"].get("creationTimestamp"))
    success = moment(((source.get("status") or {}).get("sync") or {}).get("lastSuccessTime"))
    since = max((each for each in (created, success) if each is not None), default=None)
    return since is not None and since < due


def _key(source: Mapping[str, Any]) -> str:
    metadata = source["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}"


def _conditions(sources: Sequence[Mapping[str, Any]]) -> Metric:
    family = GaugeMetricFamily(
        "mixhaul_source_condition", "Conditions of each MixSource.", labels=["source", "type", "status"]
    )
    for source in sources:
        found = {each["type"]: each["status"] for each in (source.get("status") or {}).get("conditions") or ()}
        for kind in ConditionType:
            for status in _STATUSES:
                family.add_metric([_key(source), kind, status], float(found.get(kind) == status))
    return family


def _suspended(sources: Sequence[Mapping[str, Any]]) -> Metric:
    family = GaugeMetricFamily("mixhaul_source_suspended", "Whether spec.suspend is set.", labels=["source"])
    for source in sources:
        family.add_metric([_key(source)], float(bool((source.get("spec") or {}).get("suspend"))))
    return family


def _last_success(sources: Sequence[Mapping[str, Any]]) -> Metric:
    family = GaugeMetricFamily(
        "mixhaul_sync_last_success_timestamp_seconds",
        "When support data was last fetched well; 0: never.",
        labels=["source"],
    )
    for source in sources:
        at = moment(((source.get("status") or {}).get("sync") or {}).get("lastSuccessTime"))
        family.add_metric([_key(source)], at.timestamp() if at is not None else 0.0)
    return family


def _sync_runs(sources: Sequence[Mapping[str, Any]], totals: Sequence[Total]) -> Metric:
    family = CounterMetricFamily("mixhaul_sync_runs", "Syncs that ended.", labels=["source", "result"])
    counted = {
        (each.source, each.labels.get("result", "")): each.value for each in totals if each.metric == "sync_runs_total"
    }
    for source in sources:
        for result in _RUN_RESULTS:
            family.add_metric([_key(source), result], counted.get((_key(source), result), 0.0))
    return family


def _summed(totals: Sequence[Total]) -> Iterator[Metric]:
    for metric, (text, labels) in _SUMMED.items():
        sums: dict[tuple[str, ...], float] = {}
        for each in totals:
            if each.metric == metric:
                values = tuple(each.labels.get(label, "") for label in labels)
                sums[values] = sums.get(values, 0.0) + each.value
        family = CounterMetricFamily(f"mixhaul_{metric.removesuffix('_total')}", text, labels=list(labels))
        for values, value in sums.items():
            family.add_metric(values, value)
        yield family
