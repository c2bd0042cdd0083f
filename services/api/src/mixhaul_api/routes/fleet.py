"""Organisations, sites, vehicles, single events, and how drivers compare."""

from __future__ import annotations

from typing import Any, Final

from mixhaul_api import problems
from mixhaul_api.auth.permissions import Permission, roles_that_may
from mixhaul_api.examples import fleet as examples
from mixhaul_api.handlers import events, fleet
from mixhaul_api.parameters import fleet as parameters
from mixhaul_api.parameters.common import NoBody, NoParameters
from mixhaul_api.routes.route import Route
from mixhaul_api.shapes import fleet as shapes

ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        operation="getOrganisations",
        method="GET",
        path="/api/organisations",
        tag="Fleet",
        summary="The organisations that the token may see",
        description="Their ids, names and time zones; `/api/status` says how far their data has come.",
        parameters=NoParameters,
        body=NoBody,
        answer=shapes.Organisations,
        handler=fleet.organisations,
        example=examples.ORGANISATIONS,
    ),
    Route(
        operation="findSites",
        method="GET",
        path="/api/sites",
        tag="Fleet",
        summary="The sites",
        description="The tree of sites as a list, by organisation and name, and how many drivers and vehicles are "
        "at each.",
        parameters=parameters.SiteSearch,
        body=NoBody,
        answer=shapes.SitePage,
        handler=fleet.sites,
        example=examples.SITES,
        watermarked=True,
        own_problems=(problems.NOT_FOUND, problems.INVALID_CURSOR),
    ),
    Route(
        operation="findVehicles",
        method="GET",
        path="/api/vehicles",
        tag="Fleet",
        summary="The vehicles, each with its latest event",
        description="By organisation and description, or those that `search` finds.",
        parameters=parameters.VehicleSearch,
        body=NoBody,
        answer=shapes.VehiclePage,
        handler=fleet.vehicles,
        example=examples.VEHICLES,
        watermarked=True,
        own_problems=(problems.NOT_FOUND, problems.INVALID_CURSOR),
    ),
    Route(
        operation="getVehicle",
        method="GET",
        path="/api/vehicles/{vehicleId}",
        tag="Fleet",
        summary="One vehicle with its latest event",
        description="A vehicle by the id that MiX gave.",
        parameters=parameters.OneVehicle,
        body=NoBody,
        answer=shapes.Vehicle,
        handler=fleet.vehicle_by_id,
        example=examples.VEHICLE,
        watermarked=True,
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS),
    ),
    Route(
        operation="getDriverRanking",
        method="GET",
        path="/api/driver-ranking",
        tag="Fleet",
        summary="Drivers by their infractions in a period, and the totals",
        description="All drivers that had any event in the period, with how many of these were infractions, by "
        "severity. For roles that may see how others rank.",
        parameters=parameters.DriverRanking,
        body=NoBody,
        answer=shapes.Ranking,
        handler=fleet.ranking,
        example=examples.RANKING,
        roles=roles_that_may(Permission.OTHERS_RANKING),
        watermarked=True,
        own_problems=(problems.NOT_FOUND, problems.INVALID_CURSOR),
    ),
    Route(
        operation="getEvent",
        method="GET",
        path="/api/events/{eventId}",
        tag="Events",
        summary="One event",
        description="An event of any type by the id that MiX gave.",
        parameters=parameters.OneEvent,
        body=NoBody,
        answer=shapes.Event,
        handler=events.one,
        example=examples.EVENT,
        watermarked=True,
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS),
    ),
    Route(
        operation="getEventRawRecord",
        method="GET",
        path="/api/events/{eventId}/raw",
        tag="Events",
        summary="An event as MiX sent it",
        description="Its own bytes out of the answer that it came with, with `Accept: application/octet-stream` as "
        "they are. A 404 where that answer is no longer kept, and where the event names a driver who was erased.",
        parameters=parameters.OneRawRecord,
        body=NoBody,
        answer=shapes.RawRecord,
        handler=events.raw,
        example=examples.RAW,
        media={events.BYTES: examples.RAW_BYTES},
        roles=roles_that_may(Permission.RAW_RECORD),
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS),
    ),
)
