"""The audit log: appended to by changes and views, read by auditors, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from psycopg import AsyncConnection

from mixhaul_api.periods import Period
from mixhaul_api.queries.execution import fetched


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what. `subject_ids` are drivers; `subject` is what was changed where that is no driver.

    `details` never hold what a person typed to search by, nor personal data.
    """

    organisation_id: int | None
    actor: str
    action: str
    route: str
    request_id: str
    subject: str | None = None
    subject_ids: tuple[int, ...] = ()
    details: Mapping[str, object] | None = None
    at: datetime | None = None


_APPEND: Final = """
INSERT INTO audit_log (at, organisation_id, actor, action, route, subject, subject_ids, request_id, details)
SELECT coalesce(at, clock_timestamp()), organisation_id, actor, action, route, subject, subject_ids, request_id, details
FROM json_to_recordset(%s::json) AS r(at timestamptz, organisation_id bigint, actor text, action text, route text,
                                      subject text, subject_ids bigint[], request_id text, details jsonb)
"""


async def append(connection: AsyncConnection[Any], entries: Sequence[Entry]) -> None:
    """Write entries; together with a change where that is its transaction."""
    rows = [
        {
            "at": one.at,
            "organisation_id": one.organisation_id,
            "actor": one.actor,
            "action": one.action,
            "route": one.route,
            "subject": one.subject,
            "subject_ids": one.subject_ids or None,
            "request_id": one.request_id,
            "details": one.details,
        }
        for one in entries
    ]
    await fetched(connection, "audit.append", _APPEND, (orjson.dumps(rows).decode(),))


class AuditRow(NamedTuple):
    """An entry as it is stored."""

    id: int
    at: datetime
    organisation_id: int
    actor: str
    action: str
    route: str | None
    subject: str | None
    subject_ids: list[int] | None
    request_id: str | None
    details: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the list an entry stands."""

    at: datetime
    id: int


async def page(
    connection: AsyncConnection[Any],
    organisation_ids: Sequence[int],
    *,
    period: Period,
    driver_id: int | None,
    actor: str | None,
    action: str | None,
    before: Place | None,
    limit: int,
) -> list[AuditRow]:
    """The next entries of these organisations."""
    conditions = {
        "start": "at >= %(start)s::timestamptz",
        "end": "at < %(end)s::timestamptz",
        "driver": "subject_ids @> ARRAY[%(driver)s::bigint]",
        "actor": "actor = %(actor)s::text",
        "action": "action = %(action)s::text",
        "before": "(at, id) < (%(before)s::timestamptz, %(before_id)s::bigint)",
    }
    values: dict[str, object] = {
        "start": period.start,
        "end": period.end,
        "driver": driver_id,
        "actor": actor,
        "action": action,
        "before": before.at if before else None,
    }
    asked = [condition for name, condition in conditions.items() if values[name] is not None]
    rows = await fetched(
        connection,
        "audit.page",
        f"""
SELECT id, at, organisation_id, actor, action, route, subject, subject_ids, request_id, details
FROM audit_log WHERE {" AND ".join(["organisation_id = ANY(%(organisations)s::bigint[])", *asked])}
ORDER BY at DESC, id DESC LIMIT %(limit)s
""",
        values | {"organisations": list(organisation_ids), "before_id": before.id if before else None, "limit": limit},
    )
    return [AuditRow(*row) for row in rows]
