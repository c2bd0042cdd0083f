"""Work asked for by annotation: put into the database once, answered in `status.lastRequest`."""

from __future__ import annotations

import structlog

from mixhaul_operator import requests
from mixhaul_operator.steps.run import Run, Tools
from mixhaul_store.errors import StoreError

log = structlog.get_logger("mixhaul_operator.steps.request")


async def take_request(tools: Tools, run: Run) -> None:
    """A database that is away is tried again at each reading of the progress."""
    last = run.status.get("lastRequest")
    want = requests.wanted(run.source["metadata"].get("annotations") or {})
    waiting = None
    known = None
    if want is not None:
        snapshot = tools.progress.snapshot
        known = snapshot.requests.get(run.key, {}).get(want.request_id) if snapshot is not None else None
        memory = tools.memory(run.name)
        if memory.asked != want.request_id and requests.is_to_be_asked(want, last, known):
            try:
                await tools.progress.ask(
                    key=run.key, request_id=want.request_id, kind=want.kind, parameters=dict(want.parameters)
                )
            except StoreError as error:
                waiting = f"It waits for the database: {error}"
            else:
                memory.asked = want.request_id
                run.changed = True
                log.info("work asked for", source=run.key, request=want.text, request_id=want.request_id)
    run.last_request = requests.answer(want, last, known, now=run.now, waiting=waiting)
