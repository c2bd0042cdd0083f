"""Fills the two tables with rows of some other past, as fast as SQL can: what an index of that size costs is the point.

The rows are nearly as wide as real ones, in the months of the last 60 days, of ten organisations: the two that are
measured hold a tenth each.
"""

from __future__ import annotations

import psycopg

ORGANISATIONS = 10
CHUNK = 500_000

# Ids rise in this order and lie evenly over all 64 bits, so that new ones fall anywhere between them.
_NUMBERS = """
SELECT %(organisation)s::bigint AS organisation, (i - %(half)s) * %(step)s AS id,
       now() - make_interval(secs => 60 + (i * 7919) %% 5184000) AS at, i
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) i
"""
_KEYS = f"""
INSERT INTO event_keys (organisation_id, external_id, occurred_at, observed_at, digest)
SELECT organisation, id, at, at + interval '40 s', hashint8extended(i, 7) FROM ({_NUMBERS}) n
"""
_ROWS = f"""
INSERT INTO telemetry_events
    (organisation_id, external_id, occurred_at, observed_at, raw_page_id, driver_external_id,
     reported_driver_external_id, vehicle_external_id, event_type_external_id, event_category, started_at, ended_at,
     start_odometer_km, end_odometer_km, value, value_type, value_units, fuel_used_litres, total_time_seconds,
     total_occurrences, start_position_id, start_position_at, start_latitude, start_longitude, start_speed_kmh,
     start_heading, start_satellites, start_address, start_position_source, start_is_avl)
SELECT organisation, id, at, at + interval '40 s', i / 1000, i * 7919 %% 50, i * 7919 %% 50, i %% 40, i %% 60, 'Detail',
       at, at + interval '1 min', (i %% 800000) / 8.0, (i %% 800000) / 8.0 + 1, i %% 130, 'Maximum', 'km/h', 0.5, 60, 1,
       id, at, -23.5 + i %% 1000 / 1e4, -46.6 - i %% 1000 / 1e4, i %% 120, i %% 360, 9,
       'Avenida Paulista ' || i %% 3000 || ', Bela Vista, São Paulo - SP, Brasil', 'Gps', true
  FROM ({_NUMBERS}) n
"""


def seed(url: str, *, rows: int) -> None:
    """Insert so many rows of each table."""
    each = rows // ORGANISATIONS
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        for organisation in range(1, ORGANISATIONS + 1):
            for first in range(0, each, CHUNK):
                values = {
                    "organisation": organisation,
                    "half": each // 2,
                    "step": 2**63 // (each // 2 + 1),
                    "first": first,
                    "last": min(first + CHUNK, each) - 1,
                }
                connection.execute(_KEYS.encode(), values)
                connection.execute(_ROWS.encode(), values)
        connection.execute("VACUUM (ANALYZE) event_keys, telemetry_events")
        connection.execute("CHECKPOINT")
