"""A real leader carries out `spec.retention`, and deletes what a MixSource leaves behind, also over an outage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from faults.bed import Bed, wait_for
from faults.compare import compare

FLEET = (
    "--drivers", "10", "--vehicles", "8", "--organisations", "2", "--event-types", "20", "--events-per-minute", "0",
    "--requests-per-minute", "600", "--pause-seconds", "1",
)  # fmt: skip


def rows(bed: Bed, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(bed.url) as connection:
        return connection.execute(query.encode(), values).fetchall()


def edit(bed: Bed, before: str, after: str) -> None:
    text = bed.simulator.manifest.read_text(encoding="utf-8")
    assert before in text
    bed.simulator.manifest.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_retention_goes_by_what_the_manifest_says(bed: Bed) -> None:
    bed.start_simulator(*FLEET, "--history-days", "4")
    assert bed.catch_up() == 0
    everything = rows(bed, "SELECT count(*) FROM telemetry_events")[0][0]
    assert "Nothing has outlived" in bed.run("retention", "--dry-run").stdout.decode()
    edit(bed, "spec:\n", "spec:\n  retention: {eventDays: 2, rawDays: 1}\n")
    foreseen = bed.run("retention", "--dry-run", "--manifest", str(bed.simulator.manifest)).stdout.decode()
    assert "events" in foreseen
    assert "in batches" in foreseen
    assert rows(bed, "SELECT count(*) FROM telemetry_events")[0][0] == everything
    bed.start_ingestor()
    done = bed.run("retention")
    assert done.returncode == 0, done.stderr
    assert "rows went in batches" in done.stdout.decode()
    oldest, left = rows(bed, "SELECT min(occurred_at), count(*) FROM telemetry_events")[0]
    assert oldest > datetime.now(UTC) - timedelta(days=2, minutes=5)
    assert 0 < left < everything
    assert rows(bed, "SELECT count(*) FROM event_keys")[0][0] == left
    # An event of last week comes now: counted, not stored.
    organisation = bed.simulator.call("GET", "/control/truth/organisations")["organisations"][0]["GroupId"]
    made = {"organisation": organisation, "count": 3, "daysLate": 5}
    bed.simulator.call("POST", "/control/events", made)
    polls = len(bed.records()["calls"])
    wait_for(lambda: len(bed.records()["calls"]) > polls + 6, what="some more polls")
    assert rows(bed, "SELECT count(*) FROM telemetry_events")[0][0] == left


def test_what_a_deleted_source_leaves_is_deleted_also_over_an_outage(bed: Bed) -> None:
    """Its organisation that the source of the same name has claimed again keeps everything."""
    bed.start_simulator(*FLEET, "--history-days", "0.5")
    edit(bed, "  name: simulador\n", "  name: simulador\n  uid: life-1\n")
    assert bed.run("sync", "--manifest", str(bed.simulator.manifest)).returncode == 0
    assert bed.catch_up() == 0
    kept, gone = (number for (number,) in rows(bed, "SELECT external_id FROM organisations ORDER BY id"))
    before = rows(bed, "SELECT * FROM telemetry_events e JOIN organisations o ON o.id = e.organisation_id"
                       " WHERE o.external_id = %s ORDER BY e.external_id", kept)  # fmt: skip
    token = rows(bed, "SELECT last_successful_sincetoken FROM etl_control ORDER BY organisation_id")[0]
    edit(bed, "uid: life-1", "uid: life-2")
    edit(bed, "spec:\n", f"spec:\n  organisationIDs: ['{kept}']\n")
    bed.start_ingestor()
    wait_for(lambda: rows(bed, "SELECT FROM organisations WHERE source_uid = 'life-2'"), what="the next life's claim")
    assert rows(bed, "SELECT count(*) FROM etl_control WHERE last_successful_sincetoken = %s", token[0])[0][0] == 1
    with psycopg.connect(bed.url) as holding:
        # It stands still in the middle, and then the database is away.
        holding.execute("LOCK TABLE vehicles IN SHARE MODE")
        with psycopg.connect(bed.url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO work_requests (source, request_id, kind, parameters)"
                " VALUES ('default/simulador', 'delete:life-1', 'delete', '{\"uid\": \"life-1\"}')"
            )
            wait_for(
                lambda: connection.execute(
                    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM%vehicles%'"
                ).fetchall(),
                what="the deletion at the vehicles",
            )
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                               " AND datname = current_database() AND application_name LIKE 'mixhaul:%'")  # fmt: skip
    wait_for(
        lambda: rows(bed, "SELECT FROM work_requests WHERE request_id = 'delete:life-1' AND state = 'succeeded'"),
        what="the end of the deletion",
        seconds=90,
    )
    assert [row[0] for row in rows(bed, "SELECT external_id FROM organisations WHERE deleted_at IS NULL")] == [kept]
    assert rows(bed, "SELECT * FROM telemetry_events e JOIN organisations o ON o.id = e.organisation_id"
                     " WHERE o.external_id = %s ORDER BY e.external_id", kept)[0][:5] == before[0][:5]  # fmt: skip
    for table in ("telemetry_events", "event_keys", "raw_pages", "drivers", "vehicles", "event_types", "sites"):
        owners = {owner for (owner,) in rows(bed, f"SELECT DISTINCT organisation_id FROM {table}")}
        assert len(owners) == 1, table
    assert rows(bed, "SELECT count(*) FROM api_credentials")[0][0] == 1, "the next life uses the login"
    bed.simulator.call("POST", "/control/organisations", {"organisation": gone, "forbidden": True})
    report = compare(bed.simulator.control, bed.url)
    assert report.equal, report.differences
