"""The ingestor's settings: environment variables with the prefix `MIXHAUL_`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mixhaul_ingestor.leadership import Timing
from mixhaul_runtime.settings import CommonSettings, DatabaseSettings


class IngestorSettings(DatabaseSettings, CommonSettings):
    """All that `mixhaul-ingestor` reads from its environment."""

    for_programs = ("mixhaul-ingestor",)

    database_connections: int = Field(
        default=8, ge=2, le=100, description="The most connections to the database that one process opens."
    )
    encryption_keys_file: Path | None = Field(
        default=None,
        description="File with Fernet keys, one a line, the newest first: they encrypt the tokens in api_credentials. "
        "Standalone, a key is made in the data folder when this is not set.",
    )
    holder: str | None = Field(
        default=None, description="Name of this process in elections; a random part is added. Default: the host's name."
    )
    lease_duration_seconds: float = Field(
        default=15.0, gt=0, description="After this time without a heartbeat another process takes over."
    )
    lease_renew_deadline_seconds: float = Field(
        default=10.0, gt=0, description="A leader that can't renew for this long stops; less than the lease's duration."
    )
    lease_retry_seconds: float = Field(
        default=2.0, gt=0, description="How often the heartbeat is renewed or tried for."
    )
    transit_seconds: float = Field(
        default=10.0,
        ge=0,
        description="How long a request may be on its way to MiX: what a permit with an unknown outcome keeps its slot "
        "for, on top of the minute. Shorten it for tests only.",
    )
    backoff_seconds: float = Field(default=1.0, gt=0, description="First wait after an error; it doubles up to 60 s.")

    lease_name: str = Field(
        default="mixhaul-ingestor",
        min_length=1,
        max_length=253,
        description="In a cluster: name of the Lease in the pod's namespace that decides which pod tries to lead.",
    )
    service_account_dir: Path = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount"),
        description="In a cluster: folder with the pod's token, ca.crt and namespace.",
    )

    def timing(self) -> Timing:
        """The election's durations."""
        return Timing(
            lease_duration=self.lease_duration_seconds,
            renew_deadline=min(self.lease_renew_deadline_seconds, self.lease_duration_seconds * 2 / 3),
            retry_period=self.lease_retry_seconds,
        )
