"""Drivers: listed, and one by id. `driver_search` finds them by name.

Names compare by code point, so that the order is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from mixhaul_api.queries.driver_rows import COLUMNS, SITE, DriverRow, Listed, Place
from mixhaul_api.queries.execution import fetched
from mixhaul_api.queries.limits import SiteLimit, not_erased, within
from mixhaul_api.queries.limits import parameters as limit_parameters

__all__ = ["DriverRow", "by_id", "organisations_of", "page", "statement"]


async def page(
    connection: AsyncConnection[Any],
    organisation_ids: Sequence[int],
    *,
    sites: SiteLimit | None,
    after: Place | None,
    limit: int,
) -> Listed:
    """The next drivers by organisation, name and id."""
    parameters: dict[str, object] = {"organisations": list(organisation_ids), "limit": limit}
    parameters |= limit_parameters(sites)
    if after is not None:
        parameters |= {"organisation": after.organisation_id, "key": after.key, "id": after.external_id}
    rows = await fetched(connection, "drivers.page", statement(after, sites), parameters)
    return [(Place(0, 0, row[0], row[1], row[2], row[3]), DriverRow(*row[2:])) for row in rows]


def statement(after: Place | None, sites: SiteLimit | None) -> str:
    """As the index has them, in each organisation; who has no name comes last."""
    organisations, further = "", ""
    if after is not None:
        same = "d.search_name IS NULL AND d.external_id > %(id)s::bigint"
        if after.named:
            same = (
                "d.search_name IS NULL OR d.search_name > %(key)s::text"
                " OR (d.search_name = %(key)s::text AND d.external_id > %(id)s::bigint)"
            )
        organisations = "WHERE o.id >= %(organisation)s::bigint"
        further = f"AND (o.id > %(organisation)s::bigint OR {same})"
    return f"""
SELECT (d.search_name IS NOT NULL)::int, coalesce(d.search_name, ''), {COLUMNS}
FROM unnest(%(organisations)s::bigint[]) AS o(id)
CROSS JOIN LATERAL (
    SELECT * FROM drivers d
    WHERE d.organisation_id = o.id AND d.erased_at IS NULL AND {within(sites)} {further}
    ORDER BY d.search_name, d.external_id LIMIT %(limit)s
) d {SITE}
{organisations}
ORDER BY d.organisation_id, d.search_name, d.external_id
LIMIT %(limit)s
"""


async def by_id(
    connection: AsyncConnection[Any], organisation_ids: Sequence[int], driver_id: int, *, sites: SiteLimit | None
) -> list[DriverRow]:
    """The driver in each of the organisations that has it."""
    rows = await fetched(
        connection,
        "drivers.one",
        f"SELECT {COLUMNS} FROM drivers d {SITE}"
        " WHERE d.organisation_id = ANY(%(organisations)s::bigint[]) AND d.external_id = %(driver)s::bigint"
        f" AND d.erased_at IS NULL AND {within(sites)} ORDER BY d.organisation_id",
        {"organisations": list(organisation_ids), "driver": driver_id} | limit_parameters(sites),
    )
    return [DriverRow(*row) for row in rows]


async def organisations_of(
    connection: AsyncConnection[Any], organisation_ids: Sequence[int], driver_id: int, *, sites: SiteLimit | None
) -> list[int]:
    """The organisations that list the driver, or else those that have events of it: events come before their driver."""
    given = {"organisations": list(organisation_ids), "driver": driver_id} | limit_parameters(sites)
    for wanted in (_listed_in(sites), _with_events(sites)):
        found = sorted(row[0] for row in await fetched(connection, "drivers.organisations", wanted, given))
        if found:
            return found
    return []


def _listed_in(sites: SiteLimit | None) -> str:
    return (
        "SELECT d.organisation_id FROM drivers d WHERE d.organisation_id = ANY(%(organisations)s::bigint[])"
        f" AND d.external_id = %(driver)s::bigint AND d.erased_at IS NULL AND {within(sites)}"
    )


def _with_events(sites: SiteLimit | None) -> str:
    """A driver without a row is at no site."""
    if sites is not None:
        return "SELECT NULL::bigint WHERE false"
    nobody_erased = not_erased(organisation="o.id", driver="%(driver)s::bigint")
    return (
        "SELECT o.id FROM unnest(%(organisations)s::bigint[]) AS o(id) WHERE EXISTS (SELECT FROM telemetry_events e"
        " WHERE e.organisation_id = o.id AND e.driver_external_id = %(driver)s::bigint)"
        " AND NOT EXISTS (SELECT FROM drivers d WHERE d.organisation_id = o.id AND d.external_id = %(driver)s::bigint)"
        f" AND {nobody_erased}"
    )
