"""What a route is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic

from mixhaul_api import problems
from mixhaul_api.audit import VIEWED
from mixhaul_api.auth.permissions import EVERY_ROLE, Role
from mixhaul_api.call import B, Call, P
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.problems import Kind
from mixhaul_api.representation import Representation

# What any request to any route may be answered with.
_ALWAYS: Final = (
    problems.INVALID_PARAMETERS,
    problems.UNAUTHENTICATED,
    problems.FORBIDDEN,
    problems.TOO_MANY_REQUESTS,
    problems.URI_TOO_LONG,
    problems.HEADERS_TOO_LARGE,
    problems.INTERNAL,
    problems.UNAVAILABLE,
)
_WITH_BODY: Final = (problems.INVALID_BODY, problems.TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE)


@dataclass(frozen=True, slots=True)
class Route(Generic[P, B]):
    """A route. `path` is an OpenAPI template; its names are members of `parameters`, all others are the query's.

    `roles`: see `permissions.roles_that_may`. `whole_organisation`: not for tokens that are limited to sites.
    `media`: what else than JSON it may answer in, by `Accept`, each with an example. `watermarked`: what it answers
    changes only when the watermark of one of the organisations does, apart from `freshness`, so it may be kept and
    answered by a 304. `progressing`: it changes with the feed's progress and the day of the calendar too.
    `action`: what the audit log calls it to see the answer; with `recorded` also where it shows no driver.
    """

    operation: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    parameters: type[P]
    body: type[B]
    answer: type[Mapping[str, object]]
    handler: Callable[[Call[P, B]], Awaitable[Mapping[str, object] | Representation]]
    example: Mapping[str, object]
    body_example: Mapping[str, object] | None = None
    roles: frozenset[Role] = EVERY_ROLE
    own_problems: tuple[Kind, ...] = ()
    media: Mapping[str, str] = field(default_factory=dict)
    watermarked: bool = False
    progressing: bool = False
    action: str = VIEWED
    recorded: bool = False
    whole_organisation: bool = False

    @property
    def has_body(self) -> bool:
        return self.body is not NoBody

    @property
    def problems(self) -> tuple[Kind, ...]:
        """Every problem that an answer may be."""
        by_form = (problems.NOT_ACCEPTABLE,) if self.media else ()
        return (*_ALWAYS, *self.own_problems, *by_form, *(_WITH_BODY if self.has_body else ()))
