"""The status of a MixSource: what the operator, its only writer, reports.

Unknown fields are let through when it is read: a newer operator may have written it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

_LIST_MAP: Final[dict[str, Any]] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}


class Reported(BaseModel):
    """Base of all parts."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Condition(Reported):
    """One statement about the source, as every Kubernetes tool reads it."""

    type: str = Field(
        description="What the condition is about, in CamelCase.",
        max_length=316,
        pattern=r"^[A-Za-z][A-Za-z0-9]*$",
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it is so.")
    observed_generation: int | None = Field(
        default=None,
        alias="observedGeneration",
        ge=0,
        description="The metadata.generation that the condition was computed from.",
        json_schema_extra={"format": "int64"},
    )
    last_transition_time: datetime = Field(
        alias="lastTransitionTime", description="When the status last changed from one value to another."
    )
    reason: str = Field(
        description="Why, as one word in CamelCase.", min_length=1, max_length=1024, pattern=r"^[A-Za-z][A-Za-z0-9]*$"
    )
    message: str = Field(description="Why, as a sentence for a person.", max_length=32768)


class LastRequest(Reported):
    """The last work that was asked for by annotation."""

    id: str = Field(description="The mixhaul.io/request-id.", max_length=253)
    request: str = Field(description="What was asked for, as in mixhaul.io/request.", max_length=253)
    state: Literal["Pending", "Running", "Succeeded", "Failed"] = Field(description="How far it is.")
    message: str | None = Field(default=None, description="What came of it, as a sentence.", max_length=32768)
    request_time: datetime | None = Field(default=None, alias="requestTime", description="When it was taken up.")
    completion_time: datetime | None = Field(default=None, alias="completionTime", description="When it ended.")


class SyncStatus(Reported):
    """Support data."""

    last_success_time: datetime | None = Field(
        default=None, alias="lastSuccessTime", description="When a sync last ended well."
    )
    next_schedule_time: datetime | None = Field(
        default=None, alias="nextScheduleTime", description="When the next one is due."
    )


class StreamStatus(Reported):
    """The event feeds of all organisations of the source."""

    cursor_time: datetime | None = Field(
        default=None,
        alias="cursorTime",
        description="How far the slowest organisation has come; its age is the lag.",
    )
    organisations: int | None = Field(default=None, ge=0, description="Organisations that are followed.")
    open_gaps: int | None = Field(
        default=None, alias="openGaps", ge=0, description="Intervals that are still being backfilled."
    )


class CronJobStatus(Reported):
    """What was last written to the CronJob, so that a change by others is noticed."""

    name: str = Field(description="Name of the CronJob.", max_length=253)
    applied_hash: str = Field(alias="appliedHash", description="Hash of what was last applied.", max_length=128)
    generation: int = Field(description="Its metadata.generation after that.", json_schema_extra={"format": "int64"})


class MixSourceStatus(Reported):
    """What is."""

    observed_generation: int = Field(
        default=-1,
        alias="observedGeneration",
        description="The metadata.generation that was last taken up; -1: none yet.",
        json_schema_extra={"format": "int64"},
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        description="Ready sums up the others.",
        json_schema_extra=_LIST_MAP,
        max_length=32,
    )
    sync: SyncStatus | None = Field(default=None, description="Support data: drivers, vehicles, event types, sites.")
    stream: StreamStatus | None = Field(default=None, description="The event feeds.")
    last_request: LastRequest | None = Field(
        default=None, alias="lastRequest", description="The last work that was asked for by annotation."
    )
    cron_job: CronJobStatus | None = Field(
        default=None, alias="cronJob", description="What the operator last wrote to the CronJob of this source."
    )
