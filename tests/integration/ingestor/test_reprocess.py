"""`reprocess` on what the simulator gave: the same rows to the last column, beside a running stream, after a kill."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from faults.bed import Bed, wait_for
from faults.compare import compare

FLEET = (
    "--drivers", "10", "--vehicles", "8", "--organisations", "2", "--event-types", "20", "--history-days", "0.6",
    "--requests-per-minute", "600", "--pause-seconds", "1",
)  # fmt: skip
FAULTS = {
    "bad-record": 0.05, "dates-wild": 0.02, "null-fields": 0.05, "enum-unknown": 0.02,
    "duplicate-page-events": 0.3, "redeliver": 0.3, "unknown-fields": 0.1, "dates-odd": 0.2, "numbers-as-text": 0.2,
}  # fmt: skip
TABLES = {
    "telemetry_events": "organisation_id, external_id",
    "event_keys": "organisation_id, external_id",
    "quarantined_records": "id",
    "raw_pages": "id",
}


def contents(bed: Bed, *, hidden: bool = False) -> dict[str, list[Any]]:
    """Every column of every row; `hidden`: also which transaction wrote it."""
    columns = "*, xmin::text" if hidden else "*"
    with psycopg.connect(bed.url) as connection:
        return {
            table: connection.execute(f"SELECT {columns} FROM {table} ORDER BY {order}".encode()).fetchall()
            for table, order in TABLES.items()
        }


def small_pages(bed: Bed) -> None:
    text = bed.simulator.manifest.read_text(encoding="utf-8")
    small = text.replace("  stream:\n", "  stream:\n    pageSize: 150\n", 1)
    bed.simulator.manifest.write_text(small, encoding="utf-8")


@pytest.fixture
def hauled(bed: Bed) -> Bed:
    """A fleet with everything that makes records odd, and later versions of its events, some in another month."""
    faults = [option for kind, rate in FAULTS.items() for option in ("--fault", f"{kind}={rate}")]
    bed.start_simulator(*FLEET, "--events-per-minute", "0", *faults)
    small_pages(bed)
    assert bed.catch_up() == 0
    for organisation in bed.simulator.call("GET", "/control/truth/organisations")["organisations"]:
        truth = bed.simulator.call("GET", f"/control/truth/events?organisation={organisation['GroupId']}&limit=30")
        for number, known in enumerate(truth["events"]):
            moved = (datetime.now(UTC) - timedelta(days=3 * number)).strftime("%Y-%m-%dT%H:%M:%S")
            change: dict[str, Any] = {"EventId": known["EventId"], "Value": number}
            if number % 3 == 0:
                change["StartDateTime"] = moved if number % 2 else None
            bed.simulator.call("POST", "/control/events", {"organisation": organisation["GroupId"], **change})
    assert bed.catch_up() == 0
    report = compare(bed.simulator.control, bed.url)
    assert report.equal, report.differences
    assert report.quarantined > 5
    return bed


def reprocess(bed: Bed, *options: str) -> str:
    done = bed.run("reprocess", *options)
    assert done.returncode == 0
    return done.stdout.decode().strip().splitlines()[-1]


def test_the_same_code_makes_the_same_rows_to_the_last_column(hauled: Bed) -> None:
    calls = len(hauled.records()["calls"])
    before = contents(hauled, hidden=True)
    assert "nothing differs" in reprocess(hauled, "--dry-run")
    assert "nothing differs" in reprocess(hauled)
    assert "nothing differs" in reprocess(hauled, "--quarantined")
    assert contents(hauled, hidden=True) == before, "not a row was written"
    kept = contents(hauled)
    with psycopg.connect(hauled.url) as connection:
        connection.execute("DELETE FROM telemetry_events")
        connection.execute("DELETE FROM event_keys")
    assert "stored that were not there" in reprocess(hauled)
    assert contents(hauled) == kept
    assert len(kept["telemetry_events"]) > 400
    assert len(hauled.records()["calls"]) == calls, "without a call to MiX"


def test_a_run_that_is_killed_goes_on_where_it_was_while_the_stream_runs(bed: Bed) -> None:
    bed.start_simulator(*FLEET, "--events-per-minute", "1200", "--fault", "redeliver=0.3")
    small_pages(bed)
    bed.start_ingestor()

    def pages() -> int:
        with psycopg.connect(bed.url) as connection:
            row = connection.execute("SELECT count(*) FROM raw_pages").fetchone()
        return int(row[0]) if row else 0

    wait_for(lambda: pages() > 25, what="many pages")
    with psycopg.connect(bed.url) as connection:
        # As if an earlier version had read the value otherwise.
        connection.execute("UPDATE telemetry_events SET value = coalesce(value, 0) + 1")
    process = bed.start("reprocess")

    def after() -> int:
        with psycopg.connect(bed.url) as connection:
            row = connection.execute("SELECT max(after_page) FROM reprocess_runs").fetchone()
        return int(row[0] or 0) if row else 0

    # A look at each page makes it slow enough to be caught.
    with psycopg.connect(bed.url) as connection:
        while after() == 0 and process.poll() is None:
            connection.execute("SELECT FROM organisations FOR NO KEY UPDATE")
            connection.commit()
    process.kill()
    process.wait()
    assert process.returncode == -9
    assert "Goes on where it was cut off" in bed.run("reprocess").stdout.decode()
    assert bed.running[1].poll() is None
    stop(bed.running[1])
    assert bed.catch_up() == 0
    report = compare(bed.simulator.control, bed.url)
    assert report.equal, report.differences


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    assert process.wait(timeout=20) == 0
