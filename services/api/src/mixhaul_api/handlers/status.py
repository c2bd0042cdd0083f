"""How far the data has come."""

from __future__ import annotations

from mixhaul_api import freshness
from mixhaul_api.call import Call
from mixhaul_api.parameters.common import NoBody, NoParameters
from mixhaul_api.queries import progress
from mixhaul_api.shapes.status import Status


async def status(call: Call[NoParameters, NoBody]) -> Status:
    """GET /api/status"""
    async with call.services.database.connection() as connection:
        found = await progress.of(connection, call.scope.ids)
    return {"items": [freshness.status(one, call.scope) for one in found]}
