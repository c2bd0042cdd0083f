"""The paths of the data API. Like ASP.NET, it does not care about upper and lower case in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_SINCE: Final = (
    r"/groups/createdsince/organisation/(?P<group>[^/]+)/sincetoken/(?P<token>[^/]+)/quantity/(?P<quantity>[^/]+)"
)
_WINDOW: Final = r"/from/(?P<start>[^/]+)/to/(?P<end>[^/]+)"


@dataclass(frozen=True, slots=True)
class Route:
    """A kind of call, its method, and how its path looks."""

    kind: str
    methods: tuple[str, ...]
    pattern: re.Pattern[str]


def _route(kind: str, methods: tuple[str, ...], pattern: str) -> Route:
    return Route(kind, methods, re.compile(rf"/?{pattern}/?", re.IGNORECASE))


ROUTES: Final = (
    _route("feed", ("GET", "POST"), "api/events" + _SINCE),
    _route("positions", ("GET",), "api/positions" + _SINCE),
    _route("trips", ("GET",), "api/trips" + _SINCE),
    _route("activeevents", ("GET",), "api/activeevents" + _SINCE),
    _route("history", ("POST",), "api/events/groups/entitytype/(?P<entity>Asset|Driver)" + _WINDOW),
    _route("history", ("POST",), "api/events/(?P<entity>assets|drivers)" + _WINDOW),
    _route("amendments", ("GET",), "api/events/groups/amended/(?P<group>[^/]+)" + _WINDOW),
    _route("drivers", ("GET",), "api/drivers/organisation/(?P<group>[^/]+)"),
    _route("assets", ("GET",), "api/assets/group/(?P<group>[^/]+)"),
    _route("libraryevents", ("GET",), "api/libraryevents/organisation/(?P<group>[^/]+)"),
    _route("organisationgroups", ("GET",), "api/organisationgroups"),
    _route("subgroups", ("GET",), "api/organisationgroups/subgroups/(?P<group>[^/]+)"),
)


def find(path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a path and its parts."""
    for route in ROUTES:
        if match := route.pattern.fullmatch(path):
            return route, match.groupdict()
    return None
