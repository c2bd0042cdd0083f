"""What a route is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic

from mixhaul_api import problems
from mixhaul_api.auth.callers import EVERY_ROLE, Role
from mixhaul_api.call import B, Call, P
from mixhaul_api.parameters.common import NoBody
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
    body_example: Mapping[str, object] | None = None
    roles: frozenset[Role] = EVERY_ROLE
    own_problems: tuple[Kind, ...] = ()

    @property
    def has_body(self) -> bool:
        return self.body is not NoBody

    @property
    def problems(self) -> tuple[Kind, ...]:
        """Every problem that an answer may be."""
        return (*_ALWAYS, *self.own_problems, *(_WITH_BODY if self.has_body else ()))
