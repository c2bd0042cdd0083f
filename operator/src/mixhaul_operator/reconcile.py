"""One reconciliation of one MixSource: gather, take the steps in order, say how it went.

It can be done at any time and any number of times: where nothing is to be done, nothing is written.
"""

from __future__ import annotations

import time

from mixhaul_operator.announcing import announce
from mixhaul_operator.metrics import RECONCILE_SECONDS, RECONCILES
from mixhaul_operator.steps import STEPS, Run, Tools
from mixhaul_operator.workqueue import Again


class Reconciler:
    """Callable with the name of a MixSource."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def __call__(self, name: str) -> None:
        """Raises what the queue needs to know: an error to try again after, or `Again`."""
        began = time.perf_counter()
        result = "error"
        try:
            run = await self._reconcile(name)
            if run is not None and run.error is not None:
                raise run.error
            result = "changed" if run is not None and run.changed else "unchanged"
        finally:
            RECONCILES.labels(result).inc()
            RECONCILE_SECONDS.labels(result).observe(time.perf_counter() - began)
        if run is not None and run.again_in is not None:
            raise Again(run.again_in)

    async def _reconcile(self, name: str) -> Run | None:
        source = self._tools.world.sources.get(name)
        if source is None:
            self._tools.memories.pop(name, None)
            return None
        run = Run(source=source, now=self._tools.clock.now())
        for step in STEPS:
            await step(self._tools, run)
            if run.over:
                await announce(self._tools.kube, run.source, run.notices, now=run.now)
                break
        return run
