"""Infractions."""

from __future__ import annotations

from typing import Any, Final

from mixhaul_api import problems
from mixhaul_api.examples import infractions as examples
from mixhaul_api.handlers import infractions
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.infractions import DriverInfractions, FleetInfractions, InfractionCountsOf
from mixhaul_api.routes.route import Route
from mixhaul_api.shapes import infractions as shapes

_MEDIA: Final = {infractions.CSV: examples.CSV}

ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        operation="getDriverInfractions",
        method="GET",
        path="/api/drivers/{driverId}/infractions",
        tag="Infractions",
        summary="A driver's infractions",
        description="Events of a driver whose type counts as an infraction, the newest first; `Accept: text/csv` "
        "streams all of them. A driver that has events but no record yet is found too. Look at `freshness` before you "
        "read an empty list as a clean record.",
        parameters=DriverInfractions,
        body=NoBody,
        answer=shapes.InfractionPage,
        handler=infractions.of_driver,
        example=examples.INFRACTIONS,
        media=_MEDIA,
        watermarked=True,
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS, problems.INVALID_CURSOR),
    ),
    Route(
        operation="getInfractions",
        method="GET",
        path="/api/infractions",
        tag="Infractions",
        summary="The fleet's infractions",
        description="As for one driver, of all drivers and of none: an event that MiX took from a driver without "
        "giving it to another one has a `driverId` of null.",
        parameters=FleetInfractions,
        body=NoBody,
        answer=shapes.InfractionPage,
        handler=infractions.of_fleet,
        example=examples.INFRACTIONS,
        media=_MEDIA,
        watermarked=True,
        own_problems=(problems.NOT_FOUND, problems.INVALID_CURSOR),
    ),
    Route(
        operation="getDriverInfractionCounts",
        method="GET",
        path="/api/drivers/{driverId}/infraction-counts",
        tag="Infractions",
        summary="A driver's infractions by day and type",
        description="For a chart: each day of the period, also those without infractions, and each type's total. Days "
        "are those of `timeZone`, some of which have 23 or 25 hours.",
        parameters=InfractionCountsOf,
        body=NoBody,
        answer=shapes.InfractionCounts,
        handler=infractions.counts,
        example=examples.COUNTS,
        watermarked=True,
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS),
    ),
)
