"""`deletionPolicy`: who has our finalizer, and when it goes. Pure.

With Retain there is none. With Delete it holds the object until the data is gone, but never longer than a minute: a
database that is away must not hold `kubectl delete`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from mixhaul_operator.facts import RequestFacts
from mixhaul_operator.naming import FINALIZER
from mixhaul_operator.times import moment

PATIENCE: Final = timedelta(seconds=60)
KIND: Final = "delete"


class Act(StrEnum):
    """What to do about the finalizer."""

    NOTHING = "nothing"
    ADD = "add"
    REMOVE = "remove"
    ASK = "ask"
    WAIT = "wait"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, what to tell, and when to look again."""

    act: Act
    message: str = ""
    again_in: timedelta | None = None


def request_id(uid: str) -> str:
    """Of the row that asks for the deletion of a source's data: one for each life of a source."""
    return f"delete:{uid}"


def decide(
    source: Mapping[str, Any],
    *,
    policy: str,
    asked: RequestFacts | None,
    now: datetime,
    patience: timedelta = PATIENCE,
) -> Decision:
    """`asked` is the deletion's row, where there is one."""
    metadata = source["metadata"]
    ours = FINALIZER in (metadata.get("finalizers") or ())
    began = moment(metadata.get("deletionTimestamp"))
    if policy != "Delete":
        return Decision(Act.REMOVE if ours else Act.NOTHING)
    if began is None:
        return Decision(Act.NOTHING if ours else Act.ADD)
    if not ours:
        return Decision(Act.NOTHING)
    if asked is not None and asked.state == "succeeded":
        return Decision(Act.REMOVE, "The data was deleted.")
    left = began + patience - now
    if left <= timedelta(0):
        return Decision(Act.GIVE_UP, _given_up(asked, seconds=round(patience.total_seconds())))
    if asked is None:
        return Decision(Act.ASK, "Waits for the database to take the request to delete the data.", left)
    return Decision(Act.WAIT, "Waits for the leader to delete the data.", left)


def without_ours(source: Mapping[str, Any]) -> dict[str, Any]:
    """The merge-patch that takes our finalizer away; refused where somebody else changed the list in between."""
    return _patch(source, [each for each in source["metadata"].get("finalizers") or () if each != FINALIZER])


def with_ours(source: Mapping[str, Any]) -> dict[str, Any]:
    """The merge-patch that adds it."""
    return _patch(source, [*(source["metadata"].get("finalizers") or ()), FINALIZER])


def _patch(source: Mapping[str, Any], finalizers: list[str]) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": source["metadata"]["resourceVersion"], "finalizers": finalizers}}


def _given_up(asked: RequestFacts | None, *, seconds: int) -> str:
    if asked is None:
        return (
            f"The database could not be asked for {seconds} s: the MixSource goes, its data is deleted as soon as the "
            "database is back."
        )
    if asked.state == "failed":
        return f"The data could not be deleted ({asked.message or 'no reason was written down'}): the MixSource goes."
    return f"The data was not deleted within {seconds} s: the MixSource goes, the leader deletes the data later."
