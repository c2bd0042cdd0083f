"""The operator's settings: environment variables with the prefix `MIXHAUL_`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from mixhaul_runtime.settings import CommonSettings, DatabaseSettings


class OperatorSettings(DatabaseSettings, CommonSettings):
    """All that `mixhaul-operator` reads from its environment. It needs a database, and has none of its own."""

    for_programs: ClassVar[tuple[str, ...]] = ("mixhaul-operator",)

    namespace: str = Field(
        default="default",
        min_length=1,
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="The one namespace whose MixSources the operator cares for: the release's own.",
    )
    pod_template: str = Field(
        default="mixhaul-sync",
        min_length=1,
        max_length=253,
        description="Name of the PodTemplate in that namespace which the sync CronJobs are made from.",
    )
    progress_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="How often the operator reads the progress of all sources."
    )
    status_refresh_seconds: float = Field(
        default=300.0,
        ge=0,
        le=86400,
        description="How old the position of a stream may become in the status of a MixSource before it is written "
        "anew, although nothing else changed; 0: never.",
    )
    database_patience_seconds: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="How long the database may be away before the conditions say Unknown.",
    )
    deletion_patience_seconds: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="How long a MixSource with `deletionPolicy: Delete` may be held until its data is gone.",
    )
    workers: int = Field(default=8, ge=1, le=64, description="MixSources that are reconciled at the same time.")
