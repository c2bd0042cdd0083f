"""Event types: the catalogue, and a person's decision which of them count as infractions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, NamedTuple

from psycopg import AsyncConnection

from mixhaul_api.queries import audit
from mixhaul_api.queries.execution import fetched
from mixhaul_api.queries.folding import contains, words_of

_COLUMNS: Final = """
    organisation_id, external_id, description, event_type, display_units, value_name, family, is_infraction, severity,
    classification_origin, classified_by, classified_at, removed_at IS NULL"""
_FOLDED: Final = "coalesce(mixhaul_fold(description), '')"


class EventTypeRow(NamedTuple):
    """An event type as it is stored."""

    organisation_id: int
    external_id: int
    description: str | None
    event_type: str | None
    display_units: str | None
    value_name: str | None
    family: str | None
    is_infraction: bool
    severity: str
    classification_origin: str
    classified_by: str | None
    classified_at: datetime | None
    active: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the catalogue a row stands."""

    organisation_id: int
    folded: str
    external_id: int

    TYPES: ClassVar = (int, str, int)

    @property
    def values(self) -> tuple[int | str, ...]:
        return self.organisation_id, self.folded, self.external_id


async def page(
    connection: AsyncConnection[Any],
    organisation_ids: Sequence[int],
    *,
    search: str | None,
    is_infraction: bool | None,
    family: str | None,
    severity: str | None,
    after: Place | None,
    limit: int,
) -> list[tuple[Place, EventTypeRow]]:
    """The next rows of the catalogue, by organisation and description."""
    conditions = ["organisation_id = ANY(%(organisations)s::bigint[])"]
    parameters: dict[str, object] = {"organisations": list(organisation_ids), "limit": limit}
    for number, word in enumerate(words_of(search)):
        conditions.append(contains("description", f"word{number}"))
        parameters[f"word{number}"] = word
    if is_infraction is not None:
        conditions.append("is_infraction = %(is_infraction)s::bool")
        parameters["is_infraction"] = is_infraction
    if family is not None:
        conditions.append("family = %(family)s::text")
        parameters["family"] = family
    if severity is not None:
        conditions.append("severity = %(severity)s::text")
        parameters["severity"] = severity
    if after is not None:
        conditions.append(
            f'(organisation_id, {_FOLDED} COLLATE "C", external_id)'
            " > (%(organisation)s::bigint, %(folded)s::text, %(id)s::bigint)"
        )
        parameters |= dict(zip(("organisation", "folded", "id"), after.values, strict=True))
    found = await fetched(
        connection,
        "event-types.page",
        f"SELECT {_FOLDED}, {_COLUMNS} FROM event_types WHERE {' AND '.join(conditions)}"
        f' ORDER BY organisation_id, {_FOLDED} COLLATE "C", external_id LIMIT %(limit)s',
        parameters,
    )
    rows = [(row[0], EventTypeRow(*row[1:])) for row in found]
    return [(Place(row.organisation_id, folded, row.external_id), row) for folded, row in rows]


_ONE: Final = f"""
SELECT {_COLUMNS} FROM event_types
WHERE organisation_id = ANY(%s::bigint[]) AND external_id = %s::bigint ORDER BY organisation_id
"""


async def by_id(
    connection: AsyncConnection[Any], organisation_ids: Sequence[int], event_type_id: int
) -> list[EventTypeRow]:
    """The type in each of the organisations that has it."""
    rows = await fetched(connection, "event-types.one", _ONE, (list(organisation_ids), event_type_id))
    return [EventTypeRow(*row) for row in rows]


_MOVE_WATERMARK: Final = "UPDATE organisations SET watermark = watermark + 1 WHERE id = %s::bigint"
_DECIDE: Final = f"""
UPDATE event_types
SET is_infraction = %(is_infraction)s::bool, family = %(family)s::text, severity = %(severity)s::text,
    classification_origin = 'person',
    classified_by = %(by)s::text, classified_at = clock_timestamp()
WHERE organisation_id = %(organisation)s::bigint AND external_id = %(id)s::bigint
RETURNING {_COLUMNS}
"""
_ROUTE: Final = "PATCH /api/event-types/{eventTypeId}"


async def lock_organisation(connection: AsyncConnection[Any], organisation_id: int) -> None:
    """Take the organisation's row lock, as every writer does first, by moving its watermark."""
    await fetched(connection, "organisations.lock", _MOVE_WATERMARK, (organisation_id,))


async def locked(connection: AsyncConnection[Any], organisation_id: int, event_type_id: int) -> EventTypeRow:
    """The type as it is now. Inside of a transaction that has locked the organisation, so types never go away."""
    (row,) = await by_id(connection, [organisation_id], event_type_id)
    return row


async def decide(
    connection: AsyncConnection[Any],
    was: EventTypeRow,
    *,
    is_infraction: bool,
    family: str | None,
    severity: str,
    by: str,
    request_id: str,
) -> EventTypeRow:
    """Write a person's decision and who took it. Inside of a transaction that has locked the organisation."""
    (row,) = await fetched(
        connection,
        "event-types.decide",
        _DECIDE,
        {
            "is_infraction": is_infraction,
            "family": family,
            "severity": severity,
            "by": by,
            "organisation": was.organisation_id,
            "id": was.external_id,
        },
    )
    now = EventTypeRow(*row)
    details = {"from": _decision(was), "to": _decision(now)}
    entry = audit.Entry(
        organisation_id=now.organisation_id,
        actor=by,
        action="event-type.classified",
        route=_ROUTE,
        request_id=request_id,
        subject=str(now.external_id),
        details=details,
    )
    await audit.append(connection, [entry])
    return now


def _decision(row: EventTypeRow) -> dict[str, object]:
    return {
        "isInfraction": row.is_infraction,
        "family": row.family,
        "severity": row.severity,
        "origin": row.classification_origin,
    }
