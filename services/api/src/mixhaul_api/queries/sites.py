"""Sites, by organisation and name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from mixhaul_api.queries.execution import fetched
from mixhaul_api.queries.limits import SiteLimit, within
from mixhaul_api.queries.limits import parameters as limit_parameters

_FOLDED: Final = "coalesce(mixhaul_fold(s.name), '')"


class SiteRow(NamedTuple):
    """A site as it is stored."""

    organisation_id: int
    external_id: int
    name: str | None
    type: str | None
    parent_id: int | None
    active: bool
    drivers: int
    vehicles: int


class Place(NamedTuple):
    """Where in a list by name a row stands."""

    organisation_id: int
    folded: str
    external_id: int


PLACE_TYPES: Final = (int, str, int)


async def page(
    connection: AsyncConnection[Any],
    organisation_ids: Sequence[int],
    *,
    sites: SiteLimit | None,
    after: Place | None,
    limit: int,
) -> list[tuple[Place, SiteRow]]:
    """The next sites, and how many drivers and vehicles are at each."""
    further = ""
    given: dict[str, object] = {"organisations": list(organisation_ids), "limit": limit} | limit_parameters(sites)
    if after is not None:
        further = (
            f'AND (s.organisation_id, {_FOLDED} COLLATE "C", s.external_id)'
            " > (%(organisation)s::bigint, %(folded)s::text, %(id)s::bigint)"
        )
        given |= dict(zip(("organisation", "folded", "id"), after, strict=True))
    at_site = "x.organisation_id = s.organisation_id AND x.site_external_id = s.external_id AND x.removed_at IS NULL"
    rows = await fetched(
        connection,
        "sites.page",
        f"""
SELECT s.folded, s.organisation_id, s.external_id, s.name, s.type, s.parent_external_id, s.removed_at IS NULL,
       (SELECT count(*) FROM drivers x WHERE {at_site} AND x.is_system_driver IS NOT TRUE),
       (SELECT count(*) FROM vehicles x WHERE {at_site})
FROM (
    SELECT *, {_FOLDED} AS folded FROM sites s
    WHERE s.organisation_id = ANY(%(organisations)s::bigint[])
      AND {within(sites, organisation="s.organisation_id", site="s.external_id")} {further}
    ORDER BY s.organisation_id, {_FOLDED} COLLATE "C", s.external_id LIMIT %(limit)s
) s ORDER BY s.organisation_id, s.folded COLLATE "C", s.external_id
""",
        given,
    )
    return [(Place(row[1], row[0], row[2]), SiteRow(*row[1:])) for row in rows]
