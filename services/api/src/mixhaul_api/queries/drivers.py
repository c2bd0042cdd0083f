"""Drivers: found by name, listed, and one by id.

A search ranks names that begin with the text before those where each word begins a word, before the rest; drivers
that MiX still lists come first within a rank. Names compare by code point, so that the order is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

from psycopg import AsyncConnection

from mixhaul_api.queries.execution import fetched
from mixhaul_api.queries.folding import begins, begins_word, contains, words_of

# The columns of `_Row`, in its order, after the sort keys.
_COLUMNS: Final = """
    d.organisation_id, d.external_id, d.name, d.site_external_id, s.name AS site_name, d.country, d.is_system_driver,
    d.removed_at IS NULL AS active, d.last_seen_at, d.employee_number, d.mobile_number, d.email,
    d.extended_driver_id, d.image_uri"""
_SITE: Final = "LEFT JOIN sites s ON s.organisation_id = d.organisation_id AND s.external_id = d.site_external_id"


class DriverRow(NamedTuple):
    """A driver as it is stored."""

    organisation_id: int
    external_id: int
    name: str | None
    site_external_id: int | None
    site_name: str | None
    country: str | None
    is_system_driver: bool | None
    active: bool
    last_seen_at: Any
    employee_number: str | None
    mobile_number: str | None
    email: str | None
    extended_driver_id: str | None
    image_uri: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a list a row stands. `rank` and `gone` are 0 without a search; `named` is 0 where there is no name."""

    rank: int
    gone: int
    named: int
    folded: str
    organisation_id: int
    external_id: int

    TYPES: ClassVar = (int, int, int, str, int, int)

    @property
    def values(self) -> tuple[int | str, ...]:
        return self.rank, self.gone, self.named, self.folded, self.organisation_id, self.external_id


async def page(
    connection: AsyncConnection[Any],
    organisation_ids: Sequence[int],
    *,
    search: str | None,
    after: Place | None,
    limit: int,
) -> list[tuple[Place, DriverRow]]:
    """The next rows of the list."""
    words = words_of(search)
    parameters: dict[str, object] = {"organisations": list(organisation_ids), "limit": limit}
    if after is not None:
        parameters |= dict(zip(("rank", "gone", "named", "folded", "organisation", "id"), after.values, strict=True))
    if words:
        parameters |= {f"word{number}": word for number, word in enumerate(words)} | {"text": " ".join(words)}
        statement = found_statement(len(words), going_on=after is not None)
    else:
        statement = _listed(after)
    rows = await fetched(connection, "drivers.page", statement, parameters)
    return [(Place(*row[:6]), DriverRow(*row[6:])) for row in rows]


def found_statement(words: int, *, going_on: bool) -> str:
    each_contained = " AND ".join(contains("name", f"word{number}") for number in range(words))
    each_begins = " AND ".join(begins_word("folded", f"word{number}") for number in range(words))
    further = (
        'WHERE (d.rank, d.gone, d.folded COLLATE "C", d.organisation_id, d.external_id)'
        " > (%(rank)s::int, %(gone)s::int, %(folded)s::text, %(organisation)s::bigint, %(id)s::bigint)"
        if going_on
        else ""
    )
    return f"""
SELECT d.rank, d.gone, 1, d.folded, d.organisation_id, d.external_id, {_COLUMNS}
FROM (
    SELECT *, (removed_at IS NOT NULL)::int AS gone,
           CASE WHEN {begins("folded", "text")} THEN 0 WHEN {each_begins} THEN 1 ELSE 2 END AS rank
    FROM (
        SELECT *, mixhaul_fold(name) AS folded FROM drivers
        WHERE organisation_id = ANY(%(organisations)s::bigint[]) AND {each_contained}
    ) matching
) d {_SITE}
{further}
ORDER BY d.rank, d.gone, d.folded COLLATE "C", d.organisation_id, d.external_id
LIMIT %(limit)s
"""


def _listed(after: Place | None) -> str:
    """By organisation, name and id, as the index has it: ~<~ compares by code point; no name sorts last."""
    further = ""
    if after is not None:
        same = "mixhaul_fold(d.name) IS NULL AND d.external_id > %(id)s::bigint"
        if after.named:
            same = (
                "(mixhaul_fold(d.name) IS NULL OR mixhaul_fold(d.name) ~>~ %(folded)s::text"
                " OR (mixhaul_fold(d.name) = %(folded)s::text AND d.external_id > %(id)s::bigint))"
            )
        further = (
            "AND d.organisation_id >= %(organisation)s::bigint"
            f" AND (d.organisation_id > %(organisation)s::bigint OR ({same}))"
        )
    return f"""
SELECT 0, 0, (d.name IS NOT NULL)::int, coalesce(mixhaul_fold(d.name), ''), d.organisation_id, d.external_id, {_COLUMNS}
FROM drivers d {_SITE}
WHERE d.organisation_id = ANY(%(organisations)s::bigint[]) {further}
ORDER BY d.organisation_id, mixhaul_fold(d.name) USING ~<~, d.external_id
LIMIT %(limit)s
"""


_ONE: Final = f"""
SELECT {_COLUMNS} FROM drivers d {_SITE}
WHERE d.organisation_id = ANY(%s::bigint[]) AND d.external_id = %s::bigint
ORDER BY d.organisation_id
"""


async def by_id(connection: AsyncConnection[Any], organisation_ids: Sequence[int], driver_id: int) -> list[DriverRow]:
    """The driver in each of the organisations that has it."""
    rows = await fetched(connection, "drivers.one", _ONE, (list(organisation_ids), driver_id))
    return [DriverRow(*row) for row in rows]


_WITH_EVENTS: Final = """
SELECT o.id FROM unnest(%s::bigint[]) AS o(id)
WHERE EXISTS (SELECT FROM telemetry_events e WHERE e.organisation_id = o.id AND e.driver_external_id = %s::bigint)
"""
_LISTED_IN: Final = """
SELECT organisation_id FROM drivers WHERE organisation_id = ANY(%s::bigint[]) AND external_id = %s::bigint
"""


async def organisations_of(
    connection: AsyncConnection[Any], organisation_ids: Sequence[int], driver_id: int
) -> list[int]:
    """The organisations that list the driver, or else those that have events of it: events come before their driver."""
    for statement in (_LISTED_IN, _WITH_EVENTS):
        rows = await fetched(connection, "drivers.organisations", statement, (list(organisation_ids), driver_id))
        found = sorted(row[0] for row in rows)
        if found:
            return found
    return []
