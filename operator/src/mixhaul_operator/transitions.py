"""Which Kubernetes Events tell of a change of conditions. Pure: conditions before and after.

One Event for each thing that happened: several conditions that share a reason make one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mixhaul_source.conditions import ConditionType, Reason


@dataclass(frozen=True, slots=True)
class Notice:
    """An Event to be."""

    type: str
    reason: str
    message: str


NORMAL: Final = "Normal"
WARNING: Final = "Warning"

# True where all is well; of the other two, False is well.
_GOOD_WHEN_FALSE: Final = frozenset({ConditionType.STALLED, ConditionType.RECONCILING})
_NO_NEWS: Final = frozenset(
    {
        *(Reason.NOT_STALLED, Reason.UP_TO_DATE, Reason.PROGRESSING, Reason.DELETING, Reason.NOT_READY_YET),
        *(Reason.LOGIN_PENDING, Reason.SYNC_PENDING, Reason.NOT_POLLED, Reason.MORE_ITEMS, Reason.NO_MORE_ITEMS),
    }
)


def notices(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[Notice]:
    """For those conditions whose status or reason changed."""
    known = {str(condition["type"]): condition for condition in before}
    reasons_before = {str(condition["reason"]) for condition in before}
    found: dict[str, Notice] = {}
    for condition in after:
        old = known.get(str(condition["type"]))
        if old is not None and (old["status"], old["reason"]) == (condition["status"], condition["reason"]):
            continue
        reason = str(condition["reason"])
        if reason in _NO_NEWS or reason in found:
            continue
        # Ready merely repeats a reason that another condition had before.
        if condition["type"] == ConditionType.READY and reason in reasons_before and reason != Reason.SUSPENDED:
            continue
        kind = _kind(condition)
        if kind == NORMAL and condition["type"] != ConditionType.READY and (old is None or old["status"] == "Unknown"):
            # That a part is well for the first time is what Ready sums up.
            continue
        found[reason] = Notice(kind, reason, str(condition["message"]))
    return list(found.values())


def _kind(condition: Mapping[str, Any]) -> str:
    if condition["reason"] == Reason.SUSPENDED:
        return NORMAL
    good = "False" if condition["type"] in _GOOD_WHEN_FALSE else "True"
    return NORMAL if condition["status"] == good else WARNING
