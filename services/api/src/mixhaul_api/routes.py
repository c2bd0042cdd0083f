"""The routes: one declaration each, from which requests are parsed, answered, documented and tested."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic

from mixhaul_api import examples, problems, shapes
from mixhaul_api.auth.callers import EVERY_ROLE, Role
from mixhaul_api.call import B, Call, P
from mixhaul_api.handlers import drivers, event_types, infractions, status
from mixhaul_api.parameters import (
    Classification,
    DriverInfractions,
    DriverSearch,
    EventTypeSearch,
    NoBody,
    NoParameters,
    OneDriver,
    OneEventType,
)
from mixhaul_api.problems import Kind

# What any request to any route may be answered with.
_ALWAYS: Final = (
    problems.INVALID_PARAMETERS,
    problems.UNAUTHENTICATED,
    problems.FORBIDDEN,
    problems.URI_TOO_LONG,
    problems.HEADERS_TOO_LARGE,
    problems.INTERNAL,
    problems.UNAVAILABLE,
)
_WITH_BODY: Final = (problems.INVALID_BODY, problems.TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE)


@dataclass(frozen=True, slots=True)
class Route(Generic[P, B]):
    """A route. `path` is an OpenAPI template; its names are members of `parameters`, all others are the query's."""

    operation: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    parameters: type[P]
    body: type[B]
    answer: type[Mapping[str, object]]
    handler: Callable[[Call[P, B]], Awaitable[Mapping[str, object]]]
    example: Mapping[str, object]
    roles: frozenset[Role] = EVERY_ROLE
    own_problems: tuple[Kind, ...] = ()

    @property
    def has_body(self) -> bool:
        return self.body is not NoBody

    @property
    def problems(self) -> tuple[Kind, ...]:
        """Every problem that an answer may be."""
        return (*_ALWAYS, *self.own_problems, *(_WITH_BODY if self.has_body else ()))


ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        operation="findDrivers",
        method="GET",
        path="/api/drivers",
        tag="Drivers",
        summary="Find drivers by name",
        description="All drivers, or those whose name holds every word of `search`: names that begin with it first, "
        "then those where each word begins a word, then the rest; drivers that MiX no longer lists last of each.",
        parameters=DriverSearch,
        body=NoBody,
        answer=shapes.DriverPage,
        handler=drivers.find,
        example=examples.DRIVERS,
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
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS),
    ),
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
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS, problems.INVALID_CURSOR),
    ),
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
        roles=frozenset({Role.ADMIN}),
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS),
    ),
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
