"""Infractions."""

from __future__ import annotations

from typing import Any, Final

from mixhaul_api import problems
from mixhaul_api.examples import infractions as examples
from mixhaul_api.handlers import infractions
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.infractions import DriverInfractions
from mixhaul_api.routes.route import Route
from mixhaul_api.shapes import infractions as shapes

ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        operation="getDriverInfractions",
        method="GET",
        path="/api/drivers/{driverId}/infractions",
        tag="Drivers",
        summary="A driver's infractions",
        description="Events of a driver whose type counts as an infraction, the newest first. A driver that has events "
        "but no record yet is found too. Look at `freshness` before you read an empty list as a clean record.",
        parameters=DriverInfractions,
        body=NoBody,
        answer=shapes.InfractionPage,
        handler=infractions.page,
        example=examples.INFRACTIONS,
        watermarked=True,
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS, problems.INVALID_CURSOR),
    ),
)
