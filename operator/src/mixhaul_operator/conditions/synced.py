"""`Synced`: whether support data was fetched when it was due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mixhaul_operator.conditions.finding import Finding, Subject, finding
from mixhaul_operator.conditions.wording import listed, shortened
from mixhaul_operator.facts import Known, SourceFacts, SyncFacts
from mixhaul_operator.times import stamp
from mixhaul_source.conditions import ConditionType, Reason

_TYPE = ConditionType.SYNCED


def synced(subject: Subject) -> Finding | None:
    """None: nothing new is known, the condition stays as it is."""
    if subject.suspended:
        return finding(_TYPE, Reason.SUSPENDED)
    if not isinstance(subject.knowledge, Known):
        return None
    facts = subject.knowledge.facts
    if facts.claims:
        return finding(_TYPE, Reason.ORGANISATION_CLAIMED, _claimed(subject, facts))
    if (failure := _failure(subject, facts)) is not None:
        return finding(_TYPE, Reason.SYNC_FAILED, failure)
    success = last_success(subject)
    due = subject.times.before_last if subject.times is not None else None
    if due is not None and (success or subject.created_at) < due:
        return finding(_TYPE, Reason.SYNC_OVERDUE, _overdue(subject))
    if success is None:
        return finding(_TYPE, Reason.SYNC_PENDING)
    if short := [run for run in facts.syncs if run.short_lists]:
        return finding(_TYPE, Reason.SHORT_LIST, _short(short))
    return finding(_TYPE, Reason.SYNC_SUCCEEDED)


def last_success(subject: Subject) -> datetime | None:
    """When support data was last fetched well: of the organisation that is furthest behind, or else by the Job."""
    if isinstance(subject.knowledge, Known):
        runs = subject.knowledge.facts.syncs
        if runs:
            return min(run.at for run in runs) if all(run.succeeded for run in runs) else None
    return subject.job.succeeded_at


def _claimed(subject: Subject, facts: SourceFacts) -> str:
    claims = [f"{claim.organisation} is hauled by MixSource {claim.owner}" for claim in facts.claims]
    sentence = listed(claims)
    return (
        f"{sentence[:1].upper()}{sentence[1:]}, which claimed it first; {subject.key} goes on with its others. "
        "List the ids that each is to haul in spec.organisationIDs."
    )


def _failure(subject: Subject, facts: SourceFacts) -> str | None:
    failed = [run for run in facts.syncs if not run.succeeded]
    latest = max((run.at for run in facts.syncs), default=None)
    job = subject.job
    if job.failed and job.scheduled_at is not None and (latest is None or latest < job.scheduled_at):
        # The Job never came as far as the database: no image, no Secret, no place on a node.
        return (
            f"The Job that was due at {stamp(job.scheduled_at)} failed before it could write down why: "
            "see the pod's Events and log."
        )
    if not failed:
        return None
    worst = max(failed, key=lambda run: run.at)
    organisations = [run.organisation for run in failed if run.organisation is not None]
    where = f" for {listed(organisations)}" if organisations else ""
    return shortened(f"The last sync failed{where}: {worst.error or 'no reason was written down'}")


def _short(runs: Sequence[SyncFacts]) -> str:
    lists = [f"{text} rows of {run.organisation}" for run in runs for text in run.short_lists]
    return (
        f"Lists came far shorter than before: {listed(lists)}. Nothing was marked as removed; "
        "that happens if the next run brings the like."
    )


def _overdue(subject: Subject) -> str:
    job = subject.job
    if job.scheduled_at is None:
        return "Two runs were missed: no Job was ever started. See the CronJob's Events."
    return "Two runs were missed. See the CronJob's Events and the log of its last Job."
