"""The organisations that are hauled."""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg import AsyncConnection

from mixhaul_api.queries.execution import fetched

_EVERY = "SELECT id, api_url, external_id, name, time_zone FROM organisations WHERE deleted_at IS NULL ORDER BY id"


class OrganisationRow(NamedTuple):
    """A row of `organisations`."""

    id: int
    api_url: str
    external_id: int
    name: str | None
    time_zone: str | None


async def every(connection: AsyncConnection[Any]) -> list[OrganisationRow]:
    """All whose data was not deleted, in the order in which they were claimed."""
    return [OrganisationRow(*row) for row in await fetched(connection, "organisations", _EVERY)]
