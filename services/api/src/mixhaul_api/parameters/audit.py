"""Parameters of the audit log's route."""

from __future__ import annotations

from pydantic import Field

from mixhaul_api.parameters.common import Id, Moment, Paged, Text


class AuditSearch(Paged):
    """GET /api/audit"""

    from_: Moment | None = Field(
        default=None,
        alias="from",
        description="Not before this time. A date begins at midnight UTC. An offset's `+` is `%2B` in a URL.",
    )
    to: Moment | None = Field(
        default=None, description="Before this time. A date belongs to the period as a whole day of UTC."
    )
    driver_id: Id | None = Field(default=None, description="Only entries about this driver, erased or not.")
    actor: Text | None = Field(default=None, description="Only entries of this `sub`, exactly.")
    action: Text | None = Field(default=None, description="Only this action, exactly.", examples=["driver.erased"])
