"""Liveness and readiness as sentences.

Liveness proves that the loop moves and that the way to the API server works at all; an outage of the API server shorter
than a quarter of an hour restarts nothing. Readiness tells people that the operator sees the cluster.
"""

from __future__ import annotations

from typing import Final

from mixhaul_operator.kube import Kube
from mixhaul_operator.listing import Listing
from mixhaul_runtime.clock import Clock

_STALLED_LOOP_SECONDS: Final = 30.0
_SILENT_API_SECONDS: Final = 900.0


class Health:
    """`run` is the heartbeat of the loop."""

    def __init__(self, *, kube: Kube, listing: Listing, clock: Clock) -> None:
        self._kube = kube
        self._listing = listing
        self._clock = clock
        self._beat = clock.monotonic()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._beat = self._clock.monotonic()
            await self._clock.sleep(1.0)

    def live(self) -> str | None:
        now = self._clock.monotonic()
        late = now - self._beat
        if late > _STALLED_LOOP_SECONDS:
            return f"the event loop stood still for {late:.0f} s"
        silent = now - self._kube.last_good if self._kube.last_good is not None else 0.0
        if silent > _SILENT_API_SECONDS:
            return f"the API server has not answered for {silent:.0f} s"
        return None

    def ready(self) -> str | None:
        return self._listing.trouble
