"""What the leader does by itself about what MiX says late: amendments, and days that are compared."""

from __future__ import annotations

import re
import urllib.request
from typing import Any

import psycopg

from faults.bed import Bed, wait_for
from faults.compare import compare

FLEET = ("--drivers", "10", "--vehicles", "8", "--organisations", "1", "--event-types", "20", "--history-days", "4")
FAST = ("--events-per-minute", "0", "--requests-per-minute", "600", "--pause-seconds", "1")


def rows(bed: Bed, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(bed.url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def metrics(bed: Bed) -> str:
    port = wait_for(lambda: re.findall(r'"port":\s*(\d+)', bed.log("a")), what="the admin port")[-1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_a_leader_reads_amendments_and_proves_its_days(bed: Bed) -> None:
    bed.start_simulator(*FLEET, *FAST)
    call = bed.simulator.call
    (organisation,) = (one["GroupId"] for one in call("GET", "/control/truth/organisations")["organisations"])
    events = call("GET", f"/control/truth/events?organisation={organisation}&limit=3")["events"]
    quarantined, reassigned, unknown = (one["EventId"] for one in events)
    for event, kind in ((quarantined, "QuarantinedEvent"), (reassigned, "ReassignedEvent")):
        call("POST", "/control/amendments", {
            "organisation": organisation, "eventId": event, "type": kind, "newDriverId": "77",
        })  # fmt: skip
    # So that the organisation is known: amendments are read at once, before their events.
    assert bed.run("sync", "--manifest", str(bed.simulator.manifest)).returncode == 0
    process = bed.start_ingestor()
    wait_for(lambda: rows(bed, "SELECT 1 FROM amendments"), what="the amendments")
    wait_for(lambda: rows(bed, "SELECT 1 FROM etl_control WHERE caught_up_at IS NOT NULL"), what="the feed's end")
    text = metrics(bed)
    process.terminate()
    assert process.wait(timeout=20) == 0
    by_event = {
        str(event): (driver, reported)
        for event, driver, reported in rows(
            bed, "SELECT external_id, driver_external_id, reported_driver_external_id FROM telemetry_events"
        )
    }
    truth = call("GET", f"/control/truth/amendments?organisation={organisation}")["amendments"]
    given = {one["EventId"] for one in truth}
    assert (by_event[quarantined][0], by_event[reassigned][0]) == (None, 77)
    assert {event for event, (driver, reported) in by_event.items() if driver != reported} <= given
    assert rows(bed, "SELECT count(*) FROM amendments") == [(len(truth),)]
    assert len(re.findall(r'^mixhaul_amendments_total\{.*type="(?:quarantined|reassigned)"\} [1-9]', text, re.M)) == 2
    assert re.search(r'^mixhaul_amendments_total\{.*type="unknown"\} 0\.0$', text, re.M)
    assert unknown in by_event
    days_are_compared(bed)
    assert compare(bed.simulator.control, bed.url).equal
    assert bed.records()["violations"] == []


def days_are_compared(bed: Bed) -> None:
    """The days of the feed that are two days old or more; what is missing comes back."""
    lost = rows(
        bed,
        """
        WITH gone AS (DELETE FROM event_keys WHERE external_id IN (
                          SELECT external_id FROM event_keys WHERE occurred_at < now()::date - 1
                              AND occurred_at > now()::date - 3 ORDER BY digest LIMIT 5) RETURNING *)
        DELETE FROM telemetry_events e USING gone
         WHERE (e.external_id, e.occurred_at) = (gone.external_id, gone.occurred_at) RETURNING e.external_id
        """,
    )
    assert len(lost) == 5
    rows(bed, "DELETE FROM leader_tasks WHERE name = 'reconciliation'")
    process = bed.start_ingestor()
    wait_for(
        lambda: rows(bed, "SELECT 1 FROM leader_tasks WHERE name = 'reconciliation' AND succeeded_at IS NOT NULL"),
        what="the comparisons",
    )
    # From the first whole day of the feed to the day before yesterday; fewer by one around midnight.
    (days, *figures) = rows(
        bed,
        "SELECT count(*), count(finished_at), sum(missing), sum(filled), sum(unfilled),"
        " min(day) >= now()::date - 7, max(day) >= now()::date - 3 FROM reconciliations",
    )[0]
    assert days in (4, 5)
    assert figures == [days, 5, 5, 0, True, True]
    text = wait_for(lambda: "mixhaul_ingest_missing_events{" in (text := metrics(bed)) and text, what="the gauge")
    process.terminate()
    assert process.wait(timeout=20) == 0
    assert re.search(r"^mixhaul_ingest_missing_events\{.*\} 0\.0$", text, re.M)
    assert re.search(r'^mixhaul_compared_events_total\{.*outcome="missing".*\} 5\.0$', text, re.M)
    assert re.search(r'^mixhaul_comparisons_total\{.*result="complete".*\} [45]\.0$', text, re.M)
    assert rows(bed, "SELECT explanations FROM reconciliations WHERE missing > 0 AND explanations = '{}'") == []
