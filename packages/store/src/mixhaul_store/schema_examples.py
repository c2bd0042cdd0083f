"""Queries that an analyst may begin with. They are printed in docs/schema.md, and a test runs each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True, slots=True)
class Example:
    """A question and the query that answers it."""

    question: str
    query: LiteralString


EXAMPLES: tuple[Example, ...] = (
    Example(
        "A driver's infractions of a month, newest first. Name the interval: only its partitions are read then.",
        """SELECT e.occurred_at, t.description, v.registration_number, e.value, e.value_units, e.speed_limit,
       e.start_address, e.total_time_seconds
FROM telemetry_events e
JOIN drivers d ON (d.organisation_id, d.external_id) = (e.organisation_id, e.driver_external_id)
JOIN event_types t ON (t.organisation_id, t.external_id) = (e.organisation_id, e.event_type_external_id)
LEFT JOIN vehicles v ON (v.organisation_id, v.external_id) = (e.organisation_id, e.vehicle_external_id)
WHERE mixhaul_fold(d.name) LIKE mixhaul_fold('%JOÃO%')
  AND t.is_infraction
  AND e.occurred_at >= '2026-11-01' AND e.occurred_at < '2026-12-01'
ORDER BY e.occurred_at DESC, e.external_id DESC;""",
    ),
    Example(
        "Infractions per driver and type in a month, with the month's days in the organisation's own time zone.",
        """SELECT d.name, t.description, count(*) AS events, sum(e.total_occurrences) AS occurrences
FROM organisations o
JOIN telemetry_events e ON e.organisation_id = o.id
JOIN event_types t ON (t.organisation_id, t.external_id) = (e.organisation_id, e.event_type_external_id)
LEFT JOIN drivers d ON (d.organisation_id, d.external_id) = (e.organisation_id, e.driver_external_id)
WHERE t.is_infraction
  AND e.occurred_at >= '2026-11-01'::timestamp AT TIME ZONE 'America/Sao_Paulo'
  AND e.occurred_at < '2026-12-01'::timestamp AT TIME ZONE 'America/Sao_Paulo'
GROUP BY d.name, t.description
ORDER BY events DESC, d.name, t.description;""",
    ),
    Example(
        "How many events each day, and how late they were created: an event may be uploaded days after it happened.",
        """SELECT date_trunc('day', occurred_at) AS day, count(*) AS events,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY observed_at - occurred_at) AS median_delay,
       max(observed_at - occurred_at) AS longest_delay
FROM telemetry_events
WHERE occurred_at >= '2026-11-01' AND occurred_at < '2026-12-01'
GROUP BY day
ORDER BY day;""",
    ),
    Example(
        "One event by MiX's id: event_keys knows where its row is, so that one partition is read.",
        """SELECT e.*
FROM event_keys k
JOIN telemetry_events e USING (organisation_id, external_id, occurred_at)
WHERE k.external_id = 5000000000000000001;""",
    ),
    Example(
        "Types that came with events but are not in the library (yet), nor do their events count as infractions.",
        """SELECT e.organisation_id, e.event_type_external_id, count(*) AS events, max(e.occurred_at) AS latest
FROM telemetry_events e
WHERE e.occurred_at >= '2026-11-01'
  AND NOT EXISTS (
      SELECT FROM event_types t
      WHERE (t.organisation_id, t.external_id) = (e.organisation_id, e.event_type_external_id)
  )
GROUP BY e.organisation_id, e.event_type_external_id
ORDER BY events DESC;""",
    ),
    Example(
        "How fresh the data is: whether there is nothing to see, or it was not ingested yet.",
        """SELECT o.name, c.feed, c.last_poll_at, c.last_data_at, c.caught_up_at, c.consecutive_errors,
       (SELECT count(*) FROM gaps g
        WHERE (g.organisation_id, g.feed, g.state) = (c.organisation_id, c.feed, 'open')) AS open_gaps
FROM etl_control c
JOIN organisations o ON o.id = c.organisation_id
ORDER BY o.name, c.feed;""",
    ),
    Example(
        "What could not be stored typed, and why.",
        """SELECT feed, reason, count(*) AS records, max(observed_at) AS latest
FROM quarantined_records
WHERE resolved_at IS NULL
GROUP BY feed, reason
ORDER BY records DESC, feed, reason;""",
    ),
)
