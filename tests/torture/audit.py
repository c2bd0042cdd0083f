"""What the database itself must say, whatever the programs believe: no stale write ever, and books that name all that
is missing.

The check of stale writes is a trigger of this test's own, deferred to the COMMIT: the session that moves a cursor or
stores a page of the feed must be the one of the holder that is written in `leader_epochs` at that very moment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

from faults.compare import get, read_time, truth_events

TRIGGER = """
CREATE SCHEMA torture;
CREATE TABLE torture.checked (what text PRIMARY KEY, writes bigint NOT NULL);
CREATE TABLE torture.stale (at timestamptz DEFAULT clock_timestamp(), what text, session text, holder text);
CREATE FUNCTION torture.check_writer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    leader text;
BEGIN
    SELECT 'mixhaul:' || holder INTO leader FROM public.leader_epochs WHERE lease = 'ingestor';
    IF leader IS DISTINCT FROM current_setting('application_name') THEN
        INSERT INTO torture.stale (what, session, holder)
        VALUES (TG_TABLE_NAME, current_setting('application_name'), leader);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER torture_cursor AFTER UPDATE OF last_successful_sincetoken ON etl_control
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION torture.check_writer();
"""


def install(database: str) -> None:
    """Make the trigger."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TRIGGER.encode())


def stale_writes(database: str) -> list[str]:
    """A sentence for each."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT at, what, session, holder FROM torture.stale ORDER BY at").fetchall()
    return [
        f"stale write: {what} at {at:%H:%M:%S.%f} by {session}, while {holder} led"
        for at, what, session, holder in rows
    ]


def unbooked(control: str, database: str) -> list[str]:
    """Events that the cursor has passed, that are not stored, and that no open gap covers. Nothing may write meanwhile.

    Only for feeds whose tokens read as times.
    """
    found: list[str] = []
    answer = get(control, "/control/truth/organisations")
    with psycopg.connect(database, options="-c TimeZone=UTC") as connection:
        for organisation in (int(row["GroupId"]) for row in answer["organisations"]):
            row = connection.execute(
                "SELECT o.id, c.last_successful_sincetoken FROM organisations o JOIN etl_control c"
                " ON c.organisation_id = o.id AND c.feed = 'events' WHERE o.external_id = %s",
                (organisation,),
            ).fetchone()
            if row is None or row[1] is None or not row[1].isdigit():
                continue
            position = token_position(row[1])
            stored = {
                each[0]
                for each in connection.execute(
                    "SELECT external_id FROM event_keys WHERE organisation_id = %s", (row[0],)
                )
            }
            gaps = connection.execute(
                "SELECT greatest(from_time, filled_up_to), to_time FROM gaps"
                " WHERE organisation_id = %s AND state = 'open'",
                (row[0],),
            ).fetchall()
            for event_id, event in truth_events(control, str(organisation)).items():
                created = created_at(event)
                if event_id in stored or created > position:
                    continue
                if not any(since <= created <= until for since, until in gaps):
                    found.append(f"event {event_id} of {created} is before the cursor {position}, and in no gap")
    return found


def misjudged(database: str) -> list[str]:
    """Stored events that do not count against whom the latest of their stored amendments says."""
    latest: dict[tuple[int, int], tuple[Any, ...]] = {}
    found: list[str] = []
    with psycopg.connect(database, options="-c TimeZone=UTC") as connection:
        for organisation, event, kind, at, driver in connection.execute(
            "SELECT organisation_id, external_id, amendment_type, amended_at, new_driver_external_id FROM amendments"
            " WHERE amendment_type IN ('QuarantinedEvent', 'ReassignedEvent')"
        ):
            # The latest; of the same moment a quarantine, then the lowest driver.
            rank = (at, kind == "QuarantinedEvent", -(driver or 0))
            known = latest.get((organisation, event))
            if known is None or rank > known[0]:
                latest[organisation, event] = (rank, driver if kind == "ReassignedEvent" else None)
        for organisation, event, reported, driver in connection.execute(
            "SELECT organisation_id, external_id, reported_driver_external_id, driver_external_id FROM telemetry_events"
        ):
            expected = latest[organisation, event][1] if (organisation, event) in latest else reported
            if driver != expected:
                found.append(f"event {event} counts against {driver} instead of {expected}")
    return found


def token_position(token: str) -> datetime:
    """`yyyyMMddHHmmssfff`."""
    return read_time(
        f"{token[:4]}-{token[4:6]}-{token[6:8]}T{token[8:10]}:{token[10:12]}:{token[12:14]}.{token[14:17]}Z"
    )


def created_at(event: dict[str, Any]) -> datetime:
    """When MiX made the event, or its latest version."""
    return read_time(str(event["createdAt"]))
