"""Event types."""

from __future__ import annotations

from typing import Any, Final

from mixhaul_api import problems
from mixhaul_api.auth.permissions import Permission, roles_that_may
from mixhaul_api.examples import event_types as examples
from mixhaul_api.handlers import event_types
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.event_types import Classification, EventTypeSearch, OneEventType
from mixhaul_api.routes.route import Route
from mixhaul_api.shapes import event_types as shapes

ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        operation="findEventTypes",
        method="GET",
        path="/api/event-types",
        tag="Event types",
        summary="The catalogue of event types",
        description="All types of events by organisation and description, and which of them count as infractions.",
        parameters=EventTypeSearch,
        body=NoBody,
        answer=shapes.EventTypePage,
        handler=event_types.find,
        example=examples.EVENT_TYPES,
        watermarked=True,
        own_problems=(problems.NOT_FOUND, problems.INVALID_CURSOR),
    ),
    Route(
        operation="classifyEventType",
        method="PATCH",
        path="/api/event-types/{eventTypeId}",
        tag="Event types",
        summary="Decide whether a type counts as an infraction",
        description="Needs the role `admin`. The decision takes effect at once, for past events too, is recorded "
        "with its author, and is never changed by a sync.",
        parameters=OneEventType,
        body=Classification,
        answer=shapes.EventType,
        handler=event_types.classify,
        example=examples.EVENT_TYPE,
        body_example=examples.CLASSIFICATION,
        roles=roles_that_may(Permission.CLASSIFY),
        whole_organisation=True,
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS),
    ),
)
