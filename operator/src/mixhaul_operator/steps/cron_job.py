"""The CronJob: made, updated, repaired, or left alone because it's somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog

from mixhaul_operator.conditions.finding import Blocker
from mixhaul_operator.cronjob import Desired, desired
from mixhaul_operator.cronjob_decision import Act, Decision, Written, decide, replacement, written_of
from mixhaul_operator.errors import Conflict, KubeError, NotFound, Refused
from mixhaul_operator.kube import namespaced
from mixhaul_operator.steps.run import Run, Tools
from mixhaul_operator.transitions import NORMAL, WARNING, Notice
from mixhaul_source.conditions import Reason
from mixhaul_source.model import MixSourceSpec

log = structlog.get_logger("mixhaul_operator.steps.cron_job")

_TRIES: Final = 3
_WAIT_SECONDS: Final = 2.0


async def keep_cron_job(tools: Tools, run: Run) -> None:
    """What can't be done now is said in the status, and tried again by the queue."""
    run.written = written_of(run.status)
    want = _wanted(tools, run)
    if want is None:
        return
    try:
        await _settle(tools, run, want)
    except Refused as error:
        run.blocker = Blocker(Reason.INVALID_SPEC, f"The API server does not take the CronJob: {error}")
    except KubeError as error:
        run.unfinished = f"The CronJob could not be written: {error}"
        run.error = error


def _wanted(tools: Tools, run: Run) -> Desired | None:
    if run.spec is None or run.deleting is not None:
        return None
    name = tools.settings.pod_template
    template = tools.world.templates.get(name)
    if template is None:
        message = f"The release's PodTemplate {name} is not there: run helm upgrade."
        run.blocker = Blocker(Reason.POD_TEMPLATE_MISSING, message)
        return None
    return _computed(tools, run, run.spec, template)


def _computed(tools: Tools, run: Run, spec: MixSourceSpec, template: Mapping[str, Any]) -> Desired:
    """Once for each generation of the source and version of the template."""
    memory = tools.memory(run.name)
    version = (run.uid, run.generation, template["metadata"]["uid"], template["metadata"]["resourceVersion"])
    if memory.desired is None or memory.desired[0] != version:
        memory.desired = (version, desired(run.source, spec, template))
    return memory.desired[1]


async def _settle(tools: Tools, run: Run, want: Desired) -> None:
    for _ in range(_TRIES):
        run.cron_job = tools.world.cron_jobs.get(want.name)
        decision = decide(want, run.cron_job, run.written, uid=run.uid)
        try:
            if await _acted(tools, run, want, decision):
                return
        except (Conflict, NotFound) as error:
            await _read_again(tools, want.name)
            run.error = error
    run.unfinished = f"The CronJob {want.name} is being changed by somebody else; it is tried again."


async def _acted(tools: Tools, run: Run, want: Desired, decision: Decision) -> bool:
    namespace = tools.settings.namespace
    before = run.cron_job
    match decision.act:
        case Act.KEEP:
            run.error = None
            return True
        case Act.REFUSE:
            run.error = None
            run.blocker = Blocker(Reason.FOREIGN_CRON_JOB, f"{decision.why} and is left alone: rename or remove it.")
            run.cron_job = None
            return True
        case Act.WAIT:
            run.error = None
            run.unfinished = f"The CronJob {want.name}: {decision.why}."
            run.look_again(_WAIT_SECONDS)
            return True
        case Act.CREATE:
            run.cron_job = await tools.kube.create(namespaced("batch/v1", namespace, "cronjobs"), want.value)
        case Act.UPDATE:
            assert before is not None  # noqa: S101 - there is one to update
            path = namespaced("batch/v1", namespace, "cronjobs", want.name)
            run.cron_job = await tools.kube.replace(path, replacement(want, before))
    tools.world.cron_jobs.put(run.cron_job)
    run.error = None
    run.written = Written(
        name=want.name, applied_hash=want.digest, generation=int(run.cron_job["metadata"]["generation"])
    )
    if before is None or before["metadata"]["resourceVersion"] != run.cron_job["metadata"]["resourceVersion"]:
        run.changed = True
        log.info(_DONE[decision.act], source=run.key, cron_job=want.name, why=decision.why)
        run.notices.append(_notice(decision, want.name))
    return True


async def _read_again(tools: Tools, name: str) -> None:
    """What is really there, after the API server disagreed with what we had seen."""
    path = namespaced("batch/v1", tools.settings.namespace, "cronjobs", name)
    try:
        tools.world.cron_jobs.put(await tools.kube.get(path))
    except NotFound:
        seen = tools.world.cron_jobs.get(name)
        if seen is not None:
            tools.world.cron_jobs.drop(seen)


def _notice(decision: Decision, name: str) -> Notice:
    if decision.repair:
        return Notice(WARNING, "CronJobRepaired", f"The CronJob {name} was put right: {decision.why}.")
    if decision.act is Act.CREATE:
        return Notice(NORMAL, "CronJobCreated", f"The CronJob {name} was made.")
    return Notice(NORMAL, "CronJobUpdated", f"The CronJob {name} was updated: {decision.why}.")


_DONE: Final = {Act.CREATE: "CronJob made", Act.UPDATE: "CronJob updated"}
