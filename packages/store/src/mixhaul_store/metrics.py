"""Metrics of the database side: how long queries take, what goes wrong, and the state of this process's pools."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from mixhaul_store.database import Database

QUERY_DURATION = Histogram(
    "mixhaul_db_query_duration_seconds",
    "Time that a named query or transaction took, as this process saw it.",
    ["query"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

ERRORS = Counter(
    "mixhaul_db_errors",
    "Errors of the database by kind, as this process met them: those that were waited out or tried again, too.",
    ["kind"],
)

_E = TypeVar("_E", bound=Exception)


def counted(error: _E) -> _E:
    """The same error, after it was counted."""
    ERRORS.labels(type(error).__name__).inc()
    return error


@contextmanager
def measured(query: str) -> Iterator[None]:
    """Observe the body under this name, also when it fails."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        QUERY_DURATION.labels(query).observe(time.perf_counter() - begun)


class PoolCollector(Collector):
    """Reads the pools when it is scraped. Waits of pools that were closed stay counted."""

    def __init__(self) -> None:
        self._open: WeakSet[Database] = WeakSet()
        self._finished_waits: dict[str, int] = {}

    def add(self, database: Database) -> None:
        self._open.add(database)
        self._finished_waits.setdefault(database.pool_name, 0)

    def remove(self, database: Database) -> None:
        if database in self._open:
            self._open.discard(database)
            self._finished_waits[database.pool_name] += database.pool_state().waits

    def collect(self) -> Iterator[Metric]:
        connections = GaugeMetricFamily(
            "mixhaul_db_pool_connections", "Connections of this process's pools.", labels=["pool", "state"]
        )
        waits = CounterMetricFamily(
            "mixhaul_db_pool_waits", "Times that something had to wait for a connection of the pool.", labels=["pool"]
        )
        counts: dict[str, list[int]] = {name: [0, 0, before] for name, before in self._finished_waits.items()}
        for database in list(self._open):
            state = database.pool_state()
            sums = counts[database.pool_name]
            sums[0] += state.busy
            sums[1] += state.idle
            sums[2] += state.waits
        for name, (busy, idle, waited) in sorted(counts.items()):
            connections.add_metric([name, "busy"], busy)
            connections.add_metric([name, "idle"], idle)
            waits.add_metric([name], waited)
        yield connections
        yield waits


POOLS = PoolCollector()
REGISTRY.register(POOLS)
