"""How far the data has come."""

from __future__ import annotations

from typing import Any, Final

from mixhaul_api.examples import status as examples
from mixhaul_api.handlers import status
from mixhaul_api.parameters.common import NoBody, NoParameters
from mixhaul_api.routes.route import Route
from mixhaul_api.shapes import status as shapes

ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        operation="getStatus",
        method="GET",
        path="/api/status",
        tag="Status",
        summary="How far the data has come",
        description="For each organisation that the token may see: as of when, lag, gaps, last sync.",
        parameters=NoParameters,
        body=NoBody,
        answer=shapes.Status,
        handler=status.status,
        example=examples.STATUS,
    ),
)
