"""All seven conditions at once, since a merge-patch replaces the whole list, and their times.

A condition that rests on the database says Unknown while that is away, and stays as it was while it is merely late.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from mixhaul_operator.conditions.caught_up import caught_up
from mixhaul_operator.conditions.credentials import credentials_valid
from mixhaul_operator.conditions.finding import Finding, Subject, finding
from mixhaul_operator.conditions.fresh import fresh
from mixhaul_operator.conditions.summary import ready, reconciling, stalled
from mixhaul_operator.conditions.synced import synced
from mixhaul_operator.facts import Away
from mixhaul_operator.times import stamp
from mixhaul_source.conditions import CONDITIONS, ConditionType, Reason

_OF_PROGRESS: Final[dict[ConditionType, tuple[Callable[[Subject], Finding | None], Reason]]] = {
    ConditionType.CREDENTIALS_VALID: (credentials_valid, Reason.LOGIN_PENDING),
    ConditionType.SYNCED: (synced, Reason.SYNC_PENDING),
    ConditionType.FRESH: (fresh, Reason.NOT_POLLED),
    ConditionType.CAUGHT_UP: (caught_up, Reason.NOT_POLLED),
}


def compute(subject: Subject, previous: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """The findings in the order in which they are shown: Ready first."""
    before = {str(condition.get("type")): condition for condition in previous}
    found = {kind: _of_progress(subject, kind, before.get(kind)) for kind in _OF_PROGRESS}
    return [ready(subject, found), reconciling(subject), stalled(subject), *found.values()]


def with_times(
    findings: Sequence[Finding], previous: Sequence[Mapping[str, Any]], *, generation: int, now: datetime
) -> list[dict[str, Any]]:
    """The conditions as they are written; the time of transition moves only when the status does."""
    before = {str(condition.get("type")): condition for condition in previous}
    return [_written(found, before.get(found.type), generation=generation, now=now) for found in findings]


def _written(found: Finding, before: Mapping[str, Any] | None, *, generation: int, now: datetime) -> dict[str, Any]:
    same = before is not None and before.get("status") == found.status
    return {
        "type": str(found.type),
        "status": found.status,
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if same and before is not None else stamp(now),
        "reason": str(found.reason),
        "message": found.message,
    }


def _of_progress(subject: Subject, kind: ConditionType, before: Mapping[str, Any] | None) -> Finding:
    decide, pending = _OF_PROGRESS[kind]
    found = decide(subject)
    if found is not None:
        return found
    if isinstance(subject.knowledge, Away):
        return finding(kind, subject.knowledge.reason, subject.knowledge.sentence)
    return _kept(kind, before) or finding(kind, pending)


def _kept(kind: ConditionType, before: Mapping[str, Any] | None) -> Finding | None:
    """As it was, unless what it said was about the cluster's side, which has been decided anew."""
    if before is None:
        return None
    reason = next((each for each in CONDITIONS[kind].reasons if each == before.get("reason")), None)
    if reason is None or reason in _DECIDED_HERE:
        return None
    return Finding(kind, str(before.get("status")), reason, str(before.get("message", "")))


_DECIDED_HERE: Final = frozenset({Reason.SUSPENDED, Reason.SECRET_MISSING, Reason.SECRET_INCOMPLETE})
