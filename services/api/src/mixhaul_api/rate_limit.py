"""How many requests a caller may make: a bucket each, in this process only, that fills evenly over a minute.

It guards the database from one runaway client. It is no quota: each process counts alone, and the least used buckets
are forgotten when there are very many.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from mixhaul_runtime.clock import Clock

WINDOW_SECONDS: Final = 60
_POLICY: Final = "caller"
_MOST_CALLERS: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the request may go on, and the header fields that say how many are left (the IETF's draft)."""

    allowed: bool
    headers: dict[str, str]


@dataclass(slots=True)
class RateLimit:
    """`per_minute` requests a caller, as many of them at once; 0 is no limit."""

    per_minute: int
    clock: Clock
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def take(self, caller: str) -> Verdict:
        """Count a request."""
        if self.per_minute == 0:
            return Verdict(allowed=True, headers={})
        now = self.clock.monotonic()
        bucket = self._buckets.pop(caller, None) or _Bucket(self.per_minute, now)
        pace = self.per_minute / WINDOW_SECONDS
        bucket.left = min(float(self.per_minute), bucket.left + (now - bucket.at) * pace)
        bucket.at = now
        self._buckets[caller] = bucket
        if len(self._buckets) > _MOST_CALLERS:
            self._buckets.popitem(last=False)
        allowed = bucket.left >= 1
        if allowed:
            bucket.left -= 1
        until_full = ceil((self.per_minute - bucket.left) / pace)
        headers = {
            "RateLimit-Policy": f'"{_POLICY}";q={self.per_minute};w={WINDOW_SECONDS}',
            "RateLimit": f'"{_POLICY}";r={int(bucket.left)};t={until_full}',
        }
        if not allowed:
            headers["Retry-After"] = str(max(1, ceil((1 - bucket.left) / pace)))
        return Verdict(allowed, headers)
