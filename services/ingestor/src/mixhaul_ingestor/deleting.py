"""`deletionPolicy: Delete`, the leader's part: what belongs to a MixSource goes after it."""

from __future__ import annotations

from typing import Final

import structlog

from mixhaul_ingestor.jobs import Job, Outcome, Postponed
from mixhaul_store import deletion

log = structlog.get_logger("mixhaul_ingestor.deleting")

AGAIN_SECONDS: Final = 2.0


async def on_request(job: Job) -> Outcome:
    """Delete what the life of a source has left behind whose uid is in the request."""
    leading, request = job.leading, job.request
    uid = request.parameters.get("uid")
    if not isinstance(uid, str) or not uid:
        return Outcome(False, "The request does not say which MixSource is meant: it has no uid.")
    source = leading.sources().get(request.source)
    if source is not None and source.uid == uid:
        raise Postponed("The MixSource is still there.", after_seconds=AGAIN_SECONDS)

    async def progress(rows: int) -> None:
        await job.note(rows=rows)

    database, epoch = leading.wiring.database, leading.epoch
    done = await deletion.delete_source(
        database, source=request.source, uid=uid, epoch=epoch, others=source is not None, progress=progress
    )
    await deletion.sweep(database, epoch=epoch)
    log.info("the data of a source was deleted", source=request.source, organisations=done.organisations)
    return Outcome(True, f"The data of {done.organisations} organisations was deleted, {done.rows} rows.")
