"""The performance report."""

from __future__ import annotations

from typing import Any, Final

from mixhaul_api import problems
from mixhaul_api.examples import report as examples
from mixhaul_api.handlers import report
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.report import DriverReport
from mixhaul_api.routes.route import Route
from mixhaul_api.shapes import report as shapes

ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        operation="getDriverPerformanceReport",
        method="GET",
        path="/api/drivers/{driverId}/performance-report",
        tag="Drivers",
        summary="A driver's month as a form to sign",
        description="Infractions and their time by type: the month, the two months before, and the weeks of the month; "
        "the trend; the place in the site for roles that may see it; each infraction of the month; and the texts of "
        "the form. `Accept: text/html` answers a page to print on A4, `text/csv` the figures. Look at `complete` "
        "before you have it signed: the page says so too. An event that MiX amended counts for whom it counts now.",
        parameters=DriverReport,
        body=NoBody,
        answer=shapes.PerformanceReport,
        handler=report.report,
        example=examples.REPORT,
        media={report.HTML: examples.HTML, report.CSV: examples.CSV},
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS),
    ),
)
