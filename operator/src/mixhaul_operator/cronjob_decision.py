"""What to do about a CronJob: create, update, leave, or refuse. Pure: what is, what should be, what we last wrote.

Drift is found by our hash, our labels and the generation, never by comparing with what the API server filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mixhaul_operator.cronjob import Desired
from mixhaul_source.model import GROUP, KIND


class Act(StrEnum):
    """What to do."""

    CREATE = "create"
    UPDATE = "update"
    KEEP = "keep"
    WAIT = "wait"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Written:
    """What the operator last wrote, from `status.cronJob`."""

    name: str
    applied_hash: str
    generation: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why in a few words, for the log and for an Event."""

    act: Act
    why: str = ""
    repair: bool = False


def written_of(status: Mapping[str, Any]) -> Written | None:
    """What a MixSource's status says."""
    found = status.get("cronJob")
    if not found:
        return None
    return Written(
        name=str(found.get("name", "")),
        applied_hash=str(found.get("appliedHash", "")),
        generation=int(found.get("generation", -1)),
    )


def decide(want: Desired, actual: Mapping[str, Any] | None, written: Written | None, *, uid: str) -> Decision:
    """`uid` is the MixSource's."""
    if actual is None:
        gone = written is not None and written.name == want.name
        return Decision(Act.CREATE, "it was deleted" if gone else "there is none yet", repair=gone)
    metadata = actual["metadata"]
    owner = _controller(metadata)
    if owner is None or owner.get("uid") != uid:
        if owner is not None and _is_former_self(owner, want):
            return Decision(Act.WAIT, "it belongs to a former MixSource of this name and is about to be collected")
        return Decision(Act.REFUSE, f"the CronJob {want.name} is not this MixSource's")
    if metadata.get("deletionTimestamp"):
        return Decision(Act.WAIT, "it is being deleted")
    if written is None or written.name != want.name:
        return Decision(Act.UPDATE, "what was last written to it is not known")
    if written.applied_hash != want.digest:
        return Decision(Act.UPDATE, "the MixSource or the PodTemplate has changed")
    if metadata.get("generation") != written.generation:
        return Decision(Act.UPDATE, "somebody edited it", repair=True)
    if not _has_ours(metadata, want):
        return Decision(Act.UPDATE, "somebody changed its labels or owner", repair=True)
    return Decision(Act.KEEP)


def replacement(want: Desired, actual: Mapping[str, Any]) -> dict[str, Any]:
    """What to PUT: ours, with the labels, annotations, finalizers and owners that others added."""
    theirs = actual["metadata"]
    ours = want.value["metadata"]
    metadata: dict[str, Any] = {
        **ours,
        "resourceVersion": theirs["resourceVersion"],
        "uid": theirs["uid"],
        "labels": {**(theirs.get("labels") or {}), **ours["labels"]},
        "ownerReferences": [
            *ours["ownerReferences"],
            *(each for each in theirs.get("ownerReferences") or () if each.get("uid") != _our_uid(want)),
        ],
    }
    for kept in ("annotations", "finalizers"):
        if theirs.get(kept):
            metadata[kept] = theirs[kept]
    return {**want.value, "metadata": metadata}


def _controller(metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    owners = metadata.get("ownerReferences") or ()
    return next((each for each in owners if each.get("controller")), None)


def _is_former_self(owner: Mapping[str, Any], want: Desired) -> bool:
    group = str(owner.get("apiVersion", "")).partition("/")[0]
    name = want.value["metadata"]["ownerReferences"][0]["name"]
    return group == GROUP and owner.get("kind") == KIND and owner.get("name") == name


def _our_uid(want: Desired) -> Any:
    return want.value["metadata"]["ownerReferences"][0]["uid"]


def _has_ours(metadata: Mapping[str, Any], want: Desired) -> bool:
    labels = metadata.get("labels") or {}
    ours = want.value["metadata"]
    owners = metadata.get("ownerReferences") or ()
    reference = ours["ownerReferences"][0]
    mine: Mapping[str, Any] = next((each for each in owners if each.get("uid") == reference["uid"]), {})
    return all(labels.get(key) == value for key, value in ours["labels"].items()) and all(
        mine.get(key, False) == value for key, value in reference.items()
    )
