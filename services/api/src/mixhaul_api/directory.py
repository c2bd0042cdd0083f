"""Which organisations there are, and which of them a caller may see.

The list is read again when it is a second old, so an organisation that was just claimed appears that much later.
Outside, an organisation goes by its MiX id. Where two data centres use the same one, the first that was claimed keeps
the plain id, and each other one has `@` and its data API's address behind it: what a token permits never changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mixhaul_api.auth.callers import Caller
from mixhaul_api.problems import Problem, not_found
from mixhaul_api.queries import organisations as queries
from mixhaul_api.queries.limits import SiteLimit, sites_below
from mixhaul_runtime.clock import Clock
from mixhaul_store.database import Database

_FRESH_SECONDS: Final = 1.0
_MOST_LIMITS: Final = 1024


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation; `id` is the database's own and never leaves it."""

    id: int
    public_id: str
    name: str | None
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class Scope:
    """The organisations that a request may touch, and the only sites in them where its token is limited to some.

    Each query of drivers, vehicles or events asks for the sites by `queries.limits`, whatever its route.
    """

    organisations: tuple[Organisation, ...]
    sites: SiteLimit | None = None

    @property
    def ids(self) -> list[int]:
        return [one.id for one in self.organisations]

    def public_id(self, organisation_id: int) -> str:
        return self.of(organisation_id).public_id

    def of(self, organisation_id: int) -> Organisation:
        return next(one for one in self.organisations if one.id == organisation_id)

    def narrowed(self, public_id: str | None) -> Scope:
        """Only that organisation; a `Problem` where the caller may not see it or it does not exist."""
        if public_id is None:
            return self
        found = tuple(one for one in self.organisations if one.public_id == public_id)
        if not found:
            raise organisation_not_found(public_id)
        return Scope(found, self.sites)


def organisation_not_found(public_id: str) -> Problem:
    """The same whether it does not exist or may not be seen."""
    return not_found("organisation", public_id)


def named(rows: Iterable[queries.OrganisationRow]) -> tuple[tuple[Organisation, frozenset[str]], ...]:
    """Organisations in the order in which they were claimed, each with the names that a token may use for it."""
    taken: set[str] = set()
    found = []
    for row in rows:
        plain = str(row.external_id)
        qualified = f"{plain}@{row.api_url.partition('://')[2]}"
        public_id = qualified if plain in taken else plain
        taken.add(plain)
        found.append((Organisation(row.id, public_id, row.name, row.time_zone), frozenset({public_id, qualified})))
    return tuple(found)


class Directory:
    """Keeps the list of organisations."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: tuple[tuple[Organisation, frozenset[str]], ...] = ()
        self._read_at: float | None = None
        self._limits: dict[tuple[tuple[int, ...], frozenset[int]], tuple[float, SiteLimit]] = {}

    async def permitted(self, caller: Caller) -> Scope:
        """The organisations of a caller's token that exist."""
        if not self._fresh():
            async with self._lock:
                if not self._fresh():
                    await self._read()
        scope = Scope(tuple(one for one, names in self._known if not names.isdisjoint(caller.organisations)))
        return scope if caller.sites is None else Scope(scope.organisations, await self._limit(scope, caller.sites))

    async def _limit(self, scope: Scope, sites: frozenset[int]) -> SiteLimit:
        """The sites and all below them; read again when that is a second old, as the organisations are."""
        key = (tuple(scope.ids), sites)
        kept = self._limits.get(key)
        if kept is not None and self._clock.monotonic() - kept[0] < _FRESH_SECONDS:
            return kept[1]
        began = self._clock.monotonic()
        async with self._database.connection() as connection:
            limit = SiteLimit(await sites_below(connection, scope.ids, sites))
        if len(self._limits) >= _MOST_LIMITS:
            self._limits.clear()
        self._limits[key] = began, limit
        return limit

    def _fresh(self) -> bool:
        return self._read_at is not None and self._clock.monotonic() - self._read_at < _FRESH_SECONDS

    async def _read(self) -> None:
        began = self._clock.monotonic()
        async with self._database.connection() as connection:
            rows = await queries.every(connection)
        self._known = named(rows)
        self._read_at = began
