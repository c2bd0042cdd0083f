"""Drivers."""

from __future__ import annotations

from typing import Any, Final

from mixhaul_api import problems
from mixhaul_api.examples import drivers as examples
from mixhaul_api.handlers import drivers
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.drivers import DriverSearch, OneDriver
from mixhaul_api.routes.route import Route
from mixhaul_api.shapes import drivers as shapes

ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        operation="findDrivers",
        method="GET",
        path="/api/drivers",
        tag="Drivers",
        summary="Find drivers",
        description="All drivers by organisation and name, or those that `search` finds, the best match first, as "
        "`match` says; among equal matches those that MiX still lists first, then by name.",
        parameters=DriverSearch,
        body=NoBody,
        answer=shapes.DriverPage,
        handler=drivers.find,
        example=examples.DRIVERS,
        watermarked=True,
        recorded=True,
        own_problems=(problems.NOT_FOUND, problems.INVALID_CURSOR),
    ),
    Route(
        operation="getDriver",
        method="GET",
        path="/api/drivers/{driverId}",
        tag="Drivers",
        summary="One driver",
        description="A driver by the id that MiX gave.",
        parameters=OneDriver,
        body=NoBody,
        answer=shapes.Driver,
        handler=drivers.one,
        example=examples.DRIVER,
        watermarked=True,
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS),
    ),
)
