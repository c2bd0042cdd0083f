"""The status as it should be, whether it is worth a write, and the merge-patch that writes it.

It is written on transitions. The one thing that moves by itself, how far the stream has come, is refreshed at most
every few minutes: without that, `kubectl get` would show the age of the last transition as the lag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from mixhaul_operator.conditions.finding import Subject
from mixhaul_operator.conditions.synced import last_success
from mixhaul_operator.cronjob_decision import Written
from mixhaul_operator.facts import FeedFacts, Known
from mixhaul_operator.times import moment, stamp


def compose(
    subject: Subject,
    previous: Mapping[str, Any],
    *,
    generation: int,
    conditions: Sequence[Mapping[str, Any]],
    cron_job: Written | None,
    last_request: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """All of it. What is not known this time stays as it was."""
    status: dict[str, Any] = {"observedGeneration": generation, "conditions": list(conditions)}
    status["sync"] = _sync(subject, previous.get("sync") or {})
    status["stream"] = _stream(subject, previous.get("stream") or {})
    if last_request is not None:
        status["lastRequest"] = dict(last_request)
    if cron_job is not None:
        status["cronJob"] = {
            "name": cron_job.name,
            "appliedHash": cron_job.applied_hash,
            "generation": cron_job.generation,
        }
    return {key: value for key, value in status.items() if value != {}}


def worth_a_write(previous: Mapping[str, Any], wanted: Mapping[str, Any], *, refresh: timedelta) -> bool:
    """Whether anything differs, leaving out a small move of the cursor."""
    if _without_cursor(previous) != _without_cursor(wanted):
        return True
    before, after = _cursor(previous), _cursor(wanted)
    if before is None or after is None:
        return before is not after
    return refresh > timedelta(0) and abs(after - before) >= refresh


def merge_patch(previous: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What turns one into the other: lists whole, null for what is no longer there."""
    patch: dict[str, Any] = {key: None for key in previous if key not in wanted}
    for key, value in wanted.items():
        before = previous.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = merge_patch(before, value)
            if inner:
                patch[key] = inner
        elif value != before:
            patch[key] = value
    return patch


def _sync(subject: Subject, previous: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    known = [moment(previous.get("lastSuccessTime")), last_success(subject)]
    success = max((each for each in known if each is not None), default=None)
    if success is not None:
        found["lastSuccessTime"] = stamp(success)
    if subject.times is not None and not subject.suspended:
        found["nextScheduleTime"] = stamp(subject.times.next)
    return found


def _stream(subject: Subject, previous: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(subject.knowledge, Known):
        return dict(previous)
    feeds = subject.knowledge.facts.feeds
    if not feeds:
        return {}
    found: dict[str, Any] = {
        "organisations": len({feed.organisation.external_id for feed in feeds}),
        "openGaps": sum(feed.open_gaps for feed in feeds),
    }
    slowest = _slowest(feeds)
    if slowest is not None:
        found["cursorTime"] = stamp(slowest)
    return found


def _slowest(feeds: Sequence[FeedFacts]) -> datetime | None:
    return min((feed.position for feed in feeds if feed.position is not None), default=None)


def _cursor(status: Mapping[str, Any]) -> datetime | None:
    return moment((status.get("stream") or {}).get("cursorTime"))


def _without_cursor(status: Mapping[str, Any]) -> dict[str, Any]:
    stream = {key: value for key, value in (status.get("stream") or {}).items() if key != "cursorTime"}
    return {**status, "stream": stream}
