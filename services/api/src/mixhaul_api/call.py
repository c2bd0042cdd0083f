"""What a handler gets: the caller, the parsed request, and what it may use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from psycopg import AsyncConnection

from mixhaul_api import freshness
from mixhaul_api.answers import Answers
from mixhaul_api.audit import Audit
from mixhaul_api.auth.callers import Caller
from mixhaul_api.auth.verifier import Verifier
from mixhaul_api.cors import Cors
from mixhaul_api.directory import Directory, Scope
from mixhaul_api.problems import AMBIGUOUS, Problem, not_found
from mixhaul_api.queries import progress
from mixhaul_api.rate_limit import RateLimit
from mixhaul_api.report.form import Form
from mixhaul_api.representation import JSON
from mixhaul_api.shapes.common import Freshness
from mixhaul_api.state import State
from mixhaul_api.watermarks import Watermarks
from mixhaul_runtime.clock import Clock
from mixhaul_store.database import Database

P = TypeVar("P")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Services:
    """What all requests share. `database` is read from, and may be a replica; `primary` takes changes."""

    database: Database
    primary: Database
    directory: Directory
    verifier: Verifier
    state: State
    form: Form
    watermarks: Watermarks
    answers: Answers
    audit: Audit
    rate_limit: RateLimit
    cors: Cors
    clock: Clock


class Views:
    """The drivers whose data an answer shows, by organisation (the database's own id)."""

    __slots__ = ("drivers",)

    def __init__(self) -> None:
        self.drivers: dict[int, set[int]] = {}

    def add(self, organisation_id: int, driver_ids: Iterable[int | None]) -> None:
        self.drivers.setdefault(organisation_id, set()).update(one for one in driver_ids if one is not None)


@dataclass(frozen=True, slots=True)
class Call(Generic[P, B]):
    """One request whose token, parameters and body are valid. `scope` is all that its token may see.

    `accept` is the media type to answer in, one of the route's.
    """

    services: Services
    caller: Caller
    scope: Scope
    parameters: P
    body: B
    request_id: str
    accept: str = JSON
    views: Views = field(default_factory=Views)

    def saw(self, organisation_id: int, driver_ids: Iterable[int | None]) -> None:
        """Tell the audit log whose data the answer shows.

        Needed for what is not JSON only: in JSON, the edge finds drivers itself, by `subjects`.
        """
        self.views.add(organisation_id, driver_ids)


async def freshness_of(connection: AsyncConnection[Any], scope: Scope) -> list[Freshness]:
    """For a list answer. Read it before the list, so that it never promises more than the list holds."""
    return [freshness.described(one, scope) for one in await progress.of(connection, scope.ids)]


def only_one(found: Sequence[int], scope: Scope, *, what: str, shown: str) -> int:
    """The one organisation that has the thing; a `Problem` where there is none or several."""
    if not found:
        raise not_found(what, shown)
    if len(found) > 1:
        listed = ", ".join(scope.public_id(organisation_id) for organisation_id in found)
        raise Problem(
            AMBIGUOUS,
            f"The {what} {shown} is in several organisations: add organisationId= with one of {listed}.",
        )
    return found[0]
