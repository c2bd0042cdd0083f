"""What this process's own calls to MiX come to, as growth since the last look: for processes that nobody scrapes.

Reads the client's counters. Of a process that lives long enough to be scraped it must not be used: its calls would be
counted twice.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

from mixhaul_mix import metrics
from mixhaul_store.totals import Count

_COUNTERS: Final[dict[str, Counter]] = {
    "upstream_requests_total": metrics.REQUESTS,
    "upstream_retries_total": metrics.RETRIES,
    "token_refreshes_total": metrics.TOKEN_REFRESHES,
}

_Series = tuple[str, tuple[tuple[str, str], ...]]


class CallLedger:
    """Begins at what was counted when it was made."""

    def __init__(self) -> None:
        self._seen = _read()

    def growth(self) -> list[Count]:
        """By how much each counter has grown since the growth that was taken last."""
        now = _read()
        return [
            Count(metric, dict(labels), value - self._seen.get((metric, labels), 0.0))
            for (metric, labels), value in now.items()
            if value > self._seen.get((metric, labels), 0.0)
        ]

    def take(self, counts: list[Count]) -> None:
        """These are written down."""
        for one in counts:
            series = (one.metric, tuple(sorted(one.labels.items())))
            self._seen[series] = self._seen.get(series, 0.0) + one.value


def _read() -> dict[_Series, float]:
    return {
        (metric, tuple(sorted(sample.labels.items()))): sample.value
        for metric, counter in _COUNTERS.items()
        for family in counter.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
