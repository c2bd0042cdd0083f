"""`Stalled`, `Reconciling` and `Ready`: what kstatus and people look at first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mixhaul_operator.conditions.finding import Blocker, Finding, Subject, finding
from mixhaul_operator.facts import Away
from mixhaul_source.conditions import ConditionType, Reason


def stalled(subject: Subject) -> Finding:
    """What holds the operator until a person acts."""
    blocker = blocker_of(subject)
    if blocker is not None:
        return finding(ConditionType.STALLED, blocker.reason, blocker.message)
    return finding(ConditionType.STALLED, Reason.NOT_STALLED)


def blocker_of(subject: Subject) -> Blocker | None:
    """The spec and the CronJob come before the Secret. Of a source that is on its way out nothing is asked."""
    if subject.deleting is not None:
        return None
    return subject.blocker or subject.secret_problem


def reconciling(subject: Subject) -> Finding:
    """True only while something is to be tried again without anybody's help."""
    kind = ConditionType.RECONCILING
    if subject.deleting is not None:
        return finding(kind, Reason.DELETING, subject.deleting)
    if subject.unfinished is not None:
        return finding(kind, Reason.PROGRESSING, subject.unfinished)
    if subject.suspended:
        return finding(kind, Reason.SUSPENDED)
    return finding(kind, Reason.UP_TO_DATE)


_SUMMED: Final = (ConditionType.CREDENTIALS_VALID, ConditionType.SYNCED, ConditionType.FRESH)


def ready(subject: Subject, others: Mapping[ConditionType, Finding]) -> Finding:
    """The first thing that is wrong, in the order in which a person would look.

    `CaughtUp` is left out: a feed with more to read is behind only once `Fresh` says so, and a gap that is being
    backfilled does not make new data less fresh.
    """
    kind = ConditionType.READY
    blocker = blocker_of(subject)
    if blocker is not None:
        return finding(kind, blocker.reason, blocker.message)
    if subject.suspended:
        return finding(kind, Reason.SUSPENDED)
    if subject.deleting is not None:
        return finding(kind, Reason.NOT_READY_YET, "It is being deleted.")
    summed = [others[each] for each in _SUMMED]
    for found in summed:
        if found.status == "False":
            return finding(kind, found.reason, found.message)
    if isinstance(subject.knowledge, Away):
        return finding(kind, subject.knowledge.reason, subject.knowledge.sentence)
    if not subject.has_cron_job:
        return finding(kind, Reason.NOT_READY_YET, subject.unfinished or "The CronJob was not made yet.")
    for found in summed:
        if found.status == "Unknown":
            if found.reason in (Reason.DATABASE_UNAVAILABLE, Reason.SCHEMA_TOO_OLD):
                return finding(kind, found.reason, found.message)
            return finding(kind, Reason.NOT_READY_YET, found.message)
    return finding(kind, Reason.ALL_WELL)
