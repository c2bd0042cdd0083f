"""Which rows a request may see inside of its organisations: conditions for every query of drivers, vehicles or events.

A token may be limited to sites, and an erased driver is nobody: neither listed, nor found, nor named by an event.
An event belongs to its driver's site, or to its vehicle's where it names no driver that is listed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection

from mixhaul_api.queries.execution import fetched


@dataclass(frozen=True, slots=True)
class SiteLimit:
    """The only sites that a request may see, as pairs of organisation (the database's own id) and site."""

    pairs: frozenset[tuple[int, int]]

    def holds(self, organisation_id: int, site_id: int | None) -> bool:
        return site_id is not None and (organisation_id, site_id) in self.pairs


def within(
    limit: SiteLimit | None, *, organisation: str = "d.organisation_id", site: str = "d.site_external_id"
) -> str:
    """SQL: the row of a driver, a vehicle or a site is within the limit. Goes with `parameters`."""
    if limit is None:
        return "true"
    return (
        f"({organisation}, {site}) IN (SELECT * FROM"
        " unnest(%(limit_organisations)s::bigint[], %(limit_sites)s::bigint[]))"
    )


def event_within(limit: SiteLimit | None, event: str = "e") -> str:
    """SQL: the event is within the limit. Goes with `parameters`."""
    if limit is None:
        return "true"
    same = f"d.organisation_id = {event}.organisation_id AND d.external_id"
    driver = f"FROM drivers d WHERE {same} = {event}.driver_external_id"
    vehicle = f"FROM vehicles d WHERE {same} = {event}.vehicle_external_id"
    return (
        f"CASE WHEN EXISTS (SELECT {driver}) THEN EXISTS (SELECT {driver} AND {within(limit)})"
        f" ELSE EXISTS (SELECT {vehicle} AND {within(limit)}) END"
    )


def parameters(limit: SiteLimit | None) -> dict[str, object]:
    """What `within` and `event_within` need among the named parameters of their statement."""
    if limit is None:
        return {}
    pairs = sorted(limit.pairs)
    return {"limit_organisations": [pair[0] for pair in pairs], "limit_sites": [pair[1] for pair in pairs]}


def not_erased(*, organisation: str = "d.organisation_id", driver: str = "d.external_id") -> str:
    """SQL: the driver is not erased, whether it has a row or not."""
    return (
        f"NOT EXISTS (SELECT FROM erasures x WHERE x.organisation_id = {organisation}"
        f" AND x.driver_external_id = {driver})"
    )


def nameable(*, organisation: str = "e.organisation_id", driver: str = "e.driver_external_id") -> str:
    """SQL: the driver's id as it may be shown, NULL where that driver is erased."""
    return f"CASE WHEN {not_erased(organisation=organisation, driver=driver)} THEN {driver} END"


_BELOW: Final = """
WITH RECURSIVE below AS (
    SELECT organisation_id, external_id FROM sites
    WHERE organisation_id = ANY(%s::bigint[]) AND external_id = ANY(%s::bigint[])
    UNION
    SELECT s.organisation_id, s.external_id FROM sites s
    JOIN below b ON s.organisation_id = b.organisation_id AND s.parent_external_id = b.external_id
)
SELECT organisation_id, external_id FROM below
"""


async def sites_below(
    connection: AsyncConnection[Any], organisation_ids: Sequence[int], sites: Collection[int]
) -> frozenset[tuple[int, int]]:
    """These sites and all below them in the tree, in each of the organisations. A tree that is a ring ends too."""
    rows = await fetched(connection, "sites.below", _BELOW, (list(organisation_ids), list(sites)))
    return frozenset((row[0], row[1]) for row in rows)
