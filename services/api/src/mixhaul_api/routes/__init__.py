"""The routes: one declaration each, from which requests are parsed, answered, documented and tested."""

from __future__ import annotations

from typing import Any, Final

from mixhaul_api.routes import access, drivers, event_types, fleet, infractions, report, status
from mixhaul_api.routes.route import Route

ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    *drivers.ROUTES,
    *infractions.ROUTES,
    *report.ROUTES,
    *event_types.ROUTES,
    *fleet.ROUTES,
    *status.ROUTES,
    *access.ROUTES,
)

__all__ = ["ROUTES", "Route"]
