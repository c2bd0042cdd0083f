"""Decisions of the Lease election, as pure functions of what was seen and of this process's own monotonic clock.

The holder writes the Lease again and again; whoever sees it unchanged for its whole duration may take it. No two clocks
are compared: the times in the Lease are for people. A holder counts from *before* the last good request was sent, the
others from *after* they saw the change, so that a holder gives up before anybody may take over. Two processes are kept
apart by the `resourceVersion`, of which the API server takes one. None of this stops a write that is on its way to
PostgreSQL: that is what the epoch is for.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mixhaul_ingestor.leadership import Timing

API_VERSION: Final = "coordination.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Record:
    """A Lease as it was read: `value` is the whole object, the rest what decisions need."""

    value: Mapping[str, Any]
    holder: str
    duration: float
    mark: tuple[object, ...]

    @property
    def version(self) -> str:
        return str((self.value.get("metadata") or {}).get("resourceVersion", ""))


@dataclass(frozen=True, slots=True)
class Seen:
    """The Lease (None: there is none) and the monotonic time from which it is known to be like that.

    `held_for`: how long the holder of a Lease that vanished may still believe that it has it.
    """

    record: Record | None
    since: float
    held_for: float = 0.0


@dataclass(frozen=True, slots=True)
class Create:
    """There is no Lease, and nobody who had it may still lead: make it."""


@dataclass(frozen=True, slots=True)
class Take:
    """It is free, or ours, or has run out: write ourselves into it."""

    record: Record


@dataclass(frozen=True, slots=True)
class Wait:
    """Another holds it: look again when it changes, at the latest after so many seconds."""

    seconds: float


Decision = Create | Take | Wait


def record_of(value: Mapping[str, Any]) -> Record:
    """What a Lease says; what it does not say counts as free and without duration."""
    spec = value.get("spec") or {}
    holder = str(spec.get("holderIdentity") or "")
    duration = float(spec.get("leaseDurationSeconds") or 0)
    return Record(
        value=value,
        holder=holder,
        duration=duration,
        mark=(holder, duration, spec.get("renewTime"), spec.get("acquireTime"), spec.get("leaseTransitions")),
    )


def seen(before: Seen | None, record: Record | None, *, now: float) -> Seen:
    """Take note of what was read. What says the same as before is as old as it was."""
    if before is None:
        return Seen(record=record, since=now)
    if (before.record and before.record.mark) == (record and record.mark):
        return Seen(record=record, since=before.since, held_for=before.held_for)
    vanished = before.record if record is None and before.record is not None and before.record.holder else None
    return Seen(record=record, since=now, held_for=vanished.duration if vanished else 0.0)


def decide(known: Seen, *, me: str, now: float, timing: Timing) -> Decision:
    """What a candidate does. With differing settings the longer duration counts."""
    record = known.record
    if record is None:
        left = known.since + max(timing.lease_duration, known.held_for) - now if known.held_for else 0.0
        return Wait(left) if left > 0 else Create()
    if record.holder in ("", me):
        return Take(record)
    left = known.since + max(timing.lease_duration, record.duration) - now
    return Wait(left) if left > 0 else Take(record)


def time_left(good: float, *, now: float, timing: Timing) -> float:
    """Seconds until a holder must have stopped; `good` is the time before its last good request was sent."""
    return good + timing.renew_deadline - now


def call_seconds(left: float, timing: Timing) -> float:
    """How long one request of a holder may take: so that a lost one leaves time for two more, and never too long."""
    return max(0.0, min(left, timing.renew_deadline / 3))


def nap(left: float, timing: Timing) -> float:
    """How long a holder sleeps between two requests: not beyond its deadline."""
    return max(0.0, min(timing.retry_period, left))


def silence(timing: Timing) -> float:
    """A watch on a Lease that is held tells something each retry period; so long without a word, and it is dead."""
    return max(1.0, timing.retry_period * 3)


def created(*, name: str, namespace: str, me: str, now: datetime, timing: Timing) -> dict[str, Any]:
    """A new Lease of ours."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": "mixhaul", "app.kubernetes.io/component": "ingestor"},
        },
        "spec": {
            "holderIdentity": me,
            "leaseDurationSeconds": _whole(timing.lease_duration),
            "acquireTime": _time(now),
            "renewTime": _time(now),
            "leaseTransitions": 0,
        },
    }


def taken(record: Record, *, me: str, now: datetime, timing: Timing) -> dict[str, Any]:
    """The Lease with us as its holder, renewed: everything else in it stays as it was read."""
    value, spec = _copy(record)
    if record.holder != me:
        spec["acquireTime"] = _time(now)
        spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
    spec["holderIdentity"] = me
    spec["leaseDurationSeconds"] = _whole(timing.lease_duration)
    spec["renewTime"] = _time(now)
    return value


def released(record: Record, *, now: datetime) -> dict[str, Any]:
    """The Lease without a holder: the next one need not wait."""
    value, spec = _copy(record)
    spec["holderIdentity"] = ""
    spec["renewTime"] = _time(now)
    return value


def _copy(record: Record) -> tuple[dict[str, Any], dict[str, Any]]:
    value = copy.deepcopy(dict(record.value))
    spec = value["spec"] = dict(value.get("spec") or {})
    return value, spec


def _whole(seconds: float) -> int:
    """The API knows whole seconds, at least one; longer is safer."""
    return max(1, math.ceil(seconds))


def _time(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
