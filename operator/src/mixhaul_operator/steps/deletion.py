"""Our finalizer: on MixSources with `deletionPolicy: Delete`, and on nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from mixhaul_operator import deletion
from mixhaul_operator.deletion import Act
from mixhaul_operator.errors import NotFound
from mixhaul_operator.steps.run import Run, Tools
from mixhaul_operator.transitions import NORMAL, WARNING, Notice
from mixhaul_store.errors import StoreError

log = structlog.get_logger("mixhaul_operator.steps.deletion")

_ASK_EVERY_SECONDS: Final = 5.0


async def keep_finalizer(tools: Tools, run: Run) -> None:
    """Add it, take it away, or wait for the leader to have deleted the data."""
    policy = (run.source.get("spec") or {}).get("deletionPolicy") or "Retain"
    request_id = deletion.request_id(run.uid)
    snapshot = tools.progress.snapshot
    asked = snapshot.requests.get(run.key, {}).get(request_id) if snapshot is not None else None
    patience = timedelta(seconds=tools.settings.deletion_patience_seconds)
    decision = deletion.decide(run.source, policy=policy, asked=asked, now=run.now, patience=patience)
    if decision.again_in is not None:
        run.look_again(max(0.1, decision.again_in.total_seconds()))
    match decision.act:
        case Act.ADD:
            run.source = await _patched(tools, run, deletion.with_ours(run.source))
        case Act.REMOVE:
            await _let_go(tools, run)
            if decision.message:
                run.notices.append(Notice(NORMAL, "DataDeleted", decision.message))
        case Act.GIVE_UP:
            if asked is None:
                tools.progress.ask_for_deletion_later(key=run.key, request_id=request_id)
            log.warning("the finalizer goes without an answer", source=run.key, detail=decision.message)
            run.notices.append(Notice(WARNING, "DataNotDeleted", decision.message))
            await _let_go(tools, run)
        case Act.ASK:
            run.deleting = await _ask(tools, run, request_id) or decision.message
            run.look_again(_ASK_EVERY_SECONDS)
        case Act.WAIT:
            run.deleting = decision.message
            tools.progress.soon()
            run.look_again(_ASK_EVERY_SECONDS)
        case Act.NOTHING:
            pass
    if run.source["metadata"].get("deletionTimestamp") and run.deleting is None:
        # The garbage collector takes the CronJob; there is nothing left to say.
        run.over = True


async def _ask(tools: Tools, run: Run, request_id: str) -> str | None:
    """Why it could not be asked, as a sentence."""
    try:
        await tools.progress.ask(key=run.key, request_id=request_id, kind=deletion.KIND, parameters={"uid": run.uid})
    except StoreError as error:
        return f"The data is not deleted yet, because the database can't be asked: {error}"
    return None


async def _let_go(tools: Tools, run: Run) -> None:
    try:
        run.source = await _patched(tools, run, deletion.without_ours(run.source))
    except NotFound:
        run.over = True


async def _patched(tools: Tools, run: Run, patch: dict[str, object]) -> dict[str, object]:
    answer = await tools.kube.merge(tools.path(run.name), patch)
    tools.world.put_source(answer)
    run.changed = True
    return answer
