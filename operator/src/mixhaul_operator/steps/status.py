"""The conditions and the rest of the status: computed whole, patched once, told as Events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from mixhaul_operator import status
from mixhaul_operator.announcing import announce
from mixhaul_operator.conditions import compute, with_times
from mixhaul_operator.conditions.finding import JobFacts, Subject
from mixhaul_operator.errors import NotFound
from mixhaul_operator.steps.run import Run, Tools
from mixhaul_operator.times import moment
from mixhaul_operator.transitions import notices

log = structlog.get_logger("mixhaul_operator.steps.status")


async def write_status(tools: Tools, run: Run) -> None:
    """Nothing is written where nothing differs."""
    subject = _subject(tools, run)
    before = run.status.get("conditions") or []
    conditions = with_times(compute(subject, before), before, generation=run.generation, now=run.now)
    wanted = status.compose(
        subject,
        run.status,
        generation=run.generation,
        conditions=conditions,
        cron_job=run.written,
        last_request=run.last_request,
    )
    wanted = {key: value for key, value in wanted.items() if key not in tools.dropped}
    refresh = timedelta(seconds=tools.settings.status_refresh_seconds)
    if status.worth_a_write(run.status, wanted, refresh=refresh):
        patch = status.merge_patch(run.status, wanted)
        try:
            run.source = await tools.kube.merge(tools.path(run.name, "status"), {"status": patch})
        except NotFound:
            run.over = True
            return
        run.changed = True
        tools.world.put_source(run.source)
        _look_for_dropped(tools, wanted, run.status)
        run.notices.extend(notices(before, conditions))
    await announce(tools.kube, run.source, run.notices, now=run.now)


def _subject(tools: Tools, run: Run) -> Subject:
    spec = run.spec
    return Subject(
        key=run.key,
        spec=spec,
        created_at=moment(run.source["metadata"].get("creationTimestamp")) or run.now,
        now=run.now,
        knowledge=tools.progress.knowledge(key=run.key, spec=spec, login=run.login),
        blocker=run.blocker,
        secret_problem=run.secret_problem,
        secret_changed_at=run.secret_changed_at,
        deleting=run.deleting,
        unfinished=run.unfinished,
        has_cron_job=run.cron_job is not None,
        job=_job(run),
        times=None if spec is None else tools.calendar.times(spec.sync.schedule, spec.sync.time_zone, now=run.now),
    )


def _job(run: Run) -> JobFacts:
    found: dict[str, Any] = (run.cron_job or {}).get("status") or {}
    return JobFacts(
        scheduled_at=moment(found.get("lastScheduleTime")),
        succeeded_at=moment(found.get("lastSuccessfulTime")),
        running=bool(found.get("active")),
    )


def _look_for_dropped(tools: Tools, wanted: dict[str, Any], stored: Any) -> None:
    """An older CRD drops what it does not know; it would be missed, and written, again and again."""
    dropped = {key for key in wanted if key not in stored}
    if dropped - tools.dropped:
        tools.dropped.update(dropped)
        log.error(
            "the CRD is older than this operator and drops parts of the status: "
            "upgrade it with `kubectl apply --server-side --force-conflicts -f crds/`, then restart the operator",
            fields=sorted(dropped),
        )
